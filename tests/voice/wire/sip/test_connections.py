"""Requests and responses by TCP and TLS: no retransmission, the way back, lost connections, and what is too long."""

import pytest
from sipmessage import Request

from tests.fakes.sip_network import HERE, make_endpoint
from tests.voice.wire.sip.test_endpoint import header, request
from tests.voice.wire.sip.test_transaction import make, reply, run, seen, sent
from voice.wire.sip.endpoint import SipEndpoint
from voice.wire.sip.events import (
    DialogEnded,
    EndCause,
    InviteAcknowledged,
    InviteAnswered,
    InviteReceived,
    InviteRefused,
)
from voice.wire.sip.flow import TLS, Flow, hop
from voice.wire.sip.grammar import WireURI
from voice.wire.sip.guard import Received, examine
from voice.wire.sip.message import Address, make_response
from voice.wire.sip.stack import MAX_OVER_UDP
from voice.wire.sip.transaction import MessagePassed, TimedOut, Transaction

FLOW = Flow("192.0.2.9", 40_001)
BY_TCP = {"Via": "SIP/2.0/TCP 192.0.2.9:5080;branch=z9hG4bK-1", "Contact": "<sip:100@192.0.2.9:5080;transport=tcp>"}


class Peer:
    """Speaks to an endpoint over connections."""

    def __init__(self, **ports: int) -> None:
        self.endpoint: SipEndpoint = make_endpoint(HERE, "t")
        self.endpoint.reach.connects = True
        self.endpoint.reach.stream_ports = ports or {"TCP": 5060, "TLS": 5061}
        self.now = 10.0

    def say(self, data: bytes, source: Address = FLOW) -> list[tuple[str, Address]]:
        self.endpoint.receive(data, source, self.now)
        return self.heard()

    def heard(self) -> list[tuple[str, Address]]:
        return [(data.decode(), addr) for data, addr in self.endpoint.to_send()]

    def call(self, headers: dict[str, str] = BY_TCP, source: Address = FLOW) -> tuple[InviteReceived, str]:
        """An INVITE, answered and acknowledged; the event and the 200."""
        self.say(request("INVITE", headers=headers, body="v=0"), source)
        (event,) = self.endpoint.events()
        assert isinstance(event, InviteReceived)
        self.endpoint.answer(event.call, b"v=0", self.now)
        ((ok, _),) = self.heard()
        self.say(request("ACK", headers={**headers, "To": header(ok, "To")}), source)
        assert self.endpoint.events() == [InviteAcknowledged(event.call, None)]
        return event, ok

    def dial(self, uri: str, body: bytes = b"v=0") -> tuple[str, Address]:
        self.endpoint.invite(uri, body, "sip:1@192.0.2.1", self.now)
        ((text, addr),) = self.heard()
        return text, addr


def answer_to(text: str, status: int, contact: str = "") -> bytes:
    verdict = examine(text.encode())
    assert isinstance(verdict, Received) and isinstance(verdict.message, Request)
    headers = {"Contact": contact} if contact else {}
    return bytes(make_response(verdict.message, status, to_tag="b", headers=headers))


@pytest.mark.parametrize("method", ["INVITE", "BYE"])
def test_a_request_by_a_connection_is_sent_once(method: str) -> None:
    """Timers A and E do not run; B and F do."""
    transaction = Transaction.client(make(method), FLOW, 0.0)
    assert len(transaction.to_send()) == 1
    assert run(transaction, 31.9) == []
    run(transaction, 32.0)
    assert transaction.events() == [TimedOut()]


@pytest.mark.parametrize("method", ["INVITE", "BYE"])
def test_nothing_lingers_on_the_client(method: str) -> None:
    """Timers D and K are zero."""
    transaction = Transaction.client(make(method), FLOW, 0.0)
    transaction.receive(reply(transaction.request, 486), 1.0)
    assert transaction.deadline() == 1.0
    run(transaction, 1.0)
    assert transaction.terminated


def test_a_refusal_by_a_connection_is_sent_once() -> None:
    """Timer G does not run, H does, I is zero."""
    invite = make("INVITE")
    transaction = Transaction.server(invite, FLOW, 0.0)
    transaction.respond(make_response(invite, 486, to_tag="b"), 1.0)
    assert sent(transaction) == ["486"]
    assert transaction.deadline() == 33.0
    transaction.receive(seen(make("ACK")), 2.0)
    assert transaction.deadline() == 2.0
    run(transaction, 2.0)
    assert transaction.terminated


def test_nothing_lingers_on_the_server() -> None:
    """Timer J is zero."""
    bye = make("BYE")
    transaction = Transaction.server(bye, FLOW, 0.0)
    transaction.respond(make_response(bye, 200, to_tag="b"), 1.0)
    assert sent(transaction) == ["200"]
    run(transaction, 1.0)
    assert transaction.terminated


