"""What strangers send to a media socket: from another loopback address, of every kind that has ended calls."""

import asyncio
import contextlib
import os
import random
import socket
import struct
from collections.abc import Iterator

from aioice import stun
from OpenSSL import SSL

from tests.fakes.browser import rtp

OFF_PATH = "127.0.0.9"
Datagrams = Iterator[bytes]


def client_hello() -> bytes:
    """A real one, as OpenSSL makes it."""
    connection = SSL.Connection(SSL.Context(SSL.DTLS_METHOD))
    connection.set_connect_state()
    with contextlib.suppress(SSL.WantReadError):
        connection.do_handshake()
    return connection.bio_read(2000)


def empty() -> Datagrams:
    yield from [b""] * 50


def short() -> Datagrams:
    yield from (bytes([first]) for first in range(256))
    yield b"\x80\xc8"


def garbage() -> Datagrams:
    rng = random.Random(1)
    yield from (rng.randbytes(1 + n % 1400) for n in range(2_000))


def stun_junk() -> Datagrams:
    """Right header and cookie, attributes of any kind: among them lengths that do not fit their types."""
    rng = random.Random(2)
    for n in range(2_000):
        kind = rng.choice((0x0001, 0x0101, 0x0111, 0x0011, 0x0003, rng.randrange(0x400)))
        body = b""
        for _ in range(rng.randrange(4)):
            value = rng.randbytes(rng.choice((0, 1, 2, 4, 5, 8, 20)))
            name = rng.choice((0x06, 0x08, 0x09, 0x20, 0x24, 0x25, 0x8028, 0x8029, 0x802A, rng.randrange(0x10000)))
            body += struct.pack("!HH", name, len(value) + (n % 50 == 0)) + value + bytes(-len(value) % 4)
        yield struct.pack("!HHI", kind, len(body), stun.COOKIE) + rng.randbytes(12) + body


def forged_rtp() -> Datagrams:
    yield from (rtp(n, os.urandom(80)) for n in range(1_000))


def plain_alerts() -> Datagrams:
    """A fatal handshake_failure, epoch 0 (RFC 6347 section 4.1)."""
    yield from (b"\x15\xfe\xfd\0\0" + n.to_bytes(6, "big") + b"\0\x02\x02\x28" for n in range(50))


def hellos() -> Datagrams:
    yield from [client_hello()] * 200


def ten_thousand() -> Datagrams:
    rng = random.Random(3)
    yield from (rng.randbytes(rng.randrange(0, 300)) for _ in range(10_000))


@contextlib.contextmanager
def stranger(address: str = OFF_PATH) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as raw:
        raw.bind((address, 0))
        raw.setblocking(False)
        yield raw


async def fire(datagrams: Datagrams, port: int, address: str = OFF_PATH) -> int:
    """Send all, slowly enough for the socket's buffer to hold them; how many left."""
    count = 0
    with stranger(address) as raw:
        for datagram in datagrams:
            raw.sendto(datagram, ("127.0.0.1", port))
            count += 1
            if count % 50 == 0:
                await asyncio.sleep(0.002)
    return count
