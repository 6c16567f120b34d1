"""A SIP telephone driven message by message: one call, and what a test wants said in it, in whatever order.

Its messages are written here by hand, so that what it understands of ours is judged by another reading of RFC 3261.
"""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from itertools import count

from tests.fakes.browser_call import until
from voice.net.udp import Address, UdpSocket
from voice.wire.dtmf import KEY_TICKS, KeySender
from voice.wire.rtp import RtpPacket

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Message:
    """What came: `line` is its first one; `headers` by lower-case name."""

    line: str
    headers: dict[str, str]
    body: str

    @property
    def status(self) -> int:
        """Of a response; 0 for a request."""
        return int(self.line.split()[1]) if self.line.startswith("SIP/2.0") else 0

    @property
    def method(self) -> str:
        return self.headers["cseq"].split()[1]

    def media(self) -> tuple[int, list[str], set[str]]:
        """Port, formats and attributes of its audio stream."""
        lines = self.body.split("\r\n")
        (audio,) = [line.split() for line in lines if line.startswith("m=audio")]
        return int(audio[1]), audio[3:], {line[2:] for line in lines if line.startswith("a=")}


class Telephone:
    """One call to `target` from the address `host`. `came` is all that it was sent; BYE and INFO are answered by
    themselves."""

    def __init__(self, target: Address, number: str, host: str) -> None:
        self.came: list[Message] = []
        self._target = target
        self._host = host
        self._number = number
        self._to = f"<sip:{number}@{HOST}>"
        self._sequence = 0
        self._branches = count(1)
        self._branch = ""
        self._versions = count(1)
        self._signalling: UdpSocket | None = None
        self._media: list[socket.socket] = []
        self.ring_up()

    async def open(self) -> None:
        self._signalling = await UdpSocket.open(self._host, 0, self._receive)

    async def close(self) -> None:
        for sock in self._media:
            sock.close()
        if self._signalling is not None:
            await self._signalling.close()

    @property
    def socket(self) -> socket.socket:
        """Where its sound comes now."""
        return self._media[-1]

    def ring_up(self) -> None:
        """Take another port for sound, as a telephone does that is carried elsewhere."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.bind((self._host, 0))
        self._media.append(sock)

    def sdp(self, direction: str = "sendrecv", formats: str = "0 8 101", host: str = "", keys: int = 101) -> str:
        """What it can hear, and where; `keys` is the payload type of its events, which `formats` has or has not."""
        return (
            f"v=0\r\no=- 1 {next(self._versions)} IN IP4 {HOST}\r\ns=-\r\nc=IN IP4 {host or self._host}\r\nt=0 0\r\n"
            f"m=audio {self._media[-1].getsockname()[1]} RTP/AVP {formats}\r\n"
            f"a=rtpmap:{keys} telephone-event/8000\r\na={direction}\r\n"
        )

    def heard(self) -> list[RtpPacket]:
        """The sound that came since the last look, at the port it listens on now."""
        packets = []
        while True:
            try:
                packets.append(RtpPacket.parse(self.socket.recv(2_048)))
            except BlockingIOError:
                return packets

    def press(self, port: int, digit: str, payload_type: int) -> None:
        """Key `digit` towards `port` (RFC 4733), all its packets at once."""
        keys = KeySender(payload_type)
        keys.press(digit)
        for number in range(KEY_TICKS):
            packet = keys.packet(number, 0, 7)
            assert packet is not None
            self._media[-1].sendto(bytes(packet), (HOST, port))

    # what it says

    def invite(self, sdp: str = "", headers: str = "") -> None:
        """Call; once the call stands, ask for other media. Without `sdp` the far end is to make the offer.

        `headers` are lines that end as they do on the wire.
        """
        self._sequence += 1
        self._branch = f"z9hG4bK{next(self._branches)}"
        self._send("INVITE", self._branch, sdp, headers)

    def update(self, sdp: str = "") -> None:
        """Ask for other media by UPDATE (RFC 3311); without `sdp`, only show that the call lives."""
        self._sequence += 1
        self._send("UPDATE", f"z9hG4bK{next(self._branches)}", sdp)

    def ack(self, sdp: str = "", *, refused: bool = False) -> None:
        """Acknowledge the last final response; that of a refusal belongs to the INVITE (RFC 3261 section 17.1.1.3)."""
        self._send("ACK", self._branch if refused else f"z9hG4bK{next(self._branches)}", sdp)

    def cancel(self) -> None:
        self._send("CANCEL", self._branch)

    def bye(self) -> None:
        self._sequence += 1
        self._send("BYE", f"z9hG4bK{next(self._branches)}")

    def refer(self, target: str) -> None:
        """Ask the far end to call `target`."""
        self._sequence += 1
        self._send("REFER", f"z9hG4bK{next(self._branches)}", headers=f"Refer-To: <{target}>\r\n")

    def accept_refer(self) -> str:
        """Take the REFER that came; whom the far end wants called."""
        refer = next(message for message in reversed(self.came) if message.line.startswith("REFER"))
        self._respond("202 Accepted", refer.headers)
        return refer.headers["refer-to"]

    def report(self, status: str) -> None:
        """Tell what became of it (NOTIFY)."""
        self._sequence += 1
        headers = "Event: refer\r\nSubscription-State: active;expires=60\r\n"
        fragment, kind = f"SIP/2.0 {status}\r\n", "message/sipfrag;version=2.0"
        self._send("NOTIFY", f"z9hG4bK{next(self._branches)}", fragment, headers, kind)

    @property
    def replaces(self) -> str:
        """The line by which another asks for this one's place."""
        host, port = self._address
        return f"Replaces: {port}@{host};to-tag={self._to.partition('tag=')[2]};from-tag=phone\r\n"

    # what it is told

    async def answer(self, method: str = "INVITE") -> Message:
        """The final response to its last request of that `method`."""
        number = f"{self._sequence} {method}"
        await until(lambda: self._final(number) is not None)
        final = self._final(number)
        assert final is not None
        self._to = final.headers["to"]
        return final

    async def settled(self) -> None:
        """All that it sent has been dealt with: a question sent after it was answered."""
        asked = self._count("OPTIONS")
        self._send("OPTIONS", f"z9hG4bK{next(self._branches)}")
        await until(lambda: self._count("OPTIONS") > asked)

    async def asked(self, method: str) -> None:
        """Wait for a request of that method."""
        await until(lambda: any(m.line.startswith(method) for m in self.came))

    async def hung_up_on(self) -> None:
        """Wait for the far end's BYE."""
        await self.asked("BYE")

    def _final(self, number: str) -> Message | None:
        """The first final response to the request of that CSeq."""
        return next((m for m in self.came if m.status >= 200 and m.headers["cseq"] == number), None)

    def _count(self, method: str) -> int:
        return sum(message.method == method for message in self.came)

    @property
    def _address(self) -> Address:
        assert self._signalling is not None, "open() comes first"
        return self._signalling.address

    def _send(self, method: str, branch: str, body: str = "", headers: str = "", kind: str = "application/sdp") -> None:
        host, port = self._address
        to = f"<sip:{self._number}@{HOST}>" if method in ("CANCEL", "OPTIONS") else self._to
        content = f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        message = (
            f"{method} sip:{self._number}@{self._target[0]}:{self._target[1]} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {host}:{port};branch={branch}\r\nMax-Forwards: 70\r\n"
            f"From: <sip:caller@{host}>;tag=phone\r\nTo: {to}\r\nCall-ID: {port}@{host}\r\n"
            f"CSeq: {self._sequence} {method}\r\nContact: <sip:caller@{host}:{port}>\r\n{headers}{content}"
        )
        assert self._signalling is not None
        self._signalling.send(message.encode(), self._target)

    def _receive(self, data: bytes, source: Address) -> None:
        head, _, body = data.decode().partition("\r\n\r\n")
        line, *fields = head.split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (f.partition(":") for f in fields)}
        self.came.append(Message(line, headers, body))
        if line.startswith(("BYE", "INFO")):
            self._respond("200 OK", headers)

    def _respond(self, status: str, headers: dict[str, str]) -> None:
        assert self._signalling is not None
        kept = "".join(f"{name}: {headers[name]}\r\n" for name in ("via", "from", "to", "call-id", "cseq"))
        self._signalling.send(f"SIP/2.0 {status}\r\n{kept}Content-Length: 0\r\n\r\n".encode(), self._target)


@asynccontextmanager
async def telephone(port: int, number: str = "100", host: str = HOST) -> AsyncIterator[Telephone]:
    """A telephone that will call `number` at `port` of this machine, from its address `host`."""
    phone = Telephone((HOST, port), number, host)
    await phone.open()
    try:
        yield phone
    finally:
        await phone.close()


def free(port: int) -> bool:
    """Whether nobody holds that UDP port of this machine."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True
