"""Why a call ends, as either side tells the other: the Reason header (RFC 3326)."""

import re
from dataclasses import dataclass

from sipmessage import Message

from dialog.errors import ProtocolError
from voice.wire.sip.grammar import TOKEN, split_list

MAX_REASONS = 4
MAX_CAUSE = 999
MAX_TEXT = 256

_REASON = re.compile(rf"(?P<protocol>{TOKEN})(?P<rest>.*)\Z", re.DOTALL)
_CAUSE = re.compile(r";[ \t]*cause[ \t]*=[ \t]*([0-9]{1,3})[ \t]*(?=;|\Z)", re.IGNORECASE)
_TEXT = re.compile(r';[ \t]*text[ \t]*=[ \t]*"((?>[^"\\]|\\.)*+)"', re.IGNORECASE | re.DOTALL)
_QUOTED = re.compile(r'"(?>[^"\\]|\\.)*+"', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Reason:
    """`cause` is a status of `SIP`, or a cause value of `Q.850` (ITU-T Q.850 table 1); 0 where none was given.

    Raises ProtocolError when it cannot be written as a header.
    """

    protocol: str
    cause: int = 0
    text: str = ""

    def __post_init__(self) -> None:
        if not re.fullmatch(TOKEN, self.protocol) or not 0 <= self.cause <= MAX_CAUSE:
            raise ProtocolError("malformed Reason")
        if len(self.text) > MAX_TEXT or not self.text.isprintable():
            raise ProtocolError("malformed text of a Reason")

    @classmethod
    def parse(cls, value: str) -> "Reason":
        """Read one reason. Raises ProtocolError."""
        match = _REASON.match(value.strip())
        if match is None:
            raise ProtocolError("malformed Reason")
        cause, text = _CAUSE.search(_QUOTED.sub('""', match["rest"])), _TEXT.search(match["rest"])
        unquoted = re.sub(r"\\(.)", r"\1", text[1], flags=re.DOTALL) if text else ""
        return cls(match["protocol"], int(cause[1]) if cause else 0, unquoted)

    def __str__(self) -> str:
        cause = f";cause={self.cause}" if self.cause else ""
        quoted = self.text.replace("\\", "\\\\").replace('"', '\\"')
        return f'{self.protocol}{cause};text="{quoted}"' if quoted else f"{self.protocol}{cause}"


def read_reasons(message: Message) -> tuple[Reason, ...]:
    """The reasons that a message gives, one for each protocol that has a say; what cannot be read is passed over."""
    found: list[Reason] = []
    try:
        values = split_list(message.headers.getlist("Reason"))
    except ProtocolError:
        values = []
    for value in values[:MAX_REASONS]:
        try:
            found.append(Reason.parse(value))
        except ProtocolError:
            continue
    return tuple(found)
