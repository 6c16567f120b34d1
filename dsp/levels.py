"""How loud a tick is: RMS and peak, for meters, recordings and the record of a call."""

import numpy as np
import numpy.typing as npt

from dsp.kernel import Floats, Pcm, Rows, check_rows, check_shape, f32, i32, kernel

Peaks = npt.NDArray[np.uint16]

SILENCE_DBFS = -100.0  # what digital silence is called; one least bit is -90.3


@kernel("void(i4[::1], i2[:, ::1], f4[::1], u2[::1])")
def measure_rows(rows: Rows, pcm: Pcm, rms_dbfs: Floats, peak: Peaks) -> None:
    """The kernel behind `measure`, unchecked."""
    for row in rows:
        tick = pcm[row]
        energy = f32(0)
        highest = i32(0)
        for i in range(tick.size):
            sample = i32(tick[i])
            highest = max(highest, abs(sample))
            energy += f32(sample) * f32(sample)
        peak[row] = highest
        full_scale = energy / f32(tick.size) / f32(32768.0 * 32768.0)
        rms_dbfs[row] = f32(10) * np.log10(max(full_scale, f32(1e-10)))


def measure(rows: Rows, pcm: Pcm, rms_dbfs: Floats, peak: Peaks) -> None:
    """Measure one tick of `pcm` i16[C, n], any n: RMS to `rms_dbfs` f32[C], largest magnitude to `peak` u16[C].

    0 dBFS is a square wave of full scale (a full-scale sine is -3.01); digital silence is `SILENCE_DBFS`.
    `peak` is 0..32768.
    """
    capacity = pcm.shape[0]
    check_rows(rows, capacity)
    check_shape("rms_dbfs", rms_dbfs, (capacity,))
    check_shape("peak", peak, (capacity,))
    measure_rows(rows, pcm, rms_dbfs, peak)
