"""An endpoint against hand-written peers: refusals, routes, legacy callers, limits, and noise in a live call."""

import random
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.fakes.sip_network import HERE, THERE, make_endpoint
from tests.voice.wire.sip.test_guard import mutate
from voice.wire.sip.endpoint import SipEndpoint
from voice.wire.sip.events import DialogEnded, EndCause, InviteAcknowledged, InviteAnswered, InviteReceived
from voice.wire.sip.message import ALLOW, Address

PEER: Address = ("192.0.2.9", 5080)
TORTURE = Path(__file__).parent / "rfc4475"


def request(
    method: str, *, headers: Mapping[str, str] | None = None, body: str = "", uri: str = "sip:200@here"
) -> bytes:
    """A request of PEER's; `headers` replace or add, an empty value removes."""
    fields = {
        "Via": "SIP/2.0/UDP 192.0.2.9:5080;branch=z9hG4bK-1",
        "Max-Forwards": "70",
        "From": "<sip:100@192.0.2.9>;tag=peer",
        "To": "<sip:200@here>",
        "Call-ID": "call-1",
        "CSeq": f"1 {method}",
        "Contact": "<sip:100@192.0.2.9:5080>",
        **({"Content-Type": "application/sdp"} if body else {}),
        **(headers or {}),
    }
    lines = [f"{name}: {value}" for name, value in fields.items() if value]
    return "\r\n".join([f"{method} {uri} SIP/2.0", *lines, f"Content-Length: {len(body)}", "", body]).encode()


class Peer:
    """Speaks bytes to one endpoint and reads what comes back."""

    def __init__(self, **limits: int) -> None:
        self.endpoint: SipEndpoint = make_endpoint(HERE, "t", **limits)
        self.now = 10.0

    def say(self, data: bytes, source: Address = PEER) -> list[str]:
        """Send; return the answers as text."""
        self.endpoint.receive(data, source, self.now)
        return self.heard()

    def heard(self) -> list[str]:
        self.sent = self.endpoint.to_send()
        return [data.decode() for data, _ in self.sent]

    def call(self, headers: Mapping[str, str] | None = None) -> tuple[InviteReceived, str]:
        """An INVITE of PEER's, answered and acknowledged; the event and the 200."""
        self.say(request("INVITE", headers=headers, body="v=0"))
        event = self.endpoint.events()[0]
        assert isinstance(event, InviteReceived)
        self.endpoint.answer(event.call, b"v=0", self.now)
        (ok,) = self.heard()
        self.say(request("ACK", headers={**(headers or {}), "To": header(ok, "To")}))
        assert self.endpoint.events() == [InviteAcknowledged(event.call, None)]
        return event, ok


def header(message: str, name: str) -> str:
    """The first header of that name."""
    return next(line.partition(": ")[2] for line in message.split("\r\n") if line.startswith(f"{name}: "))


def headers_of(message: str, name: str) -> list[str]:
    return [line.partition(": ")[2] for line in message.split("\r\n") if line.startswith(f"{name}: ")]


