"""DTMF in the audio itself: a detector for all calls of a tick, and a generator (ITU-T Q.23, limits of Q.24).

Every 5 ms the detector looks at the last 15 ms: the power at the eight frequencies is a sum over three blocks, so
each sample is correlated once. A window speaks for a digit when two frequencies, one of each group, hold most of
its energy and are near each other in level. A digit is reported once, when five windows in a row (35 to 40 ms) spoke
for it and the phase from window to window shows both frequencies to be what they should; it can come again after
pauses of 30 ms or more, so a drop-out of 10 ms does not make two digits of one. Speech passes some of these tests at
times, never all of them.

Accepted as Q.24 asks: tones of 40 ms and more, frequencies within 1.5 %, the high group up to 4 dB above or 8 dB below
the low. Refused: tones under 23 ms, frequencies off by 3.5 %.
"""

import numpy as np

from dsp.kernel import NARROW_HZ, NARROW_TICK, Bytes, Floats, Pcm, Rows, check_rows, check_shape, f32, i32, kernel

LOW_HZ = (697, 770, 852, 941)
HIGH_HZ = (1209, 1336, 1477, 1633)
DIGITS = "123A456B789C*0#D"  # row by row: one low frequency a row, one high a column

_BLOCK = 40  # 5 ms
_BLOCKS = 3  # a window
_WINDOW = _BLOCK * _BLOCKS
_HITS = 5  # windows in a row that make a digit
_MISSES = 6  # windows in a row that end it
_QUIETEST = 10 ** (-42 / 10) * 32_768.0**2 * _WINDOW  # energy of a window at -42 dBFS
_SHARE = 0.65  # of the energy that the two frequencies must hold; 1.5 % off at 1,633 Hz leaves 0.72
_HIGH_OVER_LOW = 10 ** (5.5 / 10)  # 4 dB, and what a frequency at the edge of its band loses in the window
_LOW_OVER_HIGH = 10 ** (10.0 / 10)  # 8 dB, and the same
_OFF_FREQUENCY = 0.025

_RUN_DIGIT = 0  # columns of the integer state: the digit (1..16, 0 none) that the last windows spoke for
_RUN = 1  # how many windows
_HELD = 2  # the digit that was reported and has not ended
_MISSED = 3  # windows in a row that did not speak for it


def _block_table() -> Floats:
    """[40, 16]: for each sample of a block the eight cosines, then the eight negative sines."""
    radians = 2 * np.pi * np.array(LOW_HZ + HIGH_HZ) / NARROW_HZ * np.arange(_BLOCK)[:, None]
    return np.concatenate([np.cos(radians), -np.sin(radians)], axis=1).astype(np.float32)


def _turn_table() -> Floats:
    """[3, 8]: cosine and sine of each frequency's turn in a block, and the tangent of how far off it may turn."""
    hz = np.array(LOW_HZ + HIGH_HZ)
    radians = 2 * np.pi * hz / NARROW_HZ * _BLOCK
    return np.stack([np.cos(radians), np.sin(radians), np.tan(radians * _OFF_FREQUENCY)]).astype(np.float32)


@kernel("void(i2[:, ::1], i8, i8, f4[:, ::1], f4[:, :, ::1])")
def _correlate(pcm: Pcm, row: int, start: int, table: Floats, blocks: Floats) -> None:
    """blocks[row, 2] = the block of `pcm` at `start` @ table, and its energy in column 16; four samples a pass."""
    for k in range(16):
        blocks[row, 2, k] = f32(0)
    energy = f32(0)
    for n in range(0, _BLOCK, 4):
        at = start + n
        x0, x1, x2, x3 = f32(pcm[row, at]), f32(pcm[row, at + 1]), f32(pcm[row, at + 2]), f32(pcm[row, at + 3])
        energy += x0 * x0 + x1 * x1 + x2 * x2 + x3 * x3
        for k in range(16):
            two = x0 * table[n, k] + x1 * table[n + 1, k]
            blocks[row, 2, k] += two + (x2 * table[n + 2, k] + x3 * table[n + 3, k])
    blocks[row, 2, 16] = energy


