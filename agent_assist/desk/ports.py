"""Seams of the desk: the calls it directs, what calls tell it, what an agent may ask, and who is chosen.

    voice  --CallDesk-->  desk  --LiveCalls, Placing-->  voice
    web    --AgentDesk->  desk  --AgentFeed-->  web
                          desk  --Router----->  the choice of an agent
                          desk  --DeskStore-->  what is kept

Everything runs on the event loop and returns at once, except what the store has to confirm.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Literal, Protocol

from dialog.commands import Command, How
from dialog.errors import PeerError
from dialog.events import Event


class LeaveWhy(StrEnum):
    """Why a call needs the desk no more."""

    HUNG_UP = "hung_up"  # the caller is gone, or the call ended in another way
    BOT = "bot"  # the caller chose the bot
    TRANSFERRED = "transferred"  # the caller was put through to a number outside
    CALLBACK = "callback"  # the caller wants to be called back: a task is recorded


class Presence(StrEnum):
    """What an agent is doing."""

    OFFLINE = "offline"  # no page is open
    AWAY = "away"  # signed in, takes no calls
    READY = "ready"
    RINGING = "ringing"  # an offer is on the screen
    CALLING = "calling"  # the node calls somebody for the agent
    TALKING = "talking"
    WRAPPING = "wrapping"  # the call is over for the agent, its disposition is not written yet


class Conflict(PeerError):
    """What was asked does not fit what is: the call was taken by somebody else, there is no call to hold. HTTP 409."""

    code: ClassVar[str] = "peer.conflict"
    sip_status: ClassVar[int] = 409


GRACE_S = 15.0
"""For so long an agent whose page or audio went away is waited for, with the presence it had."""


class LiveCalls(Protocol):
    """The calls of this node, as the desk sees them."""

    def command(self, call_id: str, command: Command) -> bool:
        """Carry out a command; False when the call cannot: it is over, or the agent's audio is away."""
        ...

    def tell(self, call_id: str, event: Event) -> None:
        """Note `event` in the call's journal; nothing for a call that is over."""
        ...


class Placing(Protocol):
    """Whoever calls numbers for agents."""

    def call_out(self, agent: str, number: str) -> None:
        """Call `number` and connect the agent's audio with whoever answers: a call begins, whose journal tells
        `placed_by` and `agent_joined`. Else the desk is told that they were `not_reached`."""
        ...

    def give_up(self, agent: str) -> None:
        """Call nobody for the agent any more; nothing, where nobody is being called."""
        ...


class CallDesk(Protocol):
    """What a call tells the desk."""

    def enqueue(self, call_id: str, reason: str, skill: str) -> None:
        """The caller wants a person who has `skill` ("" is anybody). The answer comes as a command, at once:
        `Announce` or `TurnAway`."""
        ...

    def leave(self, call_id: str, why: LeaveWhy) -> None:
        """The call needs nobody any more, whether it waited or was with an agent. Unknown calls are no error."""
        ...

    def audio(self, agent: str, *, connected: bool) -> None:
        """The agent's audio came up, or went away."""
        ...

    def phone(self, agent: str, *, registered: bool) -> None:
        """The agent has a phone that can be rung, or has none any more. Who is offered a call without audio answers it
        by picking that up: then the audio comes up, and the answer follows."""
        ...


