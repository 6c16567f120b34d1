"""The guard against RFC 4475's torture messages, against hand-made malice, and against noise."""

import random
import time
from pathlib import Path

import pytest
from sipmessage import Request, Response

from voice.wire.sip.guard import MAX_DATAGRAM, Ignored, Received, Refusal, Verdict, examine

TORTURE = Path(__file__).parent / "rfc4475"

EXPECTED = {
    # name: (what becomes of it, section of RFC 4475)
    "wsinv": ("accepted", "3.1.1.1"),
    "intmeth": ("accepted", "3.1.1.2"),
    "esc01": ("accepted", "3.1.1.3"),
    "escnull": ("accepted", "3.1.1.4"),
    "esc02": ("accepted", "3.1.1.5"),
    "lwsdisp": ("accepted", "3.1.1.6"),
    "longreq": ("accepted", "3.1.1.7"),
    "dblreq": ("accepted", "3.1.1.8"),
    "semiuri": ("accepted", "3.1.1.9"),
    "transports": ("accepted", "3.1.1.10"),
    "mpart01": ("accepted", "3.1.1.11"),
    "unreason": ("accepted", "3.1.1.12"),
    "noreason": ("accepted", "3.1.1.13"),
    "badinv01": ("400", "3.1.2.1"),
    "clerr": ("400", "3.1.2.2"),
    "ncl": ("400", "3.1.2.3"),
    "scalar02": ("400", "3.1.2.4"),
    "scalarlg": ("dropped", "3.1.2.5"),
    "quotbal": ("400", "3.1.2.6"),
    "ltgtruri": ("400", "3.1.2.7"),
    "lwsruri": ("400", "3.1.2.8"),
    "lwsstart": ("400", "3.1.2.9"),
    "trws": ("400", "3.1.2.10"),
    "escruri": ("400", "3.1.2.11"),
    "baddate": ("accepted", "3.1.2.12"),  # a Date that is not in GMT may be passed over; nothing here reads it
    "regbadct": ("400", "3.1.2.13"),
    "badaspec": ("400", "3.1.2.14"),
    "baddn": ("dropped", "3.1.2.15"),  # the archive's file lacks the empty line; with it, see below
    "badvers": ("505", "3.1.2.16"),
    "mismatch01": ("400", "3.1.2.17"),
    "mismatch02": ("400", "3.1.2.18"),
    "bigcode": ("dropped", "3.1.2.19"),
    "badbranch": ("accepted", "3.2.1"),  # treated as one without the magic cookie
    "insuf": ("dropped", "3.3.1"),  # no From, To or Call-ID to put into a 400
    "unkscm": ("416", "3.3.2"),
    "novelsc": ("416", "3.3.3"),
    "unksm2": ("accepted", "3.3.4"),
    "bext01": ("accepted", "3.3.5"),  # the endpoint says 420
    "invut": ("accepted", "3.3.6"),  # the endpoint says 415
    "regaut01": ("accepted", "3.3.7"),  # the endpoint says 405
    "multi01": ("400", "3.3.8"),
    "mcl01": ("400", "3.3.9"),
    "bcast": ("dropped", "3.3.10"),  # two Vias: not for us (RFC 3261 section 8.1.3.3)
    "zeromf": ("accepted", "3.3.11"),  # hops run out at proxies, not at the end
    "cparam01": ("accepted", "3.3.12"),
    "cparam02": ("accepted", "3.3.13"),
    "regescrt": ("accepted", "3.3.14"),
    "sdp01": ("accepted", "3.3.15"),  # the endpoint says 406
    "inv2543": ("accepted", "3.4.1"),
}

REQUEST = (
    b"INVITE sip:200@pbx1 SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bKabc;rport\r\n"
    b"Max-Forwards: 70\r\n"
    b'From: "Ann, B." <sip:100@192.0.2.7>;tag=a1\r\n'
    b"To: <sip:200@pbx1>\r\n"
    b"Call-ID: c1@192.0.2.7\r\n"
    b"CSeq: 1 INVITE\r\n"
    b"Contact: <sip:100@3f2a9b77c1d0:5062;transport=udp>\r\n"
    b"Content-Length: 0\r\n"
    b"\r\n"
)
RESPONSE = (
    b"SIP/2.0 200 OK\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKx;rport=5060;received=192.0.2.1\r\n"
    b"From: <sip:1@192.0.2.1>;tag=a\r\nTo: <sip:2@192.0.2.2>;tag=b\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\r\n"
)


