"""Settings: `centralino.toml` < environment (`CENTRALINO_SIP__PORT=5070`) < `--set sip.port=5070`.

Everything binds to loopback until a setting names an address. Unknown keys are errors that name their path. Secrets
come from a file or the environment only, never from the toml file.
"""

import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import Field, ValidationError

from dialog.errors import ConfigurationError
from voice.settings.base import SECRETS, BotName, Section, environment_name
from voice.settings.numbers import Pattern, look_up
from voice.settings.sections import (
    AnnouncementSettings,
    DeskSettings,
    DialogSettings,
    LimitSettings,
    LogSettings,
    MediaSettings,
    ModelSettings,
    RecordSettings,
    SpeechSettings,
    WebhookSettings,
    WebSettings,
)
from voice.settings.sip import SipSettings
from voice.settings.streams import MediaStreamSettings


class Settings(Section):
    """All of it. `bots` maps dialled numbers to bots; `0039*` is any number that begins so, `*` any other."""

    bots: dict[Pattern, BotName] = Field(default={"*": "helpdesk"}, description="dialled number to bot")
    sip: SipSettings = SipSettings()
    media: MediaSettings = MediaSettings()
    streams: MediaStreamSettings = MediaStreamSettings()
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
        return look_up(self.bots, dialled) or ""


def _assign(tree: dict[str, object], path: str, value: str) -> None:
    *sections, name = path.split(".")
    for section in sections:
        child = tree.setdefault(section, {})
        if not isinstance(child, dict):
            raise ConfigurationError(f"{path}: {section} is a value, not a section")
        tree = child
    if SECRETS.fullmatch(path):
        tree[name] = value  # as it stands: a key of digits is no number
        return
    try:
        tree[name] = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        tree[name] = value  # a bare word: `--set speech.recogniser=vosk`


def _refuse_secrets(source: str, paths: Iterable[str]) -> None:
    for path in filter(SECRETS.fullmatch, paths):
        raise ConfigurationError(f"{source}: {path} is a secret; set {environment_name(path)} in the environment")


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
        got = "" if SECRETS.fullmatch(where) else f" (got {first['input']!r})"
        raise ConfigurationError(f"{where}: {first['msg']}{got}") from error
