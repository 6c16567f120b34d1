"""`centralino check`: tries what a call needs, one thing at a time, and gives a verdict on each."""

import asyncio
import json
import time
from collections.abc import Awaitable
from dataclasses import asdict, dataclass
from pathlib import Path
from random import SystemRandom
from tempfile import TemporaryDirectory

import numpy as np
import typer
from rich.console import Console
from rich.markup import escape

from dialog.engines.rasa import RasaEngine
from dialog.engines.training import rasa_python
from dialog.errors import CentralinoError, NotReady
from dialog.ports import HungUp, SessionOpened
from voice.addresses import check_addresses
from voice.app import Node, open_node
from voice.caller import open_caller
from voice.commands.call import read_back
from voice.commands.replay import private
from voice.config import Settings
from voice.net.certificate import trusted
from voice.net.sip_agent import SipAgent
from voice.net.sip_streams import StreamSettings
from voice.ports import RATE_HZ
from voice.settings.sections import DialogSettings
from voice.speech.models import list_models
from voice.tasks import sole_error
from voice.trunks import Trunks
from voice.wire.sip.events import SipEvent

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
        console = Console(highlight=False, soft_wrap=True)
        for verdict in verdicts:
            sign = "[green]good[/]" if verdict.good else "[red]BAD [/]"
            console.print(f"{sign}  {verdict.name:7} {escape(verdict.detail)}")
    return all(verdict.good for verdict in verdicts)


async def _check(settings: Settings) -> list[Verdict]:
    """First what needs no node, then a node of its own, in which the rest is tried."""
    verdicts = [await _try("ports", _ports(settings)), await _try("models", _models(settings))]
    verdicts += [
        await _try(f"trunk {name}", ask_trunk(settings, name))
        for name, trunk in settings.sip.trunks.items()
        if trunk.proxy
    ]
    try:
        with TemporaryDirectory() as folder:
            async with open_node(private(settings, Path(folder))) as node:
                verdicts.append(await _try("rasa", ask_rasa(settings.dialog, node.rasa)))
                verdicts.append(await _try("audio", _audio(node)))
    except (CentralinoError, OSError) as error:
        verdicts.append(Verdict("node", False, str(error)))
    return verdicts


async def _try(name: str, trial: Awaitable[str]) -> Verdict:
    try:
        return Verdict(name, True, await trial)
    except (CentralinoError, OSError) as error:
        return Verdict(name, False, str(error))


async def _ports(settings: Settings) -> str:
    check_addresses(settings)
    sip = settings.sip
    more = "".join(f", {way} {port}" for way, port in (("TCP", sip.tcp_port), ("TLS", sip.tls_port)) if port)
    return f"SIP {sip.host} (UDP {sip.port}{more}) and web {settings.web.host}:{settings.web.port} are free"


async def _models(settings: Settings) -> str:
    if settings.speech.recogniser != "moonshine":
        return f"{settings.speech.recogniser} is tried with the audio path"
    models = [model for model in await asyncio.to_thread(list_models, full=True) if model.name.startswith("moonshine")]
    for model in models:
        if model.state != "ready":
            raise OSError(f"{model.name} is {model.state}: run `make setup`")
    return ", ".join(model.name for model in models) + ": every file is the one we know"


async def ask_trunk(settings: Settings, name: str) -> str:
    """A trunk is asked from a port of its own, by one who only wants to know: a node that runs is not disturbed."""
    sip, trunks = settings.sip, Trunks(settings)
    agent = SipAgent(
        _Nobody(),
        trunks.allows,
        advertised=sip.advertised or "",
        told=trunks.signalling_host,
        streams=StreamSettings(trusted=trusted(sip.authorities)),
    )
    trunks.reach(agent, SystemRandom().random)
    link = trunks.link(name)
    assert link is not None, "it has a proxy"
    with sole_error():
        async with asyncio.TaskGroup() as tasks:
            await agent.start(sip.host, 0, tasks)
            try:
                return await link.prove()
            finally:
                await agent.close()


class _Nobody:
    """Who looks whether a trunk is there takes no calls of it."""

    async def on_event(self, event: SipEvent) -> None: ...


async def ask_rasa(settings: DialogSettings, rasa: RasaEngine | None) -> str:
    """The first turn of a call is put to Rasa itself, which no keypad bot stands in for here."""
    if settings.engine != "rasa":
        return f"not wanted (dialog.engine is {settings.engine})"
    if rasa is None:
        instead = "no call can be taken" if settings.stands_alone else "the keypad bot answers"
        raise NotReady(f"its environment is missing ({rasa_python()}): run `make setup`; until then {instead}")
    began = time.monotonic()
    await rasa.respond("check", SessionOpened(caller="check", dialled="check", transport="sip", recorded=False))
    took_ms = round((time.monotonic() - began) * 1000)
    await rasa.respond("check", HungUp())
    where = f"external, at {settings.rasa_url}: " if settings.rasa_url else ""
    return f"{where}answered a turn in {took_ms} ms"


async def _audio(node: Node) -> str:
    """The node is called: the echo number for the delay, the bot for its greeting."""
    tone = (8_000 * np.sin(2 * np.pi * TONE_HZ * np.arange(RATE_HZ // 2) / RATE_HZ)).astype(np.int16)
    async with open_caller() as caller:
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
