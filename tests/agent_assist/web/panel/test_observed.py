"""A call that the agent has by another telephone: read and helped with on the page, and held elsewhere."""

import pytest
from playwright.async_api import Dialog, expect

from dialog.people_events import Suggestion
from tests.agent_assist.web.panel.conftest import AGENT, Panel

pytestmark = pytest.mark.timeout(120)

DUE = Suggestion(article="bills/due", title="When a bill is due", reply="On the fifth.", words=("due",), score=0.9)
BUTTONS = ("Mute", "Hold", "Keypad", "Transfer", "To the bot", "Hang up", "Speak")


async def test_a_call_elsewhere_is_shown_without_what_cannot_be_done_with_it(panel: Panel) -> None:
    page = panel.page
    panel.desk.observe(AGENT)
    await expect(page.get_by_text("On your telephone.")).to_be_visible()
    await expect(page.get_by_text("By your telephone system")).to_be_visible()
    panel.desk.hear("call-1", "When is my bill due?", utterance=0)
    panel.desk.hear("call-1", "One moment.", utterance=0, speaker="agent")
    panel.desk.suggest("call-1", DUE)
    for said in ("When is my bill due?", "One moment."):
        await expect(page.locator("transcript-view").get_by_text(said)).to_be_visible()
    await expect(page.get_by_text("On the fifth.")).to_be_visible()
    for name in BUTTONS:
        await expect(page.get_by_role("button", name=name)).to_have_count(0)
    for keys in ("Alt+m", "Alt+h", "Alt+k", "Alt+t", "Alt+b", "Alt+e", "Shift+Alt+1"):
        await page.keyboard.press(keys)
    await page.keyboard.press("Alt+1")  # what is asked is asked in order: the copy comes after all of them
    await panel.asked("suggestion", "bills/due", "copied")
    assert [asked for asked in panel.desk.asked if asked[1] != "arrive"] == [
        (AGENT, "suggestion", "bills/due", "copied")
    ]


async def test_notes_are_taken_and_the_page_may_be_left(panel: Panel) -> None:
    page = panel.page
    panel.desk.observe(AGENT)
    await expect(page.get_by_label("New note")).to_be_visible()
    await page.keyboard.press("Alt+n")
    await page.keyboard.type("Has a yellow router.")
    await page.keyboard.press("Control+Enter")
    await panel.asked("note", "Has a yellow router.")
    dialogs: list[Dialog] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog))  # a question that nobody answers would keep the page
    await page.reload()
    await expect(page.get_by_text("On your telephone.")).to_be_visible()
    assert dialogs == []
