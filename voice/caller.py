"""The other end of the line: places SIP calls, speaks, keys, and keeps what it heard.

`centralino call` is made of it, and so are the benches and the tests: a real caller with a real jitter buffer.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from random import SystemRandom
from typing import Self
from urllib.parse import quote

import numpy as np

from voice.dialling import Dialling, PlacedCall
from voice.machines import Machine
from voice.media.plane import MediaPlane
from voice.net.rtp_port import RtpPorts
from voice.net.sip_agent import SipAgent
from voice.net.sip_streams import StreamSettings
from voice.ports import RATE_HZ, TICK_MS, Frame, Pcm
from voice.sip_audio import SipAudio
from voice.tasks import sole_error
from voice.wire.sdes import Srtp
from voice.wire.sdp import Codec
from voice.wire.sip.auth import Login
from voice.wire.sip.dialog import bracketed, is_ip
from voice.wire.sip.events import SipEvent
from voice.wire.sip.grammar import WireURI

BLOCK = RATE_HZ
"""Samples enqueued at once: a recording longer than the playout queue is fed as it empties."""

VOICED = 0.5
"""Probability from which a frame counts as speech of the far end."""

FIRST_PORT, LAST_PORT = 30_000, 39_998
"""RTP ports of a caller: beyond those a node takes by default."""

CODECS = (Codec.PCMU, Codec.PCMA)
"""What a caller speaks: what every line does."""

LONGEST_MS = 3_600_000
"""What was heard is kept up to an hour."""


class OutgoingLine(PlacedCall):
    """A call whose sound is kept; `machines` are those that it gave away, and when. Times are ms of its audio clock,
    which starts with the answer."""

    def __init__(self, audio: SipAudio) -> None:
        super().__init__(audio)
        self.heard: list[Pcm] = []
        self.voice: list[float] = []
        self._ticks = 0
        self._ticked = asyncio.Event()
        self._playback = 0
        self._done: set[int] = set()
        self.machines: list[tuple[int, Machine]] = []
        self.on_machine = lambda machine: self.machines.append((self.now_ms, machine))

    @property
    def now_ms(self) -> int:
        return self._ticks * TICK_MS

    def listen(self) -> Self:
        """Begin to hear: the call is answered."""
        assert self.leg is not None, "listen() comes after the answer"
        self.leg.listen(self.on_frame)
        return self

    def on_frame(self, frame: Frame) -> None:
        """One tick of the leg."""
        self._ticks += 1
        if self.now_ms <= LONGEST_MS:
            self.heard.append(frame.pcm)
            self.voice.append(frame.voice)
        self._done.update(played.playback for played in frame.played if played.done)
        self._ticked.set()

    def over(self, cause: str) -> None:
        super().over(cause)
        self._ticked.set()

    async def say(self, pcm: Pcm) -> None:
        """Speak, and return when the last sample has left or the call is over."""
        assert self.leg is not None, "say() comes after the answer"
        self._playback += 1
        playback = self._playback
        for start in range(0, pcm.size, BLOCK):
            block = pcm[start : start + BLOCK]
            while not self.leg.play(playback, block, last=start + BLOCK >= pcm.size) and not self.ended.done():
                await self.wait(TICK_MS)
        await self._until(lambda: playback in self._done)

    async def press(self, digits: str) -> None:
        """Key `digits` (RFC 4733), and return when they have left."""
        assert self.leg is not None, "press() comes after the answer"
        self.leg.send_keys(digits)
        started_ms = self.now_ms
        await self._until(lambda: self.now_ms - started_ms >= 160 * len(digits))

    async def until_quiet(self, quiet_ms: int = 900, limit_ms: int = 30_000) -> None:
        """Wait until the far end has spoken since now and then been silent for `quiet_ms`; at most `limit_ms`."""
        first, until_ms = len(self.voice), self.now_ms + limit_ms
        quiet = quiet_ms // TICK_MS

        def holds() -> bool:
            spoke = any(voice >= VOICED for voice in self.voice[first:])
            return (spoke and all(voice < VOICED for voice in self.voice[-quiet:])) or self.now_ms >= until_ms

        await self._until(holds)

    async def wait(self, duration_ms: int) -> None:
        """Let the audio clock run."""
        until_ms = self.now_ms + duration_ms
        await self._until(lambda: self.now_ms >= until_ms)

    def heard_between(self, start_ms: int, end_ms: int | None = None) -> Pcm:
        """What was heard in that time, as one array."""
        pieces = self.heard[start_ms // TICK_MS : None if end_ms is None else end_ms // TICK_MS]
        return np.concatenate(pieces) if pieces else np.zeros(0, np.int16)

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not self.ended.done() and not holds():
            self._ticked.clear()
            await self._ticked.wait()


class Caller:
    """Places calls from `host`. Use `open_caller`."""

    def __init__(
        self, host: str, plane: MediaPlane, ports: RtpPorts, advertised: str = "", streams: StreamSettings | None = None
    ) -> None:
        self.plane = plane
        self.ports = ports
        self.agent = SipAgent(self, lambda _address: True, advertised=advertised, streams=streams)
        self.dialling = Dialling(self.agent)
        self._host = advertised or host

    async def on_event(self, event: SipEvent) -> None:
        """One event of the SIP agent."""
        self.dialling.on_event(event)

    async def dial(
        self, uri: str, limit_s: float = 30.0, login: Login | None = None, *, srtp: bool = False
    ) -> OutgoingLine:
        """Call `uri` and wait for the answer; a call that comes to nothing is hung up. `login` answers a challenge;
        `srtp`: encrypted, or not at all.

        Raises CallRefused, PeerTimeout, NoCommonCodec, NotEncrypted, ProtocolError, OSError.
        """
        line = OutgoingLine(SipAudio(self._host, CODECS, Srtp.DEMANDED if srtp else Srtp.OFF, self.plane, self.ports))
        user = quote(login.name if login else "centralino")
        await self.dialling.place(line, uri, f"sip:{user}@{bracketed(self._host)}:{self.agent.port}", limit_s, login)
        return line.listen()


async def facing(uri: str) -> str:
    """The address of ours from which the host of `uri` is reached; nothing is sent to find it out.

    Raises ProtocolError, OSError.
    """
    host = WireURI.parse(uri).host.strip("[]")
    family = socket.AF_UNSPEC if is_ip(host) else socket.AF_INET
    found = await asyncio.get_running_loop().getaddrinfo(host, 5060, family=family, type=socket.SOCK_DGRAM)
    with socket.socket(found[0][0], socket.SOCK_DGRAM) as probe:
        probe.connect(found[0][4])
        address: str = probe.getsockname()[0]
    return address


@asynccontextmanager
async def open_caller(
    host: str = "127.0.0.1",
    ports: RtpPorts | None = None,
    advertised: str = "",
    streams: StreamSettings | None = None,
) -> AsyncIterator[Caller]:
    """A caller with a media plane and a SIP port of its own; calls still up are hung up at the end."""
    plane = MediaPlane(asyncio.get_running_loop(), allowance_ms=0, levels=False)
    ports = ports or RtpPorts(host, FIRST_PORT, LAST_PORT, SystemRandom())
    caller = Caller(host, plane, ports, advertised, streams)
    plane.start()
    try:
        with sole_error():
            async with asyncio.TaskGroup() as tasks:
                await caller.agent.start(host, 0, tasks)
                try:
                    yield caller
                finally:
                    await caller.agent.close()
    finally:
        await plane.close()
