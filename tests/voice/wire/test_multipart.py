"""Bodies of several parts: taken apart, refused, and fed with rubbish."""

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialog.errors import ProtocolError
from voice.wire.multipart import MAX_HEAD, MAX_HEADERS, MAX_PARTS, Part, media_type, parse_multipart

TYPE = 'multipart/mixed; boundary="cut here"'
SLOWEST_S = 0.05


def body(*parts: str, boundary: str = "cut here") -> bytes:
    """Parts between boundaries, as they are sent."""
    return "".join([*(f"--{boundary}\r\n{part}\r\n" for part in parts), f"--{boundary}--\r\n"]).encode()


def test_an_offer_and_metadata_come_apart() -> None:
    parts = parse_multipart(
        TYPE,
        body(
            "Content-Type: application/SDP ; charset=utf-8\r\n\r\nv=0\r\n",
            "content-disposition: recording-session\r\nCONTENT-TYPE: application/rs-metadata+xml\r\n\r\n<recording/>",
        ),
    )
    assert parts == (
        Part("application/sdp", b"v=0\r\n"),
        Part("application/rs-metadata+xml", b"<recording/>", "recording-session"),
    )


def test_what_stands_around_the_boundaries_is_nobodys() -> None:
    """RFC 2046 section 5.1.1: preamble and epilogue are passed over, and white space may follow a boundary."""
    data = b"for old readers\r\n--b  \t\r\nContent-Type: a/b\r\n\r\n--bb\r\n--b-- \r\nmore\r\n--b\r\n"
    assert parse_multipart("multipart/mixed;boundary=b", data) == (Part("a/b", b"--bb"),)


def test_a_part_without_headers_is_text() -> None:
    assert parse_multipart(TYPE, body("\r\nhello")) == (Part("text/plain", b"hello"),)
    assert parse_multipart(TYPE, body("\r\n")) == (Part("text/plain", b""),)


def test_a_part_that_may_be_passed_over_says_so() -> None:
    parts = parse_multipart(
        TYPE,
        body(
            "Content-Type: application/isup\r\nContent-Disposition: signal;\r\n handling = optional\r\n\r\n",
            "Content-Type: application/isup\r\nContent-Disposition: signal; handling=required\r\n\r\n",
            "Content-Type: application/isup\r\n\r\n",
        ),
    )
    assert [part.required for part in parts] == [False, True, True]


@pytest.mark.parametrize(
    "data",
    [
        b"--cut here\nContent-Type: a/b\n\nline\nline\n--cut here--\n",
        b"--cut here\r\nContent-Type: a/b\r\n\r\nline\nline\r\n--cut here\r\n",
        b"--cut here\r\nContent-Type: a/b\r\n\r\nline\nline\r\n--cut here--",
    ],
    ids=["line feeds", "no dashes", "no last line end"],
)
def test_what_senders_get_wrong_without_harm_is_taken(data: bytes) -> None:
    assert parse_multipart(TYPE, data) == (Part("a/b", b"line\nline"),)


@pytest.mark.parametrize(
    ("content_type", "data"),
    [
        ("multipart/mixed", body("\r\n")),
        ("multipart/mixed; boundary=", body("\r\n")),
        ('multipart/mixed; boundary="' + "x" * 71 + '"', body("\r\n")),
        ('multipart/mixed; boundary="x "', body("\r\n", boundary="x ")),
        ("multipart/mixed; boundary=b[a]", body("\r\n", boundary="b[a]")),
        (TYPE, b""),
        (TYPE, b"--cut here--\r\n"),
        (TYPE, b"--cut here\r\n\r\nnot the end"),
        (TYPE, body("Content-Type: a/b")),
        (TYPE, body("no colon\r\n\r\n")),
        (TYPE, body("Content-Type: a/b\r\nX: " + "x" * MAX_HEAD + "\r\n\r\n")),
        (TYPE, body("X: y\r\n" * (MAX_HEADERS + 1) + "\r\n")),
        (TYPE, body(*["\r\n"] * (MAX_PARTS + 1))),
        (TYPE, body("Content-Transfer-Encoding: base64\r\n\r\ndj0w")),
        (TYPE, b"--cut here\r\nX: \xff\r\n\r\n\r\n--cut here--"),
    ],
)
def test_what_is_no_multipart_is_refused(content_type: str, data: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_multipart(content_type, data)


def test_a_type_is_read_without_its_parameters() -> None:
    assert media_type(" Multipart/Mixed ;boundary=x") == "multipart/mixed"


@given(st.text(max_size=100), st.binary(max_size=2_000))
def test_rubbish_is_refused_or_read(content_type: str, data: bytes) -> None:
    for header in (content_type, "multipart/mixed;boundary=b"):
        with contextlib.suppress(ProtocolError):
            parse_multipart(header, data)


@given(st.lists(st.sampled_from([b"--b", b"--", b"\r\n", b"\n", b"a: b", b" ", b"--b--", b"Content-Type: x/y"])))
def test_rubbish_made_of_the_right_pieces_is_refused_or_read(pieces: list[bytes]) -> None:
    with contextlib.suppress(ProtocolError):
        assert 1 <= len(parse_multipart("multipart/mixed;boundary=b", b"".join(pieces))) <= MAX_PARTS


@pytest.mark.parametrize(
    "data",
    [b"\r\n--b" * 10_000, b"--b" + b" " * 65_000, b"\r\n" * 32_000, b"--b\r\nx" + b"\r\n " * 21_000, b"--b\n" * 16_000],
    ids=["boundaries", "blanks", "lines", "folds", "parts"],
)
def test_no_body_takes_long(data: bytes) -> None:
    began = time.thread_time()
    with contextlib.suppress(ProtocolError):
        parse_multipart("multipart/mixed;boundary=b", data)
    assert time.thread_time() - began < SLOWEST_S
