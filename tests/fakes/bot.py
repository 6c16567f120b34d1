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


def ask(text: str, collect: Collect | None = None) -> Reply:
    """A reply that says `text` and listens."""
    return Reply("fake", (Say(text), collect or Collect()))
