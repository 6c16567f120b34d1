"""UDP ports for RTP: an even port of the configured range for each leg, RTCP's after it, and the wire on them."""

import contextlib
import errno
import socket
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from random import Random

from dialog.errors import ConfigurationError, Overloaded, ProtocolError
from voice.media.wires import Address, Sealing
from voice.net.rtcp_port import RtcpPort
from voice.wire.negotiation import Negotiated
from voice.wire.srtp import SecureStream, secured

MAX_TRIES = 256
"""Ports tried before the range is called full."""


def media_address(host: str, port: int) -> Address | None:
    """An address as SDP gives it; None for "nowhere" (port 0, RFC 3264 section 5.1; 0.0.0.0, section 8.4).

    Raises ProtocolError unless `host` is an IP literal and `port` a port.
    """
    if not 0 <= port <= 65535:
        raise ProtocolError(f"media port {port}")
    try:
        address = ip_address(host)
    except ValueError:
        raise ProtocolError("media address is not an IP literal") from None
    return None if port == 0 or address.is_unspecified else (str(address), port)


class UdpWire:
    """A non-blocking UDP socket as a wire, which the engine reads and writes; on the event loop is what it leaves.

    With keys agreed on, only what is genuine is given out: nobody latches on to, or keeps, a leg without them.
    """

    def __init__(self, sock: socket.socket, remote: Address | None, control: RtcpPort) -> None:
        self.remote = remote
        self.arrived: Callable[[], None] | None = None
        self.control = control
        self.port: int = sock.getsockname()[1]
        self.socket = sock
        self._secure: SecureStream | None = None

    @property
    def file(self) -> int | None:
        return self.socket.fileno()

    @property
    def sealing(self) -> Sealing:
        return Sealing() if self._secure is None else Sealing(*self._secure.sessions, self._secure)

    @property
    def losses(self) -> Mapping[str, int]:
        return {"rtcp": self.control.refused}

    def agree(self, agreed: Negotiated) -> None:
        """What offer and answer came to: whose reports are believed, and the keys, which may be others than before.
        Raises ProtocolError when an address is none."""
        control = media_address(agreed.remote_rtcp_addr, agreed.remote_rtcp_port)
        clock_hz = agreed.codec.clock_hz
        self.control.declare(control, muxed=agreed.rtcp_mux, keys=agreed.keys, clock_hz=clock_hz)
        self._secure = secured(agreed.keys, self._secure)

    def receive(self) -> list[tuple[bytes, Address]]:
        """The engine reads the socket itself."""
        return []

    def send(self, packet: bytes, remote: Address) -> None:
        """The engine writes to the socket itself."""

    def set_aside(self, data: bytes, source: Address) -> None:
        self.control.receive(data)

    def send_aside(self, packet: bytes, remote: Address) -> None:
        with contextlib.suppress(OSError):  # no route, buffer full: the next report tells it all again
            self.socket.sendto(packet, remote)

    def flush(self) -> None:
        """Nothing waits here."""

    def close(self) -> None:
        self.socket.close()
        self.control.abandon()


class RtpPorts:
    """Even ports of `first`..`last` on `host` (an IP literal), each with the odd one after it (RFC 3550 section 11).
    `chance` decides where the search begins, so that a port is not given out again while stragglers of its last call
    are under way."""

    def __init__(
        self,
        host: str,
        first: int,
        last: int,
        chance: Random,
        wire: Callable[[socket.socket, Address | None, RtcpPort], UdpWire] = UdpWire,
    ) -> None:
        """`wire` makes the wire of a socket; a bench gives one that keeps the time of its packets."""
        self._wire = wire
        self._family = socket.AF_INET6 if ip_address(host).version == 6 else socket.AF_INET
        self._host = host
        self._ports = range(first + first % 2, last, 2)
        self._chance = chance
        if not self._ports:
            raise ConfigurationError(f"RTP ports {first}-{last} hold no even port with the next one: widen the range")

    def open(self, remote: Address | None) -> UdpWire:
        """A wire on a free port. Raises Overloaded when none was found, ConfigurationError for a wrong address."""
        for port in self._chance.sample(self._ports, min(MAX_TRIES, len(self._ports))):
            rtp = self._bind(port)
            if rtp is None:
                continue
            rtcp = self._bind(port + 1)
            if rtcp is None:
                rtp.close()
                continue
            return self._wire(rtp, remote, RtcpPort(rtcp, self._chance))
        raise Overloaded(f"no free RTP port among {self._ports[0]}-{self._ports[-1]}")

    def _bind(self, port: int) -> socket.socket | None:
        sock = socket.socket(self._family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            sock.bind((self._host, port))
        except OSError as error:
            sock.close()
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise ConfigurationError(f"RTP address {self._host}: {error.strerror}") from error
            return None
        return sock
