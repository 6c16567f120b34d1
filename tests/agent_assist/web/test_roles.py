"""Who reads which calls: an agent its own, a supervisor all, and only an administrator erases."""

from collections.abc import AsyncIterator

import httpx
import pytest

from agent_assist.auth.users import Role
from agent_assist.store.database import Database
from agent_assist.store.desk_records import DeskRecords
from agent_assist.web.api import CallDetail, CallPage
from tests.agent_assist.journals import balance_call
from tests.agent_assist.web.agents import Agent, signed_in
from tests.agent_assist.web.conftest import Site


@pytest.fixture
async def gus(site: Site, database: Database, recorded: bytes) -> AsyncIterator[Agent]:
    """An agent who took part in call-1 (which was recorded) and call-3, of four."""
    (site.recordings / "call-2.flac").write_bytes(recorded)
    for number in (2, 3, 4):
        await site.store.append(balance_call(f"call-{number}", recording=f"call-{number}.flac"))
    records = DeskRecords(database)
    await records.add_participant("call-1", "gus")
    await records.add_participant("call-3", "gus")
    await records.add_participant("call-2", "ida")
    async with signed_in(site) as agent:
        yield agent


async def calls(client: httpx.AsyncClient, **query: str) -> list[str]:
    page = CallPage.model_validate_json((await client.get("/api/calls", params=query)).content)
    return [call.call_id for call in page.calls]


async def test_an_agent_lists_its_own_calls(gus: Agent) -> None:
    assert await calls(gus.client) == ["call-3", "call-1"]
    assert await calls(gus.client, limit="1") == ["call-3"]
    assert await calls(gus.client, limit="1", before="call-3") == ["call-1"]
    assert await calls(gus.client, before="call-2") == ["call-1"]
    page = (await gus.client.get("/calls")).text
    assert "/calls/call-1" in page
    assert "call-2" not in page


async def test_an_agent_reads_its_own_calls(gus: Agent) -> None:
    answer = await gus.client.get("/api/calls/call-1")
    assert CallDetail.model_validate_json(answer.content).call.call_id == "call-1"
    assert (await gus.client.get("/api/calls/call-1/audio")).status_code == 200
    page = (await gus.client.get("/calls/call-1")).text
    assert "what is my balance" in page
    assert "Erase" not in page
    assert "/agent" not in page  # there is no desk in this house


@pytest.mark.parametrize("call_id", ["call-2", "call-4", "nobody", "' OR 1=1 --", "call-1%00"])
async def test_to_an_agent_other_calls_do_not_exist(gus: Agent, call_id: str) -> None:
    answers = [await gus.client.get(f"{path}/{call_id}{end}") for path, end in PATHS]
    unknown = [await gus.client.get(f"{path}/no-such-call{end}") for path, end in PATHS]
    assert [(a.status_code, a.text) for a in answers] == [(a.status_code, a.text) for a in unknown]
    assert {answer.status_code for answer in answers} == {404}


PATHS = (("/api/calls", ""), ("/api/calls", "/audio"), ("/calls", ""))


async def test_a_token_sees_no_more_than_its_user(gus: Agent, site: Site) -> None:
    headers = {"Authorization": f"Bearer {await site.users.add_token('gus', 'report')}"}
    async with httpx.AsyncClient(base_url=site.url, trust_env=False, headers=headers) as program:
        assert await calls(program) == ["call-3", "call-1"]
        assert (await program.get("/api/calls/call-2")).status_code == 404
        assert (await program.delete("/api/calls/call-1")).status_code == 403


async def test_a_supervisor_reads_all_and_erases_none(gus: Agent, site: Site) -> None:
    async with signed_in(site, "sue", Role.SUPERVISOR) as sue:
        assert len(await calls(sue.client)) == 4
        assert (await sue.client.get("/api/calls/call-2/audio")).status_code == 200
        assert "Erase" not in (await sue.client.get("/calls/call-2")).text
        answer = await sue.client.delete("/api/calls/call-2", headers={"X-CSRF-Token": await sue.csrf()})
        assert answer.status_code == 403
        assert len(await calls(sue.client)) == 4


async def test_an_agent_erases_not_even_its_own(gus: Agent) -> None:
    for call_id in ("call-1", "call-2"):
        answer = await gus.client.delete(f"/api/calls/{call_id}", headers={"X-CSRF-Token": await gus.csrf()})
        assert answer.status_code == 403
    assert (await gus.client.get("/api/calls/call-1")).status_code == 200


async def test_an_administrator_erases(gus: Agent, anna: httpx.AsyncClient, program: httpx.AsyncClient) -> None:
    assert "Erase this call" in (await anna.get("/calls/call-1")).text
    assert (await program.delete("/api/calls/call-1")).status_code == 204
    assert await calls(gus.client) == ["call-3"]


def test_each_role_may_do_what_those_before_it_may() -> None:
    agent, supervisor, administrator = Role
    assert [role.reaches(supervisor) for role in Role] == [False, True, True]
    assert all(role.reaches(agent) for role in Role)
    assert [role.reaches(administrator) for role in Role] == [False, False, True]
