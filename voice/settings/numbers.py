"""Patterns of dialled numbers: a number itself, what it begins with (`0039*`), or any number (`*`)."""

from collections.abc import Iterable, Mapping
from typing import Annotated, TypeVar

from pydantic import Field

T = TypeVar("T")

_WRITTEN = str.maketrans("", "", " -./()")

Pattern = Annotated[str, Field(pattern=r"^[^*]*\*?$", min_length=1, max_length=64)]
"""A star stands at the end or nowhere, so which of two patterns says more is plain."""


def as_dialled(text: str) -> str:
    """A number without the spaces, hyphens, points, slashes and brackets that people write into it."""
    return text.translate(_WRITTEN)


def best_match(patterns: Iterable[str], number: str) -> str | None:
    """The pattern that says most about `number`: itself, else the longest beginning; None where none fits."""
    fitting = [it for it in patterns if it == number or (it.endswith("*") and number.startswith(it[:-1]))]
    return max(fitting, key=lambda it: (it == number, len(it)), default=None)


def look_up(plan: Mapping[str, T], number: str) -> T | None:
    """What `plan` has for `number`, by its best pattern."""
    found = best_match(plan, number)
    return None if found is None else plan[found]
