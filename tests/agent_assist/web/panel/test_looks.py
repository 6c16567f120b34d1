"""The agent's page in each of its states: axe finds nothing, nothing is cut off, at both widths, by day and night."""

from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import ViewportSize, expect

from agent_assist.desk.ports import Presence
from dialog.events import (
    CallAnswered,
    PartialHeard,
    PlaybackEnded,
    PlaybackStarted,
)
from dialog.people_events import HandoffRequested, NoteWritten, Suggestion
from tests.agent_assist.journals import started
from tests.agent_assist.web.panel.conftest import AGENT, DESK, SIDE, Panel
from tests.agent_assist.web.watching import sound_axe
from tests.fakes.desk import FakeDesk
from tests.fakes.seats import sample_brief

pytestmark = pytest.mark.timeout(120)

SUGGESTIONS = (
    Suggestion(
        article="bills/due",
        title="When a bill is due",
        reply="Your bill is due on the fifth of the month; paid by card it counts from the same day.",
        words=("bill", "pay"),
        score=0.86,
    ),
    Suggestion(
        article="bills/instalments",
        title="Paying in instalments",
        reply="You can pay this bill in three parts without a charge.",
        words=("pay",),
        score=0.64,
    ),
    Suggestion(
        article="bills/dispute", title="A bill that seems wrong", reply="I open a complaint for you.", score=0.52
    ),
)

NUMBER = "+32 2 555 01 99"


def said_so_far(desk: FakeDesk, call_id: str = "call-1") -> None:
    """What the caller and the bot said before a person was asked for."""
    desk.record(call_id, started(), 0)
    desk.record(call_id, CallAnswered(codec="PCMU"), 100)
    desk.record(call_id, PlaybackStarted(playback=1, text="Hello, this is the automatic help desk."), 200)
    desk.record(call_id, PlaybackEnded(playback=1, played_ms=2000, interrupted=False), 2200)
    desk.hear(call_id, "I do not understand my bill", utterance=0)
    desk.record(call_id, PlaybackStarted(playback=2, text="Your bill is 42 euros and 40 cents, and it was"), 6000)
    desk.record(call_id, PlaybackEnded(playback=2, played_ms=1500, interrupted=True), 7500)
    desk.hear(call_id, "can I talk to somebody please", utterance=1)
    desk.record(call_id, HandoffRequested(reason="asked for a person", skill="billing"), 9000)


async def away(panel: Panel) -> None:
    """Just signed in; a colleague is there."""
    panel.desk.arrive("carl", ["billing", "technical"])


async def ready(panel: Panel) -> None:
    """Two callers wait, and one is to be called back."""
    await away(panel)
    await panel.ready()
    panel.desk.queue("call-5", sample_brief("the bill is wrong"))
    panel.desk.queue("call-6", sample_brief("asked for a person"))
    await expect(panel.page.get_by_role("heading", name="Waiting (2)")).to_be_visible()
    await expect(panel.page.get_by_role("heading", name="To call back (2)")).to_be_visible()


async def ringing(panel: Panel) -> None:
    """Everything is there before the answer."""
    await ready(panel)
    panel.desk.ring(AGENT)
    await expect(panel.page.get_by_text("account number 1234 5678")).to_be_visible()


async def talking(panel: Panel) -> None:
    """In the middle of a call, with everything on the screen."""
    await away(panel)
    panel.desk.audio("carl", connected=True)
    panel.desk.set_presence("carl", "ready")
    await panel.ready()
    panel.desk.ring(AGENT)
    said_so_far(panel.desk)
    await panel.answer()
    panel.desk.hear("call-1", "Good morning, Bea here. I have your bill before me.", utterance=0, speaker="agent")
    panel.desk.hear("call-1", "when do I have to pay it", utterance=2)
    panel.desk.suggest("call-1", *SUGGESTIONS, utterance=2)
    panel.desk.record("call-1", NoteWritten(agent=AGENT, text="Wants the bill by post from now on."))
    panel.desk.record("call-1", PartialHeard(utterance=3, text="and can I also"))
    await expect(panel.page.get_by_text("and can I also")).to_be_visible()


async def transferring(panel: Panel) -> None:
    """The list of colleagues is open, on hold and muted."""
    await talking(panel)
    await panel.page.keyboard.press("Alt+h")
    await panel.page.keyboard.press("Alt+m")
    await panel.page.keyboard.press("Alt+t")
    await expect(panel.page.get_by_role("button", name="carl")).to_be_enabled()


async def keying(panel: Panel) -> None:
    """The keypad is open, and an article."""
    await talking(panel)
    await panel.page.keyboard.press("/")
    await panel.page.keyboard.type("lost sim")
    await panel.page.get_by_role("button", name="A lost SIM card").click()
    await expect(panel.page.get_by_role("heading", name="A lost SIM card").first).to_be_visible()
    await panel.page.keyboard.press("Alt+k")
    await panel.page.keyboard.type("12#")
    await expect(panel.page.get_by_text("12#")).to_be_visible()


