"""Seam `Customers`: what the help desk knows of its customers, and the three things it may do for them.

Standard library only, Python 3.10 or newer: the same code runs inside Rasa's process and in the server.
Numbers are strings of digits; money is in cents. Every method may raise `EngineUnavailable` when the base cannot be
reached; the methods block, so an event loop calls them in a thread.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Bill:
    """An open bill; `items` are (what, cents) and add up to `cents`."""

    cents: int
    due: str
    items: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Account:
    """A customer's account. `bill` is None when nothing is open."""

    number: str
    name: str
    line: str
    balance_cents: int
    sim_blocked: bool
    bill: Bill | None


@dataclass(frozen=True)
class Line:
    """A telephone line; `fault` is what is known to be wrong with it or its area, `until` when it ends."""

    number: str
    area: str
    fault: str
    until: str


@dataclass(frozen=True)
class Order:
    """An order; `state` is one of "taken", "packed", "sent", "delivered"; `day` when it arrives or arrived."""

    number: str
    item: str
    state: str
    day: str


class Customers(Protocol):
    """The customer base. Unknown numbers give None."""

    def account(self, number: str) -> Account | None: ...

    def line(self, number: str) -> Line | None: ...

    def order(self, number: str) -> Order | None: ...

    def pay_bill(self, account: str) -> int | None:
        """Pay the open bill from the card on file: cents paid, or None when nothing was open. Never pays twice."""
        ...

    def block_sim(self, account: str) -> bool:
        """Block the account's SIM; False when it was blocked already."""
        ...

    def report_fault(self, line: str) -> str:
        """Note a fault at `line`: the ticket number. A second report of an open fault gives the same ticket."""
        ...


def open_customers(where: str) -> Customers:
    """The base at `where`: an `http://` or `https://` address, or the path of an SQLite file, generated when absent."""
    # late imports: each base builds on this module
    if where.startswith(("http://", "https://")):
        from dialog.bot.remote import HttpCustomers

        return HttpCustomers(where)
    from dialog.bot.sample import SqliteCustomers

    return SqliteCustomers(Path(where))
