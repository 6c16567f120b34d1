"""Events of what people have to do with a call: the queue, agents, whoever else is in it, transfers, suggestions.

They are part of the journal's vocabulary, `dialog.events`.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from dialog.commands import How
from dialog.event import EventModel


class HandoffRequested(EventModel):
    """The caller is to be given to a person who has `skill`; "" is anybody."""

    type: Literal["handoff_requested"] = "handoff_requested"
    reason: str
    skill: str = ""


class CallQueued(EventModel):
    """The caller waits for a person; told again when the place changes."""

    type: Literal["call_queued"] = "call_queued"
    position: int
    estimate_s: int | None = None


class TurnedAway(EventModel):
    """Nobody will come, and the caller was told so. `why`: closed, nobody, declined, full, too_long."""

    type: Literal["turned_away"] = "turned_away"
    why: str


class AgentRung(EventModel):
    """The call was offered to an agent."""

    type: Literal["agent_rung"] = "agent_rung"
    agent: str


class AgentMissed(EventModel):
    """The agent did not take the offer. `why`: declined, no_answer, gone."""

    type: Literal["agent_missed"] = "agent_missed"
    agent: str
    why: Literal["declined", "no_answer", "gone"]


class AgentJoined(EventModel):
    """Caller and agent hear each other."""

    type: Literal["agent_joined"] = "agent_joined"
    agent: str


class AgentLeft(EventModel):
    """They no longer do. `why`: hung_up, handed_back, transferred (to a colleague or outside), lost (the agent's
    audio), caller (hung up), or ended for another reason, which `call_ended` tells."""

    type: Literal["agent_left"] = "agent_left"
    agent: str
    why: Literal["hung_up", "handed_back", "transferred", "lost", "caller", "ended"]


class ThirdCalled(EventModel):
    """Somebody outside, `target`, is called at the agent's wish; the caller is on hold meanwhile."""

    type: Literal["third_called"] = "third_called"
    target: str
    agent: str


class ThirdJoined(EventModel):
    """They answered: agent and third hear each other, and the caller both, once taken off hold."""

    type: Literal["third_joined"] = "third_joined"
    target: str


class ThirdLeft(EventModel):
    """They are in the call no more, or never were. `why`: dropped (by the agent), hung_up, no_answer, not_allowed (by
    `dial` of the trunks), busy (a limit was reached), failed (`status` is SIP's, where there is one, or what a busy
    tone or a fax in the sound stands for), or ended: the agent left the call, or the call did."""

    type: Literal["third_left"] = "third_left"
    target: str
    why: Literal["dropped", "hung_up", "no_answer", "not_allowed", "busy", "failed", "ended"]
    status: int = 0


class CallerPutThrough(EventModel):
    """The agent left caller and third to each other; the call ends when either hangs up."""

    type: Literal["caller_put_through"] = "caller_put_through"
    target: str
    agent: str


class SupervisionChanged(EventModel):
    """A supervisor listens, whispers (the agent alone hears it) or has joined (all hear it); or, with none, is gone."""

    type: Literal["supervision_changed"] = "supervision_changed"
    supervisor: str
    how: How


class HoldChanged(EventModel):
    """The caller was put on hold, or taken off it; `agent` is empty where the house did it."""

    type: Literal["hold_changed"] = "hold_changed"
    on: bool
    agent: str = ""


class TransferRequested(EventModel):
    """The caller is to be sent to `target`, a number or SIP address outside; `agent` is empty where the bot does it.
    If it works, the call ends with the cause `transferred`."""

    type: Literal["transfer_requested"] = "transfer_requested"
    target: str
    agent: str = ""


class TransferProgressed(EventModel):
    """The caller's side calls there, and got this SIP status: 180 rings."""

    type: Literal["transfer_progressed"] = "transfer_progressed"
    status: int


class TransferFailed(EventModel):
    """The caller was not put through. `why`: not_allowed (by sip.transfer_to), browser (callers there have no telephone
    that could call), busy (another transfer is under way, or the call is not yet so far), failed: `status` is SIP's, of
    the target or of the caller's side; 408 also when neither told more in time."""

    type: Literal["transfer_failed"] = "transfer_failed"
    why: Literal["not_allowed", "browser", "busy", "failed"]
    status: int = 0


class BotReturned(EventModel):
    """The bot has the caller again. `why`: handed_back by an agent; left: the caller wished to wait no longer;
    transfer_failed: the caller could not be put through."""

    type: Literal["bot_returned"] = "bot_returned"
    why: Literal["handed_back", "left", "transfer_failed"]


class CallbackRequested(EventModel):
    """The caller is to be called back."""

    type: Literal["callback_requested"] = "callback_requested"


class NoteWritten(EventModel):
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


class SuggestionsShown(EventModel):
    """What the agent was offered after an utterance of the caller, best first."""

    type: Literal["suggestions_shown"] = "suggestions_shown"
    utterance: int
    suggestions: tuple[Suggestion, ...]
    took_ms: int = 0


class SuggestionTaken(EventModel):
    """The agent used one. `how`: copied, or spoken by the bot's voice."""

    type: Literal["suggestion_taken"] = "suggestion_taken"
    agent: str
    article: str
    how: Literal["copied", "spoken"]


class SuggestionDismissed(EventModel):
    """The agent had no use for one."""

    type: Literal["suggestion_dismissed"] = "suggestion_dismissed"
    agent: str
    article: str