@kernel("f4(f4[:, :, ::1], i8, f4[:, ::1], f4[::1], f4[::1])")
def _look(blocks: Floats, row: int, turns: Floats, real: Floats, imaginary: Floats) -> float:
    """Sum the row's three blocks, each turned back to the window's start, into complex [8]; the window's energy."""
    for k in range(8):
        c, s = turns[0, k], turns[1, k]
        c2, s2 = c * c - s * s, f32(2) * c * s
        real1, imaginary1 = blocks[row, 1, k], blocks[row, 1, k + 8]
        real2, imaginary2 = blocks[row, 2, k], blocks[row, 2, k + 8]
        real[k] = blocks[row, 0, k] + real1 * c + imaginary1 * s + real2 * c2 + imaginary2 * s2
        imaginary[k] = blocks[row, 0, k + 8] + imaginary1 * c - real1 * s + imaginary2 * c2 - real2 * s2
    energy: float = blocks[row, 0, 16] + blocks[row, 1, 16] + blocks[row, 2, 16]
    return energy


@kernel("i4(f4[::1], f4[::1], f4)")
def _judge(real: Floats, imaginary: Floats, energy: float) -> int:
    """The digit (1..16) that a window speaks for, or 0."""
    low, high = 0, 4
    low_power, high_power = f32(0), f32(0)
    for k in range(4):
        power = real[k] * real[k] + imaginary[k] * imaginary[k]
        if power > low_power:
            low, low_power = k, power
        power = real[k + 4] * real[k + 4] + imaginary[k + 4] * imaginary[k + 4]
        if power > high_power:
            high, high_power = k + 4, power
    held = (low_power + high_power) * f32(2 / _WINDOW)
    if energy < f32(_QUIETEST) or held < f32(_SHARE) * energy:
        return 0
    if high_power > low_power * f32(_HIGH_OVER_LOW) or low_power > high_power * f32(_LOW_OVER_HIGH):
        return 0
    return low * 4 + high - 4 + 1


@kernel("boolean(f4[:, ::1], i8, f4[::1], f4[::1], f4[:, ::1], i8, i8, f4[:, ::1])")
def _steady(
    before: Floats, row: int, real: Floats, imaginary: Floats, turns: Floats, k: int, group: int, drift: Floats
) -> bool:
    """Whether frequency `k` turned from window to window, in this run so far, by what it should.

    The complex sum of the turns beyond that is kept in two columns of `drift` for each group.
    """
    c, s = turns[0, k], turns[1, k]
    turned_real, turned_imaginary = real[k] * c + imaginary[k] * s, imaginary[k] * c - real[k] * s
    drift[row, 2 * group] += turned_real * before[row, k] + turned_imaginary * before[row, k + 8]
    drift[row, 2 * group + 1] += turned_imaginary * before[row, k] - turned_real * before[row, k + 8]
    steady: bool = abs(drift[row, 2 * group + 1]) < turns[2, k] * drift[row, 2 * group]
    return steady


@kernel("void(i4[::1], i2[:, ::1], f4[:, ::1], f4[:, ::1], f4[:, :, ::1], f4[:, ::1], f4[:, ::1], i4[:, ::1],"
        "f4[::1], f4[::1], u1[::1], u1[::1])")  # fmt: skip
