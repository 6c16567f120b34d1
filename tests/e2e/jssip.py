"""JsSIP as a peer: a SIP stack in a page (npm `jssip`, MIT), its modules put into the page as they are.

with served() as url:
    async with chromium(microphone) as browser:
        phone = await web_phone(browser, url)
        await phone.dial("ws://127.0.0.1:8060", "sip:echo@127.0.0.1")
"""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

from tests.e2e.browser import Chromium, Tab
from tests.peers import absent
from voice.speech.models import cache_dir

VERSION = "3.13.8"
_PAGE = Path(__file__).parent / "pages" / "jssip.html"


def modules() -> Path:
    """Where npm put it; without it the test is skipped, naming the command, and in CI it fails."""
    folder = cache_dir() / "test-peers" / f"jssip-{VERSION}"
    if (folder / "node_modules" / "jssip").is_dir():
        return folder / "node_modules"
    return absent("jssip", f"npm install --ignore-scripts --prefix {folder} jssip@{VERSION}")


@cache
def page() -> str:
    """A page with JsSIP in it, and with `dial`, `change` and `hangUp`."""
    root = modules()
    sources = {str(path.relative_to(root)): path.read_text() for path in root.glob("**/*.js*")}
    mains = {}
    for path in root.glob("*/package.json"):
        package = json.loads(path.read_text())
        browser = package.get("browser")
        main = browser if isinstance(browser, str) else package.get("main", "index.js")
        mains[path.parent.name] = os.path.normpath(f"{path.parent.name}/{main}")
    told = json.dumps({"sources": sources, "mains": mains}).replace("</", "<\\/")
    return _PAGE.read_text().replace("MODULES", told)


class WebPhone:
    """One page, and the call it is in."""

    def __init__(self, tab: Tab) -> None:
        self.tab = tab

    async def dial(self, server: str, target: str) -> None:
        """Call `target` by the WebSocket `server`; returns when the call is answered, and fails when it is not."""
        await self.call(server, target)
        told = await self.event()
        assert told == "confirmed", told

    async def call(self, server: str, target: str, name: str = "page", password: str = "") -> None:
        """The same without waiting for the answer; `name` and `password` are for who asks."""
        await self.tab.page.evaluate("(told) => dial(...told)", [server, target, name, password])

    async def event(self) -> str:
        """The next thing that happens to the call: progress (it rings), confirmed, failed, or ended, the latter two
        with their cause."""
        told: str = await self.tab.page.evaluate("() => nextEvent()")
        return told

    async def press(self, digits: str, way: Literal["RFC2833", "INFO"]) -> None:
        """Keys, as telephone-events in the sound or by INFO."""
        await self.tab.page.evaluate("([digits, way]) => press(digits, way)", [digits, way])

    async def change(self, what: Literal["hold", "unhold", "renegotiate"], *, by_update: bool = False) -> None:
        """Offer media anew, by re-INVITE or by UPDATE; returns when the offer is taken. One that is refused ends the
        call."""
        await self.tab.page.evaluate("([what, by_update]) => change(what, by_update)", [what, by_update])

    async def hang_up(self) -> None:
        await self.tab.page.evaluate("() => hangUp()")


@contextmanager
def served() -> Iterator[str]:
    """The page at an address of its own: a browser gives no microphone to a page without one."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = page().encode() if self.path == "/" else b""
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is said."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


async def web_phone(browser: Chromium, url: str) -> WebPhone:
    """A page of its own in `browser`."""
    return WebPhone(await browser.open(url))
