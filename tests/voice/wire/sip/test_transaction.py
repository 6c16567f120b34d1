"""The transaction tables, and the interpreter that runs them, timer by timer."""

import re

import pytest
from sipmessage import Request, Response

from voice.wire.sip.call_table import CALL, MEDIA
from voice.wire.sip.grammar import WireURI
from voice.wire.sip.guard import Received, examine
from voice.wire.sip.message import Address, make_request, make_response
from voice.wire.sip.tables import CLIENT, CLIENT_INVITE, SERVER, SERVER_INVITE, T1, TIMER, Input, Machine, State
from voice.wire.sip.transaction import MessagePassed, TimedOut, Transaction

ADDR: Address = ("192.0.2.2", 5060)
MACHINES = (CLIENT_INVITE, CLIENT, SERVER_INVITE, SERVER)


def make(method: str) -> Request:
    return make_request(
        method,
        WireURI.parse("sip:2@192.0.2.2"),
        via="SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bKq",
        from_="<sip:1@192.0.2.1>;tag=a",
        to="<sip:2@192.0.2.2>",
        call_id="c",
        cseq=1,
    )


def seen(message: Request | Response) -> Received:
    verdict = examine(bytes(message))
    assert isinstance(verdict, Received)
    return verdict


def reply(request: Request, status: int) -> Received:
    return seen(make_response(request, status, to_tag="b"))


def sent(transaction: Transaction) -> list[str]:
    return [
        data.split(b" SIP")[0].decode() if data[:3] != b"SIP" else data[8:11].decode()
        for data, _ in transaction.to_send()
    ]


def run(transaction: Transaction, end: float) -> list[tuple[float, str]]:
    """Let time pass to `end`; what is sent, and when."""
    log = []
    while (due := transaction.deadline()) is not None and due <= end:
        transaction.on_timer(due)
        log += [(round(due, 3), line) for line in sent(transaction)]
    return log


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_every_state_is_reached_and_left(machine: Machine) -> None:
    reached = {machine.first}
    while True:
        more = {row.state for (state, _), row in machine.rows.items() if state in reached} | reached
        if more == reached:
            break
        reached = more
    assert State.TERMINATED in reached
    assert {state for state, _ in machine.rows} == reached - {State.TERMINATED}
    for state, timers in machine.entry.items():
        for timer in timers:
            assert (state, timer) in machine.rows, "a timer that nothing waits for"


def test_every_row_cites_its_place() -> None:
    rows = [row.cite for machine in MACHINES for row in machine.rows.values()]
    rows += [row.cite for row in CALL.values()] + [row.cite for row in MEDIA.values()]
    assert all(re.fullmatch(r"RFC \d{4} \d+(\.\d+)*", cite) for cite in rows)


def test_each_timer_is_used() -> None:
    used = {timer for machine in MACHINES for timers in machine.entry.values() for timer in timers}
    assert used == TIMER.keys() == {Input[letter] for letter in "ABDEFGHIJKLM"}


def test_client_invite_repeats_and_times_out() -> None:
    """Timers A and B."""
    transaction = Transaction.client(make("INVITE"), ADDR, 0.0)
    assert sent(transaction) == ["INVITE sip:2@192.0.2.2"]
    assert [at for at, _ in run(transaction, 99)] == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert transaction.terminated
    assert transaction.events() == [TimedOut()]


def test_client_invite_rings_for_ever() -> None:
    transaction = Transaction.client(make("INVITE"), ADDR, 0.0)
    ringing = reply(transaction.request, 180)
    transaction.receive(ringing, 0.2)
    sent(transaction)
    assert run(transaction, 99) == []
    assert transaction.state is State.PROCEEDING
    assert transaction.events() == [MessagePassed(ringing)]


def test_client_invite_acknowledges_a_refusal_each_time() -> None:
    """Timer D; the ACK repeats the branch and takes the To tag (RFC 3261 section 17.1.1.3)."""
    transaction = Transaction.client(make("INVITE"), ADDR, 0.0)
    transaction.to_send()
    busy = reply(transaction.request, 486)
    for _ in range(3):
        transaction.receive(busy, 1.0)
    acks = transaction.to_send()
    assert len(acks) == 3 and len(set(acks)) == 1
    text = acks[0][0].decode()
    assert text.startswith("ACK sip:2@192.0.2.2 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bKq\r\n")
    assert "\r\nTo: <sip:2@192.0.2.2>;tag=b\r\n" in text
    assert "\r\nCSeq: 1 ACK\r\n" in text
    assert transaction.events() == [MessagePassed(busy)]
    assert transaction.deadline() == 33.0
    run(transaction, 33.0)
    assert transaction.terminated


def test_client_invite_passes_every_2xx() -> None:
    """RFC 6026 section 7.2: repeated and forked 2xx go to the user, for 64*T1 (timer M)."""
    transaction = Transaction.client(make("INVITE"), ADDR, 0.0)
    ok = reply(transaction.request, 200)
    transaction.receive(ok, 1.0)
    transaction.receive(ok, 2.0)
    transaction.receive(reply(transaction.request, 486), 2.0)
    assert transaction.events() == [MessagePassed(ok)] * 2
    assert transaction.deadline() == 1.0 + 64 * T1
    run(transaction, 40.0)
    assert transaction.terminated


