"""What is wrong with a well-formed request before any state is looked at (RFC 3261 section 8.2)."""

from sipmessage import Request

from voice.wire.sip.message import ALLOW, SDP, SUPPORTED, tokens
from voice.wire.sip.session_timer import MIN_S, is_too_brief

ALLOWED = frozenset(ALLOW.split(", "))
EXTENSIONS = frozenset(SUPPORTED.split(", "))
KNOWN = frozenset(("REGISTER", "SUBSCRIBE", "PUBLISH", "MESSAGE", "INFO"))
"""Methods that exist and that we do not serve; any other is not even known."""

Refused = tuple[int, dict[str, str]]
"""A status and the headers that explain it."""


def refuse(request: Request) -> Refused | None:
    """Why this request is refused, or None. In the order of RFC 3261: method, extensions, content."""
    if request.method not in ALLOWED:
        return (405 if request.method in KNOWN else 501), {"Allow": ALLOW}
    if (refused := refuse_extensions(request)) is not None:
        return refused
    if request.method != "INVITE" and request.headers.getlist("Replaces"):
        return 400, {}  # RFC 3891 section 3
    if request.method not in ("INVITE", "UPDATE"):
        return None
    if request.body and _media_type(request.headers.get("Content-Type") or "") != SDP:
        return 415, {"Accept": SDP}
    if any(name.lower() != "identity" for name in tokens(request, "Content-Encoding")):
        return 415, {"Accept-Encoding": "identity"}
    if is_too_brief(request):
        return 422, {"Min-SE": str(MIN_S)}
    accepted = {_media_type(name) for name in tokens(request, "Accept")}
    if accepted and not accepted & {SDP, "application/*", "*/*"}:
        return 406, {}
    return None


def refuse_extensions(request: Request) -> Refused | None:
    """Why this request is refused for what it requires of us, or None (RFC 3261 section 8.2.2.3)."""
    unsupported = [name for name in tokens(request, "Require") if name.lower() not in EXTENSIONS]
    return (420, {"Unsupported": ", ".join(unsupported)}) if unsupported else None


def _media_type(value: str) -> str:
    return value.partition(";")[0].strip().lower()