@pytest.mark.parametrize(
    ("method", "headers", "body", "status", "wanted"),
    [
        ("REGISTER", {}, "", 405, ("Allow", ALLOW)),
        ("MESSAGE", {}, "", 405, ("Allow", ALLOW)),
        ("DANCE", {}, "", 501, ("Allow", ALLOW)),
        ("INVITE", {"Require": "100rel, Outbound"}, "v=0", 420, ("Unsupported", "Outbound")),
        ("OPTIONS", {"Require": "a", "Proxy-Require": "b"}, "", 420, ("Unsupported", "a")),
        ("INVITE", {"Content-Type": "text/plain"}, "hello", 415, ("Accept", "application/sdp, multipart/mixed")),
        ("INVITE", {"Content-Encoding": "gzip"}, "x", 415, ("Accept-Encoding", "identity")),
        ("INVITE", {"Accept": "text/nobodyKnowsThis"}, "v=0", 406, ("CSeq", "1 INVITE")),
        ("OPTIONS", {"Accept": "text/plain"}, "", 200, ("Accept", "application/sdp")),
        ("OPTIONS", {"Max-Forwards": "0"}, "", 200, ("Allow", ALLOW)),
        ("BYE", {"To": "<sip:200@here>;tag=x"}, "", 481, ("CSeq", "1 BYE")),
        ("BYE", {}, "", 481, ("CSeq", "1 BYE")),
        ("CANCEL", {}, "", 481, ("CSeq", "1 CANCEL")),
        ("INVITE", {"To": "<sip:200@here>;tag=x"}, "v=0", 481, ("CSeq", "1 INVITE")),
        ("OPTIONS", {"To": "<sip:200@here>;tag=x"}, "", 481, ("CSeq", "1 OPTIONS")),
        ("INVITE", {"CSeq": "1 BYE"}, "v=0", 400, ("CSeq", "1 BYE")),
        ("OPTIONS", {"Max-Forwards": "300"}, "", 400, ("Server", "Centralino")),
    ],
)
def test_requests_that_open_no_call(
    method: str, headers: dict[str, str], body: str, status: int, wanted: tuple[str, str]
) -> None:
    """Answered once a copy, alike, and nothing is kept (RFC 3261 section 8.2.7)."""
    peer = Peer()
    (first,) = peer.say(request(method, headers=headers, body=body))
    assert first.startswith(f"SIP/2.0 {status} ")
    assert header(first, wanted[0]) == wanted[1]
    assert ";tag=" in header(first, "To")
    assert peer.sent[0][1] == PEER
    assert peer.say(request(method, headers=headers, body=body)) == [first]
    assert peer.endpoint.deadline() is None
    assert peer.endpoint.events() == []


def test_an_ack_is_never_answered() -> None:
    peer = Peer()
    assert peer.say(request("ACK")) == []
    assert peer.say(request("ACK", headers={"Require": "x", "To": "<sip:a@b>;tag=1"})) == []
    assert peer.say(request("ACK", headers={"CSeq": "1 BYE"})) == []
    assert peer.endpoint.dropped == {"unmatched ACK": 2, "malformed ACK": 1}


def test_a_response_to_nothing_is_dropped() -> None:
    peer = Peer()
    (answer,) = peer.say(request("OPTIONS"))
    assert peer.say(answer.encode()) == []
    assert peer.endpoint.dropped == {"unmatched response": 1}


@pytest.mark.parametrize(
    ("via", "target", "stamped"),
    [
        (
            "SIP/2.0/UDP 192.0.2.9:5090;branch=z9hG4bK-1",
            ("192.0.2.9", 5090),
            "SIP/2.0/UDP 192.0.2.9:5090;branch=z9hG4bK-1",
        ),
        ("SIP/2.0/UDP 192.0.2.9", ("192.0.2.9", 5060), "SIP/2.0/UDP 192.0.2.9"),
        (
            "SIP/2.0/UDP pbx1:5090;branch=z9hG4bK-%41",
            ("192.0.2.9", 5090),
            "SIP/2.0/UDP pbx1:5090;branch=z9hG4bK-%41;received=192.0.2.9",
        ),
        (
            "SIP/2.0/UDP 10.0.0.1;rport;branch=z9hG4bK-1",
            PEER,
            "SIP/2.0/UDP 10.0.0.1;rport=5080;branch=z9hG4bK-1;received=192.0.2.9",
        ),
        ("SIP/2.0/UDP 192.0.2.9;maddr=198.51.100.1", ("192.0.2.9", 5060), "SIP/2.0/UDP 192.0.2.9;maddr=198.51.100.1"),
    ],
)
def test_where_a_response_goes(via: str, target: Address, stamped: str) -> None:
    """RFC 3261 sections 18.2.1 and 18.2.2, RFC 3581."""
    peer = Peer()
    (answer,) = peer.say(request("OPTIONS", headers={"Via": f"{via}, SIP/2.0/UDP 203.0.113.5;branch=z9hG4bK-0"}))
    assert headers_of(answer, "Via") == [stamped, "SIP/2.0/UDP 203.0.113.5;branch=z9hG4bK-0"]
    assert peer.sent[0][1] == target


def test_a_merged_invite_is_refused() -> None:
    """RFC 3261 section 8.2.2.2: the same INVITE by another way."""
    peer = Peer()
    assert peer.say(request("INVITE"))[0].startswith("SIP/2.0 100 ")
    other = request("INVITE", headers={"Via": "SIP/2.0/UDP 192.0.2.9:5080;branch=z9hG4bK-other"})
    assert peer.say(other)[0].startswith("SIP/2.0 482 ")
    assert len(peer.endpoint.events()) == 1


