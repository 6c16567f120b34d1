"""What every test lives under: a blocked event loop fails it, whatever else it asserts."""

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
