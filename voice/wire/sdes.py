"""SRTP keys in session descriptions: the crypto attribute and its offer and answer (SDES, RFC 4568).

Sans-I/O: the random octets of our keys come from outside. An attribute that asks for what we do not do (several keys,
key identifiers, parts left unencrypted) is passed over, as section 5.1.2 wants it.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate

from voice.wire.sdp import Attribute, Media

PLAIN, SECURE = "RTP/AVP", "RTP/SAVP"
"""Profiles of RTP without and with SRTP (RFC 3551, RFC 3711 section 8)."""

SHORTEST_LIFETIME = 1 << 20
"""Packets a key must be good for: six hours at 20 ms. Nobody here changes keys for their age."""

_CRYPTO = re.compile(
    r"([0-9]{1,9}) ++([A-Z0-9_]{1,64}) ++inline:([A-Za-z0-9+/]{16,120}={0,2})(?:\|(2\^)?([0-9]{1,15}))?"
    r"(?: ++WSH=[0-9]{1,5})? *\Z"
)


class Srtp(StrEnum):
    """Whether SIP legs are encrypted."""

    OFF = "off"
    """Never."""
    ALLOWED = "allowed"
    """Where the far end wants it."""
    DEMANDED = "demanded"
    """Always, or there is no call."""


class Suite(StrEnum):
    """How packets are encrypted and authenticated (RFC 4568 section 6.2, RFC 7714 section 14), best first."""

    GCM_256 = "AEAD_AES_256_GCM"
    GCM_128 = "AEAD_AES_128_GCM"
    CM_128_80 = "AES_CM_128_HMAC_SHA1_80"
    CM_128_32 = "AES_CM_128_HMAC_SHA1_32"

    @property
    def key_octets(self) -> int:
        """Of master key and master salt together."""
        return _KEY_OCTETS[self]


_KEY_OCTETS = {Suite.GCM_256: 32 + 12, Suite.GCM_128: 16 + 12, Suite.CM_128_80: 16 + 14, Suite.CM_128_32: 16 + 14}
_STARTS = dict(zip(_KEY_OCTETS, accumulate(_KEY_OCTETS.values(), initial=0), strict=False))
_OFFERED = (Suite.GCM_256, Suite.GCM_128, Suite.CM_128_80)

SECRET_OCTETS = sum(_KEY_OCTETS.values())
"""What `Sdes.secret` must hold: a key for each suite."""


@dataclass(frozen=True, slots=True)
class Crypto:
    """One crypto attribute: `key` is master key and master salt of `suite`."""

    tag: int
    suite: Suite
    key: bytes

    @classmethod
    def parse(cls, value: str) -> "Crypto | None":
        """Read the attribute's value; None when it is malformed or not for us."""
        match = _CRYPTO.match(value)
        if match is None or match[2] not in Suite.__members__.values():
            return None
        lifetime = match[5] and (int(match[5]) if not match[4] else 1 << min(int(match[5]), 64))
        if lifetime and lifetime < SHORTEST_LIFETIME:
            return None
        encoded, suite = match[3].rstrip("="), Suite(match[2])
        try:
            key = b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
        except NotBase64:
            return None
        return cls(int(match[1]), suite, key) if len(key) == suite.key_octets else None

    def __str__(self) -> str:
        return f"{self.tag} {self.suite} inline:{b64encode(self.key).decode()}"

    def __repr__(self) -> str:
        return f"Crypto({self.tag}, {self.suite})"  # a key does not belong into a traceback

    @property
    def attribute(self) -> Attribute:
        return Attribute("crypto", str(self))

    def is_key_of(self, other: "Crypto") -> bool:
        """Whether packets go on as they were: tags may change, a key goes on with its packet count."""
        return (self.suite, self.key) == (other.suite, other.key)


@dataclass(frozen=True, slots=True)
class Keys:
    """What offer and answer agreed on: with `ours` we send, with `theirs` they do."""

    ours: Crypto
    theirs: Crypto


@dataclass(frozen=True, slots=True)
class Sdes:
    """Our side in one offer or answer. `secret` is random and fresh, SECRET_OCTETS long; `former` are the keys of the
    call so far: what was once encrypted stays so."""

    policy: Srtp = Srtp.OFF
    secret: bytes = b""
    former: Keys | None = None

    @property
    def demanded(self) -> bool:
        """Whether there is no stream without keys."""
        return self.policy is Srtp.DEMANDED or self.former is not None

    @property
    def offer(self) -> tuple[Crypto, ...]:
        """The attributes of an offer of ours; none where SRTP is only allowed: not every answerer passes them over."""
        if not self.demanded:
            return ()
        return tuple(Crypto(tag, suite, self._key(suite)) for tag, suite in enumerate(_OFFERED, start=1))

    def answer_to(self, media: Media) -> Keys | None:
        """The keys for an offered stream: the first attribute that we can do, and a key of ours under its tag
        (RFC 4568 section 5.1.2). While theirs goes on, so does ours; with a new one the count of packets begins anew
        on both sides."""
        theirs = next(_usable(media), None)
        if self.policy is Srtp.OFF or theirs is None:
            return None
        former = self.former
        goes_on = former is not None and theirs.is_key_of(former.theirs)
        key = former.ours.key if former is not None and goes_on else self._key(theirs.suite)
        return Keys(Crypto(theirs.tag, theirs.suite, key), theirs)

    def answered_by(self, media: Media) -> Keys | None:
        """The keys that an answer to `offer` chose (RFC 4568 section 5.1.3)."""
        theirs = next(_usable(media), None)
        if theirs is None:
            return None
        chosen = (ours for ours in self.offer if (ours.tag, ours.suite) == (theirs.tag, theirs.suite))
        return next((Keys(ours, theirs) for ours in chosen), None)

    def _key(self, suite: Suite) -> bytes:
        """Each suite has a part of the secret to itself."""
        start = _STARTS[suite]
        return self.secret[start : start + suite.key_octets]


def _usable(media: Media) -> Iterator[Crypto]:
    values = (attribute.value or "" for attribute in media.attributes if attribute.name == "crypto")
    return (crypto for value in values if (crypto := Crypto.parse(value)) is not None)
