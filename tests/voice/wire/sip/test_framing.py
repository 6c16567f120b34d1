"""Messages out of streams: every cut, keep-alives, what is no message, what is too long or too slow."""

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.wire.sip.framing import MESSAGE_S, Framing
from voice.wire.sip.guard import MAX_DATAGRAM, MAX_HEAD, MAX_LINE

OPTIONS = b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP b;branch=z9hG4bK1\r\nContent-Length: 0\r\n\r\n"
RINGING = b"SIP/2.0 180 Ringing\r\nl: 0\r\nX: y\r\n\r\n"
FOLDED = b"SIP/2.0 200 OK\r\nCONTENT-LENGTH :\r\n 4\r\n\r\nv=0\n"
INVITE = b"INVITE sip:a@b SIP/2.0\r\nContent-Length: 13\r\n\r\nv=0\r\n\r\nINVITE"
PING = b"\r\n\r\n"

PIECES = {
    "message": (OPTIONS, RINGING, FOLDED, INVITE),
    "silence": (b"", b"\r\n", PING, PING + b"\r\n", PING + PING),
    "fault": (
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"\rOPTIONS",
        b"OPTIONS sip:a@b SIP/2.0\nContent-Length: 0\n\n",
        b"OPTIONS sip:a@b SIP/2.0\r\nVia: x\r\n\r\n",
        b"OPTIONS sip:a@b SIP/2.0\r\nContent-Length: 1\r\nl: 2\r\n\r\n",
        b"SIP/2.0 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"SIP/2.0 200 OK\r\nContent-Length: 99999\r\n\r\n",
        b"x" * (MAX_LINE + 9),
    ),
}

streams = st.tuples(
    st.lists(st.tuples(st.sampled_from(PIECES["silence"]), st.sampled_from(PIECES["message"])), max_size=5),
    st.sampled_from(PIECES["silence"]),
    st.one_of(st.just(b""), st.sampled_from(PIECES["fault"]), st.binary(max_size=200)),
)


def cut(data: bytes, places: set[int]) -> list[bytes]:
    edges = [0, *sorted(place for place in places if place < len(data)), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


def read(parts: list[bytes]) -> tuple[list[bytes], bytes, str]:
    framing = Framing()
    messages, pongs = [], b""
    for part in parts:
        messages += framing.receive(part, 0.0)
        pongs += framing.to_send()
    return messages, pongs, framing.fault


@given(streams, st.sets(st.integers(1, 2_000), max_size=40))
def test_any_cut_gives_the_same(stream: tuple[list[tuple[bytes, bytes]], bytes, bytes], places: set[int]) -> None:
    told, silence, rest = stream
    data = b"".join(before + message for before, message in told) + silence + rest
    whole = read([data])
    assert whole[0][: len(told)] == [message for _, message in told]
    assert read(cut(data, places)) == whole
    assert read([data[at : at + 1] for at in range(len(data))]) == whole


def test_pipelined_messages() -> None:
    messages, pongs, fault = read([b"\r\n" + OPTIONS + PING + INVITE + b"\r\n" + FOLDED + RINGING])
    assert messages == [OPTIONS, INVITE, FOLDED, RINGING]
    assert (pongs, fault) == (b"\r\n", "")


@pytest.mark.parametrize("count", range(6))
def test_two_line_ends_ask_for_one(count: int) -> None:
    """RFC 5626 section 4.4.1."""
    assert read([b"\r\n" * count]) == ([], b"\r\n" * (count // 2), "")


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"GET / HTTP/1.1\r\n", "not SIP"),
        (b"\x16\x03\x01", "not SIP"),
        (b" OPTIONS sip:a@b SIP/2.0\r\n", "not SIP"),
        (b"x" * 65, "not SIP"),
        (b"OPTIONS sip:a@b SIP/2.0\nVia", "not SIP"),
        (b"OPTIONS " + b"x" * MAX_LINE, "oversize"),
        (b"OPTIONS a SIP/2.0\r\n" + b"A: b\r\n" * (MAX_HEAD // 6), "oversize"),
        (f"OPTIONS a SIP/2.0\r\nl: {MAX_DATAGRAM}\r\n\r\n".encode(), "oversize"),
        (b"OPTIONS a SIP/2.0\r\nA: b\r\n\r\n", "no Content-Length"),
        (b"OPTIONS a SIP/2.0\r\nl: 1\r\nContent-Length: 2\r\n\r\n", "malformed Content-Length"),
        (b"OPTIONS a SIP/2.0\r\nl: 1x\r\n\r\n", "malformed Content-Length"),
        (b"OPTIONS a SIP/2.0\r\nl: 70000\r\n\r\n", "malformed Content-Length"),
    ],
)
def test_what_ends_a_connection(data: bytes, fault: str) -> None:
    framing = Framing()
    assert framing.receive(OPTIONS + data, 0.0) == [OPTIONS]
    assert framing.fault == fault
    assert framing.receive(OPTIONS, 0.0) == []
    assert framing.deadline() is None


def test_the_longest_that_is_taken() -> None:
    head = b"OPTIONS a SIP/2.0\r\n" + b"A: b\r\n" * 5_000 + b"l: 20000\r\n"
    longest = head + b"B: " + b"x" * (MAX_HEAD - len(head) - 3) + b"\r\n\r\n" + b"y" * 20_000
    assert read([longest + RINGING]) == ([longest, RINGING], b"", "")


def test_the_longest_start_line_cut_in_its_end() -> None:
    line = b"OPTIONS " + b"x" * (MAX_LINE - 16) + b" SIP/2.0"
    assert read([line + b"\r", b"\nl: 0\r\n\r\n"]) == ([line + b"\r\nl: 0\r\n\r\n"], b"", "")


def test_10000_random_bytes_are_no_message() -> None:
    chance = random.Random(7)
    for _ in range(200):
        messages, _, fault = read([chance.randbytes(10_000)])
        assert (messages, fault) == ([], "not SIP")


def test_a_message_that_does_not_end_in_time() -> None:
    framing = Framing()
    framing.receive(OPTIONS + PING, 1.0)
    assert framing.deadline() is None
    framing.receive(OPTIONS[:30], 5.0)
    framing.receive(OPTIONS[30:40], 9.0)
    assert framing.deadline() == 5.0 + MESSAGE_S
    framing.on_timer(14.9)
    assert framing.fault == ""
    framing.on_timer(15.0)
    assert framing.fault == "slow"


def test_the_next_message_has_its_own_time() -> None:
    framing = Framing()
    framing.receive(OPTIONS[:30], 5.0)
    framing.receive(OPTIONS[30:] + INVITE[:9], 9.0)
    assert framing.deadline() == 9.0 + MESSAGE_S
    framing.receive(INVITE[9:], 9.5)
    assert framing.deadline() is None
