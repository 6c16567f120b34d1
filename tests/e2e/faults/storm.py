"""Datagrams by the thousand, and the account of where each of them went."""

import asyncio
import random
import re
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path

BURST = 20
PAUSE_S = 0.004
"""Five thousand a second: more than any caller sends, few enough for the kernel to hand most of them on."""


def ten_thousand(seed: int) -> Iterator[bytes]:
    """Noise of every length from nothing to a packet, half of it beginning as one of the protocols would."""
    rng = random.Random(seed)
    beginnings = (
        b"",
        b"",
        b"\x80\x00",
        b"\x80\x80",
        b"\x80\xc8",
        b"\x00\x01",
        b"\x16\xfe",
        b"INVITE sip:",
        b"SIP/2.0 2",
    )
    for number in range(10_000):
        yield b"" if number % 500 == 0 else rng.choice(beginnings) + rng.randbytes(rng.randrange(300))


async def send(datagrams: Iterable[bytes], port: int, source: str = "127.0.0.9") -> int:
    """Send all to `port` of this machine; how many."""
    sent = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((source, 0))
        for datagram in datagrams:
            sock.sendto(datagram, ("127.0.0.1", port))
            sent += 1
            if sent % BURST == 0:
                await asyncio.sleep(PAUSE_S)
    return sent


def lost_in_kernel(port: int) -> int:
    """Datagrams the kernel dropped because the socket at `port` was not read in time."""
    rows = Path("/proc/net/udp").read_text().splitlines()[1:]
    return sum(int(row.split()[-1]) for row in rows if row.split()[1].endswith(f":{port:04X}"))


def udp_ports(pid: int) -> set[int]:
    """The UDP ports of a process."""
    inodes: set[str] = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found = re.match(r"socket:\[(\d+)\]", str(entry.readlink()))
        except FileNotFoundError:
            continue
        if found:
            inodes.add(found[1])
    rows = (row.split() for row in Path("/proc/net/udp").read_text().splitlines()[1:])
    return {int(row[1].rpartition(":")[2], 16) for row in rows if row[9] in inodes}
