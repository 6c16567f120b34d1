"""The way in and out, and what is refused there."""

import asyncio
import re

import httpx
import pytest

from agent_assist.auth.users import Role
from agent_assist.web.settings import SiteSettings
from tests.agent_assist.conftest import Clock
from tests.agent_assist.web.conftest import PASSWORD, Site


async def test_pages_lead_to_the_sign_in_and_back(visitor: httpx.AsyncClient, site: Site) -> None:
    answer = await visitor.get("/calls/call-7")
    assert (answer.status_code, answer.headers["location"]) == (303, "/signin?next=/calls/call-7")
    form = await visitor.get(answer.headers["location"])
    assert 'name="next" value="/calls/call-7"' in form.text
    answer = await visitor.post("/signin", data={"name": "anna", "password": PASSWORD, "next": "/calls/call-7"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/calls/call-7")
    assert (await visitor.get("/calls")).status_code == 200
    assert (await visitor.get("/signin")).headers["location"] == "/calls"


@pytest.mark.parametrize(
    "path", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/a\r\nX: 1", "", "/"]
)
async def test_the_way_back_is_one_of_ours(visitor: httpx.AsyncClient, path: str) -> None:
    answer = await visitor.post("/signin", data={"name": "anna", "password": PASSWORD, "next": path})
    assert (answer.status_code, answer.headers["location"]) == (303, "/calls")


async def test_the_cookie_is_for_this_server_alone(visitor: httpx.AsyncClient) -> None:
    answer = await visitor.post("/signin", data={"name": "anna", "password": PASSWORD})
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith("centralino=")
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "domain" not in cookie


class TestSecure:
    @pytest.fixture
    def settings(self) -> SiteSettings:
        return SiteSettings(secure=True)

    async def test_by_https_the_cookie_travels_by_nothing_else(self, visitor: httpx.AsyncClient) -> None:
        answer = await visitor.post("/signin", data={"name": "anna", "password": PASSWORD})
        assert answer.headers["set-cookie"].startswith("__Host-centralino=")
        assert "; secure" in answer.headers["set-cookie"].lower()


async def test_signing_out_needs_the_forms_token_and_ends_the_session(anna: httpx.AsyncClient) -> None:
    page = (await anna.get("/calls")).text
    found = re.search(r'name="csrf" value="(\w+)"', page)
    assert found is not None
    assert (await anna.post("/signout", data={"csrf": "0" * 64})).status_code == 403
    assert (await anna.get("/calls")).status_code == 200
    before = anna.cookies["centralino"]
    assert (await anna.post("/signout", data={"csrf": found[1]})).status_code == 303
    anna.cookies.set("centralino", before)
    assert (await anna.get("/calls")).status_code == 303


async def test_forms_of_other_sites_are_refused(visitor: httpx.AsyncClient) -> None:
    form = {"name": "anna", "password": PASSWORD}
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ):
        assert (await visitor.post("/signin", data=form, headers=headers)).status_code == 403
    own = {"Origin": str(visitor.base_url).rstrip("/")}
    assert (await visitor.post("/signin", data=form, headers=own)).status_code == 303


async def test_a_storm_of_wrong_passwords_bans_the_address(visitor: httpx.AsyncClient, clock: Clock) -> None:
    guesses = [visitor.post("/signin", data={"name": f"user{n}", "password": "wrong"}) for n in range(60)]
    statuses = [answer.status_code for answer in await asyncio.gather(*guesses)]
    assert statuses.count(403) == 10
    assert statuses.count(429) == 50
    right = {"name": "anna", "password": PASSWORD}
    answer = await visitor.post("/signin", data=right)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 900
    assert "wait 15 minutes" in answer.text
    clock.now_s += 901
    assert (await visitor.post("/signin", data=right)).status_code == 303


class TestManyAddresses:
    @pytest.fixture
    def settings(self) -> SiteSettings:
        return SiteSettings(signin_failures_per_address=1_000, signin_failures_per_account=5)

    async def test_an_account_under_storm_is_closed_to_all_and_no_other(
        self, visitor: httpx.AsyncClient, site: Site
    ) -> None:
        await site.users.add("bert", Role.ADMINISTRATOR, PASSWORD)
        for _ in range(5):
            assert (await visitor.post("/signin", data={"name": "anna", "password": "wrong"})).status_code == 403
        assert (await visitor.post("/signin", data={"name": "anna", "password": PASSWORD})).status_code == 429
        assert (await visitor.post("/signin", data={"name": "bert", "password": PASSWORD})).status_code == 303


async def test_a_refusal_does_not_tell_who_exists(visitor: httpx.AsyncClient) -> None:
    known = await visitor.post("/signin", data={"name": "anna", "password": "wrong"})
    unknown = await visitor.post("/signin", data={"name": "nobody", "password": "wrong"})
    assert (known.status_code, known.text) == (unknown.status_code, unknown.text)


async def test_a_form_with_nonsense_is_answered_without_repeating_it(visitor: httpx.AsyncClient) -> None:
    answer = await visitor.post("/signin", data={"name": "<b>" * 100, "password": "hush-hush"})
    assert answer.status_code == 422
    assert "<b>" not in answer.text
    assert "hush" not in answer.text
    answer = await visitor.post("/signin", data={"name": "<script>", "password": "x", "next": '"><script>'})
    assert "<script>" not in answer.text
    for body in (b"\xff\xfe", b"{}", b"", b"name=" + b"%" * 1000):
        assert (await visitor.post("/signin", content=body)).status_code == 422


async def test_another_role_is_told_that_it_may_not(visitor: httpx.AsyncClient, site: Site) -> None:
    await site.users.add("gus", Role.AGENT, PASSWORD)
    await visitor.post("/signin", data={"name": "gus", "password": PASSWORD})
    page = (await visitor.get("/calls")).text
    token = re.search(r'name="csrf" value="(\w+)"', page)
    assert token is not None
    answer = await visitor.delete("/api/calls/call-1", headers={"X-CSRF-Token": token[1]})
    assert answer.status_code == 403
    assert "for the role administrator" in answer.text


async def test_expired_and_forged_cookies_lead_to_the_sign_in(anna: httpx.AsyncClient, clock: Clock) -> None:
    good = anna.cookies["centralino"]
    for forged in (
        good[:-1] + ("0" if good[-1] != "0" else "1"),
        "x." + "0" * 64,
        "'; DROP TABLE sessions",
        "." * 5000,
    ):
        answer = await anna.get("/calls", headers={"Cookie": f"centralino={forged}"})
        assert answer.status_code == 303
    assert (await anna.get("/calls")).status_code == 200
    clock.now_s += 3601
    assert (await anna.get("/calls")).status_code == 303
