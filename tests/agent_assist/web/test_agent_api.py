"""`/api/agent` over real HTTP: every command reaches the desk as it was meant, and nothing else does."""

import httpx
import pytest

from agent_assist.auth.users import Role
from agent_assist.desk.ports import Conflict, Presence
from agent_assist.web.agent_api import ArticleView, DeskParts
from agent_assist.web.problems import Problem
from dialog.errors import PeerForbidden, ProtocolError
from dialog.people_events import Suggestion
from tests.agent_assist.web.agents import signed_in, told
from tests.agent_assist.web.conftest import Site
from tests.fakes.desk import FakeDesk

COMMANDS = {
    "presence": {"presence": "away"},
    "answer": {"call_id": "call-1"},
    "decline": {"call_id": "call-1"},
    "pick": {"call_id": "call-1"},
    "hold": {"on": True},
    "pause": {"on": True},
    "hangup": {},
    "handback": {},
    "transfer": {"to": "ida"},
    "transfer/outside": {"to": "+32 2 555 01 23"},
    "consult": {"to": "+32 2 555 01 99"},
    "third/drop": {},
    "third/putthrough": {},
    "callout/cancel": {},
    "speak": {"text": "Hello."},
    "note": {"text": "Late."},
    "suggestion": {"article": "bills/due", "how": "copied"},
    "wrapup": {"call_id": "call-1", "disposition": "solved", "note": ""},
}


@pytest.fixture
def parts(desk_and_parts: tuple[FakeDesk, DeskParts]) -> DeskParts:
    return desk_and_parts[1]


async def test_a_call_from_the_ring_to_the_wrap_up(site: Site, desk: FakeDesk) -> None:
    async with signed_in(site) as gus, gus.feed() as socket:
        await told(socket)
        desk.audio("gus", connected=True)
        assert await gus.do("presence", presence="ready") == 204
        desk.ring("gus")
        assert await gus.do("answer", call_id="call-1") == 204
        assert await gus.do("hold", on=True) == 204
        assert await gus.do("hold", on=False) == 204
        assert await gus.do("pause", on=True) == 204
        assert await gus.do("speak", text="  Your bill is due on the fifth.  ", article="bills/due") == 204
        assert await gus.do("note", text="Will pay on Monday.") == 204
        assert await gus.do("suggestion", article="sim/lost", how="dismissed") == 204
        assert await gus.do("hangup") == 204
        assert await gus.do("wrapup", call_id="call-1", disposition="solved", note="Paid.") == 204
        assert desk.presence("gus") is Presence.READY
    assert desk.asked[1:-1] == [
        ("gus", "set_presence", "ready"),
        ("gus", "answer", "call-1"),
        ("gus", "hold", True),
        ("gus", "hold", False),
        ("gus", "pause_recording", True),
        ("gus", "speak", "Your bill is due on the fifth.", "bills/due"),
        ("gus", "note", "Will pay on Monday."),
        ("gus", "suggestion", "sim/lost", "dismissed"),
        ("gus", "hang_up"),
        ("gus", "wrap_up", "call-1", "solved", "Paid."),
    ]


async def test_a_call_goes_to_a_colleague_or_back_to_the_bot(site: Site, desk: FakeDesk) -> None:
    async with signed_in(site) as gus, signed_in(site, "ida") as ida, gus.feed() as one, ida.feed() as two:
        await told(one)
        await told(two)
        for name in ("gus", "ida"):
            desk.audio(name, connected=True)
            desk.set_presence(name, "ready")
        desk.queue("call-1")
        assert await gus.do("pick", call_id="call-1") == 204
        assert await ida.do("pick", call_id="call-1") == 409
        assert await gus.do("transfer", to="ida") == 204
        assert await ida.do("decline", call_id="call-1") == 204
        assert desk.presence("gus") is Presence.TALKING
        assert await gus.do("transfer", to="ida") == 204
        assert await ida.do("answer", call_id="call-1") == 204
        assert desk.presence("gus") is Presence.WRAPPING
        assert await ida.do("transfer/outside", to=" 112 ") == 204
        assert desk.asked[-1] == ("ida", "transfer_outside", "112")
        assert await ida.do("handback") == 204
        assert desk.presence("ida") is Presence.WRAPPING


