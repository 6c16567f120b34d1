"""Key entry: single digits become the entry that the bot asked for."""

from dialog.actions import Collect

GAP_MS = 2_500
"""Pause after a digit that completes an entry of unknown or unreached length; people read long numbers off paper."""


class KeyEntry:
    """Collects digits in audio time. `#` completes, `*` alone is a digit like the others.

    With `max_digits` of 0 a single key is a whole answer.
    """

    def __init__(self) -> None:
        self._digits = ""
        self._max_digits = 0
        self._last_ms = 0

    def expect(self, collect: Collect) -> None:
        """A new question: what was keyed for the old one is void."""
        self._digits = ""
        self._max_digits = collect.max_digits

    def press(self, digit: str, at_ms: int) -> str:
        """Take one key; the completed entry, or "" while it runs."""
        self._last_ms = at_ms
        if self._max_digits and digit == "#":
            return self._complete() if self._digits else ""
        self._digits += digit
        return self._complete() if len(self._digits) >= max(self._max_digits, 1) else ""

    def expired(self, at_ms: int) -> str:
        """What was keyed, once the pause after it was long enough; else ""."""
        if self._digits and at_ms - self._last_ms >= GAP_MS:
            return self._complete()
        return ""

    def _complete(self) -> str:
        digits, self._digits = self._digits, ""
        return digits
