"""Call progress in the audio of who was called: a fax, an answering machine's beep, what exchanges play, and silence.

Each tick is looked at for one tone that holds nearly all of its energy. Two halves of the tick are correlated with a
bank of frequencies; the turn of the phase from one half to the other gives the frequency to a hertz or so. Ticks in a
row of one frequency and one level are a run, and what a run is told by its length, and by the silence after it:

- a fax that calls (CNG, ITU-T T.30): 1,100 Hz for half a second, then silence;
- a fax or modem that answers (CED, T.30; ANSam, V.8): 2,100 Hz, told while it lasts, its phase reversed or not;
- a beep: any other tone of 200 to 2,500 Hz, as long as 0.12 to 2 s, then silence;
- the special information tone before an announcement (SIT, ITU-T E.180): 950, 1,400 and 1,800 Hz, one after the other.

Speech and music hold no tone so still, and then fall silent. Ringing, busy and dial tones are two frequencies at once
or lie between 340 and 500 Hz (ITU-T E.180 and its supplement 2), where no tone is taken for a beep; nor is one of
several tones in a row.

Busy and congestion tones, of one frequency or two, have nearly all of their energy between 300 and 700 Hz. A cadence
(dsp.cadence) of such is one or the other: where the bursts come fast, congestion in most countries.
"""

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numba import types

from dsp import cadence
from dsp.cadence import HUSH, LEVEL
from dsp.kernel import NARROW_HZ, NARROW_TICK, Bytes, Floats, Pcm, Rows, check_rows, check_shape, f32, kernel, record


class Progress(IntEnum):
    """What a tick ended or made certain. The numbers are the kernel's."""

    NOTHING = 0
    FAX_CALLING = 1
    FAX_ANSWERING = 2
    BEEP = 3
    SILENCE = 4
    BUSY = 5
    CONGESTION = 6
    SIT = 7


_NOTHING, _FAX_CALLING, _FAX_ANSWERING, _BEEP, _SILENCE, _BUSY, _CONGESTION, _SIT = (int(code) for code in Progress)

_HALF = NARROW_TICK // 2
_FIRST_HZ, _BANK = 200, 48  # lowest frequency of the bank, and how many there are, 50 Hz apart
_GRID_HZ = NARROW_HZ / NARROW_TICK
_LOWEST_HZ, _HIGHEST_HZ = 190.0, 2_520.0

_SHARE = 0.8  # of a tick's energy that a tone must hold: 6 dB over the noise
_FAINTEST = 10 ** (-45 / 10) * 32_768.0**2  # power of a tone
_STILL_HZ = 4.0  # against the run's
_WOBBLE = 10 ** (4 / 10)  # of power, of ANSam, where that of other tones keeps its level
_IMPURE = 0.05  # of a tone's power that may be something else, beyond three times the noise after it
_HUSHED = 10  # ticks of silence that end a tone
_SHORTEST, _LONGEST = 5, 102  # ticks of a beep: the first and the last are seldom whole
_CNG_HZ, _CNG_OFF_HZ = 1_100.0, 38.0
_CNG_SHORTEST, _CNG_LONGEST = 20, 30
_CED_HZ, _CED_OFF_HZ = 2_100.0, 25.0
_CED_TICKS = 20  # a phase is reversed every 450 ms
_EXCHANGE_LOWEST_HZ, _EXCHANGE_HIGHEST_HZ = 340.0, 500.0
_SIT_HZ = (950.0, 1_400.0, 1_800.0)
_SIT_OFF_HZ = 50.0
_SIT_SHORTEST, _SIT_LONGEST = 11, 21
_BAND, _BAND_END = 2, 11  # frequencies of the bank where busy tones are: 300 to 700 Hz
_CONGESTED = 27  # ticks of burst and pause together
_APART = 5  # ticks between tones that do not belong together,
_LONG_AGO = 100  # and after which a fax would be another

_RUN = 0  # columns of the counts: ticks of the tone that is heard,
_ENDED = 1  # and of the one that ended and whose silence is waited for, 0 none
_AFTER = 2  # ticks since a tone of some length
_ALONE = 3  # whether no tone came shortly before the run
_TOLD = 4  # whether a fax was told of, in this sound
_QUIET = 5  # ticks of silence so far
_STEP = 6  # tones of the SIT so far
_COUNTS = 7
_HZ, _POWER, _REST = 0, 1, 2  # columns of the tones: of the run, and what of its power is not the tone,
_ENDED_HZ, _ENDED_POWER, _ENDED_REST = 3, 4, 5  # of the one that ended,
_NOISE = 6  # and the sum of the powers after it
_TONES = 7


