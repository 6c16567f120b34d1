"""Settings: `centralino.toml` < environment (`CENTRALINO_SIP__PORT=5070`) < `--set sip.port=5070`.

Everything binds to loopback until a setting names an address. Unknown keys are errors that name their path. Secrets
come from a file or the environment only, never from the toml file.
"""

import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from dialog.actions import Expect
from dialog.announcements import Announcements
from dialog.errors import ConfigurationError
from voice.wire.sip.digest import STRONGEST_FIRST, Algorithm

LOOPBACK = "127.0.0.1"


def _address(value: str) -> str:
    """IPv4 for now: SIP, RTP and ICE advertise it as it stands."""
    return str(ip_address(value))


def _url(value: str) -> str:
    if value and not value.startswith(("http://", "https://")):
        raise ValueError("write an address that begins with http:// or https://")
    return value


def _switch_or_port(value: object) -> object:
    if isinstance(value, int) and 0 <= value <= 65_535:  # true and false are integers too
        return value
    raise ValueError("write true, false or a port")


Address = Annotated[str, BeforeValidator(_address)]
Url = Annotated[str, AfterValidator(_url)]
Port = Annotated[int, Field(ge=0, le=65_535)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _secret(path: str, file: Path | None, value: SecretStr) -> bytes:
    """What `file` holds, else `value`. Raises ConfigurationError when the file cannot be read."""
    if file is None:
        return value.get_secret_value().encode()
    try:
        return file.read_bytes().strip()
    except OSError as error:
        raise ConfigurationError(f"{path}: {file}: {error.strerror}") from error


class AccountSettings(_Section):
    """One who may call from any address, with a name (small letters, digits, `-` and `_`) and a password.

    The environment alone makes one as well: `CENTRALINO_SIP__ACCOUNTS__NAME__PASSWORD`.
    """

    password_file: Path | None = Field(default=None, description="file with the password")
    password: SecretStr = Field(default=SecretStr(""), description="environment only")
    calls: int = Field(default=2, ge=1, description="calls at once")
    calls_per_minute: int = Field(default=10, ge=1, description="new calls a minute")

    def secret(self, name: str) -> str:
        """The password of `name`. Raises ConfigurationError when there is none, or its file cannot be read."""
        path = f"sip.accounts.{name}"
        try:
            password = _secret(f"{path}.password_file", self.password_file, self.password).decode()
        except UnicodeDecodeError:
            raise ConfigurationError(f"{path}.password_file: {self.password_file}: not UTF-8") from None
        if not password:
            raise ConfigurationError(
                f"{path}: no password; name a password_file or set {_variable(f'{path}.password')}"
            )
        return password


class SipSettings(_Section):
    """The telephone side."""

    host: Address = Field(default=LOOPBACK, description="address to bind")
    port: Port = Field(default=5_060, description="UDP port")
    tcp: Annotated[bool | int, BeforeValidator(_switch_or_port)] = Field(
        default=True, description="TCP: true for the port of UDP, or another; false or 0: off"
    )
    tls_port: Port = Field(default=0, description="TLS port, 5061 by custom; 0: off")
    certificate: Path | None = Field(default=None, description="PEM chain for TLS; made on first start when absent")
    key: Path | None = Field(default=None, description="PEM private key")
    authorities: Path | None = Field(
        default=None, description="PEM; whom to trust where we open a TLS connection; default: the system's"
    )
    advertised: Address | None = Field(default=None, description="address peers are told, behind NAT; default: host")
    peers: tuple[str, ...] = Field(default=("127.0.0.0/8",), description="addresses or networks calls are taken from")
    accounts: dict[Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,64}$")], AccountSettings] = Field(
        default={}, description="who may call from other addresses; without one those get no answer"
    )
    realm: str = Field(
        default="centralino", pattern=r"^[A-Za-z0-9._@-]{1,64}$", description="what accounts are asked to sign in to"
    )
    digests: tuple[Algorithm, ...] = Field(
        default=STRONGEST_FIRST,
        min_length=1,
        description="how passwords are hashed, a challenge each in this order; one alone for a peer that takes no two",
    )

    @field_validator("peers")
    @classmethod
    def _networks(cls, peers: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(ip_network(peer)) for peer in peers)

    @property
    def tcp_port(self) -> int | None:
        """Where TCP connections are taken: None nowhere, 0 at any port as UDP is."""
        if not self.tcp:
            return None
        return self.port if self.tcp is True else self.tcp

    def allows(self, address: str) -> bool:
        """Whether a datagram or connection from `address` is taken at all."""
        return any(ip_address(address) in ip_network(peer) for peer in self.peers)


class MediaSettings(_Section):
    """RTP and RTCP."""

    host: Address | None = Field(default=None, description="address to bind; default: sip.host")
    advertised: Address | None = Field(
        default=None, description="address put into SDP, behind NAT; default: sip.advertised"
    )
    first_port: Port = Field(default=20_000, description="first RTP port; an even one a call, and RTCP's after it")
    last_port: Port = Field(default=29_999, description="last RTP or RTCP port")

    @model_validator(mode="after")
    def _range(self) -> Self:
        if self.last_port <= self.first_port:
            raise ValueError("last_port must be greater than first_port")
        return self


