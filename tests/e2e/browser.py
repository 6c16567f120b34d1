"""Headless Chromium as a caller: a WAV for a microphone, what it hears as samples, its console errors as failures.

    async with chromium(microphone=wav) as browser:
        tab = await browser.open("http://127.0.0.1:8080/")
        await tab.page.click("text=Call")
        ...
        pcm = await tab.heard()

Remote audio is recorded by a script put before the page's own: it watches every RTCPeerConnection and needs nothing
of the page. The WAV (48 kHz mono, 16 bit) starts with the first getUserMedia and loops unless `loop=False`.
"""

import base64
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.peers import peer

RATE_HZ = 16_000
"""Rate of what `heard` returns; also what the tab's audio graph runs at."""

_FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-domain-reliability",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",
)

expect.set_options(timeout=20_000.0)
"""How long a page may take to show what is expected of it: it takes as long as the machine is busy."""

_RECORDER = Path(__file__).parent / "pages" / "recorder.js"


@dataclass
class Tab:
    """One page. `errors` are console errors and uncaught exceptions so far."""

    page: Page
    errors: list[str] = field(default_factory=list)

    async def heard(self) -> npt.NDArray[np.int16]:
        """Everything heard from the far end since the call began, 16 kHz mono."""
        encoded = await self.page.evaluate("() => window.__heard()")
        return np.frombuffer(base64.b64decode(encoded), np.int16)

    async def heard_ms(self) -> int:
        """How much that is so far."""
        samples: int = await self.page.evaluate("() => window.__samples()")
        return samples * 1000 // RATE_HZ

    async def received_audio(self) -> dict[str, float]:
        """Chromium's own count of the last connection's inbound audio: packets, lost, concealed and total samples."""
        stats: dict[str, float] = await self.page.evaluate(
            """async () => {
              for (const s of (await window.__peerConnections.at(-1).getStats()).values())
                if (s.type === "inbound-rtp") return {
                  packets: s.packetsReceived, lost: s.packetsLost,
                  concealed: s.concealedSamples, total: s.totalSamplesReceived,
                };
              return { packets: 0, lost: 0, concealed: 0, total: 0 };
            }"""
        )
        return stats


class Chromium:
    """A running browser; every tab's errors are asserted to be none when it closes, unless `expect_errors`."""

    def __init__(self, browser: Browser) -> None:
        self.tabs: list[Tab] = []
        self._browser = browser

    async def open(self, url: str, *, ignore: Callable[[str], bool] = lambda message: False) -> Tab:
        """Open `url` in a fresh context with the microphone allowed; errors that `ignore` accepts are none."""
        context = await self._browser.new_context(permissions=["microphone"])
        await context.add_init_script(path=_RECORDER)
        page = await context.new_page()
        tab = Tab(page)
        self.tabs.append(tab)

        def note(message: str) -> None:
            if not ignore(message):
                tab.errors.append(message)

        page.on("console", lambda message: note(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: note(str(error)))
        await page.goto(url)
        return tab


@contextlib.asynccontextmanager
async def chromium(
    microphone: Path | None = None, *, loop: bool = True, flags: tuple[str, ...] = ()
) -> AsyncIterator[Chromium]:
    """Start Chromium (a test peer: skipped by name when it is not installed). Fails when a page logged an error."""
    path = peer("chromium", "chromium")
    arguments = [*_FLAGS, *flags]
    if microphone is not None:
        arguments.append(f"--use-file-for-fake-audio-capture={microphone}{'' if loop else '%noloop'}")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path, headless=True, chromium_sandbox=False, args=arguments
        )
        running = Chromium(browser)
        try:
            yield running
        finally:
            await browser.close()
    for tab in running.tabs:
        assert tab.errors == [], tab.errors
