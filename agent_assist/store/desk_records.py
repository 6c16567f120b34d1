"""What people add to the record of a call: who took part, how it ended for them, whom to call back.

All of it hangs on the call's row and goes with it, when it is erased and when its time is up.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from sqlalchemy import select, update
from sqlalchemy.dialects.sqlite import insert

from agent_assist.store.database import Database
from agent_assist.store.tables import Base, CallbackRow, CallRow, ErasedRow, ParticipantRow, WrapUpRow

CALLBACKS = 500
"""So many open callbacks are listed at most, those that wait longest."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Callback:
    """A caller to be called back. `asked_at` is ISO 8601 UTC."""

    id: int
    call_id: str
    caller: str
    reason: str
    asked_at: str


_OPEN = (
    select(CallbackRow.number.label("id"), CallRow.call_id, CallRow.caller, CallbackRow.reason, CallbackRow.asked_at)
    .join(CallRow, CallRow.number == CallbackRow.call)
    .where(CallbackRow.done_at == "")
)


class DeskRecords:
    """The desk's side of the store. Every method raises StoreError.

    A call's head reaches the store by a queue of its own (`StoreWriter`), so what is added to a call may come before
    it: it is tried `tries` times with growing pauses (8 s in all). What belongs to a call that never came, or that was
    erased, is not kept.
    """

    def __init__(
        self, database: Database, clock: Callable[[], float] = time.time, *, tries: int = 6, pause_s: float = 0.25
    ) -> None:
        self._database = database
        self._clock = clock
        self._tries = tries
        self._pause_s = pause_s

    async def add_participant(self, call_id: str, agent: str) -> None:
        """`agent` is in the call now; of several times the first counts."""
        await self._add(ParticipantRow, call_id, {"agent": agent, "joined_at": self._now()})

    async def add_wrap_up(self, call_id: str, agent: str, disposition: str, note: str) -> None:
        """How the call ended for `agent`."""
        written = {"agent": agent, "disposition": disposition, "note": note, "written_at": self._now()}
        await self._add(WrapUpRow, call_id, written)

    async def add_callback(self, call_id: str, reason: str) -> None:
        """The caller wants to be called back, for `reason`; of several times the first counts until it is done."""
        asked = {"reason": reason, "asked_at": self._now(), "done_at": "", "done_by": ""}
        await self._add(CallbackRow, call_id, asked)

    async def open_callbacks(self) -> list[Callback]:
        """Those not done yet, longest waiting first, at most `CALLBACKS`."""
        async with self._database.read("list callbacks") as connection:
            rows = await connection.execute(_OPEN.order_by(CallbackRow.number).limit(CALLBACKS))
            return [Callback(**row._asdict()) for row in rows]

    async def open_callback(self, callback: int) -> Callback | None:
        """This one; None where there is no such callback, or it is done."""
        async with self._database.read("find a callback") as connection:
            row = (await connection.execute(_OPEN.where(CallbackRow.number == callback))).one_or_none()
            return None if row is None else Callback(**row._asdict())

    async def finish_callback(self, callback: int, agent: str) -> bool:
        """`agent` called back; False where there is no such callback, or somebody did before."""
        done = update(CallbackRow).where(CallbackRow.number == callback, CallbackRow.done_at == "")
        async with self._database.write("finish a callback") as connection:
            changed = await connection.execute(done.values(done_at=self._now(), done_by=agent))
            return changed.rowcount > 0

    async def _add(self, table: type[Base], call_id: str, values: dict[str, str]) -> None:
        doing = f"write to {table.__tablename__}"
        for attempt in range(self._tries):
            if attempt:
                await asyncio.sleep(self._pause_s * 2 ** (attempt - 1))
            async with self._database.write(doing) as connection:
                call = await connection.scalar(select(CallRow.number).where(CallRow.call_id == call_id))
                if call is not None:
                    row = insert(table).values(call=call, **values)
                    await connection.execute(row.on_conflict_do_nothing())
                    return
                if await connection.scalar(select(ErasedRow.call_id).where(ErasedRow.call_id == call_id)):
                    return
        _log.warning("desk record without call", table=table.__tablename__)

    def _now(self) -> str:
        return datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="seconds")
