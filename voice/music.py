"""Music on one leg, for as long as nothing else is said: a loop that is fed a little ahead of the wire."""

import numpy as np

from voice.ports import RATE_HZ, Leg, Pcm

AHEAD_MS = 400
_PIECE = RATE_HZ // 5
_PLAYBACK = -1
"""No phrase has this number: what is played of the music is nobody's to follow."""
_RISE = np.linspace(0.0, 1.0, _PIECE, dtype=np.float32)


class Music:
    """`loop` is 16 kHz mono of at least a second, whose end meets its beginning."""

    def __init__(self, leg: Leg, loop: Pcm) -> None:
        self._leg = leg
        self._loop = loop
        self._at = 0
        self._playing = False

    def feed(self) -> None:
        """Keep it going; once a tick. It comes in softly."""
        while self._leg.queued_ms < AHEAD_MS:
            piece = self._next()
            if not self._playing:
                piece = (piece * _RISE).astype(np.int16)
                self._playing = True
            if not self._leg.play(_PLAYBACK, piece, last=False):
                return

    def fade(self) -> None:
        """Go out within a fifth of a second, behind what is queued."""
        if self._playing:
            self._playing = False
            self._leg.play(_PLAYBACK, (self._next() * _RISE[::-1]).astype(np.int16), last=False)

    def _next(self) -> Pcm:
        piece = np.take(self._loop, range(self._at, self._at + _PIECE), mode="wrap")
        self._at = (self._at + _PIECE) % self._loop.size
        return piece
