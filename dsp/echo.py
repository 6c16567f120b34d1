"""Echo cancelling on the legs that need it: our own voice is taken out of what comes back.

Every leg's echo is measured (`dsp.echo_loss`). One whose echo return loss stays below `NEEDED_DB` gets a canceller
(`dsp.speex`) from a pool of a fixed size and gives it back when no echo was seen for ten seconds of playing. The
canceller's filter is 160 ms long and begins a little before the delay that was measured; when the echo moves out of
it, the leg begins anew.

A filter needs a second of speech to learn from. So the last second of each leg is kept, both ways, and a leg that gets
a canceller goes through it again, some ticks at a time, until it has caught up: what is heard from then on is free of
echo. But two who begin to speak in the same moment, or two tones, look like an echo too, and there a filter adds more
than it takes away. So a canceller is on trial, unheard, until it has taken most of some ticks away, which of another
voice it cannot. While it is heard the leg is `DELAY_MS` later, by the suppressor's overlapping windows.

Until then our voice still comes back, and is speech. So each tick says whether it may be `ours`: whether it is no
louder than an echo of what was played in the last quarter of a second. How loud that is at most says a bound, which
falls within 0.3 s where nothing comes back; then the loss that was measured; and then what a canceller leaves of it.
"""

import weakref
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import types

from dsp import speex
from dsp.echo_loss import (
    BLOCKS,
    ECHO_LOSS,
    LAGS,
    PLAYED,
    EchoLoss,
    doubt_echo,
    echo_loss,
    forget_echo,
    measure_echo,
    power,
)
from dsp.kernel import NARROW_HZ, WIDE_HZ, Bytes, Floats, Pcm, Rows, check_rows, check_shape, f32, i32, kernel, record

NEEDED_DB = 35.0
"""Echo return loss under which a leg gets a canceller: what a VAD still takes for speech."""
DELAY_MS = 20

_GONE_DB = 40.0  # echo return loss over which there is no echo to speak of
_SURE = 0.6  # confidence from which a measurement counts
_ONSET = 15  # ticks in which something is played and an echo seen, in a row, until a leg gets a canceller
_AWAY = 500  # ticks in which something is played and no echo seen, in a row, until it gives it back
_LOUDER = 1.4  # a canceller that makes a tick so much louder is wrong about the echo's path ...
_WRONG = 10  # ... and is given up after so many of them, less the others
_PROOF = 5  # ticks of which it must have taken ...
_TAKEN = 0.5  # ... so much of the power, before it is heard; and how long ...
_TRIAL = 150  # ... it may take for that, in ticks of something played, with those that were
_FILTER_TICKS = 8  # length of the filter
_LEAD_MS = (
    40  # its begin before the measured delay: that of the echo's middle, which in a room is 30 ms after its begin
)
_EARLIER_MS, _LATER_MS = 16, 48  # that the echo may move by, and still be where the filter is
_PAST = 50  # ticks that a canceller learns from as it is begun
_TICKS = 64  # ticks kept: these, and what was said up to the longest delay before
_EXTRA = 4  # ticks of its past that a leg goes through in a tick, besides the present one ...
_EXTRA_IN_ALL = 8  # ... and all legs together
_UNKNOWN = 64.0  # ticks of something played (`EchoLoss.heard`), 2 s of them, in which any leg may have an echo ...
_LIKELY = 0.3  # ... and confidence from which one may have it later
_LOUDEST = 0.25  # power gain over which nothing is an echo, whatever may be: 6 dB, the loss of a bad hybrid
_COLOUR = 2.0  # a tick may come back so much stronger than the mean of them, by its spectrum
_LEFT = 0.03  # of an echo's power a canceller leaves less

_NOISE_SUPPRESS_DB, _ECHO_SUPPRESS_DB, _ECHO_SUPPRESS_ACTIVE_DB = 0, -40, -6

Handles = npt.NDArray[np.intp]
Counts = npt.NDArray[np.int64]