def test_a_repeated_invite_repeats_the_last_response() -> None:
    peer = Peer()
    peer.say(request("INVITE"))
    (event,) = peer.endpoint.events()
    peer.endpoint.ring(event.call, peer.now)
    (ringing,) = peer.heard()
    assert peer.say(request("INVITE")) == [ringing]
    peer.endpoint.answer(event.call, b"v=0", peer.now)
    peer.heard()
    assert peer.say(request("INVITE")) == []  # RFC 6026 section 7.1: absorbed, the 200 repeats by its own clock
    assert peer.endpoint.events() == []


def test_requests_follow_the_recorded_route() -> None:
    """RFC 3261 sections 12.1.1 and 12.2.1.1: Record-Route in order, Request-URI from the Contact."""
    peer = Peer()
    routes = "<sip:192.0.2.50:5061;lr>, <sip:203.0.113.7;lr>"
    event, ok = peer.call({"Record-Route": routes})
    assert headers_of(ok, "Record-Route") == [routes]
    peer.endpoint.hangup(event.call, peer.now)
    (bye,) = peer.heard()
    assert bye.startswith("BYE sip:100@192.0.2.9:5080 SIP/2.0\r\n")
    assert headers_of(bye, "Route") == ["<sip:192.0.2.50:5061;lr>", "<sip:203.0.113.7;lr>"]
    assert peer.sent[0][1] == ("192.0.2.50", 5061)
    assert header(bye, "To") == "<sip:100@192.0.2.9>;tag=peer"
    assert header(bye, "From") == header(ok, "To")


def test_a_strict_router_gets_its_own_address() -> None:
    peer = Peer()
    event, _ = peer.call({"Record-Route": "<sip:192.0.2.50>, <sip:203.0.113.7;lr>"})
    peer.endpoint.hangup(event.call, peer.now)
    (bye,) = peer.heard()
    assert bye.startswith("BYE sip:192.0.2.50 SIP/2.0\r\n")
    assert headers_of(bye, "Route") == ["<sip:203.0.113.7;lr>", "<sip:100@192.0.2.9:5080>"]
    assert peer.sent[0][1] == ("192.0.2.50", 5060)


@pytest.mark.parametrize(
    ("via", "contact", "target"),
    [
        ("192.0.2.9:5080", "<sip:100@192.0.2.77:5099>", ("192.0.2.77", 5099)),
        ("192.0.2.9:5080", "<sip:100@pbx1:5099;transport=udp>", PEER),
        ("10.0.0.5:5080", "<sip:100@10.0.0.5:5080>", PEER),
        ("192.0.2.9:5080", "", PEER),
    ],
)
def test_where_requests_go_without_a_route(via: str, contact: str, target: Address) -> None:
    """To the Contact, unless it is a name, or the peer's own idea of itself behind a NAT."""
    peer = Peer()
    event, _ = peer.call({"Via": f"SIP/2.0/UDP {via};branch=z9hG4bK-1;rport", "Contact": contact})
    peer.endpoint.hangup(event.call, peer.now)
    peer.heard()
    assert peer.sent[0][1] == target


def test_the_remote_target_goes_back_letter_by_letter() -> None:
    peer = Peer()
    event, _ = peer.call({"Contact": "<sip:10%30@192.0.2.9:5080;ob;x-a=[1]:b>;expires=60"})
    peer.endpoint.hangup(event.call, peer.now)
    (bye,) = peer.heard()
    assert bye.startswith("BYE sip:10%30@192.0.2.9:5080;ob;x-a=[1]:b SIP/2.0\r\n")


def test_a_caller_of_rfc_2543() -> None:
    """No branch, no tag, no Max-Forwards, no Content-Length (RFC 4475 section 3.4.1)."""
    peer = Peer()
    data = (TORTURE / "inv2543.dat").read_bytes()
    assert peer.say(data)[0].startswith("SIP/2.0 100 ")
    (event,) = peer.endpoint.events()
    assert isinstance(event, InviteReceived)
    assert event.dialled == "UserB"
    assert event.offer is not None and event.offer.startswith(b"v=0")
    assert peer.say(data)[0].startswith("SIP/2.0 100 ")
    peer.endpoint.reject(event.call, 486, "", peer.now)
    (busy,) = peer.heard()
    head = data.decode().partition("\r\n\r\n")[0].replace("INVITE", "ACK")
    ack = "\r\n".join(x for x in head.split("\r\n") if not x.startswith(("To", "Record", "Content")))
    assert peer.say(f"{ack}\r\nTo: {header(busy, 'To')}\r\n\r\n".encode()) == []
    assert peer.endpoint.dropped == {}
    peer.now += 4.9
    peer.endpoint.on_timer(peer.now)
    assert peer.heard() == []  # acknowledged: timer G stands still


