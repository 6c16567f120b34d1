"""What agents' screens are told: one numbered stream an agent, read by that agent's pages.

The desk tells, synchronously and without waiting for anybody; pages read at their own pace from the stream's log. A
page that comes back names the last message it saw and gets what came since, once.
"""

import asyncio
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from enum import StrEnum
from typing import Protocol

from agent_assist.desk.messages import Envelope, Message, Snapshot

LOG = 2_000
"""Messages of an agent that a page may catch up on: minutes of a lively call."""

READERS = 4
"""Pages an agent may have open at once."""

KEPT_S = 300.0
"""A stream without a reader is forgotten after this long."""


class Screens(Protocol):
    """The desk, as the feed sees it: `agent_assist.desk.ports.AgentDesk`, and the whole screen of an agent."""

    def arrive(self, agent: str, skills: Sequence[str], *, supervisor: bool = False) -> None: ...

    def depart(self, agent: str) -> None: ...

    def snapshot(self, agent: str) -> Snapshot:
        """The screen with everything in it that was told so far."""
        ...


class FeedEnd(StrEnum):
    """Why a reader gets no more."""

    LAGGED = "lagged"  # it fell behind the log; it may come back
    REPLACED = "replaced"  # the agent opened more pages than may be open
    CLOSED = "closed"  # it left


class FeedReader:
    """One page's place in the stream: an async iterator of envelopes, in order, each once."""

    def __init__(self, stream: "_Stream", seen: int, first: Envelope | None) -> None:
        self.end: FeedEnd | None = None
        self._stream = stream
        self._seen = seen
        self._first = first
        self._woken = asyncio.Event()

    @property
    def agent(self) -> str:
        """Whose screen it is."""
        return self._stream.agent

    async def __aiter__(self) -> AsyncIterator[Envelope]:
        """Until the reader is ended; `end` then says why."""
        if self._first is not None:
            first, self._first = self._first, None
            yield first
        while self.end is None:
            envelope = self._stream.after(self._seen)
            if envelope is None:
                self._woken.clear()
                await self._woken.wait()
            else:
                self._seen = envelope.seq
                yield envelope

    def wake(self) -> None:
        """Something was told. Overflow, policy "cut the reader": one whose next message left the log is ended."""
        if self._seen < self._stream.oldest - 1:
            self.finish(FeedEnd.LAGGED)
        self._woken.set()

    def finish(self, end: FeedEnd) -> None:
        """Give it no more; the first reason stands."""
        self.end = self.end or end
        self._woken.set()


class _Stream:
    """One agent's messages of one run, the last `LOG` of them at hand."""

    def __init__(self, agent: str, log: int, now_s: float) -> None:
        self.agent = agent
        self.left_s = now_s
        self.run = secrets.token_hex(4)
        self.seq = 0
        self.readers: list[FeedReader] = []
        self._log: deque[Envelope] = deque(maxlen=log)

    @property
    def oldest(self) -> int:
        """The number of the oldest message at hand."""
        return self.seq - len(self._log) + 1

    def append(self, message: Message) -> None:
        self.seq += 1
        self._log.append(Envelope(run=self.run, seq=self.seq, message=message))
        for reader in tuple(self.readers):
            reader.wake()

    def after(self, seen: int) -> Envelope | None:
        """The message that follows number `seen`."""
        return self._log[seen + 1 - self.oldest] if seen < self.seq else None

    def place(self, after: str) -> int | None:
        """The number in `after` ("RUN.SEQ"), where what follows it can still be told in full."""
        run, _, number = after.partition(".")
        if run != self.run or not (number.isascii() and number.isdecimal() and len(number) < 16):
            return None
        return int(number) if self.oldest - 1 <= int(number) <= self.seq else None


class AgentFeeds:
    """The streams of all agents. An agent's first page is an arrival at the desk, the last one's end a departure.

    Made before the desk, which tells by `tell`; `serve` names the desk before the first page may come.
    """

    def __init__(self, *, log: int = LOG, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._screens: Screens | None = None
        self._streams: dict[str, _Stream] = {}

    @property
    def readers(self) -> int:
        """Pages that are open."""
        return sum(len(stream.readers) for stream in self._streams.values())

    def serve(self, screens: Screens) -> None:
        """Whose screens these are."""
        self._screens = screens

    def tell(self, agent: str, message: Message) -> None:
        """Put `message` into the agent's stream; nothing for an agent whose pages are long gone. Returns at once."""
        self._forget_left()
        stream = self._streams.get(agent)
        if stream is not None:
            stream.append(message)

    def open(self, agent: str, skills: Sequence[str], after: str = "", *, supervisor: bool = False) -> FeedReader:
        """A new page of `agent`, which saw everything up to `after`. Of more than `READERS` the oldest is cut."""
        assert self._screens is not None
        self._forget_left()
        stream = self._streams.setdefault(agent, _Stream(agent, self._log, self._clock()))
        if not stream.readers:
            self._screens.arrive(agent, skills, supervisor=supervisor)
        seen, first = stream.place(after), None
        if seen is None:
            seen = stream.seq
            first = Envelope(run=stream.run, seq=seen, message=self._screens.snapshot(agent))
        reader = FeedReader(stream, seen, first)
        stream.readers.append(reader)
        if len(stream.readers) > READERS:
            stream.readers[0].finish(FeedEnd.REPLACED)
            self.close(stream.readers[0])
        return reader

    def close(self, reader: FeedReader) -> None:
        """The page is gone. Whoever opened a reader closes it, also one that was ended: the desk is never told of a
        departure while it tells."""
        reader.finish(FeedEnd.CLOSED)
        stream = self._streams.get(reader.agent)
        if stream is None or reader not in stream.readers:
            return
        stream.readers.remove(reader)
        if not stream.readers:
            assert self._screens is not None
            stream.left_s = self._clock()
            self._screens.depart(reader.agent)

    def _forget_left(self) -> None:
        due_s = self._clock() - KEPT_S
        for stream in [s for s in self._streams.values() if not s.readers and s.left_s < due_s]:
            del self._streams[stream.agent]
