"""Whatever answers on a call's leg, one after another: the bot, the queue, a person, a test."""

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

from dialog.event import Speaker
from voice.ports import Frame


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
        """Another mind takes over, or the call is over: what was being said is told to have been cut. Idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class Numbers:
    """What is counted through a call, whichever mind counts: utterances of each speaker, and playbacks."""

    caller: Iterator[int] = field(default_factory=count)
    agent: Iterator[int] = field(default_factory=count)
    third: Iterator[int] = field(default_factory=count)
    playbacks: Iterator[int] = field(default_factory=count)

    def of(self, side: Speaker) -> Iterator[int]:
        """Of the utterances of that speaker."""
        return {"caller": self.caller, "agent": self.agent, "third": self.third}[side]


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
