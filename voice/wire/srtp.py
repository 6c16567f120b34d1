"""SRTP and SRTCP (RFC 3711, RFC 7714): packets sealed and opened by libsrtp, under the keys that SDES agreed on."""

import pylibsrtp
from pylibsrtp._binding import ffi

from voice.wire.sdes import Crypto, Keys, Suite

MAX_STREAMS = 16
"""Sources one key may open: each is a replay window in memory. The packets of another one are refused."""

_PROFILES = {
    Suite.GCM_256: pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
    Suite.GCM_128: pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    Suite.CM_128_80: pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    Suite.CM_128_32: pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
}
_REFUSED = (pylibsrtp.Error, ValueError)  # ValueError: longer than its buffer


class Opener:
    """Opens what was sealed with one key. Rollover counts and replay windows are libsrtp's, by source."""

    def __init__(self, key: Crypto, *, rtcp: bool) -> None:
        self.key = key
        session = _session(key, pylibsrtp.Policy.SSRC_ANY_INBOUND)
        self.session = _address(session)
        self._unprotect = session.unprotect_rtcp if rtcp else session.unprotect
        self._ssrc = slice(4, 8) if rtcp else slice(8, 12)
        self._sources: set[bytes] = set()

    def open(self, packet: bytes) -> bytes | None:
        """The packet as it was; None when it is forged, repeated, damaged, or of one source too many."""
        source = packet[self._ssrc]
        if source not in self._sources and len(self._sources) == MAX_STREAMS:
            return None
        try:
            opened: bytes = self._unprotect(packet)
        except _REFUSED:
            return None
        self._sources.add(source)
        return opened


class Sealer:
    """Seals with one key."""

    def __init__(self, key: Crypto, *, rtcp: bool) -> None:
        self.key = key
        session = _session(key, pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
        self.session = _address(session)
        self._protect = session.protect_rtcp if rtcp else session.protect

    def seal(self, packet: bytes) -> bytes | None:
        """The packet as it is sent; None when it cannot be: too long, or its number was used before."""
        try:
            sealed: bytes = self._protect(packet)
        except _REFUSED:
            return None
        return sealed


class SecureStream:
    """RTP (or, `rtcp`, RTCP) of one leg in both directions. One thread seals and opens; any other may make the stream's
    successor (`secured`), and put it in its place, when the keys change."""

    def __init__(self, sealer: Sealer, opener: Opener, old: Opener | None = None) -> None:
        self._sealer = sealer
        self._opener = opener
        self._old = old

    @property
    def sessions(self) -> tuple[int, int, int]:
        """Sessions of libsrtp, by address, for whoever calls it itself: to seal, to open, and to open what came under
        the key before; 0: none. They are there as long as this is."""
        return self._sealer.session, self._opener.session, 0 if self._old is None else self._old.session

    def succeeded_by(self, keys: Keys, *, rtcp: bool) -> "SecureStream":
        """A key that goes on keeps its counts; of one that ends, what is under way is still opened."""
        sealer = self._sealer if keys.ours.is_key_of(self._sealer.key) else Sealer(keys.ours, rtcp=rtcp)
        if keys.theirs.is_key_of(self._opener.key):
            return SecureStream(sealer, self._opener, self._old)
        return SecureStream(sealer, Opener(keys.theirs, rtcp=rtcp), self._opener)

    def seal(self, packet: bytes) -> bytes | None:
        """The packet as it is sent; None when it cannot be."""
        return self._sealer.seal(packet)

    def open(self, packet: bytes) -> bytes | None:
        """The packet as it was; None when it is not genuine. Once a packet came under the newest key, the one before
        is forgotten."""
        opened = self._opener.open(packet)
        if opened is not None:
            self._old = None
        elif self._old is not None:
            opened = self._old.open(packet)
        return opened


def _address(session: pylibsrtp.Session) -> int:
    """Where libsrtp keeps it."""
    return int(ffi.cast("intptr_t", session._srtp[0]))


def secured(keys: Keys | None, former: SecureStream | None, *, rtcp: bool = False) -> SecureStream | None:
    """The stream under `keys`; None: in the clear."""
    if keys is None:
        return None
    if former is not None:
        return former.succeeded_by(keys, rtcp=rtcp)
    return SecureStream(Sealer(keys.ours, rtcp=rtcp), Opener(keys.theirs, rtcp=rtcp))


def _session(key: Crypto, ssrc_type: int) -> pylibsrtp.Session:
    return pylibsrtp.Session(pylibsrtp.Policy(key.key, ssrc_type, srtp_profile=_PROFILES[key.suite]))
