"""What a member of a room is to the others."""

from enum import IntEnum


class Part(IntEnum):
    """Who is heard by whom. The numbers are the mixer's."""

    PARTY = 0  # heard by all
    COACHED = 1  # heard by all, and hears what coaches say
    LISTENER = 2  # heard by nobody, and hears all
    COACH = 3  # heard by the coached and by listeners alone, and hears all

    def hears(self, other: "Part") -> bool:
        """Whether what `other` says is told to a member that is this."""
        return other <= Part.COACHED or (other is Part.COACH and self is not Part.PARTY)