def outcome(verdict: Verdict) -> str:
    if isinstance(verdict, Received):
        return "accepted"
    return str(verdict.status) if isinstance(verdict, Refusal) else "dropped"


def test_every_torture_message_has_a_row() -> None:
    assert {path.stem for path in TORTURE.glob("*.dat")} == EXPECTED.keys()
    assert len(EXPECTED) == 49


@pytest.mark.parametrize("name", EXPECTED)
def test_torture(name: str) -> None:
    verdict = examine((TORTURE / f"{name}.dat").read_bytes())
    assert outcome(verdict) == EXPECTED[name][0], verdict


def test_a_display_name_with_a_bare_comma_is_refused() -> None:
    """baddn as the text of RFC 4475 section 3.1.2.15 has it, with its empty line."""
    assert outcome(examine((TORTURE / "baddn.dat").read_bytes() + b"\r\n")) == "400"


def test_folded_and_spaced_headers_are_read() -> None:
    verdict = examine((TORTURE / "wsinv.dat").read_bytes())
    assert isinstance(verdict, Received)
    assert verdict.from_tag == "98asjd8"
    assert verdict.to_tag == "1918181833n"
    assert verdict.cseq.sequence == 9
    assert verdict.branch == "390skdjuw"
    assert len(verdict.message.headers.getlist("Via")) == 3
    assert verdict.message.body.startswith(b"v=0\r\n")
    assert len(verdict.message.body) == 150


def test_what_follows_content_length_is_cut() -> None:
    verdict = examine((TORTURE / "dblreq.dat").read_bytes())
    assert isinstance(verdict, Received)
    assert verdict.message.body == b""


def test_a_plain_request_is_read() -> None:
    verdict = examine(REQUEST)
    assert isinstance(verdict, Received)
    assert isinstance(verdict.message, Request)
    assert verdict.message.uri.host == "pbx1"
    assert verdict.from_address.name == "Ann, B."
    assert (verdict.via.host, verdict.via.port, verdict.branch) == ("192.0.2.7", 5060, "z9hG4bKabc")


def test_a_plain_response_is_read() -> None:
    verdict = examine(RESPONSE)
    assert isinstance(verdict, Received)
    assert isinstance(verdict.message, Response)
    assert (verdict.message.code, verdict.to_tag) == (200, "b")


