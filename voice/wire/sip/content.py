"""What a SIP message carries: a session description, and what may come along with it (RFC 5621)."""

from dataclasses import dataclass

from sipmessage import Request, Response

from voice.wire.multipart import MULTIPART, Part, media_type, parse_multipart
from voice.wire.sip.message import SDP, names
from voice.wire.siprec import FEATURE, METADATA, OPTION_TAG


@dataclass(frozen=True, slots=True)
class Content:
    """The parts that are ours to read; of several of one kind the first."""

    sdp: bytes | None = None
    metadata: bytes | None = None


def parts_of(request: Request) -> tuple[Part, ...]:
    """The parts of the body, which may be one. Raises ProtocolError."""
    content_type = request.headers.get("Content-Type") or ""
    if not request.body:
        return ()
    if media_type(content_type) == MULTIPART:
        return parse_multipart(content_type, request.body)
    return (Part(media_type(content_type), request.body),)


def content_of(request: Request) -> Content:
    """What there is to read in the body. Raises ProtocolError."""
    found = {part.content_type: part.content or None for part in reversed(parts_of(request))}
    return Content(found.get(SDP), found.get(METADATA))


def is_recording(request: Request) -> bool:
    """Whether a recording client asks for, or changes, a recording session (RFC 7866 section 6.1.1). Some forget to
    say so where they bring the metadata."""
    return names(request, "Require", OPTION_TAG) or content_of(request).metadata is not None


def show_feature(request: Request, response: Response) -> None:
    """To a recording client we are a recording server (RFC 7866 section 6.2, RFC 3840)."""
    contact = response.headers.get("Contact")
    if contact and request.method in ("INVITE", "UPDATE") and is_recording(request):
        response.headers.set("Contact", f"{contact};{FEATURE}")
