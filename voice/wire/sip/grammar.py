"""Linear-time readers of the SIP header grammar (RFC 3261 section 25), handing out sipmessage's value types.

Why not sipmessage's own readers: its patterns go quadratic on long input, refuse hosts such as `pbx1`, read a comma
inside quotes as a separator, and print percent-encoded parameters other than they came. The patterns here use atomic
groups and possessive repeats, so no input makes them backtrack. A reader raises ProtocolError and nothing else.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import unquote

from sipmessage import URI, Address, Parameters, Via

from dialog.errors import ProtocolError

# Possessive quantifiers keep these patterns linear. They stand on nothing that holds a group to be captured: Python
# before 3.11.5 then fails to match (cpython issue 106052), and Debian 12 has 3.11.2.
MAX_URI = 512
MAX_TEL_DIGITS = 40
MAX_PARAMETERS = 32

UNESCAPED = "-_.!~*'()&=+$,;?/"
"""What may stand in the user part of a URI as it is, beside letters and digits (RFC 3261 section 25.1)."""

TOKEN = r"[A-Za-z0-9\-.!%*_+`'~]++"
_QUOTED = r'"(?>[^"\\]|\\.)*+"'
_HOST = r"(?P<host>\[[0-9A-Fa-f:.]{2,64}\]|[A-Za-z0-9](?:[A-Za-z0-9._\-]{0,253})|[A-Za-z0-9])"
_PORT = r"(?P<port>[0-9]{1,5})"
_SPACE = r"[ \t]*+"
_PARAMETER = rf"{_SPACE};{_SPACE}(?P<name>{TOKEN})(?:{_SPACE}={_SPACE}(?P<value>{_QUOTED}|[^\s;,\"<>]++))?"
_PARAMETERS = rf"(?P<parameters>(?>{re.sub(r'[?]P<[a-z]+>', '?:', _PARAMETER)})*+){_SPACE}\Z"

_SIP_URI = re.compile(
    r"(?P<scheme>[Ss][Ii][Pp][Ss]?):"
    r"(?:(?P<user>(?>[A-Za-z0-9\-_.!~*'()&=+$,;?/#]|%[0-9A-Fa-f]{2})++)"
    r"(?::(?P<password>(?>[A-Za-z0-9\-_.!~*'()&=+$,]|%[0-9A-Fa-f]{2})*+))?@)?"
    rf"{_HOST}(?::{_PORT})?"
    r"(?P<parameters>(?:;[^\s;?<>\"]++)*+)(?P<headers>\?[^\s<>\"]++)?\Z"
)
_TEL_URI = re.compile(
    rf"[Tt][Ee][Ll]:(?P<user>\+?[0-9A-Fa-f*#\-.()]{{1,{MAX_TEL_DIGITS}}})(?P<parameters>(?:;[^\s;?<>\"]++)*+)\Z"
)
_ANY_URI = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+\-.]*+):[^\s<>\"]++\Z")
_NAME_ADDR = re.compile(
    rf'(?:(?P<quoted>{_QUOTED}){_SPACE}|(?P<display>[^"<>,;:@\\]*+))<(?P<uri>[^\s<>"]++)>{_PARAMETERS}', re.DOTALL
)
_ADDR_SPEC = re.compile(rf'(?P<uri>[^\s<>",;?]++){_PARAMETERS}', re.DOTALL)
_VIA = re.compile(
    rf"[Ss][Ii][Pp]{_SPACE}/{_SPACE}(?P<version>[0-9]++\.[0-9]++){_SPACE}/{_SPACE}(?P<transport>{TOKEN})[ \t]++{_HOST}"
    rf"(?:{_SPACE}:{_SPACE}{_PORT})?(?P<rest>.*+)\Z",
    re.DOTALL,
)
_EACH_PARAMETER = re.compile(_PARAMETER, re.DOTALL)
_REST = re.compile(_PARAMETERS, re.DOTALL)
_LIST_ITEM = re.compile(rf"(?>{_QUOTED}|<[^<>]*+>|[^,\"<])*+", re.DOTALL)
_NUMBER = re.compile(r"[0-9]{1,10}\Z")


@dataclass(frozen=True)
class WireURI(URI):
    """A URI that prints as it came: a remote target must go back to its owner letter by letter.

    Schemes other than sip, sips and tel are held with an empty host and no user.
    """

    text: str = field(default="", compare=False)

    @classmethod
    def parse(cls, value: str) -> "WireURI":
        """Read any URI (RFC 3261 section 19.1, RFC 3966). Raises ProtocolError."""
        if len(value) > MAX_URI:
            raise ProtocolError("URI too long")
        if match := _SIP_URI.match(value):
            user, password = match["user"], match["password"]
            return cls(
                scheme=match["scheme"].lower(),
                host=match["host"],
                user=unquote(user) if user else None,
                password=unquote(password) if password else None,
                port=_port(match["port"]),
                parameters=_uri_parameters(match["parameters"]),
                text=value,
            )
        if match := _TEL_URI.match(value):
            parameters = _uri_parameters(match["parameters"])
            return cls(scheme="tel", host="", user=match["user"], parameters=parameters, text=value)
        match = _ANY_URI.match(value)
        if match is None or match["scheme"].lower() in ("sip", "sips", "tel"):
            raise ProtocolError("malformed URI")
        return cls(scheme=match["scheme"].lower(), host="", text=value)

    def __str__(self) -> str:
        return self.text

    @property
    def has_headers(self) -> bool:
        """Whether `?name=value` follows, which a Request-URI must not have (RFC 3261 section 19.1.1)."""
        return self.scheme in ("sip", "sips") and "?" in self.text.rpartition("@")[2]


def read_address(value: str) -> Address:
    """Read From, To, Contact, Route or Record-Route: one name-addr or addr-spec with its parameters."""
    value = value.strip()
    match = _NAME_ADDR.match(value)
    if match is not None:
        quoted = match["quoted"]
        name = re.sub(r"\\(.)", r"\1", quoted[1:-1], flags=re.DOTALL) if quoted else match["display"].strip()
    else:
        match = _ADDR_SPEC.match(value)
        if match is None:
            raise ProtocolError("malformed address")
        name = ""
    return Address(uri=WireURI.parse(match["uri"]), name=name, parameters=_parameters(match["parameters"]))


def read_via(value: str) -> Via:
    """Read one Via value (RFC 3261 section 20.42), of any SIP version, so that a refusal can be addressed."""
    match = _via_head(value)
    rest = _REST.match(match["rest"])
    if rest is None:
        raise ProtocolError("malformed Via")
    return Via(match["transport"].upper(), match["host"], _port(match["port"]), _parameters(rest["parameters"]))


def read_sent_by(value: str) -> Via:
    """Read a Via as far as its host and port: enough to answer a request whose parameters are broken."""
    match = _via_head(value)
    return Via(match["transport"].upper(), match["host"], _port(match["port"]))


def split_list(values: Iterable[str]) -> list[str]:
    """Take comma-separated header lines apart (RFC 3261 section 7.3.1); commas in quotes or <> do not separate."""
    items: list[str] = []
    for value in values:
        position = 0
        while True:
            match = _LIST_ITEM.match(value, position)
            end = match.end() if match else position
            items.append(value[position:end].strip())
            if end == len(value):
                break
            if value[end] != ",":
                raise ProtocolError("unbalanced quote or bracket")
            position = end + 1
    return items


def read_number(value: str, limit: int) -> int:
    """Read an unsigned decimal not above `limit`; leading zeros are allowed (RFC 4475 section 3.1.1.1)."""
    digits = value.lstrip("0") or "0" if value else ""
    if not _NUMBER.match(digits) or int(digits) > limit:
        raise ProtocolError("number out of range")
    return int(digits)


def _via_head(value: str) -> re.Match[str]:
    match = _VIA.match(value)
    if match is None:
        raise ProtocolError("malformed Via")
    return match


def _port(text: str | None) -> int | None:
    if text is None:
        return None
    port = int(text)
    if not 0 < port < 65536:
        raise ProtocolError("port out of range")
    return port


def _parameters(text: str) -> Parameters:
    """Names in lower case; quotes stay on their values. `self` is left out: Parameters cannot hold that name."""
    found: dict[str, str | None] = {}
    for match in _EACH_PARAMETER.finditer(text):
        found.setdefault(match["name"].lower(), match["value"])
        if len(found) > MAX_PARAMETERS:
            raise ProtocolError("too many parameters")
    found.pop("self", None)
    return Parameters(**found)


def _uri_parameters(text: str) -> Parameters:
    found: dict[str, str | None] = {}
    for part in text.split(";")[1:]:
        name, equals, value = part.partition("=")
        found.setdefault(unquote(name).lower(), unquote(value) if equals else None)
        if len(found) > MAX_PARAMETERS:
            raise ProtocolError("too many parameters")
    found.pop("self", None)
    return Parameters(**found)
