"""Phones that register: RFC 3261 section 10.3, through an endpoint, with credentials, behind NAT and by connections."""

import re
from collections.abc import Mapping

import pytest

from tests.fakes.sip_network import HERE, make_endpoint
from tests.voice.wire.sip.test_endpoint import PEER, header, headers_of, request
from voice.wire.sip.auth import Authenticator
from voice.wire.sip.digest import Algorithm, Challenge, Credentials
from voice.wire.sip.events import DialogEnded, EndCause, InviteAnswered
from voice.wire.sip.flow import Flow
from voice.wire.sip.message import Address
from voice.wire.sip.registrar import MAX_CONTACTS, MAX_EXPIRES_S, MIN_EXPIRES_S, Registrar

FLOW = Flow("198.51.100.7", 40_001)
NAT: Address = ("198.51.100.7", 61_234)


class House:
    """An endpoint whose registrar serves eve and bob."""

    def __init__(self) -> None:
        self.registrar = Registrar()
        self.authenticator = Authenticator("house", {"eve": "moon", "bob": "sun"}, bytes(32), (Algorithm.MD5,))
        self.endpoint = make_endpoint(HERE, "t", self.authenticator, (), self.registrar)
        self.now = 10.0
        self._sequence = 0

    def say(self, data: bytes, source: Address = PEER, *, listed: bool = True) -> list[str]:
        self.endpoint.receive(data, source, self.now, listed=listed)
        return [data.decode() for data, _ in self.endpoint.to_send()]

    def message(
        self,
        *contacts: str,
        account: str = "eve",
        to: str = "",
        source: Address = PEER,
        headers: Mapping[str, str] | None = None,
        sequence: int | None = None,
        sign: bool = True,
        rport: bool = True,
    ) -> bytes:
        """A REGISTER, by default newer than all before it; signed with a challenge that it fetched."""
        self._sequence += 1
        transport = source.transport if isinstance(source, Flow) else "UDP"
        via = f"SIP/2.0/{transport} 10.0.0.5:5070;branch=z9hG4bK-{self._sequence}" + ";rport" * rport
        fields = {
            "Via": via,
            "From": f"<sip:{account}@here>;tag=r",
            "To": f"<sip:{to or account}@here>",
            "Call-ID": "boot-1",
            "CSeq": f"{self._sequence if sequence is None else sequence} REGISTER",
            "Contact": ", ".join(contacts),
            **(headers or {}),
        }
        if sign:
            asked = self.say(self.message(account=account, source=source, sign=False), source)[0]
            challenge = Challenge.parse(header(asked, "WWW-Authenticate"))
            password = {"eve": "moon", "bob": "sun"}[account]
            unsigned = Credentials(account, "house", challenge.nonce, "sip:here", "", Algorithm.MD5, "auth", 1, "c")
            value = str(unsigned).replace('response=""', f'response="{unsigned.answer("REGISTER", password)}"')
            fields["Authorization"] = value
        return request("REGISTER", headers=fields, uri="sip:here")

    def register(
        self,
        *contacts: str,
        account: str = "eve",
        to: str = "",
        source: Address = PEER,
        headers: Mapping[str, str] | None = None,
        sequence: int | None = None,
        rport: bool = True,
    ) -> str:
        """Register; the answer."""
        message = self.message(
            *contacts, account=account, to=to, source=source, headers=headers, sequence=sequence, rport=rport
        )
        return self.say(message, source)[0]

    def wait(self, seconds: float) -> None:
        """Let time pass, timer by timer."""
        until = self.now + seconds
        while (due := self.endpoint.deadline()) is not None and due <= until:
            self.now = due
            self.endpoint.on_timer(self.now)
        self.now = until

    @property
    def phones(self) -> list[str]:
        """Eve's."""
        return [str(binding.uri) for binding in self.registrar.bindings("eve")]


def expiries(answer: str) -> dict[str, int]:
    """What a 200 says of each Contact."""
    assert answer.startswith("SIP/2.0 200 "), answer
    found = [re.fullmatch(r"<(.+)>;expires=(\d+)", value) for value in headers_of(answer, "Contact")]
    return {match[1]: int(match[2]) for match in found if match}


@pytest.mark.parametrize("listed", [True, False])
def test_whoever_registers_is_asked_who_they_are_on_the_list_of_peers_or_not(listed: bool) -> None:
    house = House()
    (asked,) = house.say(house.message("<sip:eve@10.0.0.5:5070>", sign=False), listed=listed)
    assert asked.startswith("SIP/2.0 401 ")
    assert house.phones == []
    assert house.endpoint.deadline() is None, "nothing is kept"


