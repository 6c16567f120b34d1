"""The journal channel against a page that does not read."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiortc import RTCDataChannel

from dialog.events import (
    CallAnswered,
    Event,
    PartialHeard,
    Record,
)
from tests.fakes.browser_call import BrowserCall, browser_call, until
from voice.net.journal_channel import JournalChannel


@pytest.fixture
async def call() -> AsyncIterator[BrowserCall]:
    async with browser_call() as connected:
        yield connected


def record(seq: int, event: Event | None = None) -> Record:
    return Record(call_id="c", seq=seq, at_ms=0, event=event or CallAnswered(codec="x" * 2_000))


def ours(call: BrowserCall) -> RTCDataChannel:
    channel = call.peer.journal._channel
    assert channel is not None
    return channel


async def test_a_page_that_does_not_read_loses_partials_first_and_then_the_channel(call: BrowserCall) -> None:
    await call.browser.open_channel()
    await until(lambda: call.peer.journal._channel is not None)
    journal, channel = call.peer.journal, ours(call)
    call.peer._connection.guard.dropped.clear()

    async def deaf(data: bytes) -> None:
        """The browser's SCTP hears nothing, so nothing is acknowledged."""

    call.browser._dtls._data_receiver._handle_data = deaf  # type: ignore[union-attr,method-assign]
    seq = 0
    while channel.bufferedAmount <= 256 * 1024:
        journal.send(record(seq := seq + 1))
        await asyncio.sleep(0)
    assert journal.dropped == 0
    before = channel.bufferedAmount
    journal.send(record(seq := seq + 1, PartialHeard(utterance=1, text="hello")))
    assert (journal.dropped, channel.bufferedAmount) == (1, before)
    journal.send(record(seq := seq + 1))
    assert channel.bufferedAmount > before
    while channel.readyState == "open":
        journal.send(record(seq := seq + 1))
        assert channel.bufferedAmount < 1024 * 1024 + 10_000
        await asyncio.sleep(0)
    assert journal.dropped == 2
    journal.send(record(seq + 1))
    assert journal.dropped == 3
    assert call.peer.state == "connected"


def test_what_is_told_before_the_page_listens_is_bounded() -> None:
    journal = JournalChannel(lambda digits: None)
    for n in range(300):
        journal.send(record(n))
    assert journal.dropped == 44


async def test_a_record_longer_than_the_page_takes_is_dropped(call: BrowserCall) -> None:
    await call.browser.open_channel()
    await until(lambda: call.peer.journal._channel is not None)
    call.peer.tell(record(1, CallAnswered(codec="x" * 300_000)))
    call.peer.tell(record(2, CallAnswered(codec="opus")))
    await until(lambda: len(call.browser.told) == 1)
    assert Record.model_validate_json(call.browser.told[0]).seq == 2
    assert call.peer.journal.dropped == 1
