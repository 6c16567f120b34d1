"""A page that calls by SIP: JsSIP in Chromium, signalling over WebSocket, sound by ICE, DTLS and SRTP."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dialog.events import (
    CallAnswered,
    CallEnded,
    CallStarted,
    KeysPressed,
)
from dsp.resample import resample
from tests.e2e.browser import chromium
from tests.e2e.callers import LINE_HZ, say
from tests.e2e.conversation import read_back, word_overlap
from tests.e2e.jssip import served, web_phone
from tests.e2e.node import Node, wait_for
from voice.ports import RATE_HZ

pytestmark = pytest.mark.timeout(120)

MICROPHONE_HZ = 48_000
SENTENCE = "Please tell me what I owe you for the month of March."
PATIENCE_S = 40.0


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with served() as url:
        yield url


@pytest.fixture(scope="module")
def microphone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sentence, again and again."""
    spoken = say(SENTENCE, "hibari").pcm
    read_back(np.zeros(RATE_HZ, np.int16))  # loads the recogniser before a loop runs that would stand still meanwhile
    path = tmp_path_factory.mktemp("jssip") / "page.wav"
    soundfile.write(path, resample(spoken, LINE_HZ, MICROPHONE_HZ), MICROPHONE_HZ, subtype="PCM_16")
    return path


def ended(node: Node, before: set[str]) -> str:
    """The call that is none of those before, once it is over."""

    def look() -> str | None:
        new = set(node.calls("page@")) - before
        return next((it for it in new if any(isinstance(r.event, CallEnded) for r in node.journal(it))), None)

    return wait_for("the end of the call", look, PATIENCE_S)


async def test_a_page_hears_itself(node: Node, sip_ws_port: int, url: str, microphone: Path) -> None:
    before = set(node.calls("page@"))
    async with chromium(microphone) as browser:
        phone = await web_phone(browser, url)
        await phone.dial(f"ws://127.0.0.1:{sip_ws_port}", "sip:echo@127.0.0.1")
        async with asyncio.timeout(PATIENCE_S):
            heard = ""
            while word_overlap(SENTENCE, heard) < 0.6:
                await asyncio.sleep(2.0)
                heard = await asyncio.to_thread(read_back, await phone.tab.heard())
        await phone.hang_up()
        assert await phone.event() == "ended local Terminated"
    events = [record.event for record in node.journal(await asyncio.to_thread(ended, node, before))]
    started, answered = events[:2]
    assert isinstance(started, CallStarted) and (started.transport, started.dialled) == ("sip", "echo")
    assert answered == CallAnswered(codec="opus")
    assert isinstance(events[-1], CallEnded) and events[-1].cause == "caller"


async def test_a_page_keys_in_and_is_gone(node: Node, sip_ws_port: int, url: str, microphone: Path) -> None:
    """Telephone-event on Opus' clock, and INFO; a page that is closed says nothing by SIP. The keys are of the menu:
    after others the bot gives up before it is known that the page is gone."""
    before = set(node.calls("page@"))
    async with chromium(microphone) as browser:
        phone = await web_phone(browser, url)
        await phone.dial(f"ws://127.0.0.1:{sip_ws_port}", "sip:100@127.0.0.1")
        call_id = await asyncio.to_thread(begun, node, before)
        async with asyncio.timeout(PATIENCE_S):
            while "6" not in keyed(node, call_id):
                await phone.press("6", "RFC2833")
                await asyncio.sleep(1.0)
            while "5" not in keyed(node, call_id):
                await phone.press("5", "INFO")
                await asyncio.sleep(1.0)
    cause = node.journal(await asyncio.to_thread(ended, node, before))[-1].event
    assert isinstance(cause, CallEnded) and cause.cause in ("caller", "lost")


def keyed(node: Node, call_id: str) -> str:
    """The keys of the call so far."""
    events = [record.event for record in node.journal(call_id)]
    return "".join(event.digits for event in events if isinstance(event, KeysPressed))


def begun(node: Node, before: set[str]) -> str:
    """The call that is none of those before, once it is in the store."""
    return wait_for("the call", lambda: next(iter(set(node.calls("page@")) - before), None), PATIENCE_S)
