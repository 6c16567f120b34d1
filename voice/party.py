"""Somebody in a call beside the caller: in the caller's room, and written down by the caller's clock."""

from collections.abc import Callable
from dataclasses import replace

from dsp.parts import Part
from voice.listener import Listener
from voice.ports import Frame, Leg, Room

Clock = Callable[[], int | None]
"""The tick of the caller's leg; None before the first."""


class Party:
    """`listener` writes down what is said here, where there is one; `keyed` is told the keys."""

    def __init__(
        self,
        leg: Leg,
        clock: Clock,
        listener: Listener | None = None,
        keyed: Callable[[str], object] = lambda keys: None,
    ) -> None:
        self.leg = leg
        self._clock = clock
        self._listener = listener
        self._keyed = keyed
        self._behind: int | None = None
        self._attended = True
        leg.listen(self._on_frame)

    def enter(self, room: Room, part: Part = Part.PARTY) -> None:
        """Be heard there, and hear, as `part` says."""
        self.leg.enter(room, part)

    def attend(self, *, on: bool) -> None:
        """Write down what is said, or do not: what was begun is void then."""
        if self._listener is not None and self._attended and not on:
            self._listener.forget()
        self._attended = on

    def close(self) -> None:
        """Leave the room, and the leg to whoever has it next. Idempotent."""
        self.leg.enter(None)
        self.leg.listen(_nobody_listens)
        if self._listener is not None:
            self._listener.forget()
            self._listener.close()

    def _on_frame(self, frame: Frame) -> None:
        if frame.keys:
            self._keyed(frame.keys)
        tick = self._clock()
        if self._listener is None or not self._attended or tick is None:
            return
        if self._behind is None:
            self._behind = tick - frame.tick
        # the journal's time is the caller's; this leg is older than the call, or younger
        shifted = replace(frame, tick=max(0, frame.tick + self._behind))
        self._listener.on_frame(shifted, yielding=True, floor_is_free=True)


def _nobody_listens(_frame: Frame) -> None:
    """Between calls an agent's voice goes nowhere."""
