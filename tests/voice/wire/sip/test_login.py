"""Our side of digest authentication: a call of ours is asked who we are."""

import pytest

from dialog.errors import ConfigurationError
from tests.fakes.sip_network import HERE, THERE, make_endpoint
from tests.voice.wire.sip.test_auth import Door
from tests.voice.wire.sip.test_endpoint import header
from voice.wire.sip.auth import Login, Realms
from voice.wire.sip.digest import Algorithm, Credentials
from voice.wire.sip.events import DialogEnded, EndCause, InviteAnswered, InviteReceived, InviteRefused


class Pair:
    """Our caller and a door; what is sent arrives at once, from the caller's side changed by `forge`."""

    def __init__(self, door: Door, login: Login | None) -> None:
        self.door = door
        self.caller = make_endpoint(THERE, "c")
        self.ref = self.caller.invite(f"sip:200@{HERE[0]}", b"v=0", "sip:alice@there", door.now, login=login)
        self.sent: list[str] = []
        self.told: list[object] = []

    def run(self) -> None:
        """Until neither has anything to say; the door answers whatever call comes."""
        while out := self.caller.to_send():
            for data, _ in out:
                self.sent.append(data.decode())
                self.door.endpoint.receive(data, THERE, self.door.now, listed=False)
                for event in self.door.endpoint.events():
                    if isinstance(event, InviteReceived):
                        self.door.endpoint.answer(event.call, b"v=0", self.door.now)
            for data, _ in self.door.endpoint.to_send():
                self.caller.receive(data, HERE, self.door.now)
            self.told += self.caller.events()

    @property
    def invites(self) -> list[str]:
        return [text for text in self.sent if text.startswith("INVITE")]


@pytest.mark.parametrize("algorithms", [(), (Algorithm.MD5,)], ids=["both", "MD5"])
def test_our_caller_answers_a_challenge(algorithms: tuple[Algorithm, ...]) -> None:
    pair = Pair(Door(*algorithms), Login("alice", "wonder"))
    pair.run()
    assert pair.told == [InviteAnswered(pair.ref, b"v=0")]
    first, second = pair.invites
    assert [header(text, "CSeq") for text in pair.invites] == ["1 INVITE", "2 INVITE"]
    for name in ("Call-ID", "From", "To", "Contact", "Content-Type"):
        assert header(first, name) == header(second, name)
    assert header(first, "Via") != header(second, "Via")
    credentials = Credentials.parse(header(second, "Authorization"))
    assert credentials.algorithm is (algorithms or (Algorithm.SHA_256,))[0]
    assert pair.caller.hangup(pair.ref, pair.door.now)
    pair.run()
    assert pair.told[-1] == DialogEnded(pair.ref, EndCause.LOCAL)
    assert pair.door.endpoint.calls == ()
    bye = pair.sent[-1]
    assert (header(bye, "CSeq"), Credentials.parse(header(bye, "Authorization")).count) == ("3 BYE", 2)
    ack = next(text for text in pair.sent if text.startswith("ACK") and header(text, "CSeq") == "2 ACK")
    assert header(ack, "Authorization") == header(second, "Authorization"), "RFC 3261 section 22.1"


def test_our_caller_without_a_name_is_refused() -> None:
    pair = Pair(Door(), None)
    pair.run()
    assert pair.told == [InviteRefused(pair.ref, 401, "Unauthorized")]
    assert len(pair.invites) == 1


def test_our_caller_tries_a_wrong_password_once() -> None:
    pair = Pair(Door(), Login("alice", "guess"))
    pair.run()
    assert pair.told == [InviteRefused(pair.ref, 403, "Forbidden")]
    assert len(pair.invites) == 2


def refuse(pair: Pair, *lines: str, status: int = 401) -> list[str]:
    """Answer the caller's last INVITE by hand; what it sends then."""
    sent = [data.decode() for data, _ in pair.caller.to_send()]
    invite = [text for text in sent if text.startswith("INVITE")][-1]
    kept = [line for line in invite.split("\r\n") if line.startswith(("Via", "From", "Call-ID", "CSeq"))]
    response = "\r\n".join([f"SIP/2.0 {status} No", *kept, "To: <sip:x>;tag=b", *lines, "", ""])
    pair.caller.receive(response.encode(), HERE, pair.door.now)
    pair.told += pair.caller.events()
    return sent


GOOD = 'Digest realm="r", nonce="n", qop="auth"'
OTHER = 'Digest realm="x", nonce="n", qop="auth"'


def test_a_proxy_asks_by_407_and_without_qop() -> None:
    pair = Pair(Door(), Login("alice", "wonder"))
    refuse(pair, 'Proxy-Authenticate: Digest realm="r", nonce="n", opaque="o"', status=407)
    sent = [data.decode() for data, _ in pair.caller.to_send()]
    credentials = Credentials.parse(header(sent[-1], "Proxy-Authorization"))
    assert (credentials.qop, credentials.opaque, credentials.username) == ("", "o", "alice")
    assert credentials.response == credentials.answer("INVITE", "wonder")


def test_the_topmost_challenge_that_is_understood_is_answered() -> None:
    pair = Pair(Door(), Login("alice", "wonder"))
    unknown, better = "algorithm=SHA-512-256", "algorithm=SHA-256"
    refuse(pair, *(f"WWW-Authenticate: {GOOD}, {which}" for which in (unknown, better)), f"WWW-Authenticate: {GOOD}")
    sent = [data.decode() for data, _ in pair.caller.to_send()]
    assert Credentials.parse(header(sent[-1], "Authorization")).algorithm is Algorithm.SHA_256


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], "401 without a challenge"),
        (['WWW-Authenticate: Digest realm="r", nonce="n", qop="auth-int"'], "qop=auth-int is not served, only auth"),
        (['WWW-Authenticate: Basic realm="r"'], "Basic authentication is not served, only Digest"),
        (["WWW-Authenticate: Digest realm=r"], "Digest without nonce"),
        ([f"WWW-Authenticate: {GOOD}, algorithm=X"], "the digest algorithm is not known"),
    ],
)
def test_a_challenge_that_cannot_be_answered_is_told(lines: list[str], reason: str) -> None:
    pair = Pair(Door(), Login("alice", "wonder"))
    refuse(pair, *lines)
    assert pair.told == [InviteRefused(pair.ref, 401, reason)]


def test_a_password_is_sent_once_more_for_a_stale_nonce_and_no_oftener() -> None:
    pair = Pair(Door(), Login("alice", "wonder"))
    refuse(pair, f"WWW-Authenticate: {GOOD}")
    refuse(pair, f"WWW-Authenticate: {GOOD}, stale=true")
    refuse(pair, f"WWW-Authenticate: {GOOD}, stale=true")
    assert pair.told == [InviteRefused(pair.ref, 401, "name or password is wrong")]
    pair = Pair(Door(), Login("alice", "wonder"))
    refuse(pair, f"WWW-Authenticate: {GOOD}")
    refuse(pair, f"WWW-Authenticate: {GOOD}")
    assert pair.told == [InviteRefused(pair.ref, 401, "name or password is wrong")]


def test_a_challenge_of_another_realm_is_not_answered_and_the_refusal_says_what_to_do() -> None:
    pair = Pair(Door(), Login("alice", "wonder", Realms(["house", "yard"])))
    refuse(pair, f"WWW-Authenticate: {GOOD}")
    (told,) = pair.told
    assert isinstance(told, InviteRefused)
    assert told.reason == (
        "asked for realm 'r', our password is for 'house' or 'yard': if it is theirs, add it to `realms`"
    )
    assert not any(b"Authorization" in data for data, _ in pair.caller.to_send())
    pair = Pair(Door(), Login("alice", "wonder", Realms(["house", "r"])))
    refuse(pair, f"WWW-Authenticate: {OTHER}", f"WWW-Authenticate: {GOOD}")
    (_, signed) = [data.decode() for data, _ in pair.caller.to_send()]
    assert Credentials.parse(header(signed, "Authorization")).realm == "r"


def test_the_realm_of_the_first_challenge_is_that_of_all_after_it() -> None:
    realms = Realms()
    pair = Pair(Door(), Login("alice", "wonder", realms))
    pair.run()
    assert pair.told == [InviteAnswered(pair.ref, b"v=0")]
    other = Pair(Door(), Login("alice", "wonder", realms))
    refuse(other, f"WWW-Authenticate: {GOOD}")
    (told,) = other.told
    assert isinstance(told, InviteRefused)
    assert told.reason.startswith("asked for realm 'r', our password is for 'house'")
    pair = Pair(Door(), Login("alice", "wonder", realms))
    pair.run()
    assert pair.told == [InviteAnswered(pair.ref, b"v=0")]
    alone = Pair(Door(), Login("alice", "wonder"))
    refuse(alone, f"WWW-Authenticate: {GOOD}")
    refuse(alone, f"WWW-Authenticate: {OTHER}, stale=true")
    assert [told.reason.partition(",")[0] for told in alone.told if isinstance(told, InviteRefused)] == [
        "asked for realm 'x'"
    ], "a stale nonce is no way round it"


def test_a_challenge_that_is_not_answered_decides_nothing() -> None:
    realms = Realms()
    refuse(Pair(Door(), Login("alice", "wonder", realms)), f"WWW-Authenticate: {GOOD.replace('auth', 'auth-int')}")
    pair = Pair(Door(), Login("alice", "wonder", realms))
    pair.run()
    assert pair.told == [InviteAnswered(pair.ref, b"v=0")]


def test_a_call_given_up_answers_no_challenge() -> None:
    pair = Pair(Door(), Login("alice", "wonder"))
    assert pair.caller.hangup(pair.ref, pair.door.now)
    refuse(pair, f"WWW-Authenticate: {GOOD}")
    assert pair.caller.calls == ()
    assert [data for data, _ in pair.caller.to_send() if data.startswith(b"INVITE")] == []


@pytest.mark.parametrize("name", ["", 'al"ice', "al\\ice", "al\r\nice"])
def test_a_name_that_cannot_be_quoted(name: str) -> None:
    with pytest.raises(ConfigurationError):
        Login(name, "wonder")
