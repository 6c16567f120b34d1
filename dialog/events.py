"""The journal's vocabulary: one tagged union of frozen, past-tense events (version 1).

Times named `*_ms` count from the moment the call was answered, in audio time. What callers say or key in stands only
in fields that `PII_FIELDS` names; a log line may carry those under `pii` and nowhere else.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from dialog.event import EventModel, Speaker
from dialog.people_events import (
    AgentJoined,
    AgentLeft,
    AgentMissed,
    AgentRung,
    BotReturned,
    CallbackRequested,
    CallerPutThrough,
    CallQueued,
    HandoffRequested,
    HoldChanged,
    NoteWritten,
    SuggestionDismissed,
    SuggestionsShown,
    SuggestionTaken,
    SupervisionChanged,
    ThirdCalled,
    ThirdJoined,
    ThirdLeft,
    TransferFailed,
    TransferProgressed,
    TransferRequested,
    TurnedAway,
)

VERSION = 1


class CallStarted(EventModel):
    """A caller reached us; by `siprec` it is a call of others, which a recording client lets us hear, and has no bot.
    `started_at` is ISO 8601 UTC; `trunk` is the carrier or PBX that brought the call. Where an agent called back,
    `placed_by` says who, and `caller` is who was called."""

    type: Literal["call_started"] = "call_started"
    transport: Literal["sip", "browser", "stream", "siprec"]
    caller: str
    dialled: str
    bot: str
    started_at: str
    recording: str = Field(default="", description="file name in the recordings folder; empty when off")
    headers: tuple[tuple[str, str], ...] = Field(default=(), description="what the SIP side told of it, by header")
    trunk: str = Field(default="", description="its name in the settings; empty for any other caller")
    placed_by: str = Field(default="", description="the agent who called; empty where the caller did")


class CallAnswered(EventModel):
    """Audio flows."""

    type: Literal["call_answered"] = "call_answered"
    codec: str


class CallerReplaced(EventModel):
    """Another telephone of the same party took the caller's place (SIP Replaces): the call goes on with it."""

    type: Literal["caller_replaced"] = "caller_replaced"
    caller: str
    codec: str


class MachineHeard(EventModel):
    """The far end's sound says that no person is there. `what`: answering_machine, whose beep was heard, so it keeps
    what is said from here on; fax; or what exchanges play: busy, congestion, unobtainable (the special information
    tone). But for the first, the call ends with that cause."""

    type: Literal["machine_heard"] = "machine_heard"
    what: Literal["answering_machine", "fax", "busy", "congestion", "unobtainable"]


class SpeechStarted(EventModel):
    """Somebody began to speak; numbered within the call, for each speaker."""

    type: Literal["speech_started"] = "speech_started"
    utterance: int
    speaker: Speaker = "caller"


class PartialHeard(EventModel):
    """What the recogniser makes of the utterance so far."""

    type: Literal["partial_heard"] = "partial_heard"
    utterance: int
    text: str
    speaker: Speaker = "caller"


class Reading(BaseModel):
    """One hypothesis of the recogniser."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    text: str
    confidence: float


class FinalHeard(EventModel):
    """The utterance as it was understood, best reading first. `redecoded`: the speech child was lost meanwhile."""

    type: Literal["final_heard"] = "final_heard"
    utterance: int
    readings: tuple[Reading, ...]
    voice_start_ms: int
    voice_end_ms: int
    redecoded: bool = False
    speaker: Speaker = "caller"


class SpeechDiscarded(EventModel):
    """Voice was detected, yet no words: noise, a cough, an echo of ourselves."""

    type: Literal["speech_discarded"] = "speech_discarded"
    utterance: int
    speaker: Speaker = "caller"


class KeysPressed(EventModel):
    """The caller keyed a complete entry."""

    type: Literal["keys_pressed"] = "keys_pressed"
    digits: str


class SilencePassed(EventModel):
    """Nothing was heard for as long as the bot waited."""

    type: Literal["silence_passed"] = "silence_passed"
    waited_ms: int


class TurnUnderstood(EventModel):
    """What the bot took the turn for, and what it did."""

    type: Literal["turn_understood"] = "turn_understood"
    engine: str
    intent: str
    confidence: float
    slots: tuple[tuple[str, str], ...] = ()
    actions: tuple[str, ...] = ()


class ReplyGiven(EventModel):
    """The bot answered a turn; `took_ms` is the engine's own time."""

    type: Literal["reply_given"] = "reply_given"
    engine: str
    text: str
    took_ms: int


class PlaybackStarted(EventModel):
    """The first packet of a sentence left."""

    type: Literal["playback_started"] = "playback_started"
    playback: int
    text: str


