"""`/api/calls` over real HTTP."""

import re

import httpx
import pytest

from agent_assist.web.api import CallDetail, CallPage
from agent_assist.web.problems import Problem
from dialog.errors import NotFound, PeerForbidden, ProtocolError, StoreError
from tests.agent_assist.journals import balance_call
from tests.agent_assist.web.conftest import Site

STRANGE = [
    "' OR 1=1 --",
    "x; DROP TABLE calls",
    "..%2F..%2Fetc%2Fpasswd",
    "%2e%2e",
    "%00",
    "call-1%00",
    "%ff%fe",
    "a" * 128,
    "😀",
]


async def test_calls_come_in_pages(program: httpx.AsyncClient, site: Site) -> None:
    for number in range(5):
        await site.store.append(balance_call(f"call-{number}"))
    seen: list[str] = []
    before = ""
    for _ in range(3):
        answer = await program.get("/api/calls", params={"limit": 2, "before": before})
        page = CallPage.model_validate_json(answer.content)
        seen += [call.call_id for call in page.calls]
        before = page.next
    assert before == ""
    assert seen == [f"call-{number}" for number in reversed(range(5))]


async def test_a_call_is_read_with_its_journal(program: httpx.AsyncClient, site: Site, recorded: bytes) -> None:
    answer = await program.get("/api/calls/call-1")
    detail = CallDetail.model_validate_json(answer.content)
    assert detail.call.cause == "caller_hung_up"
    assert detail.summary.barge_ins == 1
    assert detail.records == balance_call("call-1", recording="call-1.flac")


async def test_sound_comes_whole_and_in_ranges(program: httpx.AsyncClient, recorded: bytes) -> None:
    whole = await program.get("/api/calls/call-1/audio")
    assert (whole.status_code, whole.headers["content-type"]) == (200, "audio/flac")
    assert whole.content == recorded
    assert whole.headers["accept-ranges"] == "bytes"
    part = await program.get("/api/calls/call-1/audio", headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, recorded[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(recorded)}"
    tail = await program.get("/api/calls/call-1/audio", headers={"Range": "bytes=-10"})
    assert tail.content == recorded[-10:]
    beyond = await program.get("/api/calls/call-1/audio", headers={"Range": f"bytes={len(recorded)}-"})
    assert beyond.status_code == 416


@pytest.mark.parametrize("name", ["../secret.flac", "/etc/passwd", "..", ".hidden.flac", "gone.flac", "", "a/b.flac"])
async def test_only_sound_from_the_folder_is_served(program: httpx.AsyncClient, site: Site, name: str) -> None:
    (site.recordings.parent / "secret.flac").write_bytes(b"secret")
    (site.recordings / ".hidden.flac").write_bytes(b"secret")
    await site.store.append(balance_call("call-1", recording=name))
    answer = await program.get("/api/calls/call-1/audio")
    assert answer.status_code == 404
    assert Problem.model_validate_json(answer.content).code == NotFound.code


async def test_erasing_removes_at_once(program: httpx.AsyncClient, site: Site, recorded: bytes) -> None:
    assert (await program.delete("/api/calls/call-1")).status_code == 204
    assert (await program.delete("/api/calls/call-1")).status_code == 404
    assert (await program.get("/api/calls/call-1")).status_code == 404
    assert list(site.recordings.iterdir()) == []


async def test_by_cookie_erasing_needs_the_pages_token(anna: httpx.AsyncClient, recorded: bytes) -> None:
    found = re.search(r'<meta name="csrf" content="(\w+)"', (await anna.get("/calls/call-1")).text)
    assert found is not None
    for token in ("", "0" * 64, "é"):
        answer = await anna.delete("/api/calls/call-1", headers={b"X-CSRF-Token": token.encode()})
        assert Problem.model_validate_json(answer.content).code == PeerForbidden.code
    assert (await anna.delete("/api/calls/call-1", headers={"X-CSRF-Token": found[1]})).status_code == 204


@pytest.mark.parametrize("call_id", STRANGE)
async def test_strange_ids_are_not_found(program: httpx.AsyncClient, recorded: bytes, call_id: str) -> None:
    for path in (f"/api/calls/{call_id}", f"/api/calls/{call_id}/audio"):
        answer = await program.get(path)
        assert answer.status_code == 404, path
        assert answer.headers["content-type"] == "application/problem+json"
    assert (await program.delete(f"/api/calls/{call_id}")).status_code == 404
    assert (await program.get("/api/calls/call-1")).status_code == 200


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=-1", "limit=1000000000000000000000", "limit=x", "before=" + "a" * 129]
)
async def test_a_wrong_query_is_told_where(program: httpx.AsyncClient, query: str) -> None:
    answer = await program.get(f"/api/calls?{query}")
    problem = Problem.model_validate_json(answer.content)
    assert (answer.status_code, problem.status, problem.code) == (422, 422, ProtocolError.code)
    assert query.partition("=")[0] in problem.detail


async def test_nobody_reads_without_a_name(visitor: httpx.AsyncClient, recorded: bytes) -> None:
    for path in ("/api/calls", "/api/calls/call-1", "/api/calls/call-1/audio"):
        for headers in ({}, {"Authorization": "Bearer centralino_wrong"}, {"Authorization": "Basic YW5uYTp4"}):
            answer = await visitor.get(path, headers=headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
            assert Problem.model_validate_json(answer.content).code == PeerForbidden.code
    assert (await visitor.delete("/api/calls/call-1")).status_code == 401


async def test_a_shown_token_decides_alone(anna: httpx.AsyncClient) -> None:
    answer = await anna.get("/api/calls", headers={"Authorization": "Bearer centralino_wrong"})
    assert answer.status_code == 401


async def test_wrong_methods_and_paths_are_problems(program: httpx.AsyncClient) -> None:
    assert (await program.put("/api/calls/x")).status_code == 405
    answer = await program.get("/api/nothing")
    assert Problem.model_validate_json(answer.content).code == NotFound.code


async def test_a_dead_store_is_a_503(program: httpx.AsyncClient, site: Site) -> None:
    async with site.users.database.write("break it") as connection:
        await connection.exec_driver_sql("ALTER TABLE calls RENAME TO gone")
    answer = await program.get("/api/calls")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    problem = Problem.model_validate_json(answer.content)
    assert problem.code == StoreError.code
    assert "calls" not in problem.detail  # the store's inside is none of a client's business


async def test_the_document_lists_every_operation(visitor: httpx.AsyncClient) -> None:
    document = (await visitor.get("/openapi.json")).json()
    assert {(path, method) for path, methods in document["paths"].items() for method in methods} == {
        ("/api/calls", "get"),
        ("/api/calls/{call_id}", "get"),
        ("/api/calls/{call_id}", "delete"),
        ("/api/calls/{call_id}/audio", "get"),
    }
    errors = document["paths"]["/api/calls"]["get"]["responses"]
    assert list(errors["422"]["content"]) == list(errors["401"]["content"]) == ["application/problem+json"]
    assert "HTTPValidationError" not in document["components"]["schemas"]
    page = (await visitor.get("/docs")).text
    for path in document["paths"]:
        assert path in page
    for model in document["components"]["schemas"]:
        assert model in page
