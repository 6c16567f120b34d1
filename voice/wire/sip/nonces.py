"""Nonces that carry their own proof, so that asking for credentials costs no memory (RFC 7616 section 5.4)."""

import hashlib
import hmac
from collections import OrderedDict

LIFETIME_S = 300.0
"""Older than this a nonce is stale: its user is asked again, and not for the password."""

MAX_USED = 4_096
"""Nonces whose count is remembered."""


class Nonces:
    """Makes nonces and knows them again: when they were made and for whom, under an HMAC.

    Only of those that came back with a right password the highest count is kept. When there are too many, the one used
    first is forgotten, and every nonce that is not younger goes stale with it: what was forgotten cannot be replayed.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._used: OrderedDict[str, int] = OrderedDict()
        self._floor_ms = -1

    def make(self, host: str, token: str, now: float) -> str:
        """A nonce for `host`, unlike all others by `token`."""
        facts = f"{int(now * 1000):x}.{token}"
        return f"{facts}.{self._seal(facts, host)}"

    def fresh(self, nonce: str, host: str, now: float) -> bool:
        """Whether this is ours, for `host`, and still good. Bound to the host, none can be used in another's name."""
        facts, _, seal = nonce.rpartition(".")
        if not hmac.compare_digest(seal.encode(), self._seal(facts, host).encode()):
            return False
        return max(self._floor_ms, (now - LIFETIME_S) * 1000) < _made_ms(nonce)

    def use(self, nonce: str, count: int) -> bool:
        """Take a fresh nonce; False when it was used with this count, or a higher one, before."""
        if count <= self._used.get(nonce, 0):
            return False
        self._used[nonce] = count
        if len(self._used) > MAX_USED:
            forgotten, _ = self._used.popitem(last=False)
            self._floor_ms = max(self._floor_ms, _made_ms(forgotten))
        return True

    def _seal(self, facts: str, host: str) -> str:
        return hmac.new(self._secret, f"{facts} {host}".encode(), hashlib.sha256).hexdigest()[:32]


def _made_ms(nonce: str) -> int:
    """Of a nonce whose seal is right."""
    return int(nonce.partition(".")[0], 16)
