"""Over a line that loses packets, what came in time is told to the other leg as it came, in its own tick."""

import numpy as np
import numpy.typing as npt
import pytest

from bench.sound import losses
from dsp.g711 import MU_LAW, decode_block
from tests.voice.media.ticks import PEER, Bench, rtp
from tests.voice.media.wires import FakeWire
from voice.ports import Room
from voice.wire.rtp import RtpPacket

TICKS = 1_000


def samples(payload: bytes) -> npt.NDArray[np.float64]:
    return decode_block(np.frombuffer(payload, np.uint8), MU_LAW).astype(np.float64)


def likeness(heard: npt.NDArray[np.float64], said: npt.NDArray[np.float64]) -> float:
    """Correlation where it is greatest: what is mixed is later by the filters of its rate."""
    windows = np.lib.stride_tricks.sliding_window_view(heard, said.size)
    return float((windows @ said / np.linalg.norm(windows, axis=1) / np.linalg.norm(said)).max())


@pytest.mark.parametrize("burst", [1, 4])
@pytest.mark.parametrize("percent", [1, 10, 30])
async def test_every_packet_that_came_in_time_goes_on(percent: int, burst: int) -> None:
    bench, room, chance = Bench(), Room(), np.random.default_rng(1)
    near, far = FakeWire(), FakeWire()
    for wire in (near, far):
        bench.leg(wire)[0].enter(room)
    payloads = [chance.integers(0, 256, 160, np.uint8).tobytes() for _ in range(TICKS)]
    lost = losses(TICKS, percent, burst, chance)
    lost[0] = 0
    for n, payload in enumerate(payloads):
        near.inbound = [] if lost[n] else [(rtp(n, payload), PEER)]
        await bench.run()
    await bench.run()
    told = [RtpPacket.parse(data).payload for data, _ in far.sent]
    assert len(told) == TICKS + 1, "time is kept"
    whole = [n for n in range(1, TICKS) if not lost[n] and not lost[n - 1]]
    assert [n for n in whole if told[n + 1] != payloads[n]] == []
    joined = [n for n in range(1, TICKS) if not lost[n] and lost[n - 1]]
    latter = [likeness(samples(told[n + 1] + told[n + 2])[60:], samples(payloads[n])[80:]) for n in joined[:-1]]
    assert min(latter, default=1) > 0.6, "after a hole it is faded in"
    silent = [n for n in range(1, TICKS) if lost[n] and len(set(told[n + 1])) < 20]
    assert len(silent) <= 0.02 * lost.sum() + 1, "holes are filled"