def test_options_inside_a_call() -> None:
    peer = Peer()
    event, ok = peer.call()
    ping = request("OPTIONS", headers={"To": header(ok, "To"), "CSeq": "2 OPTIONS"})
    (answer,) = peer.say(ping)
    assert answer.startswith("SIP/2.0 200 OK\r\n")
    assert header(answer, "To") == header(ok, "To")
    assert peer.say(ping) == [answer]
    assert peer.endpoint.calls == (event.call,)


def test_an_old_request_inside_a_call() -> None:
    """RFC 3261 section 12.2.2: a lower CSeq is refused with 500."""
    peer = Peer()
    _, ok = peer.call()
    to = header(ok, "To")
    peer.say(request("OPTIONS", headers={"To": to, "CSeq": "7 OPTIONS"}))
    stale = request("BYE", headers={"To": to, "CSeq": "6 BYE", "Via": "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK-7"})
    assert peer.say(stale)[0].startswith("SIP/2.0 500 CSeq Out Of Order\r\n")
    assert len(peer.endpoint.calls) == 1


def test_bye_in_place_of_cancel() -> None:
    """RFC 3261 section 15.1.2: a caller may end an early call by BYE; the INVITE gets 487."""
    peer = Peer()
    peer.say(request("INVITE"))
    (event,) = peer.endpoint.events()
    peer.endpoint.ring(event.call, peer.now)
    (ringing,) = peer.heard()
    answers = peer.say(request("BYE", headers={"To": header(ringing, "To"), "CSeq": "2 BYE"}))
    assert [answer[8:11] for answer in answers] == ["200", "487"]
    assert peer.endpoint.calls == ()


def test_an_ack_with_the_branch_of_its_invite() -> None:
    """Some callers repeat the branch in the ACK of a 2xx (RFC 6026 section 7.1)."""
    peer = Peer()
    peer.call()
    assert peer.endpoint.dropped == {}


def test_no_room_for_more_calls() -> None:
    peer = Peer(max_calls=2)
    for number in range(4):
        unlike = {"Call-ID": f"c{number}", "Via": f"SIP/2.0/UDP 192.0.2.9:5080;branch=z9hG4bK-{number}"}
        (answer,) = peer.say(request("INVITE", headers=unlike))
        assert answer.startswith("SIP/2.0 100 " if number < 2 else "SIP/2.0 503 ")
    assert header(answer, "Retry-After") == "5"
    assert len(peer.endpoint.calls) == 2
    peer.endpoint.hangup(peer.endpoint.calls[0], peer.now)
    peer.heard()
    unlike = {"Call-ID": "c9", "Via": "SIP/2.0/UDP 192.0.2.9:5080;branch=z9hG4bK-9"}
    assert peer.say(request("INVITE", headers=unlike))[0].startswith("SIP/2.0 100 ")


def test_no_room_for_more_transactions_but_for_byes() -> None:
    peer = Peer(max_transactions=2)
    event, ok = peer.call()
    to = header(ok, "To")
    assert peer.say(request("OPTIONS", headers={"To": to, "CSeq": "2 OPTIONS"}))[0].startswith("SIP/2.0 200 ")
    assert peer.say(request("INVITE", headers={"To": to, "CSeq": "3 INVITE"}, body="v=0")) == []  # its old branch
    fresh = {"To": to, "CSeq": "3 INVITE", "Via": "SIP/2.0/UDP 192.0.2.9:5080;branch=z9hG4bK-3"}
    assert peer.say(request("INVITE", headers=fresh, body="v=0"))[0].startswith("SIP/2.0 503 ")
    assert peer.say(request("BYE", headers={"To": to, "CSeq": "4 BYE"}))[0].startswith("SIP/2.0 200 ")
    assert peer.endpoint.events() == [DialogEnded(event.call, EndCause.REMOTE)]
    peer.now += 40.0
    peer.endpoint.on_timer(peer.now)
    assert peer.say(request("INVITE", headers={"Call-ID": "c2"}))[0].startswith("SIP/2.0 100 ")


