"""`centralino serve`: a node until it is told to stop."""

import asyncio
import gc
import signal

import uvloop
from rich.console import Console

from voice.app import Node, open_node
from voice.config import Settings
from voice.observe import configure_logging


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
        _greet(node, console)
        await stop.wait()
        console.print(f"stopping: waiting for {node.calls.live} calls (again to end them)")
    finally:
        await context.__aexit__(None, None, None)


def _greet(node: Node, console: Console) -> None:
    settings = node.settings
    sip = f"sip:100@{settings.sip_advertised}" + (f":{node.sip.port}" if node.sip.port != 5060 else "")
    console.print(f"\nCentralino is ready.\n  phone   {sip}  (echo test: {sip.replace('100@', 'echo@')})")
    ways = [f"{transport} {port}" for transport, port in node.sip.stream_ports.items()]
    if ways:
        console.print(f"  also    {', '.join(ways)}")
    console.print(f"  browser {node.web_url}\n  calls   {node.web_url}calls")
    if node.first_password is not None:
        console.print(f"  sign in as admin with {node.first_password}  (shown this once)")
    if settings.sip.host.startswith("127."):
        console.print("  Only this machine can call: --set sip.host=ADDRESS and --set web.host=ADDRESS open it.")
