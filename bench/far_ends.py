"""The far ends of many G.711 calls, in a process of their own so that what they cost is theirs: each sends a packet
every 20 ms, spread over the period, and all that comes is counted."""

import multiprocessing
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection

import numpy as np
from numba import types

from dsp.g711 import MU_LAW, encode_block
from dsp.kernel import Bytes, kernel
from voice.media.engine.external import nanosleep, recvmmsg, sendmmsg
from voice.media.engine.layout import Counters
from voice.media.engine.outbound import now_ns
from voice.media.socket_address import packed
from voice.ports import RATE_HZ, TICK_SAMPLES, Pcm

HOST = "127.0.0.1"
PERIOD_NS = 20_000_000
PARTS = 20
"""Of a period: calls are spread over it."""
LAST_S = 0.5
_BATCH = 256
_OCTETS = 172
_BUFFER_OCTETS = 32 * 2**20
_RCVBUFFORCE = 33  # socket(7)


@dataclass(frozen=True, slots=True)
class Counts:
    """What the far ends did: packets sent and received, processor time in s, and the latest send in ms."""

    sent: int
    received: int
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
    frames = [encode_block(frame[::2].copy(), MU_LAW) for frame in words.reshape(-1, TICK_SAMPLES)]
    process = context.Process(target=_serve, args=(theirs, np.array(frames)), daemon=True)
    process.start()
    try:
        yield FarEnds(ours)
    finally:
        process.terminate()
        process.join()


def words() -> Pcm:
    """Two seconds of noise that comes and goes like syllables: voice activity has something to judge."""
    noise = np.convolve(np.random.default_rng(1).standard_normal(2 * RATE_HZ), np.ones(12) / 12, "same")
    said: Pcm = np.rint(noise * (1 + np.sin(np.arange(2 * RATE_HZ) / 600)) * 6_000).astype(np.int16)
    return said[: said.size // TICK_SAMPLES * TICK_SAMPLES]


class _Messages:
    """`count` messages of `octets`, as recvmmsg and sendmmsg want them (struct mmsghdr)."""

    def __init__(self, count: int, octets: int, addresses: Sequence[bytes] = ()) -> None:
        self.data = np.zeros((count, octets), np.uint8)
        self.addresses = np.frombuffer(bytearray(b"".join(addresses)), np.uint8)
        self._vectors = np.zeros((count, 2), np.int64)
        self.headers = np.zeros((count, 8), np.int64)
        for i in range(count):
            self._vectors[i] = self.data[i].ctypes.data, octets
            self.headers[i, 2:4] = self._vectors[i].ctypes.data, 1
            if addresses:
                self.headers[i, :2] = self.addresses.ctypes.data + i * len(addresses[0]), 16


def _serve(pipe: Connection, payloads: Bytes) -> None:
    """The process."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        for option in (_RCVBUFFORCE, socket.SO_RCVBUF):
            with suppress(PermissionError):  # beyond the system's bound for root alone
                sock.setsockopt(socket.SOL_SOCKET, option, _BUFFER_OCTETS)
                break
        sock.bind((HOST, 0))
        pipe.send(sock.getsockname()[1])
        while True:
            ports = pipe.recv()
            pipe.send(_converse(sock, ports, pipe, payloads))


def _converse(sock: socket.socket, ports: tuple[int, ...], pipe: Connection, payloads: Bytes) -> Counts:
    calls = len(ports)
    out = _Messages(calls, _OCTETS, [packed((HOST, port)) for port in ports])
    came = _Messages(_BATCH, 2_048)
    out.data[:, 0] = 0x80
    out.data[:, 8:12] = np.arange(1, calls + 1, dtype=">u4").reshape(-1, 1).view(np.uint8)
    told, time_ = np.zeros(4, np.int64), np.zeros(2, np.int64)
    cpu, tick, start_ns = time.process_time(), 0, time.monotonic_ns()
    while not pipe.poll():
        _talk(sock.fileno(), start_ns, tick, 5, calls, out.headers, out.data, came.headers, payloads, told, time_)
        tick += 5
    pipe.recv()
    until = time.monotonic() + LAST_S
    while time.monotonic() < until:
        _drain(sock.fileno(), came.headers, told)
        time.sleep(0.005)
    return Counts(int(told[0]), int(told[1]), time.process_time() - cpu, told[2] / 1e6)


@kernel("void(i8, i8[:, ::1], i8[::1])")
def _drain(file: int, headers: Counters, told: Counters) -> None:
    while True:
        got = recvmmsg(np.int32(file), headers.ctypes.data, np.uint32(_BATCH), np.int32(0x40), 0)
        if got <= 0:
            return
        told[1] += got


@kernel(types.void(*[types.int64] * 5, types.int64[:, ::1], types.uint8[:, ::1], types.int64[:, ::1],
                   types.uint8[:, ::1], types.int64[::1], types.int64[::1]))  # fmt: skip
def _talk(
    file: int,
    start_ns: int,
    first_tick: int,
    ticks: int,
    calls: int,
    headers: Counters,
    data: Bytes,
    came: Counters,
    payloads: Bytes,
    told: Counters,
    time_: Counters,
) -> None:
    """Some ticks of all calls."""
    for tick in range(first_tick, first_tick + ticks):
        payload = payloads[tick % payloads.shape[0]]
        stamp = tick * 160
        for part in range(PARTS):
            begin, end = calls * part // PARTS, calls * (part + 1) // PARTS
            for call in range(begin, end):
                packet = data[call]
                packet[2], packet[3] = (tick >> 8) & 0xFF, tick & 0xFF
                for i in range(4):
                    packet[4 + i] = (stamp >> (24 - 8 * i)) & 0xFF
                for i in range(160):
                    packet[12 + i] = payload[i]
            due_ns = start_ns + tick * PERIOD_NS + part * PERIOD_NS // PARTS
            wait_ns = due_ns - now_ns(time_)
            if wait_ns > 0:
                time_[0], time_[1] = 0, wait_ns
                nanosleep(time_.ctypes.data, 0)
            told[2] = max(told[2], now_ns(time_) - due_ns)
            while begin < end:
                sent = sendmmsg(np.int32(file), headers[begin:].ctypes.data, np.uint32(end - begin), np.int32(0))
                if sent <= 0:
                    break
                told[0] += sent
                begin += sent
            while True:
                got = recvmmsg(np.int32(file), came.ctypes.data, np.uint32(_BATCH), np.int32(0x40), 0)
                if got > 0:
                    told[1] += got
                if got < _BATCH:
                    break
