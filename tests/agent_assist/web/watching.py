"""What tests see of a page in a real browser: its complaints, pictures of it, what axe finds."""

import asyncio
import os
from pathlib import Path

from playwright.async_api import ConsoleMessage, Page

from tests.fakes.chromium import accessibility_faults

AXE = Path(__file__).parent / "vendor" / "axe.min.js"


class Watched:
    """A page whose console errors and foreign requests fail the test; `allowed` names words of errors that may be."""

    def __init__(self, page: Page, url: str, *, allowed: tuple[str, ...] = ()) -> None:
        self.page = page
        self.complaints: list[str] = []
        self._allowed = allowed
        self._own = (url, url.replace("127.0.0.1", "centralino.test"), "blob:", "data:")
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self._request(request.url))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not any(words in message.text for words in self._allowed):
            self.complaints.append(message.text)

    def _request(self, url: str) -> None:
        if not url.startswith(self._own):
            self.complaints.append(f"asked elsewhere: {url}")


async def look(page: Page, name: str) -> None:
    """A picture for people, where CENTRALINO_PICTURES names a folder."""
    folder = os.environ.get("CENTRALINO_PICTURES")
    if folder:
        await page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


async def until(page: Page, expression: str) -> None:
    """Wait until `expression` holds; playwright's own waiting needs an eval that the pages' policy forbids."""
    async with asyncio.timeout(10):
        while not await page.evaluate(expression):
            await asyncio.sleep(0.05)


async def sound_axe(page: Page, name: str) -> None:
    """axe finds nothing, by day or by night."""
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        await look(page, f"{name}-{scheme}")
        faults = await accessibility_faults(page, AXE)
        assert not faults, faults
    await page.emulate_media(color_scheme="light")
