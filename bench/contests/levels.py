"""How loud a sound is, made louder or softer, and mixed."""

import numpy as np

from bench import rivals
from bench.contests.contest import Contest, Prepare, Work, every_row, sound
from dsp import levels
from dsp.gain import GainControl
from dsp.limiter import Limiter
from dsp.mix import Mixer


def _levels(batch: int) -> Contest:
    rows, pcm = every_row(batch), sound(batch, 160)
    rms, peak = np.zeros(batch, np.float32), np.zeros(batch, np.uint16)
    levels.measure(rows, pcm, rms, peak)
    their_rms, their_peak = np.array(rivals.levels(pcm)).T
    np.testing.assert_allclose(32_768 * 10 ** (rms / 20), their_rms + 0.5, atol=0.51)  # audioop cuts fractions off
    np.testing.assert_array_equal(peak, their_peak)
    return Contest(lambda: levels.measure(rows, pcm, rms, peak), {"audioop": lambda: rivals.levels(pcm)})


def _gain(batch: int) -> Contest:
    rows, probability = every_row(batch), np.ones(batch, np.float32)
    rms, control = np.linspace(-50, -10, batch, dtype=np.float32), GainControl(batch)
    return Contest(lambda: control.process(rows, rms, probability))


def _limiter(batch: int) -> Contest:
    """Every tenth row is over the ceiling in every tick."""
    rows, pcm = every_row(batch), sound(batch, 320)
    gain_db = np.where(np.arange(batch) % 10 == 9, 18, 6).astype(np.float32)
    limiter, out = Limiter(batch), np.zeros((batch, 320), np.int16)

    def work() -> None:
        out[:] = pcm
        limiter.process(rows, out, gain_db)

    return Contest(work)


def _mixed(batch: int, members: int) -> tuple[Work, dict[str, Work]]:
    """Rooms of so many; with one call, a room of one. Soft sounds: audioop cuts off at every step."""
    size = min(batch, members)
    rows, sizes = every_row(batch), np.full(batch // size, size, np.int32)
    parts, deaf = np.zeros((2, batch), np.uint8)
    said, told = np.split(sound(2 * batch, 320) // (2 * size), 2)
    mixer, out = Mixer(batch), told.copy()
    mixer.process(rows, sizes, parts, deaf, said, out)
    np.testing.assert_array_equal(out.reshape(-1), np.frombuffer(b"".join(rivals.mix(said, told, size)), np.int16))
    np.testing.assert_array_equal(out, rivals.mix_numpy(said, told, size))
    return (
        lambda: mixer.process(rows, sizes, parts, deaf, said, out),
        {"audioop": lambda: rivals.mix(said, told, size), "numpy": lambda: rivals.mix_numpy(said, told, size)},
    )


def _mix(batch: int) -> Contest:
    return Contest(*_mixed(batch, members=4))


def _mix_hundreds(batch: int) -> Contest:
    ours, theirs = _mixed(batch, members=128)
    return Contest(ours, {"audioop": theirs["audioop"]}, must=">= 32")


CONTESTS: dict[str, Prepare] = {
    "levels": _levels,
    "gain": _gain,
    "limiter": _limiter,
    "mix": _mix,
    "mix_hundreds": _mix_hundreds,
}
