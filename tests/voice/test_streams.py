"""Calls by streams: the platform's messages are the test's, and so are the ticks."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import numpy as np
import pytest

from dialog.actions import Collect, Expect, Hangup, Reply, Say
from dialog.errors import Overloaded
from dialog.events import (
    BargedIn,
    CallAnswered,
    CallEnded,
    CallStarted,
    KeysPressed,
)
from dsp.g711 import MU_LAW, decode_block, encode_block
from dsp.tones import dtmf_tone
from tests.fakes.bot import FakeBot, ask
from tests.fakes.browser_call import until
from tests.fakes.house import House, house
from tests.voice.media.ticks import frequency, tone
from tests.voice.wire.streams.frames import TWILIO_STOP, genesys, genesys_open, twilio, twilio_start
from voice import streams
from voice.browser import KEYS_AT_ONCE
from voice.config import Settings
from voice.media.wires import RingWire
from voice.ports import TICK_MS
from voice.settings.sections import LimitSettings
from voice.streams import StreamCalls, StreamLine
from voice.wire.streams.audiosocket import FORMAT, AudioSocketStream, Kind, packed
from voice.wire.streams.genesys import GenesysStream
from voice.wire.streams.packets import Depacketizer
from voice.wire.streams.stream import MediaStream, Message, Opening, StreamStarted
from voice.wire.streams.twilio import TwilioStream

HERE = "192.0.2.1"
HELLO = packed(Kind.UUID, UUID(int=1).bytes)
PCMU_TONE = [
    twilio("media", media={"payload": base64.b64encode(encode_block(piece, MU_LAW).tobytes()).decode()})
    for piece in np.ascontiguousarray(tone(1_000)[::2]).reshape(-1, 160)
]


class FakeOutlet:
    """A connection that keeps what it is given."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.closed = False

    def send(self, messages: list[Message]) -> None:
        if not self.closed:
            self.sent += messages

    def close(self) -> None:
        self.closed = True

    @property
    def octets(self) -> list[bytes]:
        """What was sent in binary."""
        return [message for message in self.sent if isinstance(message, bytes)]

    @property
    def said(self) -> list[dict[str, dict[str, str]]]:
        """What was sent in text."""
        return [json.loads(message) for message in self.sent]

    def events(self) -> list[object]:
        return [message["event"] for message in self.said]


class Platform:
    """Streams, and the platform that opens them."""

    def __init__(self, home: House, settings: Settings) -> None:
        self.house = home
        self.calls = StreamCalls(settings, home.calls, home.plane)
        home.listen(self.calls)

    def connect(self, stream: MediaStream | None = None) -> tuple[StreamLine, FakeOutlet]:
        outlet = FakeOutlet()
        return self.calls.open(stream or TwilioStream(Opening()), HERE, outlet), outlet

    async def call(self, **parameters: str) -> tuple[StreamLine, FakeOutlet]:
        """One of Twilio's, begun."""
        line, outlet = self.connect()
        line.receive(twilio_start(**parameters))
        await self.house.tick(TICK_MS)
        return line, outlet

    async def over(self) -> str:
        await until(lambda: self.house.calls.live == 0)
        (ended,) = self.house.told(CallEnded)
        return ended.cause


@asynccontextmanager
async def platform(
    bot: FakeBot | None = None, *, bots: dict[str, str] | None = None, rows: int = 8, calls: int = 32
) -> AsyncIterator[Platform]:
    settings = Settings.model_validate({"bots": bots or {"*": "helpdesk"}})
    async with house(bot, rows=rows, limits=LimitSettings(calls=calls)) as home:
        yield Platform(home, settings)


async def test_a_stream_is_a_call_once_it_has_begun() -> None:
    async with platform(calls=1) as it:
        line, outlet = it.connect()
        await it.house.tick(100)
        assert it.house.calls.obstacle() == "full", "its place is kept"
        assert it.house.told(CallStarted) == []
        line.receive(twilio_start(caller="+15550100", dialled="100"))
        await it.house.tick(100)
        (started,) = it.house.told(CallStarted)
        assert (started.transport, started.caller, started.dialled) == ("stream", "+15550100", "100")
        assert it.house.told(CallAnswered) == [CallAnswered(codec="PCMU")]
        assert set(outlet.events()) == {"media"}


