"""What the sections of the settings have in common: addresses, ports, secrets."""

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from dialog.errors import ConfigurationError

LOOPBACK = "127.0.0.1"


def _address(value: str) -> str:
    """IPv4 or IPv6: SIP, RTP and ICE advertise it as it stands."""
    return str(ip_address(value))


def _url(value: str) -> str:
    if value and not value.startswith(("http://", "https://")):
        raise ValueError("write an address that begins with http:// or https://")
    return value


Address = Annotated[str, BeforeValidator(_address)]
Url = Annotated[str, AfterValidator(_url)]
Port = Annotated[int, Field(ge=0, le=65_535)]

SECRETS = re.compile(r"dialog\.rasa_token|webhook\.secret|sip\.accounts\.[^.]+\.password")
"""They come from the environment only: files are copied about, and command lines are seen by every user."""


class Section(BaseModel):
    """A section: frozen, and no key that is not known."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def secret_of(path: str, file: Path | None, value: SecretStr) -> bytes:
    """What `file` holds, else `value`. Raises ConfigurationError when the file cannot be read."""
    if file is None:
        return value.get_secret_value().encode()
    try:
        return file.read_bytes().strip()
    except OSError as error:
        raise ConfigurationError(f"{path}: {file}: {error.strerror}") from error


def environment_name(path: str) -> str:
    """The environment's name for a setting."""
    return "CENTRALINO_" + path.replace(".", "__").upper()
