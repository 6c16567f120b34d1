"""Keys that come by INFO, as telephones send them that have no telephone-event: `application/dtmf-relay` and
`application/dtmf`.

No RFC describes the two; RFC 6086 calls such use of INFO legacy, and keeps it apart by the lack of Info-Package.
"""

import re

from sipmessage import Request

MAX_BODY = 256
_RELAY = re.compile(rb"Signal ?= ?([0-9A-D*#])[ \t]*(?:\r?\n|\Z)", re.IGNORECASE)
_PLAIN = re.compile(rb"\s*([0-9A-D*#])\s*\Z", re.IGNORECASE)
_FORMATS = {"application/dtmf-relay": _RELAY, "application/dtmf": _PLAIN}

ACCEPTED = ", ".join(_FORMATS)


def read_key(request: Request) -> tuple[int, str]:
    """The status that answers an INFO, and the key it brings (0-9, A-D, * or #); "" for one without a body, which only
    asks whether we are there."""
    if request.headers.get("Info-Package") is not None:
        return 469, ""  # RFC 6086 section 4.2.2: we have named no package
    if not request.body:
        return 200, ""
    pattern = _FORMATS.get((request.headers.get("Content-Type") or "").partition(";")[0].strip().lower())
    if pattern is None:
        return 415, ""
    found = pattern.match(request.body) if len(request.body) <= MAX_BODY else None
    return (200, found[1].decode().upper()) if found else (400, "")
