"""What an HTTP client of ours raises when the other side is away, or goes."""

from typing import Final

import httpx

BROKEN: Final = (httpx.HTTPError, AttributeError)
"""A connection that is reset between being made and being used is an AttributeError of anyio's under uvloop: it asks
for the address of a socket that is gone. That happens when a child is killed in the moment of a turn."""
