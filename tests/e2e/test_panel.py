"""Callers by telephone and by browser are handed to agents at their panels: what is seen, done and heard.

Everybody says sentences of their own, so that the words in a recording tell who was heard.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.async_api import Dialog, Route, expect

from dialog.events import (
    CallEnded,
    FinalHeard,
    PlaybackEnded,
    ReplyGiven,
)
from dialog.people_events import (
    AgentJoined,
    AgentLeft,
    BotReturned,
    HandoffRequested,
    HoldChanged,
    NoteWritten,
    SuggestionTaken,
)
from dsp.resample import resample
from tests.agent_assist.web.watching import look
from tests.e2e.agent_page import PATIENCE_MS, AgentPage, agent_page
from tests.e2e.browser import Tab, chromium
from tests.e2e.callers import LEAD_MS, LINE_HZ, say
from tests.e2e.conversation import read_back, word_overlap
from tests.e2e.hearing import check_heard, is_music, is_quiet, sound_begins_ms, voice_begins_ms
from tests.e2e.node import Node, wait_for
from tests.e2e.phones import Baresip, Move
from tests.e2e.test_handover import BRIDGE_MS, told, until
from voice.ports import RATE_HZ, Pcm

pytestmark = pytest.mark.timeout(180)

MICROPHONE_HZ = 48_000
PAUSE_S = 1.5
"""Between two rounds of what somebody says."""
LISTEN_S = 5.5
"""A whole round, wherever it begins."""
SLACK_MS = 200
"""A gap measured here holds 64 ms of the page's recorder, whose pieces are that long, and the waits of three programs
(browser, node, telephone) for two cores. `test_handover` holds the node alone to the bound."""
CARD_MS = 3_000
"""From the caller's last word to the card on the screen. `python -m bench card` measures it and holds it to 1 s; here
a browser for each person and the test's own recogniser share the machine with the node and whatever else runs."""
REPLY = "The first reminder is free; a fee of five euros comes only with the second one."


