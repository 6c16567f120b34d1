"""The far ends of many calls, in a process of their own so that what they cost is theirs: each sends a packet every 20
ms, spread over the period, and all that comes is counted by its stream."""

import gc
import multiprocessing
import socket
import struct
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection

from dsp.g711 import MU_LAW, encode_block
from voice.ports import RATE_HZ, TICK_SAMPLES, Pcm

HOST = "127.0.0.1"
PERIOD_S = 0.02
SHORTEST_S = 0.0005
"""Several calls fall due together: a sleep for each would be too much."""
LAST_S = 0.5
_HEADER = struct.Struct("!BBHII")
_BUFFER_OCTETS = 8 * 2**20
_UNITS = TICK_SAMPLES * 8_000 // RATE_HZ


@dataclass(frozen=True, slots=True)
class Counts:
    """What the far ends did: packets sent, received by stream, processor time in s, and the latest send in ms."""

    sent: int
    received: Counter[int]
    cpu_s: float
    latest_ms: float


class FarEnds:
    """Handle of the process; all of its calls have the address `address`."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        port: int = pipe.recv()
        self.address = (HOST, port)

    def talk(self, ports: Sequence[int]) -> None:
        """Begin to send to `ports`, one call each."""
        self._pipe.send(tuple(ports))

    def stop(self) -> Counts:
        """Send no more, and tell what came once nothing is under way any more: half a second later."""
        self._pipe.send(())
        counts: Counts = self._pipe.recv()
        return counts


@contextmanager
def far_ends(words: Pcm) -> Iterator[FarEnds]:
    """A process that says `words` (16 kHz) in each call, again and again, as PCMU."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    payloads = [encode_block(frame[::2].copy(), MU_LAW).tobytes() for frame in words.reshape(-1, TICK_SAMPLES)]
    process = context.Process(target=_serve, args=(theirs, payloads), daemon=True)
    process.start()
    try:
        yield FarEnds(ours)
    finally:
        process.terminate()
        process.join()


def _serve(pipe: Connection, payloads: list[bytes]) -> None:
    """The process."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            sock.setsockopt(socket.SOL_SOCKET, option, _BUFFER_OCTETS)
        sock.bind((HOST, 0))
        pipe.send(sock.getsockname()[1])
        while True:
            ports = pipe.recv()
            gc.disable()
            counts = _talk(sock, ports, pipe, payloads)
            pipe.recv()
            pipe.send(counts)
            gc.enable()


def _talk(sock: socket.socket, ports: tuple[int, ...], pipe: Connection, payloads: list[bytes]) -> Counts:
    received: Counter[int] = Counter()
    sent = tick = 0
    latest = 0.0
    addresses = [(HOST, port) for port in ports]
    cpu, start = time.process_time(), time.monotonic()
    while not pipe.poll():
        payload = payloads[tick % len(payloads)]
        for call, address in enumerate(addresses):
            due = start + (tick + call / len(addresses)) * PERIOD_S
            if (wait := due - time.monotonic()) > SHORTEST_S:
                _drain(sock, received)
                time.sleep(max(0.0, due - time.monotonic()))
            else:
                latest = max(latest, -wait)
            sock.sendto(_HEADER.pack(0x80, 0, tick & 0xFFFF, tick * _UNITS, call + 1) + payload, address)
            sent += 1
        tick += 1
        _drain(sock, received)
    until = time.monotonic() + LAST_S
    while time.monotonic() < until:
        _drain(sock, received)
        time.sleep(0.005)
    return Counts(sent, received, time.process_time() - cpu, latest * 1000)


def _drain(sock: socket.socket, received: Counter[int]) -> None:
    try:
        while True:
            data = sock.recv(2_048)
            received[int.from_bytes(data[8:12], "big")] += 1
    except BlockingIOError:
        pass
