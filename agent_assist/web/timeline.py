"""A call drawn from its journal: who spoke when, what was pressed, how long each answer took."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from agent_assist.web.handover import handover
from agent_assist.web.speakers import Speakers
from agent_assist.web.templates import ending, words
from dialog.event import Speaker
from dialog.events import (
    AudioGapped,
    BargedIn,
    CallAnswered,
    CallEnded,
    CallStarted,
    EngineFailed,
    EngineRecovered,
    FinalHeard,
    KeysPressed,
    MachineHeard,
    PlaybackEnded,
    PlaybackStarted,
    Record,
    RecordingGapped,
    RecordingPaused,
    SilencePassed,
    SpeechDiscarded,
    SpeechStarted,
    TurnTimed,
    TurnUnderstood,
)
from dialog.people_events import HandoffRequested

_FOR_EVER_MS = 2**31

Kind = Literal["caller", "noise", "bot", "cut", "agent", "third", "key", "event", "trouble"]


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the call, in ms since it was answered: the recording's own time, but for what was skipped."""

    start_ms: int
    end_ms: int
    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One row of the latency ledger, where it happened: from the caller's last voice to our first sound."""

    start_ms: int
    endpoint_ms: int
    final_ms: int
    reply_ms: int
    first_audio_ms: int


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the transcript; `note` is what stands beside it in small, `who` the name of an agent or a third
    who speaks."""

    at_ms: int
    side: Literal["caller", "bot", "agent", "third", "event"]
    text: str
    note: str = ""
    who: str = ""


@dataclass(slots=True)
class Timeline:
    """What a call's page draws. `length_ms` is never 0; `agents` and `thirds` are those who took part, who speak in
    the bot's lane as in its channel of the recording; `placed_by` is the agent who called. `skipped` are stretches, in
    ms, that the recording does not have."""

    length_ms: int = 1_000
    caller: list[Span] = field(default_factory=list)
    bot: list[Span] = field(default_factory=list)
    marks: list[Span] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    agents: list[str] = field(default_factory=list)
    thirds: list[str] = field(default_factory=list)
    placed_by: str = ""
    skipped: list[tuple[int, int]] = field(default_factory=list)


def timeline(records: Sequence[Record]) -> Timeline:
    """Draw `records`, which may be a running call's, or have holes where the store could not keep up."""
    speakers = Speakers()
    drawn = Timeline(agents=speakers.agents, thirds=speakers.thirds)
    answered_ms = next((r.at_ms for r in records if isinstance(r.event, CallAnswered)), 0)
    speech: dict[tuple[Speaker, int], int] = {}
    voice_end: dict[int, int] = {}
    playing: dict[int, tuple[int, str]] = {}
    for record in records:
        at_ms = max(0, record.at_ms - answered_ms)
        drawn.length_ms = max(drawn.length_ms, at_ms)
        speakers.follow(record.event)
        match record.event:
            case SpeechStarted(utterance=utterance, speaker=speaker):
                speech[speaker, utterance] = at_ms
            case FinalHeard() as heard:
                text = heard.readings[0].text if heard.readings else ""
                doubt = f"{heard.readings[0].confidence:.0%} sure" if heard.readings else "no words"
                note = f"{doubt}, decoded again" if heard.redecoded else doubt
                lane = drawn.caller if heard.speaker == "caller" else drawn.bot
                lane.append(Span(heard.voice_start_ms, heard.voice_end_ms, heard.speaker, text))
                who = speakers.name(heard.speaker)
                drawn.lines.append(Line(heard.voice_start_ms, heard.speaker, text, note, who))
                if heard.speaker == "caller":
                    voice_end[heard.utterance] = heard.voice_end_ms
                speech.pop((heard.speaker, heard.utterance), None)
            case SpeechDiscarded(utterance=utterance, speaker=speaker):
                lane = drawn.caller if speaker == "caller" else drawn.bot
                lane.append(Span(speech.pop((speaker, utterance), at_ms), at_ms, "noise", "no words"))
            case PlaybackStarted(playback=playback, text=text):
                playing[playback] = (at_ms, text)
            case PlaybackEnded() as ended:
                start_ms, text = playing.pop(ended.playback, (max(0, at_ms - ended.played_ms), ""))
                kind: Kind = "cut" if ended.interrupted else "bot"
                drawn.bot.append(Span(start_ms, start_ms + ended.played_ms, kind, text))
                note = f"interrupted after {ended.played_ms / 1000:.1f} s" if ended.interrupted else ""
                drawn.lines.append(Line(start_ms, "bot", text, note))
            case KeysPressed(digits=digits):
                drawn.marks.append(Span(at_ms, at_ms, "key", digits))
                drawn.lines.append(Line(at_ms, "caller", digits, "keyed"))
            case TurnTimed() as timed:
                start_ms = voice_end.get(timed.utterance, max(0, at_ms - timed.first_audio_ms))
                drawn.answers.append(
                    Answer(start_ms, timed.endpoint_ms, timed.final_ms, timed.reply_ms, timed.first_audio_ms)
                )
            case RecordingPaused(on=on, how="skip"):
                _skip(drawn, at_ms, on=on)
                _mark(drawn, at_ms, record)
            case CallStarted(placed_by=agent):
                drawn.placed_by = agent
            case _:
                _mark(drawn, at_ms, record)
    for start_ms, text in playing.values():
        drawn.bot.append(Span(start_ms, drawn.length_ms, "bot", text))
        drawn.lines.append(Line(start_ms, "bot", text, "speaking"))
    drawn.lines.sort(key=lambda line: line.at_ms)
    return drawn


