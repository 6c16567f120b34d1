"""The agent's page at work, in a real browser before a desk in memory: what is told, and what is asked."""

import asyncio

import pytest
from playwright.async_api import Browser, Locator, expect

from dialog.events import PartialHeard, SpeechStarted
from dialog.people_events import Suggestion
from tests.agent_assist.web.conftest import Site
from tests.agent_assist.web.panel.conftest import AGENT, Panel, open_panel
from tests.agent_assist.web.watching import until
from tests.fakes.desk import FakeDesk
from tests.fakes.seats import sample_brief

pytestmark = pytest.mark.timeout(120)

DUE = Suggestion(article="bills/due", title="When a bill is due", reply="On the fifth.", words=("due",), score=0.9)
LOST = Suggestion(article="sim/lost", title="A lost SIM card", reply="I can block it.", words=("lost",), score=0.7)

HEARD = """
    globalThis.rung = 0;
    globalThis.shown = [];
    const start = OscillatorNode.prototype.start;
    OscillatorNode.prototype.start = function (at) { globalThis.rung += 1; return start.call(this, at); };
    globalThis.Notification = class { constructor(title, { body }) { globalThis.shown.push(body); } close() {} };
    Notification.permission = "granted";
    Object.defineProperty(document, "hidden", { get: () => globalThis.away ?? false });
"""
"""The page's script counts the notes of the ring and keeps what notifications say; `away` hides the tab."""


