"""The bot's voice on one leg: a reply is spoken phrase by phrase, can be cut, and goes on where it was cut."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import numpy as np

from dialog.errors import EngineError, EngineUnavailable
from dialog.events import (
    EngineFailed,
    Event,
    PlaybackEnded,
    PlaybackStarted,
)
from voice.mind import Strand
from voice.ports import Frame, Leg, Mouth, Pcm, Played
from voice.speech.phrases import split_phrases

AHEAD_MS = 2_000
"""Audio rendered ahead of the wire: enough to ride out a restart of a busy child, little to throw away."""

PATIENCE_MS = 6_000
"""How long a phrase waits for a lost speech child before it is left out."""

_RETRY_S = 0.1
_NOTHING: Pcm = np.zeros(0, np.int16)


@dataclass(frozen=True, slots=True)
class Phrase:
    """A piece of a reply that is spoken, cut and resumed as one."""

    text: str
    interruptible: bool = True
    pace: float = 1.0


def phrases_of(text: str) -> list[Phrase]:
    """What the node itself says, piece by piece."""
    return [Phrase(phrase) for phrase in split_phrases(text)]


class Speaker:
    """Speaks replies on `leg`.

    `tell` takes the events for the journal, `done` is called when a whole reply was heard. Both run on the event
    loop; so does everything here, so a method sees no change but its own. `numbers` numbers the call's playbacks.
    """

    def __init__(
        self,
        leg: Leg,
        mouth: Mouth,
        tasks: Strand,
        tell: Callable[[Event], None],
        done: Callable[[], None],
        numbers: Iterator[int],
    ) -> None:
        self._leg = leg
        self._mouth = mouth
        self._tasks = tasks
        self._tell = tell
        self._done = done
        self._phrases: list[Phrase] = []
        self._current = 0
        self._playing: dict[int, int] = {}  # playback to phrase, of those whose end is not told
        self._begun: set[int] = set()
        self._mute: set[int] = set()
        self._numbers = numbers
        self._halted = False
        self._feeder: asyncio.Task[None] | None = None
        self._room = asyncio.Event()

    @property
    def pending(self) -> bool:
        """The reply is not over: `resume` has something to say, or only to tell that all was said."""
        return bool(self._phrases)

    @property
    def backlog(self) -> int:
        """Phrases that have yet to be heard to their end."""
        return len(self._phrases) - self._current

    @property
    def interruptible(self) -> bool:
        """Whether what is being said now may be cut; true in silence."""
        return self._current == len(self._phrases) or self._phrases[self._current].interruptible

    def say(self, phrases: Sequence[Phrase]) -> None:
        """Speak a reply; what was left of the one before is void."""
        self.hold(phrases)
        self.resume()

    def add(self, phrases: Sequence[Phrase]) -> None:
        """Speak more, after what is being said."""
        if not self.pending:
            self.say(phrases)
            return
        start = len(self._phrases)
        self._phrases += phrases
        if self._feeder is None or self._feeder.done():
            self._feeder = self._tasks.create_task(self._feed(self._phrases, start), name="mouth")

    def hold(self, phrases: Sequence[Phrase]) -> None:
        """Keep a reply unsaid until `resume`."""
        self.drop()
        self._phrases = list(phrases)
        self._mute.clear()

    def resume(self) -> None:
        """Go on from the first phrase that was not heard to its end."""
        self._forget_playing()
        self._halted = False
        self._advance(self._current)
        if self.pending:
            self._feeder = self._tasks.create_task(self._feed(self._phrases, self._current), name="mouth")

    def halt(self) -> Played | None:
        """Fall silent at once; what was playing, and how much of it was heard. `resume` begins with that phrase,
        unless its last sample has left: the frame that tells so may still be on its way."""
        if self._feeder is not None:
            self._feeder.cancel()
            self._feeder = None
        self._halted = True
        played = self._leg.stop() if self._playing else None  # music of others goes out by itself
        if played is not None and played.done:
            self._follow(played)
        elif played is not None:
            self._tell_end(played)
        return played

    def drop(self) -> Played | None:
        """Fall silent for good: nothing of the reply is left."""
        played = self.halt()
        self._forget_playing()
        self._phrases, self._current = [], 0
        return played

    def _forget_playing(self) -> None:
        self._playing.clear()
        self._begun.clear()

    def on_frame(self, frame: Frame) -> None:
        """Follow what the leg has played; once a tick."""
        if self._leg.queued_ms < AHEAD_MS:
            self._room.set()
        for played in frame.played:
            self._follow(played)

    def _follow(self, played: Played) -> None:
        index = self._playing.get(played.playback)
        if index is None:
            return
        if played.playback not in self._begun and not self._halted:
            self._begun.add(played.playback)
            self._tell(PlaybackStarted(playback=played.playback, text=self._phrases[index].text))
        if played.done:
            del self._playing[played.playback]
            self._tell_end(played)
            self._advance(index + 1)

    def _tell_end(self, played: Played) -> None:
        """Of a playback whose beginning was told; once."""
        if played.playback in self._begun:
            self._begun.remove(played.playback)
            self._tell(PlaybackEnded(playback=played.playback, played_ms=played.played_ms, interrupted=not played.done))

    def _advance(self, index: int) -> None:
        """Everything before `index` was heard; phrases without sound are stepped over."""
        while index in self._mute:
            index += 1
        self._current = index
        if index == len(self._phrases) and not self._halted:
            self._phrases, self._current = [], 0
            self._done()

    async def _feed(self, phrases: Sequence[Phrase], start: int) -> None:
        index = start
        while index < len(phrases):  # it may grow meanwhile
            playback = next(self._numbers)
            self._playing[playback] = index
            if not await self._render(playback, phrases[index]):
                # Nothing will ever be played of it, so no frame will report its end.
                del self._playing[playback]
                self._mute.add(index)
                if not self._playing:
                    self._advance(index)
            index += 1

    async def _render(self, playback: int, phrase: Phrase) -> bool:
        """Enqueue one phrase; False when there was no audio to enqueue."""
        begun = False
        failure: EngineError | None = None
        for _ in range(int(PATIENCE_MS / 1000 / _RETRY_S)):
            try:
                async with aclosing(self._mouth.speak(phrase.text, pace=phrase.pace)) as blocks:
                    async for block in blocks:
                        begun = begun or block.size > 0
                        await self._enqueue(playback, block)
                failure = None
                break
            except EngineError as error:
                failure = error
                if begun or not isinstance(error, EngineUnavailable):
                    break  # half a phrase said again is odder than the rest left out; what cannot be said stays unsaid
                await asyncio.sleep(_RETRY_S)
        if failure is not None and not begun:
            self._tell(EngineFailed(engine="mouth", code=failure.code))
        if begun:
            await self._enqueue(playback, _NOTHING, last=True)
        return begun

    async def _enqueue(self, playback: int, block: Pcm, *, last: bool = False) -> None:
        while self._leg.queued_ms >= AHEAD_MS or not self._leg.play(playback, block, last=last):
            self._room.clear()
            await self._room.wait()
