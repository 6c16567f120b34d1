"""What an agent's screen is told, in one numbered stream (version 1); docs/asyncapi.json is made from this.

The first message of a connection that brings no `after`, or one too old, is a `snapshot`: the whole screen. What
follows changes it. Numbers count from 1 without a hole, for each agent and each `run` of its stream; a connection that
names the last it saw (`after=RUN.SEQ`) gets what came since, once.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from agent_assist.desk.ports import Presence
from dialog.commands import How
from dialog.events import Record


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Brief(_Model):
    """Everything said so far in at most 60 words, and what stands behind it: who calls, why, and what is known."""

    caller: str
    transport: str
    bot: str
    reason: str
    skill: str = ""
    summary: str
    slots: tuple[tuple[str, str], ...] = ()
    waited_s: int = 0


class Offer(_Model):
    """A call that rings, for `expires_s` more seconds. `by` names the colleague who transfers it, empty from the
    queue."""

    call_id: str
    brief: Brief
    expires_s: float
    by: str = ""


class Third(_Model):
    """Somebody outside whom the agent calls, or has in the call. With the caller on hold the two are alone."""

    number: str
    joined: bool = False


class Supervisor(_Model):
    """Who supervises the call, and how."""

    agent: str
    how: How


class CallState(_Model):
    """How a call stands: while it is `paused` nothing is recorded or written down; `transferring_to` is whom it rings;
    `supervisors` are in it."""

    on_hold: bool = False
    paused: bool = False
    transferring_to: str = ""
    third: Third | None = None
    supervisors: tuple[Supervisor, ...] = ()


class CallView(CallState):
    """The call the agent is in: its brief and its whole journal so far; what follows comes as `recorded`.

    `observed`: the agent has it by another telephone, and here it is only shown. `supervised` is how a supervisor is in
    the call of a colleague, `of`, which the supervisor can leave, and nothing else.
    """

    call_id: str
    brief: Brief
    records: tuple[Record, ...]
    observed: bool = False
    supervised: How = "none"
    of: str = ""


class Me(_Model):
    """The agent. `audio` stands; a `phone` is registered, and rings where no audio stands. `next` is what follows the
    call that is on: ready or away. `calling` is whom the node calls for the agent; a `supervisor` may enter colleagues'
    calls."""

    agent: str
    presence: Presence
    audio: bool
    phone: bool = False
    next: Literal["ready", "away"] = "ready"
    calling: str = ""
    supervisor: bool = False


class Colleague(_Model):
    """Another agent, for transfers."""

    agent: str
    presence: Presence
    skills: tuple[str, ...] = ()


class QueueLine(_Model):
    """One who waits."""

    call_id: str
    reason: str
    skill: str
    waited_s: int


class WrapUp(_Model):
    """The call whose disposition is to be written, and the choices."""

    call_id: str
    brief: Brief
    dispositions: tuple[str, ...]


class Snapshot(_Model):
    """The whole screen."""

    type: Literal["snapshot"] = "snapshot"
    me: Me
    colleagues: tuple[Colleague, ...] = ()
    queue: tuple[QueueLine, ...] = ()
    offer: Offer | None = None
    call: CallView | None = None
    wrap_up: WrapUp | None = None


class MeChanged(_Model):
    """Presence, audio, or what follows."""

    type: Literal["me_changed"] = "me_changed"
    me: Me


class ColleaguesChanged(_Model):
    """All others, anew."""

    type: Literal["colleagues_changed"] = "colleagues_changed"
    colleagues: tuple[Colleague, ...]


class QueueChanged(_Model):
    """All who wait, anew."""

    type: Literal["queue_changed"] = "queue_changed"
    queue: tuple[QueueLine, ...]


class Offered(_Model):
    """A call rings."""

    type: Literal["offered"] = "offered"
    offer: Offer


class OfferWithdrawn(_Model):
    """It rings no more. `why`: answered (by this agent), declined, no_answer, gone, taken (by a colleague from the
    list), caller (hung up or chose)."""

    type: Literal["offer_withdrawn"] = "offer_withdrawn"
    call_id: str
    why: str


class CallJoined(_Model):
    """The agent is in a call."""

    type: Literal["call_joined"] = "call_joined"
    call: CallView


class CallChanged(CallState):
    """The call stands otherwise, or what was tried has failed. `trouble` says why: declined, no_answer, gone, or
    refused (the call could not do what was asked); of a transfer outside as in the event transfer_failed, and of a
    third who is gone, `third_` and what the event third_left says."""

    type: Literal["call_changed"] = "call_changed"
    call_id: str
    trouble: str = ""


class SupervisedChanged(_Model):
    """The supervisor is in the call of a colleague in another way now."""

    type: Literal["supervised_changed"] = "supervised_changed"
    call_id: str
    how: How


class NotReached(_Model):
    """Whom the node called for the agent did not answer, or could not be called; `why` as in the event third_left."""

    type: Literal["not_reached"] = "not_reached"
    number: str
    why: str


class Recorded(_Model):
    """A journal record of the call the agent is in."""

    type: Literal["recorded"] = "recorded"
    record: Record


class CallLeft(_Model):
    """The agent is in it no more. `why` as in the event agent_left; for a supervisor: left, or over."""

    type: Literal["call_left"] = "call_left"
    call_id: str
    why: str


class WrapUpDue(_Model):
    """Its disposition is to be written."""

    type: Literal["wrap_up_due"] = "wrap_up_due"
    wrap_up: WrapUp


class WrapUpDone(_Model):
    """It is."""

    type: Literal["wrap_up_done"] = "wrap_up_done"
    call_id: str


Message = (
    Snapshot
    | MeChanged
    | ColleaguesChanged
    | QueueChanged
    | Offered
    | OfferWithdrawn
    | CallJoined
    | CallChanged
    | SupervisedChanged
    | NotReached
    | Recorded
    | CallLeft
    | WrapUpDue
    | WrapUpDone
)


class Envelope(_Model):
    """One message in its place. A snapshot carries the number of the last message it includes.

    `run` names the numbering: another one begins when the node starts anew, or when nobody read for minutes.
    """

    version: Literal[1] = 1
    run: str
    seq: int
    message: Annotated[Message, Field(discriminator="type")]