def _skip(drawn: Timeline, at_ms: int, *, on: bool) -> None:
    """A pause begins, which lasts to the end of the call, or it ends."""
    if on:
        drawn.skipped.append((at_ms, _FOR_EVER_MS))
    elif drawn.skipped:
        drawn.skipped[-1] = (drawn.skipped[-1][0], at_ms)


def _mark(drawn: Timeline, at_ms: int, record: Record) -> None:
    """What is told by a mark alone, some of it by a line as well."""
    match record.event:
        case TurnUnderstood() as turn:
            slots = ", ".join(f"{name} {value}" for name, value in turn.slots)
            text = f"{turn.intent} ({turn.confidence:.0%}, {turn.engine})"
            drawn.lines.append(Line(at_ms, "event", text, slots))
        case BargedIn(by=by):
            drawn.marks.append(Span(at_ms, at_ms, "event", f"barged in by {by}"))
        case SilencePassed(waited_ms=waited_ms):
            drawn.marks.append(Span(at_ms, at_ms, "event", f"silent for {waited_ms / 1000:.0f} s"))
            drawn.lines.append(Line(at_ms, "event", f"silent for {waited_ms / 1000:.0f} s"))
        case EngineFailed(engine=engine, code=code):
            drawn.marks.append(Span(at_ms, at_ms, "trouble", f"{engine} failed: {code}"))
            drawn.lines.append(Line(at_ms, "event", f"{engine} failed", code))
        case EngineRecovered(engine=engine, after_ms=after_ms):
            drawn.marks.append(Span(at_ms, at_ms, "event", f"{engine} back after {after_ms / 1000:.1f} s"))
        case AudioGapped(gap_ms=gap_ms):
            drawn.marks.append(Span(at_ms, at_ms, "trouble", f"{gap_ms} ms went unheard"))
        case RecordingGapped(reason=reason):
            drawn.marks.append(Span(at_ms, at_ms, "trouble", f"not all of it is recorded: {reason}"))
            drawn.lines.append(Line(at_ms, "event", "from here on not all of it is recorded", reason))
        case MachineHeard(what=what):
            drawn.marks.append(Span(at_ms, at_ms, "event", f"heard: {words(what)}"))
            drawn.lines.append(Line(at_ms, "event", "no person is there", words(what)))
        case HandoffRequested(reason=reason):
            drawn.marks.append(Span(at_ms, at_ms, "event", f"a person, please: {reason}"))
            drawn.lines.append(Line(at_ms, "event", "a person is asked for", reason))
        case CallEnded(cause=cause):
            drawn.marks.append(Span(at_ms, at_ms, "event", f"ended: {ending(cause)}"))
            drawn.lines.append(Line(at_ms, "event", f"the call ended: {ending(cause)}"))
        case event:
            if told := handover(event):
                text, note = told
                drawn.marks.append(Span(at_ms, at_ms, "event", f"{text} {note}".strip()))
                drawn.lines.append(Line(at_ms, "event", text, note))
