"""The asyncio shell of a SIP endpoint: its socket and connections, one timer, and events handed out in order."""

import asyncio
import contextlib
import secrets
import socket
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Protocol

import structlog
from sipmessage import Response

from dialog.errors import ConfigurationError, NotReady
from voice.net.resolver import Resolver
from voice.net.sip_answer import Answer
from voice.net.sip_door import SipDoor
from voice.net.sip_probe import FlowProbe
from voice.net.sip_streams import SipStreams, StreamSettings
from voice.net.udp import UdpSocket
from voice.wire.sip.auth import Authenticator, Login
from voice.wire.sip.dialog import is_ip
from voice.wire.sip.endpoint import SipEndpoint
from voice.wire.sip.events import END_EVENTS, CallRef, InviteReceived, ReferProgressed, Ringing, SipEvent
from voice.wire.sip.flow import Flow, hop
from voice.wire.sip.grammar import WireURI
from voice.wire.sip.message import NO_HEADERS, Address
from voice.wire.sip.reason import Reason
from voice.wire.sip.refer import ReferTo
from voice.wire.sip.registrar import Registrar
from voice.wire.sip.uas import RETRY_AFTER_S
from voice.wire.sip.watch import Watch

log = structlog.get_logger("sip")

MAX_UNHANDLED = 1_024
"""Events that may wait for the handler. Beyond: a new call gets 503, a provisional response (to us, or to whom we
referred) is dropped, any other event ends its call. End events always pass: there is one for each call."""

SHARED_PORT_TRIES = 16
"""How often a free port is looked for that both UDP and TCP can have."""

FAREWELL_S = 2.0
"""How long `close` waits for peers to answer our BYEs."""


class SipHandler(Protocol):
    """Whoever answers the calls."""

    async def on_event(self, event: SipEvent) -> None:
        """Take one event. Events come one at a time, in order; what takes long belongs into a task of its own.

        Where it raises, the agent hangs the call up, and goes on.
        """
        ...


