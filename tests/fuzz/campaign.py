"""A campaign in a process of its own, and what came of it."""

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """`fault` is what the fuzzer said when it found something, empty when it did not."""

    inputs: int
    slowest_ms: float
    seconds: float
    fault: str = ""


def run(target: str, inputs: int) -> Outcome:
    """Try `inputs` on the `target` of that name."""
    started_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        command = (sys.executable, "-m", "tests.fuzz", target, str(inputs), folder)
        ran = subprocess.run(command, capture_output=True, text=True)
    seconds = time.monotonic() - started_s
    if ran.returncode != 0:
        return Outcome(0, 0.0, seconds, ran.stdout[-2_000:] + ran.stderr[-4_000:])
    told = json.loads(ran.stdout.splitlines()[-1])
    return Outcome(told["inputs"], told["slowest_ms"], seconds)
