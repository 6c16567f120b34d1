"""Who is to be called back, over real HTTP: listed, called, and struck off when it is done."""

import httpx
import pytest

from agent_assist.desk.ports import Conflict, Presence
from agent_assist.web.agent_api import DeskParts
from agent_assist.web.callbacks_api import CallbackView, number_of
from agent_assist.web.problems import Problem
from tests.agent_assist.web.agents import signed_in, told
from tests.agent_assist.web.conftest import Site
from tests.fakes.desk import FakeDesk


@pytest.fixture
def parts(desk_and_parts: tuple[FakeDesk, DeskParts]) -> DeskParts:
    return desk_and_parts[1]


async def test_callbacks_are_listed_until_they_are_done(site: Site) -> None:
    async with signed_in(site) as gus:
        task, other = map(CallbackView.model_validate, (await gus.client.get("/api/agent/callbacks")).json())
        assert (task.caller, task.number) == ("sip:+3225550177@192.0.2.7", "+3225550177")
        assert task.reason == "asked for a person"
        assert (other.caller, other.number) == ("browser", "")
        assert await gus.do(f"callbacks/{task.id}/done") == 204
        for doing in ("done", "call"):
            assert await gus.do(f"callbacks/{task.id}/{doing}") == 404
            assert await gus.do(f"callbacks/0/{doing}") == 422
            assert await gus.do(f"callbacks/{10**30}/{doing}") == 422
        [left] = (await gus.client.get("/api/agent/callbacks")).json()
        assert CallbackView.model_validate(left) == other


async def test_the_node_calls_for_an_agent_and_the_task_stays(site: Site, desk: FakeDesk) -> None:
    async with signed_in(site) as gus, gus.feed() as socket:
        await told(socket)
        assert await gus.do("callbacks/1/call") == 409, "there is no audio"
        desk.audio("gus", connected=True)
        assert await gus.do("callbacks/1/call") == 204
        assert desk.asked[-1] == ("gus", "call_out", "+3225550177", "asked for a person")
        assert desk.presence("gus") is Presence.CALLING
        assert await gus.do("callbacks/1/call") == 409, "one call at a time"
        assert await gus.do("callout/cancel") == 204
        assert desk.presence("gus") is Presence.AWAY
        assert len((await gus.client.get("/api/agent/callbacks")).json()) == 2


async def test_who_had_no_number_cannot_be_called(site: Site, desk: FakeDesk) -> None:
    async with signed_in(site) as gus:
        headers = {"X-CSRF-Token": await gus.csrf()}
        answer = await gus.client.post("/api/agent/callbacks/2/call", headers=headers)
        problem = Problem.model_validate_json(answer.content)
        assert (answer.status_code, problem.code) == (409, Conflict.code)
        assert problem.detail == "this caller has no number"
    assert desk.asked == []


@pytest.mark.parametrize("path", ["callbacks/1/call", "callbacks/1/done"])
async def test_a_call_needs_a_visitor_who_meant_it(site: Site, desk: FakeDesk, path: str) -> None:
    async with signed_in(site) as gus:
        assert (await gus.client.post(f"/api/agent/{path}")).status_code == 403
        gus.client.cookies.clear()
        assert (await gus.client.post(f"/api/agent/{path}")).status_code == 401
        token = {"Authorization": f"Bearer {await site.users.add_token('gus', 'robot')}"}
        async with httpx.AsyncClient(base_url=site.url, trust_env=False, headers=token) as robot:
            assert len((await robot.get("/api/agent/callbacks")).json()) == 2
    assert desk.asked == []


@pytest.mark.parametrize(
    ("caller", "number"),
    [
        ("sip:+3225550177@192.0.2.7", "+3225550177"),
        ("sips:100@pbx.example;transport=tls", "100"),
        ("sip:02-555;phone-context=be@192.0.2.7", "02555"),
        ("tel:+32-2-555-01-77", "+3225550177"),
        ("+3225550177", "+3225550177"),
        ("(02) 555 01 77", "025550177"),
        ("sip:anna@192.0.2.7", ""),
        ("sip:anonymous@anonymous.invalid", ""),
        ("sip:100", ""),
        ("sip:100:secret@192.0.2.7", ""),
        ("192.0.2.7", ""),
        ("browser", ""),
        ("+", ""),
        ("1" * 41, ""),
        ("", ""),
    ],
)
def test_a_number_is_what_can_be_dialled(caller: str, number: str) -> None:
    assert number_of(caller) == number
