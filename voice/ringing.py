"""What somebody hears while it rings elsewhere: a tone of ours, or, as long as it comes, the sound from there."""

from dsp.parts import Part
from voice.media.music import ringing_tone
from voice.music import Music
from voice.ports import TICK_MS, Leg, Room

QUIET_MS = 1_000
"""With no packet from there for so long it is our tone again: pauses (RFC 3389) are shorter."""


class Ringing:
    """For whoever hears `leg`, which is a coached member of `room` (RFC 3960 section 3.2): nobody else is told what
    networks say before there is an answer, so none of it is in the caller's ear or on the recording."""

    def __init__(self, leg: Leg, room: Room) -> None:
        self._leg = leg
        self._room = room
        self._tone: Music | None = None
        self._early: Leg | None = None
        self._received = 0
        self._quiet_ms = QUIET_MS

    def hear(self, early: Leg) -> None:
        """Sound may come by `early` from now on, in place of any before."""
        self._leave()
        self._early, self._received, self._quiet_ms = early, early.stats.packets_received, QUIET_MS
        early.enter(self._room, Part.COACH)

    def move(self, leg: Leg) -> None:
        """Whoever hears it has another leg from now on."""
        self._leg, self._tone = leg, None

    def feed(self) -> None:
        """Keep it going; once a tick."""
        if self._comes():
            self._hush()
            return
        if self._tone is None:
            self._tone = Music(self._leg, ringing_tone())
        self._tone.feed()

    def stop(self) -> None:
        """It rings no more: the sound from there is whose it will be."""
        self._hush()
        self._leave()

    def _comes(self) -> bool:
        if self._early is None:
            return False
        received = self._early.stats.packets_received
        self._quiet_ms = 0 if received != self._received else self._quiet_ms + TICK_MS
        self._received = received
        return self._quiet_ms < QUIET_MS

    def _hush(self) -> None:
        if self._tone is not None:
            self._tone = None
            self._leg.stop()

    def _leave(self) -> None:
        if self._early is not None:
            self._early.enter(None)
            self._early = None