def test_a_draining_endpoint_takes_no_new_calls() -> None:
    peer = Peer()
    event, ok = peer.call()
    peer.endpoint.drain()
    other = {"Call-ID": "c2", "Via": "SIP/2.0/UDP 192.0.2.9:5080;branch=z9hG4bK-2"}
    assert peer.say(request("INVITE", headers=other))[0].startswith("SIP/2.0 503 ")
    assert peer.say(request("OPTIONS", headers=other))[0].startswith("SIP/2.0 503 ")
    assert peer.say(request("BYE", headers={"To": header(ok, "To"), "CSeq": "2 BYE"}))[0].startswith("SIP/2.0 200 ")
    assert peer.endpoint.events() == [DialogEnded(event.call, EndCause.REMOTE)]


def test_noise_harms_no_call() -> None:
    """300 mutated packets and 10,000 random datagrams in a live call; then it is hung up as usual."""
    chance = random.Random(3261)
    peer = Peer()
    event, ok = peer.call()
    seeds = [path.read_bytes() for path in sorted(TORTURE.glob("*.dat"))]
    seeds += [request("INVITE", body="v=0"), request("BYE", headers={"To": "<sip:200@here>;tag=x"}), ok.encode()]
    for _ in range(300):
        peer.say(mutate(chance.choice(seeds), chance))
    for _ in range(10_000):
        assert peer.say(chance.randbytes(chance.randint(0, 600))) == []
    assert event.call in peer.endpoint.calls
    peer.now += 100.0
    peer.endpoint.on_timer(peer.now)
    peer.heard()
    bye = request(
        "BYE", headers={"To": header(ok, "To"), "CSeq": "2147483647 BYE", "Via": "SIP/2.0/UDP h;branch=z9hG4bK-b"}
    )
    assert peer.say(bye)[0].startswith("SIP/2.0 200 ")
    assert DialogEnded(event.call, EndCause.REMOTE) in peer.endpoint.events()


def test_calling_a_name_needs_an_address() -> None:
    endpoint = make_endpoint(HERE, "t")
    with pytest.raises(ValueError, match="no address"):
        endpoint.invite("sip:200@pbx1", b"", "sip:1@here", 0.0)
    endpoint.invite("sip:200@pbx1", b"", "sip:1@here", 0.0, next_hop=THERE)
    assert endpoint.to_send()[0][1] == THERE


def test_a_call_through_a_proxy_that_records_its_route() -> None:
    """The caller's side reverses Record-Route (RFC 3261 section 12.1.2)."""
    peer = Peer()
    call = peer.endpoint.invite("sip:200@192.0.2.9:5080", b"v=0", "sip:1@here", peer.now, from_name="Ann")
    (invite,) = peer.heard()
    assert header(invite, "From").startswith('"Ann" <sip:1@here>;tag=')
    lines = [line for line in invite.split("\r\n")[1:] if line.startswith(("Via", "From", "Call-ID", "CSeq"))]
    routes = "Record-Route: <sip:192.0.2.60;lr>\r\nRecord-Route: <sip:192.0.2.61:5062;lr>"
    ok = "\r\n".join(
        ["SIP/2.0 200 OK", *lines, "To: <sip:x>;tag=b", routes, "Contact: <sip:200@192.0.2.99>", "", "v=0"]
    )
    (ack,) = peer.say(ok.encode())
    assert peer.endpoint.events() == [InviteAnswered(call, b"v=0")]
    assert ack.startswith("ACK sip:200@192.0.2.99 SIP/2.0\r\n")
    assert headers_of(ack, "Route") == ["<sip:192.0.2.61:5062;lr>", "<sip:192.0.2.60;lr>"]
    assert peer.sent[0][1] == ("192.0.2.61", 5062)
    assert header(ack, "CSeq") == "1 ACK"
    assert peer.say(ok.encode()) == [ack]
    bye = request(
        "BYE", headers={"From": "<sip:x>;tag=b", "To": header(invite, "From"), "Call-ID": header(invite, "Call-ID")}
    )
    assert peer.say(bye)[0].startswith("SIP/2.0 200 ")
