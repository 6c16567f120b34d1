"""What lasts on the agent's page when it is loaded again, cut off, opened twice, or left without a microphone."""

import asyncio

import httpx
import pytest
from playwright.async_api import Browser, Dialog, WebSocketRoute, expect

from agent_assist.desk.ports import Presence
from tests.agent_assist.web.conftest import PASSWORD, Site
from tests.agent_assist.web.panel.conftest import AGENT, Panel, open_panel
from tests.agent_assist.web.panel.test_work import DUE
from tests.agent_assist.web.watching import until
from tests.fakes.desk import FakeDesk

pytestmark = pytest.mark.timeout(120)


async def test_a_page_loaded_again_in_mid_call_is_whole(panel: Panel) -> None:
    await panel.talking()
    page = panel.page
    panel.desk.hear("call-1", "my name is Vermeer", utterance=0)
    panel.desk.suggest("call-1", DUE)
    await page.keyboard.press("Alt+n")
    await page.keyboard.type("spelled with two e")
    warned: list[str] = []

    async def stay_not(dialog: Dialog) -> None:
        warned.append(dialog.type)
        await dialog.accept()

    page.on("dialog", stay_not)
    await page.reload()
    assert warned == ["beforeunload"]
    for said in ("Callermy name is Vermeer", "Open: whether to pay it.", "On the fifth."):
        await expect(page.locator("p").filter(has_text=said)).to_have_count(1)
    await expect(page.get_by_label("New note")).to_have_value("spelled with two e")
    await until(page, "document.querySelector('agent-page').shadowRoot.querySelector('sound-strip').state === 'open'")
    assert panel.answerer.requests == ["POST", "DELETE", "POST"]
    panel.desk.hear("call-1", "and I am still here", utterance=1)
    await expect(page.get_by_text("and I am still here")).to_have_count(1)


async def test_a_page_loaded_again_between_calls_is_ready_again(panel: Panel) -> None:
    await panel.ready()
    await panel.page.reload()
    await expect(panel.page.get_by_role("heading", name="You are ready.")).to_be_visible(timeout=20_000)


async def test_a_feed_that_is_cut_goes_on_without_a_hole_or_a_double(
    browser: Browser, site: Site, desk: FakeDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_panel(browser, site, desk, monkeypatch) as panel:
        page = panel.page
        routes: list[WebSocketRoute] = []
        blocked = asyncio.Event()

        async def pass_on(route: WebSocketRoute) -> None:
            if blocked.is_set():
                await route.close(code=1012)
                return
            routes.append(route)
            route.connect_to_server()

        await page.route_web_socket("**/api/agent/feed*", pass_on)
        await page.reload()
        await panel.talking()
        panel.desk.hear("call-1", "before the cut", utterance=0)
        await expect(page.get_by_text("before the cut")).to_be_visible()
        blocked.set()
        await routes[0].close(code=1012)
        await expect(page.get_by_role("alert")).to_contain_text("The desk cannot be reached")
        panel.desk.hear("call-1", "during the cut", utterance=1)
        blocked.clear()
        await expect(page.get_by_text("during the cut")).to_be_visible(timeout=15_000)
        panel.desk.hear("call-1", "after the cut", utterance=2)
        await expect(page.get_by_text("after the cut")).to_be_visible()
        await expect(page.get_by_role("alert")).to_have_count(0)
        assert "after=" in routes[-1].url
        for said in ("before the cut", "during the cut", "after the cut"):
            await expect(page.get_by_text(said)).to_have_count(1)


async def test_the_audio_comes_back_by_itself(panel: Panel) -> None:
    await panel.talking()
    await panel.answerer.vanish()
    await expect(panel.page.get_by_text("Your audio is away")).to_be_visible()
    await expect(panel.page.get_by_text("Your audio is away")).to_have_count(0, timeout=30_000)
    assert panel.answerer.requests[:2] == ["POST", "PATCH"]


async def test_one_tab_has_the_audio(panel: Panel) -> None:
    await panel.ready()
    other = await panel.page.context.new_page()
    await other.goto(f"{panel.site.url}/agent")
    await expect(other.get_by_text("Another tab has the audio.")).to_be_visible(timeout=15_000)
    await other.get_by_role("button", name="Use it here").click()
    await expect(panel.page.get_by_text("Another tab has the audio.")).to_be_visible(timeout=15_000)
    await expect(other.get_by_role("meter", name="You")).to_be_visible(timeout=15_000)
    assert panel.desk.presence(AGENT) is Presence.READY


async def test_an_ended_session_is_told_and_nothing_goes_on(panel: Panel) -> None:
    token = await panel.page.locator("meta[name=csrf]").get_attribute("content")
    cookies = {cookie["name"]: cookie["value"] for cookie in await panel.page.context.cookies()}
    async with httpx.AsyncClient(base_url=panel.site.url, trust_env=False, cookies=cookies) as elsewhere:
        await elsewhere.post("/signout", data={"csrf": token})
    await expect(panel.page.get_by_role("alert")).to_contain_text("You are signed out.")
    await panel.page.get_by_role("link", name="Sign in again").click()
    await panel.page.get_by_label("Name").fill(AGENT)
    await panel.page.get_by_label("Password").fill(PASSWORD)
    await panel.page.keyboard.press("Enter")
    await panel.page.wait_for_url(f"{panel.site.url}/agent")


async def test_a_refused_microphone_is_told_and_nobody_is_promised(panel: Panel) -> None:
    await panel.page.evaluate(
        "void (navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('no', 'NotAllowedError'); })"
    )
    await panel.page.get_by_role("button", name="Ready", exact=True).click()
    await expect(panel.page.get_by_text("told not to let this page use the microphone")).to_be_visible()
    assert panel.desk.presence(AGENT) is Presence.AWAY
