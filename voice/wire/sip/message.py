"""Messages made from messages: responses, ACK, CANCEL; and where a response goes.

Headers that must come back as they were sent (Via, From, To, Call-ID, CSeq) are copied as text, never re-printed.
"""

import hashlib
import re
from collections.abc import Mapping
from types import MappingProxyType

from sipmessage import URI, Message, Request, Response, Via

from dialog.errors import ProtocolError
from voice.wire.sip.flow import DEFAULT_PORT, Flow
from voice.wire.sip.grammar import TOKEN

Address = tuple[str, int] | Flow
"""An IP literal and a UDP port, or a connection."""

COOKIE = "z9hG4bK"
"""Marks branches that are unique by themselves (RFC 3261 section 8.1.1.7)."""

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, UPDATE, REFER, NOTIFY"
SUPPORTED = "100rel, timer, replaces"
"""Extensions that a peer may require of us."""
USER_AGENT = "Centralino"
SDP = "application/sdp"
NO_HEADERS: Mapping[str, str] = MappingProxyType({})

REASONS = {
    100: "Trying",
    180: "Ringing",
    183: "Session Progress",
    200: "OK",
    202: "Accepted",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    408: "Request Timeout",
    415: "Unsupported Media Type",
    416: "Unsupported URI Scheme",
    420: "Bad Extension",
    421: "Extension Required",
    422: "Session Interval Too Small",
    423: "Interval Too Brief",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    489: "Bad Event",
    491: "Request Pending",
    500: "Server Internal Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    504: "Server Time-out",
    505: "Version Not Supported",
    603: "Decline",
}
"""RFC 3261 section 21; 202 and 489: RFC 6665."""

OURS = frozenset(
    (
        *("via", "from", "to", "call-id", "cseq", "max-forwards", "contact", "route", "record-route", "require"),
        *("proxy-require", "supported", "allow", "accept", "authorization", "proxy-authorization", "session-expires"),
        *("min-se", "rack", "rseq", "content-type", "content-length", "content-encoding", "user-agent"),
        *("i", "m", "e", "l", "c", "f", "k", "t", "v", "x"),
    )
)
"""Headers that the stack sets itself, or whose meaning it must know, in small letters and short."""

MAX_VALUE = 2_048
"""Characters of a header that a user sets."""

_RPORT = re.compile(r";[ \t]*rport[ \t]*(?==|;|$)(?:=[^;]*)?", re.IGNORECASE)
_TAG = re.compile(r";[ \t]*tag[ \t]*=", re.IGNORECASE)


def make_response(
    request: Request,
    status: int,
    reason: str = "",
    *,
    to_tag: str = "",
    body: bytes = b"",
    headers: Mapping[str, str] = NO_HEADERS,
) -> Response:
    """Build a response to `request` (RFC 3261 section 8.2.6).

    `to_tag` is set unless the request had one already; a 100 has none.
    """
    response = Response(status, reason or REASONS.get(status, "Unknown"), body)
    for name in ("Via", "From", "To", "Call-ID", "CSeq"):
        response.headers.setlist(name, list(request.headers.getlist(name)))
    to = request.headers["To"]
    if to_tag and status > 100 and not _has_tag(to):
        response.headers.set("To", f"{to};tag={to_tag}")
    routes = request.headers.getlist("Record-Route")
    if routes and 100 < status < 300 and request.method == "INVITE":
        response.headers.setlist("Record-Route", list(routes))  # RFC 3261 section 12.1.1
    set_headers(response, headers)
    if body:
        response.headers.set("Content-Type", SDP)
    response.headers.set("Server", USER_AGENT)
    response.headers.set("Content-Length", str(len(body)))
    return response


def make_request(
    method: str, uri: URI, *, via: str, from_: str, to: str, call_id: str, cseq: int, routes: tuple[str, ...] = ()
) -> Request:
    """Build a request with its mandatory headers (RFC 3261 section 8.1.1) and no body yet."""
    request = Request(method, uri)
    request.headers.set("Via", via)
    if routes:
        request.headers.setlist("Route", list(routes))
    request.headers.set("Max-Forwards", "70")
    request.headers.set("From", from_)
    request.headers.set("To", to)
    request.headers.set("Call-ID", call_id)
    request.headers.set("CSeq", f"{cseq} {method}")
    request.headers.set("User-Agent", USER_AGENT)
    request.headers.set("Content-Length", "0")
    return request


