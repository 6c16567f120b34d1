"""Sessions that somebody has to refresh (RFC 4028), in virtual time and by hand."""

import pytest
from sipmessage import Request

from tests.fakes.sip_network import HERE, THERE, Network, make_endpoint
from tests.voice.wire.sip.test_call import ANSWER, OFFER, idle, talk
from tests.voice.wire.sip.test_endpoint import Peer, header, request
from tests.voice.wire.sip.test_provisional import Callee, packet
from tests.voice.wire.sip.test_renegotiation import HELD, HOLD
from tests.voice.wire.sip.test_update import status
from voice.wire.sip.events import (
    CallRef,
    DialogEnded,
    EndCause,
    InviteAnswered,
    InviteRefused,
    ReinviteAnswered,
    ReinviteReceived,
)
from voice.wire.sip.grammar import WireURI
from voice.wire.sip.message import Address
from voice.wire.sip.session_timer import SessionTimer

KNOWS = {"Supported": "timer"}


def asking(**headers: str) -> Request:
    message = Request("INVITE", WireURI.parse("sip:a@b"))
    for name, value in headers.items():
        message.headers.set(name.replace("_", "-"), value)
    return message


@pytest.mark.parametrize(
    ("wanted_s", "headers", "granted"),
    [
        # RFC 4028 table 2: who refreshes is the caller's to say, and ours where it does not know how
        (1800, {"Session_Expires": "600"}, {"Session-Expires": "600;refresher=uas"}),
        (1800, {"Session_Expires": "600;refresher=uas", **KNOWS}, {"Session-Expires": "600;refresher=uas"}),
        (
            1800,
            {"Session_Expires": "600;Refresher=UAC;x=1", **KNOWS},
            {"Session-Expires": "600;refresher=uac", "Require": "timer"},
        ),
        (1800, {"Session_Expires": "600", **KNOWS}, {"Session-Expires": "600;refresher=uac", "Require": "timer"}),
        # section 9: shorter if we like, never under the minimum that was named
        (1800, {"Session_Expires": "7200", **KNOWS}, {"Session-Expires": "1800;refresher=uac", "Require": "timer"}),
        (
            1800,
            {"Session_Expires": "7200", "Min_SE": "3600", **KNOWS},
            {"Session-Expires": "3600;refresher=uac", "Require": "timer"},
        ),
        (0, {"Session_Expires": "7200", **KNOWS}, {"Session-Expires": "7200;refresher=uac", "Require": "timer"}),
        # nobody asked
        (1800, KNOWS, {"Session-Expires": "1800;refresher=uas"}),
        (1800, {"Min_SE": "2000", **KNOWS}, {"Session-Expires": "2000;refresher=uas"}),
        (1800, {}, {}),
        (0, KNOWS, {}),
        (0, {"Session_Expires": "60"}, {}),
        (0, {"Session_Expires": "x", **KNOWS}, {}),
    ],
)
def test_what_is_granted(wanted_s: int, headers: dict[str, str], granted: dict[str, str]) -> None:
    timer = SessionTimer(wanted_s)
    assert timer.grant(asking(**headers), 0.0) == granted
    assert (timer.deadline() is not None) == bool(granted)


def timed(session_s: int = 1800) -> Network:
    """Only `here` asks for sessions to be refreshed."""
    return Network(here=make_endpoint(HERE, "here", session_s=session_s))


def moments(network: Network, source: Address, line: str) -> list[float]:
    return [round(it.at - 100.0) for it in network.log if it.source == source and it.line == line]


@pytest.mark.parametrize("by_callee", [False, True])
def test_a_session_is_refreshed_at_half_time_and_nobody_is_told(by_callee: bool) -> None:
    asker = make_endpoint(THERE, "there", session_s=600) if by_callee else make_endpoint(THERE, "there")
    network = Network(there=asker) if by_callee else Network(here=make_endpoint(HERE, "here", session_s=600))
    call, theirs = talk(network)
    told = {address: len(events) for address, events in network.told.items()}
    network.run(1_300.0)
    assert moments(network, THERE if by_callee else HERE, "UPDATE") == [300, 600, 900, 1200]
    assert {address: len(events) for address, events in network.told.items()} == told
    assert (network.here.calls, network.there.calls) == ((call,), (theirs,))
    network.here.hangup(call, network.now)
    idle(network)


def test_a_change_of_media_is_a_refresh_too() -> None:
    network = timed(600)
    call, theirs = talk(network)
    network.run(200.0)
    network.here.reoffer(call, HOLD, network.now)
    network.run(0.1)
    network.there.reanswer(theirs, HELD, network.now)
    network.run(350.0)
    assert moments(network, HERE, "UPDATE") == [500]


