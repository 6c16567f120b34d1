"""UDP ports for RTP: an even port of the configured range for each leg, RTCP's after it, and the wire on them."""

import errno
import socket
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_address
from random import Random

from dialog.errors import ConfigurationError, Overloaded, ProtocolError
from voice.media.wires import Address
from voice.net.rtcp_port import RtcpPort
from voice.wire.negotiation import Negotiated
from voice.wire.rtp import MAX_PACKET, is_rtcp
from voice.wire.srtp import SecureStream, secured

MAX_TRIES = 256
"""Ports tried before the range is called full."""
MAX_PER_TICK = 16
"""Packets taken in one tick from the far end (a burst of 320 ms), and as many from anyone else.

What is beyond is read, dropped and counted: a flood from elsewhere does not push the far end's packets out.
"""
MAX_DRAINED = 512
"""Packets read off the socket in one tick at most; the kernel drops the rest itself."""
MAX_ASIDE = 4
"""RTCP datagrams among RTP that may wait for the event loop; the oldest goes first. A far end sends one in seconds."""


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
    """A non-blocking UDP socket as a wire. `excess` counts packets beyond a tick's share, `unsent` those refused
    by the kernel (no route, buffer full), `unread` the times it gave an error instead of a packet, `rtcp` the
    datagrams that were RTCP of strangers, or none at all, `forged` those that are not of the far end's key.

    With keys agreed on, only what is genuine is given out: nobody latches on to, or keeps, a leg without them.
    """

    def __init__(self, sock: socket.socket, remote: Address | None, control: RtcpPort) -> None:
        self.remote = remote
        self.control = control
        self.port: int = sock.getsockname()[1]
        self.excess = 0
        self.unsent = 0
        self.unread = 0
        self.forged = 0
        self.socket = sock
        self._secure: SecureStream | None = None
        self._strange = 0
        self._aside: deque[bytes] = deque(maxlen=MAX_ASIDE)

    @property
    def losses(self) -> Mapping[str, int]:
        rtcp = self._strange + self.control.refused
        return {
            "excess": self.excess,
            "unsent": self.unsent,
            "unread": self.unread,
            "rtcp": rtcp,
            "forged": self.forged,
        }

    def agree(self, agreed: Negotiated) -> None:
        """What offer and answer came to: whose reports are believed, and the keys, which may be others than before.
        Event loop. Raises ProtocolError when an address is none."""
        control = media_address(agreed.remote_rtcp_addr, agreed.remote_rtcp_port)
        clock_hz = agreed.codec.clock_hz
        self.control.declare(control, muxed=agreed.rtcp_mux, keys=agreed.keys, clock_hz=clock_hz)
        self._secure = secured(agreed.keys, self._secure)

    def receive(self) -> list[tuple[bytes, Address]]:
        packets: list[tuple[bytes, Address]] = []
        expected = others = 0
        try:
            for _ in range(MAX_DRAINED):
                data, name = self.socket.recvfrom(MAX_PACKET + 1)
                source = (name[0], name[1])
                if source == self.remote:
                    expected += 1
                else:
                    others += 1
                if (expected if source == self.remote else others) <= MAX_PER_TICK:
                    packets.append((data, source))
                else:
                    self.excess += 1
        except BlockingIOError:
            pass  # nothing is left
        except OSError:
            self.unread += 1
        return packets if self._secure is None else list(self._opened(packets, self._secure))

    def _opened(self, packets: list[tuple[bytes, Address]], secure: SecureStream) -> Iterator[tuple[bytes, Address]]:
        """RTCP has its own keys, and is opened where they are."""
        for data, source in packets:
            if is_rtcp(data):
                self.set_aside(data, source)
            elif (opened := secure.open(data)) is not None:
                yield opened, source
            else:
                self.forged += 1

    def send(self, packet: bytes) -> None:
        if self.remote is None:
            return
        if self._secure is not None and not is_rtcp(packet):
            sealed = self._secure.seal(packet)
            if sealed is None:
                self.unsent += 1
                return
            packet = sealed
        try:
            self.socket.sendto(packet, self.remote)
        except OSError:
            self.unsent += 1

    def set_aside(self, data: bytes, source: Address) -> None:
        if source == self.remote:
            self._aside.append(data)
        else:
            self._strange += 1

    def flush(self) -> None:
        """RTCP that came among RTP."""
        while self._aside:
            self.control.receive(self._aside.popleft())

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