class Cancelling(NamedTuple):
    """What is kept of every leg, and the pool."""

    loss: EchoLoss
    said: Pcm  # [C, _TICKS * n] the last ticks, in a ring
    heard: Pcm  # [C, _TICKS * n]
    ticks: Counts  # [C] so far
    done: Counts  # [C] ticks that went through the canceller, or before it
    seen: Rows  # [C] ticks in a row with an echo, while something was played
    missed: Rows  # [C] ticks in a row without
    wrong: Rows  # [C] ticks that the canceller made louder, less the others
    proof: Rows  # [C] ticks of which it took enough
    tried: Rows  # [C] ticks that went through it while something was played
    clean: Rows  # [C] whether it is heard
    begin: Rows  # [C] samples from what is said to what the filter begins with
    slot: Rows  # [C] place in the pool, or -1
    ours: Bytes  # [C] 1: what the latest tick holds may be an echo of ours, and nothing else
    taken: Rows  # [most] 1 where a place is taken
    echo: Handles  # [most] Speex's states
    rest: Handles  # [most]
    settings: Rows  # [5] what the states are made with: Hz, three attenuations, samples of the filter
    reference: Pcm  # [n] scratch
    cleaned: Pcm  # [n] scratch


_rows, _pcm, _counts = types.int32[::1], types.int16[:, ::1], types.int64[::1]
CANCELLING = record(
    [ECHO_LOSS, _pcm, _pcm, _counts, _counts, *[_rows] * 8, types.uint8[::1], _rows, *[types.intp[::1]] * 2, _rows]
    + [types.int16[::1]] * 2,
    Cancelling,
)


def cancelling(capacity: int, hz: int, most: int) -> Cancelling:
    """The state of `capacity` legs at `hz`, of which `most` can be cancelled at a time."""
    tick = hz // 50
    settings = [hz, _NOISE_SUPPRESS_DB, _ECHO_SUPPRESS_DB, _ECHO_SUPPRESS_ACTIVE_DB, _FILTER_TICKS * tick]
    return Cancelling(
        loss=echo_loss(capacity),
        said=np.zeros((capacity, _TICKS * tick), np.int16),
        heard=np.zeros((capacity, _TICKS * tick), np.int16),
        ticks=np.zeros(capacity, np.int64),
        done=np.zeros(capacity, np.int64),
        seen=np.zeros(capacity, np.int32),
        missed=np.zeros(capacity, np.int32),
        wrong=np.zeros(capacity, np.int32),
        proof=np.zeros(capacity, np.int32),
        tried=np.zeros(capacity, np.int32),
        clean=np.zeros(capacity, np.int32),
        begin=np.zeros(capacity, np.int32),
        slot=np.full(capacity, -1, np.int32),
        ours=np.zeros(capacity, np.uint8),
        taken=np.zeros(most, np.int32),
        echo=np.zeros(most, np.intp),
        rest=np.zeros(most, np.intp),
        settings=np.array(settings, np.int32),
        reference=np.zeros(tick, np.int16),
        cleaned=np.zeros(tick, np.int16),
    )


@kernel(types.int64(CANCELLING, types.int64))
def _begin(it: Cancelling, row: int) -> int:
    """Where a filter should begin by what was measured, in samples."""
    begin: int = max(int(it.loss.delay_ms[row]) - _LEAD_MS, 0) * it.settings[0] // 1000
    return begin


@kernel(types.void(CANCELLING, types.int64))
def _take(it: Cancelling, row: int) -> None:
    """Give `row` a canceller and have it begin in the past, unless all are taken."""
    slot = 0
    while slot < it.taken.size and it.taken[slot]:
        slot += 1
    if slot == it.taken.size:
        return
    tick, settings = i32(it.cleaned.size), it.settings
    echo = speex.echo_state_init(tick, settings[4])
    rest = speex.preprocess_state_init(tick, settings[0])
    speex.echo_ctl(echo, i32(speex.SAMPLING_RATE), settings.ctypes.data)
    speex.preprocess_ctl(rest, i32(speex.ECHO_STATE), echo)
    speex.preprocess_ctl(rest, i32(speex.NOISE_SUPPRESS), settings[1:].ctypes.data)
    speex.preprocess_ctl(rest, i32(speex.ECHO_SUPPRESS), settings[2:].ctypes.data)
    speex.preprocess_ctl(rest, i32(speex.ECHO_SUPPRESS_ACTIVE), settings[3:].ctypes.data)
    it.echo[slot], it.rest[slot], it.taken[slot], it.slot[row] = echo, rest, 1, slot
    it.begin[row] = _begin(it, row)
    it.done[row] = max(it.ticks[row] - _PAST, 0)
    it.missed[row] = 0
    it.wrong[row] = it.proof[row] = it.tried[row] = 0