class AgentDesk(Protocol):
    """What an agent may ask. Raises Conflict where it does not fit; the feed tells what came of it."""

    def arrive(self, agent: str, skills: Sequence[str], *, supervisor: bool = False) -> None:
        """A page of the agent is open (a feed is being read); the agent is away until it says ready. A `supervisor` may
        enter the calls of others."""
        ...

    def depart(self, agent: str) -> None:
        """The last page is closed. An offer goes on to the next; a caller who was with the agent is kept for
        `GRACE_S`, since a page that is loaded again is back within seconds."""
        ...

    def set_presence(self, agent: str, presence: Literal["ready", "away"]) -> None:
        """Ready needs audio, or a phone. During a call it says what follows the call."""
        ...

    def answer(self, agent: str, call_id: str) -> None: ...

    def decline(self, agent: str, call_id: str) -> None: ...

    def pick(self, agent: str, call_id: str) -> None:
        """Take a waiting call out of turn; of two who do so the first gets it. Without audio the phone rings."""
        ...

    def hold(self, agent: str, *, on: bool) -> None: ...

    def pause_recording(self, agent: str, *, on: bool) -> None:
        """Record and write down nothing of what is said and keyed, or do again. It ends with the agent's part in the
        call."""
        ...

    def hang_up(self, agent: str) -> None: ...

    def hand_back(self, agent: str) -> None:
        """Give the caller back to the bot."""
        ...

    def transfer(self, agent: str, to: str) -> None:
        """Ring another agent; the caller stays where it is until that one answers."""
        ...

    def transfer_outside(self, agent: str, to: str) -> None:
        """Send the caller to a number or SIP address outside; the caller stays until that has worked."""
        ...

    def consult(self, agent: str, to: str) -> None:
        """Call a number outside; the caller is on hold until taken back, and then all three hear each other."""
        ...

    def drop_third(self, agent: str) -> None:
        """Hang up on that one, or stop calling."""
        ...

    def put_through(self, agent: str) -> None:
        """Leave the caller with that one, who has answered: the call is over for the agent."""
        ...

    def supervise(self, supervisor: str, agent: str, how: How) -> None:
        """Be in the agent's call: listen, whisper to the agent alone, or join; none leaves it. It needs audio, no call
        of one's own, and the right to."""
        ...

    def call_out(self, agent: str, number: str, reason: str) -> None:
        """Call a number, for a `reason` that stands in the brief; whoever answers is connected with the agent. It needs
        audio, and no call that is on."""
        ...

    def give_up(self, agent: str) -> None:
        """Stop calling."""
        ...

    def speak(self, agent: str, text: str, article: str = "") -> None:
        """The bot's voice says `text` to both; `article` names the suggestion it came from."""
        ...

    def note(self, agent: str, text: str) -> None: ...

    def suggestion(self, agent: str, article: str, how: Literal["copied", "dismissed"]) -> None: ...

    async def wrap_up(self, agent: str, call_id: str, disposition: str, note: str) -> None:
        """Write down how it ended; the agent is free again. Raises StoreError too."""
        ...


@dataclass(frozen=True, slots=True)
class Waiting:
    """A caller who waits. `since` and `front` in the desk's clock (s); those in front keep the place they had."""

    call_id: str
    reason: str
    skill: str
    since: float
    front: bool = False
    passed_over: frozenset[str] = frozenset()
    """Agents who declined or missed this call."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An agent who is ready and has audio or a phone; `idle_since` in the desk's clock (s)."""

    agent: str
    skills: frozenset[str]
    idle_since: float


class Router(Protocol):
    """Who gets a caller. A learned one takes the place of the longest-idle rule behind this seam."""

    def choose(self, waiting: Waiting, candidates: Sequence[Candidate]) -> str | None:
        """The agent to ring, None for nobody of these. Of a single candidate the desk learns whether that agent, who
        may be busy now, could be given this caller at all: nobody waits for those who could not."""
        ...


class DeskStore(Protocol):
    """Where the desk's own records go. Every method may raise StoreError, and may be asked again after one."""

    async def add_participant(self, call_id: str, agent: str) -> None:
        """The agent is in the call, and may read it from now on; of several times the first counts."""
        ...

    async def add_callback(self, call_id: str, reason: str) -> None:
        """The caller is to be called back: an open task."""
        ...

    async def add_wrap_up(self, call_id: str, agent: str, disposition: str, note: str) -> None:
        """How the call ended for the agent."""
        ...
