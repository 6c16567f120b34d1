"""A customer base behind HTTP: the example to start from when the real base is a service of your own.

GET  {base}/accounts/{number}            -> {"number", "name", "line", "balance_cents", "sim_blocked", "bill"} or 404
GET  {base}/lines/{number}               -> {"number", "area", "fault", "until"} or 404
GET  {base}/orders/{number}              -> {"number", "item", "state", "day"} or 404
POST {base}/accounts/{number}/payment    -> {"cents": paid} or {"cents": null}
POST {base}/accounts/{number}/sim-block  -> {"changed": true or false}
POST {base}/lines/{number}/fault         -> {"ticket": "1000"}

Standard library only, Python 3.10 or newer. Payment must be safe to repeat on the server's side: an answer that got
lost is asked for again by the caller, not by this module.
"""

import http.client
import json
import urllib.error
import urllib.request
from typing import cast

from dialog.bot.customers import Account, Bill, Line, Order
from dialog.errors import EngineUnavailable

TIMEOUT_S = 2.0
LIMIT_BYTES = 65_536

_Json = dict[str, object]


class HttpCustomers:
    """The base at `address`. Slow (over two seconds), unreachable or garbled: `EngineUnavailable`."""

    def __init__(self, address: str, timeout_s: float = TIMEOUT_S) -> None:
        self._address = address.rstrip("/")
        self._timeout_s = timeout_s

    def _ask(self, path: str, *, post: bool = False) -> _Json | None:
        request = urllib.request.Request(f"{self._address}/{path}", data=b"{}" if post else None)
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s) as response:
                body = json.loads(response.read(LIMIT_BYTES))
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 404:
                return None
            raise EngineUnavailable(f"customer base answered {error.code}") from error
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise EngineUnavailable(f"customer base: {error}") from error
        if not isinstance(body, dict):
            raise EngineUnavailable("customer base answered something else than an object")
        return body

    def account(self, number: str) -> Account | None:
        body = self._ask(f"accounts/{number}")
        if body is None:
            return None
        try:
            owed = cast("_Json | None", body["bill"])
            bill = None
            if owed is not None:
                items = cast("list[list[object]]", owed["items"])
                bill = Bill(_whole(owed["cents"]), str(owed["due"]), tuple((str(w), _whole(c)) for w, c in items))
            return Account(
                number=str(body["number"]),
                name=str(body["name"]),
                line=str(body["line"]),
                balance_cents=_whole(body["balance_cents"]),
                sim_blocked=bool(body["sim_blocked"]),
                bill=bill,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise EngineUnavailable(f"customer base answered no account: {error!r}") from error

    def line(self, number: str) -> Line | None:
        body = self._ask(f"lines/{number}")
        return None if body is None else Line(*_texts(body, "number", "area", "fault", "until"))

    def order(self, number: str) -> Order | None:
        body = self._ask(f"orders/{number}")
        return None if body is None else Order(*_texts(body, "number", "item", "state", "day"))

    def pay_bill(self, account: str) -> int | None:
        cents = (self._ask(f"accounts/{account}/payment", post=True) or {}).get("cents")
        return cents if isinstance(cents, int) else None

    def block_sim(self, account: str) -> bool:
        return (self._ask(f"accounts/{account}/sim-block", post=True) or {}).get("changed") is True

    def report_fault(self, line: str) -> str:
        return str((self._ask(f"lines/{line}/fault", post=True) or {}).get("ticket", ""))


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{value!r} is no whole number")
    return value


def _texts(body: _Json, *names: str) -> list[str]:
    values = [body.get(name) for name in names]
    if not all(isinstance(value, str) for value in values):
        raise EngineUnavailable(f"customer base left out one of {', '.join(names)}")
    return [str(value) for value in values]
