"""Datagrams that mean harm, at every port of a node in whose live call somebody speaks meanwhile."""

import asyncio
import random
import struct
from collections.abc import Iterator

import pytest

from dialog.errors import ProtocolError
from tests.e2e.faults.browser import calling
from tests.e2e.faults.conversation import answers, unharmed, until
from tests.e2e.faults.mutation import mutated
from tests.e2e.faults.storm import lost_in_kernel, send, ten_thousand, udp_ports
from tests.e2e.node import Node
from tests.fakes import strangers
from voice.caller import Caller
from voice.wire.rtp import RtpPacket, is_rtcp

pytestmark = pytest.mark.timeout(90)


async def test_mutated_sip_and_noise_at_the_sip_port(node: Node, caller: Caller) -> None:
    port = node.sip_port
    async with unharmed(node, caller) as conversation:
        speaking = asyncio.create_task(conversation.ask())
        assert await send(mutated(300, seed=7), port) == 300
        before = node.total("centralino_sip_dropped") + lost_in_kernel(port)
        sent = await send(ten_thousand(8), port)
        await speaking
        await until(
            "every datagram counted",
            lambda: node.total("centralino_sip_dropped") + lost_in_kernel(port) - before >= sent,
            5,
        )


def forged_media() -> Iterator[bytes]:
    """RTP that could be the caller's, had it come from the caller; keys among it."""
    rng = random.Random(9)
    for number in range(2_000):
        kind = rng.choice((0, 8, 101, 13, 111))
        header = struct.pack(
            "!BBHII", 0x80, kind, rng.randrange(65_536), rng.randrange(1 << 32), rng.randrange(1 << 32)
        )
        yield header + (b"\x05\x8a\x03\x20" if kind == 101 else rng.randbytes(160))
        if number % 10 == 0:
            yield struct.pack("!BBHI", 0x80, 203, 1, rng.randrange(1 << 32))  # RTCP BYE


def refusable(datagram: bytes) -> bool:
    """RTCP is looked at, and believed in nothing; everything else of a stranger is refused, and counted."""
    try:
        RtpPacket.parse(datagram)
    except ProtocolError:
        return True
    return not is_rtcp(datagram)


async def test_noise_and_forged_media_at_the_rtp_and_the_rtcp_port(node: Node, caller: Caller) -> None:
    before_call = udp_ports(node.process.pid)
    async with unharmed(node, caller) as conversation:
        port, rtcp_port = sorted(udp_ports(node.process.pid) - before_call)
        before = node.total("centralino_rtp_refused") + lost_in_kernel(port)
        speaking = asyncio.create_task(conversation.ask())
        storm = [*ten_thousand(10), *forged_media()]
        await send(storm, port)
        await send(ten_thousand(12), rtcp_port)  # what is beyond a bound there is left to the kernel, uncounted
        await speaking
        expected = sum(map(refusable, storm))
        await until(
            "every datagram counted",
            lambda: node.total("centralino_rtp_refused") + lost_in_kernel(port) - before >= expected,
            5,
        )
        assert conversation.line.leg is not None
        assert conversation.line.leg.stats.packets_lost < 50


def at_the_ice_port() -> dict[str, Iterator[bytes]]:
    """By kind; counted one for one."""
    return {
        "empty": strangers.empty(),
        "hellos": strangers.hellos(),
        "stun": strangers.stun_junk(),
        "alerts": strangers.plain_alerts(),
        "media": strangers.forged_rtp(),
        "noise": ten_thousand(11),
    }


async def test_forged_hellos_and_noise_at_the_ice_port_of_a_browsers_call(node: Node, caller: Caller) -> None:
    async with calling(node) as browser:
        before = node.total("centralino_ice_dropped") + lost_in_kernel(browser.port)
        await browser.greeted()
        sent = 0
        asking = asyncio.create_task(browser.ask())
        for storm in at_the_ice_port().values():
            sent += await send(storm, browser.port)
        await asking
        await until(
            "every datagram counted",
            lambda: node.total("centralino_ice_dropped") + lost_in_kernel(browser.port) - before >= sent,
            5,
        )
        await browser.ask()
    await answers(node, caller)