class PlaybackEnded(EventModel):
    """The caller heard `played_ms` of it: packets sent less the allowance for the far jitter buffer."""

    type: Literal["playback_ended"] = "playback_ended"
    playback: int
    played_ms: int
    interrupted: bool


class BargedIn(EventModel):
    """The caller spoke or keyed over the bot, which fell silent."""

    type: Literal["barged_in"] = "barged_in"
    by: Literal["voice", "key"]
    playback: int
    played_ms: int


class TurnTimed(EventModel):
    """The latency ledger of one answer, in ms from the caller's last voiced sample.

    endpoint (the turn was taken), final (text known), reply (the bot answered), first_audio (first packet left).
    """

    type: Literal["turn_timed"] = "turn_timed"
    utterance: int
    endpoint_ms: int
    final_ms: int
    reply_ms: int
    first_audio_ms: int


class EngineFailed(EventModel):
    """An engine this call leant on failed; `code` is from errors.py."""

    type: Literal["engine_failed"] = "engine_failed"
    engine: str
    code: str


class EngineRecovered(EventModel):
    """It is back."""

    type: Literal["engine_recovered"] = "engine_recovered"
    engine: str
    after_ms: int


class AudioGapped(EventModel):
    """Audio for the recogniser was dropped because it could not keep up."""

    type: Literal["audio_gapped"] = "audio_gapped"
    gap_ms: int


class RecordingPaused(EventModel):
    """Nothing is recorded or written down for now; or, with `on` false, it is again. `by`: the agent wishes so, or the
    recording client of a `siprec` call sends nothing. `how`: the recording is silent meanwhile, or has nothing of that
    time."""

    type: Literal["recording_paused"] = "recording_paused"
    on: bool
    by: Literal["client", "agent"] = "client"
    agent: str = ""
    how: Literal["silence", "skip"] = "silence"


class RecordingGapped(EventModel):
    """Something of the call is missing in its recording from about here on, told once: the recording is partial, and
    silent where it is missing. `reason` is what the disk said, or late: the disk or the machine was too slow."""

    type: Literal["recording_gapped"] = "recording_gapped"
    reason: str


class StreamQuality(BaseModel):
    """One way of a leg's audio: packets (sent, or expected), those that never came, jitter, and the mean opinion score
    (1..4.5) that the E-model of ITU-T G.107 estimates."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    packets: int
    lost: int
    jitter_ms: float
    mos: float


class CallQualityMeasured(EventModel):
    """How the caller's leg sounded, in all: `inbound` what came from the caller, `outbound` what went there, by the
    far end's own reports (RTCP).

    `late_packets` came too late to be heard, `concealed_frames` (20 ms) were made up. A far end that reports nothing
    leaves `outbound` and `round_trip_ms` empty.
    """

    type: Literal["call_quality_measured"] = "call_quality_measured"
    round_trip_ms: int | None = None
    inbound: StreamQuality | None = None
    outbound: StreamQuality | None = None
    late_packets: int = 0
    concealed_frames: int = 0


class CallEnded(EventModel):
    """The last event of every journal, exactly once."""

    type: Literal["call_ended"] = "call_ended"
    cause: str
    duration_ms: int
    late_frames: int = 0
    lost_packets: int = 0


Event = (
    CallStarted
    | CallAnswered
    | CallerReplaced
    | MachineHeard
    | SpeechStarted
    | PartialHeard
    | FinalHeard
    | SpeechDiscarded
    | KeysPressed
    | SilencePassed
    | TurnUnderstood
    | ReplyGiven
    | PlaybackStarted
    | PlaybackEnded
    | BargedIn
    | TurnTimed
    | EngineFailed
    | EngineRecovered
    | AudioGapped
    | HandoffRequested
    | CallQueued
    | TurnedAway
    | AgentRung
    | AgentMissed
    | AgentJoined
    | AgentLeft
    | ThirdCalled
    | ThirdJoined
    | ThirdLeft
    | CallerPutThrough
    | SupervisionChanged
    | HoldChanged
    | TransferRequested
    | TransferProgressed
    | TransferFailed
    | RecordingPaused
    | RecordingGapped
    | BotReturned
    | CallbackRequested
    | NoteWritten
    | SuggestionsShown
    | SuggestionTaken
    | SuggestionDismissed
    | CallQualityMeasured
    | CallEnded
)

PII_FIELDS: frozenset[str] = frozenset(
    {"text", "readings", "digits", "slots", "caller", "suggestions", "headers", "target"}
)


class Record(BaseModel):
    """An event in its place: `seq` counts from 0 without a hole; `at_ms` is audio time since the call began."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    version: Literal[1] = 1
    call_id: str
    seq: int
    at_ms: int
    event: Annotated[Event, Field(discriminator="type")]