@dataclass(frozen=True)
class Voice:
    """What somebody says again and again; each sentence has one of the words that nobody else says."""

    engine: str
    own: frozenset[str]
    sentences: tuple[str, ...]

    def microphone(self, folder: Path) -> Path:
        """A file for a browser, which plays it in a loop."""
        parts: list[Pcm] = []
        for sentence in self.sentences:
            sound = say(sentence, self.engine)
            parts += [sound.pcm[: sound.words_ms * LINE_HZ // 1000], np.zeros(int(PAUSE_S * LINE_HZ), np.int16)]
        once = np.concatenate(parts)
        path = folder / f"{min(self.own)}.wav"
        soundfile.write(path, resample(once, LINE_HZ, MICROPHONE_HZ), MICROPHONE_HZ, subtype="PCM_16")
        return path


EVE = Voice(
    "hibari",
    frozenset({"morning", "account"}),
    ("Good morning, I have your account before me.", "One moment, I look that up in your account."),
)
BOB = Voice("flite", frozenset({"colleague", "payments"}), ("Hello, my colleague told me about the payments.",))
ANN = Voice("flite", frozenset({"internet", "router"}), ("My internet is gone, the router shows a red light.",))
BILL, PERSON = "Why is my bill so high?", "I would like to talk to a person, please."
LETTER, LETTER_WORDS = "I got a letter from a collection agency, although I have paid.", frozenset({"letter", "agency"})
VISIT, VISIT_WORDS = "When will the engineer visit us and repair the telephone?", frozenset({"engineer", "telephone"})


@pytest.fixture(scope="module", autouse=True)
def voices_and_ears() -> None:
    """Everybody's sentences are spoken, and the test's own recogniser is loaded, before a loop runs that would stand
    still meanwhile."""
    for voice in (EVE, BOB, ANN):
        for sentence in voice.sentences:
            say(sentence, voice.engine)
    for text in (BILL, PERSON, LETTER, VISIT):
        say(text, "flite")
    read_back(np.zeros(RATE_HZ, np.int16))


@pytest.fixture(scope="module")
def passwords(node: Node) -> dict[str, str]:
    return node.add_users(eve="agent", bob="agent")


@dataclass(frozen=True)
class Telephone:
    """Baresip in the hands of a caller who does one thing after the other."""

    node: Node
    phone: Baresip

    @property
    def call_id(self) -> str:
        return self.node.calls(f"{self.phone.caller}@")[0]

    @property
    def now_ms(self) -> int:
        return self.phone.heard_ms

    def heard(self, since_ms: int) -> Pcm:
        return self.phone.heard()[since_ms * RATE_HZ // 1000 :]

    def says(self) -> None:
        """The next thing that is on the list."""
        self.phone.move()

    async def asks_for_a_person(self) -> None:
        """Have a bill explained, and do not wait for the end of it."""
        await asyncio.to_thread(self.phone.dial)
        await asyncio.to_thread(wait_for, "the call", lambda: self.node.calls(f"{self.phone.caller}@") or None, 10.0)
        await until(self.node, PlaybackEnded, self.call_id, 3)
        self.says()
        await until(self.node, ReplyGiven, self.call_id, 2)
        await asyncio.to_thread(self.says)
        await until(self.node, ReplyGiven, self.call_id, 3)
        await asyncio.sleep(1.5)
        self.says()
        await until(self.node, HandoffRequested, self.call_id)

    async def hears_music(self) -> None:
        """Wait for it: before it the place in the queue is said."""
        async with asyncio.timeout(15):
            while not is_music(self.heard(self.now_ms - 500)):
                await asyncio.sleep(0.1)


@asynccontextmanager
async def telephone(node: Node, folder: Path) -> AsyncIterator[Telephone]:
    """A telephone that has not called yet."""
    later = (say(text, "flite") for text in (PERSON, LETTER, VISIT))
    moves: tuple[Move, ...] = (say(BILL, "flite"), "12345678", *later)
    phone = Baresip(folder, "peter", f"sip:100@127.0.0.1:{node.sip_port}", "PCMU", moves)
    try:
        yield Telephone(node, phone)
    finally:
        phone.close()


async def since(tab: Tab, mark_ms: int) -> Pcm:
    return (await tab.heard())[mark_ms * RATE_HZ // 1000 :]


async def listen_both(caller: Telephone, agent: AgentPage, says: frozenset[str], voice: Voice) -> None:
    """The caller hears `voice`, the agent who `says`; neither hears itself."""
    at_caller, at_agent = caller.now_ms, await agent.tab.heard_ms()
    caller.says()
    await asyncio.sleep(LISTEN_S)
    await check_heard(caller.heard(at_caller), voice.own, says)
    await check_heard(await since(agent.tab, at_agent), says, voice.own)


async def test_a_caller_by_telephone_and_two_agents(node: Node, passwords: dict[str, str], tmp_path: Path) -> None:
    async with (
        agent_page(node.web_url, "eve", passwords["eve"], EVE.microphone(tmp_path)) as eve,
        agent_page(node.web_url, "bob", passwords["bob"], BOB.microphone(tmp_path)) as bob,
        telephone(node, tmp_path) as caller,
    ):
        await eve.ready()
        await caller.asks_for_a_person()
        await eve.rings()
        await take_over(caller, eve)
        await be_helped(caller, eve)
        await be_muted_and_held(caller, eve)
        await write_a_note(caller, eve)
        await bob.ready()
        await hand_on(caller, eve, bob)
        await hand_back(caller, bob)
        caller.phone.hang_up()
        assert (await until(node, CallEnded, caller.call_id))[0].cause == "caller"
        await check_recording(node, caller.call_id)


async def take_over(caller: Telephone, eve: AgentPage) -> None:
    """Everything is on the screen before the answer; after it both hear each other at once."""
    for known in ("peter", "Asked for a person", "Account number", "12345678", "42 euros and 40 cents"):
        await eve.shows(known)
    await eve.shows("Nobody waits.")  # who rings here is not listed a second time
    assert told(caller.node, AgentJoined, caller.call_id) == []
    await look(eve.page, "desk-ringing")
    await caller.hears_music()
    await eve.speaks()
    at_caller, at_agent = caller.now_ms, await eve.tab.heard_ms()
    await eve.press("Alt+a")
    await eve.talking()
    await asyncio.sleep(2.0)
    gaps_ms = (sound_begins_ms(await since(eve.tab, at_agent)), voice_begins_ms(caller.heard(at_caller)))
    print(f"from the answer to the other's sound, at agent and caller: {gaps_ms} ms")
    assert max(gaps_ms) <= BRIDGE_MS + SLACK_MS


async def be_helped(caller: Telephone, eve: AgentPage) -> None:
    """What the caller says brings cards, by which the agent answers."""
    began_s = time.time()
    await listen_both(caller, eve, LETTER_WORDS, EVE)
    await eve.shows(REPLY)
    card_ms = ((await eve.painted_s())[0] - began_s) * 1000 - LEAD_MS - say(LETTER, "flite").words_ms
    print(f"from the caller's last word to the card: {card_ms:.0f} ms")
    assert card_ms <= CARD_MS
    await look(eve.page, "desk-call")
    await eve.press("Alt+1")
    await eve.shows("Copied")
    assert await eve.page.evaluate("navigator.clipboard.readText()") == REPLY
    # muted, so that nobody speaks while the bot's voice does
    await eve.press("Alt+m")
    await eve.shows("Muted: the caller does not hear you.")
    at_caller, said = caller.now_ms, len(told(caller.node, PlaybackEnded, caller.call_id))
    await asyncio.sleep(1.0)
    assert is_quiet(caller.heard(at_caller + 400))
    await eve.press("Shift+Alt+1")
    await until(caller.node, PlaybackEnded, caller.call_id, said + 1)
    spoken = await asyncio.to_thread(read_back, caller.heard(at_caller))
    assert word_overlap(REPLY, spoken) >= 0.8, spoken
    taken = told(caller.node, SuggestionTaken, caller.call_id)
    assert [(event.article, event.how) for event in taken] == [("late-fee", "copied"), ("late-fee", "spoken")]
    await eve.press("Alt+m")


async def be_muted_and_held(caller: Telephone, eve: AgentPage) -> None:
    """On hold the caller hears music, and the agent nobody."""
    await eve.press("Alt+h")
    await eve.shows("On hold: the caller hears music, and you nothing.")
    at_caller, at_agent = caller.now_ms, await eve.tab.heard_ms()
    await asyncio.sleep(1.5)
    assert is_music(caller.heard(at_caller + 500))
    assert is_quiet(await since(eve.tab, at_agent + 500))
    await eve.press("Alt+h")
    assert [hold.on for hold in await until(caller.node, HoldChanged, caller.call_id, 2)] == [True, False]


async def write_a_note(caller: Telephone, eve: AgentPage) -> None:
    await eve.press("Alt+n")
    await eve.page.keyboard.type("Has paid on the third.")
    await eve.press("Control+Enter")
    note = (await until(caller.node, NoteWritten, caller.call_id))[0]
    assert (note.agent, note.text) == ("eve", "Has paid on the third.")
    await expect(eve.page.get_by_role("listitem").filter(has_text=note.text)).to_be_visible()


async def hand_on(caller: Telephone, eve: AgentPage, bob: AgentPage) -> None:
    """The colleague knows what is known; who had the call hears nothing more of it, and writes it down."""
    await eve.press("Alt+t")
    await eve.page.get_by_role("button", name="bob").click()
    await bob.rings()
    for known in ("eve transfers the call", "12345678", "Has paid on the third"):
        await bob.shows(known)
    await eve.shows("Ringing bob: the caller stays with you")
    await bob.press("Alt+a")
    await bob.talking()
    at_eve = await eve.tab.heard_ms()
    await listen_both(caller, bob, VISIT_WORDS, BOB)
    assert is_quiet(await since(eve.tab, at_eve + 500))
    await look(eve.page, "desk-wrap-up")
    await eve.write_down("Follow-up", "Bob looks at the payments.")
    assert [joined.agent for joined in told(caller.node, AgentJoined, caller.call_id)] == ["eve", "bob"]


async def hand_back(caller: Telephone, bob: AgentPage) -> None:
    """The bot goes on where it can, and both agents have written down how it ended for them."""
    said = len(told(caller.node, PlaybackEnded, caller.call_id))
    at_caller = caller.now_ms
    await bob.press("Alt+b")
    await until(caller.node, BotReturned, caller.call_id)
    await bob.write_down("Solved", "Paid in time.")
    await until(caller.node, PlaybackEnded, caller.call_id, said + 1)
    reply = told(caller.node, ReplyGiven, caller.call_id)[-1].text
    spoken = await asyncio.to_thread(read_back, caller.heard(at_caller))
    assert word_overlap(reply, spoken) > 0.2, f"{spoken!r} for {reply!r}"
    left = told(caller.node, AgentLeft, caller.call_id)
    assert [(event.agent, event.why) for event in left] == [("eve", "transferred"), ("bob", "handed_back")]
    rows = caller.node.query("SELECT agent, disposition FROM wrap_ups ORDER BY number")
    assert rows[-2:] == [("eve", "follow-up"), ("bob", "solved")]


async def check_recording(node: Node, call_id: str) -> None:
    """While Bob had the caller, the left channel has the caller's words and the right one Bob's."""
    path = node.recording(call_id)
    await asyncio.to_thread(wait_for, "the recording", lambda: path.exists() or None, 20.0)
    events = ((record.at_ms, record.event) for record in node.journal(call_id))
    began_ms, ended_ms = (ms for ms, e in events if isinstance(e, AgentJoined | AgentLeft) and e.agent == "bob")
    both, rate_hz = soundfile.read(path, dtype="int16")
    assert (rate_hz, both.shape[1]) == (RATE_HZ, 2)
    left, right = both[began_ms * RATE_HZ // 1000 : ended_ms * RATE_HZ // 1000].T
    await check_heard(np.ascontiguousarray(left), VISIT_WORDS, BOB.own)
    await check_heard(np.ascontiguousarray(right), BOB.own, VISIT_WORDS)


async def test_a_caller_in_the_browser_and_an_agent_who_loads_the_page_again(
    node: Node, passwords: dict[str, str], tmp_path: Path
) -> None:
    async with (
        agent_page(node.web_url, "eve", passwords["eve"], EVE.microphone(tmp_path)) as eve,
        chromium(ANN.microphone(tmp_path)) as browser,
    ):
        await eve.ready()
        before = set(node.calls("browser"))
        caller = await browser.open(f"{node.web_url}/")
        await caller.page.get_by_role("button", name="Call").click()
        await expect(caller.page.get_by_role("button", name="Hang up")).to_be_visible()
        while not await eve.is_rung():
            await caller.page.get_by_role("button", name="0", exact=True).click()  # not heard during the notices
            await asyncio.sleep(1.0)
        (call_id,) = set(node.calls("browser")) - before
        await eve.page.get_by_role("button", name="Answer").click()
        await eve.talking()
        await hear_each_other(caller, eve.tab)
        await eve.shows("Asked for a person.")

        async def leave(dialog: Dialog) -> None:
            await dialog.accept()

        async def slow_line(route: Route) -> None:
            await asyncio.sleep(2.0)  # else the agent is back before there is half a second of music
            await route.continue_()

        eve.page.on("dialog", leave)
        await eve.page.route("**/agent-page.js", slow_line)
        marks = await caller.heard_ms()
        await eve.page.reload()
        await eve.talking()
        assert len(await until(node, AgentJoined, call_id, 2)) == 2
        meanwhile = await since(caller, marks)
        pieces = [meanwhile[at : at + RATE_HZ // 2] for at in range(0, meanwhile.size - RATE_HZ // 2, RATE_HZ // 4)]
        assert any(is_music(piece) for piece in pieces)
        await eve.shows("Asked for a person.")
        first = next(event for event in told(node, FinalHeard, call_id) if event.speaker == "agent")
        await eve.shows(first.readings[0].text)
        await hear_each_other(caller, eve.tab)
        await eve.press("Alt+e")
        await expect(caller.page.get_by_role("button", name="Call again")).to_be_visible(timeout=PATIENCE_MS)
        await eve.write_down("Solved", "The router was off.")
        assert (await until(node, CallEnded, call_id))[0].cause == "agent"


async def hear_each_other(caller: Tab, agent: Tab) -> None:
    """The other, and not themselves."""
    at_caller, at_agent = await caller.heard_ms(), await agent.heard_ms()
    await asyncio.sleep(2 * LISTEN_S)  # the recogniser may make nothing of one round
    await check_heard(await since(caller, at_caller), EVE.own, ANN.own)
    await check_heard(await since(agent, at_agent), ANN.own, EVE.own)