async def test_the_platform_is_dialled_where_no_number_is() -> None:
    async with platform(bots={"twilio": "echo"}) as it:
        await it.call()
        (started,) = it.house.told(CallStarted)
        assert (started.caller, started.dialled, started.bot) == ("twilio", "twilio", "echo")


async def test_the_echo_by_twilio() -> None:
    async with platform(bots={"*": "echo"}) as it:
        line, outlet = await it.call()
        for message in PCMU_TONE:
            line.receive(message)
            await it.house.tick(TICK_MS)
        payloads = [base64.b64decode(message["media"]["payload"]) for message in outlet.said]
        assert {len(payload) for payload in payloads} == {160}
        heard = decode_block(np.frombuffer(b"".join(payloads[-25:]), np.uint8), MU_LAW)
        assert abs(frequency(np.repeat(heard, 2)) - 440) < 4


async def test_the_echo_by_audiosocket() -> None:
    async with platform(bots={"*": "echo"}) as it:
        line, outlet = it.connect(AudioSocketStream(Opening()))
        line.receive(HELLO)
        for piece in np.ascontiguousarray(tone(1_000)[::2]).reshape(-1, 160):
            line.receive(packed(Kind.AUDIO, piece.tobytes()))
            await it.house.tick(TICK_MS)
        assert {(message[0], len(message)) for message in outlet.octets} == {(0x10, 323)}
        heard = np.frombuffer(b"".join(message[3:] for message in outlet.octets[-25:]), "<i2")
        assert abs(frequency(np.repeat(heard, 2)) - 440) < 4
        assert it.house.told(CallAnswered) == [CallAnswered(codec="L16")]


async def test_while_the_platform_pauses_nothing_is_heard_and_nothing_said() -> None:
    async with platform(bots={"*": "echo"}) as it:
        line, outlet = it.connect(GenesysStream(Opening()))
        line.receive(genesys_open())
        sound = encode_block(np.ascontiguousarray(tone(1_000)[::2]), MU_LAW).tobytes()

        async def speak() -> int:
            """So many messages of audio come back meanwhile."""
            before = len(outlet.octets)
            for at in range(0, len(sound), 160):
                line.receive(sound[at : at + 160])
                await it.house.tick(TICK_MS)
            return len(outlet.octets) - before

        assert await speak() >= 3
        line.receive(genesys(2, "paused"))
        await it.house.tick(2 * TICK_MS)
        assert await speak() == 0
        line.receive(genesys(3, "resumed", start="PT1S", discarded="PT1S"))
        assert await speak() >= 3


async def test_keys_are_pressed_and_more_than_a_hand_can_are_dropped() -> None:
    async with platform(FakeBot(ask("Well?", Collect(Expect.DIGITS, max_digits=100)))) as it:
        line, _ = await it.call()
        await it.house.tick(400)
        for digit in "0123456789" * 5:
            line.receive(twilio("dtmf", dtmf={"digit": digit}))
        await it.house.tick(6_000)
        (pressed,) = it.house.told(KeysPressed)
        assert pressed.digits[:KEYS_AT_ONCE] == ("0123456789" * 5)[:KEYS_AT_ONCE]
        assert len(pressed.digits) < KEYS_AT_ONCE + 5


async def test_keys_of_ours_are_tones_at_the_platform() -> None:
    async with platform() as it:
        line, _ = it.connect(AudioSocketStream(Opening()))
        sent: list[bytes] = []
        leg, _ = it.calls.begin(line, RingWire(sent.extend), StreamStarted("1", FORMAT))
        await it.house.tick(100)
        assert leg.send_keys("5")
        await it.house.tick(400)
        depacketizer = Depacketizer(FORMAT)
        sound = b"".join(map(depacketizer.frame, sent))
        assert dtmf_tone("5", 100, 8_000).astype("<i2").tobytes() in sound


