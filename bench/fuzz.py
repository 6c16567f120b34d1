"""A million made-up inputs for each parser of what strangers send: what it raises, and how long it takes at most.

Each parser has a process of its own, one after another; the inputs are led by coverage (tests/fuzz).
"""

import argparse
import sys

from bench.figures import Figure
from tests.fuzz.campaign import run as run_campaign
from tests.fuzz.targets import TARGETS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this bench."""
    parser.add_argument("--inputs", type=int, default=1_000_000, help="how many for each")
    parser.add_argument("--targets", nargs="*", choices=TARGETS, default=list(TARGETS), help="which; default: all")


def run(options: argparse.Namespace) -> list[Figure]:
    """A campaign for each target."""
    figures: list[Figure] = []
    for name in options.targets:
        outcome = run_campaign(name, options.inputs)
        if outcome.fault:
            print(outcome.fault, file=sys.stderr)
        figures += [
            Figure(f"{name}.inputs", outcome.inputs, "inputs", f">= {options.inputs}"),
            Figure(f"{name}.faults", 1 if outcome.fault else 0, "inputs", "<= 0"),
            Figure(f"{name}.slowest", outcome.slowest_ms, "ms", "< 50"),
            Figure(f"{name}.rate", outcome.inputs / outcome.seconds, "inputs a second"),
        ]
    return figures