def test_a_lost_connection_ends_what_nobody_answered() -> None:
    """RFC 3261 section 17.1.4; who has answered may go on by a new connection (section 18.2.2)."""
    unanswered, ringing = (Transaction.client(make("INVITE"), FLOW, 0.0) for _ in range(2))
    provisional = reply(ringing.request, 180)
    ringing.receive(provisional, 0.5)
    for transaction in (unanswered, ringing):
        transaction.disconnect(1.0)
    assert unanswered.events() == [TimedOut()] and unanswered.terminated and unanswered.disconnected
    assert ringing.events() == [MessagePassed(provisional)] and not ringing.terminated and not ringing.disconnected


@pytest.mark.parametrize(
    ("uri", "way"),
    [
        ("sip:a@192.0.2.2", ("192.0.2.2", 5060)),
        ("sip:a@192.0.2.2:5080;transport=udp", ("192.0.2.2", 5080)),
        ("sip:a@192.0.2.2;transport=TCP", Flow("192.0.2.2", 5060)),
        ("sip:a@[2001:db8::1]:5070;transport=tls", Flow("2001:db8::1", 5070, TLS)),
        ("sips:a@192.0.2.2", Flow("192.0.2.2", 5061, TLS)),
        ("sips:a@192.0.2.2:5080;transport=tcp", Flow("192.0.2.2", 5080, TLS)),
    ],
)
def test_what_a_uri_says_of_the_way(uri: str, way: Address) -> None:
    assert hop(WireURI.parse(uri)) == way


@pytest.mark.parametrize(
    ("via", "home"),
    [
        ("SIP/2.0/TCP 192.0.2.9:5080;branch=z9hG4bK-1", 5080),
        ("SIP/2.0/TCP 192.0.2.9;branch=z9hG4bK-1", 5060),
        ("SIP/2.0/TCP 10.0.0.7:5080;rport;alias;branch=z9hG4bK-1", 5080),
    ],
)
def test_a_response_goes_back_by_the_connection(via: str, home: int) -> None:
    """RFC 3261 section 18.2.2: and where that is gone, to the source address at the port of the Via."""
    ((answer, addr),) = Peer().say(request("OPTIONS", headers={"Via": via}))
    assert answer.startswith("SIP/2.0 200 ")
    assert addr == Flow("192.0.2.9", 40_001, "TCP", home)
    if "rport" in via:
        assert ";rport=40001;alias;branch=z9hG4bK-1;received=192.0.2.9" in header(answer, "Via")


@pytest.mark.parametrize(
    ("source", "contact"),
    [
        (FLOW, "<sip:192.0.2.1:5060;transport=tcp>"),
        (Flow("192.0.2.9", 40_001, TLS), "<sip:192.0.2.1:5061;transport=tls>"),
        (("192.0.2.9", 5080), "<sip:192.0.2.1:5060>"),
    ],
)
def test_the_contact_names_the_way_to_us(source: Address, contact: str) -> None:
    _, ok = Peer().call(source=source)
    assert header(ok, "Contact") == contact


def test_where_no_connections_are_taken_the_contact_is_that_of_udp() -> None:
    _, ok = Peer(TLS=5061).call()
    assert header(ok, "Contact") == "<sip:192.0.2.1:5060>"


def test_requests_in_a_dialog_use_its_connection() -> None:
    """While it lasts; then one to the Contact's port is asked for."""
    peer = Peer()
    event, _ = peer.call()
    assert peer.endpoint.hangup(event.call, peer.now)
    ((bye, addr),) = peer.heard()
    assert header(bye, "Via").startswith("SIP/2.0/TCP 192.0.2.1:5060;rport;branch=z9hG4bK")
    assert addr == Flow("192.0.2.9", 40_001, "TCP", 5080)
    assert isinstance(addr, Flow) and addr.anew == Flow("192.0.2.9", 5080)


def test_a_contact_elsewhere_is_another_connection() -> None:
    peer = Peer()
    event, _ = peer.call({**BY_TCP, "Contact": "<sip:100@192.0.2.77;transport=tcp>"})
    peer.endpoint.hangup(event.call, peer.now)
    assert peer.heard()[0][1] == Flow("192.0.2.77", 5060)


def test_a_caller_behind_nat_is_reached_by_its_connection() -> None:
    via, contact = "SIP/2.0/TCP 10.0.0.7:5080;rport;branch=z9hG4bK-1", "<sip:100@10.0.0.7:5080;transport=tcp>"
    peer = Peer()
    event, _ = peer.call({"Via": via, "Contact": contact})
    peer.endpoint.hangup(event.call, peer.now)
    assert peer.heard()[0][1] == Flow("192.0.2.9", 40_001, "TCP", 5080)


