"""A real TURN server, Debian's coturn, on loopback, for as long as a test needs one."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

from tests.peers import peer, stopped

_STARTS_S = 10.0


@contextlib.asynccontextmanager
async def turn_server(*credentials: str, tls: tuple[Path, Path] | None = None) -> AsyncIterator[int]:
    """Its port, for UDP and TCP, and with `tls` (chain, key) for TLS as well. `credentials`: coturn's options, such as
    `--user=NAME:PASSWORD` or `--static-auth-secret=SECRET`."""
    port = _free_port()
    secure = ["--no-tls", "--no-dtls"] if tls is None else [f"--cert={tls[0]}", f"--pkey={tls[1]}", "--no-dtls"]
    process = await asyncio.create_subprocess_exec(
        peer("turnserver", "coturn"),
        *("-n", "--no-cli", "--realm=centralino.test", "--lt-cred-mech", "--allow-loopback-peers"),
        *(
            "--listening-ip=127.0.0.1",
            "--relay-ip=127.0.0.1",
            f"--listening-port={port}",
            f"--tls-listening-port={port}",
        ),
        *("--log-file=stdout", "--pidfile=/dev/null", "--simple-log"),
        *secure,
        *credentials,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await _listening(port)
        yield port
    finally:
        await stopped(process)


async def _listening(port: int) -> None:
    async with asyncio.timeout(_STARTS_S):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
