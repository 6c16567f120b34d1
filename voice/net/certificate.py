"""Certificates for the web side and for SIP over TLS, made on first start; and the TLS that shows them.

Browsers give a page the microphone only in a secure context, so an address beyond loopback is served by HTTPS. A
self-signed certificate is enough to begin with (the browser asks once); a real one is named in the settings.
"""

import os
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from dialog.errors import ConfigurationError

DAYS = 397
"""Browsers distrust certificates that are valid for longer."""

_RENEW_BEFORE = timedelta(days=14)


def server_tls(certificate: Path, key: Path | None) -> ssl.SSLContext:
    """What to show to those who connect. Raises OSError when the files cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.load_cert_chain(certificate, key)
    return context


def usable_tls(section: str, certificate: Path, key: Path | None) -> ssl.SSLContext:
    """The same, of the files that a section of the settings names. Raises ConfigurationError."""
    try:
        return server_tls(certificate, key)
    except OSError as error:
        files = f"{certificate} with {key}" if key else f"{certificate}"
        raise ConfigurationError(
            f"{section}.certificate: {files} cannot be used ({error.strerror or error})"
        ) from error


def trusted(authorities: Path | None) -> ssl.SSLContext:
    """Whom to trust where we open a TLS connection. Raises ConfigurationError when the file cannot be used."""
    try:
        return ssl.create_default_context(cafile=authorities)
    except OSError as error:
        raise ConfigurationError(
            f"sip.authorities: {authorities} cannot be used ({error.strerror or error})"
        ) from error


def ensure_certificate(folder: Path, host: str, name: str = "web") -> tuple[Path, Path]:
    """Paths of a certificate for `host` and its key in `folder`; made anew when missing, old or for another host."""
    certificate_path, key_path = folder / f"{name}.crt", folder / f"{name}.key"
    if certificate_path.exists() and key_path.exists():
        certificate = x509.load_pem_x509_certificate(certificate_path.read_bytes())
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        fresh = certificate.not_valid_after_utc - datetime.now(UTC) > _RENEW_BEFORE
        if fresh and ip_address(host) in names.get_values_for_type(x509.IPAddress):
            return certificate_path, key_path
    folder.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Centralino on {host}")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    descriptor = os.open(key_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
    certificate_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return certificate_path, key_path
