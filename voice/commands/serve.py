"""`centralino serve`: a node until it is told to stop."""

import asyncio
import gc
import signal
import sys
from collections.abc import Mapping
from ipaddress import ip_address

import uvloop
from rich.console import Console

from voice.app import open_node
from voice.config import Settings
from voice.observe import configure_logging
from voice.wire.sip.dialog import bracketed


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; live calls are waited for. A second signal ends them."""
    configure_logging(as_json=settings.log.json_lines, with_pii=settings.log.pii)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    console = Console(highlight=False, soft_wrap=True)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    with console.status("starting") as status:
        context = open_node(settings, lambda line: status.update(line) if console.is_terminal else console.print(line))
        node = await context.__aenter__()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, lambda: node.calls.end_all() if stop.is_set() else stop.set())
    try:
        # What start-up made stays for good: a full collection over it would hold the loop for a third of a second.
        gc.collect()
        gc.freeze()
        node.lag.forgive()
        console.print(
            *greeting(node.settings, node.sip.port, node.sip.stream_ports, node.web_url, node.first_password), sep="\n"
        )
        await stop.wait()
        console.print(parting(node.calls.live))
    finally:
        await context.__aexit__(None, None, None)


def parting(live: int) -> str:
    """What is waited for when the node is told to stop."""
    if not live:
        return "stopping"
    what, end = ("1 call", "it") if live == 1 else (f"{live} calls", "them")
    return f"stopping: waiting for {what} (again to end {end})"


def greeting(
    settings: Settings,
    sip_port: int,
    stream_ports: Mapping[str, int],
    web_url: str,
    first_password: str | None,
    command: str = sys.argv[0],
) -> list[str]:
    """Where to go, a line each; `command` is how this program was called."""
    sip = f"sip:100@{bracketed(settings.sip_advertised)}" + (f":{sip_port}" if sip_port != 5060 else "")
    lines = [
        "",
        "Centralino is ready.",
        f"  phone   {sip}",
        *([f"  also    {', '.join(f'{name} {port}' for name, port in stream_ports.items())}"] if stream_ports else []),
        f"  browser {web_url}",
        f"  calls   {web_url}calls",
    ]
    if settings.desk.queue:
        lines.append(f"  desk    {web_url}agent  (take calls as a person; `{command} users add NAME` makes an agent)")
    if first_password is not None:
        lines.append(f"  sign in as admin with {first_password}  (shown this once)")
    if ip_address(settings.sip.host).is_loopback:
        lines.append("  Only this machine can call: --set sip.host=ADDRESS and --set web.host=ADDRESS open it.")
    return lines
