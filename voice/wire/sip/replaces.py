"""The Replaces header: the call whose place another is to take (RFC 3891 section 6.1)."""

import re
from dataclasses import dataclass

from dialog.errors import ProtocolError
from voice.wire.sip.dialog import DialogKey
from voice.wire.sip.grammar import TOKEN

MAX_VALUE = 1_024
"""Characters of a Replaces value."""

_CALL_ID = re.compile(r"[^\s;,]{1,256}\Z")
_TAG = re.compile(rf"{TOKEN}\Z")


@dataclass(frozen=True, slots=True)
class Replaces:
    """The dialog that is to be replaced, as its owner sees it: `to_tag` is the owner's own."""

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool = False

    @classmethod
    def parse(cls, value: str) -> "Replaces":
        """Read a header value. Raises ProtocolError."""
        if len(value) > MAX_VALUE:
            raise ProtocolError("Replaces too long")
        call_id, *parameters = (part.strip() for part in value.split(";"))
        found: dict[str, str] = {}
        for parameter in parameters:
            name, _, text = parameter.partition("=")
            name = name.strip().lower()
            if name in found:
                raise ProtocolError("malformed Replaces")
            found[name] = text.strip()
        to_tag, from_tag = found.get("to-tag", ""), found.get("from-tag", "")
        if not _CALL_ID.match(call_id) or not _TAG.match(to_tag) or not _TAG.match(from_tag):
            raise ProtocolError("malformed Replaces")
        return cls(call_id, to_tag, from_tag, "early-only" in found)

    def __str__(self) -> str:
        early = ";early-only" if self.early_only else ""
        return f"{self.call_id};to-tag={self.to_tag};from-tag={self.from_tag}{early}"

    @property
    def key(self) -> DialogKey:
        return (self.call_id, self.to_tag, self.from_tag)