def check_headers(headers: Mapping[str, str]) -> None:
    """Raise ProtocolError unless a user of the stack may give a request these `headers`."""
    for name, value in headers.items():
        if not re.fullmatch(TOKEN, name) or name.lower() in OURS:
            raise ProtocolError(f"{name!r} is no header to be set")
        if not value.isprintable() or len(value) > MAX_VALUE:
            raise ProtocolError(f"malformed value of {name}")


def set_headers(message: Message, headers: Mapping[str, str]) -> None:
    """Give a message `headers`, each in place of one that it had."""
    for name, value in headers.items():
        message.headers.set(name, value)


def set_body(message: Request, body: bytes, headers: Mapping[str, str]) -> None:
    """Give a request more `headers` and an SDP body, or none when `body` is empty."""
    message.body = body
    set_headers(message, headers)
    if body:
        message.headers.set("Content-Type", SDP)
    message.headers.set("Content-Length", str(len(body)))


def tokens(message: Message, name: str) -> list[str]:
    """The words of a header that lists some."""
    words = [word.strip() for value in message.headers.getlist(name) for word in value.split(",")]
    return [word for word in words if word]


def names(message: Message, header: str, token: str) -> bool:
    """Whether a header that lists words has `token`, which is given in small letters."""
    return token in (word.lower() for word in tokens(message, header))


def make_ack(invite: Request, response: Response) -> Request:
    """The ACK for a final response other than 2xx: same branch, To from the response (RFC 3261 section 17.1.1.3)."""
    return _sibling("ACK", invite, response.headers["To"])


def make_cancel(invite: Request) -> Request:
    """The CANCEL of a pending INVITE (RFC 3261 section 9.1)."""
    return _sibling("CANCEL", invite, invite.headers["To"])


def make_again(invite: Request, via: str) -> Request:
    """`invite` as a new request of its dialog-to-be: one CSeq further, with a branch of its own (RFC 3261 section
    8.1.3.5)."""
    again = Request(invite.method, invite.uri, invite.body)
    for name in invite.headers.keys():  # noqa: SIM118 (sipmessage's headers are no mapping)
        again.headers.setlist(name, list(invite.headers.getlist(name)))
    number, method = invite.headers["CSeq"].split()
    again.headers.set("CSeq", f"{int(number) + 1} {method}")
    again.headers.set("Via", via)
    return again


def make_via(host: str, port: int, branch: str, transport: str = "UDP") -> str:
    """Our own Via value; `rport` asks for symmetric responses (RFC 3581 section 3)."""
    return f"SIP/2.0/{transport} {host}:{port};rport;branch={branch}"


def stamp_via(request: Request, via: Via, source: Address) -> None:
    """Note on the top Via where the request really came from (RFC 3261 section 18.2.1, RFC 3581 section 4)."""
    values = request.headers.getlist("Via")
    top = values[0]
    symmetric = "rport" in via.parameters
    if symmetric:
        top = _RPORT.sub(f";rport={source[1]}", top, count=1)
    if symmetric or via.host.strip("[]") != source[0]:
        top = f"{top};received={source[0]}"
    request.headers.setlist("Via", [top, *values[1:]])


def response_address(via: Via, source: Address) -> Address:
    """Where a response goes: the source address, at the source port if `rport` was asked for, else at the Via's port
    (RFC 3261 section 18.2.2, RFC 3581 section 4). `maddr` is not followed: it would let a peer aim us at others.

    A request that came by a connection is answered by it, or by one to the Via's port once it is gone.
    """
    if isinstance(source, Flow):
        return source._replace(home=via.port or DEFAULT_PORT[source.transport])
    return source if "rport" in via.parameters else (source[0], via.port or 5060)


def stateless_tag(request: Request) -> str:
    """A To tag that every retransmission of `request` gets alike, with nothing kept (RFC 3261 section 8.2.7)."""
    via = request.headers["Via"].partition(";received=")[0]
    facts = "\n".join((via, request.headers["Call-ID"], request.headers["CSeq"], request.headers["From"]))
    return hashlib.blake2b(facts.encode(), digest_size=8).hexdigest()


def _has_tag(to: str) -> bool:
    return _TAG.search(to.rpartition(">")[2]) is not None


def _sibling(method: str, invite: Request, to: str) -> Request:
    number = invite.headers["CSeq"].split()[0]
    return make_request(
        method,
        invite.uri,
        via=invite.headers["Via"],
        from_=invite.headers["From"],
        to=to,
        call_id=invite.headers["Call-ID"],
        cseq=int(number),
        routes=tuple(invite.headers.getlist("Route")),
    )
