"""Users, passwords and tokens on a real file."""

import time

import pytest

from agent_assist.auth.passwords import LONGEST
from agent_assist.auth.users import Role, User, Users
from agent_assist.store.database import Database
from dialog.errors import ConfigurationError

PASSWORD = "correct horse battery"


async def test_the_first_start_makes_an_administrator_once(users: Users) -> None:
    password = await users.first_start()
    assert password is not None
    assert await users.check("admin", password) == User("admin", Role.ADMINISTRATOR)
    assert await users.first_start() is None
    assert await users.everyone() == [User("admin", Role.ADMINISTRATOR)]


async def test_no_secret_stands_in_the_file(users: Users, database: Database) -> None:
    password = await users.first_start()
    token = await users.add_token("admin", "report")
    assert password is not None
    await database.shed()
    content = database.path.read_bytes()
    assert b"admin" in content
    assert password.encode() not in content
    assert token.encode() not in content


async def test_a_wrong_name_takes_as_long_as_a_wrong_password(users: Users) -> None:
    await users.add("anna", Role.AGENT, PASSWORD)
    took: dict[str, float] = {}
    for name in ("anna", "nobody") * 4:
        began = time.perf_counter()
        assert await users.check(name, "wrong password") is None
        took[name] = min(took.get(name, 9.0), time.perf_counter() - began)
    assert took["nobody"] > took["anna"] / 3


async def test_a_new_password_replaces_the_old(users: Users) -> None:
    await users.add("anna", Role.AGENT, PASSWORD)
    await users.set_password("anna", "another good one")
    assert await users.check("anna", PASSWORD) is None
    assert await users.check("anna", "another good one") == User("anna", Role.AGENT)


async def test_what_is_refused_says_why(users: Users) -> None:
    await users.add("anna", Role.ADMINISTRATOR, PASSWORD)
    with pytest.raises(ConfigurationError, match="anna already"):
        await users.add("anna", Role.AGENT, PASSWORD)
    with pytest.raises(ConfigurationError, match="10 to 256 characters"):
        await users.add("bert", Role.AGENT, "short")
    for name in ("", " bert", "b" * 65, "bert\n"):
        with pytest.raises(ConfigurationError, match="printable"):
            await users.add(name, Role.AGENT, PASSWORD)
    with pytest.raises(ConfigurationError, match="no user carl"):
        await users.set_password("carl", PASSWORD)
    with pytest.raises(ConfigurationError, match="no user carl"):
        await users.remove("carl")
    with pytest.raises(ConfigurationError, match="no user carl"):
        await users.add_token("carl", "x")
    with pytest.raises(ConfigurationError, match="last administrator"):
        await users.remove("anna")
    assert [user.name for user in await users.everyone()] == ["anna"]
    await users.add("dora", Role.ADMINISTRATOR, PASSWORD)
    await users.remove("anna")
    assert [user.name for user in await users.everyone()] == ["dora"]


async def test_an_endless_password_is_not_even_hashed(users: Users) -> None:
    await users.add("anna", Role.AGENT, PASSWORD)
    began = time.process_time()
    for _ in range(200):
        assert await users.check("anna", "x" * (LONGEST + 1)) is None
    assert time.process_time() - began < 2


async def test_tokens_speak_for_their_user_until_removed(users: Users) -> None:
    await users.add("anna", Role.SUPERVISOR, PASSWORD)
    token = await users.add_token("anna", "report")
    assert await users.by_token(token) == User("anna", Role.SUPERVISOR)
    assert [(t.user, t.label) for t in await users.tokens()] == [("anna", "report")]
    with pytest.raises(ConfigurationError, match="token report already"):
        await users.add_token("anna", "report")
    for wrong in (token + "x", token[:-1], "", "centralino_", "' OR 1=1 --"):
        assert await users.by_token(wrong) is None
    await users.remove_token("anna", "report")
    assert await users.by_token(token) is None
    with pytest.raises(ConfigurationError, match="no token report"):
        await users.remove_token("anna", "report")


async def test_a_removed_user_takes_the_tokens_along(users: Users) -> None:
    await users.first_start()
    await users.add("anna", Role.AGENT, PASSWORD)
    token = await users.add_token("anna", "report")
    await users.remove("anna")
    assert await users.by_token(token) is None


async def test_the_signing_key_survives_a_restart(users: Users, database: Database) -> None:
    assert (await Users.open(database)).signing_key == users.signing_key
