"""Sealed and opened packets: both ways, across a change of keys, and whatever else may come."""

import hmac
from random import Random

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES128
from cryptography.hazmat.primitives.ciphers.modes import CTR

from voice.wire.rtp import RtpPacket
from voice.wire.sdes import Crypto, Keys, Suite
from voice.wire.srtp import MAX_STREAMS, SecureStream, secured

REPORT = bytes([0x80, 201, 0, 1]) + b"ssrc"


def key(seed: int, suite: Suite = Suite.CM_128_80) -> Crypto:
    return Crypto(1, suite, Random(seed).randbytes(suite.key_octets))


def pair(ours: Crypto, theirs: Crypto, *, rtcp: bool = False) -> tuple[SecureStream, SecureStream]:
    """Both ends of a call."""
    near, far = (secured(keys, None, rtcp=rtcp) for keys in (Keys(ours, theirs), Keys(theirs, ours)))
    assert near is not None and far is not None
    return near, far


def packet(n: int, ssrc: int = 1) -> bytes:
    return bytes(RtpPacket(0, n & 0xFFFF, n * 160, ssrc, b"\x10" * 160))


def sealed(stream: SecureStream, n: int, ssrc: int = 1) -> bytes:
    data = stream.seal(packet(n, ssrc))
    assert data is not None
    return data


@pytest.mark.parametrize("suite", Suite)
def test_packets_and_reports_go_both_ways(suite: Suite) -> None:
    tags = {Suite.CM_128_80: 10, Suite.CM_128_32: 4}
    near, far = pair(key(1, suite), key(2, suite))
    for n in range(5):
        assert len(sealed(near, n)) == len(packet(n)) + tags.get(suite, 16)
    assert far.open(sealed(near, 5)) == packet(5)
    assert near.open(sealed(far, 5)) == packet(5)
    near, far = pair(key(1, suite), key(2, suite), rtcp=True)
    report = near.seal(REPORT)
    assert report is not None and report != REPORT
    assert far.open(report) == REPORT
    assert far.open(report) is None, "a report that comes twice"
    assert secured(None, near) is None


def test_packets_are_sealed_as_the_rfc_says() -> None:
    """AES counter mode and HMAC by another library, under the session keys that RFC 3711 appendix B.3 derives."""
    master = bytes.fromhex("E1F97A0D3E018BE0D64FA32C06DE41390EC675AD498AFEEBB6960B3AABE6")
    cipher_key = bytes.fromhex("C61E7A93744F39EE10734AFE3FF7A087")
    salt = int.from_bytes(bytes.fromhex("30CBBC08863D8C85D49DB34A9AE1"))
    auth_key = bytes.fromhex("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4")
    near, _ = pair(Crypto(1, Suite.CM_128_80, master), key(2))
    data = packet(4_660, 0xDECAFBAD)
    counter = (salt << 16) ^ (0xDECAFBAD << 64) ^ (4_660 << 16)
    encrypt = Cipher(AES128(cipher_key), CTR(counter.to_bytes(16))).encryptor()
    expected = data[:12] + encrypt.update(data[12:])
    expected += hmac.digest(auth_key, expected + bytes(4), "sha1")[:10]
    assert near.seal(data) == expected


def test_the_count_of_packets_rolls_over() -> None:
    near, far = pair(key(1), key(2))
    for n in range(65_000, 66_000):
        assert far.open(sealed(near, n)) == packet(n)
    assert far.open(sealed(near, 66_010)) == packet(66_010)


def test_only_what_is_genuine_is_opened() -> None:
    near, far = pair(key(1), key(2))
    good = sealed(near, 1)
    for at in range(len(good)):
        assert far.open(good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]) is None
        assert far.open(good[:at]) is None
    assert far.open(packet(1)) is None, "in the clear"
    assert near.open(good) is None, "one's own"
    assert far.open(good) == packet(1)
    assert far.open(good) is None, "once more"
    assert far.open(b"") is far.open(bytes(2048)) is None


def test_nothing_is_sealed_that_would_give_the_key_away() -> None:
    """The same number twice under one key; what is too long is not sealed, either."""
    near, _ = pair(key(1), key(2))
    sealed(near, 1)
    assert near.seal(packet(1)) is None
    assert near.seal(bytes([0x80]) * 2048) is None


def test_keys_change_in_the_middle() -> None:
    near, far = pair(key(1), key(2))
    late = [sealed(near, n) for n in range(65_530, 65_545)]
    for data in late[:-2]:
        far.open(data)
    renewed = far.succeeded_by(Keys(key(4), key(3)), rtcp=False)
    assert renewed.open(late[-2]) == packet(65_543), "still under way under the former key"
    again, _ = pair(key(3), key(4))
    assert renewed.open(sealed(again, 65_546)) == packet(65_546)
    assert renewed.open(late[-1]) is None, "the former key is over"


def test_a_key_that_goes_on_keeps_its_count() -> None:
    near, far = pair(key(1), key(2))
    for n in range(65_500, 65_600):
        far.open(sealed(near, n))
    same = far.succeeded_by(Keys(key(5), Crypto(9, Suite.CM_128_80, key(1).key)), rtcp=False)
    on = near.succeeded_by(Keys(key(1), key(5)), rtcp=False)
    assert same.open(sealed(on, 65_601)) == packet(65_601)


def test_one_key_opens_so_many_sources() -> None:
    near, far = pair(key(1), key(2))
    opened = [far.open(sealed(near, 1, ssrc)) for ssrc in range(MAX_STREAMS + 5)]
    assert opened.count(None) == 5
    assert far.open(sealed(near, 2, 3)) == packet(2, 3)
