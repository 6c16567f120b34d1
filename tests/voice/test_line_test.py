"""Numbers that prove a line: what the milliwatt sends, octet by octet, and how ring and busy answer."""

import asyncio

import numpy as np
import pytest

from dialog.events import CallStarted
from dsp.g711 import A_LAW, MU_LAW, decode_block
from tests.fakes.clock import virtual_time
from tests.fakes.exchange import exchange
from tests.fakes.leg import FakeLeg
from voice.line_test import RING_S, TONE_AHEAD_MS, Milliwatt
from voice.ports import RATE_HZ, TICK_SAMPLES, Frame

MILLIWATT = {"0": bytes.fromhex("1e0b0b1e9e8b8b9e"), "8": bytes.fromhex("342121 34b4a1a1b4")}
"""ITU-T G.711, tables 5 (mu-law) and 6 (A-law)."""


@pytest.mark.parametrize("law", ["0", "8"])
async def test_the_milliwatt_is_the_sequence_of_g711(law: str) -> None:
    async with exchange("1004", bots={"1004": "milliwatt"}) as it:
        await it.talking(it.phone.sdp(formats=f"{law} 101"))
        it.phone.heard()
        await it.house.tick(2_000)
        sent = b"".join(packet.payload for packet in it.phone.heard())
        start = sent.index(MILLIWATT[law])
        assert start < 8
        assert sent[start : start + 15_000] == (MILLIWATT[law] * 2_000)[:15_000]
        pcm = decode_block(np.frombuffer(sent, np.uint8), {"0": MU_LAW, "8": A_LAW}[law]).astype(np.float64)
        overload = {"0": 3.17, "8": 3.14}[law]
        full_scale = {"0": 8_159 * 4, "8": 4_096 * 8}[law]
        level_dbm0 = 20 * np.log10(np.sqrt(2 * np.mean(pcm**2)) / full_scale) + overload
        assert abs(level_dbm0) < 0.02
        it.phone.bye()
        assert await it.over() == "caller"


def test_a_leg_of_another_codec_is_given_a_clean_sine() -> None:
    leg = FakeLeg()
    mind = Milliwatt(leg, lambda cause: None)
    for tick in range(50):
        mind.on_frame(Frame(tick, np.zeros(TICK_SAMPLES, np.int16), 0.0, -90.0))
        assert leg.queued_ms == TONE_AHEAD_MS
        leg.tick()
    sound = np.concatenate(leg.sent[1:]).astype(np.float64)
    spectrum = np.abs(np.fft.rfft(sound)) ** 2
    at = round(1_000 * sound.size / RATE_HZ)
    assert spectrum[at] / (spectrum.sum() - spectrum[at]) > 10 ** (80 / 10)


async def test_a_busy_number_is_busy_at_once() -> None:
    async with exchange("17", bots={"17": "busy"}) as it:
        assert (await it.refused(it.phone.sdp())).status == 486


@virtual_time
async def test_a_number_rings_and_then_it_is_an_echo() -> None:
    async with exchange("6", bots={"6": "ring"}) as it:
        it.phone.invite(it.phone.sdp())
        await it.phone.settled()
        await asyncio.sleep(RING_S - 0.1)
        assert [m.status for m in it.phone.came if m.method == "INVITE"] == [100, 180]
        assert (await it.phone.answer()).status == 200
        it.phone.ack()
        await it.begun()
        (started,) = it.house.told(CallStarted)
        assert started.bot == "ring"
        assert it.phone.heard(), "silence, that is"
        assert it.house.bot.turns == []


@virtual_time
async def test_who_gives_up_while_it_rings_leaves_nothing_behind() -> None:
    async with exchange("6", bots={"6": "ring"}, calls=1) as it:
        it.phone.invite(it.phone.sdp())
        await it.phone.settled()
        it.phone.cancel()
        assert (await it.phone.answer()).status == 487
        it.phone.ack(refused=True)
        await asyncio.sleep(2 * RING_S)
        assert it.house.told(CallStarted) == []
        it.house.calls.admit("127.0.0.1")
