"""Whether the addresses of the settings can be had, found out before anything heavy is loaded."""

import os
import socket

from dialog.errors import ConfigurationError
from voice.config import Settings


def check_addresses(settings: Settings) -> None:
    """Raise ConfigurationError, with the setting's name and the remedy, for an address that cannot be bound now."""
    sip, web = settings.sip, settings.web
    _try("sip", sip.host, sip.port, socket.SOCK_DGRAM)
    if sip.tcp_port:
        _try("sip", sip.host, sip.tcp_port, socket.SOCK_STREAM, "tcp")
    if sip.tls_port:
        _try("sip", sip.host, sip.tls_port, socket.SOCK_STREAM, "tls_port")
    audiosocket = settings.streams.audiosocket
    if audiosocket.port:
        _try("streams.audiosocket", audiosocket.host, audiosocket.port, socket.SOCK_STREAM)
    _try("web", web.host, web.port, socket.SOCK_STREAM)
    _try("media", settings.media_host, 0, socket.SOCK_DGRAM)


def taken(section: str, host: str, port: int, error: OSError, name: str = "port") -> ConfigurationError:
    """What to tell whoever configured an address that cannot be bound."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    if port == 0:
        return ConfigurationError(f"{section}.host: {host} cannot be bound ({reason}); name an address of this machine")
    return ConfigurationError(
        f"{section}.{name}: {host}:{port} cannot be bound ({reason}); choose another with --set {section}.{name}=N"
    )


def _try(section: str, host: str, port: int, kind: socket.SocketKind, name: str = "port") -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind) as probe:
        if kind is socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise taken(section, host, port, error, name) from error