def test_a_peer_that_is_gone_is_noticed_by_both_sides() -> None:
    """By whoever refreshes because no answer comes, by the other because no refresh does (section 10)."""
    network = timed(600)
    call, theirs = talk(network)
    network.lose = lambda it: True
    network.run(331.0)
    assert network.told[HERE][-1] == InviteAnswered(call, ANSWER)
    network.run(2.0)
    assert network.told[HERE][-1] == DialogEnded(call, EndCause.LOST)
    network.run(234.0)
    assert network.there.calls
    network.run(2.0)
    assert network.told[THERE][-1] == DialogEnded(theirs, EndCause.EXPIRED)
    assert moments(network, THERE, "BYE")[0] == 568
    idle(network)


class Refreshed(Callee):
    """Is called by one who asks for 600 s, and says by hand what becomes of it."""

    def __init__(self) -> None:
        super().__init__(session_s=600)

    def answered(self, refresher: str, **headers: str) -> CallRef:
        call = self.called()
        self.respond(200, body="v=0 a", **{"Session-Expires": f"600;refresher={refresher}", **headers})
        self.endpoint.events()
        return call

    def pass_time(self, seconds: float) -> list[str]:
        """What was sent meanwhile."""
        end = self.now + seconds
        sent: list[str] = []
        while (due := self.endpoint.deadline()) is not None and due <= end:
            self.now = due
            self.endpoint.on_timer(due)
            sent += self.heard()
        self.now = end
        return sent


def test_who_takes_no_update_gets_a_re_invite_with_the_media_as_they_are() -> None:
    peer = Refreshed()
    call = peer.answered("uac")
    invite, *copies = peer.pass_time(300.4)
    assert copies == []
    assert invite.startswith("INVITE ")
    assert invite.endswith(f"\r\n\r\n{OFFER.decode()}")
    assert header(invite, "Session-Expires") == "600;refresher=uac"
    assert status(peer.from_callee("UPDATE", 1, body="v=0")) == 491
    (ack,) = peer.reply(invite, 200, "v=0 b", **{"Session-Expires": "600;refresher=uas"})
    assert ack.startswith("ACK ")
    assert peer.endpoint.events() == [ReinviteAnswered(call, b"v=0 b")]
    assert peer.pass_time(560.0) == [], "from now on the other side refreshes"
    assert status(peer.from_callee("UPDATE", 2)) == 200


def test_the_last_description_is_the_one_that_is_repeated() -> None:
    peer = Refreshed()
    call = peer.answered("uac")
    assert peer.endpoint.reoffer(call, HOLD, peer.now)
    (invite,) = peer.heard()
    peer.reply(invite, 200, "v=0 b", **{"Session-Expires": "600;refresher=uac"})
    (refresh,) = peer.pass_time(300.4)
    assert refresh.endswith(f"\r\n\r\n{HOLD.decode()}")


@pytest.mark.parametrize("allow", ["INVITE", "INVITE, UPDATE"])
@pytest.mark.parametrize("code", [491, 500])
def test_a_refresh_that_is_refused_is_tried_again_and_the_session_expires_in_the_end(allow: str, code: int) -> None:
    peer = Refreshed()
    call = peer.answered("uac", Allow=allow)
    method = "UPDATE" if "UPDATE" in allow else "INVITE"
    tries = 0
    while peer.endpoint.calls:
        for sent in peer.pass_time(0.1):
            if sent.startswith(method):
                tries += 1
                peer.reply(sent, code)
    assert 4 <= tries <= 10
    assert peer.endpoint.events() == [DialogEnded(call, EndCause.EXPIRED)]
    assert peer.now == pytest.approx(610.0, abs=0.2)


def test_a_refresh_that_is_too_brief_is_made_longer() -> None:
    """Section 7.3: the minimum of a 422 counts from then on."""
    peer = Refreshed()
    peer.answered("uac", Allow="UPDATE")
    (update,) = peer.pass_time(300.4)
    assert header(update, "Session-Expires") == "600;refresher=uac"
    peer.reply(update, 422, **{"Min-SE": "900"})
    (update,) = peer.pass_time(150.0)
    assert (header(update, "Session-Expires"), header(update, "Min-SE")) == ("900;refresher=uac", "900")
    peer.reply(update, 200, **{"Session-Expires": "900;refresher=uac"})
    assert len(peer.pass_time(449.0)) == 0
    assert len(peer.pass_time(2.0)) > 0


