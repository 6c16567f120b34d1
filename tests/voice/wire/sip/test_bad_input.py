"""What no peer should send, and some do: each is handled or refused within 5 ms of this thread's time."""

import time
from collections.abc import Callable

import pytest

from tests.fakes.sip_network import HERE, make_endpoint
from tests.voice.wire.sip.test_endpoint import PEER, request
from voice.wire.sip.flow import TCP, Flow
from voice.wire.sip.framing import Framing

LIMIT_S = 0.005
TRIES = 5
"""The quickest counts: what the machine does to a thread meanwhile is in its time as well."""

OVER_TCP = Flow("192.0.2.9", 5080, TCP)
INVITE = request("INVITE", body="v=0")


def with_header(line: bytes, times: int = 1) -> bytes:
    return INVITE.replace(b"\r\nMax-Forwards", b"\r\n" + b"\r\n".join([line] * times) + b"\r\nMax-Forwards", 1)


def with_length(value: bytes) -> bytes:
    return INVITE.replace(b"Content-Length: 3", b"Content-Length: " + value)


DATAGRAMS: dict[str, tuple[bytes, int | str]] = {
    # name: (datagram, the answer's status, or why there is none)
    "more than 64 KiB": (INVITE + b"x" * 65_536, "oversize"),
    "64 KiB of body": (with_length(b"60000") + b"x" * 59_997, 100),
    "a body longer than it says": (INVITE + b"x" * 50_000, 100),
    "32 KiB of headers": (with_header(b"X: " + b"y" * 250, 126), "oversize"),
    "100 headers": (with_header(b"X: y", 100), 100),
    "101 Via": (with_header(b"Via: SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK-7", 101), 100),
    "200 headers": (with_header(b"X: y", 200), "oversize"),
    "100 kinds of header": (with_header(b"\r\n".join(b"X-%d: y" % n for n in range(100))), 100),
    "a 16 kB Request-URI": (request("INVITE", uri="sip:" + "a" * 16_384 + "@here"), "oversize"),
    "a 16 kB tel URI": (request("INVITE", uri="tel:" + "1" * 16_384), "oversize"),
    "a 4 kB Request-URI": (request("INVITE", uri="sip:" + "a" * 4_000 + "@here"), 400),
    "a 4 kB tel URI": (request("INVITE", uri="tel:" + "1" * 4_000), 400),
    "a 16 kB URI in Contact": (request("INVITE", headers={"Contact": f"<sip:{'a' * 16_384}@h>"}), "oversize"),
    "a 4 kB URI in Contact": (request("INVITE", headers={"Contact": f"<sip:{'a' * 4_000}@h>"}), 400),
    "16 kB of URI parameters": (request("INVITE", uri="sip:a@here" + ";p=v" * 4_096), "oversize"),
    "a header in 100 folds": (with_header(b"Subject: a" + b"\r\n b" * 100), 100),
    "a header in 10,000 folds": (with_header(b"Subject: a" + b"\r\n b" * 8_000), "oversize"),
    "a folded Via": (INVITE.replace(b"SIP/2.0/UDP ", b"SIP/2.0/UDP\r\n\t "), 100),
    "a folded start line": (INVITE.replace(b"INVITE sip", b"INVITE\r\n sip"), "not SIP"),
    "folds before the first header": (INVITE.replace(b"SIP/2.0\r\nVia", b"SIP/2.0\r\n Via"), "missing header"),
    "NULs alone": (bytes(65_000), "keep-alive"),
    "NUL in the start line": (INVITE.replace(b"sip:200", b"sip:2\x0000"), "control character"),
    "NUL in a header": (with_header(b"Subject: a\x00b"), "control character"),
    "NUL in a name": (with_header(b"Sub\x00ject: a"), "control character"),
    "NULs in the body": (request("INVITE", body="v=0\0\0\0"), 100),
    "NULs after the end": (INVITE + bytes(1_000), 100),
    "a Content-Length too long": (with_length(b"4"), 400),
    "a Content-Length too short": (with_length(b"1"), 100),
    "a Content-Length below zero": (with_length(b"-3"), 400),
    "a Content-Length of a gigabyte": (with_length(b"1000000000"), 400),
    "a Content-Length of 4,000 digits": (with_length(b"3" * 4_000), 400),
    "a Content-Length in letters": (with_length(b"three"), 400),
    "two Content-Length": (with_header(b"l: 3"), 400),
}


def quickest(run: Callable[[], object]) -> float:
    """Seconds of this thread's time that the quickest of `TRIES` runs took."""
    taken = []
    for _ in range(TRIES):
        before = time.thread_time()
        run()
        taken.append(time.thread_time() - before)
    return min(taken)


@pytest.mark.parametrize("name", DATAGRAMS)
def test_a_datagram(name: str) -> None:
    data, expected = DATAGRAMS[name]
    endpoint = make_endpoint(HERE, "t")
    endpoint.receive(data, PEER, 10.0)
    answers: list[int | str] = [int(answer.split()[1]) for answer, _ in endpoint.to_send()]
    assert (answers or [*endpoint.dropped]) == [expected]
    assert quickest(lambda: make_endpoint(HERE, "t").receive(data, PEER, 10.0)) < LIMIT_S


@pytest.mark.parametrize("name", DATAGRAMS)
def test_the_same_by_a_connection(name: str) -> None:
    """Framing sees it first; what it lets through the endpoint sees as well, and it answers once at most."""
    data, expected = DATAGRAMS[name]
    once: tuple[list[int | str], ...] = (
        [],
        [100],
        [expected],
    )  # in a stream, what follows a message is the next one's fault

    def run() -> list[int | str]:
        framing, endpoint = Framing(), make_endpoint(HERE, "t")
        for start in range(0, len(data), 16_384):
            for message in framing.receive(data[start : start + 16_384], 10.0):
                endpoint.receive(message, OVER_TCP, 10.0)
        return [int(answer.split()[1]) for answer, _ in endpoint.to_send()]

    assert run() in once
    assert quickest(run) < LIMIT_S


def test_pipelined_messages_cut_at_every_byte() -> None:
    """One INVITE, its CANCEL and an OPTIONS in one stream: wherever it is cut, they are answered alike."""
    pipelined = INVITE + b"\r\n\r\n" + request("CANCEL") + request("OPTIONS", headers={"CSeq": "2 OPTIONS"}) + INVITE

    def run(*parts: bytes) -> list[bytes]:
        framing, endpoint = Framing(), make_endpoint(HERE, "t")
        for part in parts:
            for message in framing.receive(part, 10.0):
                endpoint.receive(message, OVER_TCP, 10.0)
        assert framing.fault == ""
        return [answer for answer, _ in endpoint.to_send()]

    whole = run(pipelined)
    assert [answer.split()[1] for answer in whole] == [b"100", b"200", b"487", b"200", b"487"]
    for cut in range(1, len(pipelined)):
        assert run(pipelined[:cut], pipelined[cut:]) == whole
    bytewise = [pipelined[at : at + 1] for at in range(len(pipelined))]
    assert run(*bytewise) == whole
    assert quickest(lambda: run(*bytewise)) < LIMIT_S
