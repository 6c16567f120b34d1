"""Back to back: where a member of a room hears one other alone and both speak one format, that one's packets go on as
they came, bit by bit. What is decoded and encoded anew is worse each time, and Opus takes more time to encode than
all else of a leg together.

The mix is made all the same, for ears, recordings and the ticks in which it is sent: when something is played in the
room, when a packet is missing, when it is longer or shorter than a tick.
"""

from collections.abc import Sequence
from typing import Protocol

from dsp.parts import Part


class Member(Protocol):
    """What is asked of a line of a room."""

    passage: "Passage | None"

    @property
    def row(self) -> int: ...

    @property
    def part(self) -> Part: ...

    @property
    def format(self) -> object:
        """Equal for two lines that can make use of each other's payloads."""
        ...

    @property
    def payload(self) -> bytes | None:
        """What came for the tick before, if it was that tick's sound and nothing else."""
        ...

    @property
    def playing(self) -> bool:
        """Whether the house plays something to it in this tick, which all in the room hear."""
        ...


class Passage:
    """The way from `source` to a member of its `room` that hears nobody else."""

    def __init__(self, source: Member, room: Sequence[Member]) -> None:
        self.source = source
        self._room = room

    @property
    def payload(self) -> bytes | None:
        """What goes on in this tick, 20 ms; None: the mix is to be encoded."""
        if any(member.playing for member in self._room):
            return None
        return self.source.payload


def connect(room: Sequence[Member]) -> None:
    """Give each member of a room its passage, or none, whenever members, parts or formats have changed."""
    for member in room:
        heard = [other for other in room if other is not member and member.part.hears(other.part)]
        alike = len(heard) == 1 and heard[0].format == member.format
        member.passage = Passage(heard[0], room) if alike else None
