"""The ways of SIP that are connections: the far end of one, and what a URI says about the way to its host."""

from ipaddress import ip_address
from typing import NamedTuple

from sipmessage import URI

TCP, TLS, WS, WSS = "TCP", "TLS", "WS", "WSS"
"""Transports as a Via names them (RFC 3261 section 20.42, RFC 7118 section 5.2)."""

DEFAULT_PORT = {TCP: 5060, TLS: 5061, WS: 80, WSS: 443}
"""RFC 3261 section 19.1.2, RFC 7118 section 5.3."""

PARAMETER = {TCP: "tcp", TLS: "tls", WS: "ws", WSS: "ws"}
"""The transport as a URI names it."""


class Flow(NamedTuple):
    """The far end of a connection.

    `home` is the port where the peer takes new connections once this one is gone (RFC 3261 section 18.2.2); 0 where
    that is `port` itself, as with a connection that we opened.
    """

    host: str
    port: int
    transport: str = TCP
    home: int = 0

    @property
    def peer(self) -> tuple[str, int, str]:
        """What tells one connection from another."""
        return self[:3]

    @property
    def dialable(self) -> bool:
        """Whether there may be another connection to the same peer: a page takes none (RFC 7118 section 3)."""
        return self.transport in (TCP, TLS)

    @property
    def anew(self) -> "Flow":
        """The connection to open where this one is gone."""
        return Flow(self.host, self.home or self.port, self.transport)


def hop(uri: URI) -> tuple[str, int] | Flow:
    """Where requests to `uri` go, its host being an IP literal (RFC 3263 section 4.1, without what needs DNS)."""
    host = uri.host.strip("[]")
    transport = (uri.parameters.get("transport") or "").upper()
    if transport == TLS or uri.scheme == "sips":
        return Flow(host, uri.port or DEFAULT_PORT[TLS], TLS)
    if transport == TCP:
        return Flow(host, uri.port or DEFAULT_PORT[TCP], TCP)
    return (host, uri.port or 5060)


def is_private(source: tuple[str, int] | Flow) -> bool:
    """Whether nobody on the way reads what comes from there (RFC 4568 section 8.3): by TLS, or a proxy beside us."""
    return (isinstance(source, Flow) and source.transport in (TLS, WSS)) or ip_address(source[0]).is_loopback
