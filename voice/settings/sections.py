"""Every section but `[sip]`."""

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator

from dialog.actions import Expect
from dialog.announcements import Announcements
from voice.settings.base import LOOPBACK, Address, Port, Section, Url, secret_of
from voice.settings.ice import IceServerSettings
from voice.wire.ice_server import IceServer


class MediaSettings(Section):
    """RTP and RTCP."""

    host: Address | None = Field(default=None, description="address to bind; default: sip.host")
    advertised: Address | None = Field(
        default=None, description="address put into SDP, behind NAT; default: sip.advertised"
    )
    first_port: Port = Field(default=20_000, description="first RTP port; an even one a call, and RTCP's after it")
    last_port: Port = Field(default=29_999, description="last RTP or RTCP port")
    cancel_echo: bool = Field(
        default=True, description="cancel the echo of telephones that give back what they are told, once it is measured"
    )
    dtx: bool = Field(
        default=False,
        description="send next to nothing in pauses: comfort noise where a far end takes it, and Opus's own; off: "
        "packets go steadily, as NATs and far ends that hang up on silence like it",
    )

    @model_validator(mode="after")
    def _range(self) -> Self:
        if self.last_port <= self.first_port:
            raise ValueError("last_port must be greater than first_port")
        return self


class WebSettings(Section):
    """Pages, API, and calls from browsers. Beyond loopback it is HTTPS: a browser gives no microphone without it."""

    host: Address = LOOPBACK
    port: Port = Field(default=8_080, description="TCP port")
    advertised: Address | None = Field(
        default=None, description="address browsers send audio to, behind NAT; default: host"
    )
    certificate: Path | None = Field(default=None, description="PEM chain; made on first start when absent and needed")
    key: Path | None = Field(default=None, description="PEM private key")
    ice_servers: dict[Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,64}$")], IceServerSettings] = Field(
        default={}, max_length=8, description="STUN and TURN servers, by name; none: nobody is asked anything"
    )

    def ice_servers_of(self, who: Literal["pages", "node"]) -> tuple[IceServer, ...]:
        """Those that `who` uses. Raises ConfigurationError."""
        return tuple(its.server(name) for name, its in self.ice_servers.items() if its.used_by in (who, "both"))

    @property
    def secure(self) -> bool:
        """Whether pages are served by HTTPS."""
        return self.certificate is not None or not ip_address(self.host).is_loopback

    @property
    def scheme(self) -> str:
        return "https" if self.secure else "http"


class LimitSettings(Section):
    """What one node takes on. A live call never suffers for a new one."""

    calls: int = Field(
        default=32, ge=1, le=1_000, description="calls at once; of one address at most a quarter, or two, half open"
    )
    calls_per_minute: int = Field(default=60, ge=1, description="new calls a minute from one address")
    longest_call_s: int = Field(default=3_600, ge=10, description="after this long a call is told so, and ended")
    open_files: int = Field(default=8_192, ge=256, description="descriptor limit asked of the system at start")
    drain_s: int = Field(default=20, ge=0, description="how long a stop waits for live calls")
    loop_lag_ms: int = Field(default=200, ge=20, description="event-loop lag past which new calls are refused")


class RecordSettings(Section):
    """What is kept of a call, and for how long."""

    folder: Path = Field(default=Path("data"), description="store, recordings, certificate, logs of child processes")
    audio: bool = Field(default=True, description="record both sides; the bot says so at the start of each call")
    format: Literal["flac", "wav", "opus"] = Field(
        default="flac",
        description="`flac`, lossless; `wav`, nearly three times the size; `opus`, a third, and twelve times the work",
    )
    pause: Literal["silence", "skip"] = Field(
        default="silence", description="a paused recording is silent for as long (`silence`), or shorter (`skip`)"
    )
    keep_days: int = Field(default=30, ge=1, description="calls and recordings older than this are erased")


class SpeechSettings(Section):
    """Ears and mouth."""

    recogniser: str = Field(default="moonshine", description="moonshine, vosk, or a plug-in")
    model: str = Field(default="", description="vosk: a folder, or a name that `centralino models` lists")
    voice: str = Field(default="hibari", description="hibari, espeak, or a plug-in")
    n_best: int = Field(
        default=1,
        ge=1,
        le=5,
        description="vosk: readings of an utterance, of which the bot takes the first that makes sense; with several, "
        "none has a confidence",
    )
    language: str = Field(default="en", description="language of the voice")
    grammars: dict[Expect, tuple[str, ...]] = Field(
        default={}, description="vosk: the only phrases heard where the bot expects `free`, `yes_no` or `digits`"
    )


class DialogSettings(Section):
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


class AnnouncementSettings(Announcements, Section):
    """What the node itself says to callers, whichever bot answers. A bot in another language needs all of it."""


class DeskSettings(Section):
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


class WebhookSettings(Section):
    """A signed message at the end of each call; nothing is sent unless a URL is named."""

    url: Url = Field(default="", description="where to; empty: nowhere")
    secret_file: Path | None = Field(default=None, description="file with the key that signs it")
    secret: SecretStr = Field(default=SecretStr(""), description="environment only")

    def key(self) -> bytes:
        """The key that signs. Raises ConfigurationError when its file cannot be read."""
        return secret_of("webhook.secret_file", self.secret_file, self.secret)


class LogSettings(Section):
    """Log lines, on standard error."""

    json_lines: bool = Field(default=False, description="one JSON object a line, for machines")
    pii: bool = Field(default=False, description="also log what callers say and key in, under `pii`")


class ModelSettings(Section):
    """Where recognition models are downloaded from on request; nothing is, unless a URL is named."""

    base_url: Url = Field(default="", description="folder of model archives; empty: none are downloaded")
