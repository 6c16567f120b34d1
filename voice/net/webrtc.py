"""One browser: a peer connection that carries RTP between the network and the rings of the media plane.

aiortc is used for ICE, DTLS and SCTP, object by object (its ORTC side); its peer connection, receivers, senders,
jitter buffers, codecs and threads are never made. Incoming SRTP is decrypted in the socket's own callback and handed
on; outgoing packets are encrypted and sent in the same breath.
"""

import asyncio
import contextlib
import enum
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import pylibsrtp
from aiortc import (
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCIceCandidate,
    RTCIceParameters,
    RTCIceTransport,
    RTCSctpCapabilities,
)

from dialog.errors import PeerTimeout, ProtocolError
from dialog.events import Record
from voice.media.codecs import Coding
from voice.net.aiortc_seam import DtlsClient, IceGatherer, SctpTransport
from voice.net.ice_guard import Drop, IceGuard
from voice.net.journal_channel import JournalChannel
from voice.wire.jsep import CandidateKind, Fingerprint, IceCandidate, Identity, Offer
from voice.wire.reports import Reports, Told
from voice.wire.rtp import is_rtcp
from voice.wire.rtp_count import RtpCount
from voice.wire.sdp import Direction

CONNECT_S = 10.0
LOST_AFTER_S = 5.0
ENDED_AFTER_S = 15.0
GOODBYE_S = 2.0
"""A page that reconnects may close its old connection first: a goodbye counts when no other peer took over by then."""

_BEAT_S = 1.0
_RTP_HEADER = 12


@dataclass(frozen=True, slots=True)
class PeerConnected:
    """ICE and DTLS stand; audio flows. Time since `run` began."""

    after_ms: int


@dataclass(frozen=True, slots=True)
class PeerLost:
    """Nothing was heard for 5 s, or the browser closed its end. The peer ends 15 s after the last sign of life (2 s
    after a goodbye) unless it comes back; another peer may take over until then."""


@dataclass(frozen=True, slots=True)
class PeerRegained:
    """It is heard again."""


@dataclass(frozen=True, slots=True)
class PeerKeyed:
    """The page's keypad."""

    digits: str


@dataclass(frozen=True, slots=True)
class PeerEnded:
    """The last event, exactly once. `cause`: hung_up, lost, not_connected, cancelled, or what `close` was given."""

    cause: str


PeerEvent = PeerConnected | PeerLost | PeerRegained | PeerKeyed | PeerEnded


class PeerState(enum.StrEnum):
    """Where a peer stands; ENDED is final."""

    NEW = "new"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    LOST = "lost"
    ENDED = "ended"


