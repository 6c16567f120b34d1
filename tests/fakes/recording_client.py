"""A session border controller's recording client, in our own hand: one recording session, and its streams.

By TLS it encrypts them, too: SRTP with a key of its own for each (RFC 4568).

Its messages and its metadata are written here from RFC 7865 and RFC 7866, so that what it understands of ours is judged
by another reading.
"""

import asyncio
import re
import secrets
import socket
import ssl
from base64 import b64encode
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

import pylibsrtp

from tests.fakes.browser_call import until
from tests.fakes.telephone import HOST, Message
from voice.ports import TICK_MS
from voice.wire.rtp import RtpPacket

SILENCE = b"\xff" * 160
CATCH_UP_S = 0.1
SUITE, KEY_OCTETS = "AES_CM_128_HMAC_SHA1_80", 30
_LENGTH = re.compile(rb"\r\nContent-Length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Person:
    """Who takes part in the call that is recorded, and in which stream they speak: the label of it."""

    id: str
    aor: str
    name: str = ""
    label: str = ""
    gone: bool = False


ANN = Person("ann", "sip:+3225550123@carrier.example", "Ann", "96")
EVE = Person("eve", "sip:2001@pbx.example", "Eve", "97")
BOB = Person("bob", "sip:2002@pbx.example", "Bob", "97")


def metadata(*people: Person, mode: str = "complete") -> str:
    """What is told of them (RFC 7865)."""
    now = "2026-11-02T09:30:00Z"

    def lines(person: Person) -> str:
        left = f"<disassociate-time>{now}</disassociate-time>" if person.gone else ""
        return (
            f'<participant participant_id="{person.id}"><nameID aor="{person.aor}"><name xml:lang="en">{person.name}'
            f'</name></nameID></participant><stream stream_id="s{person.label}" session_id="c1"><label>{person.label}'
            f'</label></stream><participantsessionassoc participant_id="{person.id}" session_id="c1">'
            f"<associate-time>{now}</associate-time>{left}</participantsessionassoc>"
            f'<participantstreamassoc participant_id="{person.id}"><send>s{person.label}</send>{left}'
            "</participantstreamassoc>"
        )

    return (
        '<?xml version="1.0" encoding="UTF-8"?><recording xmlns="urn:ietf:params:xml:ns:recording:1">'
        f'<datamode>{mode}</datamode><session session_id="c1"/>{"".join(map(lines, people))}</recording>'
    )


@dataclass
class Source:
    """One stream: it sends to `target` what is queued in `speech`, else silence, a packet every 20 ms; under `key` if
    there is one, as soon as the server has told its own."""

    label: str
    socket: socket.socket
    key: bytes = b""
    direction: str = "sendonly"
    formats: str = "0"
    given_up: bool = False
    target: int = 0
    speech: deque[bytes] = field(default_factory=deque)
    _sent: int = 0
    _sealing: pylibsrtp.Session | None = None

    def __post_init__(self) -> None:
        if self.key:
            profile = pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80
            policy = pylibsrtp.Policy(self.key, pylibsrtp.Policy.SSRC_ANY_OUTBOUND, srtp_profile=profile)
            self._sealing = pylibsrtp.Session(policy)

    @property
    def sdp(self) -> str:
        """Its part of the offer."""
        port = 0 if self.given_up else self.socket.getsockname()[1]
        inline = b64encode(self.key).decode()
        crypto = f"a=crypto:1 {SUITE} inline:{inline}\r\n" if self.key else ""
        profile = "RTP/SAVP" if self.key else "RTP/AVP"
        return f"m=audio {port} {profile} {self.formats}\r\n{crypto}a={self.direction}\r\na=label:{self.label}\r\n"

    def agree(self, answered: str) -> None:
        """Send where the server hears it, as its m= section says."""
        fields = answered.split()
        self.target = int(fields[1])
        if self.key and self.target:
            assert fields[2] == "RTP/SAVP", answered
            assert f"a=crypto:1 {SUITE} inline:" in answered, answered

    def send(self) -> None:
        """One packet."""
        if self.target and not self.given_up and self.direction == "sendonly":
            payload = self.speech.popleft() if self.speech else SILENCE
            packet = bytes(RtpPacket(0, self._sent & 0xFFFF, 160 * self._sent, 7, payload))
            self.socket.sendto(packet if self._sealing is None else self._sealing.protect(packet), (HOST, self.target))
            self._sent += 1

    @property
    def heard(self) -> int:
        """Datagrams that were sent to us: a recording server sends none."""
        number = 0
        while True:
            try:
                self.socket.recv(2_048)
            except BlockingIOError:
                return number
            number += 1


class RecordingClient:
    """`came` is all that it was sent; a BYE is answered by itself. `sources` are its streams, in order."""

    def __init__(self, port: int, labels: Sequence[str], tls: ssl.SSLContext | None = None) -> None:
        self.came: list[Message] = []
        self._tls = tls
        self._way = "tcp" if tls is None else "tls"
        self.sources = [self._source(label) for label in labels]
        self._port = port
        self._to = f"<sip:srs@{HOST}>"
        self._sequence = 0
        self._branches = count(1)
        self._versions = count(1)
        self._writer: asyncio.StreamWriter | None = None
        self._name = ""

    def _source(self, label: str) -> Source:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.bind((HOST, 0))
        return Source(label, sock, secrets.token_bytes(KEY_OCTETS) if self._tls is not None else b"")

    def add(self, label: str) -> None:
        """One more stream, in the next offer."""
        self.sources.append(self._source(label))

    def sdp(self) -> str:
        """What it sends, and from where."""
        streams = "".join(each.sdp for each in self.sources)
        return f"v=0\r\no=src 1 {next(self._versions)} IN IP4 {HOST}\r\ns=-\r\nc=IN IP4 {HOST}\r\nt=0 0\r\n{streams}"

    # what it says

    def invite(self, sdp: str = "", told: str = "", method: str = "INVITE") -> None:
        """Ask for a recording session, or for a change of it."""
        self._sequence += 1
        parts = [("application/sdp", sdp, "session")] if sdp else []
        parts += [("application/rs-metadata+xml", told, "recording-session")] if told else []
        body = "".join(
            f"--b-1\r\nContent-Type: {kind}\r\nContent-Disposition: {use}\r\n\r\n{content}\r\n"
            for kind, content, use in parts
        )
        self._send(method, "Require: siprec\r\n", 'multipart/mixed; boundary="b-1"', f"{body}--b-1--\r\n")

    def ack(self, sdp: str = "") -> None:
        self._send("ACK", kind="application/sdp", body=sdp)

    def bye(self) -> None:
        self._sequence += 1
        self._send("BYE")

    async def start(self, *people: Person) -> list[str]:
        """A recording session from the INVITE to the ACK; our m= lines as the server answered them."""
        self.invite(self.sdp(), metadata(*people) if people else "")
        return await self._agreed()

    async def change(self, told: str = "") -> list[str]:
        """Offer what `sources` are now, and tell what is new."""
        self.invite(self.sdp(), told)
        return await self._agreed()

    async def _agreed(self) -> list[str]:
        answer = await self.answer()
        assert answer.status == 200, answer.line
        self.ack()
        self.read(answer)
        return [line for line in answer.body.split("\r\n") if line.startswith("m=")]

    def read(self, answer: Message) -> None:
        """Send each stream where the server hears it."""
        for source, section in zip(self.sources, answer.body.split("\r\nm=")[1:], strict=True):
            source.agree(section)

    # what it is told

    async def answer(self, method: str = "INVITE") -> Message:
        """The final response to its last request of that `method`."""
        number = f"{self._sequence} {method}"

        def final() -> Message | None:
            return next((m for m in self.came if m.status >= 200 and m.headers["cseq"] == number), None)

        await until(lambda: final() is not None)
        found = final()
        assert found is not None
        self._to = found.headers["to"]
        return found

    async def hung_up_on(self) -> None:
        """Wait for the server's BYE."""
        await until(lambda: any(m.line.startswith("BYE") for m in self.came))

    # its sound

    def send(self) -> None:
        """One packet of each stream."""
        for source in self.sources:
            source.send()

    async def stream(self) -> None:
        """Send without end, at the pace of the clock. Who was kept from it for long is late from then on: a burst would
        be lost."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            self.send()
            due = max(due + TICK_MS / 1000, loop.time() - CATCH_UP_S)
            await asyncio.sleep(max(0.0, due - loop.time()))

    # its connection

    async def open(self) -> asyncio.StreamReader:
        reader, self._writer = await asyncio.open_connection(HOST, self._port, ssl=self._tls)
        self._name = str(self._writer.get_extra_info("sockname")[1])
        return reader

    async def read_all(self, reader: asyncio.StreamReader) -> None:
        """Take what comes until the connection ends."""
        data = b""
        while piece := await reader.read(65_536):
            data += piece
            while (end := data.find(b"\r\n\r\n")) >= 0:
                length = _LENGTH.search(data[:end])
                size = end + 4 + (int(length[1]) if length else 0)
                if len(data) < size:
                    break
                self._take(data[:size].decode())
                data = data[size:]

    async def close(self) -> None:
        for source in self.sources:
            source.socket.close()
        assert self._writer is not None
        self._writer.close()
        await self._writer.wait_closed()

    def _take(self, text: str) -> None:
        head, _, body = text.lstrip("\r\n").partition("\r\n\r\n")
        line, *fields = head.split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (f.partition(":") for f in fields)}
        self.came.append(Message(line, headers, body))
        if line.startswith("BYE"):
            kept = "".join(f"{name}: {headers[name]}\r\n" for name in ("via", "from", "to", "call-id", "cseq"))
            self._write(f"SIP/2.0 200 OK\r\n{kept}Content-Length: 0\r\n\r\n")

    def _send(self, method: str, more: str = "", kind: str = "", body: str = "") -> None:
        typed = f"Content-Type: {kind}\r\n" if body else ""
        self._write(
            f"{method} sip:srs@{HOST}:{self._port};transport={self._way} SIP/2.0\r\n"
            f"Via: SIP/2.0/{self._way.upper()} {HOST}:5099;rport;branch=z9hG4bK{self._name}-{next(self._branches)}\r\n"
            "Max-Forwards: 70\r\n"
            f"From: <sip:sbc@{HOST}>;tag=src\r\nTo: {self._to}\r\nCall-ID: {self._name}@{HOST}\r\n"
            f"CSeq: {self._sequence} {method}\r\nContact: <sip:sbc@{HOST}:5099;transport={self._way}>;+sip.src\r\n"
            f"{more}{typed}Content-Length: {len(body.encode())}\r\n\r\n{body}"
        )

    def _write(self, text: str) -> None:
        assert self._writer is not None, "open() comes first"
        self._writer.write(text.encode())


@asynccontextmanager
async def recording_client(
    port: int, *labels: str, tls: ssl.SSLContext | None = None
) -> AsyncIterator[RecordingClient]:
    """A recording client connected to `port` of this machine, by TLS if it is told whom to trust, with a stream for
    each of `labels`."""
    client = RecordingClient(port, labels, tls)
    reading = asyncio.create_task(client.read_all(await client.open()))
    try:
        yield client
    finally:
        await client.close()
        reading.cancel()
        await asyncio.wait((reading,))
