"""Whatever answers on a call's leg, one after another: the bot, the queue, a person, an echo."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

from voice.ports import Frame, Leg

ECHO_BEHIND_MS = 100
"""An echo may wait so long to be sent; more waits only where nothing can be sent, and is void: it would stay late."""


class Mind(Protocol):
    """All methods run on the event loop and return at once."""

    def on_frame(self, frame: Frame) -> None:
        """One tick of the caller's leg."""
        ...

    def press(self, key: str) -> None:
        """A key that came beside the audio."""
        ...

    def expire(self) -> None:
        """The call has reached its longest time, told in every frame anew: say so, and end it."""
        ...

    def gone(self) -> None:
        """The caller hung up, or the leg died."""
        ...

    def close(self) -> None:
        """Another mind takes over, or the call is over. Idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class Numbers:
    """What is counted through a call, whichever mind counts: utterances of each speaker, and playbacks."""

    caller: Iterator[int] = field(default_factory=count)
    agent: Iterator[int] = field(default_factory=count)
    playbacks: Iterator[int] = field(default_factory=count)


class Strand:
    """The tasks of one mind inside its call's group; `cancel` ends those and no others."""

    def __init__(self, group: asyncio.TaskGroup) -> None:
        self._group = group
        self._tasks: set[asyncio.Task[None]] = set()

    def create_task(self, work: Coroutine[None, None, None], *, name: str) -> asyncio.Task[None]:
        task = self._group.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def cancel(self) -> None:
        """End what is under way. Idempotent."""
        for task in tuple(self._tasks):
            task.cancel()


class Echo:
    """The test number: the caller hears what was said, so a line can be checked by ear."""

    def __init__(self, leg: Leg, end: Callable[[str], None]) -> None:
        self._leg = leg
        self._end = end

    def on_frame(self, frame: Frame) -> None:
        if self._leg.queued_ms < ECHO_BEHIND_MS:
            self._leg.play(0, frame.pcm, last=False)

    def press(self, key: str) -> None:
        """Keys mean nothing here."""

    def expire(self) -> None:
        """Nothing is said here."""
        self._end("longest_call")

    def gone(self) -> None:
        """Nothing is under way."""

    def close(self) -> None:
        """Nothing is held."""
