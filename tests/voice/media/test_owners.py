"""What the engine works in and Python owns is there as long as the engine is at work in it, and no longer."""

import gc
from weakref import ref

import pytest

from tests.voice.media.ticks import Bench
from tests.voice.media.wires import FakeWire
from voice.media.codecs import Coding
from voice.media.opus import OpusState
from voice.media.wires import RingWire, Sealing


class Sessions:
    """Owns what a wire's `sealing` names; without addresses the engine does not touch it."""


def states() -> int:
    gc.collect()
    return sum(isinstance(it, OpusState) for it in gc.get_objects())


async def test_a_format_that_is_agreed_on_again_and_again_keeps_one_state() -> None:
    before = states()
    bench = Bench()
    leg = bench.plane.add_leg(RingWire(lambda packets: None), Coding.OPUS, 111, 126)
    await bench.run()
    for n in range(20):
        leg.switch(Coding.OPUS, 96 + n % 2)
        assert states() - before <= 3, "those before stay until the engine has let go of them"
        await bench.run(n % 2)
    assert states() - before == 1
    leg.close()
    await bench.run()
    del leg
    assert states() == before


@pytest.mark.parametrize("ticks", [0, 1])
async def test_keys_stay_while_a_leg_is_on_its_way_from_wire_to_wire(ticks: int) -> None:
    bench = Bench()
    wires = [FakeWire(), FakeWire()]
    sessions = [Sessions(), Sessions()]
    kept = [ref(it) for it in sessions]
    for wire, it in zip(wires, sessions, strict=True):
        wire.sealing = Sealing(owner=it)
    leg, _ = bench.leg(wires[0])
    await bench.run()
    leg.secure()
    await bench.run(ticks)
    leg.move(wires[1], Coding.PCMU, 0, 101)
    del sessions, it
    for wire in wires:
        wire.sealing = Sealing()
    assert all(owner() is not None for owner in kept), "the engine may be at work with either"
    await bench.run()
    gc.collect()
    assert [owner() is not None for owner in kept] == [False, True]
    leg.close()
    await bench.run()