def test_a_bye_by_another_connection_ends_the_call() -> None:
    peer = Peer()
    event, ok = peer.call()
    peer.endpoint.disconnected(FLOW, peer.now)
    assert peer.endpoint.calls == (event.call,)
    bye = {"Via": "SIP/2.0/TCP 192.0.2.9:5080;branch=z9hG4bK-2", "To": header(ok, "To"), "CSeq": "2 BYE"}
    ((answer, addr),) = peer.say(request("BYE", headers=bye), Flow("192.0.2.9", 40_002))
    assert answer.startswith("SIP/2.0 200 ")
    assert addr == Flow("192.0.2.9", 40_002, "TCP", 5080)
    assert peer.endpoint.events() == [DialogEnded(event.call, EndCause.REMOTE)]


def test_a_bye_that_no_connection_takes_is_given_up() -> None:
    peer = Peer()
    event, _ = peer.call()
    peer.endpoint.hangup(event.call, peer.now)
    peer.heard()
    assert peer.endpoint.unanswered == 1
    peer.endpoint.disconnected(Flow("192.0.2.9", 5080), peer.now)  # the one that was to be opened instead
    assert peer.endpoint.unanswered == 0
    assert peer.heard() == []


def test_a_call_of_ours_by_tcp() -> None:
    peer = Peer()
    invite, addr = peer.dial("sip:2@192.0.2.9;transport=tcp")
    assert addr == Flow("192.0.2.9", 5060)
    assert header(invite, "Via").startswith("SIP/2.0/TCP 192.0.2.1:5060;")
    assert header(invite, "Contact") == "<sip:192.0.2.1:5060;transport=tcp>"
    ((ack, where),) = peer.say(answer_to(invite, 200, "<sip:2@192.0.2.9;transport=tcp>"), addr)
    assert ack.startswith("ACK ") and header(ack, "Via").startswith("SIP/2.0/TCP ")
    assert isinstance(where, Flow) and where.peer == addr.peer
    assert isinstance(peer.endpoint.events()[0], InviteAnswered)


def test_nobody_takes_the_connection() -> None:
    """RFC 3261 section 8.1.3.1: a transport error counts as a 503."""
    peer = Peer()
    _, addr = peer.dial("sip:2@192.0.2.9;transport=tcp")
    assert isinstance(addr, Flow)
    peer.endpoint.disconnected(addr, peer.now)
    (event,) = peer.endpoint.events()
    assert isinstance(event, InviteRefused) and event.status == 503
    assert peer.endpoint.deadline() is None


def test_a_long_request_goes_by_tcp_and_by_udp_where_that_is_refused() -> None:
    """RFC 3261 section 18.1.1."""
    peer = Peer()
    invite, addr = peer.dial("sip:2@192.0.2.9", b"v" * MAX_OVER_UDP)
    assert addr == Flow("192.0.2.9", 5060)
    assert header(invite, "Via").startswith("SIP/2.0/TCP 192.0.2.1:5060;")
    assert isinstance(addr, Flow)
    peer.endpoint.disconnected(addr, peer.now)
    ((again, where),) = peer.heard()
    assert where == ("192.0.2.9", 5060)
    assert again == invite.replace("SIP/2.0/TCP", "SIP/2.0/UDP")
    assert peer.endpoint.deadline() == peer.now + 0.5  # repeated as UDP demands
    peer.endpoint.disconnected(addr, peer.now)
    assert peer.endpoint.events() == []
    ((busy, where),) = peer.say(answer_to(again, 486), ("192.0.2.9", 5060))
    assert busy.startswith("ACK ") and "SIP/2.0/UDP" in header(busy, "Via") and where == ("192.0.2.9", 5060)


def test_a_long_request_that_was_answered_stays_with_tcp() -> None:
    peer = Peer()
    invite, addr = peer.dial("sip:2@192.0.2.9", b"v" * MAX_OVER_UDP)
    peer.say(answer_to(invite, 100), addr)
    assert isinstance(addr, Flow)
    peer.endpoint.disconnected(addr, peer.now)
    assert peer.heard() == []


@pytest.mark.parametrize("connects", [True, False])
def test_what_fits_goes_by_udp_and_so_does_all_where_there_is_nothing_else(connects: bool) -> None:
    peer = Peer()
    peer.endpoint.reach.connects = connects
    _, addr = peer.dial("sip:2@192.0.2.9", b"v" * (100 if connects else MAX_OVER_UDP))
    assert addr == ("192.0.2.9", 5060)
