"""The generated base, and the same base behind HTTP: one contract for both."""

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dialog.bot.customers import Account, Customers, Line, Order, open_customers
from dialog.bot.remote import HttpCustomers
from dialog.bot.sample import CUSTOMERS, SqliteCustomers
from dialog.errors import EngineUnavailable


class _Handler(BaseHTTPRequestHandler):
    """The example server: answers from a `Customers`, or with whatever bytes a test set."""

    base: Customers
    canned: tuple[int, bytes] | None = None

    def _answer(self) -> None:
        if self.canned is not None:
            self._send(*self.canned)
            return
        kind, number, *act = self.path.strip("/").split("/")
        body: object
        match kind, act:
            case "accounts", []:
                account = self.base.account(number)
                body = account and asdict(account)
            case "lines", []:
                line = self.base.line(number)
                body = line and asdict(line)
            case "orders", []:
                order = self.base.order(number)
                body = order and asdict(order)
            case "accounts", ["payment"]:
                body = {"cents": self.base.pay_bill(number)}
            case "accounts", ["sim-block"]:
                body = {"changed": self.base.block_sim(number)}
            case "lines", ["fault"]:
                body = {"ticket": self.base.report_fault(number)}
            case _:
                body = None
        self._send(404 if body is None else 200, json.dumps(body).encode())

    do_GET = do_POST = _answer

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def example(tmp_path: Path) -> Iterator[tuple[str, type[_Handler]]]:
    handler = type("Handler", (_Handler,), {"base": SqliteCustomers(tmp_path / "served.sqlite")})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", handler
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(params=["sqlite", "http"])
def customers(request: pytest.FixtureRequest, tmp_path: Path, example: tuple[str, type[_Handler]]) -> Customers:
    return open_customers(str(tmp_path / "own.sqlite") if request.param == "sqlite" else example[0])


def test_who_can_be_remembered(customers: Customers) -> None:
    account = customers.account("12345678")
    assert account is not None
    assert account.bill is not None
    assert (account.line, account.balance_cents, account.sim_blocked) == ("5550142", 2_340, False)
    assert (account.bill.cents, account.bill.due) == (4_240, "December 5")
    assert sum(cents for _, cents in account.bill.items) == account.bill.cents
    other = customers.account("87654321")
    assert isinstance(other, Account)
    assert other.bill is None
    assert customers.line("5550142") == Line("5550142", "the old town", "", "")
    assert customers.line("5550199") == Line("5550199", "the harbour", "a cut cable", "six this evening")
    assert customers.order("40712") == Order("40712", "a new router", "sent", "Thursday")


def test_unknown_numbers_are_none(customers: Customers) -> None:
    assert customers.account("00000000") is None
    assert customers.line("0") is None
    assert customers.order("1") is None
    assert customers.pay_bill("00000000") is None
    assert customers.block_sim("00000000") is False


def test_a_bill_is_paid_once(customers: Customers) -> None:
    assert customers.pay_bill("12345678") == 4_240
    assert customers.pay_bill("12345678") is None
    account = customers.account("12345678")
    assert account is not None
    assert account.bill is None


def test_a_sim_is_blocked_once(customers: Customers) -> None:
    assert customers.block_sim("12345678") is True
    assert customers.block_sim("12345678") is False
    account = customers.account("12345678")
    assert account is not None
    assert account.sim_blocked


def test_an_open_fault_has_one_ticket(customers: Customers) -> None:
    first = customers.report_fault("5550142")
    assert first == "1000"
    assert customers.report_fault("5550142") == first
    assert customers.report_fault("5550199") == "1001"


def test_the_base_is_the_same_on_every_machine(tmp_path: Path) -> None:
    dumps = []
    for name in ("a", "b"):
        SqliteCustomers(tmp_path / name)
        with closing(sqlite3.connect(tmp_path / name)) as base:
            dumps.append(list(base.iterdump()))
            assert base.execute("SELECT count(*) FROM account").fetchone() == (CUSTOMERS,)
    assert dumps[0] == dumps[1]


def test_a_second_opening_changes_nothing(tmp_path: Path) -> None:
    SqliteCustomers(tmp_path / "base").pay_bill("12345678")
    account = SqliteCustomers(tmp_path / "base").account("12345678")
    assert account is not None
    assert account.bill is None


CALLS: list[Callable[[Customers], object]] = [
    lambda customers: customers.account("12345678"),
    lambda customers: customers.line("5550142"),
    lambda customers: customers.order("40712"),
    lambda customers: customers.pay_bill("12345678"),
    lambda customers: customers.block_sim("12345678"),
    lambda customers: customers.report_fault("5550142"),
]


@pytest.mark.parametrize("call", CALLS, ids=["account", "line", "order", "pay", "block", "fault"])
def test_a_broken_base_is_unavailable(
    call: Callable[[Customers], object], tmp_path: Path, example: tuple[str, type[_Handler]]
) -> None:
    (tmp_path / "broken").write_bytes(b"this is no database, whatever its name says" * 100)
    url, handler = example
    broken: list[Customers] = [SqliteCustomers(tmp_path / "broken"), HttpCustomers("http://127.0.0.1:9", 0.5)]
    for customers in broken:
        with pytest.raises(EngineUnavailable):
            call(customers)
    for status, body in [(500, b"{}"), (200, b"not json"), (200, b"[]"), (302, b"")]:
        handler.canned = (status, body)
        with pytest.raises(EngineUnavailable):
            call(HttpCustomers(url, 0.5))


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"number": 1}',
        b'{"number": "", "name": "", "line": "", "balance_cents": "x", "sim_blocked": 0, "bill": null}',
        b'{"number": "", "name": "", "line": "", "balance_cents": 1, "sim_blocked": 0, "bill": 3}',
    ],
)
def test_a_garbled_account_is_unavailable(body: bytes, example: tuple[str, type[_Handler]]) -> None:
    url, handler = example
    handler.canned = (200, body)
    for call in CALLS[:3]:
        with pytest.raises(EngineUnavailable):
            call(HttpCustomers(url, 0.5))
