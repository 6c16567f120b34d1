"""`centralino check` as an operator runs it."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.timeout(240)


def test_all_that_a_call_needs_is_tried_and_good() -> None:
    command = [sys.executable, "-c", "from voice.cli import main; main()", "check", "--json"]
    anywhere = ["--set=sip.port=0", "--set=web.port=0"]
    done = subprocess.run([*command, *anywhere], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    verdicts = {verdict["name"]: verdict["detail"] for verdict in json.loads(done.stdout)}
    assert list(verdicts) == ["ports", "models", "rasa", "audio"]
    assert verdicts["rasa"].startswith("answered a turn in ")
    assert "help you" in verdicts["audio"]
