"""STUN and TURN servers: their addresses (RFC 7064, RFC 7065), credentials, and how a page is told of them.

Credentials are a name and a password, or a secret shared with the server, from which passwords are made that expire
("A REST API For Access To TURN Services", draft-uberti-behave-turn-rest-00, which coturn and others understand).
"""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import Literal, cast

from dialog.errors import ConfigurationError

Scheme = Literal["stun", "turn", "turns"]
Transport = Literal["udp", "tcp"]

_URL = re.compile(
    r"(stun|turn|turns):(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9][A-Za-z0-9.-]{0,252})"
    r"(?::([0-9]{1,5}))?(?:\?transport=(udp|tcp))?"
)
_PORT, _TLS_PORT = 3_478, 5_349


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a TURN server wants to know."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class IceServer:
    """One server. Of a TURN server `username` and `password`, or `secret` and how long what is made of it lasts."""

    scheme: Scheme
    host: str
    port: int
    transport: Transport
    username: str = ""
    password: str = field(default="", repr=False)
    secret: bytes = field(default=b"", repr=False)
    lasting_s: int = 0

    @classmethod
    def parse(cls, url: str) -> "IceServer":
        """A server without credentials. Raises ConfigurationError."""
        match = _URL.fullmatch(url)
        if match is None or not 0 <= int(match[3] or 0) <= 65_535:
            raise ConfigurationError(f"{url!r} is no stun:HOST:PORT, turn:HOST:PORT?transport=udp or turns:HOST:PORT")
        scheme, secure = cast(Scheme, match[1]), match[1] == "turns"
        if (scheme == "stun" and match[4]) or (secure and match[4] == "udp"):
            raise ConfigurationError(f"{url!r}: STUN is asked by UDP, and TURN by TLS over TCP")
        transport = cast(Transport, match[4] or ("tcp" if secure else "udp"))
        return cls(scheme, match[2].strip("[]"), int(match[3] or (_TLS_PORT if secure else _PORT)), transport)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}:{host}:{self.port}" + ("" if self.scheme == "stun" else f"?transport={self.transport}")

    @property
    def relays(self) -> bool:
        """Whether it is a TURN server."""
        return self.scheme != "stun"

    def credentials(self, now_s: float, who: str) -> Credentials:
        """Those of `who`, a word that tells users apart; `now_s`: seconds since 1970."""
        if not self.secret:
            return Credentials(self.username, self.password)
        username = f"{int(now_s) + self.lasting_s}:{who}"
        made = hmac.new(self.secret, username.encode(), hashlib.sha1).digest()
        return Credentials(username, base64.b64encode(made).decode())

    def link(self, now_s: float, who: str) -> str:
        """The value of a `Link` header, as WHIP tells pages of a server (RFC 9725 section 4.6)."""
        told = f'<{self}>; rel="ice-server"'
        if not self.relays:
            return told
        given = self.credentials(now_s, who)
        return f"{told}; username={_quoted(given.username)}; credential={_quoted(given.password)}; " + (
            'credential-type="password"'
        )


def _quoted(text: str) -> str:
    """RFC 9110 section 5.6.4."""
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'
