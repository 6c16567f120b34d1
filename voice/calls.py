"""All calls of the node: who is admitted, what is live, and how the house empties."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Literal

import structlog

from dialog.commands import Command
from dialog.errors import Overloaded
from dialog.events import CallStarted, Event
from voice.call import Call
from voice.line_test import TESTS
from voice.media.recorder import Recorder
from voice.media.recording import Recording, RecordingEnded
from voice.rate import RateLimit
from voice.recorded_streams import RecordableLeg
from voice.services import People, Refer, Services
from voice.settings.sections import LimitSettings

log = structlog.get_logger("calls")

HALF_OPEN_PART = 4
LEAST_HALF_OPEN = 2
"""One address has at most a quarter of the places, and at least two, in calls that were admitted and have not begun.

An INVITE that is never acknowledged holds its place for 32 s (RFC 3261 section 13.3.1.4): whoever sends many of them
shuts out himself, and nobody else.
"""


class Calls:
    """Starts calls inside the node's task group and knows them by id."""

    def __init__(
        self,
        limits: LimitSettings,
        services: Services,
        recorder: Recorder | None,
        tasks: asyncio.TaskGroup,
        lag_ms: Callable[[], float],
    ) -> None:
        self._limits = limits
        self._services = services
        self._recorder = recorder
        self._tasks = tasks
        self._lag_ms = lag_ms
        self._rate = RateLimit(limits.calls_per_minute, burst=limits.calls_per_minute)
        self._live: dict[str, Call] = {}
        self._empty = asyncio.Event()
        self._empty.set()
        self._draining = False
        self._people: People | None = None
        self._coming: list[Callable[[], Iterable[str]]] = []
        self._partial: Callable[[str], object] = lambda call_id: None
        self.refused: Counter[str] = Counter()

    @property
    def live(self) -> int:
        return len(self._live)

    @property
    def draining(self) -> bool:
        return self._draining

    def serve(self, people: People) -> None:
        """From now on calls may be given to people; whoever directs them does so by `command` and `tell`."""
        self._people = people

    def get(self, call_id: str) -> Call | None:
        return self._live.get(call_id)

    def command(self, call_id: str, command: Command) -> bool:
        """Carry out what the desk asks of a call; False when it cannot, or is over."""
        call = self._live.get(call_id)
        return call is not None and call.command(command)

    def tell(self, call_id: str, event: Event) -> None:
        """Note in a call's journal what it did not see for itself; nothing for a call that is over."""
        call = self._live.get(call_id)
        if call is not None:
            call.tell(event)

    def on_partial(self, partial: Callable[[str], object]) -> None:
        """`partial` is told each call, which is over, whose recording lacks something."""
        self._partial = partial

    def expect(self, coming: Callable[[], Iterable[str]]) -> None:
        """`coming` tells the address of each call that was admitted and has not begun: it needs a place, too."""
        self._coming.append(coming)

    def obstacle(self) -> str:
        """Why no call at all would be taken now; "" when one would."""
        if self._draining:
            return "draining"
        if len(self._live) + len(self._half_open()) >= self._limits.calls:
            return "full"
        return "lagging" if self._lag_ms() > self._limits.loop_lag_ms else ""

    def admit(self, address: str, *, many: bool = False) -> None:
        """Raise Overloaded, with the reason, when a call from `address` must not be taken now.

        An address with `many` callers behind it has limits of its own, and not those of one caller.
        """
        reason = self.obstacle() or ("" if many else self._excess(address))
        if reason:
            self.refused[reason] += 1
            raise Overloaded(reason)

    def _half_open(self) -> list[str]:
        return [address for coming in self._coming for address in coming()]

    def _excess(self, address: str) -> str:
        """Of what `address` has too much."""
        if self._half_open().count(address) >= max(LEAST_HALF_OPEN, self._limits.calls // HALF_OPEN_PART):
            return "half_open"
        return "" if self._rate.allow(address, asyncio.get_running_loop().time()) else "rate"

    def start(
        self,
        leg: RecordableLeg,
        *,
        transport: Literal["sip", "browser", "stream", "siprec"],
        caller: str,
        dialled: str,
        bot: str,
        codec: str,
        trunk: str = "",
        placed_by: str = "",
        ended: Callable[[str], None],
        headers: tuple[tuple[str, str], ...] = (),
        refer: Refer | None = None,
    ) -> Call:
        """Begin an admitted call on `leg`; `ended` is called once, with the cause, when it is over; `refer` asks the
        far end to call somebody in our stead. It was `placed_by` an agent where we called.

        A test number says nothing of a recording, so it makes none.
        """
        call_id = secrets.token_hex(8)
        recording = (
            self._recorder.open(call_id, partial(self._recording_ended, asyncio.get_running_loop(), call_id))
            if self._recorder is not None and bot not in TESTS
            else None
        )
        started = CallStarted(
            transport=transport,
            caller=caller,
            dialled=dialled,
            bot=bot,
            trunk=trunk,
            placed_by=placed_by,
            started_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            recording=recording.path.name if recording is not None else "",
            headers=headers,
        )
        call = Call(call_id, started, leg, codec, self._services, self._people, refer, recording)
        leg.record(recording)
        self._live[call_id] = call
        self._empty.clear()
        self._tasks.create_task(self._hold(call, recording, ended), name=f"call {call_id}")
        return call

    async def drain(self, limit_s: float) -> None:
        """Take no more calls; wait until the last is over, at most `limit_s`, then end what is left."""
        self._draining = True
        try:
            async with asyncio.timeout(limit_s):
                await self._empty.wait()
        except TimeoutError:
            self.end_all()

    def end_all(self) -> None:
        """End every live call now."""
        for call in list(self._live.values()):
            call.end("shutdown")

    async def _hold(self, call: Call, recording: Recording | None, ended: Callable[[str], None]) -> None:
        cause = "error"
        try:
            try:
                cause = await call.run()
            finally:
                del self._live[call.call_id]
                if not self._live:
                    self._empty.set()
                if recording is not None:
                    recording.close()
                ended(cause)
            await call.farewell()
        except Exception:  # one call's fault: the others, in the same group, go on
            log.exception("call failed", call_id=call.call_id)

    def _recording_ended(self, loop: asyncio.AbstractEventLoop, call_id: str, ended: RecordingEnded) -> None:
        """In the recorder's thread. The call may be over, or be waiting for a journal that tells why."""
        if ended.partial:
            with suppress(RuntimeError):  # the loop is closed: the node has ended
                loop.call_soon_threadsafe(self._partial, call_id)
