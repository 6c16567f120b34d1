"""A carrier's gateway by UDP that answers each number as a test says, or sends callers elsewhere.

Its messages are written here by hand, so that what it says is judged by another reading of RFC 3261.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.fakes.telephone import HOST, Message
from voice.net.udp import Address, UdpSocket
from voice.wire.negotiation import make_offer

RTP_PORT = 40_000


@dataclass(frozen=True, slots=True)
class Says:
    """The final response to an INVITE, and what its Contact headers name."""

    status: int
    contacts: Sequence[str] = ()


@dataclass
class Gateway:
    """`says` is what is told each number that is called, 404 any other; `invites` are those that came."""

    says: dict[str, Says] = field(default_factory=dict)
    invites: list[Message] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._socket: UdpSocket | None = None

    @property
    def port(self) -> int:
        assert self._socket is not None, "open it first"
        return self._socket.address[1]

    @property
    def dialled(self) -> list[str]:
        """The user parts of the Request-URIs, in order."""
        return [invite.line.split()[1].removeprefix("sip:").partition("@")[0] for invite in self.invites]

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Gateway"]:
        self._socket = await UdpSocket.open(HOST, 0, self._receive)
        try:
            yield self
        finally:
            await self._socket.close()

    def _receive(self, data: bytes, source: Address) -> None:
        head, _, body = data.decode().partition("\r\n\r\n")
        line, *fields = head.split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (f.partition(":") for f in fields)}
        if line.startswith("BYE"):
            self._respond(headers, source, Says(200))
        elif line.startswith("INVITE"):
            self.invites.append(Message(line, headers, body))
            says = self.says.get(self.dialled[-1], Says(404))
            answered = 200 <= says.status < 300
            contacts = (f"<sip:{HOST}:{self.port}>",) if answered else says.contacts
            sdp = make_offer(HOST, RTP_PORT, 1, 1).decode() if answered else ""
            self._respond(headers, source, Says(says.status, contacts), sdp)

    def _respond(self, headers: dict[str, str], source: Address, says: Says, sdp: str = "") -> None:
        assert self._socket is not None
        kept = "".join(f"{name}: {headers[name]}\r\n" for name in ("via", "from", "call-id", "cseq"))
        to = headers["to"] if "tag=" in headers["to"] else f"{headers['to']};tag=gateway"
        contacts = "".join(f"Contact: {contact}\r\n" for contact in says.contacts)
        kind = "Content-Type: application/sdp\r\n" if sdp else ""
        content = f"{kind}Content-Length: {len(sdp)}\r\n\r\n{sdp}"
        self._socket.send(f"SIP/2.0 {says.status} So\r\n{kept}To: {to}\r\n{contacts}{content}".encode(), source)
