"""REGISTER as a client, answer by answer: who we are, for how long, and what follows a failure."""

import re

import pytest
from sipmessage import Request, Response

from tests.fakes.registrar import PASSWORD, USER, Registrar
from tests.fakes.sip_network import HERE, THERE, counting_tokens, make_endpoint
from voice.wire.sip.auth import Login
from voice.wire.sip.grammar import WireURI
from voice.wire.sip.message import Address
from voice.wire.sip.registration import BASE_S, LONGEST_S, RETURN_S, Registration
from voice.wire.sip.watch import Standing

CONTACT = "sip:alice@192.0.2.1:5060"


class Line:
    """A registration and its registrar, with nothing between them but time."""

    def __init__(
        self, registrar: Registrar, *, password: str = PASSWORD, expires_s: int = 3_600, chance: float = 0.5
    ) -> None:
        self.registrar = registrar
        self.now = 100.0
        self.endpoint = make_endpoint(HERE, "here")
        self.registration = Registration(
            WireURI.parse("sip:example.net"),
            WireURI.parse("sip:alice@example.net"),
            expires_s,
            lambda: Login(USER, password),
            counting_tokens("token"),
            lambda: chance,
            self.now,
        )

    def ask(self) -> float:
        """Ask as soon as it is time, and for as long as the answer is another question; the seconds until the next."""
        self.now = max(self.now, self.registration.deadline())
        for _ in range(4):
            request = self.registration.request(self.endpoint.core, THERE)
            self.registration.receive(self.registrar.answer(request, HERE, self.now), self.now)
            if self.registration.deadline() > self.now:
                return self.registration.deadline() - self.now
        raise AssertionError("it asks on and on")

    def standing(self) -> Standing:
        return self.registration.standing(self.now)


def test_who_is_asked_who_he_is_says_so_once_and_is_bound() -> None:
    it = Line(Registrar())
    assert it.standing() is Standing.UNKNOWN
    it.ask()
    assert it.standing() is Standing.UP
    assert it.registrar.bound == {CONTACT: 3_600}
    first, second = it.registrar.came
    assert (first.headers.get("Authorization"), second.uri) == (None, WireURI.parse("sip:example.net"))
    assert first.headers["Call-ID"] == second.headers["Call-ID"]
    assert [request.headers["CSeq"] for request in (first, second)] == ["1 REGISTER", "2 REGISTER"]
    assert first.headers["To"] == "<sip:alice@example.net>"


def test_a_binding_is_renewed_in_time_and_again_who_he_is() -> None:
    it = Line(Registrar(most_s=100))
    for _ in range(5):
        assert it.ask() == pytest.approx(80), "the hundred seconds that were granted, of an hour that was asked for"
        assert it.standing() is Standing.UP
    assert len(it.registrar.came) == 10


def test_each_binding_is_renewed_at_its_own_time() -> None:
    assert Line(Registrar(most_s=100), chance=0.0).ask() == pytest.approx(70)
    assert Line(Registrar(most_s=100), chance=0.99).ask() == pytest.approx(89.8)


def test_the_time_granted_is_that_of_the_response_where_no_contact_names_one() -> None:
    it = Line(Registrar(asks=False))
    it.registrar.says, it.registrar.headers = 200, {"Expires": "50"}
    assert it.ask() == pytest.approx(40)
    it.registrar.headers = {"Contact": '"never ends'}
    assert it.ask() == pytest.approx(3_600 * 0.8)


def test_who_asks_for_too_little_asks_for_more_and_goes_on_to_do_so() -> None:
    it = Line(Registrar(least_s=600), expires_s=60)
    it.ask()
    assert it.registrar.bound == {CONTACT: 600}
    it.ask()
    assert [request.headers["Expires"] for request in it.registrar.came] == ["60", "60", "600", "600", "600"]


@pytest.mark.parametrize("headers", [{}, {"Min-Expires": "60"}, {"Min-Expires": "x"}, {"Min-Expires": "99999999"}])
def test_a_refusal_for_too_little_that_names_nothing_better_is_a_failure(headers: dict[str, str]) -> None:
    it = Line(Registrar())
    it.registrar.says, it.registrar.headers = 423, headers
    it.ask()
    assert (it.standing(), len(it.registrar.came)) == (Standing.DOWN, 1)


def test_a_registrar_that_always_wants_more_is_asked_no_more() -> None:
    class Greedy(Registrar):
        def answer(self, request: Request, source: Address, now: float) -> Response | None:
            self.says, self.headers = 423, {"Min-Expires": str(int(request.headers["Expires"]) + 1)}
            return super().answer(request, source, now)

    it = Line(Greedy(), expires_s=60)
    it.ask()
    assert (it.standing(), len(it.registrar.came)) == (Standing.DOWN, 2)


def test_a_wrong_password_is_not_said_twice_in_a_round() -> None:
    it = Line(Registrar(), password="guess")
    assert it.ask() == pytest.approx(BASE_S * 2 * 0.75)
    assert it.standing() is Standing.DOWN
    assert it.registration.reason == "REGISTER: 403 Forbidden"
    assert len(it.registrar.came) == 2


def test_after_failures_it_waits_longer_and_longer_up_to_a_bound() -> None:
    it = Line(Registrar(), chance=0.0)
    it.registrar.mute = True
    waits = [it.ask() for _ in range(20)]
    assert waits[:4] == pytest.approx([BASE_S, BASE_S * 2, BASE_S * 4, BASE_S * 8])
    assert waits[-1] == pytest.approx(LONGEST_S / 2)
    assert it.registration.reason == "REGISTER: no answer"
    it.registrar.mute = False
    it.ask()
    assert (it.standing(), it.registration.reason) == (Standing.UP, "")
    it.registrar.mute = True
    assert it.ask() == pytest.approx(BASE_S), "and begins anew"


def test_a_registrar_may_ask_for_patience() -> None:
    it = Line(Registrar())
    it.registrar.says, it.registrar.headers = 503, {"Retry-After": "300 (in maintenance);duration=60"}
    assert it.ask() == pytest.approx(300)
    it.registrar.headers = {"Retry-After": "604800"}
    assert it.ask() == pytest.approx(LONGEST_S), "but not for ever"


def test_a_binding_holds_until_it_expires_even_if_nobody_answers_any_more() -> None:
    it = Line(Registrar(most_s=100))
    it.ask()
    it.registrar.mute = True
    it.ask()
    assert it.standing() is Standing.UP
    it.now += 20.1
    assert it.standing() is Standing.DOWN


def test_a_binding_for_no_time_is_none() -> None:
    it = Line(Registrar(most_s=0))
    it.ask()
    assert it.standing() is Standing.DOWN


def test_a_lost_connection_brings_the_next_round_forward_and_never_back() -> None:
    it = Line(Registrar())
    it.ask()
    it.registration.lost(it.now)
    assert it.registration.deadline() == pytest.approx(it.now + RETURN_S * 0.75)
    it.registration.lost(it.now + 1)
    assert it.registration.deadline() == pytest.approx(it.now + RETURN_S * 0.75)


def test_a_lost_connection_does_not_shorten_the_wait_after_a_failure() -> None:
    it = Line(Registrar())
    it.registrar.mute = True
    wait = it.ask()
    it.registration.lost(it.now)
    assert it.registration.deadline() == it.now + wait


def test_who_only_asks_binds_nothing_and_finds_out_whether_he_is_known() -> None:
    known, unknown = Line(Registrar(), expires_s=0), Line(Registrar(), expires_s=0, password="guess")
    known.ask()
    unknown.ask()
    assert (known.registrar.bound, known.registration.reason) == ({}, "")
    assert unknown.registration.reason == "REGISTER: 403 Forbidden"
    assert len(known.registrar.came) == 2


def test_who_leaves_takes_the_binding_back() -> None:
    it = Line(Registrar())
    it.ask()
    it.registration.leave(it.now)
    it.ask()
    assert (it.registrar.bound, it.standing()) == ({}, Standing.UNKNOWN)
    assert it.registrar.came[-1].headers["Expires"] == "0"


def test_a_registrar_that_knows_how_binds_us_to_the_flow() -> None:
    it = Line(Registrar(flows=True))
    it.registrar.flow_timer_s = 50
    assert not it.registration.by_flow
    it.ask()
    it.ask()
    contacts = {request.headers["Contact"] for request in it.registrar.came}
    assert len(contacts) == 1
    (contact,) = contacts
    assert re.fullmatch(
        rf'<{CONTACT}>;reg-id=1;\+sip\.instance="<urn:uuid:[0-9a-f]{{8}}-[0-9a-f]{{4}}-5[0-9a-f-]{{21}}>"', contact
    )
    assert it.registrar.came[0].headers["Supported"] == "path, outbound"
    assert (it.registration.by_flow, it.registration.flow_timer_s) == (True, 50)
    it.registration.leave(it.now)
    it.ask()
    assert (it.registrar.came[-1].headers["Contact"], it.registration.by_flow) == (contact, False)


def test_a_node_is_the_same_one_after_a_restart() -> None:
    first, second = Line(Registrar()), Line(Registrar())
    first.ask()
    second.ask()
    assert first.registrar.came[0].headers["Contact"] == second.registrar.came[0].headers["Contact"]


def test_one_that_does_not_know_binds_us_all_the_same() -> None:
    it = Line(Registrar())
    it.ask()
    assert (it.standing(), it.registration.by_flow, it.registrar.bound) == (Standing.UP, False, {CONTACT: 3_600})


def test_where_a_proxy_on_the_way_cannot_the_binding_is_like_any_other() -> None:
    it = Line(Registrar(no_flow=True))
    it.ask()
    assert (it.standing(), it.registration.by_flow, it.registrar.bound) == (Standing.UP, False, {CONTACT: 3_600})
    it.ask()
    asked = ["outbound" in (request.headers.get("Supported") or "") for request in it.registrar.came]
    assert asked == [True, True, False, False, False]
