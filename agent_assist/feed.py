"""What happens now, for whoever looks on: records fan out inside the node, and nobody who looks slows a call."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from dialog.events import Record

READER_BOUND = 1_000


class FeedReader:
    """One onlooker's queue of records.

    Overflow, policy "drop the reader": when `bound` records wait unread the reader is ended (`lagged`), because a
    stream with a hole in it would look whole. It may read the journal from the store and subscribe again.
    """

    def __init__(self, call_id: str, bound: int) -> None:
        self.call_id = call_id
        self.lagged = False
        self._bound = bound
        self._queue: deque[Record] = deque()
        self._woken = asyncio.Event()
        self._closed = False

    @property
    def closed(self) -> bool:
        """Nothing more is put in; what waits may still be read, unless it lagged."""
        return self._closed

    def put(self, record: Record) -> None:
        """Called by the feed."""
        if len(self._queue) >= self._bound:
            self.lagged = True
            self._queue.clear()
            self.close()
            return
        self._queue.append(record)
        self._woken.set()

    def close(self) -> None:
        """End the reader; its iteration stops after what waits."""
        self._closed = True
        self._woken.set()

    async def __aiter__(self) -> AsyncIterator[Record]:
        """Records in order, until closed."""
        while True:
            while self._queue:
                yield self._queue.popleft()
            if self._closed:
                return
            self._woken.clear()
            await self._woken.wait()


class LiveFeed:
    """A journal listener that hands each record to the readers of its call, or of all calls."""

    def __init__(self) -> None:
        self._readers: set[FeedReader] = set()
        self.readers_lagged = 0

    def __call__(self, record: Record) -> None:
        """Tell the readers; returns at once. Called on the event loop."""
        for reader in list(self._readers):
            if reader.call_id in ("", record.call_id):
                reader.put(record)
            if reader.closed:
                self.readers_lagged += reader.lagged
                self._readers.discard(reader)

    def subscribe(self, call_id: str = "", *, bound: int = READER_BOUND) -> FeedReader:
        """A reader of one call, or of every call; what was told before is in the store."""
        reader = FeedReader(call_id, bound)
        self._readers.add(reader)
        return reader

    def unsubscribe(self, reader: FeedReader) -> None:
        """Forget the reader."""
        reader.close()
        self._readers.discard(reader)

    def close(self) -> None:
        """End every reader: the node stops."""
        for reader in list(self._readers):
            self.unsubscribe(reader)
