"""Supervisors and the calls of colleagues, over real HTTP: who may be in them, and who may not."""

import httpx
import pytest

from agent_assist.auth.users import Role
from agent_assist.desk.messages import Snapshot
from agent_assist.web.agent_api import DeskParts
from agent_assist.web.problems import Problem
from dialog.errors import PeerForbidden
from tests.agent_assist.web.agents import feed, signed_in, told
from tests.agent_assist.web.conftest import Site
from tests.fakes.desk import FakeDesk

WISH = {"agent": "gus", "how": "listen"}


@pytest.fixture
def parts(desk_and_parts: tuple[FakeDesk, DeskParts]) -> DeskParts:
    return desk_and_parts[1]


@pytest.mark.parametrize("role", [Role.SUPERVISOR, Role.ADMINISTRATOR])
async def test_a_supervisor_listens_whispers_joins_and_leaves(site: Site, desk: FakeDesk, role: Role) -> None:
    desk.arrive("gus", [])
    desk.ring("gus")
    desk.answer("gus", "call-1")
    async with signed_in(site, "sue", role) as sue, sue.feed() as socket:
        await told(socket)
        desk.audio("sue", connected=True)
        for how in ("listen", "whisper", "join", "none"):
            assert await sue.do("supervise", agent="gus", how=how) == 204
            assert desk.asked[-1] == ("sue", "supervise", "gus", how)
        assert await sue.do("supervise", agent="sue", how="listen") == 409
        assert await sue.do("supervise", agent="nobody", how="listen") == 409


async def test_an_agent_is_in_no_call_but_its_own(site: Site, desk: FakeDesk) -> None:
    async with signed_in(site, "ida") as ida:
        headers = {"X-CSRF-Token": await ida.csrf()}
        for agent in ("gus", "ida", "nobody"):
            answer = await ida.client.post("/api/agent/supervise", json=WISH | {"agent": agent}, headers=headers)
            assert Problem.model_validate_json(answer.content).code == PeerForbidden.code
            assert answer.status_code == 403
    assert desk.asked == []


async def test_supervising_needs_a_visitor_who_meant_it(site: Site, desk: FakeDesk) -> None:
    async with signed_in(site, "sue", Role.SUPERVISOR) as sue:
        for headers in ({}, {"X-CSRF-Token": "0" * 64}):
            assert (await sue.client.post("/api/agent/supervise", json=WISH, headers=headers)).status_code == 403
        sue.client.cookies.clear()
        assert (await sue.client.post("/api/agent/supervise", json=WISH)).status_code == 401
    assert desk.asked == []


async def test_a_token_may_what_its_user_may(site: Site, desk: FakeDesk) -> None:
    for name, role, status in (("ida", Role.AGENT, 403), ("sue", Role.SUPERVISOR, 409)):
        async with signed_in(site, name, role):
            headers = {"Authorization": f"Bearer {await site.users.add_token(name, 'robot')}"}
            async with httpx.AsyncClient(base_url=site.url, trust_env=False, headers=headers) as robot:
                assert (await robot.post("/api/agent/supervise", json=WISH)).status_code == status
    assert desk.asked == [("sue", "supervise", "gus", "listen")]


@pytest.mark.parametrize("role", Role)
async def test_the_desk_knows_by_the_role_who_supervises(site: Site, desk: FakeDesk, role: Role) -> None:
    async with signed_in(site, "sue", role) as sue, feed(site, cookie=sue.cookie, origin=site.url) as socket:
        opened = (await told(socket)).message
        assert isinstance(opened, Snapshot)
        assert opened.me.supervisor is (role is not Role.AGENT)
