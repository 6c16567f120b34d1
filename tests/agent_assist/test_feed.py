"""The fan-out of records to onlookers."""

import asyncio

from agent_assist.feed import LiveFeed
from dialog.events import Record
from tests.agent_assist.journals import balance_call


async def test_each_reader_sees_its_call_in_order() -> None:
    feed = LiveFeed()
    one, every = feed.subscribe("a"), feed.subscribe()
    a, b = balance_call("a"), balance_call("b")
    for record in a + b:
        feed(record)
    feed.close()
    assert [record async for record in one] == a
    assert [record async for record in every] == a + b


async def test_a_reader_that_stops_reading_is_dropped_and_no_other() -> None:
    feed = LiveFeed()
    slow, quick = feed.subscribe(bound=5), feed.subscribe(bound=5)
    seen: list[Record] = []

    async def follow() -> None:
        async for record in quick:
            seen.append(record)

    task = asyncio.create_task(follow())
    told = balance_call("a")
    for record in told:
        feed(record)
        await asyncio.sleep(0)
    feed.close()
    await task
    assert seen == told
    assert slow.lagged
    assert [record async for record in slow] == []
    assert feed.readers_lagged == 1


async def test_who_left_is_told_nothing() -> None:
    feed = LiveFeed()
    reader = feed.subscribe()
    feed.unsubscribe(reader)
    for record in balance_call("a"):
        feed(record)
    assert [record async for record in reader] == []
