"""The far ends of streams, as programs: what they have in common, and AudioSocket's."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import numpy as np
from websockets.exceptions import ConnectionClosed

from voice.ports import Pcm

FRAME_S = 0.02


class Platform(ABC):
    """One call. `heard` is the node's audio at `rate_hz`; `told` the rest of what it said; `over`: it closed."""

    rate_hz = 8_000

    def __init__(self) -> None:
        self.heard: list[Pcm] = []
        self.told: list[str] = []
        self.over = asyncio.Event()

    @abstractmethod
    async def speak(self, frame: Pcm) -> None:
        """Send 20 ms."""

    @abstractmethod
    async def press(self, digit: str) -> None:
        """Send a key."""

    @abstractmethod
    async def hang_up(self) -> None:
        """Say that the caller is gone."""

    @abstractmethod
    async def listen(self) -> None:
        """Read until the node closes."""

    @property
    def recent(self) -> Pcm:
        """The last half second of what was heard."""
        return np.concatenate(self.heard[-25:]) if self.heard else np.zeros(0, np.int16)

    async def talk(self, sound: Pcm) -> None:
        """Repeat `sound`, of whole frames, at the pace of speech, until the node closes."""
        frames = sound.reshape(-1, int(self.rate_hz * FRAME_S))
        loop = asyncio.get_running_loop()
        began, sent = loop.time(), 0
        while not self.over.is_set():
            await self.speak(frames[sent % len(frames)])
            sent += 1
            await asyncio.sleep(max(0.0, began + sent * FRAME_S - loop.time()))


@asynccontextmanager
async def talking(platform: Platform, sound: Pcm) -> AsyncIterator[None]:
    """Let `platform` say `sound`, beside what else it does."""
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(platform.talk(sound))
        yield
        task.cancel()


@asynccontextmanager
async def listening(platform: Platform) -> AsyncIterator[None]:
    """Let `platform` read, beside what it says."""

    async def listen() -> None:
        with suppress(ConnectionClosed, ConnectionError, asyncio.IncompleteReadError):
            await platform.listen()
        platform.over.set()

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(listen())
        yield
        task.cancel()


class AudioSocket(Platform):
    """Asterisk's application of this name."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        super().__init__()
        self._reader = reader
        self._writer = writer

    async def speak(self, frame: Pcm) -> None:
        await self.write(0x10, frame.astype("<i2").tobytes())

    async def press(self, digit: str) -> None:
        await self.write(0x03, digit.encode())

    async def hang_up(self) -> None:
        await self.write(0x00)

    async def listen(self) -> None:
        while True:
            head = await self._reader.readexactly(3)
            content = await self._reader.readexactly(int.from_bytes(head[1:], "big"))
            if head[0] == 0x10:
                self.heard.append(np.frombuffer(content, "<i2").astype(np.int16))
            else:
                self.told.append(f"{head[0]:#04x}")

    async def write(self, kind: int, content: bytes = b"") -> None:
        self._writer.write(bytes([kind]) + len(content).to_bytes(2, "big") + content)
        with suppress(ConnectionError):
            await self._writer.drain()


@asynccontextmanager
async def audiosocket(port: int, uuid: bytes) -> AsyncIterator[AudioSocket]:
    """A call at the node's port."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    platform = AudioSocket(reader, writer)
    try:
        await platform.write(0x01, uuid)
        async with listening(platform):
            yield platform
    finally:
        writer.close()
