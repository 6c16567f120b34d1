"""Further addresses of a media socket: how a STUN server sees it, and one at a TURN server."""

import secrets
from collections.abc import Callable

from aioice import Candidate
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.ice import StunProtocol, server_reflexive_candidate

from voice.net.aiortc_seam import COMPONENT, open_relay
from voice.wire.ice_server import IceServer
from voice.wire.jsep import CandidateKind


def candidate(kind: CandidateKind, host: str, port: int) -> Candidate:
    """An address of ours, with the priority that RFC 8445 section 5.1.2 gives its kind."""
    return Candidate(
        foundation=candidate_foundation(kind, "udp", host),
        component=COMPONENT,
        transport="udp",
        priority=candidate_priority(COMPONENT, kind),
        host=host,
        port=port,
        type=kind,
    )


async def reflexive(server: IceServer, host: StunProtocol) -> Candidate:
    """How `host` is seen from outside (RFC 8445 section 5.1.1.2). Raises OSError, aioice's TransactionError, and
    KeyError for an answer without an address in it."""
    found, _ = await server_reflexive_candidate(host, (server.host, server.port))
    return found


async def relayed(server: IceServer, receiver: Callable[[], StunProtocol], now_s: float) -> StunProtocol:
    """A socket at a TURN server (RFC 8656) with its candidate. Raises the same."""
    given = server.credentials(now_s, secrets.token_hex(4))
    protocol = receiver()
    host, port = await open_relay(
        protocol,
        (server.host, server.port),
        server.transport,
        given.username,
        given.password,
        tls=server.scheme == "turns",
    )
    protocol.local_candidate = candidate("relay", host, port)
    return protocol
