"""Real programs used as test peers: Debian's sipp, baresip, chromium, ... Absent ones skip by name, except in CI."""

import os
import shutil
from typing import NoReturn

import pytest


def peer(program: str, package: str) -> str:
    """Path of `program`; without it the test is skipped, naming the Debian package, and in CI it fails."""
    return shutil.which(program) or absent(program, f"Debian package {package}")


def absent(name: str, remedy: str) -> NoReturn:
    """Skip the test, or in CI fail it: CI installs every peer, so a missing one there is a fault of the set-up."""
    message = f"test peer {name} is not installed ({remedy})"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
