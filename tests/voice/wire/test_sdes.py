"""Keys in session descriptions: read, written, chosen, and passed over."""

import random
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.wire.sdes import SECRET_OCTETS, Crypto, Keys, Sdes, Srtp, Suite
from voice.wire.sdp import Attribute, Media

SECRET = bytes(range(SECRET_OCTETS))
INLINE = b64encode(bytes(30)).decode()
PHONE = f"1 AES_CM_128_HMAC_SHA1_80 inline:{INLINE}"


def offered(*values: str, protocol: str = "RTP/SAVP") -> Media:
    return Media("audio", 4, protocol, ("0",), None, tuple(Attribute("crypto", value) for value in values))


def allowed(former: Keys | None = None, secret: bytes = SECRET) -> Sdes:
    return Sdes(Srtp.ALLOWED, secret, former)


@pytest.mark.parametrize("suite", Suite)
def test_what_is_written_is_read(suite: Suite) -> None:
    crypto = Crypto(7, suite, random.Random(1).randbytes(suite.key_octets))
    assert Crypto.parse(str(crypto)) == crypto
    assert Crypto.parse(str(crypto).rstrip("=")) == crypto
    assert b64encode(crypto.key).decode() not in repr(crypto)


@pytest.mark.parametrize(
    ("ending", "taken"),
    [
        ("|2^31", True),
        ("|1048576", True),
        ("|2^48", True),
        (" WSH=64", True),
        ("|2^10", False),  # used up in twenty seconds
        ("|2^31|1:4", False),  # a key identifier in every packet
        ("|1:4", False),
        (f";inline:{INLINE}", False),
        (" UNENCRYPTED_SRTP", False),
        (" UNAUTHENTICATED_SRTP", False),
        (" KDR=3", False),
        ("!", False),
    ],
)
def test_lifetimes_and_parameters(ending: str, taken: bool) -> None:
    assert (Crypto.parse(PHONE + ending) is not None) == taken


@pytest.mark.parametrize(
    "value",
    [
        "",
        "1",
        PHONE.replace("1 ", "x ", 1),
        PHONE.replace("_80", "_81"),
        PHONE.replace("inline", "uri"),
        PHONE[:-4],
        PHONE + "AAAA",
        PHONE.replace("AES_CM_128_HMAC_SHA1_80", "AEAD_AES_128_GCM"),
        PHONE.replace("AAAA", "AA*A"),
    ],
)
def test_attributes_that_are_none(value: str) -> None:
    assert Crypto.parse(value) is None


@given(st.text(alphabet="0123 AESCM_GinlineKW:|^=;-+/", max_size=1024))
def test_rubbish_is_read_or_not(value: str) -> None:
    assert str(Crypto.parse(f"1 AES_CM_128_HMAC_SHA1_80 inline:{value}") or "").isprintable()


def test_the_first_attribute_that_we_can_do_is_chosen() -> None:
    keys = allowed().answer_to(offered("1 F8_128_HMAC_SHA1_80 inline:" + INLINE, PHONE.replace("1 ", "2 ", 1), PHONE))
    assert keys is not None
    assert (keys.ours.tag, keys.ours.suite) == (keys.theirs.tag, keys.theirs.suite) == (2, Suite.CM_128_80)
    assert keys.theirs.key == bytes(30)
    assert keys.ours.key in SECRET
    assert allowed().answer_to(offered()) is None
    assert Sdes(Srtp.OFF, SECRET).answer_to(offered(PHONE)) is None


def test_no_two_suites_share_octets_of_the_secret() -> None:
    taken = [Sdes(Srtp.ALLOWED, SECRET).answer_to(offered(str(Crypto(1, s, bytes(s.key_octets))))) for s in Suite]
    assert b"".join(keys.ours.key for keys in taken if keys) == SECRET


def test_our_key_goes_on_as_long_as_theirs_does() -> None:
    """A key that began anew would have to begin its count of packets anew, too (RFC 3711 section 3.3.1)."""
    first = allowed().answer_to(offered(PHONE))
    assert first is not None
    again = allowed(first, SECRET[::-1]).answer_to(offered(PHONE.replace("1 ", "3 ", 1)))
    assert again is not None
    assert again.ours == Crypto(3, Suite.CM_128_80, first.ours.key)
    other = allowed(first, SECRET[::-1]).answer_to(offered(PHONE.replace("AAAA", "BBBB", 1)))
    assert other is not None
    assert other.ours.key != first.ours.key


def test_our_offer_is_answered() -> None:
    us, them = Sdes(Srtp.DEMANDED, SECRET), allowed(secret=SECRET[::-1])
    theirs = them.answer_to(offered(*map(str, us.offer)))
    assert theirs is not None
    ours = us.answered_by(offered(str(theirs.ours)))
    assert ours == Keys(theirs.theirs, theirs.ours)
    assert ours.ours.suite is Suite.GCM_256
    wrong_tag, wrong_suite = str(theirs.ours).replace("1 ", "9 ", 1), str(Crypto(1, Suite.CM_128_32, bytes(30)))
    assert (
        us.answered_by(offered(wrong_tag)) is us.answered_by(offered(wrong_suite)) is us.answered_by(offered()) is None
    )


def test_what_was_encrypted_stays_so() -> None:
    keys = allowed().answer_to(offered(PHONE))
    assert not allowed().demanded and allowed().offer == ()
    assert allowed(keys).demanded and allowed(keys).offer
    assert Sdes(Srtp.DEMANDED, SECRET).demanded
