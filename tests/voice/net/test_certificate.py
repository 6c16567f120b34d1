"""The certificate of the first start: kept, private, and made anew for another address."""

import ssl
from pathlib import Path

from voice.net.certificate import ensure_certificate


def test_it_is_made_once_and_kept(tmp_path: Path) -> None:
    first = ensure_certificate(tmp_path, "192.0.2.7")
    pem = first[0].read_bytes()
    assert ensure_certificate(tmp_path, "192.0.2.7") == first
    assert first[0].read_bytes() == pem


def test_another_address_gets_another_one(tmp_path: Path) -> None:
    pem = ensure_certificate(tmp_path, "192.0.2.7")[0].read_bytes()
    assert ensure_certificate(tmp_path, "192.0.2.8")[0].read_bytes() != pem


def test_a_server_can_use_it_and_only_the_owner_reads_the_key(tmp_path: Path) -> None:
    certificate, key = ensure_certificate(tmp_path, "192.0.2.7")
    ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key)
    assert key.stat().st_mode & 0o077 == 0
