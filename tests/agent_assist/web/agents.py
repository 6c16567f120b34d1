"""Agents for tests of their side of the web: signed in, with a feed in their hand."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
from websockets.asyncio.client import ClientConnection, connect

from agent_assist.auth.users import Role
from agent_assist.desk.messages import Envelope
from tests.agent_assist.web.conftest import PASSWORD, Site


@dataclass(frozen=True)
class Agent:
    """One agent: a signed-in browser, and what its scripts send with a change."""

    name: str
    client: httpx.AsyncClient
    site: Site

    @property
    def cookie(self) -> str:
        return self.client.cookies["centralino"]

    async def do(self, command: str, **body: object) -> int:
        """Ask the desk by the session; the answer's status."""
        token = await self.csrf()
        answer = await self.client.post(f"/api/agent/{command}", json=body, headers={"X-CSRF-Token": token})
        return answer.status_code

    async def csrf(self) -> str:
        found = re.search(r'name="csrf" value="(\w+)"', (await self.client.get("/calls")).text)
        assert found is not None
        return found[1]

    def feed(self, after: str = "") -> connect:
        """The feed, as this browser opens it."""
        return feed(self.site, after, cookie=self.cookie, origin=self.site.url)


@asynccontextmanager
async def signed_in(
    site: Site, name: str = "gus", role: Role = Role.AGENT, skills: tuple[str, ...] = ("billing",)
) -> AsyncIterator[Agent]:
    """A new user with a session."""
    await site.users.add(name, role, PASSWORD, skills)
    async with httpx.AsyncClient(base_url=site.url, trust_env=False) as client:
        answer = await client.post("/signin", data={"name": name, "password": PASSWORD})
        assert answer.status_code == 303
        yield Agent(name, client, site)


def feed(
    site: Site, after: str = "", *, cookie: str = "", token: str = "", origin: str = "", path: str = "/api/agent/feed"
) -> connect:
    """A client of the feed, whoever it is."""
    headers = {"Cookie": f"centralino={cookie}"} if cookie else {}
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    headers |= {"Origin": origin} if origin else {}
    uri = f"{site.url.replace('http', 'ws', 1)}{path}" + (f"?after={after}" if after else "")
    return connect(uri, additional_headers=headers, proxy=None, ping_interval=None, close_timeout=2, max_size=None)


async def told(socket: ClientConnection) -> Envelope:
    """The next envelope."""
    return Envelope.model_validate_json(await socket.recv())
