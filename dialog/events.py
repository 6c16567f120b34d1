"""The journal's vocabulary: one tagged union of frozen, past-tense events (version 1).

Times named `*_ms` count from the moment the call was answered, in audio time. What callers say or key in stands only
in fields that `PII_FIELDS` names; a log line may carry those under `pii` and nowhere else.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from dialog.commands import How

VERSION = 1

Speaker = Literal["caller", "agent", "third"]
"""Whose words: utterances are numbered from 0 for each of the three. A third is whoever else is in the call: somebody
outside whom the agent called in, or a supervisor who joined."""


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @field_validator("*")
    @classmethod
    def _writable(cls, value: object) -> object:
        """Half a surrogate pair, which a bot's JSON may escape, fits no file and no socket: it becomes "?"."""
        if isinstance(value, str):
            return value if value.isascii() else value.encode("utf-8", "replace").decode()
        return tuple(map(cls._writable, value)) if isinstance(value, tuple) else value


class CallStarted(_Event):
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


class CallAnswered(_Event):
    """Audio flows."""

    type: Literal["call_answered"] = "call_answered"
    codec: str


class CallerReplaced(_Event):
    """Another telephone of the same party took the caller's place (SIP Replaces): the call goes on with it."""

    type: Literal["caller_replaced"] = "caller_replaced"
    caller: str
    codec: str


class SpeechStarted(_Event):
    """Somebody began to speak; numbered within the call, for each speaker."""

    type: Literal["speech_started"] = "speech_started"
    utterance: int
    speaker: Speaker = "caller"


class PartialHeard(_Event):
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


class FinalHeard(_Event):
    """The utterance as it was understood, best reading first. `redecoded`: the speech child was lost meanwhile."""

    type: Literal["final_heard"] = "final_heard"
    utterance: int
    readings: tuple[Reading, ...]
    voice_start_ms: int
    voice_end_ms: int
    redecoded: bool = False
    speaker: Speaker = "caller"


class SpeechDiscarded(_Event):
    """Voice was detected, yet no words: noise, a cough, an echo of ourselves."""

    type: Literal["speech_discarded"] = "speech_discarded"
    utterance: int
    speaker: Speaker = "caller"


class KeysPressed(_Event):
    """The caller keyed a complete entry."""

    type: Literal["keys_pressed"] = "keys_pressed"
    digits: str


class SilencePassed(_Event):
    """Nothing was heard for as long as the bot waited."""

    type: Literal["silence_passed"] = "silence_passed"
    waited_ms: int


class TurnUnderstood(_Event):
    """What the bot took the turn for, and what it did."""

    type: Literal["turn_understood"] = "turn_understood"
    engine: str
    intent: str
    confidence: float
    slots: tuple[tuple[str, str], ...] = ()
    actions: tuple[str, ...] = ()


class ReplyGiven(_Event):
    """The bot answered a turn; `took_ms` is the engine's own time."""

    type: Literal["reply_given"] = "reply_given"
    engine: str
    text: str
    took_ms: int


class PlaybackStarted(_Event):
    """The first packet of a sentence left."""

    type: Literal["playback_started"] = "playback_started"
    playback: int
    text: str


class PlaybackEnded(_Event):
    """The caller heard `played_ms` of it: packets sent less the allowance for the far jitter buffer."""

    type: Literal["playback_ended"] = "playback_ended"
    playback: int
    played_ms: int
    interrupted: bool


class BargedIn(_Event):
    """The caller spoke or keyed over the bot, which fell silent."""

    type: Literal["barged_in"] = "barged_in"
    by: Literal["voice", "key"]
    playback: int
    played_ms: int


class TurnTimed(_Event):
    """The latency ledger of one answer, in ms from the caller's last voiced sample.

    endpoint (the turn was taken), final (text known), reply (the bot answered), first_audio (first packet left).
    """

    type: Literal["turn_timed"] = "turn_timed"
    utterance: int
    endpoint_ms: int
    final_ms: int
    reply_ms: int
    first_audio_ms: int


class EngineFailed(_Event):
    """An engine this call leant on failed; `code` is from errors.py."""

    type: Literal["engine_failed"] = "engine_failed"
    engine: str
    code: str


class EngineRecovered(_Event):
    """It is back."""

    type: Literal["engine_recovered"] = "engine_recovered"
    engine: str
    after_ms: int


class AudioGapped(_Event):
    """Audio for the recogniser was dropped because it could not keep up."""

    type: Literal["audio_gapped"] = "audio_gapped"
    gap_ms: int


class HandoffRequested(_Event):
    """The caller is to be given to a person who has `skill`; "" is anybody."""

    type: Literal["handoff_requested"] = "handoff_requested"
    reason: str
    skill: str = ""


class CallQueued(_Event):
    """The caller waits for a person; told again when the place changes."""

    type: Literal["call_queued"] = "call_queued"
    position: int
    estimate_s: int | None = None


class TurnedAway(_Event):
    """Nobody will come, and the caller was told so. `why`: closed, nobody, declined, full, too_long."""

    type: Literal["turned_away"] = "turned_away"
    why: str


class AgentRung(_Event):
    """The call was offered to an agent."""

    type: Literal["agent_rung"] = "agent_rung"
    agent: str


