"""`[sip]`: the telephone side."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator

from voice.settings.base import LOOPBACK, Address, Codecs, Networks, Port, Section, password_of, within
from voice.settings.siprec import SiprecSettings
from voice.settings.trunks import TrunkSettings
from voice.wire.sdes import Srtp
from voice.wire.sdp import Codec
from voice.wire.sip.digest import STRONGEST_FIRST, Algorithm
from voice.wire.sip.events import PASSED_HEADERS
from voice.wire.sip.message import OURS
from voice.wire.sip.session_timer import MIN_S


def _switch_or_port(value: object) -> object:
    if isinstance(value, int) and 0 <= value <= 65_535:  # true and false are integers too
        return value
    raise ValueError("write true, false or a port")


class AccountSettings(Section):
    """One who may call from any address, with a name (small letters, digits, `-` and `_`) and a password.

    The environment alone makes one as well: `CENTRALINO_SIP__ACCOUNTS__NAME__PASSWORD`.
    """

    password_file: Path | None = Field(default=None, description="file with the password")
    password: SecretStr = Field(default=SecretStr(""), description="environment only")
    agent: str = Field(default="", description="agent whose phone registers with it; calls for them ring it")
    calls: int = Field(default=2, ge=1, description="calls at once")
    calls_per_minute: int = Field(default=10, ge=1, description="new calls a minute")

    def secret(self, name: str) -> str:
        """The password of `name`. Raises ConfigurationError when there is none, or its file cannot be read."""
        return password_of(f"sip.accounts.{name}", self.password_file, self.password)


class SipSettings(Section):
    """The telephone side."""

    host: Address = Field(default=LOOPBACK, description="address to bind")
    port: Port = Field(default=5_060, description="UDP port")
    tcp: Annotated[bool | int, BeforeValidator(_switch_or_port)] = Field(
        default=True, description="TCP: true for the port of UDP, or another; false or 0: off"
    )
    tls_port: Port = Field(default=0, description="TLS port, 5061 by custom; 0: off")
    ws_port: Port = Field(
        default=0, description="port of SIP over WebSocket, for pages on this machine or behind a proxy; 0: off"
    )
    wss_port: Port = Field(default=0, description="the same by TLS; 0: off")
    origins: tuple[str, ...] = Field(
        default=(), description="pages that may connect by WebSocket, as `https://HOST`; `*`: any"
    )
    certificate: Path | None = Field(
        default=None, description="PEM chain for TLS and WSS; made on first start when absent"
    )
    key: Path | None = Field(default=None, description="PEM private key")
    authorities: Path | None = Field(
        default=None, description="PEM; whom to trust where we open a TLS connection; default: the system's"
    )
    advertised: Address | None = Field(default=None, description="address peers are told, behind NAT; default: host")
    peers: Networks = Field(default=("127.0.0.0/8",), description="addresses or networks calls are taken from")
    accounts: dict[Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,64}$")], AccountSettings] = Field(
        default={}, description="who may call from other addresses; without one those get no answer"
    )
    codecs: Codecs = Field(
        default=(Codec.G722, Codec.PCMU, Codec.PCMA),
        min_length=1,
        description="audio formats, best first; of PCMU and PCMA the one that the far end names first is taken",
    )
    srtp: Srtp = Field(
        default=Srtp.ALLOWED,
        description='"off"; "allowed": where the far end wants it; "demanded": no call without it, and none whose keys '
        "do not come by TLS",
    )
    trunks: dict[Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,64}$")], TrunkSettings] = Field(
        default={}, description="carriers and PBXes, by name"
    )
    realm: str = Field(
        default="centralino", pattern=r"^[A-Za-z0-9._@-]{1,64}$", description="what accounts are asked to sign in to"
    )
    digests: tuple[Algorithm, ...] = Field(
        default=STRONGEST_FIRST,
        min_length=1,
        description="how passwords are hashed, a challenge each in this order; one alone for a peer that takes no two",
    )
    session_expires_s: int = Field(
        default=1_800,
        ge=0,
        description="after how long a call ends that neither side's signalling refreshed; asked of peers who know how "
        "(RFC 4028), 90 or more; 0: not asked",
    )

    pass_headers: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,64}$")], ...] = Field(
        default=(),
        max_length=16,
        description="headers of an INVITE that the bot and the journal are told, beside "
        f"{', '.join(PASSED_HEADERS)}; personal data",
    )

    hand_on: tuple[str, ...] = Field(
        default=("User-to-User",),
        max_length=16,
        description="headers of a caller's INVITE that go along when the caller is transferred, and to whom an agent "
        "calls in; of those that are told",
    )

    @model_validator(mode="after")
    def _hands_on_what_is_known(self) -> Self:
        known = {name.lower() for name in (*PASSED_HEADERS, *self.pass_headers)} - OURS
        for name in self.hand_on:
            if name.lower() not in known:
                raise ValueError(f"hand_on: {name} is not told; name it in pass_headers")
        return self

    def handed_on(self, headers: Iterable[tuple[str, str]]) -> dict[str, str]:
        """Of what was told of a caller, what goes along."""
        wanted = {name.lower() for name in self.hand_on}
        return {name: value for name, value in headers if name.lower() in wanted}

    @field_validator("pass_headers")
    @classmethod
    def _no_credentials(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if any(name.lower() in ("authorization", "proxy-authorization") for name in names):
            raise ValueError("credentials are not passed on")
        return names

    @field_validator("session_expires_s")
    @classmethod
    def _not_too_brief(cls, seconds: int) -> int:
        if 0 < seconds < MIN_S:
            raise ValueError(f"write 0, or at least {MIN_S}")
        return seconds

    transfer_to: tuple[Annotated[str, Field(min_length=1, max_length=256)], ...] = Field(
        default=(),
        description="numbers and SIP addresses that callers may be transferred to, `*` and `?` as in file names: "
        '`"+32*"`, `"10??"`, `"sip:*@192.0.2.50"`; default: none',
    )
    siprec: SiprecSettings = SiprecSettings()

    @property
    def phone_users(self) -> dict[str, str]:
        """The agent of each account that belongs to one."""
        return {name: account.agent for name, account in self.accounts.items() if account.agent}

    @property
    def tcp_port(self) -> int | None:
        """Where TCP connections are taken: None nowhere, 0 at any port as UDP is."""
        if not self.tcp:
            return None
        return self.port if self.tcp is True else self.tcp

    def allows(self, address: str) -> bool:
        """Whether a datagram or connection from `address` is taken at all."""
        return within(address, self.peers)