class WebSettings(_Section):
    """Pages, API, and calls from browsers. Beyond loopback it is HTTPS: a browser gives no microphone without it."""

    host: Address = LOOPBACK
    port: Port = Field(default=8_080, description="TCP port")
    advertised: Address | None = Field(
        default=None, description="address browsers send audio to, behind NAT; default: host"
    )
    certificate: Path | None = Field(default=None, description="PEM chain; made on first start when absent and needed")
    key: Path | None = Field(default=None, description="PEM private key")

    @property
    def secure(self) -> bool:
        """Whether pages are served by HTTPS."""
        return self.certificate is not None or not ip_address(self.host).is_loopback

    @property
    def scheme(self) -> str:
        return "https" if self.secure else "http"


class LimitSettings(_Section):
    """What one node takes on. A live call never suffers for a new one."""

    calls: int = Field(
        default=32, ge=1, le=1_000, description="calls at once; of one address at most a quarter, or two, half open"
    )
    calls_per_minute: int = Field(default=60, ge=1, description="new calls a minute from one address")
    longest_call_s: int = Field(default=3_600, ge=10, description="after this long a call is told so, and ended")
    open_files: int = Field(default=8_192, ge=256, description="descriptor limit asked of the system at start")
    drain_s: int = Field(default=20, ge=0, description="how long a stop waits for live calls")
    loop_lag_ms: int = Field(default=200, ge=20, description="event-loop lag past which new calls are refused")


class RecordSettings(_Section):
    """What is kept of a call, and for how long."""

    folder: Path = Field(default=Path("data"), description="store, recordings, certificate, logs of child processes")
    audio: bool = Field(default=True, description="record both sides; the bot says so at the start of each call")
    keep_days: int = Field(default=30, ge=1, description="calls and recordings older than this are erased")


class SpeechSettings(_Section):
    """Ears and mouth."""

    recogniser: str = Field(default="moonshine", description="moonshine, vosk, or a plug-in")
    model: str = Field(default="", description="vosk: a folder, or a name that `centralino models` lists")
    voice: str = Field(default="hibari", description="hibari, espeak, or a plug-in")
    language: str = Field(default="en", description="language of the voice")
    grammars: dict[Expect, tuple[str, ...]] = Field(
        default={}, description="vosk: the only phrases heard where the bot expects `free`, `yes_no` or `digits`"
    )


class DialogSettings(_Section):
    """The bot."""

    engine: str = Field(default="rasa", description="rasa (keypad when it fails), keypad, or a plug-in")
    project: Path | None = Field(
        default=None, description="a Rasa project of your own; default: the packaged help desk"
    )
    rasa_url: Url = Field(
        default="",
        description="an external Rasa instead of one that is started here: `http://HOST:PORT/webhooks/voice`",
    )
    rasa_token: SecretStr = Field(default=SecretStr(""), description="its token; environment only")
    customers_url: Url = Field(default="", description="HTTP customer base; default: the generated sample")
    reply_limit_ms: int = Field(default=3_000, ge=500, le=7_000, description="slower than this and the bot has failed")
    stand_in: Literal["auto", "keypad", "none"] = Field(
        default="auto",
        description="who goes on with a call when the bot fails: keypad, which knows the packaged help desk's business "
        "in English, or none, and the caller hears an apology; auto: none for a project of your own",
    )

    @property
    def stands_alone(self) -> bool:
        """Nobody goes on with its calls."""
        return self.project is not None if self.stand_in == "auto" else self.stand_in == "none"


class AnnouncementSettings(Announcements, _Section):
    """What the node itself says to callers, whichever bot answers. A bot in another language needs all of it."""


class DeskSettings(_Section):
    """People who take calls: who waits for them, how long, and what helps them."""

    hours: str = Field(
        default="", description='when people take calls, e.g. "mon-fri 08:00-18:00, sat 09:00-13:00"; empty: always'
    )
    queue: int = Field(
        default=50,
        ge=0,
        description="callers who may wait at once; 0: there is no desk, and a call that is handed over ends",
    )
    longest_wait_s: int = Field(
        default=600, ge=10, description="longer than this nobody waits: the caller is told, and chooses"
    )
    ring_s: int = Field(default=20, ge=3, description="an agent who does not answer for this long misses the call")
    dispositions: tuple[str, ...] = Field(
        default=("solved", "follow-up", "not reached", "wrong number"), description="how a call may have ended"
    )
    articles: Path | None = Field(default=None, description="folder of Markdown articles; default: the sample base")
    suggest: bool = Field(default=True, description="show agents articles that may help")
    suggester: str = Field(default="articles", description="what finds them: articles, or a plug-in")
    agents: int = Field(default=16, ge=1, description="agents with audio at once")
    music: Path | None = Field(default=None, description="sound file for those who wait; default: made by the node")


