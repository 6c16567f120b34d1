"""Callers who asked to be called back: called by the node for the agent, and struck off when that is done."""

import pytest
from playwright.async_api import Dialog, expect

from agent_assist.desk.ports import Presence
from tests.agent_assist.web.panel.conftest import AGENT, Panel
from tests.fakes.floor import ThirdWhy

pytestmark = pytest.mark.timeout(120)

NUMBER = "+3225550177"
CALL_OUT = ("call_out", NUMBER, "asked for a person")


async def call(panel: Panel) -> None:
    """Press the button of the one who has a number."""
    await panel.page.get_by_role("button", name=f"Call {NUMBER}").click()
    await expect(panel.page.get_by_role("heading", name=f"Calling {NUMBER} …")).to_be_visible(timeout=20_000)


async def test_who_asked_to_be_called_back_is_struck_off(panel: Panel) -> None:
    task = panel.page.get_by_role("listitem").filter(has_text=NUMBER)
    await expect(task).to_contain_text("Asked for a person")
    await task.get_by_role("button", name="Done").click()
    await expect(task).to_have_count(0)
    await expect(panel.page.get_by_role("heading", name="To call back (1)")).to_be_visible()


async def test_who_has_no_number_is_not_called(panel: Panel) -> None:
    task = panel.page.get_by_role("listitem").filter(has_text="The bill")
    await expect(task.get_by_role("button", name="Done")).to_be_visible()
    await expect(task.get_by_role("button")).to_have_count(1)


async def test_an_agent_who_was_away_calls_back_and_writes_it_up(panel: Panel) -> None:
    page = panel.page
    await call(panel)
    await panel.asked(*CALL_OUT)
    await expect(page.get_by_role("heading", name=f"Calling {NUMBER} …")).to_be_focused()
    await expect(page.get_by_role("region", name=f"Calling {NUMBER}")).to_contain_text("Asked for a person")
    await expect(page.locator("presence-switch").get_by_role("status")).to_have_text("Calling")
    await expect(page.get_by_role("button", name=f"Call {NUMBER}")).to_be_disabled()
    panel.desk.reach(AGENT)
    await expect(page.get_by_role("button", name="Hang up")).to_be_visible()
    await expect(page.get_by_role("meter", name="You")).to_be_visible()
    await expect(page.locator("brief-card")).to_contain_text("Asked for a person")
    panel.desk.hear("call-9", "Oh, thank you for calling.", utterance=0)
    await expect(page.locator(".line.caller")).to_have_text("CallerOh, thank you for calling.")
    await page.keyboard.press("Alt+e")
    await expect(page.get_by_role("heading", name="How did the call end?")).to_be_focused()
    await page.keyboard.press("1")
    await page.keyboard.press("Control+Enter")
    await expect(page.get_by_role("heading", name="You are away")).to_be_visible()
    await expect(page.get_by_text("Audio closed")).to_be_visible()
    # It may have been a voice mailbox: the task is there until somebody says that it is done.
    await expect(page.get_by_role("button", name=f"Done: {NUMBER}")).to_be_visible()


async def test_calling_is_stopped_by_key_and_by_button(panel: Panel) -> None:
    page = panel.page
    await panel.ready()
    await call(panel)
    await page.keyboard.press("Alt+x")
    await panel.asked("give_up")
    await expect(page.get_by_role("heading", name="You are ready.")).to_be_visible()
    await call(panel)
    await page.get_by_role("button", name="Cancel").click()
    await expect(page.get_by_role("heading", name="You are ready.")).to_be_visible()
    await page.keyboard.press("Alt+x")  # nobody is called any more
    await page.get_by_role("button", name="Away", exact=True).click()
    await panel.asked("set_presence", "away")
    assert [asked[1] for asked in panel.desk.asked].count("give_up") == 2


@pytest.mark.parametrize(
    ("why", "words"),
    [
        ("hung_up", f"{NUMBER} hung up."),
        ("no_answer", f"{NUMBER} did not answer."),
        ("not_allowed", f"{NUMBER} may not be called from here."),
        ("busy", "No more calls can be made right now."),
        ("failed", f"{NUMBER} could not be reached."),
    ],
)
async def test_why_nobody_was_reached_is_told(panel: Panel, why: ThirdWhy, words: str) -> None:
    await call(panel)
    panel.desk.miss(AGENT, why)
    await expect(panel.page.get_by_text(words)).to_be_visible()
    await expect(panel.page.get_by_role("heading", name="You are away")).to_be_visible()
    await expect(panel.page.get_by_text("Audio closed")).to_be_visible()
    await expect(panel.page.get_by_role("button", name=f"Call {NUMBER}")).to_be_enabled()


async def test_who_has_a_phone_calls_back_by_the_browser(panel: Panel) -> None:
    panel.desk.phone(AGENT, registered=True)
    await expect(panel.page.get_by_text("Calls ring your phone.")).to_be_visible()
    await call(panel)
    panel.desk.miss(AGENT, "no_answer")
    await expect(panel.page.get_by_text("Calls ring your phone.")).to_be_visible()


async def test_a_page_loaded_again_calls_nobody_and_asks_before(panel: Panel) -> None:
    await call(panel)
    asked: list[str] = []

    async def go_on(dialog: Dialog) -> None:
        asked.append(dialog.type)
        await dialog.accept()

    panel.page.on("dialog", go_on)
    await panel.page.reload()
    await expect(panel.page.get_by_role("heading", name="You are away")).to_be_visible()
    assert asked == ["beforeunload"]


async def test_a_refused_microphone_calls_nobody(panel: Panel) -> None:
    await panel.refuse_microphone()
    await panel.page.get_by_role("button", name=f"Call {NUMBER}").click()
    await expect(panel.page.get_by_text("told not to let this page use the microphone")).to_be_visible()
    await expect(panel.page.get_by_role("button", name=f"Call {NUMBER}")).to_be_enabled()
    assert panel.desk.presence(AGENT) is Presence.AWAY
    assert [asked for asked in panel.desk.asked if asked[1] == "call_out"] == []


async def test_a_refusal_is_told_and_the_microphone_closed(panel: Panel) -> None:
    await panel.page.route("**/callbacks/1/call", lambda route: route.fulfill(status=409, body='{"detail": "no"}'))
    await panel.page.get_by_role("button", name=f"Call {NUMBER}").click()
    await expect(panel.page.get_by_role("alert")).to_contain_text("That is not possible right now: no.", timeout=20_000)
    await expect(panel.page.get_by_text("Audio closed")).to_be_visible()
