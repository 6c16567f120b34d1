"""What is wrong with a well-formed request before any state is looked at (RFC 3261 section 8.2)."""

from sipmessage import Request

from voice.wire.sip.message import ALLOW, SDP

ALLOWED = frozenset(ALLOW.split(", "))
KNOWN = frozenset(("REGISTER", "SUBSCRIBE", "NOTIFY", "PUBLISH", "MESSAGE", "REFER", "UPDATE", "PRACK", "INFO"))
"""Methods that exist and that we do not serve; any other is not even known."""

Refused = tuple[int, dict[str, str]]
"""A status and the headers that explain it."""


def refuse(request: Request) -> Refused | None:
    """Why this request is refused, or None. In the order of RFC 3261: method, extensions, content."""
    if request.method not in ALLOWED:
        return (405 if request.method in KNOWN else 501), {"Allow": ALLOW}
    if (refused := refuse_extensions(request)) is not None:
        return refused
    if request.method != "INVITE":
        return None
    if request.body and _media_type(request.headers.get("Content-Type") or "") != SDP:
        return 415, {"Accept": SDP}
    if any(name.lower() != "identity" for name in _tokens(request, "Content-Encoding")):
        return 415, {"Accept-Encoding": "identity"}
    accepted = {_media_type(name) for name in _tokens(request, "Accept")}
    if accepted and not accepted & {SDP, "application/*", "*/*"}:
        return 406, {}
    return None


def refuse_extensions(request: Request) -> Refused | None:
    """Why this request is refused for what it requires of us, or None (RFC 3261 section 8.2.2.3)."""
    required = [name for name in _tokens(request, "Require") if name]
    return (420, {"Unsupported": ", ".join(required)}) if required else None


def _tokens(request: Request, name: str) -> list[str]:
    return [token.strip() for value in request.headers.getlist(name) for token in value.split(",")]


def _media_type(value: str) -> str:
    return value.partition(";")[0].strip().lower()
