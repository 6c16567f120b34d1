"""sipp as it plays a `Script`: at an address of its own, calling or called."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from tests.e2e.flows.flow import HOST_SIX, NAME, Place
from tests.e2e.flows.script import Script
from tests.e2e.test_sip_peers import SIPP_PORT, listening, sipp
from voice.wire.sip.dialog import bracketed

_ERRORS = ("-trace_err", "-error_file", "errors.log")
SOCKETS = {"UDP": ("-t", "u1"), "TCP": ("-t", "t1"), "a TCP connection each": ("-t", "tn", "-max_socket", "20")}


async def calls(
    place: Place, script: Script, address: str, dials: str = "echo", by: str = "UDP", number: int = 1, signed: str = ""
) -> None:
    """sipp calls `address`, `number` times at once. With a password (`signed`) its own address is not listed."""
    login = ("-au", NAME, "-ap", signed) if signed else ()
    path = place.file("caller.xml", str(script))
    how = (*_ERRORS, *SOCKETS[by], *login, "-s", dials, "-m", str(number), "-r", str(number), "-sf", path, address)
    if address.startswith("["):
        await sipp(place.folder, *how, host=HOST_SIX, port=place.port, media=place.port + 2)
    else:
        await sipp(place.folder, *how, host=place.stranger if signed else place.host())


def phones(
    script: Script, *, dials: str = "echo", by: str = "UDP", number: int = 1, signed: str = "", leaves: bool = False
) -> Callable[[Place], Awaitable[None]]:
    """sipp calls the node, or the callee who leaves."""

    async def run(place: Place) -> None:
        await calls(place, script, (place.leaver if leaves else place.node)["UDP"], dials, by, number, signed)

    return run


@asynccontextmanager
async def called(
    place: Place, script: Script, which: int = 1, by: str = "UDP", *, six: bool = False
) -> AsyncIterator[str]:
    """sipp waits for one call at the address it yields, and must be content with it by the end of the block."""
    host, port = (HOST_SIX, place.port) if six else (place.host(which), SIPP_PORT)
    path = place.file(f"callee{which}.xml", str(script))
    how = (*_ERRORS, *SOCKETS[by], "-m", "1", "-sf", path)
    async with asyncio.TaskGroup() as tasks:
        callee = tasks.create_task(sipp(place.folder, *how, host=host, port=port, media=port + 2))
        await listening(port, "udp" if by == "UDP" else "tcp", host)
        yield f"{bracketed(host)}:{port}"
        await callee
