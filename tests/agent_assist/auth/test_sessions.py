"""Sessions: what opens them, what ends them, what never was one."""

import pytest

from agent_assist.auth.sessions import IDLE_S, LONGEST_S, Sessions
from agent_assist.auth.users import Role, User, Users
from agent_assist.store.database import Database
from tests.agent_assist.conftest import Clock

ANNA = User("anna", Role.ADMINISTRATOR)


@pytest.fixture
async def sessions(users: Users) -> Sessions:
    await users.add("anna", Role.ADMINISTRATOR, "correct horse battery")
    await users.add("bert", Role.ADMINISTRATOR, "correct horse battery")
    return Sessions(users)


async def test_a_cookie_finds_its_user(sessions: Sessions) -> None:
    cookie = await sessions.open(ANNA)
    first = await sessions.find(cookie)
    other = await sessions.find(await sessions.open(ANNA))
    assert first is not None
    assert other is not None
    assert (first.user, other.user) == (ANNA, ANNA)
    assert first.csrf != other.csrf
    assert first.csrf not in cookie


async def test_the_file_holds_no_cookie(sessions: Sessions, database: Database) -> None:
    cookie = await sessions.open(ANNA)
    await database.shed()
    assert cookie.partition(".")[0].encode() not in database.path.read_bytes()


async def test_forged_cookies_find_nobody(sessions: Sessions) -> None:
    cookie = await sessions.open(ANNA)
    secret, _, signature = cookie.partition(".")
    for forged in (
        "",
        ".",
        secret,
        f"{secret}.",
        f"{secret}.{'0' * 64}",
        f"x{cookie}",
        f"{cookie}x",
        f".{signature}",
        "é.é",
    ):
        assert await sessions.find(forged) is None
        await sessions.end(forged)
    assert await sessions.find(cookie) is not None


async def test_an_idle_session_ends_and_a_used_one_goes_on(sessions: Sessions, clock: Clock) -> None:
    used, idle = await sessions.open(ANNA), await sessions.open(ANNA)
    clock.now_s += IDLE_S - 10
    assert await sessions.find(used) is not None
    clock.now_s += 20
    assert await sessions.find(used) is not None
    assert await sessions.find(idle) is None


async def test_no_session_outlives_its_longest_time(sessions: Sessions, clock: Clock) -> None:
    cookie = await sessions.open(ANNA)
    for _ in range(LONGEST_S // 1800):
        clock.now_s += 1800
        assert await sessions.find(cookie) is not None
    clock.now_s += 1
    assert await sessions.find(cookie) is None


async def test_signing_out_ends_this_session_only(sessions: Sessions) -> None:
    first, other = await sessions.open(ANNA), await sessions.open(ANNA)
    await sessions.end(first)
    assert await sessions.find(first) is None
    assert await sessions.find(other) is not None


async def test_a_new_password_and_a_removal_end_all(sessions: Sessions, users: Users) -> None:
    cookie = await sessions.open(ANNA)
    await users.set_password("anna", "another good one")
    assert await sessions.find(cookie) is None
    cookie = await sessions.open(ANNA)
    await users.remove("anna")
    assert await sessions.find(cookie) is None


async def test_another_nodes_signature_is_worth_nothing(sessions: Sessions, users: Users, database: Database) -> None:
    stranger = Sessions(Users(database, b"another key", users.clock))
    assert await sessions.find(await stranger.open(ANNA)) is None
