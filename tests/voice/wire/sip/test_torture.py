"""What RFC 4475's messages are answered on the wire: its own, byte for byte, and ours, made after its descriptions.

`test_guard.py` says what the guard makes of each; here is what the peer hears, which is what the RFC asks for.
"""

from pathlib import Path

import pytest

from tests.fakes.sip_network import HERE, make_endpoint
from tests.voice.wire.sip.test_endpoint import PEER, request
from tests.voice.wire.sip.test_guard import EXPECTED

TORTURE = Path(__file__).parent / "rfc4475"
NOTHING = 0

ANSWERS = {
    # status: names. Where the RFC's message is well-formed, this is what section 8.2 of RFC 3261 makes of it.
    100: ("esc01", "longreq", "baddate", "inv2543"),
    200: ("lwsdisp", "semiuri", "transports", "badbranch", "zeromf"),
    400: (
        *("badinv01", "clerr", "ncl", "scalar02", "quotbal", "ltgtruri", "lwsruri", "lwsstart", "trws", "escruri"),
        *("regbadct", "badaspec", "mismatch01", "mismatch02", "multi01", "mcl01"),
    ),
    405: ("escnull", "dblreq", "mpart01", "unksm2", "regaut01", "cparam01", "cparam02", "regescrt"),
    406: ("sdp01",),
    415: ("invut",),
    416: ("unkscm", "novelsc"),
    420: ("bext01",),
    481: ("wsinv",),  # its To has a tag, of a dialog that is not ours
    501: ("intmeth", "esc02"),
    505: ("badvers",),
    # responses, a request without what a response copies, and one without an end
    NOTHING: ("unreason", "noreason", "scalarlg", "bigcode", "bcast", "insuf", "baddn"),
}
FLAT = {name: status for status, names in ANSWERS.items() for name in names}

OWN = {
    # section: (what is wrong with it, the message, the answer)
    "3.1.1.1": ("blanks where they may be", (b"Max-Forwards: 70", b"MAX-FORWARDS \t :\r\n\t0070"), 100),
    "3.1.1.2": ("strange characters that are allowed", (b"<sip:100@", b'"\\"\\\\ %" <sip:1_unusual.U+~!@'), 100),
    "3.1.1.3": ("an escaped user", (b"sip:200@here SIP", b"sip:sips%3Auser%40example.com@here SIP"), 100),
    "3.1.1.4": ("escaped nulls", (b"sip:200@here SIP", b"sip:null-%00-null@here SIP"), 100),
    "3.1.1.6": ("no blank before the bracket", (b"From: <", b"From: caller<"), 100),
    "3.1.1.7": ("long values", (b"tag=peer", b"tag=" + b"p" * 250), 100),
    "3.1.1.9": ("semicolons in the user", (b"sip:200@here SIP", b"sip:user;par=u%40example.net@here SIP"), 100),
    "3.1.1.10": ("a transport of its own", (b"SIP/2.0/UDP", b"SIP/2.0/NEWTRANSPORT"), 100),
    "3.1.2.1": ("empty parameters", (b"branch=z9hG4bK-1", b"branch=z9hG4bK-1;;,;,,"), 400),
    "3.1.2.2": ("a body shorter than said", (b"Content-Length: 3", b"Content-Length: 9999"), 400),
    "3.1.2.3": ("less than no body", (b"Content-Length: 3", b"Content-Length: -999"), 400),
    "3.1.2.4": ("a number too large", (b"CSeq: 1 INVITE", b"CSeq: 36893488147419103232 INVITE"), 400),
    "3.1.2.6": ("a quote that does not end", (b"To: <sip:200@here>", b'To: "Mr. J. User <sip:200@here>'), 400),
    "3.1.2.7": ("brackets around the Request-URI", (b"sip:200@here SIP", b"<sip:200@here> SIP"), 400),
    "3.1.2.8": ("a blank in the Request-URI", (b"sip:200@here SIP", b"sip:200@here; lr SIP"), 400),
    "3.1.2.9": ("a blank too many", (b"INVITE sip:200", b"INVITE  sip:200"), 400),
    "3.1.2.10": ("a blank at the end of the line", (b"here SIP/2.0", b"here SIP/2.0  "), 400),
    "3.1.2.11": ("headers in the Request-URI", (b"sip:200@here SIP", b"sip:200@here?Route=%3Csip:x%3E SIP"), 400),
    "3.1.2.14": ("an address without brackets", (b"<sip:100@192.0.2.9:5080>", b'"Bell" <sip:a@b> <sip:c@d>'), 400),
    "3.1.2.15": ("a name that wants quotes", (b"From: <", b"From: Bell, Alexander <"), 400),
    "3.1.2.16": ("a version to come", (b"SIP/2.0\r\nVia", b"SIP/7.0\r\nVia"), 505),
    "3.1.2.17": ("two methods", (b"CSeq: 1 INVITE", b"CSeq: 1 OPTIONS"), 400),
    "3.1.2.18": ("two methods, one unknown", (b"CSeq: 1 INVITE", b"CSeq: 1 NEWMETHOD"), 400),
    "3.2.1": ("a branch that is the cookie alone", (b"branch=z9hG4bK-1", b"branch=z9hG4bK"), 100),
    "3.3.1": ("no From", (b"From: <sip:100@192.0.2.9>;tag=peer\r\n", b""), NOTHING),
    "3.3.2": ("a scheme nobody knows", (b"sip:200@here SIP", b"nobodyKnowsThisScheme:totallyopaque SIP"), 416),
    "3.3.3": ("a scheme that is not for us", (b"sip:200@here SIP", b"soap.beep://192.0.2.103:3002 SIP"), 416),
    "3.3.4": ("an unknown scheme in To", (b"To: <sip:200@here>", b"To: <isbn:2983792873>"), 100),
    "3.3.5": ("an extension nobody knows", (b"Max", b"Require: nothingSupportsThis\r\nMax"), 420),
    "3.3.6": ("a body of unknown type", (b"application/sdp", b"application/unknownformat"), 415),
    "3.3.8": ("two of what there is one of", (b"Call-ID: call-1", b"Call-ID: call-1\r\nCall-ID: call-2"), 400),
    "3.3.9": ("two lengths", (b"Content-Length: 3", b"Content-Length: 3\r\nContent-Length: 5"), 400),
    "3.3.11": ("no hop left", (b"Max-Forwards: 70", b"Max-Forwards: 0"), 100),
    "3.3.15": ("no answer would do", (b"Max", b"Accept: text/nobodyKnowsThis\r\nMax"), 406),
    "3.4.1": ("no branch and no tag", (b";tag=peer", b""), 100),
}


def answers(data: bytes) -> list[int]:
    endpoint = make_endpoint(HERE, "t")
    endpoint.receive(data, PEER, 10.0)
    return [int(answer.split()[1]) for answer, _ in endpoint.to_send()]


def test_every_message_is_there() -> None:
    assert sum(map(len, ANSWERS.values())) == len(FLAT) == 49
    assert FLAT.keys() == EXPECTED.keys()


@pytest.mark.parametrize(("name", "status"), FLAT.items())
def test_the_rfcs_own(name: str, status: int) -> None:
    assert answers((TORTURE / f"{name}.dat").read_bytes()) == ([status] if status else [])


@pytest.mark.parametrize("section", OWN)
def test_ours(section: str) -> None:
    what, (old, new), status = OWN[section]
    plain = request("INVITE", body="v=0")
    assert plain.count(old) >= 1, what
    assert answers(plain.replace(old, new, 1)) == ([status] if status else []), what
