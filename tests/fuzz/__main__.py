"""python -m tests.fuzz TARGET INPUTS FOLDER: one campaign, in a process of its own, as libFuzzer wants it.

The last line of standard output is a JSON object. A parser that raises what it must not, or takes too long over an
input, ends the process; the input stays in FOLDER.
"""

import json
import os
import resource
import sys
import time
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["voice.wire", "sipmessage"]):
    from tests.fuzz.targets import TARGETS

LIMIT_S = 0.05
LONGEST = 8_192
"""Octets of an input. Longer ones have tests of their own: there is nothing to find out about them by chance."""
MEMORY = 2 * 2**30
"""Octets of address space: a parser that wants more raises MemoryError. libFuzzer's own bound reads the highest memory
that was ever in use, in which Linux counts what the process that began this one had used before."""


class Campaign:
    """Calls a parser with each input, counts, and measures."""

    def __init__(self, name: str, inputs: int) -> None:
        self._target = TARGETS[name]
        self._left = inputs
        self._inputs = inputs
        self._refused = 0
        self._slowest_s = 0.0

    def __call__(self, data: bytes) -> None:
        """One input. Raises what the parser must not; AssertionError when it is slow whenever it is tried."""
        taken_s = self._time(data)
        if taken_s > LIMIT_S:  # or a collection came in between
            taken_s = min(self._time(data) for _ in range(3))
            assert taken_s < LIMIT_S, f"{taken_s * 1000:.0f} ms over {len(data)} octets"
        self._slowest_s = max(self._slowest_s, taken_s)
        self._left -= 1
        if not self._left:
            self._report()

    def _time(self, data: bytes) -> float:
        before_s = time.thread_time()
        try:
            self._target.parse(data)
        except self._target.refuses:
            self._refused += 1
        return time.thread_time() - before_s

    def _report(self) -> None:
        outcome = {"inputs": self._inputs, "refused": self._refused, "slowest_ms": self._slowest_s * 1000}
        sys.stdout.write(json.dumps(outcome) + "\n")
        sys.stdout.flush()
        os._exit(0)  # libFuzzer never gives control back


def main(name: str, inputs: int, folder: Path) -> None:
    """Fuzz until `inputs` have been tried."""
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(TARGETS[name].seeds()):
        (corpus / f"{number}").write_bytes(seed)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    reports = ("-verbosity=0", "-print_final_stats=0", f"-artifact_prefix={folder}/")
    options = (f"-max_len={LONGEST}", "-seed=1", "-rss_limit_mb=0", *reports)
    atheris.Setup([sys.argv[0], *options, str(corpus)], Campaign(name, inputs))
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