class Following(NamedTuple):
    """What every row heard last, and what it is to take for silence."""

    table: Floats  # [80, 96], for each sample of half a tick the cosines of the bank, then the negative sines
    halves: Floats  # [2, 96], the sums of the tick at hand
    strengths: Floats  # [48], the energy at each frequency of the bank
    tone: Floats  # [2], frequency and share of energy of what it holds
    band: Floats  # [2], the same of all that lies where busy tones do: the middle of it
    tones: Floats  # [capacity, 7]
    counts: Rows  # [capacity, 7]
    cadence: cadence.Keeping
    floor: Floats  # [capacity], power below which a tick is silent
    patience: Rows  # [capacity], ticks of silence that are told, 0 never


_values, _matrix, _numbers = types.float32[::1], types.float32[:, ::1], types.int32[::1]
_room = [_matrix, _matrix, _values, _values, _values]
FOLLOWING = record([*_room, _matrix, types.int32[:, ::1], cadence.KEEPING, _values, _numbers], Following)


def following(capacity: int) -> Following:
    """Every row with nothing heard, and no silence that is told."""
    radians = 2 * np.pi * (_FIRST_HZ + _GRID_HZ * np.arange(_BANK)) / NARROW_HZ * np.arange(_HALF)[:, None]
    it = Following(
        table=np.concatenate([np.cos(radians), -np.sin(radians)], axis=1).astype(np.float32),
        halves=np.zeros((2, 2 * _BANK), np.float32),
        strengths=np.zeros(_BANK, np.float32),
        tone=np.zeros(2, np.float32),
        band=np.zeros(2, np.float32),
        tones=np.zeros((capacity, _TONES), np.float32),
        counts=np.zeros((capacity, _COUNTS), np.int32),
        cadence=cadence.keeping(capacity),
        floor=np.zeros(capacity, np.float32),
        patience=np.zeros(capacity, np.int32),
    )
    for row in range(capacity):
        forget(it, row)
    return it


@kernel(types.void(FOLLOWING, types.int64))
def forget(it: Following, row: int) -> None:
    """Another call begins in `row`."""
    it.counts[row] = 0
    it.tones[row] = 0
    it.counts[row, _AFTER] = _LONG_AGO
    cadence.forget(it.cadence, row)
    it.floor[row] = 0
    it.patience[row] = 0


@kernel("f4(i2[::1])")
def _power(tick: Pcm) -> float:
    """Mean power of a tick."""
    energy = f32(0)
    for i in range(NARROW_TICK):
        energy += f32(tick[i]) * f32(tick[i])
    power: float = energy * f32(1 / NARROW_TICK)
    return power


@kernel(types.void(types.int16[::1], FOLLOWING))
def _correlate(tick: Pcm, it: Following) -> None:
    """halves = each half of a tick @ table; four samples a pass."""
    first, second = it.halves[0], it.halves[1]
    first[:] = f32(0)
    second[:] = f32(0)
    for n in range(0, _HALF, 4):
        x0, x1, x2, x3 = f32(tick[n]), f32(tick[n + 1]), f32(tick[n + 2]), f32(tick[n + 3])
        at = n + _HALF
        y0, y1, y2, y3 = f32(tick[at]), f32(tick[at + 1]), f32(tick[at + 2]), f32(tick[at + 3])
        for k in range(2 * _BANK):
            t0, t1, t2, t3 = it.table[n, k], it.table[n + 1, k], it.table[n + 2, k], it.table[n + 3, k]
            first[k] += (x0 * t0 + x1 * t1) + (x2 * t2 + x3 * t3)
            second[k] += (y0 * t0 + y1 * t1) + (y2 * t2 + y3 * t3)


@kernel(types.void(types.float32, FOLLOWING))
def _look(power: float, it: Following) -> None:
    """The strongest tone of a tick of that power: its frequency, and its share of the energy.

    From the first half of a tick to the second a frequency of the bank turns by a whole or half circle, so the sum over
    the tick is that of the halves, the second with its sign turned for every other frequency.
    """
    first, second = it.halves[0], it.halves[1]
    best, most = 0, f32(-1)
    for k in range(_BANK):
        sign = f32(1 - 2 * (k & 1))
        real, imaginary = first[k] + sign * second[k], first[k + _BANK] + sign * second[k + _BANK]
        strength = real * real + imaginary * imaginary
        it.strengths[k] = strength
        if strength > most:
            best, most = k, strength
    sign = f32(1 - 2 * (best & 1))
    real1, imaginary1 = first[best], first[best + _BANK]
    real2, imaginary2 = sign * second[best], sign * second[best + _BANK]
    turn = np.arctan2(imaginary2 * real1 - real2 * imaginary1, real1 * real2 + imaginary1 * imaginary2)
    beside = max(abs(turn) * f32(0.5), f32(1e-3))
    dimmed = np.sin(beside) / beside  # what a tone beside a frequency of the bank loses in half a tick
    held = real1 * real1 + imaginary1 * imaginary1 + real2 * real2 + imaginary2 * imaginary2
    it.tone[0] = f32(_FIRST_HZ + _GRID_HZ * best) + turn * f32(NARROW_HZ / _HALF / 2 / np.pi)
    it.tone[1] = held * f32(2 / _HALF / NARROW_TICK) / (dimmed * dimmed * power)


