"""Three of the scripted dialogs from the page itself: Chromium, its fake microphone, and what its loudspeaker plays.

All are held at once, each in a browser of its own; a test looks at its own.
"""

import asyncio
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from playwright.async_api import expect

from dialog.events import CallEnded
from dsp.resample import resample
from tests.e2e.browser import chromium
from tests.e2e.callers import LINE_HZ, say
from tests.e2e.conversation import check_spoken, check_turn, exchanges
from tests.e2e.node import Node, wait_for
from tests.e2e.scripts import Script, scripts
from voice.ports import RATE_HZ, Pcm

pytestmark = pytest.mark.timeout(240)

MICROPHONE_HZ = 48_000
GREETING_S = 7.5
"""The microphone's file cannot wait for the bot, so the caller speaks when the greeting is surely over."""
ANSWER_S = 6.5
"""So long after each turn comes the next: answers of these scripts take up to 6 s, and the bot waits for 7 more."""
VOICES = {"01_balance": "hibari", "03_opening_hours": "flite", "09_order": "hibari"}
_ENVELOPE = RATE_HZ // 100


def microphone(script: Script, voice: str, path: Path) -> Path:
    """All turns in one file, with the pauses of a caller who knows how long the answers are."""
    track: list[Pcm] = [np.zeros(int(GREETING_S * LINE_HZ), np.int16)]
    for turn in script.turns:
        sound = say(turn.say, voice)
        words = sound.pcm[: (sound.words_ms + 200) * LINE_HZ // 1000]
        track += [words, np.zeros(int(ANSWER_S * LINE_HZ), np.int16)]
    track.append(np.zeros(30 * LINE_HZ, np.int16))
    soundfile.write(path, resample(np.concatenate(track), LINE_HZ, MICROPHONE_HZ), MICROPHONE_HZ, subtype="PCM_16")
    return path


def aligned(heard: Pcm, recorded: Pcm) -> Pcm:
    """What the browser played, on the time line of the call: shifted to where it looks most like the recording."""
    a, b = _loudness(heard), _loudness(recorded)
    likeness = np.correlate(a - a.mean(), b - b.mean(), mode="full")
    shift = (int(likeness.argmax()) - (b.size - 1)) * _ENVELOPE
    return heard[shift:] if shift >= 0 else np.concatenate([np.zeros(-shift, np.int16), heard])


def _loudness(pcm: Pcm) -> npt.NDArray[np.float64]:
    whole = pcm[: pcm.size // _ENVELOPE * _ENVELOPE].reshape(-1, _ENVELOPE).astype(np.float64)
    level: npt.NDArray[np.float64] = np.sqrt((whole**2).mean(axis=1))
    return level


@dataclass(frozen=True, slots=True)
class Call:
    """A call that is over: its id, what the browser played, and what its transcript shows."""

    call_id: str
    heard: Pcm
    shown: str


async def call(node: Node, microphone: Path, one_by_one: asyncio.Lock) -> Call:
    """Click, and wait until the far end has hung up; calls begin one after another, so that each is known by its id."""
    async with chromium(microphone, loop=False) as browser:
        tab = await browser.open(f"{node.web_url}/")
        async with one_by_one:
            before = set(node.calls("browser"))
            await tab.page.get_by_role("button", name="Call").click()
            await expect(tab.page.get_by_role("button", name="Hang up")).to_be_visible(timeout=30_000)
            (call_id,) = await asyncio.to_thread(
                wait_for, "the call in the store", lambda: set(node.calls("browser")) - before or None, 30.0
            )
        await expect(tab.page.get_by_role("button", name="Call again")).to_be_visible(timeout=120_000)
        return Call(call_id, await tab.heard(), await tab.page.get_by_role("log").inner_text())


async def hold(node: Node, microphones: Sequence[Path]) -> list[Call | BaseException]:
    """A call from each of `microphones`, all at once; or what went wrong in it."""
    one_by_one = asyncio.Lock()
    calls = (call(node, microphone, one_by_one) for microphone in microphones)
    return await asyncio.gather(*calls, return_exceptions=True)


class MadeAgain(UserWarning):
    """A call was made a second time."""


SCRIPTS = [script for script in scripts() if script.name in VOICES]


@pytest.fixture(scope="module")
def microphones(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What is said in each script of this run."""
    folder = tmp_path_factory.mktemp("microphones")
    return {it.name: microphone(it, VOICES[it.name], folder / f"{it.name}.wav") for it in SCRIPTS}


@pytest.fixture(scope="module")
def calls(node: Node, microphones: dict[str, Path]) -> dict[str, Call | BaseException]:
    """What became of each script."""
    return dict(zip(microphones, asyncio.run(hold(node, list(microphones.values()))), strict=True))


@pytest.mark.filterwarnings("default::tests.e2e.test_browser_conversations.MadeAgain")
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: f"{script.name}-{VOICES[script.name]}")
def test_the_page_holds_a_conversation(
    node: Node, script: Script, microphones: dict[str, Path], calls: dict[str, Call | BaseException]
) -> None:
    try:
        check(node, script, calls[script.name])
    except AssertionError as error:
        # as on the telephone: now and then a recogniser makes other words of the same sound
        warnings.warn(f"made again: {str(error).splitlines()[0]}", MadeAgain, stacklevel=1)
        (again,) = asyncio.run(hold(node, [microphones[script.name]]))
        check(node, script, again)


def check(node: Node, script: Script, call: Call | BaseException) -> None:
    """Look at all of a call that held `script`."""
    if isinstance(call, BaseException):
        raise call
    journal = node.journal(call.call_id)
    account = "\n".join(f"{r.at_ms} {r.event}" for r in journal if r.event.type != "partial_heard")
    try:
        held = exchanges(journal)
        for turn, exchange in zip(script.turns, held[1:], strict=False):
            check_turn(turn, exchange)
            assert exchange.heard in call.shown
            assert exchange.reply.split(".")[0] in call.shown
        assert len(held) == len(script.turns) + 1
        recorded, _ = soundfile.read(node.recording(call.call_id), dtype="int16")
        played = aligned(call.heard, np.ascontiguousarray(recorded[:, 1]))
        for exchange in held:
            check_spoken(exchange, played)
        assert isinstance(journal[-1].event, CallEnded)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{call.shown}\n{account}") from error
