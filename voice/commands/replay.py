"""`centralino replay`: a recording calls a node of its own, in real time, and the journal is printed."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

import typer

from voice.app import open_node
from voice.caller import open_caller
from voice.commands.call import read_audio
from voice.config import Settings
from voice.ports import Pcm

SETTLE_S = 1.0
"""Time for the last records to reach the store."""


def private(settings: Settings, folder: Path) -> Settings:
    """The same settings on free loopback ports and a folder of its own: nothing of a running node is touched."""
    loopback = {"host": "127.0.0.1", "port": 0, "advertised": None}
    sip_ports = {"tcp": bool(settings.sip.tcp), "tls_port": 0}
    changes = {
        "bots": {"echo": "echo", "*": settings.bots.get("*", "helpdesk")},
        "sip": settings.sip.model_copy(update=loopback | {"peers": ("127.0.0.0/8",), "trunks": {}} | sip_ports),
        "web": settings.web.model_copy(update=loopback | {"certificate": None}),
        "media": settings.media.model_copy(update={"host": None, "advertised": None}),
        "record": settings.record.model_copy(update={"folder": folder}),
        "webhook": settings.webhook.model_copy(update={"url": ""}),
    }
    return settings.model_copy(update=changes)


def replay(file: Path, settings: Settings) -> None:
    """Print the journal of the call that `file` makes."""
    pcm = read_audio(file)
    with TemporaryDirectory() as folder:
        asyncio.run(_replay(pcm, private(settings, Path(folder))))


async def _replay(pcm: Pcm, settings: Settings) -> None:
    async with open_node(settings, lambda line: typer.echo(line, err=True)) as node, open_caller() as caller:
        line = await caller.dial(f"sip:replay@127.0.0.1:{node.sip.port}")
        await line.say(pcm)
        await line.until_quiet()
        line.hang_up()
        await line.ended
        await asyncio.sleep(SETTLE_S)
        (head,) = await node.store.calls(limit=1)
        for record in await node.store.journal(head.call_id):
            typer.echo(record.model_dump_json())
