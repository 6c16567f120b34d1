"""The wire that keeps the time of its packets: a leg speaks and hears by it, and silence is no sound."""

import asyncio
import socket
import time
from random import Random

from bench.timed_wire import TimedWire, cut
from tests.voice.media.ticks import Bench, octets, rtp, tone
from voice.media.codecs import Coding
from voice.net.rtp_port import RtpPorts
from voice.ports import TICK_SAMPLES

HOST = "127.0.0.1"


async def test_when_sound_left_and_when_the_answer_came() -> None:
    bench = Bench()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
        far.bind((HOST, 0))
        wire = RtpPorts(HOST, 22_600, 22_699, Random(), TimedWire).open(far.getsockname())
        assert isinstance(wire, TimedWire)
        leg = bench.plane.add_leg(wire, Coding.PCMU, 0, 101)
        begun_s = time.time()
        wire.watch()
        await bench.run(3)
        assert wire.voiced_left_s == 0, "silence left"
        leg.play(1, tone(100), last=True)
        await bench.run(8)
        assert begun_s < wire.voiced_left_s <= time.time()
        far.sendto(rtp(0, b"\xff" * 160), (HOST, wire.port))
        await bench.run(2)
        assert wire.answer_came_s == 0, "silence came"
        for n, payload in enumerate(octets(tone(100)), 1):
            far.sendto(rtp(n, payload), (HOST, wire.port))
        async with asyncio.timeout(5):
            while not wire.answer_came_s:
                await bench.run()
        assert wire.voiced_left_s < wire.answer_came_s <= time.time()
        await bench.run(3)
        assert leg.stats.packets_received == 6
        assert not leg.stats.packets_lost
        leg.close()
        await bench.run()
        assert wire.socket.fileno() == -1


def test_speech_is_cut_where_its_end_is_known_to_the_packet() -> None:
    pcm = tone(2_000)
    pcm[40 * TICK_SAMPLES + 5 :] = 0
    assert cut(pcm).size in (40 * TICK_SAMPLES, 41 * TICK_SAMPLES)
