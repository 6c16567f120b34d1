"""An event loop whose time jumps to whatever is due next: hours pass in a moment, and in the same order each time."""

import asyncio
import selectors
from collections.abc import Coroutine


class _Selector(selectors.DefaultSelector):
    """Never waits: where the loop would, time passes instead."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("nothing is due, and nothing will ever be: the test waits in vain")
        if not ready and timeout:
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Use it for what touches no socket and no thread."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        """Virtual seconds."""
        return self._virtual.now


def run_virtual(main: Coroutine[object, object, None]) -> None:
    """Run `main` to its end on a loop of its own."""
    with asyncio.Runner(debug=True, loop_factory=VirtualLoop) as runner:
        runner.run(main)
