"""Debian's Chromium, headless, with a fake microphone, driven by playwright."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright, expect

from tests.peers import peer

FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-domain-reliability",
    "--disable-features=Translate,OptimizationHints,MediaRouter,DialMediaRouteProvider,WebRtcHideLocalIpsWithMdns",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",
    # A name that is ours and not a secure context, as a node's name without a certificate would be.
    "--host-resolver-rules=MAP centralino.test 127.0.0.1",
]

expect.set_options(timeout=20_000.0)
"""How long a page may take to show what is expected of it: it takes as long as the machine is busy."""


@asynccontextmanager
async def chromium(*flags: str) -> AsyncIterator[Browser]:
    """A fresh browser; `--use-fake-ui-for-media-stream` among `flags` allows the microphone without asking."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=peer("chromium", "chromium"), args=[*FLAGS, *flags])
        try:
            yield browser
        finally:
            await browser.close()


async def accessibility_faults(page: Page, axe: Path) -> list[str]:
    """What axe-core finds wrong, a line each; it looks into open shadow roots."""
    session = await page.context.new_cdp_session(page)
    # By the debugger, not by a script element: the page's own policy admits none but its own.
    await session.send("Runtime.evaluate", {"expression": axe.read_text()})
    found = await session.send(
        "Runtime.evaluate",
        {
            "expression": "axe.run().then(r => r.violations.flatMap("
            "v => v.nodes.map(n => `${v.id}: ${n.target} ${n.failureSummary}`)))",
            "awaitPromise": True,
            "returnByValue": True,
        },
    )
    return [str(line) for line in found["result"]["value"]]
