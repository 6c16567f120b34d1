"""A Rasa whose voice channel answers what a test tells it to: status and body, in order, the last one for ever."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dialog.engines.rasa_server import RasaAddress


class FakeChannel:
    """`events` are the requests that came, as (method and path, body)."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, bytes]] = []
        self.events: list[tuple[str, dict[str, object]]] = []
        self._address: RasaAddress | None = None

    def address(self) -> RasaAddress:
        assert self._address is not None
        return self._address

    def will_say(self, *messages: object, intent: str = "inform") -> None:
        understood = {"intent": intent, "confidence": 0.5, "slots": [["a", "1"]], "actions": ["action_a"]}
        self.answers.append((200, json.dumps({"messages": messages, "understood": understood}).encode()))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.decode().lower().split("\r\n")
        length = next((int(line.partition(":")[2]) for line in lines if line.startswith("content-length")), 0)
        body = await reader.readexactly(length)
        self.events.append((" ".join(head.decode().split()[:2]), json.loads(body or b"{}")))
        status, answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        writer.write(
            b"HTTP/1.1 %d x\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (status, len(answer)) + answer
        )
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["FakeChannel"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            self._address = RasaAddress(f"http://127.0.0.1:{port}/webhooks/voice", "token")
            yield self
