"""`[web.ice_servers.NAME]`: STUN and TURN servers for calls from browsers. There are none until one is configured."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from dialog.errors import ConfigurationError
from voice.settings.base import Section, environment_name, password_of, secret_of
from voice.wire.ice_server import IceServer

_PRINTABLE = r"^[\x20-\x7e]{0,256}$"


def _server(value: str) -> str:
    try:
        return str(IceServer.parse(value))
    except ConfigurationError as error:
        raise ValueError(str(error)) from None


class IceServerSettings(Section):
    """A STUN or TURN server. TURN wants a name and a password, or the secret it shares with us (coturn's
    `static-auth-secret`), from which each page and each call gets a name and password of its own, for a while.

    The environment alone gives them as well: `CENTRALINO_WEB__ICE_SERVERS__NAME__PASSWORD` and `..._SECRET`.
    """

    url: Annotated[str, AfterValidator(_server)] = Field(
        description="`stun:HOST:PORT`, `turn:HOST:PORT?transport=udp`, or `tcp`, or `turns:HOST:PORT` for TLS"
    )
    used_by: Literal["both", "pages", "node"] = Field(
        default="both", description="who uses it: pages, which get it by the API; the node, for its own addresses; both"
    )
    username: str = Field(default="", pattern=_PRINTABLE, description="our name with it")
    password_file: Path | None = Field(default=None, description="file with the password")
    password: SecretStr = Field(default=SecretStr(""), description="environment only")
    secret_file: Path | None = Field(default=None, description="file with the shared secret, in place of a password")
    secret: SecretStr = Field(default=SecretStr(""), description="environment only")
    lasting_s: int = Field(
        default=7_200,
        ge=60,
        le=604_800,
        description="how long what is made of the secret lasts; longer than the longest call",
    )

    def server(self, name: str) -> IceServer:
        """The server that is called `name`, with its credentials. Raises ConfigurationError."""
        server, path = IceServer.parse(self.url), f"web.ice_servers.{name}"
        if not server.relays:
            return server
        secret = secret_of(f"{path}.secret_file", self.secret_file, self.secret)
        if secret:
            return replace(server, secret=secret, lasting_s=self.lasting_s)
        if not self.username:
            remedy = f"name a username, or a secret_file, or set {environment_name(f'{path}.secret')}"
            raise ConfigurationError(f"{path}: a TURN server wants credentials; {remedy}")
        password = password_of(path, self.password_file, self.password)
        if not (password.isascii() and password.isprintable()):
            raise ConfigurationError(f"{path}: the password has letters that no header carries")
        return replace(server, username=self.username, password=password)
