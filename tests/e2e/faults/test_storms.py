"""Datagrams that mean harm, at every port of a node in whose live call somebody speaks meanwhile."""

import asyncio
import random
import struct
from collections.abc import Iterator

import pytest

from tests.e2e.faults.conversation import unharmed, until
from tests.e2e.faults.mutation import mutated
from tests.e2e.faults.served import Served
from tests.e2e.faults.storm import lost_in_kernel, send, ten_thousand, udp_ports
from voice.caller import Caller

pytestmark = pytest.mark.timeout(90)


async def test_mutated_sip_and_noise_at_the_sip_port(node: Served, caller: Caller) -> None:
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


async def test_noise_and_forged_media_at_the_rtp_port(node: Served, caller: Caller) -> None:
    before_call = udp_ports(node.process.pid)
    async with unharmed(node, caller) as conversation:
        (port,) = udp_ports(node.process.pid) - before_call
        before = node.total("centralino_rtp_refused") + lost_in_kernel(port)
        speaking = asyncio.create_task(conversation.ask())
        sent = await send(ten_thousand(10), port)
        sent += await send(forged_media(), port)
        await speaking
        # RTCP is no refusal: it is looked at, and believed in nothing
        await until(
            "every datagram counted",
            lambda: node.total("centralino_rtp_refused") + lost_in_kernel(port) - before >= sent * 0.8,
            5,
        )
        assert conversation.line.leg is not None
        assert conversation.line.leg.stats.packets_lost < 20
