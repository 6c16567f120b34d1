"""`centralino check`: tries what a call needs, one thing at a time, and gives a verdict on each."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import typer
from rich.console import Console

from dialog.engines.training import rasa_python
from dialog.errors import CentralinoError
from voice.addresses import check_addresses
from voice.app import open_node
from voice.caller import open_caller
from voice.commands.call import read_back
from voice.commands.replay import private
from voice.config import Settings
from voice.ports import RATE_HZ
from voice.speech.models import list_models

TONE_HZ = 440
LOUD = 2_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """One thing that was tried. `detail` says what was found, or what is wrong and the remedy."""

    name: str
    good: bool
    detail: str


def check(settings: Settings, *, as_json: bool) -> bool:
    """Print a verdict each; whether all are good."""
    verdicts = asyncio.run(_check(settings))
    if as_json:
        typer.echo(json.dumps([asdict(verdict) for verdict in verdicts]))
    else:
        console = Console(highlight=False)
        for verdict in verdicts:
            console.print(f"{'[green]good[/]' if verdict.good else '[red]BAD [/]'}  {verdict.name:7} {verdict.detail}")
    return all(verdict.good for verdict in verdicts)


async def _check(settings: Settings) -> list[Verdict]:
    trials: tuple[tuple[str, Callable[[Settings], Awaitable[str]]], ...] = (
        ("ports", _ports),
        ("models", _models),
        ("rasa", _rasa),
        ("audio", _audio),
    )
    verdicts = []
    for name, trial in trials:
        try:
            verdicts.append(Verdict(name, True, await trial(settings)))
        except (CentralinoError, OSError) as error:
            verdicts.append(Verdict(name, False, str(error)))
    return verdicts


async def _ports(settings: Settings) -> str:
    check_addresses(settings)
    return f"SIP {settings.sip.host}:{settings.sip.port} and web {settings.web.host}:{settings.web.port} are free"


async def _models(settings: Settings) -> str:
    if settings.speech.recogniser != "moonshine":
        return f"{settings.speech.recogniser} is tried with the audio path"
    models = [model for model in await asyncio.to_thread(list_models, full=True) if model.name.startswith("moonshine")]
    for model in models:
        if model.state != "ready":
            raise OSError(f"{model.name} is {model.state}: run `make setup`")
    return ", ".join(model.name for model in models) + ": every file is the one we know"


async def _rasa(settings: Settings) -> str:
    if settings.dialog.engine != "rasa":
        return f"not wanted (dialog.engine is {settings.dialog.engine})"
    if settings.dialog.rasa_url:
        return f"external, at {settings.dialog.rasa_url}"
    if not rasa_python().exists():
        instead = "no call can be taken" if settings.dialog.stands_alone else "the keypad bot answers"
        raise OSError(f"its environment is missing ({rasa_python()}): run `make setup`; until then {instead}")
    return f"environment at {rasa_python().parents[1]}"


async def _audio(settings: Settings) -> str:
    """A node of its own is called: the echo number for the delay, the bot for its greeting."""
    tone = (8_000 * np.sin(2 * np.pi * TONE_HZ * np.arange(RATE_HZ // 2) / RATE_HZ)).astype(np.int16)
    with TemporaryDirectory() as folder:
        async with open_node(private(settings, Path(folder))) as node, open_caller() as caller:
            line = await caller.dial(f"sip:echo@127.0.0.1:{node.sip.port}")
            await line.wait(200)
            start_ms = line.now_ms
            await line.say(tone)
            await line.wait(400)
            loud = np.abs(line.heard_between(start_ms)) > LOUD
            line.hang_up()
            if not loud.any():
                raise OSError("the echo number gives nothing back")
            delay_ms = int(loud.argmax()) * 1000 // RATE_HZ
            line = await caller.dial(f"sip:check@127.0.0.1:{node.sip.port}")
            await line.until_quiet()
            greeting = await read_back(node.speech.ears, line.heard_between(0))
            line.hang_up()
    return f'echo after {delay_ms} ms; the bot says "{greeting}"'
