"""The bots that answer: built from the settings, with what each of them leans on."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

import structlog

from dialog.bot.customers import open_customers
from dialog.engines.keypad import KeypadEngine
from dialog.engines.rasa import RasaEngine
from dialog.engines.rasa_server import ExternalRasa, RasaAddress, RasaServer
from dialog.engines.training import PROJECT, Model, rasa_python, train
from dialog.errors import ConfigurationError, EngineError, NotReady
from dialog.gates import Gate
from dialog.ports import DialogEngine
from dialog.session import FailureListener, FallbackEngine
from voice.config import DialogSettings
from voice.speech.models import cache_dir

log = structlog.get_logger("bots")

GROUP = "centralino.dialogs"

Say = Callable[[str], None]
"""Tells whoever started the node one line."""


def check_engine(name: str) -> None:
    """Raise ConfigurationError for a bot that nobody knows; before anything heavy is loaded."""
    if name not in ("rasa", "keypad") and not entry_points(group=GROUP, name=name):
        raise ConfigurationError(f"dialog.engine: no bot is called {name!r}; known are rasa, keypad and plug-ins")


def models_folder() -> Path:
    """Where trained bots are kept, named by all that they are made of."""
    return cache_dir() / "bots"


@dataclass(frozen=True, slots=True)
class Bots:
    """`engines` by name; Rasa without its stand-in, and its child, where there are such."""

    engines: dict[str, DialogEngine]
    rasa: RasaEngine | None = None
    server: RasaServer | None = None

    async def close(self) -> None:
        for engine in self.engines.values():
            await engine.close()


async def open_bots(
    settings: DialogSettings, data: Path, tasks: asyncio.TaskGroup, failed: FailureListener, say: Say
) -> Bots:
    """Build the bots, and start Rasa where one is wanted and can be had.

    Without Rasa's environment the keypad bot answers in its place, and `say` is told so: a node that can take calls
    takes them. Raises ConfigurationError for an engine that nobody knows.
    """
    customers_at = settings.customers_url or str(data / "customers.sqlite")
    keypad = KeypadEngine(open_customers(customers_at))
    engines: dict[str, DialogEngine] = {"keypad": keypad, "helpdesk": keypad}
    if settings.engine == "keypad":
        return Bots(engines)
    if settings.engine != "rasa":
        engines["helpdesk"] = FallbackEngine(_plug_in(settings.engine), keypad, failed)
        return Bots(engines)
    limit_s = settings.reply_limit_ms / 1000
    if settings.rasa_url:
        external = ExternalRasa(RasaAddress(settings.rasa_url, settings.rasa_token.get_secret_value()))
        rasa = RasaEngine(external, limit_s=limit_s)
        engines["helpdesk"] = FallbackEngine(rasa, keypad, failed)
        return Bots(engines, rasa)
    project = settings.project or PROJECT
    try:
        if not rasa_python().exists():
            raise NotReady(f"Rasa's environment is missing ({rasa_python()}): run `make setup`")
        model = await asyncio.to_thread(train, project, models_folder(), None, say)
    except NotReady as error:
        say(f"{error}. Until then the keypad bot answers.")
        return Bots(engines)
    server = RasaServer(project, model, rasa_python(), customers=customers_at, on_change=_tell_change)
    tasks.create_task(server.run(), name="rasa")
    try:
        await server.wait_up()
    except EngineError as error:
        say(f"Rasa is not up ({error}). Until it is, the keypad bot answers.")
    rasa = RasaEngine(server, Gate(Model(model).words), limit_s=limit_s)
    engines["helpdesk"] = FallbackEngine(rasa, keypad, failed)
    return Bots(engines, rasa, server)


def _tell_change(up: bool) -> None:
    if up:
        log.info("rasa up")
    else:
        log.warning("rasa lost: the keypad bot answers until it is up again")


def _plug_in(name: str) -> DialogEngine:
    check_engine(name)
    engine: DialogEngine = next(iter(entry_points(group=GROUP, name=name))).load()()
    return engine
