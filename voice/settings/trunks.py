"""`[sip.trunks.NAME]`: carriers and PBXes, each with its way, its numbers and its limits."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator

from voice.settings.base import Address, BotName, Codecs, Networks, Port, Section, password_of
from voice.settings.numbers import Pattern
from voice.wire.dtmf import Dtmf
from voice.wire.sdes import Srtp

DEFAULT_PORT = {"udp": 5_060, "tcp": 5_060, "tls": 5_061}
"""RFC 3261 section 19.1.2."""

Price = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]
"""In whatever money the carrier counts."""

Host = Annotated[str, Field(pattern=r"^([A-Za-z0-9]([A-Za-z0-9._-]{0,252}[A-Za-z0-9])?|[0-9A-Fa-f:.]{2,45})?$")]

Realm = Annotated[str, Field(pattern=r'^[^"\\\x00-\x1f\x7f]{1,128}$')]
"""As it stands in a challenge, between the quotes."""


class TrunkSettings(Section):
    """One carrier or PBX. Its calls are known by their source address; calls to it go to its proxy.

    The environment alone gives a password as well: `CENTRALINO_SIP__TRUNKS__NAME__PASSWORD`.
    """

    peers: Networks = Field(
        default=(), description="addresses or networks its calls come from, beside its proxy; the longest match counts"
    )
    proxy: Host = Field(default="", description="host that takes our requests, address or name; empty: none does")
    port: Port = Field(default=0, description="its port; 0: 5060, or 5061 by TLS")
    transport: Literal["udp", "tcp", "tls"] = Field(default="udp", description="the way to it: udp, tcp or tls")
    domain: Host = Field(default="", description="domain of our address with it; default: proxy")
    user: str = Field(
        default="", pattern=r'^[^"\\\x00-\x1f\x7f]{0,128}$', description="our name with it; empty: it asks for none"
    )
    password_file: Path | None = Field(default=None, description="file with the password")
    password: SecretStr = Field(default=SecretStr(""), description="environment only")
    realms: tuple[Realm, ...] = Field(
        default=(),
        description="what it may ask us to sign in to, as its challenges name it; another realm gets no answer. "
        "Default: that of its first challenge",
    )
    caller_id: str = Field(
        default="",
        pattern=r"^\+?[0-9A-Za-z._-]{0,64}$",
        description="who calls, as they see it whom we call; default: user",
    )
    register_s: int = Field(
        default=0, ge=0, le=86_400, description="REGISTER with it for so many seconds, and again in time; 0: never"
    )
    ping_s: int = Field(
        default=0, ge=0, le=3_600, description="ask it by OPTIONS, this often, whether it is there; 0: never"
    )
    calls: int = Field(default=30, ge=1, le=1_000, description="calls at once, in both directions")
    calls_per_second: float = Field(
        default=5.0, gt=0, le=1_000, description="new calls a second, in both directions; beyond, a caller gets 503"
    )
    bots: dict[Pattern, BotName] = Field(
        default={}, description="dialled number, or `0039*` and `*`, to bot; what fits none is looked up in `bots`"
    )
    advertised: Address | None = Field(
        default=None, description="our address as it is told this trunk, in signalling and SDP; default: the node's"
    )
    media_advertised: Address | None = Field(
        default=None, description="the one put into SDP, where sound comes in elsewhere; default: advertised"
    )
    codecs: Codecs = Field(default=(), description="audio formats, best first; default: the node's")
    srtp: Srtp | None = Field(default=None, description="whether its calls are encrypted; default: as the node says")
    dtmf: Dtmf = Field(
        default=Dtmf.AUTO,
        description='how keys go, both ways. "auto": as telephone-events where the far end has them, else as tones; '
        '"events": or not at all; "tones": in the sound; "info": by INFO. Those that come by INFO are always taken',
    )
    dial: tuple[Pattern, ...] = Field(
        default=(), description="numbers that may be called through it, or `0039*` and `*`; default: none"
    )
    calls_a_day: int = Field(default=100, ge=1, description="calls that we place through it in any 24 hours")

    rates: dict[Pattern, Price] = Field(
        default={}, description="number, or `0039*` and `*`, to the price of a minute of calls that we place"
    )
    spend_a_day: Annotated[Price, Field(gt=0)] | None = Field(
        default=None,
        description="what calls that we place through it may cost in any 24 hours, in the money of `rates`; beyond, "
        "none is placed; default: no bound",
    )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        wants = [name for name in ("register_s", "ping_s", "dial") if getattr(self, name)]
        if wants and not self.proxy:
            raise ValueError(f"{wants[0]} needs a proxy")
        if self.spend_a_day is not None and not self.rates:
            raise ValueError("spend_a_day needs rates")
        if self.register_s and not self.user:
            raise ValueError("register_s needs a user")
        if not (self.peers or self.proxy):
            raise ValueError("name peers, a proxy, or both")
        return self

    @property
    def proxy_port(self) -> int:
        return self.port or DEFAULT_PORT[self.transport]

    def secret(self, name: str) -> str:
        """The password of the trunk called `name`; "" where it needs none. Raises ConfigurationError when there is
        none, or its file cannot be read."""
        return password_of(f"sip.trunks.{name}", self.password_file, self.password) if self.user else ""
