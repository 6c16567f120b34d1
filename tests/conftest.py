"""What every test lives under: a blocked event loop fails it, whatever else it asserts."""

import gc
import logging
import re
from collections.abc import Iterator

import pytest

BLOCKED_S = 0.5
"""Far above what a shared machine adds, far below what a blocking call costs."""

_TOOK = re.compile(r"took (\d+\.\d+) seconds")


class _Blocked(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        took = _TOOK.search(message)
        if took is not None and float(took[1]) >= BLOCKED_S:
            self.messages.append(message)


@pytest.fixture(autouse=True, scope="module")
def collections_are_short() -> None:
    """A full collection over all that was imported so far holds a loop for a quarter of a second, and on a busy
    machine for a whole one; what stands when a module begins is not looked at again (a node does the same)."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def loop_is_not_blocked() -> Iterator[None]:
    """asyncio's debug mode reports callbacks that held the loop; one that held it for long is a defect."""
    handler = _Blocked()
    logger = logging.getLogger("asyncio")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
    assert not handler.messages, f"the event loop was blocked: {handler.messages}"