def test_a_phone_registers_and_is_known_until_its_time_is_over() -> None:
    house = House()
    assert expiries(house.register("<sip:eve@10.0.0.5:5070>;expires=120")) == {"sip:eve@10.0.0.5:5070": 120}
    assert house.registrar.changes() == ["eve"]
    assert house.registrar.phones == {"eve": 1}
    house.wait(119)
    assert house.phones == ["sip:eve@10.0.0.5:5070"]
    assert expiries(house.register()) == {"sip:eve@10.0.0.5:5070": 1}, "a query says what is left"
    assert house.registrar.changes() == []
    house.wait(1)
    assert (house.phones, house.registrar.changes(), house.registrar.phones) == ([], ["eve"], {})
    house.wait(60)
    assert house.endpoint.deadline() is None, "nothing is kept of it"


def test_a_phone_that_registers_again_stays() -> None:
    house = House()
    for _ in range(5):
        house.register("<sip:eve@10.0.0.5:5070>;expires=60")
        house.wait(59)
    assert house.phones == ["sip:eve@10.0.0.5:5070"]
    assert house.registrar.changes() == ["eve"]


@pytest.mark.parametrize(
    ("contact", "expires", "granted"),
    [
        (";expires=90", "", 90),
        (";expires=90", "200", 90),
        ("", "200", 200),
        ("", "", MAX_EXPIRES_S),
        (";expires=86400", "", MAX_EXPIRES_S),
        (";expires=soon", "", MAX_EXPIRES_S),
        (";expires=99999999999", "", MAX_EXPIRES_S),
        (f";expires={MIN_EXPIRES_S}", "", MIN_EXPIRES_S),
    ],
)
def test_how_long_a_registration_holds(contact: str, expires: str, granted: int) -> None:
    answer = House().register(f"<sip:eve@10.0.0.5>{contact}", headers={"Expires": expires})
    assert list(expiries(answer).values()) == [granted]


def test_too_brief_an_interval_is_refused_with_the_least_that_is_taken() -> None:
    house = House()
    answer = house.register("<sip:eve@10.0.0.5>;expires=59")
    assert answer.startswith("SIP/2.0 423 ")
    assert header(answer, "Min-Expires") == str(MIN_EXPIRES_S)
    assert house.phones == []


@pytest.mark.parametrize("to", ["bob", "nobody", "Eve"])
def test_an_account_registers_for_itself_alone(to: str) -> None:
    house = House()
    answer = house.register("<sip:eve@10.0.0.5>", to=to)
    assert answer.startswith("SIP/2.0 403 ")
    assert house.registrar.phones == {}


def test_a_phone_says_goodbye() -> None:
    house = House()
    house.register("<sip:eve@10.0.0.5:5070>", "<sip:eve@10.0.0.6:5070>")
    assert list(expiries(house.register("<sip:eve@10.0.0.5:5070>;expires=0"))) == ["sip:eve@10.0.0.6:5070"]
    house.register("<sip:eve@10.0.0.5:5070>")
    assert expiries(house.register("*", headers={"Expires": "0"})) == {}
    assert house.phones == []


@pytest.mark.parametrize("headers", [{}, {"Expires": "60"}])
def test_all_phones_at_once_can_only_be_forgotten(headers: dict[str, str]) -> None:
    house = House()
    house.register("<sip:eve@10.0.0.5>")
    assert house.register("*", headers=headers).startswith("SIP/2.0 400 ")
    assert house.phones == ["sip:eve@10.0.0.5"]


def test_what_is_older_than_what_is_known_changes_nothing() -> None:
    house = House()
    house.register("<sip:eve@10.0.0.5>", sequence=700)
    for stale in ("<sip:eve@10.0.0.5>;expires=0", "*"):
        answer = house.register(stale, headers={"Expires": "0"}, sequence=700)
        assert answer.startswith("SIP/2.0 500 ")
    mixed = house.register("<sip:eve@10.0.0.9>", "<sip:eve@10.0.0.5>", sequence=699)
    assert mixed.startswith("SIP/2.0 500 ")
    assert house.phones == ["sip:eve@10.0.0.5"], "all of a request is done, or nothing"
    house.register("<sip:eve@10.0.0.5>;expires=0", headers={"Call-ID": "boot-2"}, sequence=1)
    assert house.phones == [], "a phone that started anew counts from the beginning"


def test_a_repeated_register_gets_the_same_answer_and_is_no_replay() -> None:
    house = House()
    message = house.message("<sip:eve@10.0.0.5>")
    assert house.say(message) == house.say(message)
    assert house.authenticator.counts["replayed"] == 0
    assert house.phones == ["sip:eve@10.0.0.5"]


