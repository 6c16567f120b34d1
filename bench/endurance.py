"""Two SIP endpoints that may do anything at any time, on a bad link: 100,000 steps, and nothing may be left of them.

What is held is said in tests/voice/wire/sip/test_endurance.py: nothing raises, each call ends once at either side, and
nothing is left when all is over.
"""

import argparse
import time

from bench.figures import Figure
from tests.voice.wire.sip.test_endurance import Endurance, endure

STEPS = 100_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this bench."""
    parser.add_argument("--steps", type=int, default=STEPS, help="how many at least")


def run(options: argparse.Namespace) -> list[Figure]:
    """One long run, other steps each time. Raises what an endpoint raised, or AssertionError for what was not held."""
    before_s = time.process_time()
    endure(options.steps, by_chance=True)
    return [
        Figure("steps", Endurance.steps, "steps", f">= {options.steps}"),
        Figure("calls", Endurance.seen["InviteReceived"], "calls"),
        Figure("events", sum(Endurance.seen.values()), "events"),
        Figure("cpu", time.process_time() - before_s, "CPU s"),
    ]