async def test_somebody_outside_is_called_in_dropped_and_left_with_the_caller(site: Site, desk: FakeDesk) -> None:
    async with signed_in(site) as gus, gus.feed() as socket:
        await told(socket)
        desk.ring("gus")
        desk.answer("gus", "call-1")
        assert await gus.do("third/putthrough") == 409
        assert await gus.do("consult", to=" +32 2 555 01 99 ") == 204
        assert await gus.do("consult", to="112") == 409
        assert await gus.do("third/putthrough") == 409, "nobody has answered yet"
        assert await gus.do("third/drop") == 204
        assert await gus.do("consult", to="112") == 204
        desk.join_third("gus")
        assert await gus.do("hold", on=False) == 204
        assert await gus.do("third/putthrough") == 204
        assert desk.presence("gus") is Presence.WRAPPING
    assert ("gus", "consult", "+32 2 555 01 99") in desk.asked
    assert desk.asked[-2:] == [("gus", "put_through"), ("gus", "depart")]


@pytest.mark.parametrize("command", COMMANDS)
async def test_what_does_not_fit_is_a_conflict(site: Site, desk: FakeDesk, command: str) -> None:
    async with signed_in(site) as gus:
        headers = {"X-CSRF-Token": await gus.csrf()}
        answer = await gus.client.post(f"/api/agent/{command}", json=COMMANDS[command], headers=headers)
        assert answer.status_code == 409
        assert Problem.model_validate_json(answer.content).code == Conflict.code


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_command_needs_a_visitor_who_meant_it(site: Site, desk: FakeDesk, command: str) -> None:
    async with signed_in(site) as gus:
        for headers in ({}, {"X-CSRF-Token": "0" * 64}):
            answer = await gus.client.post(f"/api/agent/{command}", json=COMMANDS[command], headers=headers)
            assert Problem.model_validate_json(answer.content).code == PeerForbidden.code
            assert answer.status_code == 403
        foreign = {"X-CSRF-Token": await gus.csrf(), "Origin": "https://evil.example"}
        answer = await gus.client.post(f"/api/agent/{command}", json=COMMANDS[command], headers=foreign)
        assert answer.status_code == 403
        gus.client.cookies.clear()
        answer = await gus.client.post(f"/api/agent/{command}", json=COMMANDS[command])
        assert answer.status_code == 401
    assert desk.asked == []


async def test_a_program_commands_by_token(site: Site, desk: FakeDesk) -> None:
    async with signed_in(site) as gus, gus.feed() as socket:
        await told(socket)
        token = await site.users.add_token("gus", "robot")
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(base_url=site.url, trust_env=False, headers=headers) as robot:
            assert (await robot.post("/api/agent/presence", json={"presence": "away"})).status_code == 204
    assert desk.asked[1] == ("gus", "set_presence", "away")


@pytest.mark.parametrize(
    ("command", "body"),
    [
        ("presence", {"presence": "talking"}),
        ("presence", {}),
        ("answer", {"call_id": ""}),
        ("answer", {"call_id": "x" * 129}),
        ("answer", {"call_id": ["call-1"]}),
        ("hold", {"on": "maybe"}),
        ("transfer", {"to": ""}),
        ("transfer", {"to": "x" * 65}),
        ("transfer/outside", {"to": " "}),
        ("transfer/outside", {"to": "1" * 129}),
        ("consult", {"to": " "}),
        ("consult", {"to": "1" * 129}),
        ("supervise", {"agent": "", "how": "listen"}),
        ("supervise", {"agent": "x" * 65, "how": "listen"}),
        ("supervise", {"agent": "ida", "how": "record"}),
        ("supervise", {"agent": "ida"}),
        ("speak", {"text": "   "}),
        ("speak", {"text": "x" * 501}),
        ("speak", {"text": "x", "loud": True}),
        ("note", {"text": ""}),
        ("note", {"text": "x" * 4001}),
        ("suggestion", {"article": "", "how": "copied"}),
        ("suggestion", {"article": "x", "how": "spoken"}),
        ("wrapup", {"call_id": "call-1", "disposition": "", "note": ""}),
        ("wrapup", {"call_id": "call-1", "disposition": "solved", "note": "x" * 4001}),
    ],
)
async def test_what_is_wrong_or_too_long_is_told_where(
    site: Site, desk: FakeDesk, command: str, body: dict[str, object]
) -> None:
    async with signed_in(site, role=Role.SUPERVISOR) as gus:
        headers = {"X-CSRF-Token": await gus.csrf()}
        answer = await gus.client.post(f"/api/agent/{command}", json=body, headers=headers)
        problem = Problem.model_validate_json(answer.content)
        assert (answer.status_code, problem.code) == (422, ProtocolError.code)
        assert "body." in problem.detail
        assert "xxx" not in problem.detail
    assert desk.asked == []


