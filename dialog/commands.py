"""What people may ask of a live call: the way back from the desk. Imperative and frozen; events tell what came of it.

The desk decides who gets a caller and when; the call decides how that sounds, and journals what it did. A command that
the call cannot carry out (it is over, the agent's audio is gone) changes nothing and is refused to whoever gave it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class NobodyWhy(StrEnum):
    """Why no person will come."""

    CLOSED = "closed"  # outside opening hours
    NOBODY = "nobody"  # nobody is signed in who could take it
    DECLINED = "declined"  # everybody who could take it declined, or did not answer
    FULL = "full"  # too many wait already
    TOO_LONG = "too_long"  # waited for as long as anybody may


@dataclass(frozen=True, slots=True)
class Announce:
    """The caller waits at `position` (from 1), for about `estimate_s` more; None where nothing is known yet."""

    position: int
    estimate_s: int | None


@dataclass(frozen=True, slots=True)
class TurnAway:
    """Nobody will come: the caller is told at once, and chooses between the bot and being called back."""

    why: NobodyWhy


@dataclass(frozen=True, slots=True)
class Join:
    """Connect the caller with `agent`'s audio, in place of whoever had the caller before; nobody is on hold then. Also
    given when the audio of the agent who has the caller is back."""

    agent: str


@dataclass(frozen=True, slots=True)
class Hold:
    """With `on` the caller hears music and the agent nothing; without, both hear each other again. `agent` is whose
    wish it is, for the journal; empty where the house does it."""

    on: bool
    agent: str = ""


@dataclass(frozen=True, slots=True)
class PauseRecording:
    """With `on` nothing of what is said or keyed is recorded or written down, until without, or until `agent` leaves
    the call."""

    on: bool
    agent: str


@dataclass(frozen=True, slots=True)
class Speak:
    """Say `text` to both in the bot's voice."""

    text: str


@dataclass(frozen=True, slots=True)
class Requeue:
    """The agent is gone; the caller waits again and is told so. The desk gives the place in front."""


@dataclass(frozen=True, slots=True)
class HandBack:
    """The agent leaves; the bot goes on with the caller."""


@dataclass(frozen=True, slots=True)
class BlindTransfer:
    """Send the caller to `to`, a number or SIP address outside, at the wish of `agent`, who has the caller until that
    has worked. Events tell what came of it, also where it could not even begin."""

    to: str
    agent: str


@dataclass(frozen=True, slots=True)
class Consult:
    """Call `to`, a number outside, at the wish of `agent`; the caller is on hold meanwhile. Events tell what came of
    it, also where it could not even begin."""

    to: str
    agent: str


@dataclass(frozen=True, slots=True)
class DropThird:
    """Hang up on whom the agent called in, or is calling."""


@dataclass(frozen=True, slots=True)
class PutThrough:
    """The agent leaves caller and third to each other."""


How = Literal["listen", "whisper", "join", "none"]
"""What a supervisor does in a call; none: leaves it."""


@dataclass(frozen=True, slots=True)
class Supervise:
    """Let `supervisor` into the call, or out of it."""

    supervisor: str
    how: How


@dataclass(frozen=True, slots=True)
class End:
    """The agent hangs up on the caller's call; `cause` is for the journal."""

    cause: str = "agent"


Command = (
    Announce
    | TurnAway
    | Join
    | Hold
    | PauseRecording
    | Speak
    | Requeue
    | HandBack
    | BlindTransfer
    | Consult
    | DropThird
    | PutThrough
    | Supervise
    | End
)
