"""What is wrong with a well-formed request before any state is looked at (RFC 3261 section 8.2)."""

from sipmessage import Request

from dialog.errors import ProtocolError
from voice.wire.multipart import MULTIPART, media_type
from voice.wire.sip.content import parts_of
from voice.wire.sip.message import ALLOW, SDP, SUPPORTED, tokens
from voice.wire.sip.session_timer import MIN_S, is_too_brief
from voice.wire.siprec import METADATA, OPTION_TAG

ALLOWED = frozenset(ALLOW.split(", "))
EXTENSIONS = frozenset(SUPPORTED.split(", "))
KNOWN = frozenset(("REGISTER", "SUBSCRIBE", "PUBLISH", "MESSAGE"))
"""Methods that exist and that we do not serve; any other is not even known."""

Refused = tuple[int, dict[str, str]]
"""A status and the headers that explain it."""


def refuse(request: Request, *, records: bool = False) -> Refused | None:
    """Why this request is refused, or None. In the order of RFC 3261: method, extensions, content.

    `records`: recording sessions are taken (RFC 7866).
    """
    if request.method not in ALLOWED:
        return (405 if request.method in KNOWN else 501), {"Allow": ALLOW}
    if (refused := refuse_extensions(request, EXTENSIONS | {OPTION_TAG} if records else EXTENSIONS)) is not None:
        return refused
    if request.method != "INVITE" and request.headers.getlist("Replaces"):
        return 400, {}  # RFC 3891 section 3
    if request.method not in ("INVITE", "UPDATE"):
        return None
    readable = (SDP, METADATA) if records else (SDP,)
    try:
        unread = [part for part in parts_of(request) if part.required and part.content_type not in readable]
    except ProtocolError:
        return 400, {}
    if unread:
        return 415, {"Accept": ", ".join((*readable, MULTIPART))}
    if any(name.lower() != "identity" for name in tokens(request, "Content-Encoding")):
        return 415, {"Accept-Encoding": "identity"}
    if is_too_brief(request):
        return 422, {"Min-SE": str(MIN_S)}
    accepted = {media_type(name) for name in tokens(request, "Accept")}
    if accepted and not accepted & {SDP, "application/*", "*/*"}:
        return 406, {}
    return None


def refuse_extensions(request: Request, known: frozenset[str] = EXTENSIONS) -> Refused | None:
    """Why this request is refused for what it requires of us, or None (RFC 3261 section 8.2.2.3)."""
    unsupported = [name for name in tokens(request, "Require") if name.lower() not in known]
    return (420, {"Unsupported": ", ".join(unsupported)}) if unsupported else None
