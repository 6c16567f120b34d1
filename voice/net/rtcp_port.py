"""RTCP of one SIP leg: on the port after RTP's, or among RTP where both sides agreed on it (RFC 3550, RFC 5761).

It lives on the event loop and takes nothing from the tick but its counts: a report every few seconds, and what comes is
read as it comes, so many datagrams a report at most. Among RTP it waits for the tick first, for up to 20 ms, which
count as round trip.
"""

import asyncio
import contextlib
import socket
from random import Random

from dialog.errors import ProtocolError
from voice.media.leg import MediaLeg
from voice.media.wires import Address
from voice.wire.reports import Reports, Told, interval_s
from voice.wire.rtcp import MAX_COMPOUND, parse_compound
from voice.wire.sdes import Keys
from voice.wire.srtp import SecureStream, secured

NARROW_CLOCK_HZ = 8_000
"""Of the audio that most SIP legs speak."""
MAX_READ = 16
"""Datagrams read between two reports; after that the port is deaf until the next one."""
RECEIVE_BYTES = 4_096
"""What the kernel may hold of a deaf port: a few datagrams, which are thrown away."""


class RtcpPort:
    """One leg's RTCP. `refused` counts the datagrams that were no RTCP, of strangers, forged, or too many.

    Believed is the address that SDP named. Behind NAT reports come from elsewhere: then from RTP's own host, and only
    once one carries the SSRC of the stream that the leg hears, which whoever does not see the stream cannot know.
    """

    def __init__(self, sock: socket.socket, chance: Random) -> None:
        """`sock` is bound and non-blocking, and from now on this port's."""
        self.refused = 0
        self._socket = sock
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
        self._chance = chance
        self._reports = Reports(f"{chance.getrandbits(96):024x}", NARROW_CLOCK_HZ)
        self._declared: Address | None = None
        self._latched: Address | None = None
        self._muxed = False
        self._secure: SecureStream | None = None
        self._leg: MediaLeg | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._left = 0

    @property
    def told(self) -> Told:
        return self._reports.told

    @property
    def remote(self) -> Address | None:
        """Where reports go to, unless they go among RTP."""
        return self._latched or self._declared

    def declare(
        self, remote: Address | None, *, muxed: bool, keys: Keys | None = None, clock_hz: int = NARROW_CLOCK_HZ
    ) -> None:
        """A new offer or answer: an address that changed opens the latch, the same one leaves it as it is. With `keys`
        reports are SRTCP. `clock_hz` is the audio's."""
        self._muxed = muxed
        self._reports.clock_hz = clock_hz
        self._secure = secured(keys, self._secure, rtcp=True)
        if remote != self._declared:
            self._declared, self._latched = remote, None

    def begin(self, leg: MediaLeg) -> None:
        """Report of `leg`, and close with it."""
        self._leg = leg
        leg.attach(self)
        self._listen()
        self._wait(first=True)

    def close(self) -> None:
        """Say goodbye and free the port. Idempotent."""
        if self._timer is not None and self._leg is not None:
            self._timer.cancel()
            self._timer = None
            self._send(self._reports.farewell(self._leg.sending))
            asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    def abandon(self) -> None:
        """The wire is closed. A port that has begun is its leg's to close, on the event loop. Any thread."""
        if self._leg is None:
            self._socket.close()

    def receive(self, data: bytes) -> None:
        """RTCP of the far end, as it came among RTP: it has RTP's own source."""
        opened = self._opened(data)
        if opened is None:
            self.refused += 1
        else:
            self._read_reports(opened)

    def _opened(self, data: bytes) -> bytes | None:
        return data if self._secure is None else self._secure.open(data)

    def _read_reports(self, data: bytes) -> None:
        if self._timer is None or self._leg is None:
            return
        try:
            lost = self._reports.receive(data, asyncio.get_running_loop().time(), self._leg.sending.packets)
        except ProtocolError:
            self.refused += 1
            return
        self._leg.take_report(lost)

    def _admits(self, data: bytes, source: Address) -> bool:
        if source in (self._declared, self._latched):
            return True
        remote = None if self._leg is None else self._leg.remote
        if self._leg is None or remote is None or source[0] != remote[0]:
            return False
        reception = self._leg.reception
        try:
            genuine = reception is not None and parse_compound(data)[0].ssrc == reception.ssrc
        except ProtocolError:
            return False
        if genuine:
            self._latched = source
        return genuine

    def _beat(self) -> None:
        assert self._leg is not None, "begin() sets the timer"
        self._send(self._reports.report(asyncio.get_running_loop().time(), self._leg.sending, self._leg.reception))
        if not self._left:
            self._discard()
        self._listen()
        self._wait(first=False)

    def _wait(self, *, first: bool) -> None:
        self._timer = asyncio.get_running_loop().call_later(interval_s(self._chance.random(), first=first), self._beat)

    def _send(self, compound: bytes | None) -> None:
        if compound is not None and self._secure is not None:
            compound = self._secure.seal(compound)
        if compound is None or self._leg is None:
            return
        if self._muxed:
            self._leg.send_aside(compound)
        elif self.remote is not None:
            with contextlib.suppress(OSError):  # no route, buffer full: the next report tells it all again
                self._socket.sendto(compound, self.remote)

    def _listen(self) -> None:
        self._left = MAX_READ
        asyncio.get_running_loop().add_reader(self._socket, self._read)

    def _read(self) -> None:
        if not self._left:
            asyncio.get_running_loop().remove_reader(self._socket)
            return
        self._left -= 1
        received = self._take()
        if received is None:
            return
        data, source = received
        opened = self._opened(data)
        if opened is not None and self._admits(opened, source):
            self._read_reports(opened)
        else:
            self.refused += 1

    def _discard(self) -> None:
        """What a deaf port holds came at no known time: it would only spoil the round trip."""
        for _ in range(MAX_READ):
            if self._take() is None:
                return
            self.refused += 1

    def _take(self) -> tuple[bytes, Address] | None:
        try:
            data, name = self._socket.recvfrom(MAX_COMPOUND + 1)
        except OSError:
            return None
        return data, (name[0], name[1])