def test_a_refresh_to_a_peer_that_forgot_the_call() -> None:
    peer = Refreshed()
    call = peer.answered("uac", Allow="UPDATE")
    (update,) = peer.pass_time(300.4)
    peer.reply(update, 481)
    assert peer.endpoint.events() == [DialogEnded(call, EndCause.LOST)]


def test_a_call_that_is_too_brief_is_placed_again() -> None:
    """Section 7.3: with a CSeq one higher, and the minimum that was named; a second 422 that asks no more ends it."""
    peer = Refreshed()
    call = peer.called()
    assert header(peer.invite, "Session-Expires") == "600"
    assert "Min-SE" not in peer.invite
    ack, again = peer.say_to(422, **{"Min-SE": "3600"})
    assert ack.startswith("ACK ")
    assert (header(again, "CSeq"), header(again, "Session-Expires"), header(again, "Min-SE")) == (
        "2 INVITE",
        "3600",
        "3600",
    )
    peer.invite = again
    peer.say_to(422, **{"Min-SE": "3600"})
    assert peer.endpoint.events() == [InviteRefused(call, 422, "X")]


def test_a_call_that_we_gave_up_is_not_placed_again() -> None:
    peer = Refreshed()
    call = peer.called()
    assert peer.endpoint.hangup(call, peer.now)
    (ack,) = peer.say_to(422, **{"Min-SE": "3600"})
    assert ack.startswith("ACK ")
    assert peer.endpoint.events() == [DialogEnded(call, EndCause.LOCAL)]
    assert peer.endpoint.calls == ()


@pytest.mark.parametrize("minimum", ["90000", "x", "0"])
def test_a_minimum_beyond_all_reason_is_not_taken(minimum: str) -> None:
    peer = Refreshed()
    call = peer.called()
    taken = peer.say_to(422, **{"Min-SE": minimum})
    if minimum == "90000":
        assert len(taken) == 1
        assert peer.endpoint.events() == [InviteRefused(call, 422, "X")]
    else:
        assert header(taken[1], "Min-SE") == "90"


def test_an_answer_that_says_nothing_of_sessions_stops_the_clock() -> None:
    peer = Refreshed()
    peer.called()
    peer.respond(200, body="v=0 a")
    assert peer.pass_time(5_000.0) == []
    assert peer.endpoint.calls


@pytest.mark.parametrize("name", ["Session-Expires", "x"])
def test_whoever_asks_for_too_brief_a_session_is_told_so(name: str) -> None:
    """Section 9; one who does not know the extension cannot be, and is served without."""
    peer = Peer(session_s=600)
    (answer,) = peer.say(request("INVITE", headers={name: "60", **KNOWS}, body="v=0"))
    assert status([answer]) == 422
    assert header(answer, "Min-SE") == "90"
    assert peer.endpoint.events() == []
    _, ok = Peer(session_s=600).call({name: "60"})
    assert "Session-Expires" not in ok


def test_whoever_is_called_and_is_to_refresh_does_so_by_re_invite_where_update_is_not_taken() -> None:
    peer = Peer(session_s=600)
    event, ok = peer.call({"Session-Expires": "600;refresher=uas", **KNOWS})
    assert header(ok, "Session-Expires") == "600;refresher=uas"
    peer.now += 300.0
    peer.endpoint.on_timer(peer.now)
    (invite,) = peer.heard()
    assert invite.startswith("INVITE ")
    assert invite.endswith("\r\n\r\nv=0")
    peer.endpoint.hangup(event.call, peer.now)


def test_a_refresh_without_a_change_is_an_offer_like_any_other_to_the_callee() -> None:
    peer = Peer()
    event, ok = peer.call({"Session-Expires": "600", **KNOWS})
    assert header(ok, "Require") == "timer"
    fields = {"To": header(ok, "To"), "CSeq": "2 INVITE", "Via": "SIP/2.0/UDP 192.0.2.9:5080;branch=z9hG4bK-2"}
    peer.say(request("INVITE", headers={**fields, "Session-Expires": "900;refresher=uac", **KNOWS}, body="v=0"))
    assert peer.endpoint.events() == [ReinviteReceived(event.call, b"v=0")]
    peer.endpoint.reanswer(event.call, b"v=0", peer.now)
    (ok,) = peer.heard()
    assert header(ok, "Session-Expires") == "900;refresher=uac"


def test_a_call_placed_without_a_wish_asks_for_nothing() -> None:
    network = Network()
    talk(network)
    assert b"Session-Expires" not in packet(network, "INVITE").data
    assert b"Session-Expires" not in packet(network, "200 INVITE").data