async def test_a_ring_is_heard_seen_and_answered_by_key(
    browser: Browser, site: Site, desk: FakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_panel(browser, site, desk, monkeypatch, HEARD) as panel:
        await panel.ready()
        await panel.page.evaluate("globalThis.away = true")
        panel.desk.ring(AGENT)
        # Everything is there before the answer: who, why, what is known, and all that was said in a few sentences.
        offer = panel.page.get_by_role("region", name="A call for you")
        for said in ("+3225550123", "Asked for a person", "Account number", "12345678", "Open: whether to pay it."):
            await expect(offer).to_contain_text(said)
        assert await panel.page.evaluate("globalThis.rung") > 2
        assert await panel.page.evaluate("globalThis.shown") == ["+3225550123: asked for a person"]
        assert await panel.page.title() == "☎ +3225550123: asked for a person"
        await until(panel.page, "document.title === 'Desk · Centralino'")
        await panel.answer()
        await panel.asked("answer", "call-1")
        await expect(panel.page.get_by_text("Open: whether to pay it.")).to_be_visible()
        await until(panel.page, "document.title === 'Desk · Centralino'")
        assert panel.answerer.tokens == {await panel.page.locator("meta[name=csrf]").get_attribute("content")}


async def test_an_agent_with_a_phone_opens_no_microphone_and_picks_that_up(panel: Panel) -> None:
    panel.desk.phone(AGENT, registered=True)
    await panel.ready()
    await expect(panel.page.get_by_text("Calls ring your phone.")).to_be_visible()
    panel.desk.ring(AGENT)
    offer = panel.page.get_by_role("region", name="A call for you")
    await expect(offer).to_contain_text("Pick up your phone.")
    await expect(offer.get_by_role("button", name="Answer")).to_have_count(0)
    panel.desk.pick_up(AGENT, "call-1")
    await expect(panel.page.get_by_role("button", name="Hang up")).to_be_visible()
    for name in ("Mute", "Keypad"):
        await expect(panel.page.get_by_role("button", name=name)).to_have_count(0)
    await panel.page.keyboard.press("Alt+k")
    await panel.page.keyboard.press("Alt+m")
    await expect(panel.page.get_by_text("Muted")).to_have_count(0)
    assert panel.answerer.tokens == set(), "the microphone was not asked for"
    await panel.page.keyboard.press("Alt+e")
    await panel.asked("hang_up")


async def test_the_page_opens_its_audio_when_the_phone_is_gone_and_closes_it_when_it_is_back(panel: Panel) -> None:
    panel.desk.phone(AGENT, registered=True)
    await panel.ready()
    panel.desk.phone(AGENT, registered=False)
    await expect(panel.page.locator("level-meter").first).to_be_visible(timeout=20_000)
    panel.desk.ring(AGENT)
    await panel.answer()
    panel.desk.phone(AGENT, registered=True)
    await expect(panel.page.locator("level-meter").first).to_be_visible()
    panel.desk.hang_up_caller(AGENT)
    await expect(panel.page.get_by_text("Calls ring your phone.")).to_be_visible(timeout=20_000)


async def test_declining_keeps_the_agent_ready(panel: Panel) -> None:
    await panel.ready()
    panel.desk.ring(AGENT)
    await expect(panel.page.get_by_role("button", name="Decline")).to_be_visible()
    await panel.page.keyboard.press("Alt+x")
    await panel.asked("decline", "call-1")
    await expect(panel.page.get_by_role("heading", name="You are ready.")).to_be_visible()


async def test_who_misses_a_call_is_away_with_the_microphone_closed(panel: Panel) -> None:
    await panel.ready()
    panel.desk.ring(AGENT)
    await expect(panel.page.get_by_role("button", name="Answer")).to_be_visible()
    panel.desk.withdraw(AGENT, "no_answer")
    await expect(panel.page.get_by_text("You did not answer in time")).to_be_visible()
    await expect(panel.page.get_by_text("Audio closed")).to_be_visible()
    assert panel.answerer.requests[-1] == "DELETE"
    assert panel.desk.asked[-1] == (AGENT, "set_presence", "ready")


async def test_all_sides_are_told_apart_and_partials_are_grey(panel: Panel) -> None:
    await panel.talking()
    page = panel.page
    panel.desk.record("call-1", SpeechStarted(utterance=0))
    panel.desk.record("call-1", PartialHeard(utterance=0, text="what about my"))
    grey = page.locator(".partial")
    await expect(grey).to_have_text("Callerwhat about my")
    panel.desk.hear("call-1", "what about my bill", utterance=0)
    panel.desk.hear("call-1", "One moment please", utterance=0, speaker="agent")
    await expect(grey).to_have_count(0)
    await expect(page.locator(".line.caller")).to_have_text("Callerwhat about my bill")
    await expect(page.locator(".line.agent")).to_have_text("beaOne moment please")
    await page.keyboard.press("Alt+Shift+1")  # there is no suggestion: nothing is asked
    panel.desk.speak(AGENT, "Your bill is open.")
    await expect(page.locator(".line.bot")).to_have_text("BotYour bill is open.")


async def test_the_transcript_follows_until_its_reader_scrolls_up(panel: Panel) -> None:
    await panel.talking()
    page = panel.page
    for utterance in range(30):
        panel.desk.hear("call-1", f"sentence number {utterance}", utterance=utterance)
    await expect(page.get_by_text("sentence number 29")).to_be_in_viewport()
    await page.get_by_role("log").hover()
    await page.mouse.wheel(0, -600)
    newest = page.get_by_role("button", name="Newest")
    await expect(newest).to_be_visible()
    panel.desk.hear("call-1", "the very last", utterance=30)
    await expect(page.get_by_text("the very last")).not_to_be_in_viewport()
    await newest.click()
    await expect(page.get_by_text("the very last")).to_be_in_viewport()


async def test_suggestions_are_copied_spoken_and_dismissed(panel: Panel) -> None:
    await panel.talking()
    page = panel.page
    panel.desk.hear("call-1", "when is it due I lost it", utterance=0)
    panel.desk.suggest("call-1", DUE, LOST)
    card = page.get_by_role("listitem").filter(has_text="When a bill is due")
    await expect(card).to_contain_text("On the fifth.")
    await expect(card).to_contain_text("Said: due · 90 % match")
    await expect(page.get_by_text("The caller: “when is it due I lost it”")).to_be_visible()
    await page.keyboard.press("Alt+1")
    await panel.asked("suggestion", "bills/due", "copied")
    assert await page.evaluate("navigator.clipboard.readText()") == "On the fifth."
    await expect(card).to_contain_text("Copied")
    # Also from within the note that is being written.
    await page.keyboard.press("Alt+n")
    await page.keyboard.press("Shift+Alt+2")
    await panel.asked("speak", "I can block it.", "sim/lost")
    await expect(page.get_by_role("listitem").filter(has_text="A lost SIM card")).to_contain_text("Spoken")
    await card.get_by_role("button", name="Speak").click()
    await panel.asked("speak", "On the fifth.", "bills/due")
    await page.get_by_role("button", name="Dismiss “When a bill is due”").click()
    await panel.asked("suggestion", "bills/due", "dismissed")
    await expect(card).to_have_count(0)
    await page.keyboard.press("Alt+0")
    await panel.asked("suggestion", "sim/lost", "dismissed")
    await expect(page.get_by_text("Nothing fits what was said last.")).to_be_visible()


async def test_a_note_is_saved_by_key_and_on_leaving(panel: Panel) -> None:
    await panel.talking()
    page = panel.page
    await page.keyboard.press("Alt+n")
    await page.keyboard.type("wants it by post")
    await page.keyboard.press("Control+Enter")
    await panel.asked("note", "wants it by post")
    await expect(page.get_by_role("listitem").filter(has_text="wants it by post")).to_be_visible()
    await expect(page.get_by_label("New note")).to_have_value("")
    await page.keyboard.type("and soon / 1")
    await page.get_by_role("searchbox").click()
    await panel.asked("note", "and soon / 1")


async def test_hold_mute_and_keys(panel: Panel) -> None:
    await panel.talking()
    page = panel.page
    await page.keyboard.press("Alt+h")
    await panel.asked("hold", True)
    await expect(page.get_by_text("On hold: the caller hears music")).to_be_visible()
    await page.keyboard.press("Alt+h")
    await panel.asked("hold", False)
    await page.keyboard.press("Alt+s")
    await panel.asked("pause_recording", True)
    await expect(page.get_by_text("The recording is paused: nothing that is said or keyed is kept.")).to_be_visible()
    await page.get_by_role("button", name="Record Alt+S").click()
    await panel.asked("pause_recording", False)
    mine = page.locator("level-meter[label='You']").get_by_role("meter")
    await moves(mine)
    await page.keyboard.press("Alt+m")
    await expect(page.get_by_text("Muted: the caller does not hear you.")).to_be_visible()
    await expect(mine).to_have_attribute("aria-valuenow", "0")
    await page.keyboard.press("Alt+k")
    await page.keyboard.type("4#")
    await expect(page.get_by_text("4#")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("button", name="Keypad")).to_be_focused()
    async with asyncio.timeout(20):
        while panel.answerer.messages != ['{"keys":"4"}', '{"keys":"#"}']:
            await asyncio.sleep(0.01)
    # The next caller is heard again by an agent who is heard.
    panel.desk.hang_up_caller(AGENT)
    await moves(mine)


async def test_a_transfer_is_declined_then_taken(panel: Panel) -> None:
    panel.desk.arrive("carl", ["billing"])
    panel.desk.arrive("dora", [])
    panel.desk.audio("carl", connected=True)
    panel.desk.set_presence("carl", "ready")
    await panel.talking()
    page = panel.page

    async def transfer() -> None:
        await page.keyboard.press("Alt+t")
        await expect(page.get_by_role("button", name="dora")).to_be_disabled()
        await page.get_by_role("button", name="carl").click()
        await expect(page.get_by_text("Ringing carl")).to_be_visible()

    await transfer()
    await panel.asked("transfer", "carl")
    panel.desk.decline("carl", "call-1")
    await expect(page.get_by_text("Your colleague declined.")).to_be_visible()
    await transfer()
    panel.desk.answer("carl", "call-1")
    await expect(page.get_by_text("The caller has been transferred.")).to_be_visible()
    await expect(page.get_by_role("heading", name="How did the call end?")).to_be_visible()


async def test_a_transfer_to_a_number_outside_fails_then_works(panel: Panel) -> None:
    await panel.talking()
    page = panel.page

    async def transfer() -> None:
        await page.keyboard.press("Alt+t")
        await page.keyboard.press("Tab")
        await expect(page.get_by_label("To a number outside")).to_be_focused()
        await page.keyboard.type("+32 2 555 01 23")
        await page.keyboard.press("Enter")
        await expect(page.get_by_text("Ringing +32 2 555 01 23")).to_be_visible()

    await transfer()
    await panel.asked("transfer_outside", "+32 2 555 01 23")
    panel.desk.fail_transfer(AGENT, "not_allowed")
    await expect(page.get_by_text("Callers may not be transferred to that number.")).to_be_visible()
    await transfer()
    panel.desk.finish_transfer(AGENT)
    await expect(page.get_by_text("The caller has been transferred.")).to_be_visible()
    await expect(page.get_by_role("heading", name="How did the call end?")).to_be_visible()


async def test_the_wrap_up_takes_the_note_that_was_being_written(panel: Panel) -> None:
    await panel.talking()
    page = panel.page
    panel.desk.hear("call-1", "thank you and goodbye", utterance=0)
    await page.keyboard.press("Alt+n")
    await page.keyboard.type("half a no")
    panel.desk.hang_up_caller(AGENT)
    note = page.get_by_label("Note", exact=True)
    await expect(note).to_be_focused()
    await page.keyboard.type("te")
    await expect(note).to_have_value("half a note")
    await expect(page.get_by_text("thank you and goodbye")).to_be_visible()
    await page.keyboard.press("Control+Enter")
    await expect(page.get_by_role("alert")).to_have_text("Please choose a disposition.")
    await page.get_by_role("heading", name="How did the call end?").click()
    await page.keyboard.press("2")
    await expect(page.get_by_role("radio", name="Follow-up")).to_be_checked()
    await page.keyboard.press("Control+Enter")
    await panel.asked("wrap_up", "call-1", "follow-up", "half a note")
    await expect(page.get_by_role("heading", name="You are ready.")).to_be_visible()
    assert [asked for asked in panel.desk.asked if asked[1] == "note"] == []


async def test_handing_back_and_hanging_up_by_key(panel: Panel) -> None:
    await panel.talking()
    await panel.page.keyboard.press("Alt+b")
    await panel.asked("hand_back")
    await expect(panel.page.get_by_text("The bot has the caller again.")).to_be_visible()
    await panel.page.keyboard.press("Alt+r")  # away afterwards
    await panel.page.keyboard.press("1")
    await panel.page.keyboard.press("Control+Enter")
    await expect(panel.page.get_by_role("heading", name="You are away")).to_be_visible()
    await panel.ready()
    panel.desk.ring(AGENT, "call-2")
    await panel.answer()
    await panel.page.keyboard.press("Alt+e")
    await panel.asked("hang_up")


async def test_two_who_take_the_same_call(panel: Panel) -> None:
    await panel.ready()
    panel.desk.arrive("carl", [])
    panel.desk.audio("carl", connected=True)
    panel.desk.set_presence("carl", "ready")
    panel.desk.queue("call-5", sample_brief("the bill is wrong"))
    panel.desk.queue("call-6")
    await expect(panel.page.get_by_role("button", name="Take “the bill is wrong”")).to_be_enabled()
    await panel.page.route("**/api/agent/pick", lambda route: route.fulfill(status=409, body="{}"))
    await panel.page.get_by_role("button", name="Take “the bill is wrong”").click()
    await expect(panel.page.get_by_role("alert")).to_contain_text("Somebody else was faster")
    await panel.page.unroute("**/api/agent/pick")
    await panel.page.get_by_role("button", name="Take “asked for a person”").click()
    await panel.asked("pick", "call-6")
    await expect(panel.page.get_by_role("button", name="Hang up")).to_be_visible()


async def test_articles_are_searched_read_and_spoken(panel: Panel) -> None:
    await panel.talking()
    page = panel.page
    await page.keyboard.press("/")
    await page.keyboard.type("lost")
    await expect(page.get_by_role("button", name="A lost SIM card")).to_be_visible()
    await page.keyboard.press("Enter")
    article = page.get_by_role("article")
    await expect(article).to_contain_text("Block it first.")
    await expect(article.locator("em")).to_have_text("first")
    await article.get_by_role("button", name="Speak it").click()
    await panel.asked("speak", "I can block the card at once.", "sim/lost")


async def moves(meter: Locator) -> None:
    """The fake microphone beeps once a second and briefly: looked at seldom, the meter always seems still."""
    async with asyncio.timeout(10):
        while await meter.get_attribute("aria-valuenow") == "0":
            await asyncio.sleep(0.05)
