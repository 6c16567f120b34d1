"""What a bot may ask of a call, and what it says it understood: the answer side of the dialog seam."""

from dataclasses import dataclass
from enum import StrEnum


class Expect(StrEnum):
    """What the bot waits for; end of turn, bias of the recogniser and key entry follow from it."""

    FREE = "free"
    YES_NO = "yes_no"
    DIGITS = "digits"


@dataclass(frozen=True, slots=True)
class Say:
    """Speak `text`. With `interruptible` off neither voice nor key stops it (the notices the law asks for).

    `pace` is 1.0 for the voice's own speed, smaller for slower.
    """

    text: str
    interruptible: bool = True
    pace: float = 1.0


@dataclass(frozen=True, slots=True)
class Collect:
    """Listen now for what is named; the last action of a reply that goes on.

    `max_digits` ends key entry at once when reached; 0 means one key is a whole answer.
    `no_input_ms` of silence is then a turn of its own.
    """

    expect: Expect = Expect.FREE
    max_digits: int = 0
    no_input_ms: int = 7_000


@dataclass(frozen=True, slots=True)
class Handoff:
    """Give the caller to a person who has `skill` ("" is anybody); `reason` is for that person's screen."""

    reason: str
    skill: str = ""


@dataclass(frozen=True, slots=True)
class Transfer:
    """Send the caller to `to`, a number or SIP address outside. Where that fails, `Returned` is the next turn."""

    to: str


@dataclass(frozen=True, slots=True)
class Hangup:
    """End the call after what was said before."""

    cause: str = "bot"


LastWord = Handoff | Transfer | Hangup
"""After this the bot has the caller no more."""

Action = Say | Collect | LastWord


@dataclass(frozen=True, slots=True)
class Understood:
    """What the engine took the turn for. `slots` are (name, value) in the order in which they were filled."""

    intent: str
    confidence: float
    slots: tuple[tuple[str, str], ...] = ()
    actions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """An engine's answer to one turn: `engine` names who answered ("rasa", "keypad", "echo")."""

    engine: str
    actions: tuple[Action, ...]
    understood: Understood | None = None
