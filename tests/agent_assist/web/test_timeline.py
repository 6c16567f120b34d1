"""A call's drawing, from journals whole, broken and empty."""

import random
from typing import Literal

import pytest

from agent_assist.web.timeline import Answer, Line, Span, timeline
from dialog.event import Speaker
from dialog.events import (
    AudioGapped,
    CallAnswered,
    CallEnded,
    EngineFailed,
    EngineRecovered,
    FinalHeard,
    MachineHeard,
    PlaybackStarted,
    Reading,
    RecordingGapped,
    RecordingPaused,
    SilencePassed,
    SpeechDiscarded,
    SpeechStarted,
)
from dialog.people_events import (
    AgentJoined,
    AgentLeft,
    AgentMissed,
    CallerPutThrough,
    CallQueued,
    HandoffRequested,
    HoldChanged,
    NoteWritten,
    SupervisionChanged,
    ThirdCalled,
    ThirdJoined,
    ThirdLeft,
)
from tests.agent_assist.journals import balance_call, records, started


def test_times_are_the_recordings_own() -> None:
    drawn = timeline(balance_call())
    # The call was answered at 200 ms; the recording begins there.
    assert drawn.bot[0] == Span(40, 4040, "bot", "Hello, this is the automatic help desk. This call is recorded.")
    assert drawn.caller[0] == Span(6080, 7500, "caller", "what is my balance")
    assert drawn.caller[1] == Span(14210, 14800, "noise", "no words")
    assert drawn.bot[-1].kind == "cut"
    assert drawn.bot[-1].end_ms - drawn.bot[-1].start_ms == 1500
    assert drawn.length_ms == 15800


def test_an_answer_is_measured_from_the_last_voice() -> None:
    assert timeline(balance_call()).answers == [Answer(7500, 420, 500, 520, 600)]


def test_lines_come_in_the_order_of_speech() -> None:
    lines = timeline(balance_call()).lines
    assert [line.at_ms for line in lines] == sorted(line.at_ms for line in lines)
    assert Line(12600, "caller", "40217", "keyed") in lines
    assert Line(6080, "caller", "what is my balance", "93% sure") in lines
    assert lines[-1].text == "the call ended: caller hung up"
    assert [line.note for line in lines if line.side == "bot"] == ["", "", "", "interrupted after 1.5 s"]


def test_what_goes_wrong_is_marked() -> None:
    drawn = timeline(
        records(
            "call-1",
            (0, started()),
            (0, CallAnswered(codec="PCMU")),
            (100, EngineFailed(engine="rasa", code="engine.timeout")),
            (200, EngineRecovered(engine="rasa", after_ms=1500)),
            (300, AudioGapped(gap_ms=80)),
            (400, SilencePassed(waited_ms=7000)),
            (450, FinalHeard(utterance=1, readings=(), voice_start_ms=410, voice_end_ms=440, redecoded=True)),
            (500, HandoffRequested(reason="asked")),
        )
    )
    assert [(mark.kind, mark.text) for mark in drawn.marks] == [
        ("trouble", "rasa failed: engine.timeout"),
        ("event", "rasa back after 1.5 s"),
        ("trouble", "80 ms went unheard"),
        ("event", "silent for 7 s"),
        ("event", "a person, please: asked"),
    ]
    assert Line(410, "caller", "", "no words, decoded again") in drawn.lines


@pytest.mark.parametrize(
    ("cause", "words"),
    [("caller", "caller hung up"), ("agent", "agent hung up"), ("longest_call", "longest call"), ("", "")],
)
def test_an_ending_is_told_in_words(cause: str, words: str) -> None:
    drawn = timeline(records("call-1", (0, started()), (9, CallEnded(cause=cause, duration_ms=9))))
    assert drawn.lines[-1].text == f"the call ended: {words}"


def test_a_running_call_shows_what_is_being_said() -> None:
    drawn = timeline(
        records(
            "call-1",
            (0, started()),
            (10, PlaybackStarted(playback=1, text="Hello.")),
            (500, CallAnswered(codec="PCMA")),
        )
    )
    assert drawn.lines[-1].note == "speaking"
    assert timeline([]).length_ms > 0


def test_a_journal_with_holes_is_drawn_all_the_same() -> None:
    whole = balance_call()
    for seed in range(200):
        kept = [record for record in whole if random.Random(f"{seed}{record.seq}").random() < 0.6]
        drawn = timeline(kept)
        for span in drawn.caller + drawn.bot:
            assert 0 <= span.start_ms <= span.end_ms


def said(speaker: Speaker, text: str, at_ms: int, utterance: int = 1) -> FinalHeard:
    readings = (Reading(text=text, confidence=0.9),)
    return FinalHeard(
        utterance=utterance, readings=readings, voice_start_ms=at_ms, voice_end_ms=at_ms + 90, speaker=speaker
    )


