"""A desk that keeps what calls tell it, and answers each caller with what the test says."""

from collections.abc import Callable
from dataclasses import dataclass, field

from agent_assist.desk.ports import LeaveWhy
from dialog.commands import Announce, Command


@dataclass
class FakeCallDesk:
    """`answer` is what a newly queued call is commanded, once `command` is known."""

    answer: Command = field(default_factory=lambda: Announce(1, None))
    command: Callable[[str, Command], bool] = lambda call_id, command: False
    queued: list[tuple[str, str, str]] = field(default_factory=list)
    left: list[LeaveWhy] = field(default_factory=list)
    audio_of: dict[str, bool] = field(default_factory=dict)
    phone_of: dict[str, bool] = field(default_factory=dict)

    def enqueue(self, call_id: str, reason: str, skill: str) -> None:
        self.queued.append((call_id, reason, skill))
        self.command(call_id, self.answer)

    def leave(self, call_id: str, why: LeaveWhy) -> None:
        self.left.append(why)

    def audio(self, agent: str, *, connected: bool) -> None:
        self.audio_of[agent] = connected

    def phone(self, agent: str, *, registered: bool) -> None:
        self.phone_of[agent] = registered
