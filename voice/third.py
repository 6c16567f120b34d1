"""Whom an agent calls in: from the first ring until either side hangs up."""

import asyncio
from collections.abc import Callable
from typing import Literal, Protocol

from dialog.errors import CentralinoError, Overloaded, PeerForbidden, PeerTimeout
from voice.dialling import CallRefused
from voice.machines import STATUSES
from voice.mind import Strand
from voice.ports import Leg

Why = Literal["dropped", "hung_up", "no_answer", "not_allowed", "busy", "failed", "ended"]
"""See `dialog.people_events.ThirdLeft`."""


Headers = tuple[tuple[str, str], ...]
"""By name; see `dialog.events.CallStarted`."""


Early = Callable[[Leg], None]
"""Told by which leg sound may come before the answer (RFC 3960); again, where the call went on to somebody else."""


class OutsideCall(Protocol):
    """A call that was placed and answered (voice.dialling.PlacedCall)."""

    @property
    def leg(self) -> Leg | None:
        """Its sound; there once it is answered."""
        ...

    @property
    def ended(self) -> "asyncio.Future[str]":
        """Done when the call is over: who ended it, or the machine that is there."""
        ...

    @property
    def hang_up(self) -> Callable[[], None]: ...


class Outside(Protocol):
    """Calls numbers outside (voice.outbound.Outbound)."""

    def check(self, number: str) -> None:
        """Raise PeerForbidden where `number` may not be called."""
        ...

    async def dial(self, number: str, headers: Headers = (), *, early: Early) -> OutsideCall:
        """Call, and wait for the answer; to be cancelled is to hang up. `headers` are what the caller's side told: the
        settings say which go along. `early` is told of sound before the answer.

        Raises PeerForbidden, Overloaded, PeerTimeout, CallRefused, PeerError.
        """
        ...


def why_not(error: CentralinoError) -> tuple[Why, int]:
    """Why a call came to nothing, and SIP's status where it has one."""
    match error:
        case PeerForbidden():
            return "not_allowed", 0
        case Overloaded():
            return "busy", 0
        case PeerTimeout():
            return "no_answer", 0
        case CallRefused(status=status):
            return "failed", status
        case _:
            return "failed", 0


def why_over(cause: str) -> tuple[Why, int]:
    """Why a call that was answered is over, as `OutsideCall.ended` tells it; of a machine SIP's status."""
    status = STATUSES.get(cause, 0)
    return ("failed", status) if status else ("hung_up", 0)


class Third:
    """Calls `number`, for a caller of whom `headers` were told, in a task of `tasks`.

    `early` is told of their sound before they answer, `joined` of it once they have; `left` is called once, with why
    and SIP's status where there is one, when they are gone or never came. `informed`: they know that they are recorded.
    """

    def __init__(
        self,
        number: str,
        headers: Headers,
        outside: Outside,
        tasks: Strand,
        early: Early,
        joined: Callable[[Leg], None],
        left: Callable[[Why, int], None],
    ) -> None:
        self.number = number
        self.informed = False
        self._joined = joined
        self._left = left
        self._call: OutsideCall | None = None
        self._over = False
        self._calling = tasks.create_task(self._dial(outside, headers, early), name="third")

    @property
    def leg(self) -> Leg | None:
        """Their sound; None until they answer."""
        return None if self._call is None else self._call.leg

    def follow(self, left: Callable[[Why, int], None]) -> None:
        """Somebody else is to be told when they are gone."""
        self._left = left

    def leave(self, why: Why) -> None:
        """Hang up, or stop calling. Idempotent."""
        if not self._over:
            self._calling.cancel()
            if self._call is not None:
                self._call.hang_up()
            self._gone(why)

    async def _dial(self, outside: Outside, headers: Headers, early: Early) -> None:
        try:
            self._call = call = await outside.dial(self.number, headers, early=early)
        except CentralinoError as error:
            self._gone(*why_not(error))
            return
        leg = call.leg
        assert leg is not None, "it was answered"
        leg.on_failure(lambda _error: self.leave("failed"))
        self._joined(leg)
        call.ended.add_done_callback(lambda ended: self._gone(*why_over(ended.result())))

    def _gone(self, why: Why, status: int = 0) -> None:
        if not self._over:
            self._over = True
            self._left(why, status)
