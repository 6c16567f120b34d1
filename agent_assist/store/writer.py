"""From the calls to the store without ever making a call wait."""

import asyncio
from collections import Counter, deque
from dataclasses import dataclass

import structlog

from dialog.errors import StoreError
from dialog.events import (
    CallEnded,
    CallStarted,
    PartialHeard,
    Record,
)
from dialog.ports import CallStore

_log = structlog.get_logger(__name__)
_FRAME = (CallStarted, CallEnded)


@dataclass(frozen=True, slots=True)
class WriterCounts:
    """What became of the records so far.

    `partials_shed` and `records_shed` fell to a full queue, `records_lost` to a store that went on refusing.
    """

    queued: int
    written: int
    retries: int
    partials_shed: int
    records_shed: int
    records_lost: int


class StoreWriter:
    """A journal listener with a bounded queue and a task of its own that writes in batches.

    Overflow, policy "partials first": a full queue sheds its oldest partial; without one the newcomer, unless that
    starts or ends a call and something else can go. A store that refuses (locked, disk full) is asked again `tries`
    times with growing pauses; then the batch is dropped, but starts and ends stay queued, so that a call which
    outlives the fault is still listed. Everything shed is counted; no call notices.
    """

    def __init__(
        self, store: CallStore, *, bound: int = 10_000, batch: int = 256, tries: int = 5, pause_s: float = 0.5
    ) -> None:
        self._store = store
        self._bound = bound
        self._batch = batch
        self._tries = tries
        self._pause_s = pause_s
        self._queue: deque[Record] = deque()
        self._partials = 0
        self._in_hand = 0
        self._counts: Counter[str] = Counter()
        self._woken = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
        self._closing = False
        self._abandoned = asyncio.Event()

    @property
    def counts(self) -> WriterCounts:
        """Totals since the start."""
        count = self._counts
        return WriterCounts(
            queued=len(self._queue) + self._in_hand,
            written=count["written"],
            retries=count["retries"],
            partials_shed=count["partials_shed"],
            records_shed=count["records_shed"],
            records_lost=count["records_lost"],
        )

    def __call__(self, record: Record) -> None:
        """Take `record`; returns at once. Called on the event loop."""
        if len(self._queue) + self._in_hand >= self._bound and not self._make_room(record):
            return
        self._queue.append(record)
        self._partials += isinstance(record.event, PartialHeard)
        self._drained.clear()
        self._woken.set()

    async def run(self) -> None:
        """Write until `close`. The owner's task group runs this."""
        while not (self._closing and not self._queue):
            await self._woken.wait()
            self._woken.clear()
            while self._queue:
                await self._write_batch()
            self._drained.set()

    async def close(self, within_s: float = 5.0) -> None:
        """Write what is queued, for at most `within_s`, then let `run` return. What is left over is counted as lost."""
        self._closing = True
        self._woken.set()
        try:
            async with asyncio.timeout(within_s):
                await self._drained.wait()
        except TimeoutError:
            self._counts["records_lost"] += len(self._queue)
            _log.error("journal not written", records=len(self._queue))
            self._queue.clear()
            self._partials = 0
            self._abandoned.set()
            self._woken.set()

    async def _write_batch(self) -> None:
        batch = [self._queue.popleft() for _ in range(min(self._batch, len(self._queue)))]
        self._partials -= sum(isinstance(record.event, PartialHeard) for record in batch)
        self._in_hand = len(batch)
        try:
            if await self._stored(batch):
                self._counts["written"] += len(batch)
            elif self._closing:
                self._counts["records_lost"] += len(batch)
            else:
                frame = [record for record in batch if isinstance(record.event, _FRAME)]
                self._counts["records_lost"] += len(batch) - len(frame)
                self._queue.extendleft(reversed(frame))
        finally:
            self._in_hand = 0

    async def _stored(self, batch: list[Record]) -> bool:
        for attempt in range(self._tries):
            try:
                await self._store.append(batch)
            except StoreError as error:
                self._counts["retries"] += 1
                if attempt == 0:
                    _log.warning("journal write refused", code=error.code, reason=str(error), records=len(batch))
            else:
                return True
            try:
                async with asyncio.timeout(self._pause_s * 2**attempt):
                    await self._abandoned.wait()
            except TimeoutError:
                continue
            break
        _log.error("journal write given up", records=len(batch))
        return False

    def _make_room(self, newcomer: Record) -> bool:
        """Shed one record for `newcomer`; False when the newcomer itself is the one."""
        if isinstance(newcomer.event, PartialHeard):
            self._counts["partials_shed"] += 1
            return False
        # Both scans stop early (many partials, few starts and ends), and neither runs where it would find nothing.
        if self._partials:
            del self._queue[next(i for i, r in enumerate(self._queue) if isinstance(r.event, PartialHeard))]
            self._partials -= 1
            self._counts["partials_shed"] += 1
            return True
        if isinstance(newcomer.event, _FRAME):
            index = next((i for i, r in enumerate(self._queue) if not isinstance(r.event, _FRAME)), None)
            if index is not None:
                del self._queue[index]
                self._counts["records_shed"] += 1
                return True
        self._counts["records_shed"] += 1
        return False
