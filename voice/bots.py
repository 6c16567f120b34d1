"""The bots that answer: built from the settings, with what each of them leans on."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import structlog

from dialog.bot.customers import open_customers
from dialog.bot.phrases import fixed
from dialog.engines.keypad import KeypadEngine
from dialog.engines.rasa import RasaEngine
from dialog.engines.rasa_server import ExternalRasa, RasaAddress, RasaServer
from dialog.engines.training import PROJECT, Model, rasa_python, train
from dialog.errors import ConfigurationError, EngineError, NotReady
from dialog.gates import Gate
from dialog.ports import DialogEngine
from dialog.session import FailureListener, FallbackEngine
from voice.plug_ins import find_plug_in, load_plug_in
from voice.settings.sections import DialogSettings
from voice.speech.models import cache_dir

log = structlog.get_logger("bots")

GROUP = "centralino.dialogs"

Say = Callable[[str], None]
"""Tells whoever started the node one line."""


def check_engine(name: str) -> None:
    """Raise ConfigurationError for a bot that nobody knows, or that cannot be imported; before anything heavy is
    loaded."""
    if name not in ("rasa", "keypad"):
        _plug_in(name)


def models_folder() -> Path:
    """Where trained bots are kept, named by all that they are made of."""
    return cache_dir() / "bots"


@dataclass(frozen=True, slots=True)
class Bots:
    """`engines` by name, the `prompts` they are sure to say; Rasa without its stand-in, and its child, where there are
    such."""

    engines: dict[str, DialogEngine]
    prompts: tuple[str, ...] = ()
    rasa: RasaEngine | None = None
    server: RasaServer | None = None

    async def close(self) -> None:
        for engine in self.engines.values():
            await engine.close()


async def open_bots(
    settings: DialogSettings, data: Path, tasks: asyncio.TaskGroup, failed: FailureListener, say: Say, *, people: bool
) -> Bots:
    """Build the bots, and start Rasa where one is wanted and can be had. `people`: there is a desk to hand over to.

    Without Rasa's environment the keypad bot answers in the place of the packaged help desk, and `say` is told so: a
    node that can take calls takes them. Raises ConfigurationError for an engine that nobody knows, NotReady where Rasa
    is missing and nobody can take its place.
    """
    customers_at = settings.customers_url or str(data / "customers.sqlite")
    keypad = KeypadEngine(open_customers(customers_at), people=people)

    def bots(engine: DialogEngine, rasa: RasaEngine | None = None, server: RasaServer | None = None) -> Bots:
        if settings.stands_alone:
            return Bots({"keypad": keypad, "helpdesk": engine}, (), rasa, server)
        return Bots({"keypad": keypad, "helpdesk": FallbackEngine(engine, keypad, failed)}, fixed(), rasa, server)

    only_keypad = Bots({"keypad": keypad, "helpdesk": keypad}, fixed())
    if settings.engine == "keypad":
        return only_keypad
    if settings.engine != "rasa":
        return bots(_plug_in(settings.engine)())
    limit_s = settings.reply_limit_ms / 1000
    if settings.rasa_url:
        external = ExternalRasa(RasaAddress(settings.rasa_url, settings.rasa_token.get_secret_value()))
        rasa = RasaEngine(external, limit_s=limit_s)
        return bots(rasa, rasa)
    project = settings.project or PROJECT
    try:
        if not rasa_python().exists():
            raise NotReady(f"Rasa's environment is missing ({rasa_python()}): run `make setup`")
        model = await asyncio.to_thread(train, project, models_folder(), None, say)
    except NotReady as error:
        if settings.stands_alone:
            raise
        say(f"{error}. Until then the keypad bot answers.")
        return only_keypad
    server = RasaServer(project, model, rasa_python(), customers=customers_at, people=people, on_change=_tell_change)
    tasks.create_task(server.run(), name="rasa")
    try:
        await server.wait_up()
    except EngineError as error:
        instead = "callers hear an apology" if settings.stands_alone else "the keypad bot answers"
        say(f"Rasa is not up ({error}). Until it is, {instead}.")
    rasa = RasaEngine(server, Gate(Model(model).words), limit_s=limit_s)
    return bots(rasa, rasa, server)


def _tell_change(up: bool) -> None:
    if up:
        log.info("rasa up")
    else:
        log.warning("rasa lost")


def _plug_in(name: str) -> Callable[[], DialogEngine]:
    found = find_plug_in(GROUP, name)
    if found is None:
        raise ConfigurationError(f"dialog.engine: no bot is called {name!r}; known are rasa, keypad and plug-ins")
    return cast(Callable[[], DialogEngine], load_plug_in(found, "dialog.engine"))