class WebhookSettings(_Section):
    """A signed message at the end of each call; nothing is sent unless a URL is named."""

    url: Url = Field(default="", description="where to; empty: nowhere")
    secret_file: Path | None = Field(default=None, description="file with the key that signs it")
    secret: SecretStr = Field(default=SecretStr(""), description="environment only")

    def key(self) -> bytes:
        """The key that signs. Raises ConfigurationError when its file cannot be read."""
        return _secret("webhook.secret_file", self.secret_file, self.secret)


class LogSettings(_Section):
    """Log lines, on standard error."""

    json_lines: bool = Field(default=False, description="one JSON object a line, for machines")
    pii: bool = Field(default=False, description="also log what callers say and key in, under `pii`")


class ModelSettings(_Section):
    """Where recognition models are downloaded from on request; nothing is, unless a URL is named."""

    base_url: Url = Field(default="", description="folder of model archives; empty: none are downloaded")


_SECRETS = re.compile(r"dialog\.rasa_token|webhook\.secret|sip\.accounts\.[^.]+\.password")
"""They come from the environment only: files are copied about, and command lines are seen by every user."""


def _variable(path: str) -> str:
    """The environment's name for a setting."""
    return "CENTRALINO_" + path.replace(".", "__").upper()


class Settings(_Section):
    """All of it. `bots` maps dialled numbers to bots; `*` is any other number."""

    bots: dict[str, Literal["helpdesk", "keypad", "echo", "milliwatt", "ring", "busy"]] = Field(
        default={"echo": "echo", "*": "helpdesk"}, description="dialled number to bot"
    )
    sip: SipSettings = SipSettings()
    media: MediaSettings = MediaSettings()
    web: WebSettings = WebSettings()
    limits: LimitSettings = LimitSettings()
    record: RecordSettings = RecordSettings()
    speech: SpeechSettings = SpeechSettings()
    dialog: DialogSettings = DialogSettings()
    desk: DeskSettings = DeskSettings()
    announcements: AnnouncementSettings = AnnouncementSettings()
    webhook: WebhookSettings = WebhookSettings()
    log: LogSettings = LogSettings()
    models: ModelSettings = ModelSettings()

    @property
    def media_host(self) -> str:
        return self.media.host or self.sip.host

    @property
    def sip_advertised(self) -> str:
        return self.sip.advertised or self.sip.host

    @property
    def media_advertised(self) -> str:
        return self.media.advertised or self.sip.advertised or self.media_host

    def bot_for(self, dialled: str) -> str:
        """The bot that answers `dialled`; raises nothing: without `*` an unknown number gets ""."""
        return self.bots.get(dialled, self.bots.get("*", ""))


def _assign(tree: dict[str, object], path: str, value: str) -> None:
    *sections, name = path.split(".")
    for section in sections:
        child = tree.setdefault(section, {})
        if not isinstance(child, dict):
            raise ConfigurationError(f"{path}: {section} is a value, not a section")
        tree = child
    if _SECRETS.fullmatch(path):
        tree[name] = value  # as it stands: a key of digits is no number
        return
    try:
        tree[name] = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        tree[name] = value  # a bare word: `--set speech.recogniser=vosk`


def _refuse_secrets(source: str, paths: Iterable[str]) -> None:
    for path in filter(_SECRETS.fullmatch, paths):
        raise ConfigurationError(f"{source}: {path} is a secret; set {_variable(path)} in the environment")


def _paths(tree: Mapping[str, object], above: str = "") -> Iterator[str]:
    """Every key of a file, with its sections."""
    for name, value in tree.items():
        yield above + name
        if isinstance(value, dict):
            yield from _paths(value, f"{above}{name}.")


def load(
    file: Path | None = None, assignments: Sequence[str] = (), environ: Mapping[str, str] | None = None
) -> Settings:
    """Read the settings. `file` defaults to `centralino.toml` in the working folder, if there is one.

    Raises ConfigurationError: one line with the path of the key, what is wrong, and where it was set.
    """
    path = file or Path("centralino.toml")
    tree: dict[str, object] = {}
    if file is not None or path.exists():
        try:
            tree = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ConfigurationError(f"{path}: {error.strerror}; name a file that can be read") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{path}: {error}") from error
        _refuse_secrets(str(path), _paths(tree))
    for variable, value in (environ if environ is not None else os.environ).items():
        # CENTRALINO_CACHE and the like, without a section, are no settings
        if variable.startswith("CENTRALINO_") and "__" in variable:
            _assign(tree, variable.removeprefix("CENTRALINO_").lower().replace("__", "."), value)
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals:
            raise ConfigurationError(f"--set {assignment}: write SECTION.NAME=VALUE")
        given: dict[str, object] = {}
        _assign(given, key, value)
        _refuse_secrets("--set", _paths(given))  # also inside a table that is given as a whole
        _assign(tree, key, value)
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise ConfigurationError(f"{where}: no such setting; docs/configuration.md lists them all") from error
        got = "" if _SECRETS.fullmatch(where) else f" (got {first['input']!r})"
        raise ConfigurationError(f"{where}: {first['msg']}{got}") from error
