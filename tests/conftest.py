"""What every test lives under: a blocked event loop fails it, whatever else it asserts."""

import gc
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

BLOCKED_S = 0.5
"""A callback that holds the loop for longer is a defect; less what the machine kept the thread waiting."""

_TOOK = re.compile(r"took (\d+\.\d+) seconds")
_SCHEDSTAT = Path("/proc/thread-self/schedstat")


def _waited_s() -> float:
    """How long this thread was ready and got no processor, since it began (Linux: proc(5), schedstat)."""
    return int(_SCHEDSTAT.read_text().split()[1]) / 1e9


class _Blocked(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.longest_s = 0.0
        self.message = ""

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        took = _TOOK.search(message)
        if took is not None and float(took[1]) > self.longest_s:
            self.longest_s, self.message = float(took[1]), message


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
    waited_s = _waited_s()
    try:
        yield
    finally:
        logger.removeHandler(handler)
    held_s = handler.longest_s - (_waited_s() - waited_s)
    assert held_s < BLOCKED_S, f"the event loop was blocked: {handler.message}"
