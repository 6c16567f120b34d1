"""An agent at /agent: a Chromium with a microphone of its own, signed in by the form, worked by keys as a person would.

async with agent_page(node.web_url, "eve", password, microphone) as eve:
    await eve.ready()
    await eve.rings()
    await eve.answer()
    pcm = await eve.tab.heard()
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Locator, Page, ViewportSize, expect

from tests.e2e.browser import Tab, chromium

SIZE: ViewportSize = {"width": 1280, "height": 800}
PATIENCE_MS = 20_000.0
"""What another person or the speech engines have to do first takes its time on a busy machine."""

_PAINTED = Path(__file__).parent / "pages" / "painted.js"


@dataclass(frozen=True)
class AgentPage:
    """One agent's panel."""

    name: str
    tab: Tab

    @property
    def page(self) -> Page:
        return self.tab.page

    @property
    def _offer(self) -> Locator:
        return self.page.get_by_role("region", name="A call for you")

    async def ready(self) -> None:
        """Take calls: the audio is open from now on."""
        await self.page.get_by_role("button", name="Ready", exact=True).click()
        await expect(self.page.get_by_role("heading", name="You are ready.")).to_be_visible(timeout=PATIENCE_MS)

    async def rings(self) -> None:
        """Wait until a call rings."""
        await expect(self._offer).to_be_visible(timeout=PATIENCE_MS)

    async def is_rung(self) -> bool:
        """A call rings now."""
        return await self._offer.is_visible()

    async def talking(self) -> None:
        """Wait until the call is on the screen."""
        await expect(self.page.get_by_role("button", name="Hang up")).to_be_visible(timeout=PATIENCE_MS)

    async def press(self, key: str) -> None:
        await self.page.keyboard.press(key)

    async def shows(self, text: str, patience_ms: float = PATIENCE_MS) -> None:
        """Wait until `text` stands somewhere on the page."""
        await expect(self.page.get_by_text(text).first).to_be_visible(timeout=patience_ms)

    async def painted_s(self) -> list[float]:
        """When suggestions came to be seen so far, by this machine's clock."""
        times: list[float] = await self.page.evaluate("() => window.__painted.map((at_ms) => at_ms / 1000)")
        return times

    async def speaks(self) -> None:
        """Wait until the microphone has been silent and now begins to say something."""
        mine = self.page.locator("level-meter[label='You']").get_by_role("meter")
        silent = 0
        async with asyncio.timeout(PATIENCE_MS / 1000):
            while (level := int(await mine.get_attribute("aria-valuenow") or 0)) < 20 or silent < 20:
                silent = silent + 1 if level < 5 else 0
                await asyncio.sleep(0.02)

    async def write_down(self, disposition: str, note: str) -> None:
        """The wrap-up by keys; the agent is ready again."""
        await expect(self.page.get_by_role("heading", name="How did the call end?")).to_be_visible(timeout=PATIENCE_MS)
        await self.page.get_by_label("Note", exact=True).fill(note)
        await self.page.get_by_role("radio", name=disposition).check()
        await self.press("Control+Enter")
        await expect(self.page.get_by_role("heading", name="You are ready.")).to_be_visible(timeout=PATIENCE_MS)


@asynccontextmanager
async def agent_page(url: str, name: str, password: str, microphone: Path, *scripts: Path) -> AsyncIterator[AgentPage]:
    """The panel of a node, signed in and away; `scripts` run before the page's own. Fails at the end when the page
    logged an error."""
    async with chromium(microphone) as browser:
        tab = await browser.open(f"{url}/signin?next=/agent")
        await tab.page.add_init_script(path=_PAINTED)
        await tab.page.set_viewport_size(SIZE)
        await tab.page.context.grant_permissions(["microphone", "clipboard-read", "clipboard-write"], origin=url)
        await tab.page.get_by_label("Name").fill(name)
        await tab.page.get_by_label("Password").fill(password)
        await tab.page.keyboard.press("Enter")
        await tab.page.wait_for_url(f"{url}/agent")
        # who left less than the grace ago is what they were
        joined = tab.page.get_by_role("heading", name=re.compile("You are (away|ready)"))
        await expect(joined).to_be_visible(timeout=PATIENCE_MS)
        yield AgentPage(name, tab)