def test_an_agent_speaks_in_its_own_name() -> None:
    drawn = timeline(
        records(
            "call-1",
            (0, started()),
            (0, CallAnswered(codec="PCMU")),
            (100, CallQueued(position=2, estimate_s=40)),
            (200, AgentMissed(agent="ida", why="no_answer")),
            (300, AgentJoined(agent="gus")),
            (310, SpeechStarted(utterance=1, speaker="agent")),
            (320, SpeechStarted(utterance=1)),
            (500, said("agent", "good morning", 400)),
            (700, said("caller", "hello", 600)),
            (750, SpeechStarted(utterance=2, speaker="agent")),
            (790, SpeechDiscarded(utterance=2, speaker="agent")),
            (800, HoldChanged(on=True, agent="gus")),
            (850, NoteWritten(agent="gus", text="pays on Monday")),
            (900, AgentLeft(agent="gus", why="handed_back")),
            (950, AgentJoined(agent="gus")),
            (960, RecordingPaused(on=True)),
            (970, RecordingPaused(on=False)),
            (980, RecordingPaused(on=True, by="agent", agent="gus")),
            (985, RecordingGapped(reason="late")),
            (990, RecordingPaused(on=False, by="agent", agent="gus")),
            (995, MachineHeard(what="answering_machine")),
        )
    )
    assert drawn.agents == ["gus"]
    assert drawn.bot == [Span(400, 490, "agent", "good morning"), Span(750, 790, "noise", "no words")]
    assert drawn.caller == [Span(600, 690, "caller", "hello")]
    assert [line.who for line in drawn.lines if line.side in ("agent", "caller")] == ["gus", ""]
    assert [(line.side, line.text, line.note) for line in drawn.lines] == [
        ("event", "the caller waits", "place 2, about 40 s"),
        ("event", "ida missed it", "no answer"),
        ("event", "gus is in the call", ""),
        ("agent", "good morning", "90% sure"),
        ("caller", "hello", "90% sure"),
        ("event", "on hold", "gus"),
        ("event", "pays on Monday", "gus noted"),
        ("event", "gus left", "handed back"),
        ("event", "gus is in the call", ""),
        ("event", "nothing is heard for now", ""),
        ("event", "heard again", ""),
        ("event", "the recording is paused", "gus"),
        ("event", "from here on not all of it is recorded", "late"),
        ("event", "recorded again", "gus"),
        ("event", "no person is there", "answering machine"),
    ]


def test_whoever_comes_in_speaks_by_name_too() -> None:
    drawn = timeline(
        records(
            "call-1",
            (0, started().model_copy(update={"placed_by": "gus"})),
            (0, CallAnswered(codec="PCMU")),
            (10, AgentJoined(agent="gus")),
            (20, ThirdCalled(target="112", agent="gus")),
            (30, ThirdLeft(target="112", why="failed", status=486)),
            (40, ThirdCalled(target="555", agent="gus")),
            (50, ThirdJoined(target="555")),
            (190, said("third", "speaking", 100)),
            (200, SupervisionChanged(supervisor="sue", how="listen")),
            (210, SupervisionChanged(supervisor="sue", how="whisper")),
            (220, SupervisionChanged(supervisor="sue", how="join")),
            (390, said("third", "one of us", 300, 2)),
            (400, ThirdLeft(target="555", why="hung_up")),
            (590, said("third", "me", 500, 3)),
            (600, SupervisionChanged(supervisor="sue", how="none")),
            (700, ThirdJoined(target="556")),
            (710, CallerPutThrough(target="556", agent="gus")),
        )
    )
    assert drawn.placed_by == "gus"
    assert drawn.thirds == ["555", "sue", "556"]
    assert drawn.bot[0] == Span(100, 190, "third", "speaking")
    assert [(line.who, line.text) for line in drawn.lines if line.side == "third"] == [
        ("555", "speaking"),
        ("555 or sue", "one of us"),
        ("sue", "me"),
    ]
    assert [(line.text, line.note) for line in drawn.lines if line.side == "event"] == [
        ("gus is in the call", ""),
        ("gus calls 112", ""),
        ("112 was not reached", "failed 486"),
        ("gus calls 555", ""),
        ("555 is in the call", ""),
        ("sue listens", ""),
        ("sue whispers to the agent", ""),
        ("sue has joined", ""),
        ("555 left", "hung up"),
        ("sue is no longer in the call", ""),
        ("556 is in the call", ""),
        ("gus leaves the caller with 556", ""),
    ]


def test_what_the_recording_does_not_have_is_known_to_the_page() -> None:
    def paused(on: bool, how: Literal["silence", "skip"]) -> RecordingPaused:
        return RecordingPaused(on=on, by="agent", agent="gus", how=how)

    drawn = timeline(
        records(
            "call-1",
            (0, started()),
            (500, CallAnswered(codec="PCMU")),
            (1_000, paused(False, "skip")),
            (2_000, paused(True, "silence")),
            (3_000, paused(False, "silence")),
            (4_000, paused(True, "skip")),
            (6_000, paused(False, "skip")),
            (7_000, paused(True, "skip")),
        )
    )
    assert drawn.skipped[0] == (3_500, 5_500)
    assert drawn.skipped[1][0] == 6_500
    assert drawn.skipped[1][1] > 1e9
    assert len(drawn.skipped) == 2
