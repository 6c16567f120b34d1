"""What the desk wants kept, on its way to the store without anybody waiting."""

import asyncio

import structlog

from agent_assist.desk.outputs import CallbackWanted, TookPart
from agent_assist.desk.ports import DeskStore
from dialog.errors import StoreError

_log = structlog.get_logger(__name__)


class Clerk:
    """A bounded queue and a task of its own that writes one by one.

    Overflow, policy "the newcomer is lost": what callers were promised before is kept. A store that refuses is asked
    again, `tries` times with growing pauses; then that one record is given up. What is lost is counted and logged; no
    call notices.
    """

    def __init__(self, store: DeskStore, *, bound: int = 1_000, tries: int = 6, pause_s: float = 0.5) -> None:
        self._store = store
        self._tries = tries
        self._pause_s = pause_s
        self._queue: asyncio.Queue[TookPart | CallbackWanted] = asyncio.Queue(bound)
        self.lost = 0

    def put(self, kept: TookPart | CallbackWanted) -> None:
        """Take it; returns at once."""
        try:
            self._queue.put_nowait(kept)
        except asyncio.QueueFull:
            self._lose(kept, "too much waits to be written")

    async def run(self) -> None:
        """Write without end. The owner's task group runs this."""
        while True:
            kept = await self._queue.get()
            await self._write(kept)
            self._queue.task_done()

    async def close(self, within_s: float = 5.0) -> None:
        """Wait until everything is written, at most `within_s`; what is left over is lost."""
        try:
            async with asyncio.timeout(within_s):
                await self._queue.join()
        except TimeoutError:
            while not self._queue.empty():
                self._lose(self._queue.get_nowait(), "the node stops")

    async def _write(self, kept: TookPart | CallbackWanted) -> None:
        refusal = ""
        for attempt in range(self._tries):
            if attempt:
                await asyncio.sleep(self._pause_s * 2 ** (attempt - 1))
            try:
                match kept:
                    case TookPart(call_id, agent):
                        await self._store.add_participant(call_id, agent)
                    case CallbackWanted(call_id, reason):
                        await self._store.add_callback(call_id, reason)
                return
            except StoreError as error:
                refusal = str(error)
        self._lose(kept, refusal)

    def _lose(self, kept: TookPart | CallbackWanted, reason: str) -> None:
        self.lost += 1
        _log.error("desk record lost", what=type(kept).__name__, call_id=kept.call_id, reason=reason)
