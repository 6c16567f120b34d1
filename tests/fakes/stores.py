"""A call store that fails on demand."""

import asyncio
from collections.abc import Sequence

from dialog.errors import StoreError
from dialog.events import Record
from dialog.ports import CallHead


class FaultyStore:
    """Keeps what it is given, refuses the next `refusals` appends, and waits while `held`."""

    def __init__(self, refusals: int = 0) -> None:
        self.refusals = refusals
        self.records: list[Record] = []
        self.batches: list[int] = []
        self.free = asyncio.Event()
        self.free.set()

    async def append(self, records: Sequence[Record]) -> None:
        await self.free.wait()
        if self.refusals:
            self.refusals -= 1
            raise StoreError("disk full")
        self.records += records
        self.batches.append(len(records))

    async def calls(self, *, limit: int = 50, before: str = "") -> list[CallHead]:
        raise NotImplementedError

    async def journal(self, call_id: str) -> list[Record]:
        return [record for record in self.records if record.call_id == call_id]

    async def erase(self, call_id: str) -> bool:
        raise NotImplementedError

    async def expire(self, older_than_days: int) -> int:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError
