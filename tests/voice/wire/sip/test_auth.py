"""Strangers with an account: two endpoints, and hands that forge."""

import sys
from types import FrameType

import pytest

from tests.fakes.sip_network import HERE, make_endpoint
from tests.voice.wire.sip.test_endpoint import PEER, header, headers_of, request
from voice.wire.sip import nonces, throttle
from voice.wire.sip.auth import Authenticator
from voice.wire.sip.digest import Algorithm, Challenge, Credentials
from voice.wire.sip.events import DialogEnded, EndCause, InviteReceived
from voice.wire.sip.message import Address

SECRET = bytes(range(32))
ELSEWHERE: Address = ("198.51.100.7", 5080)


class Door:
    """An endpoint that lists nobody, and knows alice (and a PBX)."""

    def __init__(self, *algorithms: Algorithm) -> None:
        self.authenticator = Authenticator(
            "house", {"alice": "wonder", "pbx": "secret"}, SECRET, algorithms or tuple(reversed(Algorithm))
        )
        self.endpoint = make_endpoint(HERE, "t", self.authenticator)
        self.now = 10.0
        self._sequence = 0

    def say(self, data: bytes, source: Address = PEER) -> list[str]:
        """Send from an address that is not listed; the answers as text."""
        self.endpoint.receive(data, source, self.now, listed=False)
        return [data.decode() for data, _ in self.endpoint.to_send()]

    def invite(self, authorization: str = "", source: Address = PEER, uri: str = "sip:200@here") -> str:
        """The first answer to a fresh INVITE."""
        self._sequence += 1
        unlike = {
            "Via": f"SIP/2.0/UDP {source[0]}:{source[1]};branch=z9hG4bK-{self._sequence}",
            "Call-ID": f"call-{self._sequence}",
            "Authorization": authorization,
        }
        return self.say(request("INVITE", headers=unlike, body="v=0", uri=uri), source)[0]

    def challenge(self, source: Address = PEER) -> Challenge:
        """The last that a fresh INVITE is given: MD5, where that is served."""
        return Challenge.parse(headers_of(self.invite(source=source), "WWW-Authenticate")[-1])


def answer(
    challenge: Challenge,
    name: str = "alice",
    password: str = "wonder",
    *,
    count: int = 1,
    uri: str = "sip:200@here",
    qop: str = "auth",
    realm: str = "house",
) -> str:
    unsigned = Credentials(name, realm, challenge.nonce, uri, "", challenge.algorithm, qop, count, "c")
    return str(unsigned).replace('response=""', f'response="{unsigned.answer("INVITE", password)}"')


def called(door: Door) -> list[str]:
    """The accounts of the calls that came since."""
    return [event.account for event in door.endpoint.events() if isinstance(event, InviteReceived)]


def test_a_stranger_is_asked_for_the_strongest_first_in_fields_of_their_own() -> None:
    door = Door()
    refusal = door.invite()
    assert refusal.startswith("SIP/2.0 401 Unauthorized\r\n")
    first, second = (Challenge.parse(value) for value in headers_of(refusal, "WWW-Authenticate"))
    assert (first.algorithm, second.algorithm) == (Algorithm.SHA_256, Algorithm.MD5)
    assert (first.realm, first.qop, first.stale) == ("house", ("auth",), False)
    assert door.endpoint.deadline() is None, "nothing is kept"
    assert called(door) == []
    assert door.say(request("ACK", headers={"To": header(refusal, "To")})) == []


@pytest.mark.parametrize("algorithm", Algorithm)
def test_right_credentials_let_a_stranger_in(algorithm: Algorithm) -> None:
    door = Door(algorithm)
    assert door.invite(answer(door.challenge())).startswith("SIP/2.0 100 ")
    assert door.invite(answer(door.challenge(), "pbx", "secret", uri="sip:here:5060")).startswith("SIP/2.0 100 ")
    assert called(door) == ["alice", "pbx"]
    assert door.authenticator.counts == {"asked": 2, "right": 2}


def test_a_listed_peer_is_not_asked() -> None:
    door = Door()
    door.endpoint.receive(request("INVITE", body="v=0"), PEER, door.now)
    assert called(door) == [""]
    assert door.authenticator.counts == {}


@pytest.mark.parametrize(("name", "password"), [("alice", "guess"), ("nobody", "wonder"), ("", "")])
def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(name: str, password: str) -> None:
    door = Door()
    assert door.invite(answer(door.challenge(), name, password)).startswith("SIP/2.0 403 Forbidden\r\n")
    assert called(door) == []
    assert door.authenticator.counts["wrong"] == 1


def work(name: str, password: str) -> list[str]:
    """Everything of ours, and of what it calls, that runs for an answer to these credentials."""
    door, ran = Door(), list[str]()
    authorization = answer(door.challenge(), name, password)

    def note(frame: FrameType, event: str, called: object) -> None:
        if event.endswith("call") and str(frame.f_globals.get("__name__")).startswith("voice."):
            ran.append(frame.f_code.co_qualname if event == "call" else repr(getattr(called, "__qualname__", "")))

    sys.setprofile(note)
    try:
        door.invite(authorization)
    finally:
        sys.setprofile(None)
    return ran


def test_an_unknown_name_is_as_much_work_as_a_wrong_password() -> None:
    wrong, unknown = work("alice", "guess"), work("nobody", "guess")
    assert unknown == wrong, "and so it takes as long"
    assert wrong.count("Algorithm.hash") == 3


def test_nobody_is_let_in_by_the_password_of_those_who_do_not_exist() -> None:
    door = Door()
    assert door.invite(answer(door.challenge(), "nobody", SECRET.hex())).startswith("SIP/2.0 403 ")


def test_a_nonce_count_is_good_once() -> None:
    door = Door()
    challenge = door.challenge()
    captured = answer(challenge)
    assert door.invite(captured).startswith("SIP/2.0 100 ")
    replayed = door.invite(captured)
    assert replayed.startswith("SIP/2.0 401 ")
    assert Challenge.parse(header(replayed, "WWW-Authenticate")).stale
    assert door.invite(answer(challenge, count=3)).startswith("SIP/2.0 100 ")
    assert door.invite(answer(challenge, count=2)).startswith("SIP/2.0 401 ")
    assert door.authenticator.counts["replayed"] == 2
    assert called(door) == ["alice", "alice"]


def test_a_captured_invite_is_of_no_use_elsewhere_or_for_another_number() -> None:
    door = Door()
    challenge = door.challenge()
    assert door.invite(answer(challenge), ELSEWHERE).startswith("SIP/2.0 401 ")
    assert door.invite(answer(challenge), uri="sip:900@here").startswith("SIP/2.0 400 ")
    assert called(door) == []


def test_a_retransmission_is_no_replay() -> None:
    door = Door()
    signed = request("INVITE", headers={"Authorization": answer(door.challenge())}, body="v=0")
    first = door.say(signed)
    assert door.say(signed) == first
    assert called(door) == ["alice"]
    assert door.authenticator.counts["replayed"] == 0


def test_an_old_nonce_is_stale_and_so_is_one_of_before_a_restart() -> None:
    door = Door()
    challenge = door.challenge()
    door.now += nonces.LIFETIME_S + 1
    for value in (answer(challenge), answer(Challenge("house", "0.t.0123")), answer(Challenge("house", ""))):
        refusal = door.invite(value)
        assert Challenge.parse(header(refusal, "WWW-Authenticate")).stale
    assert door.invite(answer(door.challenge())).startswith("SIP/2.0 100 ")


def test_used_nonces_are_bounded_and_forgetting_one_opens_no_door(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nonces, "MAX_USED", 2)
    door = Door()
    captured = []
    for _ in range(4):
        door.now += 1
        captured.append(answer(door.challenge()))
        assert door.invite(captured[-1]).startswith("SIP/2.0 100 ")
    for value in captured:
        assert door.invite(value).startswith("SIP/2.0 401 ")
    assert len(called(door)) == 4


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        ("Basic YWxpY2U6d29uZGVy", 401),
        (answer(Challenge("other", "n"), realm="other"), 401),
        (answer(Challenge("house", "n"), qop="auth-int"), 400),
        (answer(Challenge("house", "n"), qop=""), 400),
        (answer(Challenge("house", "n"), count=0), 400),
        (answer(Challenge("house", "n"), uri="no URI"), 400),
        ('Digest realm="house", realm="other"', 400),
        ("Digest", 401),
        ("Digest " + 'x="' + "y" * 3_900 + '"', 400),
        (answer(Challenge("house", "n")).replace("MD5", "SHA-512-256"), 401),
    ],
)
def test_credentials_that_are_of_no_use(authorization: str, status: int) -> None:
    door = Door()
    assert door.invite(authorization).startswith(f"SIP/2.0 {status} ")
    assert called(door) == []
    assert door.authenticator.counts["wrong"] == 0


def test_what_else_a_stranger_may_say() -> None:
    door = Door()
    assert door.say(request("OPTIONS"))[0].startswith("SIP/2.0 401 ")
    assert door.say(request("REGISTER"))[0].startswith("SIP/2.0 401 ")
    for silent in (
        request("BYE"),
        request("CANCEL"),
        request("BYE", headers={"To": "<sip:200@here>;tag=x"}),
        request("INVITE", headers={"To": "<sip:200@here>;tag=x"}, body="v=0"),
        request("INVITE", headers={"CSeq": "nonsense"}),
        b"noise\r\n\r\n",
    ):
        assert door.say(silent) == []
    assert door.endpoint.dropped == {"unlisted": 4, "refused": 1, "not SIP": 1}


def test_a_stranger_has_part_in_his_own_calls_only() -> None:
    door = Door()
    signed = {"Authorization": answer(door.challenge())}
    door.say(request("INVITE", headers=signed, body="v=0"))
    (event,) = door.endpoint.events()
    assert isinstance(event, InviteReceived)
    door.endpoint.answer(event.call, b"v=0", door.now)
    ((ok, _),) = door.endpoint.to_send()
    to = {"To": header(ok.decode(), "To")}
    door.say(request("ACK", headers=to))
    bye = request("BYE", headers={**to, "CSeq": "2 BYE"})
    assert door.say(bye, ELSEWHERE) == []
    assert door.endpoint.calls
    assert door.say(bye, (PEER[0], 9_999))[0].startswith("SIP/2.0 200 "), "behind a NAT ports change"
    assert door.say(bye)[0].startswith("SIP/2.0 200 ")
    assert door.endpoint.events()[-1] == DialogEnded(event.call, EndCause.REMOTE)


def test_a_stranger_cancels_his_own_calls_only() -> None:
    door = Door()
    door.say(request("INVITE", headers={"Authorization": answer(door.challenge())}, body="v=0"))
    assert door.say(request("CANCEL"), ELSEWHERE) == []
    assert [line[8:11] for line in door.say(request("CANCEL"))] == ["200", "487"]


def test_who_guesses_gets_no_answer_for_a_while_and_his_calls_go_on() -> None:
    door = Door()
    signed = {"Authorization": answer(door.challenge()), "Via": "SIP/2.0/UDP 192.0.2.9:5080;branch=z9hG4bK-a"}
    (trying,) = door.say(request("INVITE", headers=signed, body="v=0"))
    for number in range(throttle.LIMIT):
        assert door.invite(answer(door.challenge(), password=f"guess {number}")).startswith("SIP/2.0 403 ")
    unheard = request("INVITE", headers={"Call-ID": "x", "Via": "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK-b"}, body="v=0")
    for _ in range(1_000):
        assert door.say(unheard) == []
    assert door.authenticator.counts["throttled"] == 1_000
    assert door.say(request("INVITE", headers=signed, body="v=0")) == [trying]
    assert door.invite(source=ELSEWHERE).startswith("SIP/2.0 401 "), "others are heard"
    door.now += throttle.BAN_S
    assert door.invite(answer(door.challenge())).startswith("SIP/2.0 100 ")


def test_nobody_can_have_another_banned() -> None:
    """A forged source address brings a nonce that was not given to it."""
    door = Door()
    mine = door.challenge(ELSEWHERE)
    for number in range(2 * throttle.LIMIT):
        assert door.invite(answer(mine, password=f"guess {number}")).startswith("SIP/2.0 401 ")
    assert door.invite(answer(door.challenge())).startswith("SIP/2.0 100 ")


def guess(door: Door, source: Address, name: str = "alice", password: str = "guess") -> float:
    """Try a password; how long the door wants that to wait, 0 where it judged it."""
    reply = door.invite(answer(door.challenge(source), name, password), source)
    if reply.startswith("SIP/2.0 503 "):
        return float(header(reply, "Retry-After"))
    assert reply.startswith("SIP/2.0 403 " if password == "guess" else "SIP/2.0 100 ")
    return 0.0


def test_each_guess_waits_longer_than_the_one_before_and_asking_too_early_changes_nothing() -> None:
    door = Door()
    waits = [guess(door, ELSEWHERE) for _ in range(throttle.FREE_OF_HOST)]
    assert waits == [0.0] * throttle.FREE_OF_HOST
    for expected in (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, throttle.LONGEST_S):
        assert [guess(door, ELSEWHERE) for _ in range(20)] == [expected] * 20
        assert guess(door, ELSEWHERE, "pbx", "secret") == expected, "it might be another guess"
        door.now += expected
        assert guess(door, ELSEWHERE) == 0.0
    assert door.authenticator.counts["wrong"] == throttle.LIMIT
    assert door.authenticator.counts["slowed"] == 7 * 21
    assert door.say(request("OPTIONS"), ELSEWHERE) == [], "ten of them, and it is banned"


def test_who_waited_gets_in() -> None:
    door = Door()
    wait_s = [guess(door, ELSEWHERE) for _ in range(throttle.FREE_OF_HOST + 1)][-1]
    assert guess(door, ELSEWHERE, password="wonder") == wait_s > 0
    door.now += wait_s
    assert guess(door, ELSEWHERE, password="wonder") == 0.0
    assert called(door) == ["alice"]


@pytest.mark.parametrize("name", ["alice", "nobody"])
def test_guesses_at_one_account_from_many_hosts_are_slowed(name: str) -> None:
    door = Door()
    hosts: list[Address] = [(f"198.51.100.{number}", 5080) for number in range(1, 200)]
    judged = sum(not guess(door, host, name) for host in hosts)
    assert judged == throttle.FREE_OF_ACCOUNT
    for _ in range(60):
        door.now += 1
        judged += sum(not guess(door, host, name) for host in hosts)
    assert judged < 2 * len(hosts), "more or less one of each, in a minute in which there were sixty"


def test_nobody_can_lock_an_owner_out() -> None:
    door = Door()
    assert guess(door, PEER, password="wonder") == 0.0
    hosts: list[Address] = [(f"198.51.100.{number}", 5080) for number in range(1, 100)]
    new = ("203.0.113.5", 5060)
    waits = []
    for _ in range(90):
        for host in hosts:
            guess(door, host)
        assert guess(door, PEER, password="wonder") == 0.0, "where the owner signed in before there is no wait"
        waits.append(guess(door, new, password="wonder"))
        door.now += 1
    assert max(waits) <= throttle.LONGEST_S
    assert waits[-1] == 0.0, "and elsewhere it has an end, whatever others do"


def test_a_throttle_is_bounded_and_takes_a_network_of_ipv6_for_one_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "MAX_TALLIES", 2)
    monkeypatch.setattr(throttle, "MAX_KNOWN", 2)
    guard = throttle.Throttle()
    for number in range(throttle.LIMIT):
        guard.fail(f"2001:db8::{number:x}", "alice", 0.0)
    assert guard.banned("2001:db8::ffff", 1.0)
    assert not guard.banned("2001:db8:0:1::1", 1.0)
    assert guard.wait_s("192.0.2.3", "alice", 1.0) > 0
    for host, name in (("192.0.2.1", "bob"), ("192.0.2.2", "eve")):
        guard.fail(host, name, 1.0)
    assert not guard.banned("2001:db8::1", 1.0), "the longest ago is forgotten"
    assert guard.wait_s("192.0.2.3", "alice", 1.0) == 0, "and so are the guesses at an account"
    for number in range(throttle.FREE_OF_ACCOUNT):
        guard.fail(f"192.0.2.{number}", "alice", 2.0)
    for host in ("198.51.100.1", "198.51.100.2", "198.51.100.3"):
        guard.succeed(host, "alice")
    known = [guard.wait_s(f"198.51.100.{number}", "alice", 2.0) for number in (1, 2, 3)]
    assert known == [1.0, 0.0, 0.0]


def test_an_account_is_told_by_the_beginning_of_its_name() -> None:
    guard = throttle.Throttle()
    for number in range(throttle.FREE_OF_ACCOUNT):
        guard.fail(f"192.0.2.{number}", "x" * (1_000 + number), 0.0)
    assert guard.wait_s("192.0.2.99", "x" * 9_000, 0.0) == 1.0


def test_failures_of_another_window_do_not_add_up() -> None:
    guard = throttle.Throttle()
    for number in range(throttle.LIMIT - 1):
        guard.fail("192.0.2.1", "alice", float(number))
    assert guard.wait_s("192.0.2.1", "alice", throttle.WINDOW_S + 20) == 0
    guard.fail("192.0.2.1", "alice", throttle.WINDOW_S + 20)
    assert not guard.banned("192.0.2.1", throttle.WINDOW_S + 20)
