"""The writer between calls and store: batches, overflow, refusals, the end."""

import asyncio
import sqlite3

from agent_assist.store.calls import SqlCallStore
from agent_assist.store.database import Database
from agent_assist.store.writer import StoreWriter
from dialog.events import (
    CallEnded,
    CallStarted,
    PartialHeard,
    Record,
    SpeechStarted,
)
from tests.agent_assist.journals import balance_call, records, started
from tests.fakes.stores import FaultyStore


def partials(count: int) -> list[Record]:
    return records("call-1", *[(n, PartialHeard(utterance=1, text="so far")) for n in range(count)])


async def write_all(writer: StoreWriter, told: list[Record]) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(writer.run())
        for record in told:
            writer(record)
        await writer.close()


async def test_everything_told_is_stored_in_order(store: SqlCallStore) -> None:
    writer = StoreWriter(store, batch=8)
    told = balance_call("a") + balance_call("b")
    await write_all(writer, told)
    assert await store.journal("a") + await store.journal("b") == told
    assert (writer.counts.written, writer.counts.queued) == (len(told), 0)


async def test_batches_hold_to_their_size() -> None:
    store = FaultyStore()
    await write_all(StoreWriter(store, batch=8), balance_call())
    assert store.batches == [8, 8, 6]


async def test_a_full_queue_sheds_partials_first() -> None:
    store = FaultyStore()
    writer = StoreWriter(store, bound=20)
    told = balance_call()
    for record in partials(15) + told:
        writer(record)
    assert writer.counts.queued == 20
    await write_all(writer, [])
    # 15 partials and the sample's 2 gave way before anything else: all that the 22 others lack is one newcomer.
    assert writer.counts.partials_shed == 17
    assert writer.counts.records_shed == 0
    assert store.records == [record for record in told if not isinstance(record.event, PartialHeard)]


async def test_starts_and_ends_outlast_everything() -> None:
    store = FaultyStore()
    writer = StoreWriter(store, bound=4)
    speech = records("call-1", *[(n, SpeechStarted(utterance=n)) for n in range(10)])
    for record in speech:
        writer(record)
    assert writer.counts.records_shed == 6
    for number in range(5):
        writer(records(f"call-{number}", (0, started()))[0])
    assert writer.counts.queued == 4
    await write_all(writer, [])
    assert {type(record.event) for record in store.records} == {CallStarted}
    assert writer.counts.records_shed == 11


async def test_a_refusal_is_asked_again() -> None:
    store = FaultyStore(refusals=3)
    writer = StoreWriter(store, pause_s=0.001)
    await write_all(writer, balance_call())
    assert store.records == balance_call()
    assert (writer.counts.retries, writer.counts.records_lost) == (3, 0)


async def test_after_a_long_refusal_the_call_is_still_listed() -> None:
    store = FaultyStore(refusals=6)
    writer = StoreWriter(store, tries=5, pause_s=0.001)
    told = balance_call()
    async with asyncio.TaskGroup() as group:
        group.create_task(writer.run())
        for record in told:
            writer(record)
        while writer.counts.written == 0:
            await asyncio.sleep(0.001)
        await writer.close()
    assert [type(record.event) for record in store.records] == [CallStarted, CallEnded]
    assert (writer.counts.written, writer.counts.records_lost) == (2, len(told) - 2)


async def test_closing_on_a_dead_store_ends_in_time_and_counts_the_loss() -> None:
    store = FaultyStore(refusals=1_000)
    writer = StoreWriter(store, batch=8, pause_s=60)
    told = balance_call()
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(writer.run())
        for record in told:
            writer(record)
        await asyncio.sleep(0)
        await writer.close(within_s=0.05)
    assert writer.counts.records_lost == len(told)
    assert writer.counts.queued == 0


async def test_a_hanging_store_holds_no_call_up() -> None:
    store = FaultyStore()
    store.free.clear()
    writer = StoreWriter(store, bound=100)
    async with asyncio.TaskGroup() as group:
        group.create_task(writer.run())
        for record in partials(1_000):
            writer(record)
            await asyncio.sleep(0)
        assert writer.counts.queued == 100
        store.free.set()
        await writer.close()
    assert writer.counts.partials_shed == 900
    assert len(store.records) == 100


async def test_a_database_locked_for_a_while_loses_nothing(store: SqlCallStore, database: Database) -> None:
    writer = StoreWriter(store, pause_s=0.05)
    other = sqlite3.connect(database.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    told = balance_call()
    async with asyncio.TaskGroup() as group:
        group.create_task(writer.run())
        for record in told:
            writer(record)
        while writer.counts.retries == 0:
            await asyncio.sleep(0.01)
        other.execute("ROLLBACK")
        await writer.close()
    other.close()
    assert await store.journal("call-1") == told
