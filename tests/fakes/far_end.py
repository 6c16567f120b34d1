"""The far end of a call that we placed, on a media plane that the test ticks."""

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from random import Random

import numpy as np

from tests.fakes.house import House, house
from tests.ports import FIRST, LAST
from voice.caller import CODECS, OutgoingLine
from voice.media.codecs import Coding
from voice.net.rtp_port import RtpPorts
from voice.ports import Frame
from voice.sip_audio import SipAudio
from voice.wire.rtp import RtpPacket
from voice.wire.sdes import Srtp

HOST = "127.0.0.1"


class FarEnd:
    """`line` is our side of it. The far end speaks in the ticks for which `speaks` is true."""

    def __init__(self, home: House, speaks: Callable[[int], bool]) -> None:
        self.house = home
        self._speaks = speaks
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind((HOST, 0))
        audio = SipAudio(HOST, CODECS, Srtp.OFF, home.plane, RtpPorts(HOST, FIRST, LAST, Random()))
        audio.wire.remote = self._socket.getsockname()
        audio.leg = home.plane.add_leg(audio.wire, Coding.PCMU, 0, 101)
        audio.leg.listen(self._on_frame)
        self.line = OutgoingLine(audio)

    def came(self) -> list[RtpPacket]:
        """What we sent since the last look."""
        packets: list[RtpPacket] = []
        while True:
            try:
                packets.append(RtpPacket.parse(self._socket.recv(2_048)))
            except BlockingIOError:
                return packets

    def close(self) -> None:
        self._socket.close()

    def _on_frame(self, frame: Frame) -> None:
        speaks = self._speaks(frame.tick)
        pcm = np.full_like(frame.pcm, 1_000 if speaks else 0)
        self.line.on_frame(replace(frame, voice=0.9 if speaks else 0.0, pcm=pcm))


@asynccontextmanager
async def far_end(speaks: Callable[[int], bool] = lambda tick: False) -> AsyncIterator[FarEnd]:
    """A line that was answered; hung up at the end."""
    async with house() as home:
        laid = FarEnd(home, speaks)
        try:
            yield laid
        finally:
            laid.line.over("us")
            await home.tick(20)
            laid.close()
