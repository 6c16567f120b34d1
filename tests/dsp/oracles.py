"""Kernels again in numpy, as plainly as can be, for their tests to be compared with."""

import numpy as np
import numpy.typing as npt

from dsp.kernel import Pcm
from dsp.tones import DIGITS, HIGH_HZ, LOW_HZ


class ConcealingOracle:
    """`dsp.plc` for one row, from the text of the module."""

    def __init__(self, tick: int) -> None:
        self.tick, self.scale, self.gap = tick, tick // 160, 0
        self.past: npt.NDArray[np.float64] = np.zeros(390 * tick // 160)
        self.before, self.period, self.place = self.past, 0, 0

    def process(self, good: Pcm | None, period: int) -> Pcm:
        """A tick that came, or None; of pitch periods that are equally good but for rounding, `period` is taken."""
        made: Pcm = self._tick(good, period)
        self.past = np.concatenate((self.past, made.astype(np.float64)))[-self.past.size :]
        return made

    def _tick(self, good: Pcm | None, period: int) -> Pcm:
        if good is None:
            self.gap += 1
            if self.gap == 1:
                self.before, self.place = self.past, 0
                assert period in self._periods()
                self.period = period
                made = self._repeated(1)
                quarter = self.period // 4
                step = self.before[-1] - self.before[-1 - self.period]
                made[:quarter] += step * (1 - np.arange(1, quarter + 1) / (quarter + 1))
            else:
                place = self.place
                made = self._repeated(min(self.gap - 1, 3))
                if self.gap <= 3:
                    self.place = place % self.period
                    weight = np.minimum(np.arange(1, self.tick + 1) / (self.period // 4 + 1), 1)
                    made += (self._repeated(self.gap) - made) * weight
        elif self.gap == 0:
            return good
        else:
            made = good.astype(float)
            fade = min(self.period // 4 + 32 * self.scale * (2 * self.gap - 1), 80 * self.scale)
            self.gap += 1
            weight = np.arange(1, fade + 1) / (fade + 1)
            old = self._repeated(min(self.gap - 1, 3))[:fade]
            made[:fade] = old + (made[:fade] - old) * weight
            self.gap = 0
        return np.rint(np.clip(made, -32_768, 32_767)).astype(np.int16)

    def _periods(self) -> set[int]:
        x, size = self.before, 48 * self.scale
        lags = np.arange(26 * self.scale, 120 * self.scale + 1)
        earlier = np.stack([x[x.size - size - lag : x.size - lag] for lag in lags])
        product, energy = earlier @ x[-size:], (earlier**2).sum(axis=1) + 1
        scores = product * np.abs(product) / (energy * (x[-size:] @ x[-size:] + 1))
        return set(lags[scores > scores.max() - 1e-4].tolist())

    def _repeated(self, periods: int) -> npt.NDArray[np.float64]:
        length, quarter = self.period * periods, self.period // 4
        loop = self.before[-length:].copy()
        weight = np.arange(1, quarter + 1) / (quarter + 1)
        loop[length - quarter :] += (self.before[-length - quarter : -length] - loop[length - quarter :]) * weight
        at = np.arange(self.tick)
        level = np.clip((1_280 * self.scale - (self.gap - 1) * self.tick - at) / (1_200 * self.scale), 0, 1)
        made = loop[(self.place + at) % length] * level
        self.place = (self.place + self.tick) % length
        return np.asarray(made)


class StretchingOracle:
    """`dsp.stretch` for one row: a list of samples instead of places in a line."""

    def __init__(self, tick: int) -> None:
        self.tick, self.past, self.line, self.rest = tick, [0] * tick, list[int](), 0

    def needed(self, want_ms: float) -> int:
        least = self.tick
        if want_ms < -10 and self.rest == 0:
            least += self.tick * 15 // 20
        needed = 0
        while len(self.line) + needed * self.tick < least:
            needed += 1
        return needed

    def moves(self, want_ms: float, quiet: bool) -> set[int]:
        """The moves that are right; more than one where they are as good as each other, but for rounding."""
        want = round(want_ms * self.tick / 20)
        if self.rest > 0:
            return {0}
        before, after = np.mean(np.square(self.past)), np.mean(np.square(self.line))
        if max(before, after) < 80**2 or (quiet and after < 4 * before):
            even = [by for by in range(-self.tick, self.tick + 1) if (len(self.line) + by) % self.tick == 0]
            possible = [by for by in even if self.tick - by <= len(self.line)]
            return {by for by in possible if abs(want - by) == min(abs(want - each) for each in possible)}
        lacks = want > self.tick // 8 and len(self.line) % self.tick
        if abs(want) <= self.tick // 2 and not lacks:
            return {0}
        scores = {by: score for by, score in self._scores(1 if want > 0 else -1).items() if by >= min(want, 0)}
        likeness = max(scores.values(), default=0.0)
        found = {by for by, score in scores.items() if score > max(likeness, 0.8) - 1e-4}
        return found if likeness > 0.8 + 1e-4 else found | {0}

    def _scores(self, sign: int) -> dict[int, float]:
        whole = np.array(self.past + self.line, float)
        coming, scores = whole[self.tick : 2 * self.tick], {}
        for by in range(sign * self.tick // 8, sign * (self.tick * 3 // 4 + 1), sign):
            other = whole[self.tick - by : 2 * self.tick - by]
            if len(other) == self.tick:
                level = max(coming @ coming, self.tick) * (other @ other + 1)
                scores[by] = float(coming @ other / np.sqrt(level))
        return scores

    def play(self, move: int) -> Pcm:
        """The next tick, with one of the right moves."""
        self.rest = 4 if move else max(self.rest - 1, 0)
        whole = np.array(self.past + self.line, float)
        here, there = (whole[self.tick - by :][: self.tick] for by in (0, move))
        weight = np.arange(1, self.tick + 1) / (self.tick + 1) if move else 1.0
        played: Pcm = np.rint(here + (there - here) * weight).astype(np.int16)
        self.line = self.line[self.tick - move :]
        self.past = played.tolist()
        return played


def keys_pressed(pcm: Pcm) -> list[tuple[int, str]]:
    """`dsp.tones` for one row, from the text of the module: the ticks in which digits are reported, and which."""
    hz = np.array(LOW_HZ + HIGH_HZ)
    turn, most = np.exp(2j * np.pi * hz / 200), np.tan(2 * np.pi * hz / 200 * 0.025)  # in 40 samples
    quietest = 120 * 32_768**2 * 10**-4.2
    x = np.concatenate([np.zeros(80), pcm])
    for start in range(0, pcm.size, 160):
        before, tick = np.split(x[start : start + 240], [80])
        if max(before @ before, tick @ tick) < quietest / 3:
            tick[:] = 0  # what is so quiet is forgotten
    windows = np.lib.stride_tricks.sliding_window_view(x, 120)[::40]
    sums = windows @ np.exp(-2j * np.pi * hz / 8_000 * np.arange(120)[:, None])
    powers, energies = np.abs(sums) ** 2, (windows**2).sum(axis=1)
    reported = []
    digit, run, held, missed, drift = 0, 0, 0, 0, np.zeros(2, np.complex128)
    for number, (power, energy) in enumerate(zip(powers, energies, strict=True)):
        pair = [int(power[:4].argmax()), int(power[4:].argmax()) + 4]
        low, high = power[pair]
        strong = energy >= quietest and (low + high) / 60 >= 0.65 * energy
        found = 4 * pair[0] + pair[1] - 3 if strong and high <= 10**0.55 * low and low <= 10 * high else 0
        if found and found == digit:
            run += 1
            drift += sums[number, pair] / turn[pair] * sums[number - 1, pair].conj()
            if run >= 5 and found != held and (np.abs(drift.imag) < most[pair] * drift.real).all():
                held = found
                reported.append((number // 4, DIGITS[found - 1]))
        else:
            digit, run, drift = found, 1, np.zeros(2, np.complex128)
        missed = 0 if found == held else missed + 1
        if missed == 6:
            held = missed = 0
    return reported
