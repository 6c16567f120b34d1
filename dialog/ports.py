"""Seams that the dialog tier owns: the bot, and the store of what was said.

A turn of the caller goes in, a `Reply` comes out. An engine serves many calls; turns of one call are serialised by
the caller of `respond`, so an engine never sees two at once for the same call.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from dialog.actions import Reply
from dialog.events import Record


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One reading of an utterance; `confidence` in 0..1, comparable only within one engine."""

    text: str
    confidence: float


@dataclass(frozen=True, slots=True)
class SessionOpened:
    """The call was answered; the bot speaks first. `recorded` decides which notice is due.

    `headers` are those of the INVITE that are passed on, by name.
    """

    caller: str
    dialled: str
    transport: str
    recorded: bool
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Utterance:
    """The caller said something; best reading first, never empty."""

    hypotheses: tuple[Hypothesis, ...]


@dataclass(frozen=True, slots=True)
class Keys:
    """The caller keyed `digits` (0-9, *, #), complete as `Collect` asked."""

    digits: str


@dataclass(frozen=True, slots=True)
class NoInput:
    """Nothing was heard for as long as `Collect` allowed."""


@dataclass(frozen=True, slots=True)
class Returned:
    """The caller is back from a person, from waiting for one, or from a transfer that failed: the bot goes on. `why` as
    in `BotReturned`."""

    why: str


@dataclass(frozen=True, slots=True)
class HungUp:
    """The caller is gone; the reply is ignored."""


UserTurn = SessionOpened | Utterance | Keys | NoInput | Returned | HungUp


class DialogEngine(Protocol):
    """A bot: `rasa`, `keypad`, or a plug-in of the entry point group `centralino.dialogs`."""

    @property
    def name(self) -> str: ...

    async def respond(self, call_id: str, turn: UserTurn) -> Reply:
        """Answer one turn. Raises EngineError (unavailable, too late); never anything else."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class CallHead:
    """A call's line in a list, as the store keeps it. Times are ISO 8601 UTC; `ended_at` is empty while it runs.
    `partial`: something of the call is missing in its recording."""

    call_id: str
    transport: str
    caller: str
    dialled: str
    bot: str
    started_at: str
    ended_at: str
    duration_ms: int
    cause: str
    recording: str
    partial: bool = False


class CallStore(Protocol):
    """Where journals go. Every method may raise StoreError; a call outlives its store."""

    async def append(self, records: Sequence[Record]) -> None: ...

    async def calls(self, *, limit: int = 50, before: str = "") -> list[CallHead]:
        """Newest first; `before` is the call id that ended the page before."""
        ...

    async def journal(self, call_id: str) -> list[Record]:
        """All records of one call in order; empty when there is none."""
        ...

    async def erase(self, call_id: str) -> bool:
        """Remove journal and recording of one call at once; False when there was none."""
        ...

    async def expire(self, older_than_days: int) -> int:
        """Remove what is past its time; how many calls went."""
        ...

    async def close(self) -> None: ...