def _process(
    rows: Rows,
    pcm: Pcm,
    table: Floats,
    turns: Floats,
    blocks: Floats,
    before: Floats,
    drift: Floats,
    state: Rows,
    real: Floats,
    imaginary: Floats,
    names: Bytes,
    digit: Bytes,
) -> None:
    for row in rows:
        digit[row] = 0
        for start in range(0, NARROW_TICK, _BLOCK):
            for k in range(17):
                blocks[row, 0, k] = blocks[row, 1, k]
                blocks[row, 1, k] = blocks[row, 2, k]
            _correlate(pcm, row, start, table, blocks)
            energy = _look(blocks, row, turns, real, imaginary)
            found = _judge(real, imaginary, energy)
            if found == 0 or found != state[row, _RUN_DIGIT]:
                state[row, _RUN_DIGIT] = found
                state[row, _RUN] = min(found, i32(1))
                for k in range(4):
                    drift[row, k] = f32(0)
            else:
                state[row, _RUN] += 1
                low_steady = _steady(before, row, real, imaginary, turns, (found - 1) // 4, 0, drift)
                high_steady = _steady(before, row, real, imaginary, turns, (found - 1) % 4 + 4, 1, drift)
                long_enough = state[row, _RUN] >= _HITS
                if long_enough and low_steady and high_steady and state[row, _HELD] != found:
                    state[row, _HELD] = found
                    digit[row] = names[found - 1]
            for k in range(8):
                before[row, k] = real[k]
                before[row, k + 8] = imaginary[k]
            state[row, _MISSED] = 0 if found == state[row, _HELD] else state[row, _MISSED] + 1
            if state[row, _MISSED] >= _MISSES:
                state[row, _HELD] = 0
                state[row, _MISSED] = 0


class DtmfDetector:
    """Keys pressed on `capacity` legs. One object serves one thread."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._table = _block_table()
        self._turns = _turn_table()
        self._names = np.frombuffer(bytearray(DIGITS, "ascii"), np.uint8)
        self._blocks = np.zeros((capacity, _BLOCKS, 17), np.float32)
        self._before = np.zeros((capacity, 16), np.float32)
        self._drift = np.zeros((capacity, 4), np.float32)
        self._state = np.zeros((capacity, 4), np.int32)
        self._real = np.zeros(8, np.float32)
        self._imaginary = np.zeros(8, np.float32)

    def process(self, rows: Rows, pcm8k: Pcm, digit: Bytes) -> None:
        """Take one tick of `pcm8k` i16[C, 160]; `digit` u8[C] becomes the ASCII of a digit that began, or 0."""
        check_rows(rows, self._capacity)
        check_shape("pcm8k", pcm8k, (self._capacity, NARROW_TICK))
        check_shape("digit", digit, (self._capacity,))
        _process(
            rows,
            pcm8k,
            self._table,
            self._turns,
            self._blocks,
            self._before,
            self._drift,
            self._state,
            self._real,
            self._imaginary,
            self._names,
            digit,
        )

    def reset(self, row: int) -> None:
        """Forget the past of `row`: another call begins there."""
        self._blocks[row] = 0
        self._state[row] = 0  # without a run, what the last window held is not looked at


def dtmf_tone(digit: str, duration_ms: int, rate_hz: int) -> Pcm:
    """The tone of one of `DIGITS`, edges rounded over 2 ms: the low group at -15 dBFS RMS, the high one at -13, which a
    telephone line knows as -9 and -7 dBm0 (ETSI ES 201 235-2)."""
    if len(digit) != 1 or digit not in DIGITS:
        raise ValueError(f"a DTMF digit is one of {DIGITS}, got {digit!r}")
    row, column = divmod(DIGITS.index(digit), 4)
    time = np.arange(duration_ms * rate_hz // 1_000) / rate_hz
    low, high = np.sin(2 * np.pi * LOW_HZ[row] * time), np.sin(2 * np.pi * HIGH_HZ[column] * time)
    edges = np.clip(np.minimum(time, time[::-1]) / 0.002, 0, 1)
    tone = np.sqrt(2) * 32_768 * (10 ** (-15 / 20) * low + 10 ** (-13 / 20) * high) * edges
    pcm: Pcm = np.rint(tone).astype(np.int16)
    return pcm
