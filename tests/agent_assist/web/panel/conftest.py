"""The agent's page in a browser, before a desk that a test moves: one `Panel` a signed-in agent."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest
from playwright.async_api import Browser, Page, ViewportSize, expect

from agent_assist.auth.users import Role
from agent_assist.web.agent_api import DeskParts
from agent_assist.web.settings import SiteSettings
from tests.agent_assist.web.conftest import PASSWORD, Site
from tests.agent_assist.web.watching import Watched
from tests.fakes.desk import FakeDesk
from tests.fakes.whip_answerer import WhipAnswerer

AGENT = "bea"
DESK: ViewportSize = {"width": 1280, "height": 800}
SIDE: ViewportSize = {"width": 420, "height": 800}


@dataclass(frozen=True)
class Panel:
    """The page, what stands behind it, and what it complained of."""

    page: Page
    watched: Watched
    desk: FakeDesk
    answerer: WhipAnswerer
    site: Site

    async def ready(self) -> None:
        """Take calls."""
        await self.page.get_by_role("button", name="Ready", exact=True).click()
        await expect(self.page.get_by_role("heading", name="You are ready.")).to_be_visible(timeout=20_000)

    async def talking(self, call_id: str = "call-1") -> None:
        """Be in a call that rang and was answered by key."""
        await self.ready()
        self.desk.ring(AGENT, call_id)
        await self.answer()

    async def answer(self) -> None:
        """Take the call that rings."""
        await expect(self.page.get_by_role("button", name="Answer")).to_be_visible()
        await self.page.keyboard.press("Alt+a")
        await expect(self.page.get_by_role("button", name="Hang up")).to_be_visible()

    async def refuse_microphone(self) -> None:
        """Whoever sits there said no to the browser."""
        refusal = "async () => { throw new DOMException('no', 'NotAllowedError'); }"
        await self.page.evaluate(f"void (navigator.mediaDevices.getUserMedia = {refusal})")

    async def asked(self, *what: object) -> None:
        """Wait until the agent asked the desk for this."""
        async with asyncio.timeout(15):
            while (AGENT, *what) not in self.desk.asked:
                await asyncio.sleep(0.01)


@pytest.fixture
def settings() -> SiteSettings:
    return SiteSettings()


@pytest.fixture
def parts(desk_and_parts: tuple[FakeDesk, DeskParts]) -> DeskParts:
    return desk_and_parts[1]


@pytest.fixture
async def panel(browser: Browser, site: Site, desk: FakeDesk, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Panel]:
    """The agent's page, just opened."""
    async with open_panel(browser, site, desk, monkeypatch) as panel:
        yield panel


@pytest.fixture
async def supervisors(
    browser: Browser, site: Site, desk: FakeDesk, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Panel]:
    """The same page of somebody who is a supervisor."""
    async with open_panel(browser, site, desk, monkeypatch, role=Role.SUPERVISOR) as panel:
        yield panel


@asynccontextmanager
async def open_panel(
    browser: Browser,
    site: Site,
    desk: FakeDesk,
    monkeypatch: pytest.MonkeyPatch,
    *scripts: str,
    role: Role = Role.AGENT,
) -> AsyncIterator[Panel]:
    """Sign in (the form has tests of its own) and open the page; `scripts` run before the page's own."""
    await site.users.add(AGENT, role, PASSWORD, ["billing"])
    answerer = WhipAnswerer(monkeypatch, "/api/agent/audio", lambda connected: desk.audio(AGENT, connected=connected))
    site.app.include_router(answerer.router)
    context = await browser.new_context(viewport=DESK)
    async with httpx.AsyncClient(base_url=site.url, trust_env=False) as client:
        assert (await client.post("/signin", data={"name": AGENT, "password": PASSWORD})).status_code == 303
        for cookie in client.cookies.jar:
            await context.add_cookies([{"name": cookie.name, "value": cookie.value or "", "url": site.url}])
    await context.grant_permissions(["clipboard-read", "clipboard-write"], origin=site.url)
    page = await context.new_page()
    for script in scripts:
        await page.add_init_script(script)
    watched = Watched(page, site.url, allowed=("409", "WebSocket"))
    await page.goto(f"{site.url}/agent")
    await expect(page.get_by_role("heading", name="You are away")).to_be_visible()
    yield Panel(page, watched, desk, answerer, site)
    await context.close()
    await answerer.vanish()
    assert watched.complaints == []
