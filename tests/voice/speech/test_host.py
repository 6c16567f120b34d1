"""The real thing: models in a child that is killed, hung and refused, with the transcript asserted."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import numpy as np
import pytest

from dialog.actions import Expect
from dialog.errors import ConfigurationError, EngineUnavailable, ModelMissing
from tests.contract.recognisers import CASES
from tests.voice.speech.human import prompt, words
from voice.ports import TICK_SAMPLES, EarsBack, EarsEvent, EarsGapped, EarsLost, FinalText, PartialText, Pcm
from voice.speech import host as host_module
from voice.speech.host import SpeechHost
from voice.speech.models import moonshine_base
from voice.speech.settings import EngineSettings

BACK_MS = 3_000
NOTICED_S = 2.5
REAL_TIME_S = 0.02
"""A tick as long as it is: Vosk decodes as the sound comes, and drops what comes faster."""


class Caller:
    """One leg's stream, and a wait for what it is told."""

    def __init__(self, host: SpeechHost) -> None:
        self.heard: list[EarsEvent] = []
        self._came = asyncio.Event()
        self.stream = host.ears.open(self._hear)

    def _hear(self, event: EarsEvent) -> None:
        self.heard.append(event)
        self._came.set()

    async def say(self, pcm: Pcm, tick_s: float = 0.0) -> None:
        for at in range(0, pcm.size, TICK_SAMPLES):
            self.stream.push(pcm[at : at + TICK_SAMPLES])
            await asyncio.sleep(tick_s)

    async def wait_for(self, kind: type[EarsEvent], timeout_s: float = 15.0) -> EarsEvent:
        async with asyncio.timeout(timeout_s):
            while True:
                for event in self.heard:
                    if isinstance(event, kind):
                        return event
                self._came.clear()
                await self._came.wait()

    async def final(self) -> FinalText:
        self.stream.final()
        event = await self.wait_for(FinalText)
        assert isinstance(event, FinalText)
        return event


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Callable[..., SpeechHost]]:
    made: list[SpeechHost] = []

    def make(settings: EngineSettings | None = None) -> SpeechHost:
        made.append(SpeechHost(settings or EngineSettings(), cache=tmp_path))
        return made[-1]

    yield make
    for host in made:
        await host.close()


@pytest.fixture
async def host(start: Callable[..., SpeechHost]) -> SpeechHost:
    made = start()
    await made.start()
    return made


async def spoken(host: SpeechHost, text: str, pace: float = 1.0) -> Pcm:
    return np.concatenate([block async for block in host.mouth.speak(text, pace=pace)])


async def undisturbed(host: SpeechHost, speech: Pcm) -> str:
    """What is heard of `speech` when nothing happens."""
    caller = Caller(host)
    caller.stream.begin(1, Expect.FREE)
    await caller.say(speech, tick_s=REAL_TIME_S)
    final = await caller.final()
    caller.stream.close()
    return words(final.hypotheses[0].text)


