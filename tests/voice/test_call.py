"""How a call ends when nobody hangs up."""

import asyncio

from dialog.announcements import Announcements
from dialog.events import CallStarted, PlaybackStarted, Record
from tests.fakes.bot import FakeBot, ask
from tests.fakes.leg import FakeLeg
from tests.fakes.speech import FakeEars, FakeMouth
from voice.call import ECHO, LAST_WORDS_MS, Call, Services
from voice.ports import TICK_MS
from voice.speech.phrases import split_phrases

LONGEST_S = 10


async def ended_ms(bot: str, mouth: FakeMouth, told: list[Record]) -> int:
    """Audio time at which a call of ten seconds is over; its cause is as it should be."""
    leg = FakeLeg()
    services = Services(
        FakeEars(), mouth, {"helpdesk": FakeBot(ask("Well?"))}, [told.append], Announcements(), LONGEST_S
    )
    started = CallStarted(transport="sip", caller="a", dialled="1", bot=bot, started_at="", recording="")
    running = asyncio.ensure_future(Call("c1", started, leg, "PCMU", services).run())
    while not running.done():
        leg.tick()
        for _ in range(8):
            await asyncio.sleep(0)
    assert await running == "longest_call"
    return leg.tick_count * TICK_MS


async def test_the_longest_call_ends_with_a_word() -> None:
    told: list[Record] = []
    over_ms = await ended_ms("helpdesk", FakeMouth(), told) - LONGEST_S * 1000
    assert 1_000 < over_ms <= LAST_WORDS_MS
    said = [record.event.text for record in told if isinstance(record.event, PlaybackStarted)]
    assert said[-2:] == split_phrases(Announcements().longest_call)


async def test_the_longest_call_ends_without_speech_too() -> None:
    mouth = FakeMouth()
    mouth.away = 1_000_000
    assert await ended_ms("helpdesk", mouth, []) == LONGEST_S * 1000 + LAST_WORDS_MS


async def test_the_echo_has_no_last_words() -> None:
    assert await ended_ms(ECHO, FakeMouth(), []) == LONGEST_S * 1000
