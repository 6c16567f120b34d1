"""The store on a real file, for every test of the room."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent_assist.auth.users import Users
from agent_assist.store.calls import SqlCallStore
from agent_assist.store.database import Database


class Clock:
    """Unix time that moves when told."""

    def __init__(self) -> None:
        self.now_s = 1_793_611_800.0  # 2026-11-02T09:30:00Z

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    folder = tmp_path / "recordings"
    folder.mkdir()
    return folder


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(tmp_path / "centralino.db")
    yield database
    await database.close()


@pytest.fixture
def store(database: Database, recordings: Path, clock: Clock) -> SqlCallStore:
    return SqlCallStore(database, recordings, clock)


@pytest.fixture
async def users(database: Database, clock: Clock) -> Users:
    return await Users.open(database, clock)