@kernel(types.void(CANCELLING, types.int64))
def _give_back(it: Cancelling, row: int) -> None:
    slot = it.slot[row]
    if slot >= 0:
        speex.preprocess_state_destroy(it.rest[slot])
        speex.echo_state_destroy(it.echo[slot])
        it.taken[slot] = 0
        it.slot[row] = -1
        it.seen[row] = it.clean[row] = 0


@kernel(types.void(types.int32[::1], CANCELLING))
def _look(rows: Rows, it: Cancelling) -> None:
    """Count the ticks with and without an echo, and see whether it is still where the filter is."""
    loss = it.loss
    for row in rows:
        if loss.idle[row] > 0:
            continue
        sure = loss.confidence[row] >= f32(_SURE)
        it.seen[row] = it.seen[row] + 1 if sure and loss.loss_db[row] < f32(NEEDED_DB) else 0
        it.missed[row] = 0 if sure and loss.loss_db[row] < f32(_GONE_DB) else it.missed[row] + 1
        if it.seen[row] >= _ONSET:
            ms = it.settings[0] // 1000
            moved = _begin(it, row) - it.begin[row]
            if it.slot[row] < 0:
                _take(it, row)
            elif moved < -_EARLIER_MS * ms or moved > _LATER_MS * ms:
                _give_back(it, row)


@kernel(types.void(types.int32[::1], types.int16[:, ::1], types.int16[:, ::1], CANCELLING))
def _keep(rows: Rows, said: Pcm, heard: Pcm, it: Cancelling) -> None:
    size, ring = said.shape[1], it.said.shape[1]
    for row in rows:
        at = it.ticks[row] * size % ring
        played, came = it.said[row, at : at + size], it.heard[row, at : at + size]
        for i in range(size):  # a slice assigned takes three times as long
            played[i] = said[row, i]
        for i in range(size):
            came[i] = heard[row, i]
        it.ticks[row] += 1


@kernel(types.void(CANCELLING, types.int64))
def _clean(it: Cancelling, row: int) -> None:
    """Take the echo out of the row's next tick that is not done, into `it.cleaned`.

    Where the echo's path has changed at a stroke (a receiver lifted, a call transferred behind the peer), what the
    filter takes away is an echo that is added. Such a tick stays as it was heard.
    """
    tick, ring = it.cleaned.size, it.said.shape[1]
    at = it.done[row] * tick
    first = at - it.begin[row] + ring
    for i in range(tick):
        it.reference[i] = it.said[row, (first + i) % ring]
    slot, heard = it.slot[row], it.heard[row, at % ring : at % ring + tick]
    cleaned = it.cleaned.ctypes.data
    speex.echo_cancellation(it.echo[slot], heard.ctypes.data, it.reference.ctypes.data, cleaned)
    before, after = power(heard), power(it.cleaned)
    louder = after > f32(_LOUDER) * before
    it.proof[row] += after < f32(1 - _TAKEN) * before
    it.tried[row] += power(it.reference) > f32(PLAYED)
    if louder:
        for i in range(heard.size):
            it.cleaned[i] = heard[i]
    it.wrong[row] = it.wrong[row] + 1 if louder else max(it.wrong[row] - 1, 0)
    speex.preprocess_run(it.rest[slot], cleaned)
    it.done[row] += 1


@kernel(types.void(types.int16[::1], types.int16[::1], types.int16[::1]))
def _fade(begin: Pcm, end: Pcm, out: Pcm) -> None:
    for i in range(out.size):
        weight = f32(i + 1) / f32(out.size)
        value = f32(begin[i]) + (f32(end[i]) - f32(begin[i])) * weight
        out[i] = np.int16(i32(np.rint(value)))


@kernel(types.boolean(CANCELLING, types.int64, types.int16[::1], types.float32))
def _is_ours(it: Cancelling, row: int, heard: Pcm, left: float) -> bool:
    """Whether an echo explains how loud a tick is, of which `left` (power) is heard."""
    loss = it.loss
    if loss.idle[row] * BLOCKS > LAGS:
        return False
    gain = min(loss.most[row] * f32(_COLOUR), f32(_LOUDEST))
    if it.slot[row] >= 0 or it.seen[row] > 0:
        gain = f32(10) ** (loss.loss_db[row] * f32(-0.1)) * f32(_COLOUR)
    loudest = f32(0)
    for played in loss.played[row]:
        loudest = max(loudest, played)
    explained: bool = power(heard) <= loudest * gain * left
    return explained


