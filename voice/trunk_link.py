"""The link to one trunk: where its proxy is, our registration there, and whether it answers."""

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from urllib.parse import quote

import structlog

from dialog.errors import PeerError
from voice.net.sip_agent import SipAgent
from voice.settings.trunks import DEFAULT_PORT, TrunkSettings
from voice.targets import Target
from voice.wire.sip.auth import Login, Realms
from voice.wire.sip.dialog import bracketed, is_ip
from voice.wire.sip.flow import Flow
from voice.wire.sip.grammar import UNESCAPED, WireURI
from voice.wire.sip.message import Address
from voice.wire.sip.registration import Registration
from voice.wire.sip.watch import Ping, Standing, Watch

ANSWER_S = 10.0
"""How long the answer to a REGISTER or OPTIONS is waited for."""

LEAVE_S = 2.0
"""How long a stop waits for the registrar to let us go."""

LOCATE_S = 60.0
"""How often a trunk that asks nothing of its proxy finds out where it is: calls come from there."""

KEEP_ALIVE_S = {"udp": 29.0, "tcp": 120.0, "tls": 120.0}
"""Between keep-alives where the registrar does not say (RFC 5626 sections 4.4.1 and 4.4.2), at most: a fifth of it is
left to chance."""

log = structlog.get_logger("trunk")


