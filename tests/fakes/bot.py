"""A bot that answers from a script and keeps what it was asked."""

import asyncio

from dialog.actions import Collect, Reply, Say
from dialog.errors import EngineError
from dialog.ports import HungUp, UserTurn


class FakeBot:
    """The n-th turn gets the n-th reply, and past the script a question. `gate` holds answers back while it is set."""

    name = "fake"

    def __init__(self, *script: Reply | EngineError) -> None:
        self.script = list(script)
        self.turns: list[UserTurn] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def respond(self, call_id: str, turn: UserTurn) -> Reply:
        self.turns.append(turn)
        if isinstance(turn, HungUp):
            return Reply(self.name, ())
        await self.gate.wait()
        answer = self.script.pop(0) if self.script else ask("And now?")
        if isinstance(answer, EngineError):
            raise answer
        return answer

    async def close(self) -> None:
        """Nothing is held."""


class RudeBot(FakeBot):
    """Breaks on turns of the kind `hated`, as somebody's plug-in may."""

    def __init__(self, hated: type[UserTurn], error: Exception | None = None) -> None:
        super().__init__()
        self._hated = hated
        self._error = error or ZeroDivisionError()

    async def respond(self, call_id: str, turn: UserTurn) -> Reply:
        if isinstance(turn, self._hated):
            raise self._error
        return await super().respond(call_id, turn)


def ask(text: str, collect: Collect | None = None) -> Reply:
    """A reply that says `text` and listens."""
    return Reply("fake", (Say(text), collect or Collect()))
