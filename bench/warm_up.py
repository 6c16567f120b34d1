"""How soon the media engine is ready, its kernels in the cache: a process that imports and starts it.

Twice in turn, and the second counts: the first may still compile, and writes Python's own bytecode, into a folder that
is thrown away. `cpu` is processor time, which a busy machine changes little.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

from bench.figures import ROOT, Figure

MUST_S = "<= 3"

_CHILD = """
import time
begun, cpu = time.monotonic(), time.process_time()
import asyncio, json
import numba
numba_s = time.process_time() - cpu
from voice.media.plane import MediaPlane
import_s = time.process_time() - cpu
async def main():
    plane = MediaPlane(asyncio.get_running_loop(), capacity=1_000)
    plane.start()
    print(json.dumps([time.monotonic() - begun, time.process_time() - cpu, numba_s, import_s]))
    await plane.close()
asyncio.run(main())
"""


def run(options: argparse.Namespace) -> list[Figure]:
    """For 1,000 calls."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = folder
        for _ in range(2):
            command = [sys.executable, "-c", _CHILD]
            done = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    wall_s, cpu_s, numba_s, import_s = json.loads(done.stdout)
    return [
        Figure("ready", round(wall_s, 2), "s", MUST_S),
        Figure("ready.cpu", round(cpu_s, 2), "CPU s", MUST_S),
        Figure("import_numba.cpu", round(numba_s, 2), "CPU s"),
        Figure("import_engine.cpu", round(import_s - numba_s, 2), "CPU s"),
        Figure("start.cpu", round(cpu_s - import_s, 2), "CPU s"),
    ]
