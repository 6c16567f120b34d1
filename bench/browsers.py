"""The browsers of many calls, in a process of their own so that what they cost is theirs: real ICE and DTLS, and then a
packet of Opus every 20 ms each, spread over the period; what comes is counted by its call."""

import asyncio
import gc
import multiprocessing
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection

import uvloop

from bench.far_ends import LAST_S, Counts
from tests.fakes.browser import FakeBrowser
from voice.media.opus import CLOCK_HZ
from voice.wire.rtp import is_rtcp

OPUS = 111
PERIOD_S = 0.02
SHORTEST_S = 0.0005
"""Several calls fall due together: a sleep for each would be too much."""
_UNITS = round(CLOCK_HZ * PERIOD_S)
_HEADER = struct.Struct("!BBHII")


class Browsers:
    """Handle of the process. In turn: `offer`, `connect`, `talk`, `stop`; and again. All of it blocks."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def offer(self, calls: int) -> list[str]:
        """So many browsers, and what they offer."""
        self._pipe.send(calls)
        offers: list[str] = self._pipe.recv()
        return offers

    def connect(self, answers: Sequence[str]) -> None:
        """Take the answers; returns when audio can flow. It begins with `talk`."""
        self._pipe.send(tuple(answers))
        self._pipe.recv()

    def talk(self) -> None:
        """Begin to send."""
        self._pipe.send(None)

    def stop(self) -> Counts:
        """Send no more, and tell what came once nothing is under way any more: half a second later."""
        self._pipe.send(None)
        counts: Counts = self._pipe.recv()
        return counts

    def close(self) -> None:
        """Let the browsers go."""
        self._pipe.send(None)


@contextmanager
def browsers(payloads: Sequence[bytes]) -> Iterator[Browsers]:
    """A process that sends `payloads`, 20 ms of Opus each, in every call, again and again."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, list(payloads)), daemon=True)
    process.start()
    try:
        yield Browsers(ours)
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Connection, payloads: list[bytes]) -> None:
    """The process."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        while True:
            runner.run(_calls(pipe, payloads))


async def _calls(pipe: Connection, payloads: list[bytes]) -> None:
    """One round of calls."""
    peers = [FakeBrowser() for _ in range(await asyncio.to_thread(pipe.recv))]
    pipe.send([await peer.offer() for peer in peers])
    answers = await asyncio.to_thread(pipe.recv)
    await asyncio.gather(*(peer.connect(answer) for peer, answer in zip(peers, answers, strict=True)))
    received: Counter[int] = Counter()
    senders = [peer.take_media(partial(_count, received, call)) for call, peer in enumerate(peers)]
    pipe.send(None)
    await asyncio.to_thread(pipe.recv)
    gc.disable()
    cpu = time.process_time()
    sent, latest_s = await _talk(senders, pipe, payloads)
    pipe.recv()
    await asyncio.sleep(LAST_S)
    pipe.send(Counts(sent, sum(received.values()), time.process_time() - cpu, latest_s * 1000))
    gc.enable()
    await asyncio.to_thread(pipe.recv)
    await asyncio.gather(*(peer.close() for peer in peers))


def _count(received: Counter[int], call: int, data: bytes) -> None:
    if not is_rtcp(data):
        received[call] += 1


async def _talk(
    senders: Sequence[Callable[[bytes], None]], pipe: Connection, payloads: list[bytes]
) -> tuple[int, float]:
    """Until something comes by `pipe`; packets sent, and by how much the latest was late, in s."""
    sent = tick = 0
    latest = 0.0
    start = time.monotonic()
    while not pipe.poll():
        payload = payloads[tick % len(payloads)]
        for call, send in enumerate(senders):
            due = start + (tick + call / len(senders)) * PERIOD_S
            if (wait := due - time.monotonic()) > SHORTEST_S:
                await asyncio.sleep(wait)
            else:
                latest = max(latest, -wait)
            send(_HEADER.pack(0x80, OPUS, tick & 0xFFFF, tick * _UNITS, call + 1) + payload)
            sent += 1
        tick += 1
        await asyncio.sleep(0)
    return sent, latest
