"""Speech synthesis as the calls see it: cached prompts from memory, everything else from the child."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, field

import numpy as np

from dialog.errors import EngineError, EngineTimeout, EngineUnavailable
from voice.ports import Pcm
from voice.speech import wire
from voice.speech.ears import pcm_of
from voice.speech.link import ChildPort
from voice.speech.phrases import split_phrases
from voice.speech.prompts import PromptCache

BLOCK_SAMPLES = wire.AUDIO_BYTES // 2
FIRST_BLOCK_S = 4.0
"""A caller does not wait longer for an answer's first word; the dialog has other means then."""
PREPARE_TRIES = 3


@dataclass(slots=True, eq=False)
class _Request:
    """Blocks and the end, or what went wrong; bounded by the longest text that is taken."""

    blocks: asyncio.Queue[wire.Spoken | EngineError] = field(default_factory=asyncio.Queue)


class HostMouth:
    """Synthesis for the whole node (`voice.ports.Mouth`)."""

    def __init__(self, cache: PromptCache) -> None:
        self._cache = cache
        self._link: ChildPort | None = None
        self._attached = asyncio.Event()
        self._requests: dict[int, _Request] = {}
        self._asked = 0

    async def speak(self, text: str, *, pace: float = 1.0) -> AsyncGenerator[Pcm, None]:
        """Blocks of at most 1 s of one text's audio; closing the generator cancels.

        Raises EngineUnavailable when the child is away, or goes away, and the text is no cached prompt; EngineTimeout
        when nothing comes; EngineError when this text cannot be spoken.
        """
        cached = self._cache.get(text, pace)
        if cached is not None:
            for at in range(0, cached.size, BLOCK_SAMPLES):
                yield cached[at : at + BLOCK_SAMPLES]
            return
        blocks = self._synthesise(text, pace, ahead=False)
        try:
            async for block in blocks:
                yield block
        finally:
            await blocks.aclose()

    async def prepare(self, texts: Iterable[str], *, pace: float = 1.0) -> int:
        """Make the phrases of `texts` cached prompts; how many were not on disk and had to be synthesised.

        Waits for the child where it is needed. Raises EngineError for a text that cannot be spoken.
        """
        made = 0
        for phrase in (phrase for text in texts for phrase in split_phrases(text)):
            if await self._cache.load(phrase, pace) is None:
                await self._cache.store(phrase, pace, await self._whole(phrase, pace))
                made += 1
        return made

    async def _whole(self, text: str, pace: float) -> Pcm:
        for _ in range(PREPARE_TRIES - 1):
            await self._attached.wait()
            try:
                return await self._collected(text, pace)
            except EngineUnavailable:
                continue
        await self._attached.wait()
        return await self._collected(text, pace)

    async def _collected(self, text: str, pace: float) -> Pcm:
        blocks = [block async for block in self._synthesise(text, pace, ahead=True)]
        return np.concatenate([*blocks, np.zeros(0, np.int16)])

    async def _synthesise(self, text: str, pace: float, *, ahead: bool) -> AsyncGenerator[Pcm, None]:
        link = self._link
        if link is None:
            raise EngineUnavailable("the speech child is away")
        if len(text) > wire.MAX_TEXT_CHARS:
            raise EngineError(f"a text of {len(text)} characters is too long to be spoken as one")
        self._asked += 1
        number = self._asked
        request = self._requests[number] = _Request()
        link.send(wire.Speak(number, text, pace, ahead))
        over = False
        try:
            while not over:
                try:
                    async with asyncio.timeout(FIRST_BLOCK_S):
                        answer = await request.blocks.get()
                except TimeoutError:
                    raise EngineTimeout(f"no speech for {FIRST_BLOCK_S} s") from None
                over = isinstance(answer, EngineError) or answer.last
                if isinstance(answer, EngineError):
                    raise answer
                if answer.pcm:
                    yield pcm_of(answer.pcm)
        finally:
            del self._requests[number]
            if not over:
                link.send(wire.Cancel(number))

    def attach(self, link: ChildPort) -> None:
        """A child is ready."""
        self._link = link
        self._attached.set()

    def detach(self) -> None:
        """The child is gone, and with it what it was saying."""
        self._link = None
        self._attached.clear()
        for request in self._requests.values():
            request.blocks.put_nowait(EngineUnavailable("the speech child was lost"))

    def receive(self, message: wire.Spoken | wire.NotSpoken) -> None:
        """To the request it is for, unless that was cancelled."""
        request = self._requests.get(message.request)
        if request is None:
            return
        if isinstance(message, wire.Spoken):
            request.blocks.put_nowait(message)
        elif message.code == EngineTimeout.code:
            request.blocks.put_nowait(EngineTimeout(message.reason))
        else:
            request.blocks.put_nowait(EngineError(message.reason))