def test_client_repeats_up_to_t2() -> None:
    """Timers E and F."""
    transaction = Transaction.client(make("BYE"), ADDR, 0.0)
    sent(transaction)
    assert [at for at, _ in run(transaction, 99)] == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert transaction.events() == [TimedOut()]


def test_client_slows_down_after_a_provisional_response() -> None:
    transaction = Transaction.client(make("OPTIONS"), ADDR, 0.0)
    sent(transaction)
    transaction.receive(reply(transaction.request, 100), 0.1)
    assert [at for at, _ in run(transaction, 12)] == [0.5, 4.5, 8.5]
    transaction.receive(reply(transaction.request, 200), 12.5)
    assert transaction.deadline() == 17.5  # timer K
    transaction.receive(reply(transaction.request, 200), 13.0)
    assert len(transaction.events()) == 2
    run(transaction, 17.5)
    assert transaction.terminated


def test_server_invite_repeats_a_refusal_until_its_ack() -> None:
    """Timers G and I."""
    request = make("INVITE")
    transaction = Transaction.server(request, ADDR, 0.0)
    transaction.receive(seen(request), 0.1)
    assert sent(transaction) == []
    transaction.respond(make_response(request, 100), 0.2)
    transaction.receive(seen(request), 0.3)
    assert sent(transaction) == ["100", "100"]
    transaction.respond(make_response(request, 486, to_tag="b"), 1.0)
    assert sent(transaction) == ["486"]
    assert run(transaction, 8.6) == [(1.5, "486"), (2.5, "486"), (4.5, "486"), (8.5, "486")]
    transaction.receive(seen(request), 8.7)
    assert sent(transaction) == ["486"]
    transaction.receive(seen(make("ACK")), 9.0)
    assert transaction.state is State.CONFIRMED
    assert run(transaction, 14.0) == []
    assert transaction.terminated
    assert transaction.events() == []


def test_server_invite_gives_up_without_an_ack() -> None:
    """Timer H."""
    request = make("INVITE")
    transaction = Transaction.server(request, ADDR, 0.0)
    transaction.respond(make_response(request, 486, to_tag="b"), 0.0)
    sent(transaction)
    assert run(transaction, 99)[-1] == (31.5, "486")
    assert transaction.events() == [TimedOut()]


def test_server_invite_leaves_a_2xx_to_its_user() -> None:
    """RFC 6026 section 7.1: INVITEs are absorbed, ACKs passed, further 2xx sent, until timer L."""
    request = make("INVITE")
    transaction = Transaction.server(request, ADDR, 0.0)
    ok = make_response(request, 200, to_tag="b")
    transaction.respond(ok, 1.0)
    transaction.receive(seen(request), 1.1)
    transaction.respond(ok, 1.5)
    transaction.respond(make_response(request, 486), 1.6)
    assert sent(transaction) == ["200", "200"]
    ack = seen(make("ACK"))
    transaction.receive(ack, 2.0)
    assert transaction.events() == [MessagePassed(ack)]
    assert run(transaction, 33.0) == []
    assert transaction.terminated


def test_server_repeats_its_final_response() -> None:
    """Timer J."""
    request = make("BYE")
    transaction = Transaction.server(request, ADDR, 0.0)
    transaction.receive(seen(request), 0.1)
    assert sent(transaction) == []
    transaction.respond(make_response(request, 100), 0.2)
    transaction.receive(seen(request), 0.3)
    transaction.respond(make_response(request, 200, to_tag="b"), 0.4)
    transaction.receive(seen(request), 0.5)
    transaction.respond(make_response(request, 500), 0.6)
    assert sent(transaction) == ["100", "100", "200", "200"]
    assert transaction.deadline() == 32.4
    run(transaction, 32.4)
    assert transaction.terminated


def test_an_abandoned_transaction_has_no_future() -> None:
    transaction = Transaction.client(make("INVITE"), ADDR, 0.0)
    transaction.abandon()
    assert transaction.deadline() is None
    assert transaction.terminated and not transaction.pending


def test_client_times_out_even_after_a_provisional_response() -> None:
    transaction = Transaction.client(make("BYE"), ADDR, 0.0)
    trying = reply(transaction.request, 100)
    transaction.receive(trying, 0.1)
    transaction.receive(trying, 0.2)
    run(transaction, 99)
    assert transaction.events() == [MessagePassed(trying), MessagePassed(trying), TimedOut()]


@pytest.mark.parametrize("provisional", [0, 1, 2])
def test_refusals_end_both_sides_of_a_plain_transaction(provisional: int) -> None:
    request = make("BYE")
    client, server = Transaction.client(request, ADDR, 0.0), Transaction.server(request, ADDR, 0.0)
    for status in (100, 183)[:provisional]:
        server.respond(make_response(request, status, to_tag="b"), 0.1)
        client.receive(reply(request, status), 0.1)
    server.respond(make_response(request, 500, to_tag="b"), 0.2)
    client.receive(reply(request, 500), 0.2)
    assert server.state is client.state is State.COMPLETED
    assert len(client.events()) == provisional + 1
