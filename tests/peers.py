"""Real programs used as test peers: Debian's sipp, baresip, chromium, ... Absent ones skip by name, except in CI."""

import asyncio
import os
import shutil
import subprocess
from typing import NoReturn

import psutil
import pytest

PATIENCE_S = 10.0
"""For a peer to end by itself. Kamailio, asked to, now and then waits for ever for a child of its own."""


def peer(program: str, package: str) -> str:
    """Path of `program`; without it the test is skipped, naming the Debian package, and in CI it fails."""
    return shutil.which(program) or absent(program, f"Debian package {package}")


def absent(name: str, remedy: str) -> NoReturn:
    """Skip the test, or in CI fail it: CI installs every peer, so a missing one there is a fault of the set-up."""
    message = f"test peer {name} is not installed ({remedy})"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ask a peer to end; one that does not in time is killed, with its children."""
    process.terminate()
    try:
        process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        _kill(process.pid)
        process.wait(PATIENCE_S)


async def stopped(process: asyncio.subprocess.Process) -> None:
    """The same, for a peer that a loop started."""
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), PATIENCE_S)
    except TimeoutError:
        _kill(process.pid)
        await asyncio.wait_for(process.wait(), PATIENCE_S)


def _kill(pid: int) -> None:
    parent = psutil.Process(pid)
    for process in (*parent.children(recursive=True), parent):
        process.kill()