class BrowserPeer:
    """One browser's connection, from offer to end. Event loop only.

    `answer` makes it; whoever owns the call gives it a sink and a ring and awaits `run` in the call's task group.
    """

    def __init__(self, guard: IceGuard, offer: Offer) -> None:
        self.state = PeerState.NEW
        self.answer_sdp = ""
        self._local = Identity("", "", ())
        self._session_id = secrets.randbelow(1 << 62)
        self._version = 1
        self.journal = JournalChannel(lambda digits: self._tell(PeerKeyed(digits)))
        self._offer = offer
        self._guard = guard
        self._loop = asyncio.get_running_loop()
        self._connection = guard.connection()
        self._gatherer = IceGatherer(self._connection)
        self._ice = RTCIceTransport(self._gatherer)
        self._dtls = DtlsClient(self._ice)
        self._sctp: SctpTransport | None = None
        clock_hz = 48_000 if offer.codec == "opus" else 8_000
        self._reports = Reports(secrets.token_hex(12), clock_hz)
        self._count = RtpCount(clock_hz)
        self._deliver: Callable[[bytes], None] | None = None
        self._report: Callable[[float | None], None] | None = None
        self._sink: Callable[[PeerEvent], None] | None = None
        self._heard_at = 0.0
        self._cause = ""
        self._stirred = asyncio.Event()
        self._over = asyncio.Event()
        self._running = False
        self._released = False

    @classmethod
    async def answer(cls, guard: IceGuard, sdp: str) -> "BrowserPeer":
        """Read an offer, open the media sockets, prepare the answer (`answer_sdp`).

        Raises ProtocolError, NoCommonCodec, and OSError when no media address can be bound.
        """
        offer = Offer.parse(sdp)
        peer = cls(guard, offer)
        try:
            await peer._gatherer.gather()
        except OSError:
            await peer.close("not_connected")
            raise
        peer._local = peer._identity()
        peer.answer_sdp = offer.answer(peer._local, peer._session_id)
        return peer

    def renew(self, sdp: str) -> str:
        """Read another offer of the page's in the call, or its answer to our last answer; what is answered to that
        (`answer_sdp`): the same to the same, another version of it where the page holds or resumes.

        Raises ProtocolError, NoCommonCodec; then all stays as it was.
        """
        offer = self._offer.renewed(sdp)
        if offer.answer(self._local, self._session_id, self._version) != self.answer_sdp:
            self._version += 1
            self.answer_sdp = offer.answer(self._local, self._session_id, self._version)
        self._offer = offer
        return self.answer_sdp

    # what the media plane needs

    @property
    def codec_name(self) -> str:
        """RTP name of the audio format: opus, PCMU or PCMA."""
        return self._offer.codec

    @property
    def payload_type(self) -> int:
        return self._offer.payload_type

    @property
    def event_payload_type(self) -> int | None:
        """Payload type of telephone-event on the audio's clock; None when the browser offers none."""
        return self._offer.event_payload_type

    @property
    def direction(self) -> Direction:
        """Which way sound flows, as we see it."""
        return self._offer.direction.mirrored

    @property
    def coding(self) -> Coding:
        """What `MediaPlane.add_leg` takes for this peer."""
        return Coding(self._offer.codec)

    def deliver_to(self, deliver: Callable[[bytes], None]) -> None:
        """Give decrypted RTP packets to `deliver`, which must return at once (`RingWire.deliver`)."""
        self._deliver = deliver

    def report_to(self, report: Callable[[float | None], None]) -> None:
        """Tell `report` of each report of the browser's which share of our packets was lost, where it says so."""
        self._report = report

    def send(self, packets: list[bytes]) -> None:
        """Encrypt and send RTP packets now (`RingWire`'s `on_send`).

        What cannot be sent, as before the connection stands, is dropped and counted.
        """
        session = self._dtls.outbound
        if session is None or self.state not in (PeerState.CONNECTED, PeerState.LOST):
            self._guard.dropped[Drop.UNSENT] += len(packets)
            return
        now = self._loop.time()
        for packet in packets:
            if self._send_protected(session.protect, packet):
                self._count.sent(packet, now)

    @property
    def told(self) -> Told:
        """What the reports of both sides came to."""
        return self._reports.told

    # what the call needs

    def listen(self, sink: Callable[[PeerEvent], None]) -> None:
        """Events go to `sink`, on the event loop; it must return at once and not raise."""
        self._sink = sink

    def tell(self, record: Record) -> None:
        """Show one record of the journal in the browser; bounded, see `JournalChannel`."""
        self.journal.send(record)

    async def run(self) -> str:
        """Connect, watch, release; returns the cause of the end. To be awaited once, in the call's task group."""
        self._running = True
        try:
            if self.state is PeerState.NEW:
                try:
                    await self._connect()
                except PeerTimeout:
                    self._end("not_connected")
            while self.state is not PeerState.ENDED:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_BEAT_S):
                        await self._stirred.wait()
                self._stirred.clear()
                self._beat()
        finally:
            self._end("cancelled")
            await self._release()
        return self._cause

    async def close(self, cause: str = "closed") -> None:
        """End the peer and wait until its sockets and tasks are gone. Idempotent."""
        self._end(cause)
        if self._running:
            await self._over.wait()
        else:
            await self._release()

    async def _connect(self) -> None:
        began = self._loop.time()
        self.state = PeerState.CONNECTING
        self._connection.on_checked = self._heard
        self._dtls.add_listener("statechange", self._stirred.set)
        remote = self._offer.remote
        digests = [RTCDtlsFingerprint(algorithm=f.algorithm, value=f.value) for f in remote.fingerprints]
        establishing = asyncio.ensure_future(self._establish(remote, RTCDtlsParameters(fingerprints=digests)))
        ending = asyncio.ensure_future(self._ended())
        try:
            await asyncio.wait((establishing, ending), timeout=CONNECT_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (establishing, ending):
                task.cancel()
            await asyncio.wait((establishing, ending))
        if self.state is PeerState.ENDED:
            return
        if establishing.cancelled() or not establishing.result():
            raise PeerTimeout("the browser did not connect")
        self.state = PeerState.CONNECTED
        self._heard()
        self._connection.on_media = self._on_srtp
        self._tell(PeerConnected(round((self._loop.time() - began) * 1000)))
        if self._offer.sctp_port is not None:
            self._sctp = SctpTransport(self._dtls)
            self._sctp.add_listener("datachannel", self.journal.attach)
            await self._sctp.start(RTCSctpCapabilities(self._offer.max_message_size), self._offer.sctp_port)

    async def _establish(self, remote: Identity, digests: RTCDtlsParameters) -> bool:
        for c in self._connection.reachable(remote.candidates):
            await self._ice.addRemoteCandidate(
                RTCIceCandidate(1, c.foundation, c.host, c.port, c.priority, "udp", c.kind)
            )
        await self._ice.start(RTCIceParameters(usernameFragment=remote.user, password=remote.password))
        if self._ice.state != "completed":
            return False
        await self._dtls.start(digests)
        return bool(self._dtls.state == "connected")

    async def _ended(self) -> None:
        while self.state is not PeerState.ENDED:
            await self._stirred.wait()
            self._stirred.clear()

    def _beat(self) -> None:
        """Once a second, and whenever something changed: who is still there, and a report to them."""
        if self.state is PeerState.ENDED:
            return
        now = self._loop.time()
        silent_s = now - self._heard_at
        closed = self._dtls.state != "connected"
        goodbye = closed and self._dtls.said_goodbye
        if silent_s > (GOODBYE_S if goodbye else ENDED_AFTER_S):
            self._end("hung_up" if goodbye else "lost")
            return
        if self.state is PeerState.CONNECTED and (closed or silent_s > LOST_AFTER_S):
            self.state = PeerState.LOST
            self._tell(PeerLost())
        elif self.state is PeerState.LOST and not closed and silent_s <= LOST_AFTER_S:
            self.state = PeerState.CONNECTED
            self._tell(PeerRegained())
        if not closed:
            self._send_rtcp(self._reports.report(now, self._count.sending(now), self._count.reception))

    def _on_srtp(self, data: bytes) -> None:
        session = self._dtls.inbound
        assert session is not None  # media is taken from when the connection stands
        try:
            if is_rtcp(data):
                self._on_rtcp(session.unprotect_rtcp(data))
                return
            packet = session.unprotect(data)
        except pylibsrtp.Error:
            self._guard.dropped[Drop.BAD_SRTP] += 1
            return
        if len(packet) < _RTP_HEADER:
            self._guard.dropped[Drop.BAD_SRTP] += 1
            return
        self._heard()
        self._count.received(packet, self._heard_at)
        if self._deliver is not None:
            self._deliver(packet)

    def _on_rtcp(self, compound: bytes) -> None:
        self._heard()
        with contextlib.suppress(ProtocolError):  # it is genuine, and of a kind that tells us nothing
            lost = self._reports.receive(compound, self._heard_at, self._count.sent_packets)
            if self._report is not None:
                self._report(lost)

    def _send_rtcp(self, compound: bytes | None) -> None:
        session = self._dtls.outbound
        if compound is not None and session is not None:
            self._send_protected(session.protect_rtcp, compound)

    def _send_protected(self, protect: Callable[[bytes], bytes], packet: bytes) -> bool:
        """Whether `packet` left; one that did not is counted."""
        try:
            sent = self._connection.send_now(protect(packet))
        except (pylibsrtp.Error, TypeError):
            sent = False
        if not sent:
            self._guard.dropped[Drop.UNSENT] += 1
        return sent

    def _heard(self) -> None:
        self._heard_at = self._loop.time()

    def _identity(self) -> Identity:
        parameters = self._gatherer.getLocalParameters()
        digests = self._dtls.getLocalParameters().fingerprints
        return Identity(
            user=parameters.usernameFragment or "",
            password=parameters.password or "",
            fingerprints=tuple(Fingerprint(d.algorithm, d.value) for d in digests if d.algorithm == "sha-256"),
            candidates=tuple(
                IceCandidate(c.foundation, c.priority, c.host, c.port, cast(CandidateKind, c.type))
                for c in self._connection.local_candidates
            ),
        )

    def _tell(self, event: PeerEvent) -> None:
        if self._sink is not None:
            self._sink(event)

    def _end(self, cause: str) -> None:
        if self.state is PeerState.ENDED:
            return
        if self.state in (PeerState.CONNECTED, PeerState.LOST):
            self._send_rtcp(self._reports.farewell(self._count.sending(self._loop.time())))
        self.state = PeerState.ENDED
        self._cause = cause
        self._stirred.set()
        self._tell(PeerEnded(cause))

    async def _release(self) -> None:
        """Stop what aiortc started, from the top down, and wait for it."""
        if self._released:
            await self._over.wait()
            return
        self._released = True
        self._connection.on_media = self._connection.on_checked = None
        self._sink = self._deliver = None
        if self._sctp is not None:
            await self._sctp.stop()
        await self._dtls.stop()
        await self._ice.stop()
        self._over.set()
