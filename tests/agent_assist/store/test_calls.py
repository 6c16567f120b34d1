"""The call store on a real SQLite file."""

import os
import sqlite3
from pathlib import Path

import pytest

from agent_assist.store.calls import NODE_LOST, SqlCallStore
from agent_assist.store.database import Database
from dialog.errors import StoreError
from dialog.events import CallEnded, FinalHeard, Record, RecordingGapped, TurnUnderstood
from dialog.ports import CallHead, CallStore
from tests.agent_assist.conftest import Clock
from tests.agent_assist.journals import STARTED_AT, balance_call, records, started


async def test_it_is_the_store_the_dialog_tier_asks_for(store: SqlCallStore) -> None:
    port: CallStore = store
    assert await port.calls() == []


async def test_a_journal_comes_back_as_it_was_told(store: SqlCallStore) -> None:
    told = balance_call(recording="call-1.flac")
    await store.append(told[:7])
    assert [head.ended_at for head in await store.calls()] == [""]
    await store.append(told[7:])
    assert await store.journal("call-1") == told
    assert await store.calls() == [
        CallHead(
            call_id="call-1",
            transport="sip",
            caller="sip:+3225550123@127.0.0.1",
            dialled="100",
            bot="helpdesk",
            started_at=STARTED_AT,
            ended_at="2026-11-02T09:30:16.000+00:00",
            duration_ms=15800,
            cause="caller_hung_up",
            recording="call-1.flac",
        )
    ]


async def test_a_call_whose_recording_lacks_something_is_marked(store: SqlCallStore) -> None:
    for call_id in ("call-1", "call-2", "call-3"):
        await store.append(balance_call(call_id)[:3])
    gap = Record(call_id="call-1", seq=3, at_ms=900, event=RecordingGapped(reason="No space left on device"))
    await store.append([gap])
    await store.mark_partial("call-2")
    await store.mark_partial("nobody")
    assert {head.call_id: head.partial for head in await store.calls()} == {
        "call-1": True,
        "call-2": True,
        "call-3": False,
    }


async def test_storing_twice_changes_nothing(store: SqlCallStore) -> None:
    told = balance_call()
    await store.append(told)
    await store.append(told)
    assert await store.journal("call-1") == told
    assert len(await store.calls()) == 1


async def test_pages_follow_one_another_without_a_hole(store: SqlCallStore) -> None:
    for number in range(7):
        await store.append(balance_call(f"call-{number}"))
    seen: list[str] = []
    before = ""
    while page := await store.calls(limit=3, before=before):
        seen += [head.call_id for head in page]
        before = page[-1].call_id
    assert seen == [f"call-{number}" for number in reversed(range(7))]
    assert await store.calls(before="nobody") == []
    assert await store.calls(limit=-1) == []


@pytest.mark.parametrize("name", ["' OR 1=1 --", 'x"; DROP TABLE calls;', "../call-1", "call-1\0", "%", ""])
async def test_a_strange_id_is_only_a_string(store: SqlCallStore, name: str) -> None:
    await store.append(balance_call())
    assert await store.journal(name) == []
    assert await store.head(name) is None
    assert not await store.erase(name)
    assert len(await store.calls()) == 1


async def test_erasing_leaves_no_trace_in_any_file(store: SqlCallStore, recordings: Path, database: Database) -> None:
    (recordings / "call-1.flac").write_bytes(b"sound")
    (recordings / "call-2.flac").write_bytes(b"sound")
    await store.append(balance_call("call-1", recording="call-1.flac"))
    kept = balance_call("call-2", recording="call-2.flac")
    await store.append(kept)
    assert await store.erase("call-1")
    assert not await store.erase("call-1")
    assert await store.journal("call-1") == []
    assert await store.journal("call-2") == kept
    assert [path.name for path in recordings.iterdir()] == ["call-2.flac"]
    for path in database.path.parent.glob("centralino.db*"):
        assert b"call-1" not in path.read_bytes(), path


async def test_what_an_erased_call_goes_on_to_tell_is_not_kept(store: SqlCallStore, recordings: Path) -> None:
    told = balance_call(recording="call-1.flac")
    await store.append(told[:10])
    assert await store.erase("call-1")
    # The recorder still held the file, and closes it under its name at the end.
    (recordings / "call-1.flac").write_bytes(b"sound")
    await store.append(told[10:])
    assert await store.calls() == []
    assert await store.journal("call-1") == []
    assert list(recordings.iterdir()) == []


