"""Digest arithmetic by the RFCs' own figures, and header values there and back."""

import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialog.errors import ProtocolError
from voice.wire.sip.digest import Algorithm, Challenge, Credentials

RFC_7616 = Credentials(
    username="Mufasa",
    realm="http-auth@example.org",
    nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    uri="/dir/index.html",
    response="",
    qop="auth",
    count=1,
    cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS",
)
RFC_2617 = Credentials(
    username="Mufasa",
    realm="testrealm@host.com",
    nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",
    uri="/dir/index.html",
    response="",
)


@pytest.mark.parametrize(
    ("credentials", "password", "response"),
    [
        (RFC_7616, "Circle of Life", "8ca523f5e9506fed4657c9700eebdbec"),  # RFC 7616 section 3.9.1
        (
            replace(RFC_7616, algorithm=Algorithm.SHA_256),
            "Circle of Life",
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
        ),
        (
            replace(RFC_2617, qop="auth", count=1, cnonce="0a4f113b"),
            "Circle Of Life",
            "6629fae49393a05397450978507c4ef1",  # RFC 2617 section 3.5
        ),
        (RFC_2617, "CircleOfLife", "1949323746fe6a43ef61f9606e7febea"),  # RFC 2069 section 2.4, erratum 749
    ],
)
def test_the_figures_of_the_rfcs(credentials: Credentials, password: str, response: str) -> None:
    assert credentials.answer("GET", password) == response


def test_the_challenges_and_credentials_of_rfc_7616() -> None:
    challenge = Challenge.parse(
        'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256,'
        ' nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
    )
    assert challenge == Challenge(
        RFC_7616.realm, RFC_7616.nonce, Algorithm.SHA_256, ("auth", "auth-int"), opaque=RFC_7616.opaque
    )
    credentials = Credentials.parse(
        'Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm=MD5,'
        ' nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001,'
        ' cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth,'
        ' response="8ca523f5e9506fed4657c9700eebdbec", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
    )
    assert credentials == replace(RFC_7616, response="8ca523f5e9506fed4657c9700eebdbec")
    assert credentials.answer("GET", "Circle of Life") == credentials.response


QUOTED = st.text(st.characters(codec="utf-8", exclude_characters='"\\')) | st.just('a\\"b\\\\c')
MAYBE = st.none() | QUOTED


@given(
    st.builds(
        Challenge,
        realm=QUOTED,
        nonce=QUOTED,
        algorithm=st.sampled_from(Algorithm),
        qop=st.sampled_from([(), ("auth",), ("auth", "auth-int")]),
        opaque=MAYBE,
        stale=st.booleans(),
    )
)
def test_a_challenge_is_read_as_it_was_written(challenge: Challenge) -> None:
    assert Challenge.parse(str(challenge)) == challenge


@given(
    st.builds(
        Credentials,
        username=QUOTED,
        realm=QUOTED,
        nonce=QUOTED,
        uri=QUOTED,
        response=st.text("0123456789abcdef"),
        algorithm=st.sampled_from(Algorithm),
        opaque=MAYBE,
    ),
    st.none() | st.tuples(st.integers(0, 2**32 - 1), QUOTED),
)
def test_credentials_are_read_as_they_were_written(credentials: Credentials, counted: tuple[int, str] | None) -> None:
    if counted:
        credentials = replace(credentials, qop="auth", count=counted[0], cnonce=counted[1])
    assert Credentials.parse(str(credentials)) == credentials


ODD = st.lists(
    st.sampled_from(
        ["username", "realm", "nonce", "uri", "response", "nc", "qop", "=", '"', "\\", ",", " ", "\t", "00"]
    )
    | st.text(max_size=5),
    max_size=40,
).map("".join)


@given(st.just("") | st.sampled_from(["Digest ", "digest ", "Basic ", "Digest"]), ODD)
def test_odd_values_are_read_or_refused(scheme: str, rest: str) -> None:
    for kind in (Challenge, Credentials):
        try:
            kind.parse(scheme + rest)
        except ProtocolError:
            continue


@pytest.mark.parametrize(
    "value",
    [
        "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        "Digest",
        "Digest ",
        'Digest realm="a"',
        'Digest realm="a", nonce="b", realm="c"',
        'Digest realm="a", nonce="b',
        'Digest realm="a" nonce="b"',
        'Digest realm="a", nonce="b",',
        "Digest " + ", ".join(f"x{number}=1" for number in range(40)),
    ],
)
def test_malformed_challenges(value: str) -> None:
    with pytest.raises(ProtocolError):
        Challenge.parse(value)


@pytest.mark.parametrize("count", ["1", "0000000g", "-0000001", "000000001"])
def test_a_nonce_count_is_eight_hexadecimal_digits(count: str) -> None:
    value = str(replace(RFC_7616, response="00")).replace("00000001", count)
    with pytest.raises(ProtocolError, match="nonce-count"):
        Credentials.parse(value)


def test_an_algorithm_that_is_not_known_is_none() -> None:
    assert Challenge.parse('Digest realm="a", nonce="b", algorithm=SHA-512-256').algorithm is None
    assert Challenge.parse('Digest realm="a", nonce="b", algorithm="sha-256"').algorithm is Algorithm.SHA_256
    assert Challenge.parse('Digest realm="a", nonce="b"').algorithm is Algorithm.MD5


@pytest.mark.parametrize(
    "value",
    [
        'Digest realm="' + "\\" * 100_001,
        "Digest " + " " * 100_000,
        'Digest a="' + 'x"' * 50_000,
        "Digest " + "a," * 50_000,
    ],
)
def test_a_huge_value_costs_linear_time(value: str) -> None:
    began = time.process_time()
    with pytest.raises(ProtocolError):
        Credentials.parse(value)
    assert time.process_time() - began < 0.1
