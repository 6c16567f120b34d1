"""Real programs used as test peers: Debian's sipp, baresip, chromium, ... Absent ones skip by name, except in CI."""

import os
import shutil

import pytest


def peer(program: str, package: str) -> str:
    """Path of `program`; without it the test is skipped, naming the Debian package, and in CI it fails.

    CI installs every peer, so a missing one there is a fault of the set-up and not a reason to skip.
    """
    path = shutil.which(program)
    if path is not None:
        return path
    message = f"test peer {program} is not installed (Debian package {package})"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
