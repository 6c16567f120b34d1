"""Three of the scripted dialogs from the page itself: Chromium, its fake microphone, and what its loudspeaker plays."""

import asyncio
import warnings
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
from tests.e2e.node import Node
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


async def call(url: str, microphone: Path) -> tuple[Pcm, str]:
    """Click, wait until the far end has hung up; what was played, and what the transcript shows."""
    async with chromium(microphone, loop=False) as browser:
        tab = await browser.open(url)
        await tab.page.get_by_role("button", name="Call").click()
        await expect(tab.page.get_by_role("button", name="Hang up")).to_be_visible()
        await expect(tab.page.get_by_role("button", name="Call again")).to_be_visible(timeout=120_000)
        return await tab.heard(), await tab.page.get_by_role("log").inner_text()


class MadeAgain(UserWarning):
    """A call was made a second time."""


SCRIPTS = [script for script in scripts() if script.name in VOICES]


@pytest.mark.filterwarnings("default::tests.e2e.test_browser_conversations.MadeAgain")
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: f"{script.name}-{VOICES[script.name]}")
def test_the_page_holds_a_conversation(node: Node, script: Script, tmp_path: Path) -> None:
    caller = microphone(script, VOICES[script.name], tmp_path / "caller.wav")
    try:
        converse(node, script, caller)
    except AssertionError as error:
        # as on the telephone: now and then a recogniser makes other words of the same sound
        warnings.warn(f"made again: {str(error).splitlines()[0]}", MadeAgain, stacklevel=1)
        converse(node, script, caller)


def converse(node: Node, script: Script, caller: Path) -> None:
    """Hold `script` from the page, and look at all of it."""
    heard, shown = asyncio.run(call(f"{node.web_url}/", caller))
    call_id = node.calls("browser")[0]
    journal = node.journal(call_id)
    account = "\n".join(f"{r.at_ms} {r.event}" for r in journal if r.event.type != "partial_heard")
    try:
        held = exchanges(journal)
        for turn, exchange in zip(script.turns, held[1:], strict=False):
            check_turn(turn, exchange)
            assert exchange.heard in shown
            assert exchange.reply.split(".")[0] in shown
        assert len(held) == len(script.turns) + 1
        recorded, _ = soundfile.read(node.recording(call_id), dtype="int16")
        played = aligned(heard, np.ascontiguousarray(recorded[:, 1]))
        for exchange in held:
            check_spoken(exchange, played)
        assert isinstance(journal[-1].event, CallEnded)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{shown}\n{account}") from error
