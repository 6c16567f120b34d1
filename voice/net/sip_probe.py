"""Finding out where our datagrams come from, as the far end sees it: the keep-alive of SIP by UDP (RFC 5626 section
4.4.2)."""

import asyncio
import secrets
from collections.abc import Callable

from dialog.errors import ProtocolError
from voice.net.udp import Address
from voice.wire.stun import TRANSACTION_OCTETS, is_stun, make_request, read_response

WAITS_S = 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 8.0
"""For an answer, before it is asked again or given up (RFC 8489 section 6.2.1)."""


class FlowProbe:
    """Asks by STUN; `send` sends a datagram from the port in question."""

    def __init__(self, send: Callable[[bytes, Address], None]) -> None:
        self._send = send
        self._asked: dict[tuple[bytes, Address], asyncio.Future[Address]] = {}

    def receive(self, data: bytes, source: Address) -> bool:
        """Take a datagram; False for one that answers nothing of ours."""
        if not is_stun(data):
            return False
        try:
            binding = read_response(data)
        except ProtocolError:
            return False
        asked = self._asked.get((binding.transaction, source))
        if asked is None or asked.done():
            return False
        asked.set_result((binding.host, binding.port))
        return True

    async def ask(self, addr: Address) -> Address | None:
        """Where `addr` sees us; None where it does not say in time."""
        transaction = secrets.token_bytes(TRANSACTION_OCTETS)
        answer: asyncio.Future[Address] = asyncio.get_running_loop().create_future()
        self._asked[transaction, addr] = answer
        try:
            for wait_s in WAITS_S:
                self._send(make_request(transaction), addr)
                await asyncio.wait((answer,), timeout=wait_s)
                if answer.done():
                    return answer.result()
            return None
        finally:
            del self._asked[transaction, addr]
