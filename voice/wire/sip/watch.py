"""Requests outside calls that are sent again and again: what they have in common, and OPTIONS as a ping.

A watch makes one request after another and judges the answers; when to ask and how to send is its owner's business.
Sans-I/O: times come in by arguments, randomness by `chance` (numbers of [0, 1)).
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Protocol

from sipmessage import Request, Response

from voice.wire.sip.core import Core
from voice.wire.sip.grammar import WireURI
from voice.wire.sip.message import NO_HEADERS, Address, make_request, set_body

MISSES = 2
"""Pings in a row without a good answer from which on a peer counts as down."""

_AWAY = (408, 503)
"""Answers that a proxy gives in the place of a peer that it does not reach, or a peer that takes no calls."""


class Standing(StrEnum):
    """How a peer stands, as far as is known."""

    UNKNOWN = "unknown"
    UP = "up"
    DOWN = "down"


class Watch(Protocol):
    """What is asked again and again. `reason` says in words why the peer is down."""

    @property
    def reason(self) -> str: ...

    def standing(self, now: float) -> Standing: ...

    def deadline(self) -> float:
        """When to ask."""
        ...

    def request(self, core: Core, addr: Address) -> Request:
        """The next request, on its way to `addr`."""
        ...

    def receive(self, response: Response | None, now: float) -> None:
        """Its final response; None where nobody answered."""
        ...


class Series:
    """Requests of one `method` to `target`, with one Call-ID and a CSeq that counts (RFC 3261 section 10.2).

    `ours` is our own address; without it we are whoever is to be reached here.
    """

    def __init__(self, method: str, target: WireURI, ours: WireURI | None, token: Callable[[], str]) -> None:
        self._method = method
        self._target = target
        self._ours = ours
        self._tag = token()
        self._call_id = token()
        self._sequence = 0

    def next(self, core: Core, addr: Address, to: WireURI, headers: Mapping[str, str] = NO_HEADERS) -> Request:
        """One more, about `to`, with more `headers`."""
        self._sequence += 1
        from_ = f"<{self._ours}>" if self._ours else core.identity(addr)["Contact"]
        request = make_request(
            self._method,
            self._target,
            via=core.via(addr),
            from_=f"{from_};tag={self._tag}",
            to=f"<{to}>",
            call_id=self._call_id,
            cseq=self._sequence,
        )
        set_body(request, b"", headers)
        return request


class Ping:
    """Asks `target` every `every_s`, give or take a tenth, whether it is there (RFC 3261 section 11).

    Any answer shows that it is, a refusal too, but for those that say the opposite.
    """

    def __init__(
        self,
        target: WireURI,
        ours: WireURI | None,
        every_s: float,
        token: Callable[[], str],
        chance: Callable[[], float],
        now: float,
    ) -> None:
        self._series = Series("OPTIONS", target, ours, token)
        self._target = target
        self._every_s = every_s
        self._chance = chance
        self._due = now
        self._answered = False
        self._misses = 0
        self._reason = ""

    @property
    def reason(self) -> str:
        return self._reason

    def standing(self, now: float) -> Standing:
        if self._misses >= MISSES:
            return Standing.DOWN
        return Standing.UP if self._answered else Standing.UNKNOWN

    def deadline(self) -> float:
        return self._due

    def request(self, core: Core, addr: Address) -> Request:
        return self._series.next(core, addr, self._target, {"Accept": "application/sdp"})

    def receive(self, response: Response | None, now: float) -> None:
        self._due = now + self._every_s * (0.9 + 0.2 * self._chance())
        if response is None or response.code in _AWAY:
            self._misses += 1
            self._reason = f"OPTIONS: {response.code} {response.phrase}" if response else "OPTIONS: no answer"
        else:
            self._answered, self._misses, self._reason = True, 0, ""
