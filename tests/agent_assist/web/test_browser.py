"""The pages in a real browser: signed in, read, listened to; and the caller's page against a WebRTC answerer."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, expect

from agent_assist.auth.users import Role
from agent_assist.web.settings import SiteSettings
from dialog.events import CallEnded, FinalHeard, Record
from tests.agent_assist.journals import balance_call
from tests.agent_assist.web.conftest import PASSWORD, Site
from tests.agent_assist.web.watching import Watched, look, sound_axe, until
from tests.fakes.chromium import chromium
from tests.fakes.whip_answerer import WhipAnswerer

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def settings() -> SiteSettings:
    return SiteSettings()


@pytest.fixture
async def answerer(site: Site, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WhipAnswerer]:
    answerer = WhipAnswerer(monkeypatch)
    site.app.include_router(answerer.router)
    yield answerer
    await answerer.vanish()


async def sign_in(page: Page, site: Site, name: str = "anna") -> None:
    await page.goto(f"{site.url}/calls")
    await page.get_by_label("Name").fill(name)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"{site.url}/calls")


async def test_signing_in_reading_listening_erasing(browser: Browser, site: Site, recorded: bytes) -> None:
    await site.store.append(balance_call("call-2", ended=False))
    page = await browser.new_page(viewport={"width": 1100, "height": 900})
    watched = Watched(page, site.url)
    await page.goto(f"{site.url}/signin")
    await sound_axe(page, "signin")
    await sign_in(page, site)
    await expect(page.get_by_role("row")).to_have_count(3)
    await sound_axe(page, "calls")
    await page.get_by_role("row").filter(has_text="caller hung up").get_by_role("link").click()
    await expect(page.get_by_role("heading", name="sip:+3225550123@127.0.0.1")).to_be_visible()
    line = page.get_by_role("button").filter(has_text="what is my balance")
    await expect(line).to_be_visible()
    await sound_axe(page, "record")
    # A line clicked is a moment heard.
    await line.click()
    now = "document.querySelector('#audio').currentTime"
    await until(page, f"{now} > 6.2 && {now} < 9")
    await expect(page.locator("li.now")).to_contain_text("what is my balance")
    await expect(page.locator("#playhead")).to_have_attribute("visibility", "visible")
    assert await page.evaluate("document.querySelector('#audio').duration") == pytest.approx(16, abs=0.1)
    await look(page, "record-playing")
    await page.get_by_role("button", name="Erase this call").click()
    await sound_axe(page, "erase")
    await page.get_by_role("button", name="Erase", exact=True).click()
    await page.wait_for_url(f"{site.url}/calls")
    await expect(page.get_by_role("row")).to_have_count(2)
    assert await site.store.head("call-1") is None
    await page.get_by_role("button", name="Sign out anna").click()
    await page.wait_for_url(f"{site.url}/signin")
    assert watched.complaints == []


async def test_the_api_is_described_without_help_from_elsewhere(browser: Browser, site: Site) -> None:
    page = await browser.new_page(viewport={"width": 1100, "height": 900})
    watched = Watched(page, site.url)
    await page.goto(f"{site.url}/docs")
    await expect(page.get_by_text("/api/calls/{call_id}/audio")).to_be_visible()
    await page.get_by_text("CallEnded", exact=True).click()
    await sound_axe(page, "docs")
    assert watched.complaints == []


def conversation() -> list[Record]:
    return [record for record in balance_call("call-1") if not isinstance(record.event, CallEnded)]


async def test_a_call_is_placed_followed_and_ended_by_the_bot(
    browser: Browser, site: Site, answerer: WhipAnswerer
) -> None:
    page = await browser.new_page(viewport={"width": 1100, "height": 900})
    watched = Watched(page, site.url)
    await page.goto(site.url)
    await expect(page.get_by_text("Ready when you are.")).to_be_visible()
    await expect(page.get_by_role("button", name="star")).to_be_disabled()
    await sound_axe(page, "call-idle")
    await page.get_by_role("button", name="Call").press("Enter")
    await expect(page.get_by_text("You are connected.")).to_be_visible(timeout=15_000)
    told = conversation()
    partial = next(n for n, record in enumerate(told) if isinstance(record.event, FinalHeard))
    await answerer.tell(told[:partial])
    grey = page.locator(".partial")
    await expect(grey).to_contain_text("what is my balance")
    await expect(page.get_by_text("Hello, this is the automatic help desk.")).to_be_visible()
    # the fake microphone beeps once a second, so it has to be looked at often
    await until(page, "document.querySelector('call-page').shadowRoot.querySelectorAll('level-meter')[0].level > 0.1")
    desk = page.locator("level-meter[label='Help desk']").get_by_role("meter")
    await until(page, "document.querySelector('call-page').shadowRoot.querySelectorAll('level-meter')[1].level > 0.3")
    await expect(desk).to_be_visible()
    await sound_axe(page, "call-talking")
    await answerer.tell(told[partial:])
    await expect(grey).to_have_count(0)
    await expect(page.get_by_text("(interrupted)")).to_be_visible()
    # Keys: by button, by keyboard, and not while the device choice has them.
    await page.get_by_role("button", name="star").click()
    await page.keyboard.press("5")
    await page.keyboard.press("a")
    await expect(page.get_by_text("Keyed *5")).to_be_visible()
    await asyncio.sleep(0.2)
    assert answerer.messages == ['{"keys":"*"}', '{"keys":"5"}']
    await answerer.tell([Record(call_id="call-1", seq=len(told), at_ms=1, event=CallEnded(cause="bot", duration_ms=1))])
    await expect(page.get_by_text("The call has ended.")).to_be_visible()
    await expect(page.get_by_role("button", name="Call again")).to_be_enabled()
    await sound_axe(page, "call-ended")
    assert watched.complaints == []


async def test_a_lost_connection_is_taken_up_again_without_a_double(
    browser: Browser, site: Site, answerer: WhipAnswerer
) -> None:
    page = await browser.new_page()
    await page.goto(site.url)
    await page.get_by_role("button", name="Call").click()
    await expect(page.get_by_text("You are connected.")).to_be_visible(timeout=15_000)
    told = conversation()
    await answerer.tell(told[:5])
    await expect(page.get_by_text("How can I help you?")).to_be_visible()
    answerer.refuse_with = 500
    await answerer.vanish()
    await expect(page.get_by_text("Trying to get it back")).to_be_visible(timeout=20_000)
    answerer.refuse_with = 0
    await expect(page.get_by_text("You are connected.")).to_be_visible(timeout=15_000)
    assert set(answerer.requests[1:]) == {"PATCH"}
    await answerer.tell(told)
    await expect(page.get_by_text("what is my balance")).to_have_count(1)
    await expect(page.get_by_text("How can I help you?")).to_have_count(1)
    await page.get_by_role("button", name="Hang up").click()
    await expect(page.get_by_text("You hung up.")).to_be_visible()
    async with asyncio.timeout(20):
        while answerer.requests[-1] != "DELETE":
            await asyncio.sleep(0.01)


async def test_a_call_that_is_over_meanwhile_is_not_called_back(
    browser: Browser, site: Site, answerer: WhipAnswerer
) -> None:
    page = await browser.new_page()
    await page.goto(site.url)
    await page.get_by_role("button", name="Call").click()
    await expect(page.get_by_text("You are connected.")).to_be_visible(timeout=15_000)
    answerer.refuse_with = 404
    await answerer.vanish()
    await expect(page.get_by_text("The call has ended.")).to_be_visible(timeout=20_000)


@pytest.mark.parametrize(
    ("status", "words"), [(503, "All lines are busy."), (429, "All lines are busy."), (500, "could not be set up")]
)
async def test_a_refused_offer_is_told(
    browser: Browser, site: Site, answerer: WhipAnswerer, status: int, words: str
) -> None:
    answerer.refuse_with = status
    page = await browser.new_page()
    await page.goto(site.url)
    await page.get_by_role("button", name="Call").click()
    await expect(page.get_by_role("alert")).to_contain_text(words)
    await expect(page.get_by_role("button", name="Call again")).to_be_enabled()


async def test_leaving_the_page_ends_the_call(browser: Browser, site: Site, answerer: WhipAnswerer) -> None:
    page = await browser.new_page()
    await page.goto(site.url)
    await page.get_by_role("button", name="Call").click()
    await expect(page.get_by_text("You are connected.")).to_be_visible(timeout=15_000)
    await page.goto(f"{site.url}/docs")
    async with asyncio.timeout(20):
        while answerer.requests[-1] != "DELETE":
            await asyncio.sleep(0.01)


async def test_a_refused_microphone_is_told_in_words(site: Site) -> None:
    async with chromium("--deny-permission-prompts") as browser:
        page = await browser.new_page()
        watched = Watched(page, site.url)
        await page.goto(site.url)
        await page.get_by_role("button", name="Call").click()
        await expect(page.get_by_role("alert")).to_contain_text("told not to let this page use the microphone")
        await sound_axe(page, "call-refused")
        assert watched.complaints == []


async def test_no_microphone_is_told_in_words(browser: Browser, site: Site) -> None:
    page = await browser.new_page()
    # A machine without one, as the browser itself reports it.
    await page.add_init_script(
        "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('none', 'NotFoundError'); }"
    )
    await page.goto(site.url)
    await page.get_by_role("button", name="Call").click()
    await expect(page.get_by_role("alert")).to_contain_text("No microphone was found.")


async def test_an_insecure_page_says_so_at_once(browser: Browser, site: Site) -> None:
    page = await browser.new_page()
    watched = Watched(page, site.url)
    await page.goto(site.url.replace("127.0.0.1", "centralino.test"))
    await expect(page.get_by_role("alert")).to_contain_text("secure connection")
    await expect(page.get_by_role("button", name="Call")).to_be_disabled()
    await sound_axe(page, "call-insecure")
    assert watched.complaints == []


async def test_who_may_not_erase_reads_a_call_without_trouble(browser: Browser, site: Site, recorded: bytes) -> None:
    await site.users.add("sue", Role.SUPERVISOR, PASSWORD)
    page = await browser.new_page()
    watched = Watched(page, site.url)
    await sign_in(page, site, "sue")
    await page.goto(f"{site.url}/calls/call-1")
    await page.get_by_role("button").filter(has_text="what is my balance").click()
    await expect(page.locator("li.now")).to_contain_text("what is my balance")
    assert watched.complaints == []


async def test_small_screens_fit(browser: Browser, site: Site, answerer: WhipAnswerer, recorded: bytes) -> None:
    page = await browser.new_page(viewport={"width": 360, "height": 740})
    for path, name in (("/", "call"), ("/signin", "signin"), ("/docs", "docs")):
        await page.goto(site.url + path)
        await look(page, f"small-{name}")
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360, path
    await sign_in(page, site)
    for path, name in (("/calls", "calls"), ("/calls/call-1", "record")):
        await page.goto(site.url + path)
        await look(page, f"small-{name}")
        assert await page.evaluate("document.documentElement.scrollWidth") <= 360, path
