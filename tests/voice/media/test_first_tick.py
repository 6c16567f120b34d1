"""The first tick after start is as fast as the thousandth."""

import json
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
PERIOD_MS = 20.0


def test_nothing_is_left_for_the_first_call_to_pay() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.voice.media.first_tick_probe"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    took = found["took"]
    assert found["compiled"] == []
    assert len(took) == 1_000
    usual = statistics.median(took)
    assert took[0] < 10 * usual, f"{took[0]:.1f} ms, and {usual:.1f} from then on"
    assert max(took[:100]) < PERIOD_MS