@pytest.mark.parametrize(
    ("old", "new", "expected", "reason"),
    [
        (b"CSeq: 1 INVITE", b"CSeq: 1 BYE", "400", "CSeq method mismatch"),
        (b"CSeq: 1 INVITE", b"CSeq: 2147483648 INVITE", "400", "Number out of range"),
        (b"CSeq: 1 INVITE", b"CSeq: -1 INVITE", "400", "Malformed CSeq"),
        (b"CSeq: 1 INVITE", b"CSeq: \xd9\xa1 INVITE", "400", "Malformed CSeq"),
        (b"CSeq: 1 INVITE\r\n", b"", "dropped", "missing header"),
        (b"Max-Forwards: 70", b"Max-Forwards: 256", "400", "Number out of range"),
        (b"Max-Forwards: 70", b"Max-Forwards: x", "400", "Number out of range"),
        (b"Content-Length: 0", b"Content-Length: 1", "400", "Content-Length beyond the datagram"),
        (b"Content-Length: 0", b"Content-Length:", "400", "Number out of range"),
        (b"Content-Length: 0", b"Content Length: 0", "400", "Malformed header line"),
        (b"Content-Length: 0", b"l: 0\r\nContent-Length: 0", "400", "More than one Content-Length"),
        (b"Contact: <sip:", b"Contact: <", "400", "Malformed URI"),
        (b"200@pbx1 SIP", b"200@pbx1:99999 SIP", "400", "Port out of range"),
        (b"sip:200@pbx1 SIP", b"sip:2;self=1@pbx1;self=1 SIP", "accepted", ""),
        (b"sip:200@pbx1 SIP", b"tel:+" + b"1" * 30 + b" SIP", "accepted", ""),
        (b"sip:200@pbx1 SIP", b"tel:+" + b"1" * 60 + b" SIP", "400", "Malformed URI"),
        (b"sip:200@pbx1 SIP", b"sip:" + b"a" * 600 + b"@pbx1 SIP", "400", "URI too long"),
        (b"sip:200@pbx1 SIP/2.0", b"sip:200@pbx1 SIP/3.0", "505", "Version Not Supported"),
        (b"tag=a1", b"tag=a1" + b"".join(b";x%d" % i for i in range(40)), "400", "Too many parameters"),
        (b"tag=a1", b"tag=a1;self=2", "accepted", ""),
        (b"tag=a1", b"tag=a1\x00", "dropped", "control character"),
        (b"tag=a1", b"tag=a1\rX: 1", "dropped", "control character"),
        (b"tag=a1", b"tag=a1\nX: 1", "dropped", "control character"),
        (b"tag=a1", b'tag="a\\\nb"', "dropped", "control character"),
        (b"tag=a1", b"tag=\xff", "dropped", "not UTF-8"),
        (b"Call-ID: c1@192.0.2.7", b"Call-ID: " + b"c" * 300, "400", "Malformed Call-ID"),
        (b"Call-ID: c1@192.0.2.7", b"Call-ID: a b", "400", "Malformed Call-ID"),
        (b"Via: SIP/2.0/UDP 192.0.2.7", b"Via: SIP/2.0/UDP <192.0.2.7>", "dropped", "malformed Via"),
        (b"Via: SIP/2.0/UDP 192.0.2.7", b"Via: HTTP/1.1 192.0.2.7", "dropped", "malformed Via"),
        (b";rport", b";rport;;", "400", "Malformed Via"),
        (b"INVITE sip:200", b"INVITE  sip:200", "400", "Malformed request line"),
        (b"INVITE sip:200", b"INVITEsip:200", "dropped", "not SIP"),
        (b"INVITE sip:200", b"M" * 70 + b" sip:200", "400", "Malformed request line"),
        (b"\r\n\r\n", b"\r\n", "dropped", "no end of headers"),
        (b"To:", b"X-Long: " + b"x" * 5000 + b"\r\nTo:", "dropped", "oversize"),
        (b"To:", b"X: 1\r\n" * 130 + b"To:", "dropped", "oversize"),
        (b"To:", b"X: " + b"y" * 4000 + b"\r\n" + (b"X: " + b"y" * 4000 + b"\r\n") * 9 + b"To:", "dropped", "oversize"),
        (b"Max-Forwards: 70", b"Record-Route: <sip:a>, sip:b>", "400", "Malformed address"),
        (b"Max-Forwards: 70", b'Record-Route: "<sip:a>', "400", "Unbalanced quote or bracket"),
    ],
)
def test_malice(old: bytes, new: bytes, expected: str, reason: str) -> None:
    assert old in REQUEST
    verdict = examine(REQUEST.replace(old, new, 1))
    assert outcome(verdict) == expected
    assert getattr(verdict, "reason", "") == reason


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "keep-alive"),
        (b"\r\n\r\n", "keep-alive"),
        (b"\x00\x00\x00\x00", "keep-alive"),
        (b"x" * (MAX_DATAGRAM + 1), "oversize"),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "not SIP"),
        (RESPONSE.replace(b"200 OK", b"700 OK"), "malformed status line"),
        (RESPONSE.replace(b"200 OK", b"\xd9\xa2\xd9\xa0\xd9\xa0 OK"), "malformed status line"),
        (RESPONSE.replace(b"CSeq: 1 INVITE", b"CSeq: x"), "malformed response"),
        (RESPONSE.replace(b"Call-ID: c\r\n", b""), "missing header"),
        (REQUEST.replace(b"INVITE sip", b"ACK sip").replace(b"tag=a1", b"tag=;"), "malformed ACK"),
    ],
)
def test_what_is_never_answered(data: bytes, reason: str) -> None:
    assert examine(data) == Ignored(reason)


