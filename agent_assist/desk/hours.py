"""When people take calls: "mon-fri 08:00-18:00, sat 09:00-13:00", in the node's local time."""

import re
from dataclasses import dataclass
from datetime import datetime

from dialog.errors import ConfigurationError

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = "|".join(_DAYS)
_PERIOD = re.compile(rf"({_DAY})(?:-({_DAY}))? (\d\d):(\d\d)-(\d\d):(\d\d)", re.ASCII)
_MIDNIGHT = 24 * 60
_EXAMPLE = "mon-fri 08:00-18:00, sat 09:00-13:00"


@dataclass(frozen=True, slots=True)
class Period:
    """On the days from `first` to `last` (0 is Monday; sat-mon goes over the week's end), from `opens` until `closes`,
    minutes of the day. One that closes before it opens does so on the morning after."""

    first: int
    last: int
    opens: int
    closes: int

    def __str__(self) -> str:
        days = _DAYS[self.first] if self.first == self.last else f"{_DAYS[self.first]}-{_DAYS[self.last]}"
        return f"{days} {_clock(self.opens)}-{_clock(self.closes)}"

    def contains(self, weekday: int, minute: int) -> bool:
        """Whether that minute of that day is in it."""
        if self.opens < self.closes:
            return self._on(weekday) and self.opens <= minute < self.closes
        return (self._on(weekday) and minute >= self.opens) or (self._on(weekday - 1) and minute < self.closes)

    def _on(self, weekday: int) -> bool:
        return (weekday - self.first) % 7 <= (self.last - self.first) % 7


@dataclass(frozen=True, slots=True)
class Hours:
    """Opening hours; without a period: always."""

    periods: tuple[Period, ...] = ()

    def __str__(self) -> str:
        return ", ".join(map(str, self.periods))

    @classmethod
    def parse(cls, text: str) -> "Hours":
        """Read the setting `desk.hours`. Raises ConfigurationError, which names it."""
        return cls(tuple(_period(part) for part in text.split(",")) if text.strip() else ())

    def contains(self, at: datetime) -> bool:
        """Whether calls are taken at the local time `at`."""
        minute = at.hour * 60 + at.minute
        return not self.periods or any(period.contains(at.weekday(), minute) for period in self.periods)


ALWAYS = Hours()


def _period(text: str) -> Period:
    words = " ".join(text.split())
    match = _PERIOD.fullmatch(words.lower())
    if match is None:
        raise ConfigurationError(f'desk.hours: "{words}" is no period of opening; write, for example, "{_EXAMPLE}"')
    first, last, *numbers = match.groups()
    opens_h, opens_m, closes_h, closes_m = map(int, numbers)
    opens, closes = opens_h * 60 + opens_m, closes_h * 60 + closes_m
    if max(opens_m, closes_m) > 59 or opens >= _MIDNIGHT or closes > _MIDNIGHT:
        raise ConfigurationError(f'desk.hours: "{words}" has a time that no day has; 00:00 to 24:00 may be named')
    if opens == closes:
        raise ConfigurationError(f'desk.hours: "{words}" is never open; a whole day is 00:00-24:00')
    return Period(_DAYS.index(first), _DAYS.index(last or first), opens, closes)


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
