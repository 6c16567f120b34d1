"""Supervisors in a call: they listen, whisper to the agent alone, or join as anybody else."""

from collections.abc import Callable

from dialog.commands import How
from dsp.parts import Part
from voice.listener import Listener
from voice.party import Clock, Party
from voice.ports import Leg, Room

_PARTS: dict[How, Part] = {"listen": Part.LISTENER, "whisper": Part.COACH, "join": Part.PARTY}


class Supervisors:
    """Those in `room`. What one says who has joined is written down by a listener that `hear` makes."""

    def __init__(self, room: Room, clock: Clock, hear: Callable[[], Listener]) -> None:
        self._room = room
        self._clock = clock
        self._hear = hear
        self._parties: dict[str, Party] = {}
        self._attended = True

    def let_in(self, supervisor: str, leg: Leg, how: How) -> None:
        """Be in the call like that, whatever was before."""
        self.let_out(supervisor)
        party = Party(leg, self._clock, self._hear() if how == "join" else None)
        party.attend(on=self._attended)
        party.enter(self._room, _PARTS[how])
        self._parties[supervisor] = party

    def let_out(self, supervisor: str) -> bool:
        """Be in it no more; False for one who was not."""
        party = self._parties.pop(supervisor, None)
        if party is not None:
            party.close()
        return party is not None

    def attend(self, *, on: bool) -> None:
        """Write down what they say, or do not."""
        self._attended = on
        for party in self._parties.values():
            party.attend(on=on)

    def close(self) -> None:
        """All of them are out. Idempotent."""
        for supervisor in tuple(self._parties):
            self.let_out(supervisor)
