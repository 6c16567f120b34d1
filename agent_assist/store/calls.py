"""`CallStore` on SQLite: heads and journals, paging, erasure, retention, and the calls a crash left open."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import ValidationError
from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from agent_assist.store.database import Database, store_errors
from agent_assist.store.recordings import remove_older, remove_recording
from agent_assist.store.tables import CallRow, ErasedRow, ParticipantRow, RecordRow, WrapUpRow
from dialog.errors import StoreError
from dialog.events import CallEnded, CallStarted, Record, RecordingGapped
from dialog.ports import CallHead

NODE_LOST = "node_lost"
PAGE_LIMIT = 200
_HEAD = (
    CallRow.call_id,
    CallRow.transport,
    CallRow.caller,
    CallRow.dialled,
    CallRow.bot,
    CallRow.started_at,
    CallRow.ended_at,
    CallRow.duration_ms,
    CallRow.cause,
    CallRow.recording,
    CallRow.partial,
)


@dataclass(frozen=True, slots=True)
class WrapUp:
    """How a call ended for an agent. `written_at` is ISO 8601 UTC."""

    agent: str
    disposition: str
    note: str
    written_at: str


class SqlCallStore:
    """The `dialog.ports.CallStore` of one node. `recordings` is the folder the recorder writes into."""

    def __init__(self, database: Database, recordings: Path, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._recordings = recordings
        self._clock = clock

    async def append(self, records: Sequence[Record]) -> None:
        """Store `records`, all or none; one that is there already changes nothing, so a retry is harmless.

        Records of a call whose `CallStarted` never came, or that was erased while it runs, are not kept.
        """
        if not records:
            return
        names = {record.call_id for record in records}
        async with self._database.write("append to the journal") as connection:
            erased = await self._erased(connection, names)
            started = [r for r in records if isinstance(r.event, CallStarted) and r.call_id not in erased]
            if started:
                await connection.execute(insert(CallRow).on_conflict_do_nothing(), [self._head(r) for r in started])
            numbers = await self._numbers(connection, names - set(erased))
            rows = [
                {"call": numbers[r.call_id], "seq": r.seq, "body": r.model_dump_json()}
                for r in records
                if r.call_id in numbers
            ]
            if rows:
                await connection.execute(insert(RecordRow).on_conflict_do_nothing(), rows)
            for record in records:
                if isinstance(record.event, CallEnded):
                    await self._end(connection, record, record.event)
                elif isinstance(record.event, RecordingGapped):
                    await self._mark_partial(connection, record.call_id)
            ended = {record.call_id for record in records if isinstance(record.event, CallEnded)} & set(erased)
            if ended:
                await connection.execute(delete(ErasedRow).where(ErasedRow.call_id.in_(ended)))
        # The recorder may have gone on writing, or have closed its file, after the erasure.
        for call_id in ended:
            await self._unlink(erased[call_id])

    async def calls(self, *, limit: int = 50, before: str = "", agent: str = "") -> list[CallHead]:
        """Newest first, at most `PAGE_LIMIT`; an unknown `before` gives an empty page. `agent`: only calls that agent
        took part in."""
        statement = select(*_HEAD).order_by(CallRow.number.desc()).limit(max(0, min(limit, PAGE_LIMIT)))
        if before:
            mark = select(CallRow.number).where(CallRow.call_id == before).scalar_subquery()
            statement = statement.where(CallRow.number < mark)
        if agent:
            statement = statement.where(_had(agent))
        async with self._database.read("list calls") as connection:
            return [CallHead(**row._asdict()) for row in await connection.execute(statement)]

    async def head(self, call_id: str, agent: str = "") -> CallHead | None:
        """One call's head; with `agent` None also for a call which that agent took no part in."""
        statement = select(*_HEAD).where(CallRow.call_id == call_id)
        if agent:
            statement = statement.where(_had(agent))
        async with self._database.read("read a call") as connection:
            row = (await connection.execute(statement)).first()
        return None if row is None else CallHead(**row._asdict())

    async def wrap_ups(self, call_id: str) -> list[WrapUp]:
        """How the call ended for each agent who had it, in the order in which they wrote it down."""
        statement = (
            select(WrapUpRow.agent, WrapUpRow.disposition, WrapUpRow.note, WrapUpRow.written_at)
            .join(CallRow, CallRow.number == WrapUpRow.call)
            .where(CallRow.call_id == call_id)
            .order_by(WrapUpRow.number)
        )
        async with self._database.read("read wrap-ups") as connection:
            return [WrapUp(**row._asdict()) for row in await connection.execute(statement)]

    async def journal(self, call_id: str) -> list[Record]:
        """All records of one call in order; empty when there is none."""
        statement = (
            select(RecordRow.body)
            .join(CallRow, CallRow.number == RecordRow.call)
            .where(CallRow.call_id == call_id)
            .order_by(RecordRow.seq)
        )
        async with self._database.read("read a journal") as connection:
            bodies = list(await connection.scalars(statement))
        # An hour's journal takes long enough to read that the calls would notice: not on their loop.
        return await asyncio.to_thread(lambda: [_record(body, call_id) for body in bodies])

    async def mark_partial(self, call_id: str) -> None:
        """Something of the call is missing in its recording, as was found after the call's end."""
        async with self._database.write("mark a recording") as connection:
            await self._mark_partial(connection, call_id)

    async def erase(self, call_id: str) -> bool:
        """Remove journal and recording of one call at once; of a running call also what it goes on to tell."""
        async with self._database.write("erase a call") as connection:
            found = (
                await connection.execute(
                    select(CallRow.number, CallRow.recording, CallRow.ended_at).where(CallRow.call_id == call_id)
                )
            ).first()
            if found is None:
                return False
            number, recording, ended_at = found
            if not ended_at:
                await connection.execute(insert(ErasedRow).values(call_id=call_id, recording=recording))
            # The recording goes first: should it fail, the rows stay and the erasure can be asked for again.
            await self._unlink(recording)
            await connection.execute(delete(RecordRow).where(RecordRow.call == number))
            await connection.execute(delete(CallRow).where(CallRow.number == number))
        await self._database.shed()
        return True

    async def expire(self, older_than_days: int) -> int:
        """Remove ended calls that began before that, with their recordings, and recordings no call names."""
        before_s = self._clock() - older_than_days * 86_400
        gone = 0
        while True:
            async with self._database.write("expire calls") as connection:
                statement = select(CallRow.number, CallRow.recording).where(
                    CallRow.started_s < before_s, CallRow.ended_at != ""
                )
                # A hundred at a time: a live call's records wait for this lock.
                due = (await connection.execute(statement.limit(100))).all()
                for _, recording in due:
                    await self._unlink(recording)
                numbers = [number for number, _ in due]
                await connection.execute(delete(RecordRow).where(RecordRow.call.in_(numbers)))
                await connection.execute(delete(CallRow).where(CallRow.number.in_(numbers)))
            gone += len(due)
            if not due:
                break
        with store_errors("remove old recordings"):
            strays = await asyncio.to_thread(remove_older, self._recordings, before_s)
        if gone or strays:
            await self._database.shed()
        return gone

    async def close_lost(self) -> int:
        """End the calls that a crash of this node left open (cause "node_lost"); how many. For `serve`, at start."""
        async with self._database.write("close lost calls") as connection:
            statement = select(CallRow.number, CallRow.call_id).where(CallRow.ended_at == "")
            lost = (await connection.execute(statement)).all()
            for number, call_id in lost:
                body = await connection.scalar(
                    select(RecordRow.body).where(RecordRow.call == number).order_by(RecordRow.seq.desc()).limit(1)
                )
                last = _record(body, call_id) if body else None
                seq, at_ms = (last.seq + 1, last.at_ms) if last else (0, 0)
                ended = CallEnded(cause=NODE_LOST, duration_ms=at_ms)
                record = Record(call_id=call_id, seq=seq, at_ms=at_ms, event=ended)
                await connection.execute(insert(RecordRow).values(call=number, seq=seq, body=record.model_dump_json()))
                await self._end(connection, record, ended)
            # No call of an earlier run can tell more.
            await connection.execute(delete(ErasedRow))
        return len(lost)

    async def close(self) -> None:
        """Close the file."""
        await self._database.close()

    def _head(self, record: Record) -> Mapping[str, str | int]:
        event = record.event
        assert isinstance(event, CallStarted)
        return {
            "call_id": record.call_id,
            "transport": event.transport,
            "caller": event.caller,
            "dialled": event.dialled,
            "bot": event.bot,
            "started_at": event.started_at,
            "started_s": int(_moment(event.started_at, self._clock()).timestamp()),
            "recording": event.recording,
        }

    async def _erased(self, connection: AsyncConnection, names: set[str]) -> dict[str, str]:
        statement = select(ErasedRow.call_id, ErasedRow.recording).where(ErasedRow.call_id.in_(names))
        return {row.call_id: row.recording for row in await connection.execute(statement)}

    async def _numbers(self, connection: AsyncConnection, names: set[str]) -> dict[str, int]:
        statement = select(CallRow.call_id, CallRow.number).where(CallRow.call_id.in_(names))
        return {row.call_id: row.number for row in await connection.execute(statement)}

    async def _end(self, connection: AsyncConnection, record: Record, event: CallEnded) -> None:
        started_at = await connection.scalar(select(CallRow.started_at).where(CallRow.call_id == record.call_id))
        if started_at is None:
            return
        ended = _moment(started_at, self._clock()) + timedelta(milliseconds=record.at_ms)
        await connection.execute(
            update(CallRow)
            .where(CallRow.call_id == record.call_id, func.length(CallRow.ended_at) == 0)
            .values(ended_at=ended.isoformat(timespec="milliseconds"), duration_ms=event.duration_ms, cause=event.cause)
        )

    async def _mark_partial(self, connection: AsyncConnection, call_id: str) -> None:
        await connection.execute(update(CallRow).where(CallRow.call_id == call_id).values(partial=True))

    async def _unlink(self, recording: str) -> None:
        with store_errors(f"remove the recording {recording}"):
            await asyncio.to_thread(remove_recording, self._recordings, recording)


def _had(agent: str) -> ColumnElement[bool]:
    return CallRow.number.in_(select(ParticipantRow.call).where(ParticipantRow.agent == agent))


def _record(body: str, call_id: str) -> Record:
    try:
        return Record.model_validate_json(body)
    except ValidationError as error:
        raise StoreError(f"the journal of {call_id} holds a record this version cannot read") from error


def _moment(text: str, now_s: float) -> datetime:
    """An ISO 8601 time in UTC; now, for one that cannot be read: a call is not lost for its clock."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return datetime.fromtimestamp(now_s, UTC)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
