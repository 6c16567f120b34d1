"""20,000 inputs for each parser: no error but its own, and none that takes over 50 ms."""

import importlib.util
import os

import pytest

from tests.fuzz.campaign import run
from tests.fuzz.targets import TARGETS

INPUTS = 20_000

pytestmark = pytest.mark.timeout(180)


@pytest.mark.parametrize("target", TARGETS)
def test_campaign(target: str) -> None:
    if importlib.util.find_spec("atheris") is None:
        message = "the fuzzer atheris is not installed: there is none for this Python"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    outcome = run(target, INPUTS)
    assert outcome.fault == ""
    assert outcome.inputs == INPUTS
