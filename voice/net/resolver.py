"""Addresses of names, as the system gives them: kept for a while, and longer where the system falls silent."""

import asyncio
import socket
from collections import OrderedDict
from dataclasses import dataclass

from voice.wire.sip.dialog import is_ip

KEPT_S = 60.0
"""How long an answer counts: whoever moves a service lets both places serve at least as long."""

LOOKUP_S = 5.0
MAX_NAMES = 256
"""Names remembered; the one that was asked for longest ago is forgotten."""


@dataclass(frozen=True, slots=True)
class _Answer:
    addresses: tuple[str, ...]
    until: float


class Resolver:
    """Finds the addresses of one `family`, such as `socket.AF_INET`."""

    def __init__(self, family: socket.AddressFamily) -> None:
        self._family = family
        self._answers: OrderedDict[str, _Answer] = OrderedDict()

    async def find(self, host: str) -> tuple[str, ...]:
        """The addresses of `host`, at least one; an IP literal is its own. Raises OSError where there is none."""
        if is_ip(host):
            return (host,)
        loop = asyncio.get_running_loop()
        known = self._answers.get(host)
        if known is not None and loop.time() < known.until:
            return known.addresses
        try:
            async with asyncio.timeout(LOOKUP_S):
                found = await loop.getaddrinfo(host, None, family=self._family, type=socket.SOCK_DGRAM)
        except OSError:
            if known is None:
                raise
            return known.addresses  # better where it was than nowhere
        addresses = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
        self._answers[host] = _Answer(addresses, loop.time() + KEPT_S)
        self._answers.move_to_end(host)
        if len(self._answers) > MAX_NAMES:
            self._answers.popitem(last=False)
        return addresses

    def name_of(self, address: str) -> str:
        """The name that was last found to be at `address`, which its certificate has to show; else the address."""
        names = (name for name, answer in reversed(self._answers.items()) if address in answer.addresses)
        return next(names, address)
