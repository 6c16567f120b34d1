"""What REFER and its NOTIFYs say: Refer-To, Subscription-State and the piece of a response that tells how it goes.

RFC 3515 (REFER), RFC 3420 (message/sipfrag), RFC 6665 (notifications). Values; whoever reads one gets ProtocolError for
what is malformed.
"""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

from sipmessage import Message

from dialog.errors import ProtocolError
from voice.wire.sip.grammar import WireURI, read_address
from voice.wire.sip.replaces import Replaces

SIPFRAG = "message/sipfrag"
PACKAGE = "refer"
"""The event that an accepted REFER subscribes to (RFC 3515 section 2.4.4)."""

SCHEMES = frozenset(("sip", "sips", "tel"))

_STATUS_LINE = re.compile(rb"SIP/2\.0 (?P<status>[1-6][0-9]{2})(?: (?P<reason>[^\r\n]{0,128}+))?(?:\r?\n|\Z)")
_SUBSCRIPTION = re.compile(r"(?P<state>[A-Za-z-]{1,32})[ \t]*(?:;|\Z)")


@dataclass(frozen=True, slots=True)
class ReferTo:
    """Whom to call, and in place of which call there, if any; `headers` go along with that call's INVITE."""

    uri: WireURI
    replaces: Replaces | None = None
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, value: str) -> "ReferTo":
        """Read a Refer-To value; of the headers that its URI asks for, Replaces is taken and no other."""
        text = str(read_address(value).uri)
        mark = text.find("?", text.find("@") + 1)
        if mark < 0:
            return cls(WireURI.parse(text))
        replaces = None
        for header in text[mark + 1 :].split("&"):
            name, _, content = header.partition("=")
            if unquote(name).lower() == "replaces":
                if replaces is not None:
                    raise ProtocolError("more than one Replaces")
                replaces = Replaces.parse(unquote(content))
        return cls(WireURI.parse(text[:mark]), replaces)

    def __str__(self) -> str:
        replaces = () if self.replaces is None else (("Replaces", str(self.replaces)),)
        asked = "&".join(f"{name}={quote(value, safe='')}" for name, value in (*replaces, *self.headers))
        return f"<{self.uri}?{asked}>" if asked else f"<{self.uri}>"


@dataclass(frozen=True, slots=True)
class Report:
    """How a call that was referred goes: the status it has come to; `last` when no more will be told."""

    status: int
    reason: str
    last: bool

    @classmethod
    def read(cls, message: Message) -> "Report":
        """What a NOTIFY of the package says."""
        line = _STATUS_LINE.match(message.body or b"")
        subscription = _SUBSCRIPTION.match(message.headers.get("Subscription-State") or "")
        if line is None or subscription is None:
            raise ProtocolError("malformed report")
        status = int(line["status"])
        reason = (line["reason"] or b"").decode("utf-8", "replace")
        return cls(status, reason, status >= 200 or subscription["state"].lower() == "terminated")

    @property
    def body(self) -> bytes:
        return f"SIP/2.0 {self.status} {self.reason}\r\n".encode()


def is_sipfrag(message: Message) -> bool:
    """Whether the body is what the package sends."""
    return (message.headers.get("Content-Type") or "").partition(";")[0].strip().lower() == SIPFRAG


def event_of(message: Message) -> tuple[str, str]:
    """The package and the id in an Event header, both empty where there is none (RFC 6665 section 8.2.1)."""
    package, *parameters = (part.strip() for part in (message.headers.get("Event") or "").split(";"))
    names = dict(part.partition("=")[::2] for part in parameters)
    return package.lower(), names.get("id", "")