async def wrapping(panel: Panel) -> None:
    """The caller hung up."""
    await talking(panel)
    panel.desk.hang_up_caller(AGENT)
    await expect(panel.page.get_by_role("heading", name="How did the call end?")).to_be_visible()
    await panel.page.keyboard.press("2")


async def troubled(panel: Panel) -> None:
    """The feed is away, and something was refused."""
    await talking(panel)
    await panel.page.route("**/api/agent/hold", lambda route: route.fulfill(status=409, body="{}"))
    await panel.page.keyboard.press("Alt+h")
    await expect(panel.page.get_by_role("alert")).to_be_visible()
    panel.desk.audio(AGENT, connected=False)
    panel.desk.fail_transfer(AGENT, "no_answer")
    await expect(panel.page.get_by_text("did not answer")).to_be_visible()


async def helping(panel: Panel) -> None:
    """The keys are shown."""
    await ready(panel)
    await panel.page.keyboard.press("?")
    await expect(panel.page.get_by_role("dialog")).to_be_visible()


async def choosing(panel: Panel) -> None:
    """The choice of devices is open."""
    await panel.ready()
    await panel.page.get_by_role("button", name="Sound").click()
    await expect(panel.page.get_by_label("Microphone")).to_be_visible()


async def consulting(panel: Panel) -> None:
    """A number outside is being called, and the drawer was used for it."""
    await talking(panel)
    panel.desk.consult(AGENT, NUMBER)
    await expect(panel.page.get_by_text(f"Calling {NUMBER}")).to_be_visible()


async def conferring(panel: Panel) -> None:
    """All three hear each other, and a supervisor whispers."""
    await consulting(panel)
    panel.desk.join_third(AGENT)
    panel.desk.hold(AGENT, on=False)
    panel.desk.hear("call-1", "The technician can be there at noon.", utterance=0, speaker="third")
    panel.desk.arrive("sue", [], supervisor=True)
    panel.desk.audio("sue", connected=True)
    panel.desk.supervise("sue", AGENT, "whisper")
    await expect(panel.page.get_by_text("sue whispers: you alone hear it.")).to_be_visible()


async def calling(panel: Panel) -> None:
    """Somebody is called back."""
    await ready(panel)
    await panel.page.get_by_role("button", name="Call +3225550177").click()
    await expect(panel.page.get_by_role("heading", name="Calling +3225550177")).to_be_visible()


async def overseeing(panel: Panel) -> None:
    """Two colleagues are in calls."""
    for number, name in enumerate(("carl", "dora"), 1):
        panel.desk.arrive(name, ["billing"])
        panel.desk.audio(name, connected=True)
        panel.desk.ring(name, f"call-{number}")
        panel.desk.answer(name, f"call-{number}")
    await expect(panel.page.get_by_role("heading", name="In a call (2)")).to_be_visible()


async def supervising(panel: Panel) -> None:
    """In the middle of a colleague's call, heard by the colleague alone."""
    await overseeing(panel)
    await panel.page.get_by_role("button", name="Listen to carl").click()
    await expect(panel.page.get_by_text("You listen: nobody hears you.")).to_be_visible(timeout=20_000)
    said_so_far(panel.desk)
    panel.desk.hear("call-1", "Good morning, Carl here. I have your bill before me.", utterance=0, speaker="agent")
    panel.desk.hear("call-1", "when do I have to pay it", utterance=2)
    panel.desk.suggest("call-1", *SUGGESTIONS, utterance=2)
    await panel.page.keyboard.press("Alt+w")
    await expect(panel.page.get_by_text("You whisper: carl alone hears you.")).to_be_visible()


STATES = (
    away,
    ready,
    ringing,
    talking,
    transferring,
    keying,
    consulting,
    conferring,
    calling,
    wrapping,
    troubled,
    helping,
    choosing,
)


async def look_at(panel: Panel, state: Callable[[Panel], Awaitable[None]], size: ViewportSize) -> None:
    """Nothing wrong with it, and nothing cut off."""
    await panel.page.set_viewport_size(size)
    await state(panel)
    await sound_axe(panel.page, f"panel-{state.__name__}-{size['width']}")
    assert await panel.page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    if size is DESK:
        assert await panel.page.evaluate("document.documentElement.scrollHeight") <= size["height"]
    assert panel.desk.presence(AGENT) in Presence


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
@pytest.mark.parametrize("size", [DESK, SIDE], ids=["desk", "side"])
async def test_a_state_is_sound(panel: Panel, state: Callable[[Panel], Awaitable[None]], size: ViewportSize) -> None:
    await look_at(panel, state, size)


@pytest.mark.parametrize("state", [overseeing, supervising], ids=lambda state: state.__name__)
@pytest.mark.parametrize("size", [DESK, SIDE], ids=["desk", "side"])
async def test_a_state_of_supervisors_is_sound(
    supervisors: Panel, state: Callable[[Panel], Awaitable[None]], size: ViewportSize
) -> None:
    await look_at(supervisors, state, size)