def test_a_phone_is_one_phone_however_its_contact_is_written() -> None:
    house = House()
    house.register("<sip:eve@PHONE.example:5070;ob>")
    house.register("<sip:eve@phone.example:5070;transport=UDP>;q=0.5")
    assert house.phones == ["sip:eve@phone.example:5070;transport=UDP"]
    house.register("<sip:eve@phone.example:5070;transport=tcp>")
    assert len(house.phones) == 2


def test_a_phone_with_an_instance_takes_its_own_place_after_a_restart() -> None:
    house = House()
    house.register('<sip:x1@10.0.0.5:5070>;+sip.instance="<urn:uuid:1>"')
    house.register('<sip:x2@10.0.0.5:5090>;+sip.instance="<urn:uuid:1>"', headers={"Call-ID": "boot-2"})
    assert house.phones == ["sip:x2@10.0.0.5:5090"]


def test_an_account_has_so_many_phones_and_the_one_heard_from_longest_ago_makes_room() -> None:
    house = House()
    for number in range(MAX_CONTACTS + 1):
        house.register(f"<sip:eve@10.0.0.{number}>")
        house.register("<sip:eve@10.0.0.0>")
    assert [uri[-1] for uri in house.phones] == ["2", "3", "4", "0"]
    many = [f"<sip:eve@10.0.1.{number}>" for number in range(MAX_CONTACTS + 1)]
    assert house.register(*many).startswith("SIP/2.0 403 ")


def test_what_a_register_requires_and_what_no_phone_can_be() -> None:
    house = House()
    answer = house.register("<sip:eve@10.0.0.5>", headers={"Require": "path"})
    assert answer.startswith("SIP/2.0 420 ")
    assert header(answer, "Unsupported") == "path"
    assert house.register("<mailto:eve@example.org>").startswith("SIP/2.0 400 ")
    assert house.phones == []


def test_without_a_registrar_the_method_is_not_allowed() -> None:
    endpoint = make_endpoint(HERE, "t")
    endpoint.receive(request("REGISTER", uri="sip:here"), PEER, 10.0)
    ((answer, _),) = endpoint.to_send()
    assert answer.startswith(b"SIP/2.0 405 ")


@pytest.mark.parametrize(("rport", "target"), [(True, NAT), (False, (NAT[0], 5070))])
def test_a_phone_behind_nat_is_called_where_it_registered_from(rport: bool, target: Address) -> None:
    house = House()
    house.register("<sip:eve@10.0.0.5:5070>", source=NAT, rport=rport)
    (binding,) = house.registrar.bindings("eve")
    assert binding.addr == target
    call = house.endpoint.invite(str(binding.uri), b"v=0", "sip:100@192.0.2.1", house.now, binding.addr)
    ((invite, addr),) = house.endpoint.to_send()
    assert invite.startswith(b"INVITE sip:eve@10.0.0.5:5070 SIP/2.0\r\n")
    assert addr == target
    kept = [line for line in invite.decode().split("\r\n") if re.match("Via|From|Call-ID|CSeq", line)]
    ok = ["SIP/2.0 200 OK", *kept, "To: <sip:x>;tag=b", "Contact: <sip:eve@10.0.0.5:5070>", "", ""]
    house.endpoint.receive("\r\n".join(ok).encode(), target, house.now, listed=False)
    assert house.endpoint.events() == [InviteAnswered(call, None)]
    house.endpoint.hangup(call, house.now)
    assert [addr for _, addr in house.endpoint.to_send()] == [target, target], "ACK and BYE have no other way, either"
    assert house.endpoint.events() == [DialogEnded(call, EndCause.LOCAL)]


def test_a_phone_on_a_connection_is_called_by_it_and_gone_with_it() -> None:
    house = House()
    house.register("<sip:eve@10.0.0.5:5070;transport=tcp>", source=FLOW)
    house.register("<sip:eve@10.0.0.6>")
    binding = house.registrar.bindings("eve")[0]
    assert isinstance(binding.addr, Flow)
    assert binding.addr.peer == FLOW.peer
    house.endpoint.disconnected(Flow("198.51.100.7", 40_002), house.now)
    assert len(house.phones) == 2
    house.endpoint.disconnected(FLOW, house.now)
    assert house.phones == ["sip:eve@10.0.0.6"]
    assert house.registrar.changes() == ["eve"]
    house.register("*", headers={"Expires": "0"})
    assert house.registrar.changes() == ["eve"]


def test_a_node_that_drains_still_knows_its_phones() -> None:
    house = House()
    house.endpoint.drain()
    assert expiries(house.register("<sip:eve@10.0.0.5>")) != {}
