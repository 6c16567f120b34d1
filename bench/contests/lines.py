"""What a bad line takes: packets put in order, gaps and silence filled, time stretched, echo measured and cancelled."""

import itertools

import numpy as np
from numba import types

from bench import rivals
from bench.contests.contest import Contest, Prepare, every_row, sound, ticks_of
from dsp import jitter
from dsp.echo import EchoCanceller
from dsp.echo_loss import EchoLossMeter
from dsp.jitter import BUFFERS, Buffers
from dsp.kernel import Bytes, Pcm, Rows, kernel
from dsp.noise import ComfortNoise
from dsp.plc import Concealer
from dsp.stretch import Stretcher


def _jitter(batch: int) -> Contest:
    """A packet in and a frame out, called from compiled code as the engine does; a second of it at once."""
    rows, packet, state = every_row(batch), np.zeros(172, np.uint8), jitter.JitterBuffers(batch).state
    ticks = itertools.count(0, 50)
    return Contest(lambda: _jitter_ticks(state, rows, packet, next(ticks), 50), ticks=50)


@kernel(types.void(BUFFERS, types.int32[::1], types.uint8[::1], types.int64, types.int64))
def _jitter_ticks(it: Buffers, rows: Rows, packet: Bytes, begin: int, ticks: int) -> None:
    for tick in range(begin, begin + ticks):
        for row in rows:
            jitter.push(it, row, tick & 0xFFFF, tick * 160, 1, 0, packet, 12, packet.size, tick)
            jitter.want(it, row, tick, 0.0)
            jitter.pop(it, row, tick)


def _conceal(batch: int) -> Contest:
    """Every twentieth tick of a call is lost."""
    rows, pcm, concealer = every_row(batch), sound(batch, 160), Concealer(batch)
    losses = [(np.arange(batch) % 20 == i).astype(np.uint8) for i in range(20)]

    def work() -> None:
        for lost in losses:
            concealer.process(rows, pcm, lost)

    return Contest(work, ticks=20)


def _stretch(want_ms: float) -> Prepare:
    def prepare(batch: int) -> Contest:
        """Noise is like itself nowhere: where something is wanted, every row looks for it every tick, in vain."""
        rows, quiet = every_row(batch), np.zeros(batch, np.uint8)
        pcm, out = sound(batch, 160), np.zeros((batch, 160), np.int16)
        stretcher = Stretcher(batch)
        for row in rows:
            stretcher.needed(row, want_ms)

        def work() -> None:
            stretcher.feed(rows, pcm)
            stretcher.process(rows, quiet, out)

        work()
        np.testing.assert_array_equal(out, pcm)
        return Contest(work)

    return prepare


def _noise(batch: int) -> Contest:
    """White and shaped noise in turns."""
    rows, comfort, out = every_row(batch), ComfortNoise(batch), np.zeros((batch, 160), np.int16)
    for row in range(batch):
        comfort.take(row, bytes([60]) if row % 2 else bytes([60, 40, 150, 120, 130]))
    return Contest(lambda: comfort.process(rows, out))


def _echo(batch: int, tick: int = 160) -> tuple[list[Pcm], list[Pcm]]:
    """What is said to each row in two seconds, and what is heard: bursts and their echo, 12 dB weaker, 40 ms later."""
    bursts = np.repeat(np.random.default_rng(2).uniform(0.1, 1, (batch, 100)), tick, axis=1)
    said = (sound(batch, 100 * tick) * bursts).astype(np.int16)
    heard = np.roll(said, 2 * tick, axis=1) // 4
    return ticks_of(said, tick), ticks_of(heard, tick)


def _echo_loss(batch: int) -> Contest:
    rows, (said, heard) = every_row(batch), _echo(batch)
    meter, rival = EchoLossMeter(batch), rivals.NumpyEchoLoss(batch)
    for played, came in zip(said, heard, strict=True):
        meter.process(rows, played, came)
        theirs = rival.process(played, came)
    for ours, their in zip((meter.loss_db, meter.delay_ms, meter.confidence), theirs, strict=True):
        np.testing.assert_allclose(ours, their, atol=0.01)

    def work() -> None:
        for played, came in zip(said[:20], heard[:20], strict=True):
            meter.process(rows, played, came)

    def their_work() -> None:
        for played, came in zip(said[:20], heard[:20], strict=True):
            rival.process(played, came)

    return Contest(work, {"numpy": their_work}, ticks=20)


def _echo_cancel(hz: int) -> Prepare:
    """Every row has a canceller."""

    def prepare(batch: int) -> Contest:
        rows, (said, heard) = every_row(batch), _echo(batch, hz // 50)
        canceller, out = EchoCanceller(batch, hz, most=batch), np.zeros((batch, hz // 50), np.int16)

        def work() -> None:
            for played, came in zip(said, heard, strict=True):
                out[:] = came
                canceller.process(rows, played, out)

        work()
        if not all(canceller.has(row) for row in range(batch)):
            raise ArithmeticError("not every row has a canceller")
        return Contest(work, ticks=len(said))

    return prepare


CONTESTS: dict[str, Prepare] = {
    "jitter": _jitter,
    "conceal": _conceal,
    "stretch_nothing": _stretch(0),
    "stretch_search": _stretch(100),
    "noise": _noise,
    "echo_loss": _echo_loss,
    "echo_cancel": _echo_cancel(8_000),
    "echo_cancel_wide": _echo_cancel(16_000),
}
