"""A call on a leg of the engine: what comes, or does not come, from the network decides whether it goes on."""

import asyncio
from collections.abc import Callable

import pytest

from dialog.announcements import Announcements
from dialog.events import CallEnded, CallStarted, Record
from tests.fakes.speech import FakeEars, FakeMouth
from tests.voice.media.ticks import PEER, Bench, octets, rtp, tone
from tests.voice.media.wires import FakeWire
from voice.call import MEDIA_LIMIT_MS, Call
from voice.line_test import ECHO
from voice.media.wires import Address
from voice.ports import TICK_MS
from voice.services import Services
from voice.wire.rtp import RtpPacket

TALK_TICKS = 100
SILENT_TICKS = MEDIA_LIMIT_MS // TICK_MS
SPEECH = octets(tone(TALK_TICKS * TICK_MS))

Datagrams = list[tuple[bytes, Address]]


async def ended(afterwards: Callable[[int], Datagrams]) -> list[CallEnded]:
    """How a call ended whose far end speaks for two seconds, and then sends what `afterwards` says for a minute."""
    bench, wire, records = Bench(), FakeWire(), list[Record]()
    leg, _ = bench.leg(wire)
    services = Services(FakeEars(), FakeMouth(), {}, [records.append], Announcements(), 3_600)
    started = CallStarted(transport="sip", caller="sip:a@b", dialled="100", bot=ECHO, started_at="", recording="")
    call = Call("c1", started, leg, "PCMU", services)
    running = asyncio.create_task(call.run())
    await asyncio.sleep(0)
    for n in range(TALK_TICKS + SILENT_TICKS + 100):
        wire.inbound = [(rtp(n, SPEECH[n]), PEER)] if n < TALK_TICKS else afterwards(n)
        await bench.run()
    call.end("bye")
    await running
    await bench.run()
    assert wire.closed
    return [record.event for record in records if isinstance(record.event, CallEnded)]


def nothing(n: int) -> Datagrams:
    return []


def from_strangers(n: int) -> Datagrams:
    """A packet now and then, which proves no stream."""
    return [(rtp(7 * n, SPEECH[0], ssrc=9), ("127.0.0.1", 5_000))] if n % 50 == 0 else []


def comfort_noise(n: int) -> Datagrams:
    """The far end pauses, and says so every second (RFC 3389)."""
    packet = RtpPacket(13, TALK_TICKS + (n - TALK_TICKS) // 50, n * 160, 1, b"\x40")
    return [(bytes(packet), PEER)] if n % 50 == 0 else []


@pytest.mark.parametrize("afterwards", [nothing, from_strangers])
async def test_a_call_whose_far_end_sends_nothing_any_more_ends_with_its_cause(
    afterwards: Callable[[int], Datagrams],
) -> None:
    (end,) = await ended(afterwards)
    assert end.cause == "no_media"
    assert end.duration_ms == pytest.approx(TALK_TICKS * TICK_MS + MEDIA_LIMIT_MS, abs=1_000)


async def test_a_pause_of_a_minute_that_the_far_end_tells_of_ends_no_call() -> None:
    (end,) = await ended(comfort_noise)
    assert end.cause == "bye"
    assert end.lost_packets == 0