async def test_it_hears_and_describes_itself(host: SpeechHost) -> None:
    status = host.describe()
    assert status.ready
    assert (status.recogniser, status.language, status.restarts) == ("moonshine", "en", 0)
    caller = Caller(host)
    caller.stream.begin(1, Expect.FREE)
    speech = prompt("cannot-complete-as-dialed")
    await caller.say(speech, tick_s=0.005)
    final = await caller.final()
    assert words(final.hypotheses[0].text) == "your call cannot be completed as dialed"
    assert final.audio_ms == speech.size // 16
    assert not final.redecoded
    assert any(isinstance(event, PartialText) for event in caller.heard)


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("moonshine", signal.SIGKILL),
        ("moonshine", signal.SIGSTOP),
        ("vosk", signal.SIGKILL),
        ("vosk grammar", signal.SIGKILL),
    ],
)
async def test_a_child_lost_in_mid_utterance_costs_no_word(
    start: Callable[..., SpeechHost], name: str, how: signal.Signals
) -> None:
    case = CASES[name]
    speech = case.speech()
    host = start(case.settings)
    await host.start()
    expected = case.text or await undisturbed(host, speech)
    caller, listener = Caller(host), Caller(host)
    caller.stream.begin(1, Expect.FREE)
    await caller.say(speech[: speech.size // 2], tick_s=REAL_TIME_S)
    await caller.wait_for(PartialText)  # while the utterance runs
    first = host.describe().pid
    os.kill(first, how)
    await caller.say(speech[speech.size // 2 :], tick_s=REAL_TIME_S)
    final = await caller.final()
    assert case.alike(words(final.hypotheses[0].text), expected)
    assert final.audio_ms == speech.size // 16
    assert final.redecoded
    lost, back = caller.heard.index(await caller.wait_for(EarsLost)), await caller.wait_for(EarsBack)
    assert isinstance(back, EarsBack)
    assert lost < caller.heard.index(back)
    assert back.after_ms <= BACK_MS
    assert [type(event) for event in listener.heard] == [EarsLost, EarsBack]
    assert not any(isinstance(event, EarsGapped) for event in caller.heard)
    status = host.describe()
    assert status.ready
    assert (status.recogniser, status.restarts) == (case.settings.recogniser, 1)
    assert status.pid != first
    assert not Path(f"/proc/{first}").exists()
    assert (await spoken(host, "1, 2, 3.")).size > 8_000


async def test_a_hung_child_is_noticed_while_nobody_speaks(host: SpeechHost) -> None:
    caller = Caller(host)
    os.kill(host.describe().pid, signal.SIGSTOP)
    lost = await caller.wait_for(EarsLost, timeout_s=NOTICED_S)
    assert lost == EarsLost("engine.timeout")


async def test_speech_can_be_recognised_back(host: SpeechHost) -> None:
    texts = {
        "Your balance is twelve euros and fifty cents.": "your balance is 12 euros and 50 cents",
        "We are open from nine to five, Monday to Friday.": "we are open from 9 to 5 monday to friday",
        "Which account number is it, please?": "which account number is it please",
    }
    for number, (text, expected) in enumerate(texts.items()):
        caller = Caller(host)
        caller.stream.begin(number, Expect.FREE)
        await caller.say(await spoken(host, text))
        heard = words((await caller.final()).hypotheses[0].text)
        assert heard in (expected, words(text))
        caller.stream.close()


async def test_cached_prompts_play_while_the_child_is_away(host: SpeechHost) -> None:
    assert await host.mouth.prepare(["One moment, please."]) == 1
    caller = Caller(host)
    os.kill(host.describe().pid, signal.SIGKILL)
    await caller.wait_for(EarsLost)
    assert (await spoken(host, "One moment, please.")).size > 8_000
    with pytest.raises(EngineUnavailable):
        await spoken(host, "This one was never said before.")
    await caller.wait_for(EarsBack)
    assert (await spoken(host, "This one was never said before.")).size > 8_000


async def test_several_callers_are_heard_at_once(host: SpeechHost) -> None:
    expected = {"vm-goodbye": "goodbye", "cannot-complete-as-dialed": "your call cannot be completed as dialed"}

    async def call(number: int, name: str) -> None:
        caller = Caller(host)
        caller.stream.begin(number, Expect.FREE)
        await caller.say(prompt(name), tick_s=0.002)
        assert words((await caller.final()).hypotheses[0].text) == expected[name]

    await asyncio.gather(*(call(number, name) for number, name in enumerate([*expected, *expected])))


async def test_a_crash_loop_is_slowed_down(host: SpeechHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """It neither spins nor ends the host."""
    monkeypatch.setattr(host_module, "FREE_RESTARTS", 1)
    caller = Caller(host)
    backs = []
    for _ in range(3):
        caller.heard.clear()
        os.kill(host.describe().pid, signal.SIGKILL)
        back = await caller.wait_for(EarsBack)
        assert isinstance(back, EarsBack)
        backs.append(back.after_ms)
    assert host.describe().restarts == 3
    assert backs[0] < 500 <= backs[1] < 1_000 <= backs[2]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_nursery_that_is_lost_with_its_child_is_replaced(host: SpeechHost, how: signal.Signals) -> None:
    caller = Caller(host)
    caller.stream.begin(1, Expect.FREE)
    await caller.say(prompt("vm-goodbye"))
    child = host.describe().pid
    nursery = int(Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(nursery, how)
    os.kill(child, how)
    final = await caller.final()
    assert words(final.hypotheses[0].text) == "goodbye"
    assert final.redecoded
    assert not Path(f"/proc/{nursery}").exists()


async def test_a_missing_model_is_said_at_the_start(
    start: Callable[..., SpeechHost], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert moonshine_base().encoder.exists()
    monkeypatch.setenv("CENTRALINO_CACHE", str(tmp_path))
    with pytest.raises(ModelMissing, match="make setup"):
        await start().start()


async def test_an_unknown_engine_is_said_at_the_start(start: Callable[..., SpeechHost]) -> None:
    with pytest.raises(ConfigurationError, match="no engine named 'magic'"):
        await start(EngineSettings(recogniser="magic")).start()


async def test_closing_leaves_no_process(start: Callable[..., SpeechHost]) -> None:
    host = start()
    await host.start()
    pid = host.describe().pid
    await host.close()
    await host.close()
    assert not Path(f"/proc/{pid}").exists()
