"""Passwords: argon2id in a thread, one at a time, and as long for a user who does not exist."""

import asyncio
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from dialog.errors import ConfigurationError

SHORTEST = 10
LONGEST = 256
"""Longer ones are refused unhashed."""


class Passwords:
    """Hashes and checks. OWASP's second argon2id profile (19 MiB, 2 passes, 1 lane): about 20 ms of one core.

    One at a time: a storm of guesses takes neither the memory nor the second core from the calls.
    """

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._turn = asyncio.Lock()
        self._nobody = self._hasher.hash(secrets.token_hex())

    async def hash(self, password: str) -> str:
        """The hash to keep. Raises ConfigurationError for a password too short or too long."""
        if not SHORTEST <= len(password) <= LONGEST:
            raise ConfigurationError(f"a password has {SHORTEST} to {LONGEST} characters, this one {len(password)}")
        async with self._turn:
            return await asyncio.to_thread(self._hasher.hash, password)

    async def match(self, kept: str | None, password: str) -> bool:
        """Whether `password` is the one behind `kept`; for None (no such user) the same work, and no."""
        if len(password) > LONGEST:
            return False
        async with self._turn:
            right = await asyncio.to_thread(self._verify, kept or self._nobody, password)
        return right and kept is not None

    def _verify(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False


def new_password() -> str:
    """A password to be printed once: 90 bits, in groups that can be read out."""
    alphabet = "abcdefghjkmnpqrstuvwxyz23456789"
    return "-".join("".join(secrets.choice(alphabet) for _ in range(6)) for _ in range(3))
