"""Task groups, as callers of ours see them."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def sole_error() -> Iterator[None]:
    """Stand around a task group: a group of a single error becomes that error.

    A task group wraps whatever leaves it, so "the port is taken" would reach nobody who waits for it by its class.
    """
    try:
        yield
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        if error is group:
            raise
        raise error from error.__cause__