class AgentMissed(_Event):
    """The agent did not take the offer. `why`: declined, no_answer, gone."""

    type: Literal["agent_missed"] = "agent_missed"
    agent: str
    why: Literal["declined", "no_answer", "gone"]


class AgentJoined(_Event):
    """Caller and agent hear each other."""

    type: Literal["agent_joined"] = "agent_joined"
    agent: str


class AgentLeft(_Event):
    """They no longer do. `why`: hung_up, handed_back, transferred (to a colleague or outside), lost (the agent's
    audio), caller (hung up), or ended for another reason, which `call_ended` tells."""

    type: Literal["agent_left"] = "agent_left"
    agent: str
    why: Literal["hung_up", "handed_back", "transferred", "lost", "caller", "ended"]


class ThirdCalled(_Event):
    """Somebody outside, `target`, is called at the agent's wish; the caller is on hold meanwhile."""

    type: Literal["third_called"] = "third_called"
    target: str
    agent: str


class ThirdJoined(_Event):
    """They answered: agent and third hear each other, and the caller both, once taken off hold."""

    type: Literal["third_joined"] = "third_joined"
    target: str


class ThirdLeft(_Event):
    """They are in the call no more, or never were. `why`: dropped (by the agent), hung_up, no_answer, not_allowed (by
    `dial` of the trunks), busy (a limit was reached), failed (`status` is SIP's, where there is one), or ended: the
    agent left the call, or the call did."""

    type: Literal["third_left"] = "third_left"
    target: str
    why: Literal["dropped", "hung_up", "no_answer", "not_allowed", "busy", "failed", "ended"]
    status: int = 0


class CallerPutThrough(_Event):
    """The agent left caller and third to each other; the call ends when either hangs up."""

    type: Literal["caller_put_through"] = "caller_put_through"
    target: str
    agent: str


class SupervisionChanged(_Event):
    """A supervisor listens, whispers (the agent alone hears it) or has joined (all hear it); or, with none, is gone."""

    type: Literal["supervision_changed"] = "supervision_changed"
    supervisor: str
    how: How


class HoldChanged(_Event):
    """The caller was put on hold, or taken off it; `agent` is empty where the house did it."""

    type: Literal["hold_changed"] = "hold_changed"
    on: bool
    agent: str = ""


class TransferRequested(_Event):
    """The caller is to be sent to `target`, a number or SIP address outside; `agent` is empty where the bot does it.
    If it works, the call ends with the cause `transferred`."""

    type: Literal["transfer_requested"] = "transfer_requested"
    target: str
    agent: str = ""


class TransferProgressed(_Event):
    """The caller's side calls there, and got this SIP status: 180 rings."""

    type: Literal["transfer_progressed"] = "transfer_progressed"
    status: int


class TransferFailed(_Event):
    """The caller was not put through. `why`: not_allowed (by sip.transfer_to), browser (callers there have no telephone
    that could call), busy (another transfer is under way, or the call is not yet so far), failed: `status` is SIP's, of
    the target or of the caller's side; 408 also when neither told more in time."""

    type: Literal["transfer_failed"] = "transfer_failed"
    why: Literal["not_allowed", "browser", "busy", "failed"]
    status: int = 0


class RecordingPaused(_Event):
    """The recording client sends nothing for now; or, with `on` false, it does again."""

    type: Literal["recording_paused"] = "recording_paused"
    on: bool


class BotReturned(_Event):
    """The bot has the caller again. `why`: handed_back by an agent; left: the caller wished to wait no longer;
    transfer_failed: the caller could not be put through."""

    type: Literal["bot_returned"] = "bot_returned"
    why: Literal["handed_back", "left", "transfer_failed"]


class CallbackRequested(_Event):
    """The caller is to be called back."""

    type: Literal["callback_requested"] = "callback_requested"


class NoteWritten(_Event):
    """An agent wrote something down during the call."""

    type: Literal["note_written"] = "note_written"
    agent: str
    text: str


class Suggestion(BaseModel):
    """One article that may help: `words` of the caller that led to it, `score` in 0..1."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    article: str
    title: str
    reply: str
    words: tuple[str, ...] = ()
    score: float = 0.0


class SuggestionsShown(_Event):
    """What the agent was offered after an utterance of the caller, best first."""

    type: Literal["suggestions_shown"] = "suggestions_shown"
    utterance: int
    suggestions: tuple[Suggestion, ...]
    took_ms: int = 0


class SuggestionTaken(_Event):
    """The agent used one. `how`: copied, or spoken by the bot's voice."""

    type: Literal["suggestion_taken"] = "suggestion_taken"
    agent: str
    article: str
    how: Literal["copied", "spoken"]


class SuggestionDismissed(_Event):
    """The agent had no use for one."""

    type: Literal["suggestion_dismissed"] = "suggestion_dismissed"
    agent: str
    article: str


class StreamQuality(BaseModel):
    """One way of a leg's audio: packets (sent, or expected), those that never came, jitter, and the mean opinion score
    (1..4.5) that the E-model of ITU-T G.107 estimates."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
    packets: int
    lost: int
    jitter_ms: float
    mos: float


class CallQualityMeasured(_Event):
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


class CallEnded(_Event):
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
