"""Numbers that prove a line before any bot is involved: echo, milliwatt, ring and busy."""

from collections.abc import Callable

import numpy as np

from voice.ports import RATE_HZ, TICK_SAMPLES, Frame, Leg

ECHO, MILLIWATT, RING, BUSY = "echo", "milliwatt", "ring", "busy"
"""What `bots` calls them. A number that is busy makes no call, and one that rings is an echo once it answers."""

TESTS = frozenset((ECHO, MILLIWATT, RING, BUSY))

RING_S = 6.0

ECHO_BEHIND_MS = 100
"""An echo may wait so long to be sent; more waits only where nothing can be sent, and is void: it would stay late."""

TONE_AHEAD_MS = 200

PEAK = 22_827
"""Of a sine at 0 dBm0: 3.14 dB below the largest that A-law holds (ITU-T G.711 section 4; by mu-law's 3.17 dB it would
be 22,656, which is 0.07 dB less)."""

_STEP = 2 * np.pi * 1_000 / RATE_HZ
_TONE = np.rint(PEAK * np.sin(_STEP * np.arange(1, TICK_SAMPLES + 1))).astype(np.int16)
"""1 kHz, 20 cycles. At 8 kHz the samples fall on 22.5 and 67.5 degrees, and so G.711 makes of it, in either law, the
very octets of its tables 5 and 6."""


class LineTest:
    """A mind that minds nothing that is said or keyed."""

    def __init__(self, leg: Leg, end: Callable[[str], None]) -> None:
        self._leg = leg
        self._end = end

    def press(self, key: str) -> None:
        """Keys mean nothing here."""

    def expire(self) -> None:
        """Nothing is said here."""
        self._end("longest_call")

    def gone(self) -> None:
        """Nothing is under way."""

    def close(self) -> None:
        """Nothing is held."""


class Echo(LineTest):
    """The caller hears what was said, so a line can be checked by ear, or with a tone."""

    def __init__(self, leg: Leg, end: Callable[[str], None]) -> None:
        super().__init__(leg, end)
        leg.keep_echo()

    def on_frame(self, frame: Frame) -> None:
        if self._leg.queued_ms < ECHO_BEHIND_MS:
            self._leg.play(0, frame.pcm, last=False)


class Milliwatt(LineTest):
    """The digital milliwatt: the caller measures what the line does to 1 kHz at 0 dBm0."""

    def on_frame(self, frame: Frame) -> None:
        while self._leg.queued_ms < TONE_AHEAD_MS and self._leg.play(0, _TONE, last=False):
            pass
