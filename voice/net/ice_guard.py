"""The datagram guard in front of aioice, and the addresses we offer: ours, and what STUN and TURN servers say they are.

aioice 0.13 hands every datagram that is not STUN to DTLS, whoever sent it: one empty datagram ends a call, a forged
ClientHello breaks its set-up (measured). The guard is a subclass, so nothing is patched in the library and other
users of aioice in this process are untouched. What it lets through:

- STUN (RFC 8489) that is well-formed and either answers a check of ours or names our user fragment. Anything else is
  met with silence rather than with an error response: a stranger learns nothing and nothing is reflected.
- Data only from the far side of a candidate pair whose check succeeded: stricter than RFC 8445 section 12.2, which
  would take it on any candidate, from anywhere.
- DTLS only as a client needs it: we are always the active side, so a ClientHello is always forged, and so is an alert
  in plain text as far as we care (the handshake's own time-out ends it). Handshake datagrams have a budget.

What comes through a TURN server is judged the same way, by its peer's address. Each drop is counted by reason.
"""

import asyncio
import contextlib
import enum
import ipaddress
import secrets
import socket
import struct
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import structlog
from aioice import stun
from aioice.ice import CandidatePair, StunProtocol, get_host_addresses

from dialog.errors import ConfigurationError
from voice.net.aiortc_seam import COMPONENT, IceConnection, verify
from voice.net.ice_servers import candidate, reflexive, relayed
from voice.wire.ice_server import IceServer
from voice.wire.jsep import IceCandidate

log = structlog.get_logger("webrtc")

_MAX_PAIRS = 64
_DTLS_BACKLOG = 128
_HANDSHAKE_BUDGET = 256
_PORT_TRIES = 32
_SERVER_S = 2.0  # as long as the page waits for its own servers (rtc-call.js)
_RECEIVE_BUFFER_BYTES = 1 << 20  # a burst of strangers' datagrams must not push the browser's out

_DTLS_ALERT, _DTLS_HANDSHAKE = 21, 22
_CLIENT_HELLO = 1


class Drop(enum.StrEnum):
    """Why a datagram went no further."""

    EMPTY = "empty"
    MALFORMED_STUN = "malformed_stun"
    STRANGE_STUN = "strange_stun"
    TOO_MANY_PAIRS = "too_many_pairs"
    UNCHECKED_SOURCE = "unchecked_source"
    UNKNOWN_KIND = "unknown_kind"
    FORGED_DTLS = "forged_dtls"
    DTLS_FLOOD = "dtls_flood"
    UNEXPECTED_MEDIA = "unexpected_media"
    BAD_SRTP = "bad_srtp"
    UNSENT = "unsent"


@dataclass(frozen=True, slots=True)
class IceAddress:
    """An address browsers may reach us at: what the socket binds to, and what is told to them (NAT); default the same.

    A wildcard `bind` without `advertised` stands for every address of the machine.
    """

    bind: str
    advertised: str = ""

    def __post_init__(self) -> None:
        for address in filter(None, (self.bind, self.advertised)):
            try:
                ipaddress.ip_address(address)
            except ValueError:
                raise ConfigurationError(f"media address {address!r} is not an IP address") from None


