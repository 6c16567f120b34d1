"""The trunks of a node: whose a call is, which bot answers it, and how much each trunk may carry."""

import asyncio
import math
from collections.abc import Callable, Iterable
from ipaddress import ip_address, ip_network

from dialog.errors import Overloaded
from voice.config import Settings
from voice.rate import RateLimit
from voice.settings.numbers import look_up


class Trunks:
    """What `[sip.trunks]` says, looked up by name; "" is the name of no trunk at all."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._trunks = settings.sip.trunks
        networks = [(ip_network(peer), name) for name, trunk in self._trunks.items() for peer in trunk.peers]
        self._networks = sorted(networks, key=lambda entry: entry[0].prefixlen, reverse=True)
        self._proxies: dict[str, str] = {}
        self._rates = {
            name: RateLimit(trunk.calls_per_second * 60, burst=math.ceil(trunk.calls_per_second))
            for name, trunk in self._trunks.items()
        }
        self._carried: list[Callable[[], Iterable[str]]] = []

    def at(self, address: str) -> str:
        """The trunk at an IP address: that of the longest prefix; a proxy is its trunk's in any case."""
        if not self._networks and not self._proxies:
            return ""
        if address in self._proxies:
            return self._proxies[address]
        source = ip_address(address)
        return next((name for network, name in self._networks if source in network), "")

    def allows(self, address: str) -> bool:
        """Whether what comes from `address` is taken at all."""
        return self._settings.sip.allows(address) or self.at(address) != ""

    def found(self, name: str, addresses: Iterable[str]) -> None:
        """The proxy of a trunk is at these addresses now."""
        self._proxies = {address: owner for address, owner in self._proxies.items() if owner != name}
        self._proxies.update(dict.fromkeys(addresses, name))

    def bot_for(self, name: str, dialled: str) -> str:
        """The bot that answers `dialled`, by the trunk's own plan or the node's; "" for a number that none has."""
        own = look_up(self._trunks[name].bots, dialled) if name else None
        return own or self._settings.bot_for(dialled)

    def signalling_host(self, address: str) -> str:
        """What a peer at `address` is told to reach, where that is a trunk with a view of its own; else ""."""
        name = self.at(address)
        return (name and self._trunks[name].advertised) or ""

    def media_host(self, name: str) -> str:
        """Where a trunk's sound is to go."""
        return (name and self._trunks[name].advertised) or self._settings.media_advertised

    def carries(self, present: Callable[[], Iterable[str]]) -> None:
        """`present` tells the trunk of each call there is, whichever way it goes."""
        self._carried.append(present)

    def admit(self, name: str) -> None:
        """Raise Overloaded when a trunk must not carry another call now."""
        carried = sum(trunk == name for present in self._carried for trunk in present())
        if carried >= self._trunks[name].calls:
            raise Overloaded("trunk_calls")
        if not self._rates[name].allow(name, asyncio.get_running_loop().time()):
            raise Overloaded("trunk_rate")
