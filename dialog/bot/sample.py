"""A customer base to try the bot with: 200 generated customers in one SQLite file, the same on every machine.

Two of them are easy to remember, so that a first call needs no look-up: account 12345678 (line 5550142, order 40712)
and account 87654321 (line 5550199, order 40713). Standard library only, Python 3.10 or newer.
"""

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from dialog.bot.customers import Account, Bill, Line, Order
from dialog.errors import EngineUnavailable

CUSTOMERS = 200
SEED = 20_26

_SCHEMA = """
CREATE TABLE account (number TEXT PRIMARY KEY, name TEXT NOT NULL, line TEXT NOT NULL UNIQUE, balance INTEGER NOT NULL,
                      sim_blocked INTEGER NOT NULL);
CREATE TABLE bill (account TEXT PRIMARY KEY, due TEXT NOT NULL, paid INTEGER NOT NULL);
CREATE TABLE bill_item (account TEXT NOT NULL, what TEXT NOT NULL, cents INTEGER NOT NULL);
CREATE TABLE line (number TEXT PRIMARY KEY, area TEXT NOT NULL, ticket TEXT NOT NULL);
CREATE TABLE fault (area TEXT PRIMARY KEY, what TEXT NOT NULL, until TEXT NOT NULL);
CREATE TABLE orders (number TEXT PRIMARY KEY, item TEXT NOT NULL, state TEXT NOT NULL, day TEXT NOT NULL);
"""
_FIRST = ("Ada", "Bruno", "Clara", "Dario", "Elena", "Fabio", "Greta", "Hugo", "Irene", "Luca", "Marta", "Paolo")
_LAST = ("Abate", "Bianchi", "Conti", "Esposito", "Ferri", "Galli", "Leone", "Marino", "Neri", "Rossi", "Villa")
_BALANCES = (2_340, 790)
_AREAS = ("the harbour", "the old town", "the hill", "the station", "the university", "the mill")
_FAULTS = (("the harbour", "a cut cable", "six this evening"), ("the mill", "a power failure", "noon tomorrow"))
_ITEMS = ("a new router", "a SIM card", "a telephone", "a wifi repeater")
_STATES = ("taken", "packed", "sent", "delivered")
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")
_EXTRAS = (("calls abroad", 1250), ("extra data", 900), ("text messages", 340), ("roaming", 1780))


def generate(path: Path, count: int = CUSTOMERS) -> None:
    """Write the base to `path`, whole or not at all: two processes may find it missing at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path, timeout=10.0, isolation_level=None)) as base:
        base.execute("BEGIN EXCLUSIVE")
        if not base.execute("SELECT 1 FROM sqlite_master WHERE name = 'account'").fetchone():
            for statement in _SCHEMA.split(";"):
                base.execute(statement)
            _fill(base, count)
        base.execute("COMMIT")


def _fill(base: sqlite3.Connection, count: int) -> None:
    draw = random.Random(SEED)
    base.executemany("INSERT INTO fault VALUES (?, ?, ?)", _FAULTS)
    accounts = ["12345678", "87654321"] + [str(n) for n in draw.sample(range(20_000_000, 80_000_000), count - 2)]
    lines = [5_550_142, 5_550_199, *draw.sample(range(5_551_000, 5_559_999), count - 2)]
    for i, (account, line) in enumerate(zip(accounts, lines, strict=True)):
        blocked = i > 1 and draw.random() < 0.05
        name, cents = f"{draw.choice(_FIRST)} {draw.choice(_LAST)}", draw.randrange(0, 6_000, 10)
        balance = _BALANCES[i] if i < 2 else cents
        base.execute("INSERT INTO account VALUES (?, ?, ?, ?, ?)", (account, name, str(line), balance, blocked))
        area = _AREAS[1 - i] if i < 2 else draw.choice(_AREAS)
        base.execute("INSERT INTO line VALUES (?, ?, '')", (str(line), area))
        state, weekday = ("sent", "Thursday") if i == 0 else (draw.choice(_STATES), draw.choice(_DAYS))
        order = str(40_712 + i)
        base.execute(
            "INSERT INTO orders VALUES (?, ?, ?, ?)",
            (order, _ITEMS[0] if i < 2 else draw.choice(_ITEMS), state, weekday),
        )
        if i == 1 or (i > 1 and draw.random() < 0.3):
            continue
        day = 5 if i == 0 else draw.randrange(1, 29)
        base.execute("INSERT INTO bill VALUES (?, ?, 0)", (account, f"December {day}"))
        extra = _EXTRAS[0] if i == 0 else draw.choice(_EXTRAS)
        base.executemany("INSERT INTO bill_item VALUES (?, ?, ?)", [(account, "the plan", 2_990), (account, *extra)])


class SqliteCustomers:
    """The base in one SQLite file. Each call opens it anew, so that threads and processes may share the file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.exists():
            generate(path)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self._path, timeout=2.0)) as base, base:
                yield base
        except sqlite3.Error as error:
            raise EngineUnavailable(f"customer base {self._path}: {error}") from error

    def account(self, number: str) -> Account | None:
        with self._open() as base:
            row = base.execute(
                "SELECT number, name, line, balance, sim_blocked FROM account WHERE number = ?", (number,)
            ).fetchone()
            if row is None:
                return None
            bill = base.execute("SELECT due FROM bill WHERE account = ? AND NOT paid", (number,)).fetchone()
            items = tuple(base.execute("SELECT what, cents FROM bill_item WHERE account = ?", (number,)))
        owed = Bill(sum(cents for _, cents in items), bill[0], items) if bill else None
        return Account(row[0], row[1], row[2], row[3], bool(row[4]), owed)

    def line(self, number: str) -> Line | None:
        with self._open() as base:
            row = base.execute(
                "SELECT number, line.area, coalesce(what, ''), coalesce(until, '') FROM line"
                " LEFT JOIN fault ON fault.area = line.area WHERE number = ?",
                (number,),
            ).fetchone()
        return Line(*row) if row else None

    def order(self, number: str) -> Order | None:
        with self._open() as base:
            row = base.execute("SELECT number, item, state, day FROM orders WHERE number = ?", (number,)).fetchone()
        return Order(*row) if row else None

    def pay_bill(self, account: str) -> int | None:
        with self._open() as base:
            paid = base.execute("UPDATE bill SET paid = 1 WHERE account = ? AND NOT paid", (account,)).rowcount
            if not paid:
                return None
            row = base.execute("SELECT sum(cents) FROM bill_item WHERE account = ?", (account,)).fetchone()
        return int(row[0])

    def block_sim(self, account: str) -> bool:
        with self._open() as base:
            changed = base.execute(
                "UPDATE account SET sim_blocked = 1 WHERE number = ? AND NOT sim_blocked", (account,)
            )
            return changed.rowcount > 0

    def report_fault(self, line: str) -> str:
        with self._open() as base:
            base.execute(
                "UPDATE line SET ticket = (SELECT 1000 + count(*) FROM line WHERE ticket <> '')"
                " WHERE number = ? AND ticket = ''",
                (line,),
            )
            row = base.execute("SELECT ticket FROM line WHERE number = ?", (line,)).fetchone()
        return str(row[0]) if row else ""