@kernel(types.void(types.float32, FOLLOWING))
def _sum_band(power: float, it: Following) -> None:
    """What of a tick's energy lies where busy tones do, and the middle of it; the bank is part of the tick's DFT."""
    sum_, moment = f32(0), f32(0)
    for k in range(_BAND, _BAND_END):
        sum_ += it.strengths[k]
        moment += it.strengths[k] * f32(_FIRST_HZ + _GRID_HZ * k)
    it.band[0] = moment / max(sum_, f32(1e-3))
    it.band[1] = sum_ * f32(2 / NARROW_TICK / NARROW_TICK) / power


@kernel("boolean(f4[::1], f4, f4)")
def _same(run: Floats, hz: float, power: float) -> bool:
    """Whether a tone goes on that of a run."""
    if abs(hz - run[_HZ]) > f32(_STILL_HZ):
        return False
    lower, higher = min(power, run[_POWER]), max(power, run[_POWER])
    same: bool = higher < lower * f32(_WOBBLE if abs(hz - f32(_CED_HZ)) < f32(_CED_OFF_HZ) else LEVEL)
    return same


@kernel("boolean(i4[::1], f4[::1])")
def _informs(counts: Rows, tones: Floats) -> bool:
    """Whether the run that is over was the last tone of the SIT."""
    step = counts[_STEP] if not counts[_ALONE] else 0
    long_enough = _SIT_SHORTEST <= counts[_RUN] <= _SIT_LONGEST
    counts[_STEP] = 0
    if long_enough and abs(tones[_HZ] - f32(_SIT_HZ[step])) <= f32(_SIT_OFF_HZ):
        counts[_STEP] = (step + 1) % len(_SIT_HZ)
        return step == len(_SIT_HZ) - 1
    return False


@kernel("i8(i4[::1], f4[::1])")
def _end(counts: Rows, tones: Floats) -> int:
    """The run is over; if it was long enough to be a tone, its silence is waited for, unless others were close."""
    told = _NOTHING
    if counts[_RUN] >= _SHORTEST:
        if _informs(counts, tones):
            told = _SIT
        counts[_ENDED] = counts[_RUN] if counts[_ALONE] else 0
        counts[_AFTER] = 0
        tones[_ENDED_HZ], tones[_ENDED_POWER], tones[_ENDED_REST] = tones[_HZ], tones[_POWER], tones[_REST]
        tones[_NOISE] = f32(0)
    counts[_RUN] = 0
    return told


@kernel("void(i4[::1], f4[::1], f4, f4, f4)")
def _begin(counts: Rows, tones: Floats, hz: float, power: float, rest: float) -> None:
    counts[_RUN] = 1
    counts[_ALONE] = counts[_AFTER] > _APART or abs(hz - tones[_ENDED_HZ]) < f32(_STILL_HZ)
    if counts[_AFTER] >= _LONG_AGO:
        counts[_TOLD] = 0
    tones[_HZ], tones[_POWER], tones[_REST] = hz, power, rest


@kernel("void(i4[::1], f4[::1], f4, f4, f4)")
def _go_on(counts: Rows, tones: Floats, hz: float, power: float, rest: float) -> None:
    counts[_RUN] += 1
    weight = f32(1) / f32(min(counts[_RUN], 8))
    tones[_HZ] += (hz - tones[_HZ]) * weight
    tones[_POWER] += (power - tones[_POWER]) * weight
    tones[_REST] += (rest - tones[_REST]) * weight