class IceGuard:
    """Makes guarded ICE agents for a node and counts what they drop."""

    def __init__(
        self,
        addresses: Sequence[IceAddress],
        ports: range | None = None,
        servers: Sequence[IceServer] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`ports`: where media sockets may be bound (firewalls); None leaves the choice to the system. `servers`: whom
        we ask for further addresses; `clock`: seconds since 1970, for their credentials.

        Raises NotReady when the pinned libraries are not what is relied upon.
        """
        verify()
        self.dropped: Counter[Drop] = Counter()
        self.unanswered: Counter[str] = Counter()
        self.servers = tuple(servers)
        self.clock = clock
        self._addresses = tuple(addresses)
        self._ports = ports

    def connection(self) -> "GuardedConnection":
        """The ICE agent of one peer; must be called on the event loop."""
        return GuardedConnection(self)

    def addresses(self) -> list[IceAddress]:
        """The configured addresses, wildcards replaced."""
        found: list[IceAddress] = []
        for address in self._addresses:
            if address.advertised or not ipaddress.ip_address(address.bind).is_unspecified:
                found.append(address)
                continue
            version = ipaddress.ip_address(address.bind).version
            found += [IceAddress(host) for host in get_host_addresses(version == 4, version == 6)]
        return found

    def candidate_ports(self) -> list[int]:
        """Ports to try in order; unguessable, since a known port is half of an off-path attack."""
        if self._ports is None:
            return [0]
        tries = min(_PORT_TRIES, len(self._ports))
        return secrets.SystemRandom().sample(self._ports, tries)


class GuardedConnection(IceConnection):
    """aioice's connection with candidates at the configured addresses, those of the configured servers, and none
    else."""

    def __init__(self, guard: IceGuard) -> None:
        # ICE restarts are not used: one user fragment for the life of a connection, long enough not to be guessed
        super().__init__(secrets.token_hex(8))
        self.guard = guard
        self.on_media: Callable[[bytes], None] | None = None
        self.on_checked: Callable[[], None] | None = None
        self._handshake_budget = _HANDSHAKE_BUDGET

    async def gather_candidates(self) -> None:
        """One UDP socket for each configured address. Raises OSError when none can be bound."""
        if not self.begin_gathering():
            return
        refusal: OSError | None = None
        for address in self.guard.addresses():
            try:
                self.add_local(await self._bind(address))
            except OSError as error:
                refusal = error
        if not self.sockets:
            raise refusal or OSError("no media address to bind")
        await self._ask_servers()
        self.end_gathering()

    def reachable(self, offered: Sequence[IceCandidate]) -> Sequence[IceCandidate]:
        """Of a browser's addresses those that we check by ourselves: none, unless servers were asked. A relay lets in
        only whom we wrote to, as most NATs do."""
        return offered[: _MAX_PAIRS // 2 // len(self.sockets)] if self.guard.servers else ()

    async def _ask_servers(self) -> None:
        """All at once, for a while; a server that does not answer costs its address and no call."""
        hosts = [socket for socket in self.sockets if ":" not in socket.local_candidate.host]
        asking = [
            self._asked(server, ask)
            for server in self.guard.servers
            for ask in ([self._relay] if server.relays else [partial(self._reflect, host) for host in hosts])
        ]
        await asyncio.gather(*asking)

    async def _asked(self, server: IceServer, ask: Callable[[IceServer], Awaitable[None]]) -> None:
        try:
            async with asyncio.timeout(_SERVER_S):
                await ask(server)
        except (OSError, stun.TransactionError, KeyError) as error:  # KeyError: an answer without an address in it
            self.guard.unanswered[str(server)] += 1
            log.warning("ICE server gave no address", server=str(server), error=str(error) or type(error).__name__)

    async def _reflect(self, host: StunProtocol, server: IceServer) -> None:
        found = await reflexive(server, host)
        if (found.host, found.port) not in {(known.host, known.port) for known in self.local_candidates}:
            self.add_reflexive(found)

    async def _relay(self, server: IceServer) -> None:
        self.add_local(await relayed(server, lambda: GuardedProtocol(self), self.guard.clock()))

    async def _bind(self, address: IceAddress) -> "GuardedProtocol":
        loop = asyncio.get_running_loop()
        refusal: OSError | None = None
        for port in self.guard.candidate_ports():
            try:
                transport, protocol = await loop.create_datagram_endpoint(
                    lambda: GuardedProtocol(self), local_addr=(address.bind, port)
                )
            except OSError as error:
                refusal = error
                continue
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
            port = transport.get_extra_info("sockname")[1]
            protocol.local_candidate = candidate("host", address.advertised or address.bind, port)
            return protocol
        raise refusal or OSError("no port to bind")

    def check_incoming(self, message: stun.Message, addr: tuple[str, int], protocol: StunProtocol) -> None:
        """An authenticated check: besides its work it proves that the browser is there."""
        super().check_incoming(message, addr, protocol)
        if self.on_checked is not None:
            self.on_checked()

    def send_now(self, data: bytes) -> bool:
        """Send on the nominated pair at once; False when there is none."""
        pair = self.nominated
        if pair is None:
            return False
        pair.protocol.transport.sendto(data, pair.remote_addr)
        return True

    # what the guarded protocol asks

    def source_checked(self, protocol: StunProtocol, addr: tuple[str, int]) -> bool:
        """Whether `addr` is the far side of a pair whose check succeeded on this socket."""
        nominated = self.nominated
        if nominated is not None and nominated.protocol is protocol and nominated.remote_addr == addr:
            return True
        return any(
            pair.protocol is protocol and pair.state is CandidatePair.State.SUCCEEDED and pair.remote_addr == addr
            for pair in self.pairs
        )

    def room_for_pair(self, addr: tuple[str, int]) -> bool:
        """A caller may check from a few ports, not from thousands: each pair costs a task and a place in a list."""
        pairs = len(self.pairs) + self.checks_ahead
        return pairs < _MAX_PAIRS or any(pair.remote_addr == addr for pair in self.pairs)

    def room_for_dtls(self, handshake: bool) -> bool:
        """The queue has no bound of its own; only DTLS passes through it here."""
        if handshake:
            if self._handshake_budget <= 0:
                return False
            self._handshake_budget -= 1
        return self.unread < _DTLS_BACKLOG


class GuardedProtocol(StunProtocol):
    """One media socket."""

    receiver: GuardedConnection
    transport: asyncio.DatagramTransport

    def __init__(self, connection: GuardedConnection) -> None:
        super().__init__(connection)
        self._talker: tuple[Any, ...] | None = None

    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        """Sort by the first byte (RFC 7983 section 7) and judge. Never raises on what the network brings."""
        datagram = cast(bytes, data)
        media = self.receiver.on_media
        if addr == self._talker and media is not None and datagram and 128 <= datagram[0] < 192:
            media(datagram)  # almost every datagram; a pair that succeeded once is not taken back
            return
        reason = self._judge(datagram, (str(addr[0]), int(addr[1])))
        if reason is not None:
            self.receiver.guard.dropped[reason] += 1
        elif datagram[0] >= 128:
            self._talker = addr

    async def close(self) -> None:
        """Close it; a relay's server is told, and waited for, but not for long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SERVER_S):
                await super().close()

    def _judge(self, datagram: bytes, source: tuple[str, int]) -> Drop | None:
        if not datagram:
            return Drop.EMPTY
        kind = datagram[0]
        if kind < 4:
            return self._stun(datagram, source)
        if not self.receiver.source_checked(self, source):
            return Drop.UNCHECKED_SOURCE
        if 128 <= kind < 192:
            if self.receiver.on_media is None:
                return Drop.UNEXPECTED_MEDIA
            self.receiver.on_media(datagram)
            return None
        if 20 <= kind < 64:
            return self._dtls(datagram)
        return Drop.UNKNOWN_KIND

    def _stun(self, datagram: bytes, source: tuple[str, int]) -> Drop | None:
        if len(datagram) < stun.HEADER_LENGTH or datagram[4:8] != struct.pack("!I", stun.COOKIE):
            return Drop.MALFORMED_STUN
        try:
            message = stun.parse_message(datagram)
        except (ValueError, struct.error):
            return Drop.MALFORMED_STUN
        if message.message_class in (stun.Class.RESPONSE, stun.Class.ERROR):
            transaction = self.transactions.get(message.transaction_id)
            if transaction is None:
                return Drop.STRANGE_STUN
            transaction.response_received(message, source)
            return None
        if message.message_class is not stun.Class.REQUEST or message.message_method is not stun.Method.BINDING:
            return Drop.STRANGE_STUN
        user = str(message.attributes.get("USERNAME", ""))
        if not user.startswith(f"{self.receiver.local_username}:") or not message.check_message_integrity(
            self.receiver.local_password.encode()
        ):
            return Drop.STRANGE_STUN
        if "PRIORITY" not in message.attributes:
            return Drop.MALFORMED_STUN
        if not self.receiver.room_for_pair(source):
            return Drop.TOO_MANY_PAIRS
        self.receiver.request_received(message, source, self)
        return None

    def _dtls(self, datagram: bytes) -> Drop | None:
        handshake = False
        # content type, version, epoch, sequence number, length (RFC 6347 section 4.1)
        if datagram[3:5] == b"\0\0":
            handshake = datagram[0] == _DTLS_HANDSHAKE
            if datagram[0] == _DTLS_ALERT or (handshake and datagram[13:14] == bytes([_CLIENT_HELLO])):
                return Drop.FORGED_DTLS
        if not self.receiver.room_for_dtls(handshake):
            return Drop.DTLS_FLOOD
        self.receiver.data_received(datagram, COMPONENT)
        return None