async def test_a_recording_outside_the_folder_is_not_touched(store: SqlCallStore, recordings: Path) -> None:
    outside = recordings.parent / "precious.flac"
    outside.write_bytes(b"mine")
    for number, name in enumerate(("../precious.flac", str(outside), "..", "centralino.db")):
        await store.append(balance_call(f"call-{number}", recording=name))
        assert await store.erase(f"call-{number}")
    assert outside.exists()
    (recordings / "link.flac").symlink_to(outside)
    await store.append(balance_call("call-9", recording="link.flac"))
    assert await store.erase("call-9")
    assert outside.exists()


async def test_calls_past_their_time_go_with_their_recordings(
    store: SqlCallStore, recordings: Path, clock: Clock
) -> None:
    await store.append(balance_call("old", at="2026-10-01T10:00:00+02:00", recording="old.flac"))
    await store.append(balance_call("running", at="2026-10-01T08:00:00Z", ended=False))
    await store.append(balance_call("new", at="2026-10-20T08:00:00+00:00", recording="new.flac"))
    for name, age_days in (("old", 32), ("new", 13), ("stray", 40)):
        path = recordings / f"{name}.flac"
        path.write_bytes(b"sound")
        os.utime(path, (clock() - age_days * 86_400,) * 2)
    assert await store.expire(30) == 1
    assert {head.call_id for head in await store.calls()} == {"running", "new"}
    assert [path.name for path in recordings.iterdir()] == ["new.flac"]
    assert await store.expire(30) == 0


async def test_expiry_takes_more_than_one_batch(store: SqlCallStore) -> None:
    for number in range(230):
        await store.append(records(f"call-{number}", (0, started()), (9, CallEnded(cause="bot", duration_ms=9))))
    assert await store.expire(-1) == 230


async def test_a_crash_ends_its_calls_at_the_next_start(store: SqlCallStore) -> None:
    await store.append(balance_call("lost", ended=False))
    whole = balance_call("whole")
    await store.append(whole)
    assert await store.close_lost() == 1
    assert await store.close_lost() == 0
    assert await store.journal("whole") == whole
    last = (await store.journal("lost"))[-1]
    assert last.event == CallEnded(cause=NODE_LOST, duration_ms=15000)
    assert last.seq == len(whole) - 1
    head = await store.head("lost")
    assert head is not None
    assert (head.cause, head.ended_at) == (NODE_LOST, "2026-11-02T09:30:15.000+00:00")


async def test_a_locked_file_is_a_store_error(store: SqlCallStore, database: Database) -> None:
    other = sqlite3.connect(database.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match="database is locked"):
        await store.append(balance_call())
    other.execute("ROLLBACK")
    other.close()
    await store.append(balance_call())
    assert len(await store.calls()) == 1


async def test_a_full_disk_is_a_store_error_and_the_file_survives(store: SqlCallStore, database: Database) -> None:
    await store.append(balance_call("kept"))
    async with database.read("set a quota") as connection:
        pages = (await connection.exec_driver_sql("PRAGMA page_count")).scalar_one()
        await connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    with pytest.raises(StoreError, match="full"):
        for number in range(50):
            await store.append(balance_call(f"call-{number}"))
    assert FinalHeard in {type(record.event) for record in await store.journal("kept")}


async def test_a_record_of_another_age_is_named(store: SqlCallStore, database: Database) -> None:
    await store.append(balance_call())
    with sqlite3.connect(database.path) as connection:
        connection.execute("UPDATE records SET body = '{\"version\": 7}' WHERE seq = 3")
    connection.close()
    with pytest.raises(StoreError, match="call-1"):
        await store.journal("call-1")


async def test_an_unreadable_start_time_loses_no_call(store: SqlCallStore) -> None:
    await store.append(balance_call(at="yesterday"))
    head = await store.head("call-1")
    assert head is not None
    assert (head.started_at, head.ended_at) == ("yesterday", "2026-11-02T09:30:16.000+00:00")


async def test_text_that_is_no_unicode_loses_no_call(store: SqlCallStore) -> None:
    turn = TurnUnderstood(engine="rasa", intent="x", confidence=1, slots=(("name", "\udcff"),), actions=("\ud800", "é"))
    told = records("call-1", (0, started(caller="\udcff\0")), (1, turn), (2, CallEnded(cause="bot", duration_ms=2)))
    await store.append(told)
    assert await store.journal("call-1") == told
    assert told[1].event == TurnUnderstood(
        engine="rasa", intent="x", confidence=1, slots=(("name", "?"),), actions=("?", "é")
    )
    head = await store.head("call-1")
    assert head is not None
    assert head.caller == "?\0"
