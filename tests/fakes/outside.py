"""Somebody outside who can be called: the test answers, refuses, or hangs up."""

import asyncio

from dialog.errors import PeerForbidden
from tests.fakes.leg import FakeLeg
from voice.third import Early, Headers


class FakeOutsideCall:
    """A call that was answered."""

    def __init__(self, leg: FakeLeg | None = None) -> None:
        self.leg = leg or FakeLeg()
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def hang_up(self) -> None:
        self.end("us")

    def end(self, cause: str = "far end") -> None:
        """They hang up."""
        self.leg.close()
        if not self.ended.done():
            self.ended.set_result(cause)


class FakeOutside:
    """Numbers that begin with 1 may be called. `ringing` holds those that ring, `early` who is told of their sound
    meanwhile; `given_up` those that were no longer waited for, `told` the headers that went along."""

    def __init__(self) -> None:
        self.ringing: dict[str, asyncio.Future[FakeOutsideCall]] = {}
        self.early: dict[str, Early] = {}
        self.given_up: list[str] = []
        self.told: list[Headers] = []

    def check(self, number: str) -> None:
        if not number.startswith("1"):
            raise PeerForbidden(f"{number} may not be dialled")

    async def dial(self, number: str, headers: Headers = (), *, early: Early) -> FakeOutsideCall:
        self.told.append(headers)
        self.early[number] = early
        answer: asyncio.Future[FakeOutsideCall] = asyncio.get_running_loop().create_future()
        self.ringing[number] = answer
        try:
            return await answer
        except asyncio.CancelledError:
            self.given_up.append(number)
            raise
        finally:
            del self.ringing[number]

    async def answer(self, number: str, leg: FakeLeg | None = None) -> FakeOutsideCall:
        """They pick up; `leg` has been heard before."""
        call = FakeOutsideCall(leg)
        self.ringing[number].set_result(call)
        await _settled()
        return call

    async def refuse(self, number: str, error: Exception) -> None:
        """They do not."""
        self.ringing[number].set_exception(error)
        await _settled()


async def _settled() -> None:
    for _ in range(4):
        await asyncio.sleep(0)