class SipAgent:
    """Serves one SIP address over UDP, and over TCP and TLS as `streams` says.

    `allow` decides by IP address whose datagrams are looked at and whose connections are taken; those of others are
    counted and never answered, unless there is an `authenticator` to ask them who they are. `registered` is told the
    accounts of which the `registrar` knows a phone from now on, or none any more.
    `session_s` is how long calls shall last without a sign of life (RFC 4028); 0: as long as they last.
    `pass_headers` are told of an INVITE beside those that always are.
    `advertised` is the host peers are told to reach, where it is not the one bound (NAT); `told` may have another for
    a peer's address, or "", and `flows` says whether it reaches us by the flow by which we registered. Recording
    clients (RFC 7866) may call where it `records`. Commands are the endpoint's, with the time filled in; each returns
    False when the call is over or its state does not allow it.
    """

    probe: FlowProbe
    """Of the UDP port, once it is bound."""

    def __init__(
        self,
        handler: SipHandler,
        allow: Callable[[str], bool],
        *,
        advertised: str = "",
        told: Callable[[str], str] = lambda address: "",
        flows: Callable[[str], bool] = lambda address: False,
        streams: StreamSettings | None = None,
        max_calls: int = 500,
        token: Callable[[], str] = lambda: secrets.token_hex(8),
        authenticator: Authenticator | None = None,
        registrar: Registrar | None = None,
        registered: Callable[[str], None] = lambda account: None,
        session_s: int = 0,
        pass_headers: tuple[str, ...] = (),
        records: bool = False,
    ) -> None:
        self._handler = handler
        self._door = SipDoor(allow, strangers=authenticator is not None)
        self._advertised = advertised
        self._registrar = registrar
        self._registered = registered
        self._endpoint = SipEndpoint(
            advertised,
            0,
            token,
            max_calls=max_calls,
            authenticator=authenticator,
            registrar=registrar,
            session_s=session_s,
            pass_headers=pass_headers,
            records=records,
        )
        self._endpoint.reach.connects = True
        self._endpoint.reach.told = told
        self._endpoint.reach.flows = flows
        self._socket: UdpSocket | None = None
        streams = streams or StreamSettings()
        self._shares_port = streams.tcp_port == 0
        self._resolver = Resolver(socket.AF_INET)
        self._streams = SipStreams(
            streams,
            self._door.hears,
            self._receive,
            self._disconnected,
            lambda address: self._resolver.name_of(address),
        )
        self.lost: Callable[[Flow], None] = lambda flow: None
        """Is told of each connection that has ended, or could not be opened."""
        self._unhandled: asyncio.Queue[SipEvent | None] = asyncio.Queue()
        self._unannounced: set[CallRef] = set()
        self._handlers: dict[CallRef, SipHandler] = {}
        self._changed = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_due: float | None = None

    async def start(self, host: str, port: int, tasks: asyncio.TaskGroup) -> None:
        """Bind and serve; events are handed out by a task of `tasks` until `close`.

        Raises OSError when the port is taken, ConfigurationError when nobody could tell peers where we are.
        """
        if host in ("0.0.0.0", "::") and not self._advertised:
            raise ConfigurationError(f"SIP bound to {host} needs the address that peers reach: set the advertised host")
        self._resolver = Resolver(socket.AF_INET6 if ":" in host else socket.AF_INET)
        await self._bind(host, port, tasks)
        self._endpoint.reach.host = self._advertised or host
        self._endpoint.reach.port = self.port
        tasks.create_task(self._hand_out(), name="sip events")

    async def _bind(self, host: str, port: int, tasks: asyncio.TaskGroup) -> None:
        """Open the socket and the listeners; where any port will do, one that is free for both UDP and TCP."""
        tries = SHARED_PORT_TRIES if port == 0 and self._shares_port else 1
        while True:
            tries -= 1
            self._socket = await UdpSocket.open(host, port, self._received)
            self.probe = FlowProbe(self._socket.send)
            try:
                self._endpoint.reach.stream_ports = self._streams.start(host, self.port, tasks)
                return
            except OSError:
                await self._socket.close()
                self._socket = None
                if not tries:
                    raise

    @property
    def port(self) -> int:
        """The UDP port bound."""
        if self._socket is None:
            raise NotReady("the SIP agent is not started")
        return self._socket.address[1]

    @property
    def stream_ports(self) -> dict[str, int]:
        """The ports where connections are taken, by transport."""
        return dict(self._endpoint.reach.stream_ports)

    @property
    def connections(self) -> Counter[str]:
        """How many connections are open, by transport."""
        return self._streams.connections

    @property
    def cut(self) -> Counter[str]:
        """Connections that we refused, cut or could not open, by reason."""
        return self._streams.cut

    @property
    def calls(self) -> int:
        """How many calls are not over."""
        return len(self._endpoint.calls)

    @property
    def dropped(self) -> Counter[str]:
        """Datagrams that led to nothing, by reason."""
        sent = self._socket.dropped if self._socket else Counter[str]()
        return self._endpoint.dropped + sent + self._door.turned_away

    def drain(self) -> None:
        """Take no new calls from now on: INVITE and OPTIONS get 503."""
        self._endpoint.drain()

    async def close(self, grace_s: float = 0.0) -> None:
        """Drain, give calls `grace_s` to end, hang up the others, wait for their BYEs, and close the socket."""
        self.drain()
        try:
            await self._wait_until(lambda: not self._endpoint.calls, grace_s)
            for call in self._endpoint.calls:
                self.hangup(call)
            await self._wait_until(lambda: not self._endpoint.calls and not self._endpoint.unanswered, FAREWELL_S)
        finally:  # whoever loses patience gets the port back all the same
            if self._socket is not None:
                await self._socket.close()
            await self._streams.close()
            if self._timer is not None:
                self._timer.cancel()
            self._unhandled.put_nowait(None)

    # commands

    def ring(self, call: CallRef) -> bool:
        """Say that the call is being offered (180)."""
        return self._pumped(self._endpoint.ring(call, self._now()))

    def progress(self, call: CallRef, sdp: bytes) -> bool:
        """Say that the call gets on (183), with early media as `sdp` describes them, or b"" for none."""
        return self._pumped(self._endpoint.progress(call, sdp, self._now()))

    def answer(self, call: CallRef, sdp: bytes) -> bool:
        """Take the call (200) with an answer, or with an offer where the INVITE had none."""
        return self._pumped(self._endpoint.answer(call, sdp, self._now()))

    def reject(self, call: CallRef, status: int, reason: str = "", retry_after: int | None = None) -> bool:
        """Refuse the peer's offer of other media if one waits, else the call. `retry_after` in seconds."""
        return self._pumped(self._endpoint.reject(call, status, reason, self._now(), retry_after))

    def hangup(self, call: CallRef, reason: Reason | None = None) -> bool:
        """End the call: BYE, CANCEL or a refusal, as its state demands. The first two tell the `reason`."""
        return self._pumped(self._endpoint.hangup(call, self._now(), reason))

    def reanswer(self, call: CallRef, sdp: bytes) -> bool:
        """Answer the peer's offer of other media (200)."""
        return self._pumped(self._endpoint.reanswer(call, sdp, self._now()))

    def reoffer(self, call: CallRef, sdp: bytes) -> bool:
        """Offer other media (re-INVITE, UPDATE before the answer)."""
        return self._pumped(self._endpoint.reoffer(call, sdp, self._now()))

    def press(self, call: CallRef, keys: str) -> bool:
        """Send keys by INFO; False also when too many wait. Raises ValueError for what is on no keypad."""
        return self._pumped(self._endpoint.press(call, keys, self._now()))

    def refer(self, call: CallRef, target: ReferTo) -> bool:
        """Ask the peer to call `target` in our stead (REFER); False also while another REFER is under way."""
        return self._pumped(self._endpoint.refer(call, target, self._now()))

    def accept_refer(self, call: CallRef) -> bool:
        """Take the peer's REFER (202): whoever takes it calls, and tells how that goes."""
        return self._pumped(self._endpoint.accept_refer(call, self._now()))

    def refuse_refer(self, call: CallRef, status: int, reason: str = "") -> bool:
        """Refuse the peer's REFER."""
        return self._pumped(self._endpoint.refuse_refer(call, status, reason, self._now()))

    def tell_refer(self, call: CallRef, status: int, reason: str = "") -> bool:
        """Tell the peer which response the call it asked for has got (NOTIFY); a final one is the last word."""
        return self._pumped(self._endpoint.tell_refer(call, status, reason, self._now()))

    async def invite(
        self,
        uri: str,
        sdp: bytes,
        from_uri: str,
        from_name: str = "",
        login: Login | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
        next_hop: Address | None = None,
    ) -> CallRef:
        """Call `uri` with an offer and `headers`, by way of `next_hop`; else its host is looked up. `login` answers a
        challenge.

        Raises ProtocolError, OSError.
        """
        target = WireURI.parse(uri)
        if next_hop is None and not is_ip(target.host.strip("[]")):
            address, way = (await self.find(target.host))[0], hop(target)
            next_hop = way._replace(host=address) if isinstance(way, Flow) else (address, way[1])
        call = self._endpoint.invite(uri, sdp, from_uri, self._now(), next_hop, from_name, login, headers)
        self._pump()
        return call

    def invite_at(self, addr: Address, uri: str, sdp: bytes, from_uri: str, handler: SipHandler) -> CallRef:
        """Call `uri`, which is reached at `addr`, with an offer; what comes of the call is told to `handler`. Raises
        ProtocolError."""
        call = self._endpoint.invite(uri, sdp, from_uri, self._now(), addr)
        self._handlers[call] = handler
        self._pump()
        return call

    async def find(self, host: str) -> tuple[str, ...]:
        """The addresses of `host`. Raises OSError where there is none."""
        return await self._resolver.find(host)

    async def ask(self, watch: Watch, addr: Address, limit_s: float) -> Response | None:
        """Send the next request of `watch`, and wait for its final response; None where there is none in time."""
        answer = Answer()
        core = self._endpoint.core
        core.request(watch.request(core, addr), addr, self._now(), answer)
        self._pump()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                return await answer.final
        return None

    def keep_alive(self, flow: Flow) -> None:
        """Find out whether the far end of a connection is still there (RFC 5626 section 3.5.1), if there is one."""
        self._streams.keep_alive(flow)

    # the shell

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _received(self, data: bytes, addr: tuple[str, int]) -> None:
        if not self.probe.receive(data, addr):
            self._receive(data, addr)

    def _receive(self, data: bytes, addr: Address) -> None:
        listed = self._door.lists(addr[0])
        if not self._door.lets_in(data, addr[0], listed=listed):
            return
        try:
            self._endpoint.receive(data, addr, self._now(), listed=listed)
        finally:  # a fault over one datagram must not stop the clock of the other calls
            self._pump()

    def _disconnected(self, flow: Flow) -> None:
        try:
            self._endpoint.disconnected(flow, self._now())
            self.lost(flow)
        finally:
            self._pump()

    def _on_timer(self) -> None:
        self._timer = self._timer_due = None
        try:
            self._endpoint.on_timer(self._now())
        finally:
            self._pump()

    def _pumped(self, done: bool) -> bool:
        self._pump()
        return done

    def _pump(self) -> None:
        """Send what is to be sent, queue what happened, and set the one timer."""
        while events := self._endpoint.events():
            for event in events:
                self._queue(event)
        for data, addr in self._endpoint.to_send():
            if isinstance(addr, Flow):
                self._streams.send(data, addr)
            elif self._socket is not None:
                self._socket.send(data, addr)
        for account in self._registrar.changes() if self._registrar else ():
            asyncio.get_running_loop().call_soon(self._registered, account)  # which may call the phone: not from within
        due = self._endpoint.deadline()
        if due != self._timer_due:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = None if due is None else asyncio.get_running_loop().call_at(due, self._on_timer)
            self._timer_due = due
        self._changed.set()

    def _queue(self, event: SipEvent) -> None:
        if isinstance(event, END_EVENTS) and event.call in self._unannounced:
            self._unannounced.remove(event.call)
        elif self._unhandled.qsize() < MAX_UNHANDLED or isinstance(event, END_EVENTS):
            self._unhandled.put_nowait(event)
        elif isinstance(event, InviteReceived):
            self._unannounced.add(event.call)
            self._endpoint.reject(event.call, 503, "", self._now(), RETRY_AFTER_S)
        elif not isinstance(event, (Ringing, ReferProgressed)):
            self._endpoint.hangup(event.call, self._now())

    async def _hand_out(self) -> None:
        while (event := await self._unhandled.get()) is not None:
            over = isinstance(event, END_EVENTS)
            handler = self._handlers.pop(event.call, None) if over else self._handlers.get(event.call)
            try:
                await (handler or self._handler).on_event(event)
            except Exception:  # one call's fault: it ends, and the events of the others are handed out
                log.exception("sip call failed", sip_call_id=self._endpoint.sip_call_id(event.call))
                self.hangup(event.call)

    async def _wait_until(self, holds: Callable[[], bool], limit_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                while not holds():
                    self._changed.clear()
                    await self._changed.wait()
