"""What a datagram must be before anything else in the house looks at it.

`examine` bounds sizes, reads the frame, and checks each header the stack relies on, in time linear in the datagram.
It never raises. The outcome is one of three: a message fit to use, a request to refuse with a status, or nothing.
"""

import re
from dataclasses import dataclass

from sipmessage import Address, CSeq, Message, Request, Response, Via

from dialog.errors import ProtocolError
from voice.wire.sip.grammar import (
    TOKEN,
    WireURI,
    read_address,
    read_number,
    read_sent_by,
    read_via,
    split_list,
)

MAX_DATAGRAM = 65_535
MAX_HEAD = 32_768
MAX_LINE = 4_096
MAX_LINES = 128
MAX_METHOD = 64
MAX_CALL_ID = 256
MAX_CSEQ = 2**31 - 1
MAX_HOPS = 255

_ENVELOPE = ("Via", "From", "To", "Call-ID", "CSeq")
"""What a response copies from its request (RFC 3261 section 8.2.6.2): without these there is no answering."""

_ONCE = frozenset(("from", "to", "call-id", "cseq", "max-forwards", "content-length", "content-type", "expires"))
"""Headers of which a message has one (RFC 4475 section 3.3.8)."""

_COMPACT = {
    "b": "referred-by",
    "i": "call-id",
    "m": "contact",
    "e": "content-encoding",
    "l": "content-length",
    "c": "content-type",
    "f": "from",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "k": "supported",
    "t": "to",
    "v": "via",
    "x": "session-expires",
}
"""RFC 3261 section 7.3.3, RFC 3515, RFC 3892, RFC 4028, RFC 6665. Compact names of headers this stack never reads stay
as they are."""

_CANONICAL = {
    "via": "Via",
    "from": "From",
    "to": "To",
    "call-id": "Call-ID",
    "cseq": "CSeq",
    "contact": "Contact",
    "record-route": "Record-Route",
    "content-type": "Content-Type",
    "content-length": "Content-Length",
}

