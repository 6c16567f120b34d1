"""The bot a call talks to: Rasa while it answers in time, the keypad bot from the moment it does not.

A caller never meets silence: the turn that Rasa fails is answered by "I will switch to the keypad". The call then
stays with the keypad to its end, even when Rasa is back: its tracker knows nothing of what was keyed meanwhile, and a
caller who is moved twice trusts neither. The next call begins with Rasa again.
"""

from collections.abc import Callable
from typing import Protocol

from dialog.actions import Reply
from dialog.errors import EngineError
from dialog.ports import DialogEngine, HungUp, UserTurn

FailureListener = Callable[[str, str, EngineError], None]
"""Told (call id, engine name, error) once for each call that an engine failed; for the journal's `EngineFailed`."""


class StandIn(DialogEngine, Protocol):
    """A bot that can go on with another's call."""

    async def take_over(self, call_id: str, turn: UserTurn) -> Reply: ...


class FallbackEngine:
    """`DialogEngine` of a primary and the one that stands in. `Reply.engine` names who answered."""

    def __init__(
        self,
        primary: DialogEngine,
        stand_in: StandIn,
        on_failed: FailureListener = lambda call_id, engine, error: None,
    ) -> None:
        self._primary = primary
        self._stand_in = stand_in
        self._on_failed = on_failed
        self._switched: set[str] = set()

    @property
    def name(self) -> str:
        return self._primary.name

    async def respond(self, call_id: str, turn: UserTurn) -> Reply:
        """Answer one turn; as slow as the primary's limit at worst, once a call."""
        if isinstance(turn, HungUp):
            self._switched.discard(call_id)
            await self._stand_in.respond(call_id, turn)
            return await self._primary.respond(call_id, turn)
        if call_id in self._switched:
            return await self._stand_in.respond(call_id, turn)
        try:
            return await self._primary.respond(call_id, turn)
        except EngineError as error:
            self._switched.add(call_id)
            self._on_failed(call_id, self._primary.name, error)
            return await self._stand_in.take_over(call_id, turn)

    async def close(self) -> None:
        await self._primary.close()
        await self._stand_in.close()
