"""Somebody outside whom the agent calls in: spoken with alone, heard by all, dropped, or left with the caller."""

import pytest
from playwright.async_api import Page, expect

from tests.agent_assist.web.panel.conftest import AGENT, Panel
from tests.fakes.floor import ThirdWhy
from tests.fakes.seats import sample_brief

pytestmark = pytest.mark.timeout(120)

NUMBER = "+32 2 555 01 99"


async def call_first(page: Page) -> None:
    """By keyboard alone: the drawer, the number, past *Send* to *Call first*."""
    await page.keyboard.press("Alt+t")
    await page.keyboard.press("Tab")
    await expect(page.get_by_label("To a number outside")).to_be_focused()
    await page.keyboard.type(NUMBER)
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("button", name="Send")).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("button", name="Call first")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_text(f"Calling {NUMBER}")).to_be_visible()


async def test_a_third_is_called_heard_by_all_and_has_the_caller(panel: Panel) -> None:
    await panel.talking()
    page = panel.page
    await call_first(page)
    await panel.asked("consult", NUMBER)
    states = page.locator("call-bar").get_by_role("status")
    await expect(states).to_have_text(f"Calling {NUMBER}: the caller hears music.")
    await expect(page.get_by_role("button", name="Put through")).to_be_disabled()
    await page.get_by_role("button", name="Take back").click()
    await expect(states).to_have_text(f"Calling {NUMBER}: the caller is with you.")
    await page.keyboard.press("Alt+h")
    panel.desk.join_third(AGENT)
    await expect(states).to_have_text(f"You speak with {NUMBER} alone; the caller hears music.")
    await page.get_by_role("button", name="All three").click()
    await panel.asked("hold", False)
    await expect(states).to_have_text(f"All three hear each other: you, the caller and {NUMBER}.")
    await page.keyboard.press("Alt+m")
    await expect(page.get_by_text("Muted: nobody hears you.")).to_be_visible()
    await page.keyboard.press("Alt+p")
    await panel.asked("put_through")
    await expect(page.get_by_text("The caller has been transferred.")).to_be_visible()
    await expect(page.get_by_role("heading", name="How did the call end?")).to_be_visible()


async def test_buttons_do_what_the_keys_do(panel: Panel) -> None:
    await panel.talking()
    page = panel.page
    await call_first(page)
    await page.get_by_role("button", name="Stop calling").click()
    await panel.asked("drop_third")
    await expect(page.get_by_text("On hold: the caller hears music, and you nothing.")).to_be_visible()
    await call_first(page)
    panel.desk.join_third(AGENT)
    await expect(page.get_by_role("button", name="Drop")).to_be_visible()
    await page.get_by_role("button", name="Put through").click()
    await panel.asked("put_through")


async def test_with_a_third_there_is_nowhere_else_to_go(panel: Panel) -> None:
    await panel.talking()
    page = panel.page
    await call_first(page)
    for name in ("Transfer", "To the bot"):
        await expect(page.get_by_role("button", name=name)).to_have_count(0)
    for keys in ("Alt+t", "Alt+b", "Alt+p"):
        await page.keyboard.press(keys)
    await page.keyboard.press("Alt+d")  # what is asked is asked in order: this comes after all of them
    await panel.asked("drop_third")
    assert [asked[1] for asked in panel.desk.asked][-2:] == ["consult", "drop_third"]
    await page.keyboard.press("Alt+d")  # there is nobody to drop any more
    await page.keyboard.press("Alt+b")
    await panel.asked("hand_back")
    assert [asked[1] for asked in panel.desk.asked][-2:] == ["drop_third", "hand_back"]


@pytest.mark.parametrize(
    ("why", "words"),
    [
        ("hung_up", f"{NUMBER} hung up."),
        ("no_answer", f"{NUMBER} did not answer."),
        ("not_allowed", f"{NUMBER} may not be called from here."),
        ("busy", "No more calls can be made right now."),
        ("failed", f"{NUMBER} could not be reached."),
        ("ended", f"The call with {NUMBER} has ended."),
    ],
)
async def test_why_a_third_is_gone_is_told(panel: Panel, why: ThirdWhy, words: str) -> None:
    await panel.talking()
    panel.desk.consult(AGENT, NUMBER)
    await expect(panel.page.get_by_text(f"Calling {NUMBER}")).to_be_visible()
    panel.desk.lose_third(AGENT, why)
    await expect(panel.page.get_by_text(words)).to_be_visible()
    await expect(panel.page.get_by_role("button", name="Transfer")).to_be_visible()


async def test_what_a_third_says_is_told_apart(panel: Panel) -> None:
    await panel.talking()
    page = panel.page
    panel.desk.consult(AGENT, NUMBER)
    panel.desk.join_third(AGENT)
    panel.desk.hear("call-1", "The technician is on the way.", utterance=0, speaker="third")
    await expect(page.locator(".line.third")).to_have_text(f"{NUMBER}The technician is on the way.")
    for said in (f"{NUMBER} is called.", f"{NUMBER} is in the call."):
        await expect(page.locator(".line.note").get_by_text(said)).to_be_visible()
    panel.desk.drop_third(AGENT)
    await expect(page.locator(".line.note").get_by_text(f"{NUMBER} is no longer in the call.")).to_be_visible()


async def test_a_page_loaded_again_knows_the_third(panel: Panel) -> None:
    await panel.talking()
    panel.desk.consult(AGENT, NUMBER)
    panel.desk.join_third(AGENT)
    await panel.page.reload()
    await expect(panel.page.get_by_text(f"You speak with {NUMBER} alone; the caller hears music.")).to_be_visible()
    await panel.page.keyboard.press("Alt+d")
    await panel.asked("drop_third")


@pytest.mark.parametrize("transport", ["browser", "stream"])
async def test_who_cannot_be_sent_to_a_number_is_put_through_to_it(panel: Panel, transport: str) -> None:
    await panel.ready()
    panel.desk.ring(AGENT, "call-1", sample_brief().model_copy(update={"transport": transport}))
    await panel.answer()
    page = panel.page
    await page.keyboard.press("Alt+t")
    await expect(page.get_by_text("This caller cannot be sent to a number")).to_be_visible()
    await expect(page.get_by_role("button", name="Send")).to_have_count(0)
    await page.keyboard.press("Tab")
    await page.keyboard.type(NUMBER)
    await page.keyboard.press("Enter")
    await panel.asked("consult", NUMBER)