_FOLD = re.compile(r"\r\n[ \t]++")
_CONTROL = re.compile(r"[\r\n]|(?<!\\)[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""Never legal in a line; a quoted-pair may escape a control character, but no line end (RFC 3261 section 25.1)."""
_REQUEST_LINE = re.compile(rf"(?P<method>{TOKEN}) (?P<uri>\S++) SIP/2\.0\Z")
_ANY_REQUEST_LINE = re.compile(rf"(?P<method>{TOKEN})[ \t].*[ \t]SIP/(?P<version>[0-9]++\.[0-9]++)[ \t]*\Z", re.DOTALL)
_STATUS_LINE = re.compile(r"SIP/2\.0 (?P<code>[1-6][0-9]{2})(?: (?P<phrase>.*))?\Z", re.DOTALL)
_HEADER = re.compile(rf"(?P<name>{TOKEN})[ \t]*+:[ \t]*+(?P<value>.*+)\Z", re.DOTALL)
_CSEQ = re.compile(rf"(?P<number>[0-9]++)[ \t]++(?P<method>{TOKEN})\Z")
_CALL_ID = re.compile(rf"\S{{1,{MAX_CALL_ID}}}\Z")


@dataclass(frozen=True, slots=True)
class Received:
    """A message with the facts of its envelope read once. `message.headers` has one Via value a line."""

    message: Request | Response
    via: Via
    from_address: Address
    to_address: Address
    call_id: str
    cseq: CSeq

    @property
    def branch(self) -> str:
        return self.via.parameters.get("branch") or ""

    @property
    def from_tag(self) -> str:
        """Empty where there is none, as RFC 2543 callers may do."""
        return self.from_address.parameters.get("tag") or ""

    @property
    def to_tag(self) -> str:
        return self.to_address.parameters.get("tag") or ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that is wrong, and can be told so: `envelope` has the headers that the response copies."""

    status: int
    reason: str
    envelope: Request
    via: Via


@dataclass(frozen=True, slots=True)
class Ignored:
    """Nothing to answer: `reason` is one of a fixed set of short words, fit to count by."""

    reason: str


Verdict = Received | Refusal | Ignored


def examine(data: bytes) -> Verdict:
    """Judge one datagram."""
    try:
        start_line, headers, body = _frame(data)
        if start_line.startswith("SIP/"):
            return _response(start_line, headers, body)
    except ProtocolError as error:
        return Ignored(str(error))
    return _request(start_line, headers, body)


def _frame(data: bytes) -> tuple[str, list[str], bytes]:
    """Start line, header lines (unfolded), and what follows the empty line."""
    if len(data) > MAX_DATAGRAM:
        raise ProtocolError("oversize")
    data = data.lstrip(b"\r\n")  # RFC 3261 section 7.5
    if not data.strip(b"\x00 "):
        raise ProtocolError("keep-alive")
    head, separator, body = data.partition(b"\r\n\r\n")
    if not separator:
        raise ProtocolError("no end of headers")
    if len(head) > MAX_HEAD:
        raise ProtocolError("oversize")
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError:
        raise ProtocolError("not UTF-8") from None
    lines = _FOLD.sub(" ", text).split("\r\n")
    if len(lines) > MAX_LINES or any(len(line) > MAX_LINE for line in lines):
        raise ProtocolError("oversize")
    if any(_CONTROL.search(line) for line in lines):
        raise ProtocolError("control character")
    return lines[0], lines[1:], body


def _response(start_line: str, lines: list[str], body: bytes) -> Verdict:
    match = _STATUS_LINE.match(start_line)
    if match is None:
        return Ignored("malformed status line")
    message = Response(int(match["code"]), match["phrase"] or "", body)
    try:
        values, fault = _headers(message, lines)
        if len(split_list(values["via"])) > 1:
            return Ignored("response for another")  # RFC 3261 section 8.1.3.3
        return Ignored("malformed response") if fault else _read(message, values, body)
    except KeyError:
        return Ignored("missing header")
    except ProtocolError:
        return Ignored("malformed response")


def _request(start_line: str, lines: list[str], body: bytes) -> Verdict:
    loose = _ANY_REQUEST_LINE.match(start_line)
    if loose is None:
        return Ignored("not SIP")
    message = Request(loose["method"][:MAX_METHOD], WireURI("sip", "", text="sip:unread"), body)
    try:
        values, fault = _headers(message, lines)
        via = _answerable_via(values["via"][0])
    except KeyError:
        return Ignored("missing header")
    except ProtocolError:
        return Ignored("malformed Via")
    status = 400
    try:
        if loose["version"] != "2.0":
            status = 505
            raise ProtocolError("Version Not Supported")
        exact = _REQUEST_LINE.match(start_line)
        if exact is None or len(exact["method"]) > MAX_METHOD:
            raise ProtocolError("malformed request line")
        message.uri = uri = WireURI.parse(exact["uri"])
        if uri.has_headers:
            raise ProtocolError("malformed Request-URI")
        if fault:
            raise ProtocolError(fault)
        received = _read(message, values, body)
        if received.cseq.method != message.method:
            raise ProtocolError("CSeq method mismatch")
        if uri.scheme not in ("sip", "sips", "tel"):
            status = 416
            raise ProtocolError("Unsupported URI Scheme")
        return received
    except ProtocolError as error:
        reason = str(error)
    if message.method == "ACK":
        return Ignored("malformed ACK")  # RFC 3261 section 17: an ACK is never answered
    return Refusal(status, reason[:1].upper() + reason[1:], message, via)


def _headers(message: Message, lines: list[str]) -> tuple[dict[str, list[str]], str]:
    """File header lines on `message`; return them by lower-case name, and the first fault among them.

    Broken lines are passed over, and of a header that may come once the first counts, so that a refusal can still be
    addressed. Raises KeyError when a header of the envelope is missing.
    """
    values: dict[str, list[str]] = {}
    fault = ""
    for line in lines:
        match = _HEADER.match(line)
        if match is None:
            fault = fault or "malformed header line"
            continue
        name = match["name"].lower()
        name = _COMPACT.get(name, name)
        found = values.setdefault(name, [])
        if found and name in _ONCE:
            fault = fault or f"more than one {_CANONICAL.get(name, name)}"
            continue
        found.append(match["value"].rstrip(" \t"))
    for name in _ENVELOPE:
        if name.lower() not in values:
            raise KeyError(name)
    for name, found in values.items():
        message.headers.setlist(_CANONICAL.get(name, name), found)
    return values, fault


def _answerable_via(value: str) -> Via:
    """The Via with its parameters where they can be read, else as far as host and port."""
    try:
        return read_via(split_list([value])[0])
    except ProtocolError:
        return read_sent_by(value)


def _read(message: Request | Response, values: dict[str, list[str]], body: bytes) -> Received:
    """Check every header the stack relies on. Raises ProtocolError naming the first that is wrong."""
    vias = split_list(values["via"])
    message.headers.setlist("Via", vias)
    cseq = _CSEQ.match(values["cseq"][0])
    if cseq is None:
        raise ProtocolError("malformed CSeq")
    if not _CALL_ID.match(values["call-id"][0]):
        raise ProtocolError("malformed Call-ID")
    message.body = _body(values, body)
    if "max-forwards" in values:
        read_number(values["max-forwards"][0], MAX_HOPS)
    for name in ("contact", "route", "record-route"):
        if values.get(name) != ["*"]:
            for value in split_list(values.get(name, ())):
                read_address(value)
    return Received(
        message,
        read_via(vias[0]),
        read_address(values["from"][0]),
        read_address(values["to"][0]),
        values["call-id"][0],
        CSeq(read_number(cseq["number"], MAX_CSEQ), cseq["method"]),
    )


def _body(values: dict[str, list[str]], body: bytes) -> bytes:
    """Over UDP the datagram ends the body; Content-Length may cut it, not stretch it (RFC 3261 section 18.3)."""
    if "content-length" not in values:
        return body
    length = read_number(values["content-length"][0], MAX_DATAGRAM)
    if length > len(body):
        raise ProtocolError("Content-Length beyond the datagram")
    return body[:length]
