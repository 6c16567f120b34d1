"""What the sections of the settings have in common: addresses, ports, secrets."""

import re
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from dialog.errors import ConfigurationError
from voice.wire.sdp import Codec

LOOPBACK = "127.0.0.1"


def _address(value: str) -> str:
    """IPv4 or IPv6: SIP, RTP and ICE advertise it as it stands."""
    return str(ip_address(value))


def _each_once(codecs: tuple[Codec, ...]) -> tuple[Codec, ...]:
    if len(set(codecs)) < len(codecs):
        raise ValueError("name each format once")
    return codecs


def _url(value: str) -> str:
    if value and not value.startswith(("http://", "https://")):
        raise ValueError("write an address that begins with http:// or https://")
    return value


def _network(value: str) -> str:
    return str(ip_network(value))


Address = Annotated[str, BeforeValidator(_address)]
Url = Annotated[str, AfterValidator(_url)]
Port = Annotated[int, Field(ge=0, le=65_535)]
Codecs = Annotated[tuple[Codec, ...], AfterValidator(_each_once)]
Networks = tuple[Annotated[str, AfterValidator(_network)], ...]

BotName = Literal["helpdesk", "keypad", "echo", "milliwatt", "ring", "busy"]

SECRETS = re.compile(
    r"dialog\.rasa_token|webhook\.secret|sip\.(accounts|trunks)\.[^.]+\.password|streams\.[^.]+\.secret"
    r"|web\.ice_servers\.[^.]+\.(password|secret)"
)
"""They come from the environment only: files are copied about, and command lines are seen by every user."""


class Section(BaseModel):
    """A section: frozen, and no key that is not known."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def within(address: str, networks: tuple[str, ...]) -> bool:
    """Whether `address`, an IP literal, belongs to one of `networks`."""
    return any(ip_address(address) in ip_network(network) for network in networks)


def secret_of(path: str, file: Path | None, value: SecretStr) -> bytes:
    """What `file` holds, else `value`. Raises ConfigurationError when the file cannot be read."""
    if file is None:
        return value.get_secret_value().encode()
    try:
        return file.read_bytes().strip()
    except OSError as error:
        raise ConfigurationError(f"{path}: {file}: {error.strerror}") from error


def password_of(path: str, file: Path | None, value: SecretStr) -> str:
    """The password of the section `path`. Raises ConfigurationError when there is none, or its file cannot be read."""
    try:
        password = secret_of(f"{path}.password_file", file, value).decode()
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path}.password_file: {file}: not UTF-8") from None
    if not password:
        raise ConfigurationError(
            f"{path}: no password; name a password_file or set {environment_name(f'{path}.password')}"
        )
    return password


def environment_name(path: str) -> str:
    """The environment's name for a setting."""
    return "CENTRALINO_" + path.replace(".", "__").upper()
