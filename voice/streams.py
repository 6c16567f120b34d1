"""Calls whose audio other platforms stream to us: a leg for each stream, and whoever hangs up first."""

import asyncio
from collections import Counter
from typing import Protocol

import structlog

from dialog.errors import CentralinoError, NotFound, Overloaded
from dialog.events import BargedIn, Record
from voice.browser import KEYS_AT_ONCE, KEYS_PER_MINUTE
from voice.call import Call
from voice.calls import Calls
from voice.config import Settings
from voice.line_test import BUSY
from voice.media.codecs import Coding
from voice.media.leg import MediaLeg
from voice.media.plane import MediaPlane
from voice.media.wires import RingWire
from voice.rate import RateLimit
from voice.wire.streams.packets import EVENT_PAYLOAD_TYPE, PAYLOAD_TYPE, Depacketizer, Packetizer
from voice.wire.streams.stream import (
    AudioFormat,
    AudioReceived,
    HoldReceived,
    KeysReceived,
    MediaStream,
    Message,
    StreamEnded,
    StreamEvent,
    StreamStarted,
)

START_S = 10.0
"""How long a connection may say nothing of a call."""

LINGER_S = 5.0
"""How long a call that is over waits for the platform to play what it holds, and to say that it knows."""

log = structlog.get_logger("streams")


class Outlet(Protocol):
    """The connection of a stream. Both return at once."""

    def send(self, messages: list[Message]) -> None:
        """Send in order. Bounded: a peer that does not read is cut."""
        ...

    def close(self) -> None:
        """Close, once everything is sent; `StreamLine.gone` follows. Idempotent."""
        ...


class StreamLine:
    """One stream, from its connection to the end of its call. Made by `StreamCalls.open`."""

    def __init__(self, owner: "StreamCalls", stream: MediaStream, address: str, outlet: Outlet) -> None:
        self.address = address
        self.stream = stream
        self.call: Call | None = None
        self._owner = owner
        self._outlet = outlet
        self._leg: MediaLeg | None = None
        self._wire = RingWire(self._speak)
        self._packets: Packetizer | None = None
        self._frames: Depacketizer | None = None
        self._timer = asyncio.get_running_loop().call_later(START_S, outlet.close)
        self._gone = False

    def receive(self, message: Message) -> None:
        """One message of the platform; what is wrong with it, or with us, ends the stream."""
        try:
            for event in self.stream.receive(message):
                self._take(event)
        except CentralinoError as error:
            self._owner.refused[error.code] += 1
            log.info("stream refused", platform=self.stream.NAME, code=error.code, reason=str(error))
            self._end("refused")
            self._outlet.close()
        self._flush()

    def gone(self, *, orderly: bool) -> None:
        """The connection is over. Closed in order, that is how some platforms tell that the caller hung up; otherwise
        the call is lost."""
        self._gone = True
        self._timer.cancel()
        self._end("caller" if orderly else "lost")

    def clear(self) -> None:
        """What the platform holds is void."""
        self.stream.clear()
        self._flush()

    def hang_up(self) -> None:
        """The call is over, whoever ended it."""
        if self._gone:
            return
        if not self.stream.over:
            self.stream.hang_up()
        self._timer = asyncio.get_running_loop().call_later(LINGER_S, self._outlet.close)
        self._flush()

    def _take(self, event: StreamEvent) -> None:
        match event:
            case StreamStarted():
                self._begin(event)
            case AudioReceived(payload) if self._packets is not None:
                for packet in self._packets.push(payload):
                    self._wire.deliver(packet)
            case KeysReceived(digits) if self.call is not None:
                self.call.press("".join(digit for digit in digits if self._owner.may_press(self)))
            case HoldReceived(on) if self._leg is not None:
                self._leg.set_direction(send=not on, receive=not on)
            case StreamEnded():
                self._end("caller")
            case _:
                pass

    def _begin(self, started: StreamStarted) -> None:
        self._timer.cancel()
        audio = started.format
        self._packets, self._frames = Packetizer(audio), Depacketizer(audio)
        self._leg, self.call = self._owner.begin(self, self._wire, started)

    def _speak(self, packets: list[bytes]) -> None:
        assert self._frames is not None, "a wire without a leg sends nothing"
        for packet in packets:
            if frame := self._frames.frame(packet):
                self.stream.play(frame)
        self._flush()

    def _flush(self) -> None:
        if messages := self.stream.to_send():
            self._outlet.send(messages)
        if self.stream.over:
            self._outlet.close()

    def _end(self, cause: str) -> None:
        if self.call is not None:
            self.call.end(cause)
        else:
            self._owner.forget(self)


class StreamCalls:
    """Makes calls of streams; a listener of every journal, because a bot that falls silent has to fall silent at the
    platform, too."""

    def __init__(self, settings: Settings, calls: Calls, plane: MediaPlane) -> None:
        self._settings = settings
        self._calls = calls
        self._plane = plane
        self._keys = RateLimit(KEYS_PER_MINUTE, burst=KEYS_AT_ONCE)
        self._coming: set[StreamLine] = set()
        self._by_call: dict[str, StreamLine] = {}
        self.refused: Counter[str] = Counter()
        calls.expect(lambda: [line.address for line in self._coming])

    def __call__(self, record: Record) -> None:
        """One record of any journal."""
        if isinstance(record.event, BargedIn) and record.call_id in self._by_call:
            self._by_call[record.call_id].clear()

    def open(self, stream: MediaStream, address: str, outlet: Outlet) -> StreamLine:
        """Take a connection that may become a call. Raises Overloaded."""
        self._calls.admit(address)
        line = StreamLine(self, stream, address, outlet)
        self._coming.add(line)
        return line

    def begin(self, line: StreamLine, wire: RingWire, started: StreamStarted) -> tuple[MediaLeg, Call]:
        """The call of a stream that has started. Raises NotFound, Overloaded."""
        platform = line.stream.NAME
        dialled = started.dialled or platform
        bot = self._settings.bot_for(dialled)
        if not bot:
            raise NotFound("bots names neither the number dialled nor '*'")
        if bot == BUSY:
            raise Overloaded("this number is always busy")
        leg = self._plane.add_leg(wire, _coding(started.format), PAYLOAD_TYPE, EVENT_PAYLOAD_TYPE)
        call = self._calls.start(
            leg,
            transport="stream",
            caller=started.caller or platform,
            dialled=dialled,
            bot=bot,
            codec=str(started.format),
            ended=lambda _cause: self._ended(call.call_id),
        )
        self._coming.discard(line)
        self._by_call[call.call_id] = line
        log.info("stream started", call_id=call.call_id, platform=platform, stream_id=started.stream_id)
        return leg, call

    def forget(self, line: StreamLine) -> None:
        """No call came of it."""
        self._coming.discard(line)

    def may_press(self, line: StreamLine) -> bool:
        """Whether one key more is as fast as a hand."""
        assert line.call is not None, "keys are for calls"
        return self._keys.allow(line.call.call_id, asyncio.get_running_loop().time())

    def _ended(self, call_id: str) -> None:
        self._by_call.pop(call_id).hang_up()


def _coding(audio: AudioFormat) -> Coding:
    if audio.encoding == "L16":
        return Coding(f"L16/{audio.rate_hz}")
    return Coding(audio.encoding)