async def test_articles_are_searched_and_read(site: Site) -> None:
    async with signed_in(site) as gus:
        found = (await gus.client.get("/api/agent/articles", params={"q": "when is it due"})).json()
        assert [Suggestion.model_validate(each).article for each in found] == ["bills/due"]
        answer = await gus.client.get("/api/agent/articles/sim/lost")
        assert ArticleView.model_validate_json(answer.content).body.startswith("# A lost SIM card")
        assert (await gus.client.get("/api/agent/articles/..%2f..%2fetc%2fpasswd")).status_code == 404
        assert (await gus.client.get("/api/agent/articles", params={"q": " "})).json() == []
        for wrong in ({"q": "x" * 201}, {}):
            assert (await gus.client.get("/api/agent/articles", params=wrong)).status_code == 422


async def test_the_panel_is_for_everybody_who_may_sign_in(site: Site, anna: httpx.AsyncClient) -> None:
    async with signed_in(site) as gus, signed_in(site, "sue", Role.SUPERVISOR) as sue:
        for client in (gus.client, sue.client, anna):
            assert (await client.get("/agent")).status_code == 200
            for path in ("/agent", "/calls", "/docs"):
                assert '<a href="/agent">Desk</a>' in (await client.get(path)).text
        assert (await gus.client.get("/signin")).headers["location"] == "/agent"
        assert (await sue.client.get("/signin")).headers["location"] == "/calls"
    async with httpx.AsyncClient(base_url=site.url, trust_env=False) as stranger:
        assert (await stranger.get("/agent")).headers["location"] == "/signin?next=/agent"
        assert "/agent" not in (await stranger.get("/")).text


async def test_the_documents_list_what_there_is(site: Site, anna: httpx.AsyncClient) -> None:
    document = (await anna.get("/openapi.json")).json()
    for command in (*COMMANDS, "supervise", "callbacks/{callback}/call"):
        operation = document["paths"][f"/api/agent/{command}"]["post"]
        assert {"204", "401", "403", "409", "422"} <= set(operation["responses"])
        assert operation["security"]
    page = (await anna.get("/docs")).text
    assert "/api/agent/wrapup" in page
    served = await anna.get("/asyncapi.json")
    assert served.json()["channels"]["feed"]["address"] == "/api/agent/feed"


class TestWithoutASuggester:
    @pytest.fixture
    def parts(self, desk_and_parts: tuple[FakeDesk, DeskParts]) -> DeskParts:
        desk, parts = desk_and_parts
        return DeskParts(desk, parts.feeds, parts.records)

    async def test_nothing_is_found(self, site: Site) -> None:
        async with signed_in(site) as gus:
            assert (await gus.client.get("/api/agent/articles", params={"q": "due"})).json() == []
            assert (await gus.client.get("/api/agent/articles/bills/due")).status_code == 404


class TestWithoutADesk:
    @pytest.fixture
    def parts(self) -> None:
        return None

    async def test_there_is_no_panel_and_an_agent_is_led_to_the_calls(self, site: Site) -> None:
        async with signed_in(site) as gus:
            assert (await gus.client.get("/signin")).headers["location"] == "/calls"
            assert (await gus.client.get("/agent")).status_code == 404
            assert await gus.do("presence", presence="away") == 404
            assert await gus.do("hold", on=True) == 404
