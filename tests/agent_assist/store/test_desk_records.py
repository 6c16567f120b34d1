"""What people add to a call, on a real SQLite file."""

import asyncio
import sqlite3

import pytest

from agent_assist.store.calls import SqlCallStore, WrapUp
from agent_assist.store.database import Database
from agent_assist.store.desk_records import Callback, DeskRecords
from dialog.errors import StoreError
from tests.agent_assist.conftest import Clock
from tests.agent_assist.journals import balance_call

NOW = "2026-11-02T09:30:00+00:00"


@pytest.fixture
def desk_records(database: Database, clock: Clock) -> DeskRecords:
    return DeskRecords(database, clock, tries=4, pause_s=0.02)


async def test_who_took_part_may_find_the_call(store: SqlCallStore, desk_records: DeskRecords) -> None:
    for number in range(3):
        await store.append(balance_call(f"call-{number}"))
    await desk_records.add_participant("call-0", "gus")
    await desk_records.add_participant("call-2", "gus")
    await desk_records.add_participant("call-2", "gus")
    await desk_records.add_participant("call-2", "ida")
    assert [head.call_id for head in await store.calls(agent="gus")] == ["call-2", "call-0"]
    assert [head.call_id for head in await store.calls(agent="ida")] == ["call-2"]
    assert await store.calls(agent="' OR 1=1 --") == []
    assert await store.head("call-1", "gus") is None
    assert await store.head("call-2", "gus") == await store.head("call-2")


async def test_an_agent_may_be_in_the_call_before_its_head_is_in_the_store(
    store: SqlCallStore, desk_records: DeskRecords
) -> None:
    adding = asyncio.create_task(desk_records.add_participant("call-1", "gus"))
    await asyncio.sleep(0.01)
    assert not adding.done()
    await store.append(balance_call()[:1])
    await adding
    assert [head.call_id for head in await store.calls(agent="gus")] == ["call-1"]


async def test_what_belongs_to_no_call_is_not_kept(desk_records: DeskRecords, database: Database) -> None:
    await desk_records.add_participant("nobody", "gus")
    await desk_records.add_wrap_up("nobody", "gus", "solved", "")
    await desk_records.add_callback("nobody", "the bill")
    assert await rows(database) == {"participants": 0, "wrap_ups": 0, "callbacks": 0}


async def rows(database: Database) -> dict[str, int]:
    async with database.read("count") as connection:
        return {
            table: (await connection.exec_driver_sql(f"SELECT count(*) FROM {table}")).scalar_one()
            for table in ("participants", "wrap_ups", "callbacks")
        }


async def test_wrap_ups_stand_in_order_two_of_one_agent_too(store: SqlCallStore, desk_records: DeskRecords) -> None:
    await store.append(balance_call())
    await desk_records.add_wrap_up("call-1", "gus", "follow-up", "Will send it.")
    await desk_records.add_wrap_up("call-1", "ida", "solved", "")
    await desk_records.add_wrap_up("call-1", "gus", "solved", "Sent.")
    assert await store.wrap_ups("call-1") == [
        WrapUp("gus", "follow-up", "Will send it.", NOW),
        WrapUp("ida", "solved", "", NOW),
        WrapUp("gus", "solved", "Sent.", NOW),
    ]
    assert await store.wrap_ups("nobody") == []


async def test_a_callback_is_open_until_somebody_has_called(store: SqlCallStore, desk_records: DeskRecords) -> None:
    await store.append(balance_call("call-1"))
    await store.append(balance_call("call-2"))
    await desk_records.add_callback("call-1", "the bill")
    await desk_records.add_callback("call-1", "the bill, again")
    await desk_records.add_callback("call-2", "an order")
    first, second = await desk_records.open_callbacks()
    assert first == Callback(1, "call-1", "sip:+3225550123@127.0.0.1", "the bill", NOW)
    assert await desk_records.open_callback(first.id) == first
    assert await desk_records.finish_callback(first.id, "gus")
    assert await desk_records.open_callback(first.id) is None
    assert await desk_records.open_callback(77) is None
    assert not await desk_records.finish_callback(first.id, "ida")
    assert not await desk_records.finish_callback(77, "gus")
    assert await desk_records.open_callbacks() == [second]
    await desk_records.add_callback("call-1", "the bill, later")
    assert [task.reason for task in await desk_records.open_callbacks()] == ["an order", "the bill, later"]


async def test_erasing_a_call_takes_all_of_it_from_every_file(
    store: SqlCallStore, desk_records: DeskRecords, database: Database
) -> None:
    await store.append(balance_call("call-1"))
    await store.append(balance_call("call-2"))
    for call_id, agent in (("call-1", "agent-of-erased"), ("call-2", "gus")):
        await desk_records.add_participant(call_id, agent)
        await desk_records.add_wrap_up(call_id, agent, "solved", f"note-of-{agent}")
        await desk_records.add_callback(call_id, f"reason-of-{agent}")
    await store.erase("call-1")
    assert await rows(database) == {"participants": 1, "wrap_ups": 1, "callbacks": 1}
    for path in database.path.parent.glob("centralino.db*"):
        assert b"-of-erased" not in path.read_bytes(), path
        assert path.suffix != ".db" or b"note-of-gus" in path.read_bytes()


async def test_what_comes_after_the_erasure_of_a_running_call_is_not_kept(
    store: SqlCallStore, database: Database
) -> None:
    await store.append(balance_call(ended=False))
    assert await store.erase("call-1")
    async with asyncio.timeout(10):  # nothing is waited for
        await DeskRecords(database, pause_s=60).add_wrap_up("call-1", "gus", "solved", "note")
    assert await rows(database) == {"participants": 0, "wrap_ups": 0, "callbacks": 0}


async def test_calls_past_their_time_take_it_along(
    store: SqlCallStore, desk_records: DeskRecords, database: Database
) -> None:
    await store.append(balance_call("old", at="2026-10-01T10:00:00+02:00"))
    await store.append(balance_call("new"))
    for call_id in ("old", "new"):
        await desk_records.add_participant(call_id, "gus")
        await desk_records.add_wrap_up(call_id, "gus", "solved", "")
        await desk_records.add_callback(call_id, "the bill")
    assert await store.expire(30) == 1
    assert await rows(database) == {"participants": 1, "wrap_ups": 1, "callbacks": 1}


async def test_a_locked_file_is_a_store_error(
    store: SqlCallStore, desk_records: DeskRecords, database: Database
) -> None:
    await store.append(balance_call())
    other = sqlite3.connect(database.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match="database is locked"):
        await desk_records.add_wrap_up("call-1", "gus", "solved", "")
    other.execute("ROLLBACK")
    other.close()
    await desk_records.add_wrap_up("call-1", "gus", "solved", "")
    assert len(await store.wrap_ups("call-1")) == 1
