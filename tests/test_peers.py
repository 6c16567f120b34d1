"""Peers are ended, those too that do not want to."""

import asyncio
import subprocess
import sys

import pytest

from tests import peers

STUBBORN = (
    "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); print(flush=True); time.sleep(60)"
)


async def test_a_peer_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "PATIENCE_S", 0.5)
    arguments = (sys.executable, "-c", STUBBORN)
    ours = await asyncio.create_subprocess_exec(*arguments, stdout=subprocess.PIPE)
    assert ours.stdout is not None
    await ours.stdout.readline()
    await peers.stopped(ours)
    assert ours.returncode == -9


def test_so_is_one_that_no_loop_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "PATIENCE_S", 0.5)
    with subprocess.Popen((sys.executable, "-c", STUBBORN), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        peers.stop(process)
        assert process.returncode == -9