@kernel("i8(i4[::1], f4[::1])")
def _kind(counts: Rows, tones: Floats) -> int:
    """What the tone was that ended in silence. Of a voice or an instrument that breaks off, more goes than a tone."""
    ticks, hz, noise = counts[_ENDED], tones[_ENDED_HZ], tones[_NOISE] * f32(1 / _HUSHED)
    if tones[_ENDED_REST] > tones[_ENDED_POWER] * f32(_IMPURE) + noise * f32(3):
        return _NOTHING
    if abs(hz - f32(_CNG_HZ)) <= f32(_CNG_OFF_HZ) and _CNG_SHORTEST <= ticks <= _CNG_LONGEST:
        return _FAX_CALLING
    if abs(hz - f32(_CED_HZ)) <= f32(_CED_OFF_HZ) and (ticks >= _CED_TICKS or counts[_TOLD]):
        return _NOTHING
    if ticks > _LONGEST or f32(_EXCHANGE_LOWEST_HZ) < hz < f32(_EXCHANGE_HIGHEST_HZ):
        return _NOTHING
    return _BEEP


@kernel("i8(i4[::1], f4[::1], f4)")
def _listen(counts: Rows, tones: Floats, power: float) -> int:
    """What is certain about tones after a tick of that power."""
    counts[_AFTER] = min(counts[_AFTER] + 1, _LONG_AGO)
    if counts[_ENDED] and counts[_AFTER] > 1:
        tones[_NOISE] += power
        if power > tones[_ENDED_POWER] * f32(HUSH):
            counts[_ENDED] = 0
        elif counts[_AFTER] > _HUSHED:
            kind = _kind(counts, tones)
            counts[_ENDED] = 0
            return kind
    off_hz = abs(tones[_HZ] - f32(_CED_HZ))
    if counts[_RUN] >= _CED_TICKS and off_hz <= f32(_CED_OFF_HZ) and not counts[_TOLD]:
        counts[_TOLD] = 1
        return _FAX_ANSWERING
    return _NOTHING


@kernel(types.void(_numbers, types.int16[:, ::1], types.uint8[::1], FOLLOWING))
def follow(rows: Rows, pcm8k: Pcm, event: Bytes, it: Following) -> None:
    """The kernel behind `ProgressDetector.process`, unchecked."""
    for row in rows:
        counts, tones = it.counts[row], it.tones[row]
        power = _power(pcm8k[row])
        it.tone[1] = it.band[1] = f32(0)
        if power > f32(_FAINTEST):
            _correlate(pcm8k[row], it)
            _look(power, it)
            _sum_band(power, it)
        hz, rest = it.tone[0], power * (f32(1) - it.tone[1])
        period = cadence.beat(it.cadence.counts[row], it.cadence.sounds[row], it.band[0], it.band[1], power)
        told = _NOTHING if period == 0 else _CONGESTION if period <= _CONGESTED else _BUSY
        sounds = it.tone[1] > f32(_SHARE) and f32(_LOWEST_HZ) < hz < f32(_HIGHEST_HZ)
        if sounds and counts[_RUN] and _same(tones, hz, power):
            _go_on(counts, tones, hz, power, rest)
        else:
            told = max(told, _end(counts, tones))
            if sounds:
                _begin(counts, tones, hz, power, rest)
        event[row] = max(told, _listen(counts, tones, power))
        counts[_QUIET] = counts[_QUIET] + 1 if power < it.floor[row] else 0
        if counts[_QUIET] == it.patience[row] and counts[_QUIET]:
            if event[row] == _NOTHING:
                event[row] = _SILENCE
            else:
                counts[_QUIET] -= 1  # one word a tick: this one comes with the next


class ProgressDetector:
    """Call progress on `capacity` legs. One object serves one thread."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._it = following(capacity)

    def process(self, rows: Rows, pcm8k: Pcm, event: Bytes) -> None:
        """Take one tick of `pcm8k` i16[C, 160]; `event` u8[C] becomes a `Progress`."""
        check_rows(rows, self._capacity)
        check_shape("pcm8k", pcm8k, (self._capacity, NARROW_TICK))
        check_shape("event", event, (self._capacity,))
        follow(rows, pcm8k, event, self._it)

    def await_silence(self, row: int, ticks: int, below_dbfs: float = -50.0) -> None:
        """Tell of `ticks` in a row whose RMS is under `below_dbfs`, once a silence; 0 tells of none."""
        if not 0 <= row < self._capacity:
            raise ValueError(f"row must be 0..{self._capacity - 1}, got {row}")
        self._it.floor[row] = 10 ** (below_dbfs / 10) * 32_768.0**2
        self._it.patience[row] = ticks

    def reset(self, row: int) -> None:
        """Forget the past of `row`: another call begins there."""
        if not 0 <= row < self._capacity:
            raise ValueError(f"row must be 0..{self._capacity - 1}, got {row}")
        forget(self._it, row)
