"""Calls from browsers, as the node takes them."""

import asyncio

import pytest

from dialog.errors import Overloaded
from tests.fakes.browser import FakeBrowser
from tests.fakes.house import House
from voice.browser import BrowserCalls
from voice.config import LimitSettings, Settings
from voice.net.ice_guard import IceAddress, IceGuard
from voice.net.webrtc import BrowserPeer


async def test_connections_that_never_come_up_shut_out_nobody_else() -> None:
    guard = IceGuard([IceAddress("127.0.0.1")])
    pages = [FakeBrowser() for _ in range(4)]
    peers = [await BrowserPeer.answer(guard, await page.offer()) for page in pages]
    async with asyncio.TaskGroup() as tasks:
        house = House(tasks, limits=LimitSettings(calls=8))
        browsers = BrowserCalls(Settings(), house.calls, house.plane, tasks)
        ids = [await browsers.accept(peer, "192.0.2.1") for peer in peers[:2]]
        with pytest.raises(Overloaded, match="half_open"):
            await browsers.accept(peers[2], "192.0.2.1")
        ids.append(await browsers.accept(peers[3], "192.0.2.2"))
        assert house.calls.refused == {"half_open": 1}
        for line_id in ids:
            await browsers.end(line_id, "hung_up")
        await peers[2].close()
    for page in pages:
        await page.close()
