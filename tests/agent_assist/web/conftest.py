"""A served application with one administrator, and clients that are signed in or not."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile
from fastapi import FastAPI
from playwright.async_api import Browser

from agent_assist.auth.users import Role, Users
from agent_assist.store.calls import SqlCallStore
from agent_assist.web.agent_api import DeskParts
from agent_assist.web.app import create_app
from agent_assist.web.settings import SiteSettings
from tests.agent_assist.journals import balance_call
from tests.fakes.chromium import chromium
from tests.fakes.desk import FakeDesk, fake_desk
from tests.fakes.http_server import serving

PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class Site:
    """What a test of the web side needs at hand."""

    url: str
    app: FastAPI
    store: SqlCallStore
    users: Users
    recordings: Path


@pytest.fixture
def settings() -> SiteSettings:
    """Tests that need other limits override this."""
    return SiteSettings(body_timeout_s=0.5, header_timeout_s=0.5)


@pytest.fixture
def desk_and_parts() -> tuple[FakeDesk, DeskParts]:
    return fake_desk()


@pytest.fixture
def desk(desk_and_parts: tuple[FakeDesk, DeskParts]) -> FakeDesk:
    return desk_and_parts[0]


@pytest.fixture
def parts() -> DeskParts | None:
    """Tests of the agents' side override this; a house without a desk is a house."""
    return None


@pytest.fixture
async def site(
    store: SqlCallStore, users: Users, recordings: Path, settings: SiteSettings, parts: DeskParts | None
) -> AsyncIterator[Site]:
    await users.add("anna", Role.ADMINISTRATOR, PASSWORD)
    app = create_app(store, users, recordings, settings, parts)
    async with serving(app, settings) as url:
        yield Site(url, app, store, users, recordings)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """It allows the microphone without asking."""
    async with chromium("--use-fake-ui-for-media-stream") as browser:
        yield browser


@pytest.fixture
async def visitor(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    """Nobody in particular."""
    async with httpx.AsyncClient(base_url=site.url, trust_env=False) as client:
        yield client


@pytest.fixture
async def anna(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    """The administrator, signed in by the form."""
    async with httpx.AsyncClient(base_url=site.url, trust_env=False) as client:
        answer = await client.post("/signin", data={"name": "anna", "password": PASSWORD})
        assert answer.status_code == 303
        yield client


@pytest.fixture
async def program(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    """A program with Anna's token."""
    token = await site.users.add_token("anna", "tests")
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=site.url, trust_env=False, headers=headers) as client:
        yield client


@pytest.fixture
async def recorded(site: Site) -> bytes:
    """One whole call with 16 s of two-channel sound; the file's bytes."""
    path = site.recordings / "call-1.flac"
    seconds = np.arange(16 * 8000) / 8000
    caller = np.where((seconds > 6.08) & (seconds < 7.5), np.sin(2 * np.pi * 220 * seconds), 0)
    bot = np.where(seconds < 4, np.sin(2 * np.pi * 330 * seconds), 0)
    soundfile.write(path, 0.2 * np.stack([caller, bot], axis=1), 8000, format="FLAC")
    await site.store.append(balance_call("call-1", recording="call-1.flac"))
    return path.read_bytes()
