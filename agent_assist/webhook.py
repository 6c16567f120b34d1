"""Tell another system that a call ended: one signed POST a call, bounded in every direction."""

import asyncio
import contextlib
import hashlib
import hmac
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import httpx
import structlog
from pydantic import BaseModel, ConfigDict

from agent_assist.summary import CallSummary, Summariser
from dialog.errors import ConfigurationError
from dialog.events import CallEnded, CallStarted, Record
from dialog.http import BROKEN

_log = structlog.get_logger(__name__)
SIGNATURE_HEADER = "Centralino-Signature"
_AGAIN = frozenset({408, 425, 429})
"""Refusals that ask for another try; every other 3xx and 4xx is final."""


class CallReport(BaseModel):
    """The body of the POST. `link` is the call's page; it asks for a sign-in."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    type: Literal["call_ended"] = "call_ended"
    version: Literal[1] = 1
    call_id: str
    transport: str
    caller: str
    dialled: str
    bot: str
    started_at: str
    duration_ms: int
    cause: str
    recording: str
    summary: CallSummary
    link: str


@dataclass(frozen=True, slots=True)
class WebhookCounts:
    """What became of the reports: a refusal is final, `failed` ran out of tries, `shed` fell to a full queue."""

    queued: int
    delivered: int
    refused: int
    failed: int
    shed: int


def sign(secret: bytes, body: bytes, at_s: int) -> str:
    """The header's value: `t=<Unix time>,v1=<hex HMAC-SHA256 over "<t>.<body>">`.

    The receiver computes the same and compares; an old `t` is a replay.
    """
    return f"t={at_s},v1={hmac.new(secret, b'%d.' % at_s + body, hashlib.sha256).hexdigest()}"


class Webhook:
    """A journal listener that reports each ended call to `url` from a task of its own.

    Overflow, policy "drop the newcomer": past `bound` waiting reports a new one is counted and forgotten. A report
    is tried `tries` times, with pauses that double from `pause_s`; redirects are not followed (the secret was
    agreed with this address and no other); an answer's body is not read.
    """

    def __init__(
        self,
        url: str,
        secret: bytes,
        site: str,
        *,
        bound: int = 1_000,
        tries: int = 5,
        pause_s: float = 1.0,
        timeout_s: float = 10.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`site` is our own address as others reach it, for the link. Raises ConfigurationError."""
        try:
            target = httpx.URL(url)
        except httpx.InvalidURL as error:
            raise ConfigurationError(f"the webhook's address {url!r} is no URL: {error}") from error
        if target.scheme not in ("http", "https") or not target.host:
            raise ConfigurationError(f"the webhook's address {url!r} must begin with http:// or https:// and a host")
        if len(secret) < 16:
            raise ConfigurationError("the webhook's secret needs 16 bytes or more")
        self._url = target
        self._secret = secret
        self._site = site.rstrip("/")
        self._tries = tries
        self._pause_s = pause_s
        self._timeout_s = timeout_s
        self._clock = clock
        self._running: dict[str, tuple[CallStarted, Summariser]] = {}
        self._queue: asyncio.Queue[CallReport | None] = asyncio.Queue(bound + 1)  # one place is for the end
        self._bound = bound
        self._counts: Counter[str] = Counter()
        self._closing = False
        self._scope = asyncio.timeout(None)

    @property
    def counts(self) -> WebhookCounts:
        """Totals since the start."""
        count = self._counts
        return WebhookCounts(self._queue.qsize(), count["delivered"], count["refused"], count["failed"], count["shed"])

    def __call__(self, record: Record) -> None:
        """Take `record`; returns at once. Called on the event loop."""
        if isinstance(record.event, CallStarted):
            self._running[record.call_id] = (record.event, Summariser())
        if record.call_id not in self._running:
            return
        started, figures = self._running[record.call_id]
        figures.take(record)
        if isinstance(record.event, CallEnded):
            del self._running[record.call_id]
            self._enqueue(self._report(record.call_id, started, record.event, figures.summary))

    async def run(self) -> None:
        """Deliver until `close`. The owner's task group runs this."""
        try:
            async with self._scope, httpx.AsyncClient(trust_env=False, follow_redirects=False) as client:
                while (report := await self._queue.get()) is not None:
                    outcome = await self._deliver(client, report)
                    self._counts[outcome] += 1
                    _log.info("webhook sent", call_id=report.call_id, outcome=outcome)
        except TimeoutError:
            _log.error("webhook not sent", reports=self._queue.qsize())

    def close(self, within_s: float = 5.0) -> None:
        """Deliver what waits, with one try each and for at most `within_s`, then let `run` return."""
        self._closing = True
        self._queue.put_nowait(None)
        if self._scope.when() is None:
            with contextlib.suppress(RuntimeError):  # `run` was never entered, or has returned
                self._scope.reschedule(asyncio.get_running_loop().time() + within_s)

    def _enqueue(self, report: CallReport) -> None:
        if self._closing or self._queue.qsize() >= self._bound:
            self._counts["shed"] += 1
        else:
            self._queue.put_nowait(report)

    def _report(self, call_id: str, started: CallStarted, ended: CallEnded, summary: CallSummary) -> CallReport:
        return CallReport(
            call_id=call_id,
            transport=started.transport,
            caller=started.caller,
            dialled=started.dialled,
            bot=started.bot,
            started_at=started.started_at,
            duration_ms=ended.duration_ms,
            cause=ended.cause,
            recording=started.recording,
            summary=summary,
            link=f"{self._site}/calls/{call_id}",
        )

    async def _deliver(
        self, client: httpx.AsyncClient, report: CallReport
    ) -> Literal["delivered", "refused", "failed"]:
        body = report.model_dump_json().encode()
        for attempt in range(self._tries):
            status = await self._post(client, body)
            if 200 <= status < 300:
                return "delivered"
            if 300 <= status < 500 and status not in _AGAIN:
                return "refused"
            if self._closing or attempt == self._tries - 1:
                break
            await asyncio.sleep(self._pause_s * 2**attempt)
        return "failed"

    async def _post(self, client: httpx.AsyncClient, body: bytes) -> int:
        """The answer's status; 0 for none. The clock is over the whole exchange: a slow drip is no answer."""
        headers = {
            "Content-Type": "application/json",
            SIGNATURE_HEADER: sign(self._secret, body, int(self._clock())),
        }
        try:
            async with asyncio.timeout(self._timeout_s):
                async with client.stream("POST", self._url, content=body, headers=headers) as response:
                    return response.status_code
        except (TimeoutError, *BROKEN):
            return 0