def test_a_refusal_keeps_what_an_answer_needs() -> None:
    verdict = examine(REQUEST.replace(b"CSeq: 1 INVITE", b"CSeq: 1 BYE"))
    assert isinstance(verdict, Refusal)
    assert verdict.envelope.headers["Call-ID"] == "c1@192.0.2.7"
    assert verdict.via.parameters["rport"] is None


def mutate(data: bytes, chance: random.Random) -> bytes:
    """One to five small harms: flipped, cut, doubled, moved or inserted bytes."""
    out = bytearray(data)
    for _ in range(chance.randint(1, 5)):
        at = chance.randrange(len(out) or 1)
        harm = chance.randrange(6)
        if harm == 0 and out:
            out[at % len(out)] = chance.randrange(256)
        elif harm == 1:
            del out[at : at + chance.randint(1, 40)]
        elif harm == 2:
            out[at:at] = out[at : at + chance.randint(1, 60)] * chance.randint(1, 30)
        elif harm == 3:
            out[at:at] = chance.choice([b"\r\n", b"\x00", b'"', b"<", b";;", b",", b"%zz", b"\xff\xfe", b": ", b"\t"])
        elif harm == 4:
            out[at:at] = bytes(chance.randrange(256) for _ in range(chance.randint(1, 30)))
        else:
            out = bytearray(out[:at] or b"x")
    return bytes(out)


def test_300_mutated_packets_and_10_000_random_datagrams() -> None:
    """Nothing raises, nothing takes long, and what is accepted has its envelope."""
    chance = random.Random(4475)
    seeds = [REQUEST, RESPONSE, *(path.read_bytes() for path in sorted(TORTURE.glob("*.dat")))]
    packets = [mutate(chance.choice(seeds), chance) for _ in range(300)]
    packets += [chance.randbytes(chance.randint(0, 1200)) for _ in range(10_000)]
    slowest = 0.0
    outcomes = set()
    for packet in packets:
        start = time.thread_time()
        verdict = examine(packet)
        slowest = max(slowest, time.thread_time() - start)
        outcomes.add(outcome(verdict))
        if isinstance(verdict, Received):
            assert verdict.call_id and verdict.cseq.method
    assert slowest < 0.05
    assert {"accepted", "dropped", "400"} <= outcomes


@pytest.mark.parametrize(
    "filler",
    [
        b'"',
        b'"\\',
        b"<",
        b"<>",
        b";a",
        b";a=",
        b";a =",
        b";",
        b",",
        b"a.",
        b"a-",
        b"1.",
        b"%41",
        b"%4",
        b":",
        b"[:",
        b" ",
        b"\t",
        b'"a" <sip:a>, ',
        b"sip:",
        b"tel:1",
        b"(",
        b"=",
        b"@",
        b"&",
        b"?a",
    ],
)
def test_no_header_takes_more_than_linear_time(filler: bytes) -> None:
    """The longest line the guard lets through, full of what makes careless patterns backtrack."""
    for prefix in (b"", b"sip:", b"<sip:", b'"', b"SIP/2.0/UDP ", b"SIP/2.0/UDP h;"):
        line = prefix + (filler * 4000)[: 4000 - len(prefix)]
        for header in (b"Via", b"From", b"To", b"Contact", b"CSeq", b"Call-ID", b"Record-Route"):
            start = REQUEST.index(b"\r\n" + header + b":") if b"\r\n" + header + b":" in REQUEST else -1
            end = REQUEST.index(b"\r\n", start + 2)
            packet = REQUEST[: max(start, 0)] + b"\r\n" + header + b": " + line + REQUEST[end:]
            if start < 0:
                packet = REQUEST.replace(b"\r\nTo:", b"\r\n" + header + b": " + line + b"\r\nTo:")
            before = time.thread_time()
            examine(packet)
            assert time.thread_time() - before < 0.05, (header, prefix, filler)
        for uri in (b"sip:" + line[:3000], b"tel:" + line[:3000]):
            before = time.thread_time()
            examine(REQUEST.replace(b"sip:200@pbx1 SIP", uri + b" SIP"))
            assert time.thread_time() - before < 0.05, (uri[:20], filler)
