"""The trunks of a node: whose a call is, which bot answers it, how much each may carry, and the links to them."""

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from functools import partial
from ipaddress import ip_address, ip_network

from dialog.errors import Overloaded
from voice.config import Settings
from voice.net.sip_agent import SipAgent
from voice.rate import RateLimit
from voice.settings.numbers import look_up
from voice.sip_audio import Audios, SipAudio
from voice.trunk_link import TrunkLink
from voice.wire.dtmf import Dtmf
from voice.wire.sdes import Srtp
from voice.wire.sdp import Codec
from voice.wire.sip.flow import Flow
from voice.wire.sip.message import Address
from voice.wire.sip.watch import Standing


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
        self._links: dict[str, TrunkLink] = {}
        self._running: list[asyncio.Task[None]] = []

    def reach(self, agent: SipAgent, chance: Callable[[], float]) -> None:
        """Lay a link to each that has a proxy. Raises ConfigurationError."""
        self._links = {
            name: TrunkLink(name, trunk, agent, partial(self.found, name), chance)
            for name, trunk in self._trunks.items()
            if trunk.proxy
        }
        agent.lost = self._lost

    def start(self, tasks: asyncio.TaskGroup) -> None:
        """Look after the links, until `close`."""
        self._running = [tasks.create_task(link.run(), name=f"trunk {name}") for name, link in self._links.items()]

    async def close(self) -> None:
        """Have no more calls sent to us: what was registered is taken back."""
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)
        await asyncio.gather(*(link.leave() for link in self._links.values()))

    def link(self, name: str) -> TrunkLink | None:
        """The way to a trunk's proxy; None where it has none, or before `reach`."""
        return self._links.get(name)

    @property
    def links(self) -> Collection[TrunkLink]:
        """The ways to trunks that have a proxy, in the order of the settings; none before `reach`."""
        return self._links.values()

    @property
    def up(self) -> dict[str, int]:
        """1 or 0 for each trunk that is watched, by its name."""
        return {name: link.standing is Standing.UP for name, link in self._links.items() if link.watched}

    @property
    def down(self) -> list[str]:
        """A line for each trunk that is down, with the reason."""
        links = self._links.values()
        return [f"trunk {link.name} is down: {link.reason}" for link in links if link.standing is Standing.DOWN]

    @property
    def load(self) -> dict[str, int]:
        """The calls that each trunk carries."""
        present = Counter(trunk for calls in self._carried for trunk in calls())
        return {name: present[name] for name in self._trunks}

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
        """The proxy of a trunk is at these addresses now; one that serves two trunks brings calls for the first."""
        others = {address: owner for address, owner in self._proxies.items() if owner != name}
        self._proxies = dict.fromkeys(addresses, name) | others

    def bot_for(self, name: str, dialled: str) -> str:
        """The bot that answers `dialled`, by the trunk's own plan or the node's; "" for a number that none has."""
        own = look_up(self._trunks[name].bots, dialled) if name else None
        return own or self._settings.bot_for(dialled)

    def signalling_host(self, address: str) -> str:
        """What a peer at `address` is told to reach, where that is a trunk with a view of its own; else ""."""
        name = self.at(address)
        return (name and self._trunks[name].advertised) or ""

    def by_flow(self, address: str) -> bool:
        """Whether a peer at `address` is a trunk that reaches us by the flow by which we registered."""
        link = self._links.get(self.at(address))
        return link is not None and link.by_flow

    def media_host(self, name: str) -> str:
        """Where a trunk's sound is to go."""
        own = (self._trunks[name].media_advertised or self._trunks[name].advertised) if name else None
        return own or self._settings.media_advertised

    def codecs(self, name: str) -> tuple[Codec, ...]:
        """The formats that a trunk's calls may have, best first."""
        return (name and self._trunks[name].codecs) or self._settings.sip.codecs

    def srtp(self, name: str) -> Srtp:
        """Whether a trunk's calls are encrypted."""
        return (name and self._trunks[name].srtp) or self._settings.sip.srtp

    def audio(self, audios: Audios, name: str, peer: Address, *, encrypted: bool = False) -> SipAudio:
        """The sound of a call with `peer`, as its trunk wants it. Raises as `Audios.open`."""
        return audios.open(
            self.media_host(name),
            peer,
            codecs=self.codecs(name),
            srtp=self.srtp(name),
            dtmf=self._trunks[name].dtmf if name else Dtmf.AUTO,
            encrypted=encrypted,
        )

    def carries(self, present: Callable[[], Iterable[str]]) -> None:
        """`present` tells the trunk of each call there is, whichever way it goes."""
        self._carried.append(present)

    def admit(self, name: str) -> None:
        """Raise Overloaded when a trunk must not carry another call now."""
        if self.load[name] >= self._trunks[name].calls:
            raise Overloaded("trunk_calls")
        if not self._rates[name].allow(name, asyncio.get_running_loop().time()):
            raise Overloaded("trunk_rate")

    def _lost(self, flow: Flow) -> None:
        for link in self._links.values():
            link.lost(flow)
