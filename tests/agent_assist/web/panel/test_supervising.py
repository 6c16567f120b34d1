"""A supervisor in the call of a colleague, as the one sees it and the other."""

import pytest
from playwright.async_api import Dialog, expect

from dialog.people_events import Suggestion
from tests.agent_assist.web.panel.conftest import AGENT, Panel

pytestmark = pytest.mark.timeout(120)

DUE = Suggestion(article="bills/due", title="When a bill is due", reply="On the fifth.", words=("due",), score=0.9)
NOT_THEIRS = ("Mute", "Hold", "Keypad", "Transfer", "To the bot", "Hang up", "Speak", "Dismiss")


def colleague_talks(panel: Panel) -> None:
    """Carl has a caller."""
    panel.desk.arrive("carl", ["billing"])
    panel.desk.audio("carl", connected=True)
    panel.desk.set_presence("carl", "ready")
    panel.desk.ring("carl")
    panel.desk.answer("carl", "call-1")


async def listen(panel: Panel) -> None:
    """Be in Carl's call."""
    colleague_talks(panel)
    await panel.page.get_by_role("button", name="Listen to carl").click()
    await expect(panel.page.get_by_text("You listen: nobody hears you.")).to_be_visible(timeout=20_000)


async def test_an_agent_is_offered_no_call_of_others(panel: Panel) -> None:
    colleague_talks(panel)
    panel.desk.queue("call-5")
    await expect(panel.page.get_by_role("heading", name="Waiting (1)")).to_be_visible()
    await expect(panel.page.get_by_role("heading", name="In a call")).to_have_count(0)


async def test_a_supervisor_listens_whispers_joins_and_leaves(supervisors: Panel) -> None:
    panel, page = supervisors, supervisors.page
    await expect(page.get_by_text("No colleague is in a call.")).to_be_visible()
    colleague_talks(panel)
    await expect(page.get_by_role("heading", name="In a call (1)")).to_be_visible()
    await page.get_by_role("button", name="Listen to carl").click()
    await panel.asked("supervise", "carl", "listen")
    await expect(page.get_by_role("heading", name="Call of carl")).to_be_focused()
    states = page.locator("supervision-bar").get_by_role("status")
    await expect(states).to_have_text("You listen: nobody hears you.")
    await page.keyboard.press("Alt+w")
    await expect(states).to_have_text("You whisper: carl alone hears you.")
    await page.get_by_role("button", name="Join").click()
    await panel.asked("supervise", "carl", "join")
    await expect(states).to_have_text("You have joined: all hear you.")
    await expect(page.get_by_role("button", name="Join")).to_have_attribute("aria-pressed", "true")
    await page.keyboard.press("Alt+j")  # as it is
    await page.keyboard.press("Alt+l")
    await expect(states).to_have_text("You listen: nobody hears you.")
    await page.keyboard.press("Alt+e")
    await panel.asked("supervise", "carl", "none")
    await expect(page.get_by_text("You are no longer in the call of carl.")).to_be_visible()
    await expect(page.get_by_text("Audio closed")).to_be_visible()
    assert [asked[3] for asked in panel.desk.asked if asked[1] == "supervise"] == [
        "listen",
        "whisper",
        "join",
        "listen",
        "none",
    ]


