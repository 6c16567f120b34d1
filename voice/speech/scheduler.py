"""Who is served next inside the speech child: a few worker threads over one order of urgency.

    1 the first phrase of what a caller waits to hear
    2 final readings
    3 further phrases, and prompts for the cache
    4 partial readings, never on all threads at once

Work is not queued: each stream and each request carries what it is owed, so nothing grows. An utterance is worked
on by one thread at a time. An error nobody expected ends the process: the host restarts it and asks again.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from dialog.actions import Expect
from dialog.errors import EngineError
from voice.ports import RATE_HZ, Pcm
from voice.speech.engines.base import Recogniser, RecogniserStream, Voice
from voice.speech.wire import AUDIO_BYTES, Gapped, NotSpoken, Partial, Read, Spoken, ToHost

MAX_STREAMS = 256
MAX_REQUESTS = 64
BACKLOG_MS = 1_000

Send = Callable[[ToHost], None]


@dataclass(slots=True, eq=False)
class _Listening:
    """One utterance of one stream, and what it is owed."""

    stream: int
    utterance: int
    recogniser: RecogniserStream
    pushed: int = 0
    pushed_again: int = 0
    final_since: int | None = None
    partial_since: int | None = None
    busy: bool = False
    ended: bool = False
    text: str = ""

    @property
    def length_ms(self) -> int:
        return self.pushed * 1000 // RATE_HZ

    @property
    def late(self) -> bool:
        """More is undecoded than may be; what came at once from the host's keeping does not count."""
        return self.recogniser.backlog_ms > BACKLOG_MS + self.pushed_again * 1000 // RATE_HZ


@dataclass(slots=True, eq=False)
class _Speaking:
    """One request for speech; `since` orders those of equal urgency."""

    request: int
    text: str
    pace: float
    since: int
    urgent: bool
    blocks: Iterator[Pcm] | None = None
    busy: bool = False
    cancelled: bool = False


@dataclass(slots=True)
class _Work:
    """What the threads share, under one lock."""

    listening: dict[int, _Listening] = field(default_factory=dict)
    speaking: dict[int, _Speaking] = field(default_factory=dict)
    partials_running: int = 0
    running_since: dict[int, float] = field(default_factory=dict)
    asked: int = 0
    closed: bool = False


