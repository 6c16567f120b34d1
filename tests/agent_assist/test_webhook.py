"""The webhook against a real HTTP server that may hang, fail, redirect or drip."""

import asyncio
import hashlib
import hmac
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from agent_assist.webhook import CallReport, Webhook, sign
from dialog.errors import ConfigurationError
from tests.agent_assist.conftest import Clock
from tests.agent_assist.journals import balance_call

SECRET = b"an agreed secret of some length"


@dataclass
class Receiver:
    """Answers each POST with the next of `answers` (the last for ever); "hang" and "drip" answer never, or slowly."""

    answers: list[str]
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")[1:-2]
                headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
                self.requests.append((headers, await reader.readexactly(int(headers["content-length"]))))
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if answer == "hang":
                    await asyncio.sleep(3600)
                elif answer == "drip":
                    while True:
                        writer.write(b"H")
                        await writer.drain()
                        await asyncio.sleep(0.01)
                writer.write(f"HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n".encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def receiving(*answers: str) -> AsyncIterator[Receiver]:
    receiver = Receiver(list(answers))
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(receiver.serve(reader, writer))
        tasks.add(task)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    receiver.port = server.sockets[0].getsockname()[1]
    yield receiver
    server.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def hook(port: int, *, clock: Clock, bound: int = 10) -> Webhook:
    return Webhook(
        f"http://127.0.0.1:{port}/ended",
        SECRET,
        "https://desk.example/",
        tries=3,
        pause_s=0.01,
        timeout_s=0.15,
        bound=bound,
        clock=clock,
    )


def settled(webhook: Webhook) -> int:
    counts = webhook.counts
    return counts.delivered + counts.refused + counts.failed + counts.shed


async def deliver(webhook: Webhook, *call_ids: str) -> None:
    """Tell the calls, wait for each report's fate, close."""
    async with asyncio.TaskGroup() as group:
        group.create_task(webhook.run())
        for call_id in call_ids:
            for record in balance_call(call_id, recording=f"{call_id}.flac"):
                webhook(record)
        while settled(webhook) < len(call_ids):
            await asyncio.sleep(0.005)
        webhook.close()


async def test_an_ended_call_is_reported_and_signed(clock: Clock) -> None:
    async with receiving("204 No Content") as receiver:
        webhook = hook(receiver.port, clock=clock)
        await deliver(webhook, "call-1")
    [(headers, body)] = receiver.requests
    report = CallReport.model_validate_json(body)
    assert (report.call_id, report.cause, report.link) == (
        "call-1",
        "caller_hung_up",
        "https://desk.example/calls/call-1",
    )
    assert (report.summary.utterances, report.summary.key_entries, report.summary.barge_ins) == (1, 1, 1)
    assert report.summary.answer_ms_longest == 600
    assert b"balance" not in body  # figures, not what was said
    found = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", headers["centralino-signature"])
    assert found is not None
    assert int(found[1]) == int(clock())
    assert found[2] == hmac.new(SECRET, f"{found[1]}.".encode() + body, hashlib.sha256).hexdigest()
    assert headers["content-type"] == "application/json"
    assert webhook.counts.delivered == 1


@pytest.mark.parametrize("trouble", ["500 Oops", "503 Later", "429 Slow down", "hang", "drip"])
async def test_trouble_is_tried_again(trouble: str, clock: Clock) -> None:
    async with receiving(trouble, trouble, "200 OK") as receiver:
        webhook = hook(receiver.port, clock=clock)
        await deliver(webhook, "call-1")
    assert len(receiver.requests) == 3
    assert len({body for _, body in receiver.requests}) == 1
    assert webhook.counts.delivered == 1


@pytest.mark.parametrize("trouble", ["500 Oops", "hang"])
async def test_tries_have_an_end_and_the_next_call_its_turn(trouble: str, clock: Clock) -> None:
    async with receiving(trouble, trouble, trouble, "200 OK") as receiver:
        webhook = hook(receiver.port, clock=clock)
        await deliver(webhook, "call-1", "call-2")
    assert len(receiver.requests) == 4
    assert (webhook.counts.failed, webhook.counts.delivered) == (1, 1)


async def test_nobody_there_is_a_failure(clock: Clock) -> None:
    async with receiving("200 OK") as receiver:
        pass
    webhook = hook(receiver.port, clock=clock)
    await deliver(webhook, "call-1")
    assert webhook.counts.failed == 1


async def test_a_redirect_is_not_followed(clock: Clock) -> None:
    async with receiving("200 OK") as other:
        async with receiving(f"307 Elsewhere\r\nLocation: http://127.0.0.1:{other.port}/") as receiver:
            webhook = hook(receiver.port, clock=clock)
            await deliver(webhook, "call-1")
        assert len(receiver.requests) == 1
        assert other.requests == []
    assert webhook.counts.refused == 1


async def test_a_refusal_is_final(clock: Clock) -> None:
    async with receiving("410 Gone") as receiver:
        webhook = hook(receiver.port, clock=clock)
        await deliver(webhook, "call-1")
    assert len(receiver.requests) == 1
    assert webhook.counts.refused == 1


async def test_a_full_queue_drops_the_newcomer(clock: Clock) -> None:
    webhook = hook(9, clock=clock, bound=2)
    for number in range(5):
        for record in balance_call(f"call-{number}"):
            webhook(record)
    assert (webhook.counts.queued, webhook.counts.shed) == (2, 3)


async def test_a_running_call_is_not_reported(clock: Clock) -> None:
    webhook = hook(9, clock=clock)
    for record in balance_call(ended=False):
        webhook(record)
    webhook(balance_call("stranger")[-1])
    assert webhook.counts.queued == 0


@pytest.mark.parametrize(
    "url", ["", "ftp://127.0.0.1/", "127.0.0.1:80/x", "http://", "http://[::1/", "file:///etc/passwd"]
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="webhook"):
        Webhook(url, SECRET, "http://127.0.0.1")


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="16 bytes"):
        Webhook("http://127.0.0.1/", b"short", "http://127.0.0.1")


def test_the_signature_is_the_documented_one() -> None:
    expected = hmac.new(SECRET, b'1700000000.{"a":1}', hashlib.sha256).hexdigest()
    assert sign(SECRET, b'{"a":1}', 1_700_000_000) == f"t=1700000000,v1={expected}"
