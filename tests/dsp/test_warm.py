"""After `warm()` nothing compiles; with a warm cache, nothing compiles at all."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dsp.warm import warm

ROOT = Path(__file__).parents[2]


def probe(cache: Path) -> dict[str, list[object]]:
    """Run the probe in a fresh process with numba's cache in `cache`."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.dsp.warm_probe"],
        cwd=ROOT,
        env={**os.environ, "NUMBA_CACHE_DIR": str(cache)},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, list[object]] = json.loads(done.stdout)
    return found


@pytest.mark.timeout(240)
def test_nothing_compiles_after_warm_and_nothing_at_all_from_a_warm_cache(tmp_path: Path) -> None:
    cold, again = probe(tmp_path), probe(tmp_path)
    assert len(cold["during"]) > 10  # the listener does hear compilations
    assert cold["after"] == []
    assert again["during"] == []
    assert again["after"] == []


def test_progress_counts_every_module_that_has_kernels() -> None:
    modules = {path.stem for path in (ROOT / "dsp").glob("*.py") if "@kernel(" in path.read_text()}
    total = len(modules) - 1  # kernel.py's own check runs with every other
    steps: list[tuple[str, int, int]] = []
    warm(lambda name, done, of: steps.append((name, done, of)))
    assert {name for name, _, _ in steps} == modules - {"kernel"}
    assert [done for _, done, _ in steps] == list(range(1, total + 1))
    assert {of for _, _, of in steps} == {total}