async def test_a_bot_that_is_interrupted_is_silent_at_the_platform_too() -> None:
    async with platform(FakeBot(ask("A long question?", Collect(Expect.DIGITS, max_digits=4)))) as it:
        line, outlet = await it.call()
        await it.house.tick(200)
        assert "clear" not in outlet.events()
        line.receive(twilio("dtmf", dtmf={"digit": "1"}))
        await it.house.tick(200)
        assert it.house.told(BargedIn)
        assert outlet.events().count("clear") == 1


async def test_the_bot_hangs_up_once_it_is_heard() -> None:
    async with platform(FakeBot(Reply("fake", (Say("Bye."), Hangup("done"))))) as it:
        line, outlet = await it.call()
        await it.house.tick(400)
        assert await it.over() == "done"
        assert outlet.events()[-1] == "mark"
        assert not outlet.closed
        line.receive(PCMU_TONE[0])
        line.receive(twilio("mark", mark=outlet.said[-1]["mark"]))
        assert outlet.closed


async def test_a_platform_that_never_heard_the_end_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "LINGER_S", 0.05)
    async with platform(FakeBot(Reply("fake", (Say("Bye."), Hangup("done"))))) as it:
        _, outlet = await it.call()
        await it.house.tick(400)
        await it.over()
        await until(lambda: outlet.closed)


async def test_audiosocket_is_told_of_the_end_and_left() -> None:
    async with platform(FakeBot(Reply("fake", (Say("Bye."), Hangup("done"))))) as it:
        line, outlet = it.connect(AudioSocketStream(Opening()))
        line.receive(HELLO)
        await it.house.tick(400)
        await it.over()
        assert outlet.closed
        assert outlet.sent[-1] == b"\x00\x00\x00"


async def test_the_caller_hangs_up() -> None:
    async with platform() as it:
        line, outlet = await it.call()
        line.receive(TWILIO_STOP)
        await it.house.tick(TICK_MS)
        assert await it.over() == "caller"
        assert outlet.closed
        line.gone(orderly=False)


@pytest.mark.parametrize(("orderly", "cause"), [(True, "caller"), (False, "lost")])
async def test_a_connection_that_ends_or_breaks(orderly: bool, cause: str) -> None:
    async with platform() as it:
        line, outlet = await it.call()
        line.gone(orderly=orderly)
        await it.house.tick(TICK_MS)
        assert await it.over() == cause
        assert "mark" not in outlet.events()


async def test_what_nobody_understands_ends_the_call() -> None:
    async with platform() as it:
        line, outlet = await it.call()
        line.receive(b"\x00")
        assert outlet.closed
        await it.house.tick(TICK_MS)
        assert await it.over() == "refused"
        assert it.calls.refused == {"peer.protocol": 1}


@pytest.mark.parametrize(("bot", "code"), [({"1": "echo"}, "peer.not_found"), ({"*": "busy"}, "ours.overloaded")])
async def test_a_number_that_gets_no_bot_gets_no_call(bot: dict[str, str], code: str) -> None:
    async with platform(bots=bot, calls=1) as it:
        line, outlet = it.connect()
        line.receive(twilio_start(dialled="2"))
        assert outlet.closed
        assert it.calls.refused == {code: 1}
        assert it.house.calls.obstacle() == "", "its place is free"


async def test_a_stream_for_which_no_media_row_is_left_is_closed() -> None:
    async with platform(rows=1, calls=2) as it:
        await it.call()
        _, outlet = await it.call()
        assert outlet.closed
        assert it.house.calls.live == 1


async def test_connections_without_a_call_shut_out_nobody_else_and_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "START_S", 0.05)
    async with platform(calls=8) as it:
        outlets = [it.connect()[1] for _ in range(2)]
        with pytest.raises(Overloaded, match="half_open"):
            it.connect()
        async with asyncio.timeout(5):
            await until(lambda: all(outlet.closed for outlet in outlets))
