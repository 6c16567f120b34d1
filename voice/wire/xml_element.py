"""XML from strangers, as a small tree: expat with document types refused, and bounds on size, depth and count.

Without a document type there is no entity to expand or to fetch. Everything wrong raises ProtocolError.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NoReturn
from xml.parsers.expat import ExpatError, ParserCreate

from dialog.errors import ProtocolError

MAX_BYTES = 65_536
MAX_DEPTH = 16
MAX_ELEMENTS = 1_024
MAX_ATTRIBUTES = 32
MAX_ID = 256
MAX_TEXT = 256
"""Characters of a text; what is beyond is cut."""


@dataclass(slots=True)
class Element:
    """An element of a known namespace; `content` is its own text, a little of it."""

    name: str
    attributes: dict[str, str]
    content: str = ""
    children: list["Element"] = field(default_factory=list)

    def all(self, name: str) -> list["Element"]:
        return [child for child in self.children if child.name == name]

    def texts(self, name: str) -> tuple[str, ...]:
        """What stands in the children of that name."""
        return tuple(_text(child.content) for child in self.all(name))

    def text(self, name: str) -> str:
        """What stands in the first of them; "" where there is none."""
        return next(iter(self.texts(name)), "")

    def attribute(self, name: str) -> str:
        """The attribute of that name; "" where there is none."""
        return _text(self.attributes.get(name, ""))

    def id(self, name: str) -> str:
        """An attribute that identifies: not cut, and never empty. Raises ProtocolError."""
        value = self.attributes.get(name, "")
        if not 0 < len(value) <= MAX_ID:
            raise ProtocolError(f"{self.name} without {name}")
        return value


def read_xml(data: bytes, root: str, namespaces: Sequence[str]) -> Element:
    """The element `root` with all in it that is of one of `namespaces`. Raises ProtocolError."""
    if len(data) > MAX_BYTES:
        raise ProtocolError("XML too large")
    reader = _Reader(root, namespaces)
    parser = ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    try:
        parser.Parse(data, True)
    except (ExpatError, ValueError, LookupError):  # not well formed, or in an encoding that is none
        raise ProtocolError("malformed XML") from None
    assert reader.root is not None, "expat takes no document without a root"
    return reader.root


class _Reader:
    """Builds a tree of what is in the known namespaces, and passes over the rest, which is for others."""

    def __init__(self, root: str, namespaces: Sequence[str]) -> None:
        self._wanted = root
        self._prefixes = tuple(f"{namespace} " for namespace in namespaces)
        self.root: Element | None = None
        self._open: list[Element | None] = []
        self._count = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > MAX_ELEMENTS or len(self._open) >= MAX_DEPTH or len(attributes) > MAX_ATTRIBUTES:
            raise ProtocolError("XML too large")
        prefix = next((each for each in self._prefixes if name.startswith(each)), None)
        local = None if prefix is None else name.removeprefix(prefix)
        above = self._open[-1] if self._open else None
        element = None
        if self.root is None:
            if local != self._wanted:
                raise ProtocolError(f"XML that is no {self._wanted}")
            self.root = element = Element(local, attributes)
        elif local is not None and above is not None:
            element = Element(local, attributes)
            above.children.append(element)
        self._open.append(element)

    def end(self, _name: str) -> None:
        self._open.pop()

    def text(self, data: str) -> None:
        element = self._open[-1]
        if element is not None and len(element.content) < 2 * MAX_TEXT:
            element.content += data[: 2 * MAX_TEXT]


def _refuse(*_told: object) -> NoReturn:
    raise ProtocolError("XML with a document type")


def _text(value: str) -> str:
    return " ".join(value.split())[:MAX_TEXT]
