"""A link that loses packets: two TUN devices with this process between them, for a kernel without netem.

We are at one end, in the namespace of the test; the peer is at the other, in a network namespace of its own, so that
the kernel has no shorter way. Both ends see real sockets and real addresses. Needs root.
"""

import ctypes
import os
import random
import selectors
import struct
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fcntl import ioctl
from pathlib import Path

import pytest

HERE, THERE = "10.77.0.1", "10.77.0.2"
NAMESPACE = f"centralino-{os.getpid()}"
_TUNSETIFF, _TUN_WITHOUT_HEADER = 0x400454CA, 0x1001
_CLONE_NEWNET = 0x40000000
_MTU = 1_500


@dataclass
class TunLink:
    """`inside` goes before a command that is to run at the far end; `lost` and `passed` count packets by direction."""

    inside: tuple[str, ...] = ("ip", "netns", "exec", NAMESPACE)
    lost: Counter[str] = field(default_factory=Counter)
    passed: Counter[str] = field(default_factory=Counter)


@contextmanager
def tun_link(loss: float, seed: int = 1) -> Iterator[TunLink]:
    """A link that loses each packet with probability `loss`, either way."""
    if os.geteuid() != 0 or not Path("/dev/net/tun").exists():
        message = "a TUN link needs root and /dev/net/tun"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    link, over = TunLink(), threading.Event()
    _ip("netns", "add", NAMESPACE)
    near = far = -1
    try:
        name = f"tun{os.getpid() % 100_000}"
        near = _device(name)
        _raise(name, HERE, THERE)
        far = _in_namespace(name)
        _raise(name, THERE, HERE, "-n", NAMESPACE)
        _ip("-n", NAMESPACE, "link", "set", "lo", "up")
        carrier = threading.Thread(target=_carry, args=(near, far, loss, random.Random(seed), link, over))
        carrier.start()
        try:
            yield link
        finally:
            over.set()
            carrier.join()
    finally:
        for device in (near, far):
            if device >= 0:
                os.close(device)
        _ip("netns", "delete", NAMESPACE)


def _carry(near: int, far: int, loss: float, chance: random.Random, link: TunLink, over: threading.Event) -> None:
    ways = {near: (far, "out"), far: (near, "in")}
    with selectors.DefaultSelector() as waiting:
        for device in ways:
            os.set_blocking(device, False)
            waiting.register(device, selectors.EVENT_READ)
        while not over.is_set():
            for key, _ in waiting.select(0.1):
                other, way = ways[key.fd]
                packet = os.read(key.fd, _MTU)
                if packet[0] >> 4 != 4:  # the kernel's own IPv6 chatter
                    continue
                if chance.random() < loss:
                    link.lost[way] += 1
                else:
                    link.passed[way] += 1
                    os.write(other, packet)


def _device(name: str) -> int:
    """Make a TUN device in the namespace of this thread."""
    device = os.open("/dev/net/tun", os.O_RDWR)
    ioctl(device, _TUNSETIFF, struct.pack("16sH", name.encode(), _TUN_WITHOUT_HEADER))
    return device


def _in_namespace(name: str) -> int:
    """Make the far device: a thread of its own enters the namespace for that, and the others stay where they are."""
    made: list[int] = []

    def make() -> None:
        namespace = os.open(f"/run/netns/{NAMESPACE}", os.O_RDONLY)
        try:
            if ctypes.CDLL(None, use_errno=True).setns(namespace, _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
            made.append(_device(name))
        finally:
            os.close(namespace)

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    return made[0]


def _raise(name: str, address: str, far: str, *where: str) -> None:
    _ip(*where, "address", "add", f"{address}/32", "peer", far, "dev", name)
    _ip(*where, "link", "set", name, "mtu", str(_MTU), "up")


def _ip(*arguments: str) -> None:
    subprocess.run(("ip", *arguments), check=True)