class Scheduler:
    """Serves streams and requests. `send` is called from the worker threads and may block."""

    def __init__(self, recogniser: Recogniser, voice: Voice, send: Send, threads: int, nice: int = 0) -> None:
        self._recogniser = recogniser
        self._voice = voice
        self._send = send
        self._nice = nice
        self._partial_threads = max(1, threads - 1)
        self._work = _Work()
        self._changed = threading.Condition()
        self._threads = [threading.Thread(target=self._run, name=f"speech-{n}", daemon=True) for n in range(threads)]
        for thread in self._threads:
            thread.start()

    def busy_ms(self) -> int:
        """Age of the oldest piece of work under way."""
        with self._changed:
            oldest = min(self._work.running_since.values(), default=None)
        return 0 if oldest is None else int((time.monotonic() - oldest) * 1000)

    def begin(self, stream: int, utterance: int, expect: Expect) -> None:
        """Open an utterance, in place of the one that `stream` may have. Past `MAX_STREAMS` it is not heard."""
        self.end(stream)
        if len(self._work.listening) < MAX_STREAMS:
            opened = _Listening(stream, utterance, self._recogniser.open(expect))
            with self._changed:
                self._work.listening[stream] = opened

    def push(self, stream: int, pcm: bytes, *, again: bool) -> None:
        """Audio of the stream's utterance. Past `BACKLOG_MS` of undecoded audio the new is dropped and told."""
        entry = self._work.listening.get(stream)
        if entry is None:
            return
        samples = np.frombuffer(pcm[: len(pcm) & ~1], "<i2")
        entry.pushed += samples.size
        entry.pushed_again += samples.size if again else 0
        if entry.late:
            self._send(Gapped(stream, entry.utterance, samples.size * 1000 // RATE_HZ))
            return
        entry.recogniser.push(samples)
        with self._changed:
            # while one is made it is not yet known when the next is worth it
            idle = entry.partial_since is None and not entry.busy
            if idle and entry.length_ms >= entry.recogniser.next_partial_ms:
                entry.partial_since = self._next()
                self._changed.notify()

    def final(self, stream: int) -> None:
        """Ask for a reading; one that waits already will cover this too."""
        with self._changed:
            entry = self._work.listening.get(stream)
            if entry is not None and entry.final_since is None:
                entry.final_since = self._next()
                if entry.busy:
                    entry.recogniser.interrupt()
                self._changed.notify()

    def end(self, stream: int) -> None:
        """Forget the stream's utterance; what is being computed for it is dropped."""
        with self._changed:
            entry = self._work.listening.pop(stream, None)
            if entry is None:
                return
            entry.ended = True
            entry.recogniser.interrupt()
            idle = not entry.busy
        if idle:
            entry.recogniser.close()

    def speak(self, request: int, text: str, pace: float, *, ahead: bool) -> None:
        """Take a request, or refuse it where too many wait."""
        with self._changed:
            if len(self._work.speaking) < MAX_REQUESTS:
                self._work.speaking[request] = _Speaking(request, text, pace, self._next(), urgent=not ahead)
                self._changed.notify()
                return
        self._send(NotSpoken(request, EngineError.code, "too many requests for speech wait"))

    def cancel(self, request: int) -> None:
        """Forget a request."""
        with self._changed:
            entry = self._work.speaking.pop(request, None)
            if entry is not None:
                entry.cancelled = True

    def close(self) -> None:
        """Let the threads end with what they are at."""
        with self._changed:
            self._work.closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(timeout=5)

    def _next(self) -> int:
        self._work.asked += 1
        return self._work.asked

    def _run(self) -> None:
        if self._nice:
            os.setpriority(os.PRIO_PROCESS, 0, self._nice)  # on Linux of this thread alone
        while True:
            with self._changed:
                job = self._pick()
                while job is None and not self._work.closed:
                    self._changed.wait()
                    job = self._pick()
                if job is None:
                    return
                self._work.running_since[threading.get_ident()] = time.monotonic()
            job()
            with self._changed:
                del self._work.running_since[threading.get_ident()]
                # what this job kept busy may be wanted by a thread that found nothing
                self._changed.notify_all()

    def _pick(self) -> Callable[[], None] | None:
        """The most urgent work that no thread is at; marks it busy. Called under the lock."""
        work = self._work
        speaking = [entry for entry in work.speaking.values() if not entry.busy]
        urgent = [entry for entry in speaking if entry.urgent]
        finals = [entry for entry in work.listening.values() if entry.final_since is not None and not entry.busy]
        partials = [entry for entry in work.listening.values() if entry.partial_since is not None and not entry.busy]
        if urgent or (speaking and not finals):
            request = min(urgent or speaking, key=lambda entry: entry.since)
            request.busy = True
            return lambda: self._say(request)
        if finals:
            final = min(finals, key=lambda entry: entry.final_since or 0)
            final.busy, final.final_since, final.partial_since = True, None, None
            return lambda: self._read(final)
        if partials and work.partials_running < self._partial_threads:
            partial = min(partials, key=lambda entry: entry.partial_since or 0)
            partial.busy, partial.partial_since = True, None
            work.partials_running += 1
            return lambda: self._read_partly(partial)
        return None

    def _read(self, entry: _Listening) -> None:
        reading = entry.recogniser.final()
        hypotheses = tuple((hypothesis.text, hypothesis.confidence) for hypothesis in reading.hypotheses)
        if not entry.ended:
            self._send(Read(entry.stream, entry.utterance, reading.audio_ms, hypotheses))
        self._release(entry)

    def _read_partly(self, entry: _Listening) -> None:
        text = entry.recogniser.partial()
        if text != entry.text and not entry.ended:
            entry.text = text
            self._send(Partial(entry.stream, entry.utterance, text))
        with self._changed:
            self._work.partials_running -= 1
        self._release(entry)

    def _release(self, entry: _Listening) -> None:
        with self._changed:
            entry.busy = False
            ended = entry.ended
        if ended:
            entry.recogniser.close()

    def _say(self, entry: _Speaking) -> None:
        """One phrase of a request; the next one is less urgent, as this one is playing."""
        if entry.blocks is None:
            entry.blocks = self._voice.stream(entry.text, entry.pace)
        try:
            block = next(entry.blocks, None)
        except EngineError as error:
            self.cancel(entry.request)
            self._send(NotSpoken(entry.request, error.code, str(error)))
            return
        if entry.cancelled:
            return
        if block is None:
            self.cancel(entry.request)
            self._send(Spoken(entry.request, b"", last=True))
            return
        sound = block.astype("<i2").tobytes()
        for at in range(0, len(sound), AUDIO_BYTES):
            self._send(Spoken(entry.request, sound[at : at + AUDIO_BYTES], last=False))
        with self._changed:
            entry.busy, entry.urgent = False, False