@kernel(types.void(types.int32[::1], types.int16[:, ::1], types.int16[:, ::1], CANCELLING))
def cancel(rows: Rows, said: Pcm, heard: Pcm, it: Cancelling) -> None:
    """One tick: `said` i16[C, n] is played on the legs while `heard` i16[C, n] comes in, which loses its echo."""
    measure_echo(rows, said, heard, it.loss)
    _keep(rows, said, heard, it)
    _look(rows, it)
    extra = _EXTRA_IN_ALL
    for row in rows:
        if it.slot[row] < 0:
            may = it.loss.confidence[row] >= f32(_LIKELY) or it.loss.heard[row, 3] < f32(_UNKNOWN)
            it.ours[row] = may and _is_ours(it, row, heard[row], f32(1))
            continue
        behind = it.ticks[row] - 1 - it.done[row]
        more = min(behind, extra, _EXTRA)
        extra -= more
        for _ in range(1 + more):
            _clean(it, row)
        if behind > 0:
            it.wrong[row] = 0  # it is learning
        failed = it.proof[row] < _PROOF and it.tried[row] >= _TRIAL
        wrong = it.wrong[row] >= _WRONG
        leaves = wrong or failed or it.missed[row] >= _AWAY
        before, after = it.clean[row], more == behind and it.proof[row] >= _PROOF and not leaves
        it.clean[row] = after
        if after and before:
            for i in range(heard.shape[1]):
                heard[row, i] = it.cleaned[i]
        elif after:
            _fade(heard[row], it.cleaned, heard[row])
        elif before:
            _fade(it.cleaned, heard[row], heard[row])
        it.ours[row] = _is_ours(it, row, heard[row], f32(_LEFT) if after else f32(1))
        if leaves:
            _give_back(it, row)
        if wrong:
            forget_echo(it.loss, row)  # what was measured is of another path
        elif failed:
            doubt_echo(it.loss, row)


@kernel(types.void(CANCELLING, types.int64))
def forget_cancelling(it: Cancelling, row: int) -> None:
    """Another call begins in `row`."""
    _give_back(it, row)
    forget_echo(it.loss, row)
    if it.ticks[row] > 0:  # a row that was never used is as it was made: no time is spent on it
        it.said[row] = 0
        it.heard[row] = 0
    it.ticks[row] = 0
    it.seen[row] = 0
    it.missed[row] = 0
    it.ours[row] = 0


def _forget_all(it: Cancelling) -> None:
    for row in range(it.ticks.size):
        forget_cancelling(it, row)


class EchoCanceller:
    """Echo cancelling for `capacity` legs at `hz`, 8,000 or 16,000; `most` can have it at a time. One object serves one
    thread."""

    def __init__(self, capacity: int, hz: int, most: int) -> None:
        if hz not in (NARROW_HZ, WIDE_HZ):
            raise ValueError(f"hz must be {NARROW_HZ} or {WIDE_HZ}, got {hz}")
        self._shape = (capacity, hz // 50)
        self._state = cancelling(capacity, hz, most)
        weakref.finalize(self, _forget_all, self._state)

    @property
    def loss_db(self) -> Floats:
        """Echo return loss of each leg, where `confidence` is high."""
        return self._state.loss.loss_db

    @property
    def confidence(self) -> Floats:
        """Of `loss_db`, 0..1."""
        return self._state.loss.confidence

    @property
    def ours(self) -> Bytes:
        """1 where an echo of what was played explains the latest tick: nobody need have spoken in it."""
        return self._state.ours

    def has(self, row: int) -> bool:
        """Whether `row` has a canceller."""
        return bool(self._state.slot[row] >= 0)

    def process(self, rows: Rows, said: Pcm, heard: Pcm) -> None:
        """One tick, in place: `said` i16[C, n] is played while `heard` i16[C, n] comes in; n are 20 ms.

        A leg without a canceller is heard as it came, one with it `DELAY_MS` later. What is `said` is all that the leg
        is told: the bot's voice, music, and the mix of its room.
        """
        check_rows(rows, self._shape[0])
        check_shape("said", said, self._shape)
        check_shape("heard", heard, self._shape)
        cancel(rows, said, heard, self._state)

    def reset(self, row: int) -> None:
        """Forget the past of `row` and give its canceller back: another call begins there."""
        forget_cancelling(self._state, row)
