"""Bodies of several parts (RFC 2046 section 5.1), as SIP carries them (RFC 5621). Sans-I/O.

What is wrong raises ProtocolError. Parts are not opened further: one that has parts itself stays as it is.
"""

import re
from dataclasses import dataclass

from dialog.errors import ProtocolError

MULTIPART = "multipart/mixed"
MAX_PARTS = 8
MAX_HEAD = 4_096
MAX_HEADERS = 16

_BOUNDARY = re.compile(r""";[ \t]*boundary[ \t]*=[ \t]*(?:"(?P<quoted>[^"\\]{1,70})"|(?P<bare>[^\s";,]{1,70}))""", re.I)
_BOUNDARY_TEXT = re.compile(r"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]\Z")
_HEADER = re.compile(r"(?P<name>[!-9;-~]++)[ \t]*+:[ \t]*+(?P<value>[^\r\n]*+)\Z")
_FOLD = re.compile(r"\r?\n[ \t]++")
_HANDLING = re.compile(r""";[ \t]*handling[ \t]*=[ \t]*"?optional\b""", re.I)
_PLAIN = frozenset(("", "7bit", "8bit", "binary"))


@dataclass(frozen=True, slots=True)
class Part:
    """One part. `content_type` is in small letters and without parameters; `required` says that a message with this
    part is to be refused by whoever does not know its type (RFC 5621 section 8.3)."""

    content_type: str
    content: bytes
    disposition: str = ""
    required: bool = True


def media_type(value: str) -> str:
    """Type and subtype of a Content-Type or Accept value, in small letters and without parameters."""
    return value.partition(";")[0].strip().lower()


def parse_multipart(content_type: str, body: bytes) -> tuple[Part, ...]:
    """The parts of `body`, whose header names the boundary. Raises ProtocolError.

    Line ends may be bare line feeds, and the last boundary may lack its dashes: senders of both exist.
    """
    match = _BOUNDARY.search(content_type)
    boundary = match and (match["quoted"] or match["bare"])
    if not boundary or not _BOUNDARY_TEXT.match(boundary):
        raise ProtocolError("multipart without boundary")
    delimiter = re.compile(rb"(?:\A|\r?\n)--" + re.escape(boundary.encode()) + rb"(--)?[ \t]*+(?=\r?\n|\Z)")
    parts: list[Part] = []
    start: int | None = None
    for found in delimiter.finditer(body):
        if start is not None:
            if len(parts) == MAX_PARTS:
                raise ProtocolError("too many parts")
            parts.append(_part(body[start : found.start()]))
        if found[1]:
            start = None
            break
        start = found.end()
    if start is not None and body[start:].strip():
        raise ProtocolError("multipart without end")
    if not parts:
        raise ProtocolError("multipart without parts")
    return tuple(parts)


def _part(data: bytes) -> Part:
    """What stands between two boundaries, from the line end of the first on."""
    end = re.search(rb"\r?\n\r?\n", data)
    if end is None or end.start() > MAX_HEAD:
        raise ProtocolError("malformed part")
    try:
        head = data[: end.start()].decode("utf-8")
    except UnicodeDecodeError:
        raise ProtocolError("part header is not UTF-8") from None
    headers: dict[str, str] = {}
    lines = [line for line in re.split(r"\r?\n", _FOLD.sub(" ", head)) if line]
    if len(lines) > MAX_HEADERS:
        raise ProtocolError("too many part headers")
    for line in lines:
        match = _HEADER.match(line)
        if match is None:
            raise ProtocolError("malformed part header")
        headers.setdefault(match["name"].lower(), match["value"].strip())
    if headers.get("content-transfer-encoding", "").lower() not in _PLAIN:
        raise ProtocolError("encoded part")
    disposition = headers.get("content-disposition", "")
    return Part(
        media_type(headers.get("content-type", "text/plain")),
        data[end.end() :],
        media_type(disposition),
        required=_HANDLING.search(disposition) is None,
    )
