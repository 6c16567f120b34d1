"""Digest credentials as values: a challenge, the credentials that answer it, and the arithmetic between the two.

RFC 7616 as RFC 3261 section 22.4 and RFC 8760 apply it to SIP. Values stand as they came between the quotes: that text
is what is hashed (RFC 7616 section 3.4.1, `unq`), and what has to go back letter by letter. A header field holds one
challenge or one set of credentials (RFC 3261 section 7.3.1). A reader raises ProtocolError and nothing else.
"""

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum

from dialog.errors import ProtocolError
from voice.wire.sip.grammar import MAX_PARAMETERS, TOKEN

AUTH = "auth"
"""The one quality of protection served: it binds method, URI and nonce-count, and leaves the body alone, which proxies
may change. `auth-int` is refused on both sides."""

_SPACE = r"[ \t]*+"
_PARAMETER = re.compile(
    rf'{_SPACE}(?P<name>{TOKEN}){_SPACE}={_SPACE}(?:"(?P<quoted>(?>[^"\\]|\\.)*+)"|(?P<plain>[^\s,"]++)){_SPACE}',
    re.DOTALL,
)
_COUNT = re.compile(r"[0-9A-Fa-f]{8}\Z")


class Algorithm(StrEnum):
    """What hashes (RFC 8760 section 2.1)."""

    MD5 = "MD5"
    SHA_256 = "SHA-256"

    def hash(self, text: str) -> str:
        """The digest of `text` in hexadecimal."""
        name = "md5" if self is Algorithm.MD5 else "sha256"
        return hashlib.new(name, text.encode(), usedforsecurity=False).hexdigest()


STRONGEST_FIRST = (Algorithm.SHA_256, Algorithm.MD5)
"""The order of header fields in which a peer may choose (RFC 8760 section 2.4)."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """A WWW-Authenticate or Proxy-Authenticate value. `algorithm` is None for one that is not known here."""

    realm: str
    nonce: str
    algorithm: Algorithm | None = Algorithm.MD5
    qop: tuple[str, ...] = ()
    opaque: str | None = None
    stale: bool = False

    @classmethod
    def parse(cls, value: str) -> "Challenge":
        """Read one value (RFC 7616 section 3.3)."""
        found = _parameters(value)
        return cls(
            realm=_required(found, "realm"),
            nonce=_required(found, "nonce"),
            algorithm=_algorithm(found),
            qop=tuple(option.strip().lower() for option in found["qop"].split(",")) if "qop" in found else (),
            opaque=found.get("opaque"),
            stale=found.get("stale", "").lower() == "true",
        )

    def __str__(self) -> str:
        parts = [f'realm="{self.realm}"', f'nonce="{self.nonce}"']
        if self.opaque is not None:
            parts.append(f'opaque="{self.opaque}"')
        if self.algorithm is not None:
            parts.append(f"algorithm={self.algorithm}")
        if self.qop:
            parts.append(f'qop="{",".join(self.qop)}"')
        if self.stale:
            parts.append("stale=true")
        return "Digest " + ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Credentials:
    """An Authorization or Proxy-Authorization value. Without `qop` it is as RFC 2069 had it."""

    username: str
    realm: str
    nonce: str
    uri: str
    response: str
    algorithm: Algorithm | None = Algorithm.MD5
    qop: str = ""
    count: int = 0
    cnonce: str = ""
    opaque: str | None = None

    @classmethod
    def parse(cls, value: str) -> "Credentials":
        """Read one value (RFC 7616 section 3.4)."""
        found = _parameters(value)
        count = found.get("nc", "0" * 8)
        if not _COUNT.match(count):
            raise ProtocolError("malformed nonce-count")
        return cls(
            username=_required(found, "username"),
            realm=_required(found, "realm"),
            nonce=_required(found, "nonce"),
            uri=_required(found, "uri"),
            response=_required(found, "response").lower(),
            algorithm=_algorithm(found),
            qop=found.get("qop", "").lower(),
            count=int(count, 16),
            cnonce=found.get("cnonce", ""),
            opaque=found.get("opaque"),
        )

    def __str__(self) -> str:
        quoted = {"username": self.username, "realm": self.realm, "nonce": self.nonce, "uri": self.uri}
        parts = [f'{name}="{value}"' for name, value in quoted.items()]
        parts.append(f'response="{self.response}"')
        if self.algorithm is not None:
            parts.append(f"algorithm={self.algorithm}")
        if self.opaque is not None:
            parts.append(f'opaque="{self.opaque}"')
        if self.qop:
            parts.append(f'qop={self.qop}, nc={self.count:08x}, cnonce="{self.cnonce}"')
        return "Digest " + ", ".join(parts)

    def answer(self, method: str, password: str) -> str:
        """What `response` must be where the password is right (RFC 7616 section 3.4.1)."""
        algorithm = self.algorithm or Algorithm.MD5
        secret = algorithm.hash(f"{self.username}:{self.realm}:{password}")
        request = algorithm.hash(f"{method}:{self.uri}")
        fresh = f"{self.nonce}:{self.count:08x}:{self.cnonce}:{self.qop}" if self.qop else self.nonce
        return algorithm.hash(f"{secret}:{fresh}:{request}")


def is_digest(value: str) -> bool:
    """Whether a header value is of this scheme at all."""
    return value[:7].lower() == "digest "


def _parameters(value: str) -> dict[str, str]:
    """By lower-case name. A parameter that comes twice could be read in two ways, so it is refused."""
    if not is_digest(value):
        raise ProtocolError("not Digest")
    found: dict[str, str] = {}
    position = 7
    while True:
        match = _PARAMETER.match(value, position)
        if match is None or match["name"].lower() in found or len(found) >= MAX_PARAMETERS:
            raise ProtocolError("malformed Digest")
        found[match["name"].lower()] = match["plain"] if match["quoted"] is None else match["quoted"]
        position = match.end()
        if position == len(value):
            return found
        if value[position] != ",":
            raise ProtocolError("malformed Digest")
        position += 1


def _required(found: dict[str, str], name: str) -> str:
    if name not in found:
        raise ProtocolError(f"Digest without {name}")
    return found[name]


def _algorithm(found: dict[str, str]) -> Algorithm | None:
    name = found.get("algorithm", Algorithm.MD5).upper()
    return Algorithm(name) if name in set(Algorithm) else None
