"""Pages as HTML: what they say, and that nothing a caller sends becomes markup."""

import httpx
import pytest

from agent_assist.store.desk_records import DeskRecords
from agent_assist.web.pages import Scale
from dialog.errors import StoreError
from dialog.events import (
    CallAnswered,
    CallEnded,
    CallQualityMeasured,
    FinalHeard,
    KeysPressed,
    PlaybackEnded,
    PlaybackStarted,
    Reading,
    RecordingGapped,
    RecordingPaused,
    StreamQuality,
)
from dialog.people_events import AgentJoined, NoteWritten, ThirdJoined
from tests.agent_assist.journals import balance_call, records, started
from tests.agent_assist.web.conftest import Site

EVIL = "\"><script>alert(1)</script><img src=x onerror='alert(1)'>&amp;{{7*7}}"


async def test_the_list_pages_through(anna: httpx.AsyncClient, site: Site) -> None:
    for number in range(30):
        await site.store.append(balance_call(f"call-{number}"))
    first = (await anna.get("/calls")).text
    assert first.count("<tr>") == 26
    assert "/calls?before=call-5" in first
    second = (await anna.get("/calls?before=call-5")).text
    assert second.count("<tr>") == 6
    assert 'rel="next"' not in second
    assert "No calls before that." in (await anna.get("/calls?before=nobody")).text


async def test_an_empty_house_says_what_to_do(anna: httpx.AsyncClient) -> None:
    assert "No calls yet." in (await anna.get("/calls")).text


async def test_a_running_call_has_a_page(anna: httpx.AsyncClient, site: Site) -> None:
    await site.store.append(balance_call(ended=False))
    text = (await anna.get("/calls/call-1")).text
    assert "running" in text
    assert "There is no recording of this call." in text


async def test_a_partial_recording_says_so_and_a_shorter_one_is_in_step(anna: httpx.AsyncClient, site: Site) -> None:
    (site.recordings / "call-1.opus").write_bytes(b"sound")
    told = records(
        "call-1",
        (0, started(recording="call-1.opus")),
        (0, CallAnswered(codec="PCMU")),
        (1_000, RecordingPaused(on=True, by="agent", agent="gus", how="skip")),
        (4_000, RecordingPaused(on=False, by="agent", agent="gus", how="skip")),
        (5_000, RecordingGapped(reason="late")),
    )
    await site.store.append(told[:-1])
    text = (await anna.get("/calls/call-1")).text
    assert 'data-skipped="[[1000, 4000]]"' in text
    assert "The recording is partial" not in text
    await site.store.append(told[-1:])
    assert "The recording is partial" in (await anna.get("/calls/call-1")).text
    assert (await anna.get("/api/calls/call-1/audio")).headers["content-type"] == "audio/ogg"


async def test_nothing_a_caller_sends_becomes_markup(anna: httpx.AsyncClient, site: Site) -> None:
    told = records(
        "call-1",
        (0, started(caller=EVIL)),
        (0, CallAnswered(codec="PCMU")),
        (0, PlaybackStarted(playback=1, text=EVIL)),
        (9, PlaybackEnded(playback=1, played_ms=9, interrupted=True)),
        (
            20,
            FinalHeard(utterance=1, readings=(Reading(text=EVIL, confidence=1),), voice_start_ms=10, voice_end_ms=20),
        ),
        (30, KeysPressed(digits=EVIL)),
        (32, AgentJoined(agent=EVIL)),
        (34, NoteWritten(agent=EVIL, text=EVIL)),
        (40, CallEnded(cause=EVIL, duration_ms=40)),
    )
    await site.store.append(told)
    await DeskRecords(site.users.database).add_wrap_up("call-1", EVIL, EVIL, EVIL)
    for path in ("/calls", "/calls/call-1"):
        text = (await anna.get(path)).text
        assert "&lt;script&gt;" in text
        assert "<script>" not in text
        assert "<img src=x" not in text
        assert "{{7*7}}" in text


async def test_how_a_call_sounded_stands_on_its_page(anna: httpx.AsyncClient, site: Site) -> None:
    quality = CallQualityMeasured(
        round_trip_ms=38,
        inbound=StreamQuality(packets=100, lost=0, jitter_ms=1.0, mos=4.38),
        outbound=StreamQuality(packets=100, lost=9, jitter_ms=1.0, mos=3.21),
    )
    await site.store.append(records("call-1", (0, started()), (9, quality), (9, CallEnded(cause="bot", duration_ms=9))))
    assert "caller's voice 4.4, ours 3.2, round trip 38 ms" in (await anna.get("/calls/call-1")).text
    detail = (await anna.get("/api/calls/call-1")).json()
    assert [detail["summary"][name] for name in ("round_trip_ms", "mos_inbound", "mos_outbound")] == [38, 4.38, 3.21]
    await site.store.append(balance_call("call-2"))
    assert "not measured" in (await anna.get("/calls/call-2")).text


async def test_how_a_call_ended_for_agents_stands_on_its_page(anna: httpx.AsyncClient, site: Site) -> None:
    await site.store.append(balance_call())
    assert "How it ended" not in (await anna.get("/calls/call-1")).text
    await DeskRecords(site.users.database).add_wrap_up("call-1", "gus", "solved", "Paid by card.")
    page = (await anna.get("/calls/call-1")).text
    assert "<dt>gus</dt><dd>solved: Paid by card.</dd>" in page


async def test_an_unknown_call_has_a_page_that_says_so(anna: httpx.AsyncClient) -> None:
    for path in ("/calls/nobody", "/calls/' OR 1=1 --", "/calls/%00", "/calls/..%2f..%2fetc"):
        answer = await anna.get(path)
        assert answer.status_code == 404
        assert "may have been erased" in answer.text


async def test_a_dead_store_has_a_page_that_says_so(anna: httpx.AsyncClient, site: Site) -> None:
    async with site.users.database.write("break it") as connection:
        await connection.exec_driver_sql("ALTER TABLE calls RENAME TO gone")
    answer = await anna.get("/calls")
    assert answer.status_code == 503
    assert StoreError.code in answer.text
    assert (await anna.get("/")).status_code == 200  # a caller needs no store


@pytest.mark.parametrize("length_ms", [1, 1_000, 16_000, 600_000, 7_200_000, 90_000_000])
def test_any_length_has_a_scale_that_fits(length_ms: int) -> None:
    scale = Scale.of(length_ms)
    assert scale.width <= 30_100
    assert 1 <= len(scale.ticks()) <= 600
    assert scale.x(length_ms) <= scale.width


async def test_the_page_of_a_call_tells_who_called_back_and_who_came_in(anna: httpx.AsyncClient, site: Site) -> None:
    readings = (Reading(text="this is the technician", confidence=0.9),)
    heard = FinalHeard(utterance=0, readings=readings, voice_start_ms=300, voice_end_ms=900, speaker="third")
    journal = records(
        "call-1",
        (0, started().model_copy(update={"placed_by": "gus"})),
        (0, CallAnswered(codec="PCMU")),
        (10, AgentJoined(agent="gus")),
        (200, ThirdJoined(target=EVIL)),
        (900, heard),
    )
    await site.store.append(journal)
    text = (await anna.get("/calls/call-1")).text
    assert "sip, called back by gus" in text
    assert '<li class="third">' in text
    assert "<script>alert" not in text
    assert "this is the technician" in text
