"""Ports for sound: a range for each process of a test run, because tests look whether a port is free again."""

import os

FIRST = 24_000 + 1_000 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
LAST = FIRST + 998
"""Below the ports that Linux gives to those who name none (from 32,768 on)."""
