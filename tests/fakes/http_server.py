"""A real uvicorn in the test's own loop, on a free port of 127.0.0.1, with the options `serve` uses."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI

from agent_assist.web.guarded_http import uvicorn_options
from agent_assist.web.guarded_websocket import Allowance
from agent_assist.web.settings import SiteSettings


@asynccontextmanager
async def serving(
    app: FastAPI, settings: SiteSettings, allowances: Mapping[str, Allowance] | None = None
) -> AsyncIterator[str]:
    """The base URL, while it serves."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, **uvicorn_options(settings, allowances=allowances)))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0.005)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    await task
