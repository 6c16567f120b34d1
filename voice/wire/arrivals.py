"""How late packets come, and the delay that fits them.

The delay of a jitter buffer is the wait of the *fastest* packet of the last seconds. A histogram of how much later
than the fastest each packet came, with forgetting, gives the delay that lets 97 of 100 come in time (the idea of
WebRTC's NetEq).
"""

from collections import deque

START_TICKS = 2
"""Delay before anything is known about the arrivals, and the least there is: 40 ms."""
MAX_TICKS = 10
"""Longest delay: 200 ms."""

_BASE_TICKS = 200  # the fastest packet of the last 4 s is the zero of all delays
_QUANTILE = 0.97
_MEMORY_PACKETS = 66  # the histogram forgets a packet with this time constant


class Arrivals:
    """One stream's arrivals; `target` is the delay to aim at, in ticks."""

    def __init__(self) -> None:
        self._transits: deque[tuple[int, float]] = deque()  # rising transits, the window's least first
        self._share = [0.0] * (MAX_TICKS + 1)
        self._share[1] = 1.0
        self._count = 0
        self.target = START_TICKS

    @property
    def base(self) -> float:
        return self._transits[0][1] if self._transits else 0.0

    @property
    def jitter(self) -> float:
        """How far apart the transits of two packets are, on average, in ticks: what RFC 3550 section 6.4.1 calls
        jitter, but for packets of any two times and with the grain of a tick. From the histogram: the mean of
        |a - b| of two draws is twice the sum of F(1 - F)."""
        below = jitter = 0.0
        for share in self._share.copy():
            below += share
            jitter += 2 * below * max(0.0, 1 - below)
        return jitter

    def add(self, transit: float, now: int) -> None:
        """Count a packet that took `transit` (arrival less position; only differences mean anything)."""
        transits = self._transits
        while transits and transits[-1][1] >= transit:
            transits.pop()
        transits.append((now, transit))
        while transits[0][0] < now - _BASE_TICKS:
            transits.popleft()
        late = min(MAX_TICKS, int(transit - transits[0][1] + 0.999))
        self._count += 1
        weight = max(1 / _MEMORY_PACKETS, 1 / (self._count + 9))
        share = self._share
        for delay in range(MAX_TICKS + 1):
            share[delay] *= 1 - weight
        share[late] += weight
        beyond = 1 - _QUANTILE
        delay = MAX_TICKS
        above = share[delay]
        while delay > 0 and above <= beyond:
            delay -= 1
            above += share[delay]
        self.target = min(MAX_TICKS, max(START_TICKS, delay + 1))

    def forget_zero(self) -> None:
        """The time line was moved: old transits cannot be compared with new ones. The spread is kept."""
        self._transits.clear()
