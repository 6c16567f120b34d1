"""All that is used of aiortc and aioice beyond what they promise, in one place, under names of ours.

Their media path costs several times ours, and a stranger's datagram ends their calls; so packets are taken where the
sockets give them and the keys where DTLS leaves them, which no public name allows. Both are pinned; `verify` finds out
at start-up whether what is installed still has every private name, and says what to do when not. No other file of the
server or of a bench touches one: a test reads them all.
"""

import asyncio
import contextlib
import importlib.metadata
import struct
from typing import cast

import pylibsrtp
from aioice import Candidate, Connection
from aioice.ice import CandidatePair, StunProtocol
from aioice.turn import (
    DEFAULT_ALLOCATION_LIFETIME,
    DEFAULT_CHANNEL_REFRESH_TIME,
    TurnClientProtocol,
    TurnClientTcpProtocol,
    TurnClientUdpProtocol,
    TurnTransport,
)
from aiortc import RTCCertificate, RTCDtlsTransport, RTCIceGatherer, RTCIceTransport, RTCSctpTransport
from aiortc.rtcsctptransport import Chunk
from OpenSSL import SSL

from dialog.errors import NotReady

PINNED = {"aioice": "0.13.", "aiortc": "1.16."}

PRIVATE: tuple[tuple[type, tuple[str, ...]], ...] = (
    (
        Connection,
        (
            "_check_list",
            "_early_checks",
            "_local_candidates",
            "_local_candidates_end",
            "_local_candidates_start",
            "_nominated",
            "_protocols",
            "_queue",
        ),
    ),
    (RTCIceGatherer, ("_connection",)),
    (RTCDtlsTransport, ("_rx_srtp", "_set_role", "_ssl", "_task", "_tx_srtp")),
    (RTCSctpTransport, ("_send_chunk",)),
    (TurnTransport, ("_connect",)),
)
"""Methods, and attributes that the constructor makes."""

COMPONENT = 1
"""RTP and RTCP share one (RFC 8834 section 4.5)."""


def verify() -> None:
    """Find out whether the installed libraries are those that this was made for. Raises NotReady, which names what is
    missing and the remedy."""
    for package, version in PINNED.items():
        if not importlib.metadata.version(package).startswith(version):
            raise _refusal(package, "may differ in private names")
    for owner, names in PRIVATE:
        constructor = vars(owner)["__init__"].__code__.co_names
        for name in names:
            if name not in constructor and not hasattr(owner, name):
                raise _refusal(owner.__module__.partition(".")[0], f"has no {owner.__name__}.{name}")


def _refusal(package: str, what: str) -> NotReady:
    found, needed = importlib.metadata.version(package), PINNED[package]
    return NotReady(
        f"{package} {found} is installed and {what}; browser calls need {package} {needed}*: "
        "run `make` to install the locked set"
    )


class IceConnection(Connection):
    """aioice's agent, controlled, whose local candidates and datagrams a subclass sees to."""

    def __init__(self, user: str) -> None:
        super().__init__(ice_controlling=False, local_username=user)

    def begin_gathering(self) -> bool:
        """Whether it is still to be done; the second time it is not."""
        begun, self._local_candidates_start = self._local_candidates_start, True
        return not begun

    def add_local(self, protocol: StunProtocol) -> None:
        """A socket, with its candidate."""
        self._protocols.append(protocol)
        self._local_candidates.append(protocol.local_candidate)

    def add_reflexive(self, candidate: Candidate) -> None:
        """How a socket that was added is seen from outside."""
        self._local_candidates.append(candidate)

    def end_gathering(self) -> None:
        """There are no more."""
        self._local_candidates_end = True

    @property
    def sockets(self) -> list[StunProtocol]:
        return self._protocols

    @property
    def pairs(self) -> list[CandidatePair]:
        """Candidate pairs, whatever came of them."""
        return self._check_list

    @property
    def nominated(self) -> CandidatePair | None:
        """The pair that the browser chose."""
        return self._nominated.get(COMPONENT)

    @property
    def checks_ahead(self) -> int:
        """Checks that came before ours may begin."""
        return len(self._early_checks)

    @property
    def unread(self) -> int:
        """Datagrams for DTLS that it has not read yet; aioice sets no bound."""
        return self._queue.qsize()


class IceGatherer(RTCIceGatherer):
    """aiortc's around a connection of ours; its default servers are not asked."""

    def __init__(self, connection: IceConnection) -> None:
        super().__init__(iceServers=[])
        self._connection = connection


class TurnClient(TurnClientUdpProtocol):
    """aioice's; a datagram that is cut short, from the server or in its name, does not end the allocation."""

    def datagram_received(self, data: bytes | str, addr: tuple[str, int]) -> None:
        with contextlib.suppress(struct.error):
            super().datagram_received(data, addr)


async def open_relay(
    receiver: StunProtocol, server: tuple[str, int], transport: str, username: str, password: str, *, tls: bool
) -> tuple[str, int]:
    """An allocation at a TURN server, whose datagrams `receiver` gets; its relayed address. aioice keeps it alive
    until `receiver` is closed. Raises OSError and aioice's TransactionError."""
    loop = asyncio.get_running_loop()
    kind = TurnClient if transport == "udp" else TurnClientTcpProtocol

    def client() -> TurnClientProtocol:
        return kind(server, username, password, DEFAULT_ALLOCATION_LIFETIME, DEFAULT_CHANNEL_REFRESH_TIME)

    way: asyncio.BaseTransport
    if transport == "udp":
        way, protocol = await loop.create_datagram_endpoint(client, remote_addr=server)
    else:
        way, protocol = await loop.create_connection(client, *server, ssl=tls or None)
    relay = TurnTransport(protocol)
    allocated = False
    try:
        await relay._connect(receiver)
        allocated = True
    finally:
        if not allocated:
            way.close()
    host, port = relay.get_extra_info("sockname")
    return host, port


class DtlsClient(RTCDtlsTransport):
    """aiortc's, always the active side, with the SRTP sessions that its handshake left."""

    def __init__(self, ice: RTCIceTransport) -> None:
        super().__init__(ice, [RTCCertificate.generateCertificate()])
        self._set_role("client")

    @property
    def inbound(self) -> pylibsrtp.Session | None:
        """What decrypts; None before the handshake is over."""
        return cast(pylibsrtp.Session | None, self._rx_srtp)

    @property
    def outbound(self) -> pylibsrtp.Session | None:
        """What encrypts; None before the handshake is over."""
        return cast(pylibsrtp.Session | None, self._tx_srtp)

    @property
    def said_goodbye(self) -> bool:
        """Whether the browser closed its end (DTLS close_notify), as a page that hangs up or goes away does."""
        tls = self._ssl
        return tls is not None and bool(tls.get_shutdown() & SSL.RECEIVED_SHUTDOWN)

    async def stop(self) -> None:
        """Say goodbye, and wait until its pump has ended."""
        pump = self._task
        await super().stop()
        if pump is not None:
            await asyncio.wait((pump,))
            if not pump.cancelled():
                pump.exception()  # malformed SCTP raises in the pump: it has ended this peer, and that is enough


class SctpTransport(RTCSctpTransport):
    """aiortc's, except that its own timers do not complain when they find the connection gone under them."""

    async def _send_chunk(self, chunk: Chunk) -> None:
        with contextlib.suppress(ConnectionError):
            await super()._send_chunk(chunk)