async def test_the_call_is_to_be_read_and_nothing_else(supervisors: Panel) -> None:
    panel, page = supervisors, supervisors.page
    await listen(panel)
    panel.desk.hear("call-1", "When is my bill due?", utterance=0)
    panel.desk.hear("call-1", "One moment.", utterance=0, speaker="agent")
    panel.desk.suggest("call-1", DUE)
    await expect(page.locator(".line.caller")).to_have_text("CallerWhen is my bill due?")
    await expect(page.locator(".line.agent")).to_have_text("carlOne moment.")
    for said in ("Open: whether to pay it.", "On the fifth."):
        await expect(page.get_by_text(said)).to_be_visible()
    for name in NOT_THEIRS:
        await expect(page.get_by_role("button", name=name)).to_have_count(0)
    await expect(page.get_by_label("New note")).to_have_count(0)
    before = len(panel.desk.asked)
    for keys in (
        "Alt+m",
        "Alt+h",
        "Alt+k",
        "Alt+t",
        "Alt+p",
        "Alt+d",
        "Alt+b",
        "Alt+n",
        "Alt+1",
        "Shift+Alt+1",
        "Alt+0",
    ):
        await page.keyboard.press(keys)
    await page.keyboard.press("Alt+w")  # what is asked is asked in order: this comes after all of them
    await panel.asked("supervise", "carl", "whisper")
    assert panel.desk.asked[before:] == [(AGENT, "supervise", "carl", "whisper")]
    assert await page.evaluate("navigator.clipboard.readText()") == "On the fifth."


async def test_who_listens_is_out_when_the_colleague_is(supervisors: Panel) -> None:
    await listen(supervisors)
    supervisors.desk.hang_up_caller("carl")
    await expect(supervisors.page.get_by_text("carl is no longer in that call, and neither are you.")).to_be_visible()
    await expect(supervisors.page.get_by_role("heading", name="You are away")).to_be_visible()
    await expect(supervisors.page.get_by_text("No colleague is in a call.")).to_be_visible()


async def test_a_page_loaded_again_is_out_of_it_without_a_question(supervisors: Panel) -> None:
    panel, page = supervisors, supervisors.page
    await listen(panel)
    dialogs: list[Dialog] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog))  # a question that nobody answers would keep the page
    await page.reload()
    await expect(page.get_by_role("heading", name="You are away")).to_be_visible()
    await expect(page.get_by_role("button", name="Listen to carl")).to_be_enabled()
    assert dialogs == []


async def test_without_audio_nobody_listens(supervisors: Panel) -> None:
    await listen(supervisors)
    await supervisors.answerer.vanish()
    await expect(supervisors.page.get_by_text("You are no longer in the call of carl.")).to_be_visible(timeout=20_000)
    await supervisors.page.get_by_role("button", name="Listen to carl").click()
    await expect(supervisors.page.get_by_text("You listen: nobody hears you.")).to_be_visible(timeout=30_000)


async def test_a_refused_microphone_listens_to_nobody(supervisors: Panel) -> None:
    panel = supervisors
    colleague_talks(panel)
    await panel.refuse_microphone()
    await panel.page.get_by_role("button", name="Listen to carl").click()
    await expect(panel.page.get_by_text("told not to let this page use the microphone")).to_be_visible()
    assert [asked for asked in panel.desk.asked if asked[1] == "supervise"] == []


async def test_an_agent_sees_who_supervises_and_hears_of_it_in_the_text(panel: Panel) -> None:
    await panel.talking()
    panel.desk.arrive("sue", [], supervisor=True)
    panel.desk.audio("sue", connected=True)
    states = panel.page.locator("call-bar").get_by_role("status")
    panel.desk.supervise("sue", AGENT, "listen")
    await expect(states).to_have_text("sue listens.")
    panel.desk.supervise("sue", AGENT, "whisper")
    await expect(states).to_have_text("sue whispers: you alone hear it.")
    panel.desk.supervise("sue", AGENT, "join")
    await expect(states).to_have_text("sue has joined: all hear sue.")
    panel.desk.hear("call-1", "Good day, I am Bea's supervisor.", utterance=0, speaker="third")
    await expect(panel.page.locator(".line.third")).to_have_text("sueGood day, I am Bea's supervisor.")
    await panel.page.reload()
    await expect(states).to_have_text("sue has joined: all hear sue.")
    panel.desk.supervise("sue", AGENT, "none")
    await expect(states).to_have_text("")
    for said in (
        "sue listens.",
        "sue whispers to the agent.",
        "sue is in the call, too.",
        "sue is no longer in the call.",
    ):
        await expect(panel.page.locator(".line.note").get_by_text(said)).to_be_visible()
