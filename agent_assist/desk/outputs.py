"""What comes out of the desk, to be carried out in order."""

from dataclasses import dataclass

from agent_assist.desk.messages import Message
from dialog.commands import Command
from dialog.events import Event


@dataclass(frozen=True, slots=True)
class Ordered:
    """A command for a call. The desk is told what came of it: `joined` where a Join was carried out, `refused` where a
    call could not."""

    call_id: str
    command: Command


@dataclass(frozen=True, slots=True)
class Noted:
    """An event for a call's journal."""

    call_id: str
    event: Event


@dataclass(frozen=True, slots=True)
class Told:
    """A message for an agent's screen."""

    agent: str
    message: Message


@dataclass(frozen=True, slots=True)
class TookPart:
    """The agent is in the call, and may read it from now on."""

    call_id: str
    agent: str


@dataclass(frozen=True, slots=True)
class CallbackWanted:
    """The caller is to be called back."""

    call_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class CallPlaced:
    """Call that number for the agent. The journal of the call tells that it was answered, `not_reached` that it was
    not."""

    agent: str
    number: str


@dataclass(frozen=True, slots=True)
class CallGivenUp:
    """Call nobody for the agent any more."""

    agent: str


Output = Ordered | Noted | Told | TookPart | CallbackWanted | CallPlaced | CallGivenUp