class TrunkLink:
    """Serves one trunk that has a proxy. `found` is told the proxy's addresses, `chance` gives numbers of [0, 1).

    Raises ConfigurationError for a user without password.
    """

    def __init__(
        self,
        name: str,
        settings: TrunkSettings,
        agent: SipAgent,
        found: Callable[[tuple[str, ...]], None],
        chance: Callable[[], float],
    ) -> None:
        self.name = name
        self.settings = settings
        self._agent = agent
        self._found = found
        self._chance = chance
        self._password = settings.secret(name)
        self._realms = Realms(settings.realms)
        self._hosts: tuple[str, ...] = ()
        self._turn = 0
        self._unfound = ""
        self._told = Standing.UNKNOWN
        self._moved = asyncio.Event()
        self._timed = asyncio.Event()
        self._seen: tuple[str, int] | None = None
        self._registration = self._register(settings.register_s) if settings.register_s else None
        self._ping = self._watch(settings.ping_s) if settings.ping_s else None

    @property
    def watched(self) -> bool:
        """Whether anything would notice that the trunk is down."""
        return bool(self._watches)

    @property
    def standing(self) -> Standing:
        """Down where a watch says so, up where all do; unknown before that, and where nobody looks."""
        found = {watch.standing(self._now()) for watch in self._watches}
        if Standing.DOWN in found:
            return Standing.DOWN
        return Standing.UP if found == {Standing.UP} else Standing.UNKNOWN

    @property
    def reason(self) -> str:
        """Why it is down; "" where nothing is wrong."""
        return "; ".join(filter(None, (self._unfound, *(watch.reason for watch in self._watches))))

    @property
    def by_flow(self) -> bool:
        """Whether its requests reach us by the flow by which we registered, and by no other way for sure."""
        return self._registration is not None and self._registration.by_flow

    def uri(self, user: str = "") -> str:
        """The URI of `user`, or of the trunk itself, in the trunk's domain."""
        host = bracketed(self.settings.domain or self.settings.proxy)
        return f"sip:{quote(user, safe=UNESCAPED)}@{host}" if user else f"sip:{host}"

    @property
    def caller(self) -> str:
        """Who calls, where we do."""
        return self.uri(self.settings.caller_id or self.settings.user)

    @property
    def ours(self) -> WireURI | None:
        """Our own address with it, where it knows us by name."""
        return WireURI.parse(self.uri(self.settings.user)) if self.settings.user else None

    def login(self) -> Login | None:
        """What answers its challenge to one request or call of ours."""
        return Login(self.settings.user, self._password, self._realms) if self.settings.user else None

    async def address(self) -> Address:
        """Where requests to it go now: of several addresses the next one after each failure. Raises OSError."""
        self._hosts = await self._agent.find(self.settings.proxy)
        self._found(self._hosts)
        return self._way(self._hosts[self._turn % len(self._hosts)], self.settings.proxy_port)

    def target(self, number: str, host: str, port: int | None) -> Target | None:
        """`number` at `host`, a name of the trunk's or an address; None for any other name: that is not looked up."""
        settings = self.settings
        names = {name.lower() for name in (settings.domain, settings.proxy, *self._hosts)}
        if host.lower() in names and port in (None, settings.proxy_port):
            return Target(number, self.uri(number))
        if not is_ip(host):
            return None
        way = self._way(host, port or DEFAULT_PORT[settings.transport])
        uri = f"sip:{quote(number, safe=UNESCAPED)}@{bracketed(host)}:{way[1]}"
        return Target(number, uri, way)

    def _way(self, host: str, port: int) -> Address:
        return (host, port) if self.settings.transport == "udp" else Flow(host, port, self.settings.transport.upper())

    async def run(self) -> None:
        """Look after it until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._locate(), name=f"trunk {self.name} address")
            for watch in self._watches:
                tasks.create_task(self._keep(watch), name=f"trunk {self.name}")
            if self._registration or self.settings.transport != "udp":
                tasks.create_task(self._keep_alive(), name=f"trunk {self.name} keep-alive")

    async def leave(self) -> None:
        """Take our registration back; `run` is over by then."""
        registration = self._registration
        if registration is None or registration.standing(self._now()) is not Standing.UP:
            return
        registration.leave(self._now())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_S):
                while registration.deadline() <= self._now():
                    await self._ask(registration)

    async def prove(self) -> str:
        """Ask it once whether it is there and, where we register, whether it knows us; what was found. Binds nothing.

        Raises PeerError.
        """
        asked: dict[str, Watch] = {}
        if self.settings.register_s:
            asked["it knows us"] = self._register(0)
        if self.settings.ping_s or not asked:
            asked["it answers"] = self._watch(LOCATE_S)
        for watch in asked.values():
            while watch.deadline() <= self._now():
                await self._ask(watch)
            if watch.reason:
                raise PeerError(self._unfound or watch.reason)
        return " and ".join(asked)

    def lost(self, flow: Flow) -> None:
        """A connection has ended; calls to us may have depended on it."""
        ours = (flow.port, flow.transport) == (self.settings.proxy_port, self.settings.transport.upper())
        if ours and flow.host in self._hosts and self._registration is not None:
            self._registration.lost(self._now())
            self._moved.set()

    @property
    def _flow_timer_s(self) -> int | None:
        return self._registration.flow_timer_s if self._registration else None

    @property
    def _watches(self) -> tuple[Watch, ...]:
        return tuple(watch for watch in (self._registration, self._ping) if watch is not None)

    def _register(self, expires_s: int) -> Registration:
        name, password, realms = self.settings.user, self._password, self._realms
        return Registration(
            WireURI.parse(self.uri()),
            WireURI.parse(self.uri(name)),
            expires_s,
            lambda: Login(name, password, realms),
            lambda: secrets.token_hex(8),
            self._chance,
            self._now(),
        )

    def _watch(self, every_s: float) -> Ping:
        return Ping(
            WireURI.parse(self.uri()), self.ours, every_s, lambda: secrets.token_hex(8), self._chance, self._now()
        )

    async def _keep(self, watch: Watch) -> None:
        while True:
            while (rest_s := watch.deadline() - self._now()) > 0:
                self._moved.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(rest_s):
                        await self._moved.wait()
            await self._ask(watch)
            self._tell()

    async def _locate(self) -> None:
        while True:
            await self._where()
            await asyncio.sleep(LOCATE_S)

    async def _where(self) -> Address | None:
        """Its address; None where there is none, which is noted."""
        try:
            address = await self.address()
        except OSError as error:
            if not self._unfound:
                log.warning("trunk not found", trunk=self.name, reason=str(error))
            self._unfound = f"{self.settings.proxy}: {error.strerror or 'its address was not found in time'}"
            return None
        self._unfound = ""
        return address

    async def _ask(self, watch: Watch) -> None:
        address = await self._where()
        response = await self._agent.ask(watch, address, ANSWER_S) if address else None
        if response is None:
            self._turn += 1
        told_s = self._flow_timer_s
        watch.receive(response, self._now())
        if self._flow_timer_s != told_s:
            self._timed.set()

    async def _keep_alive(self) -> None:
        usual_s = KEEP_ALIVE_S[self.settings.transport]
        while True:
            self._timed.clear()
            try:
                async with asyncio.timeout((self._flow_timer_s or usual_s) * (0.8 + 0.2 * self._chance())):
                    await self._timed.wait()
            except TimeoutError:
                address = await self._where()
                if isinstance(address, Flow):
                    self._agent.keep_alive(address)
                elif address is not None and self.by_flow:
                    await self._prove_flow(address)

    async def _prove_flow(self, address: tuple[str, int]) -> None:
        """By UDP the flow has ended when nobody answers any more, or sees us elsewhere (RFC 5626 section 3.5.2). Who
        has never answered does not know how to."""
        before, self._seen = self._seen, await self._agent.probe.ask(address)
        if before not in (None, self._seen) and self._registration is not None:
            self._registration.lost(self._now())
            self._moved.set()

    def _tell(self) -> None:
        standing = self.standing
        if standing is self._told:
            return
        self._told = standing
        if standing is Standing.DOWN:
            log.warning("trunk down", trunk=self.name, reason=self.reason)
        elif standing is Standing.UP:
            log.info("trunk up", trunk=self.name)

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
