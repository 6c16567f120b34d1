"""The far ends of streams that come by WebSocket. What they say is of another hand than what understands it."""

import asyncio
import base64
import hmac
import json
import time
from abc import abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TypeVar
from urllib.parse import quote, urlsplit

import numpy as np
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from dsp.g711 import MU_LAW, decode_block, encode_block
from tests.e2e.platforms import Platform, listening
from voice.ports import Pcm

P = TypeVar("P", bound="SocketPlatform")


class SocketPlatform(Platform):
    """A call of `caller`, who dialled `dialled`."""

    def __init__(self, socket: ClientConnection, caller: str, dialled: str) -> None:
        super().__init__()
        self.caller = caller
        self.dialled = dialled
        self._socket = socket

    @abstractmethod
    async def start(self) -> None:
        """The first of what the platform says."""

    @abstractmethod
    async def take(self, message: str | bytes) -> None:
        """One message of the node."""

    async def hang_up(self) -> None:
        await self._socket.close()

    async def listen(self) -> None:
        async for message in self._socket:
            await self.take(message)

    async def say(self, message: str | bytes) -> None:
        with suppress(ConnectionClosed):  # `over` tells
            await self._socket.send(message)


@asynccontextmanager
async def calling(
    kind: type[P], url: str, headers: dict[str, str], caller: str = "", dialled: str = ""
) -> AsyncIterator[P]:
    """A call of such a platform at the node."""
    async with connect(url, additional_headers=headers, compression=None) as socket:
        platform = kind(socket, caller, dialled)
        await platform.start()
        async with listening(platform):
            yield platform


def password(word: str) -> dict[str, str]:
    """What Asterisk and FreeSWITCH add."""
    return {"Authorization": "Basic " + base64.b64encode(f"pbx:{word}".encode()).decode()}


class Twilio(SocketPlatform):
    """`<Connect><Stream>`. Marks come back at once: all audio is played as it comes."""

    _sequence = 0

    @staticmethod
    def signed(url: str, token: str) -> dict[str, str]:
        """The header that Twilio adds where it was told to connect to `url`."""
        return {"X-Twilio-Signature": base64.b64encode(hmac.digest(token.encode(), url.encode(), "sha1")).decode()}

    async def start(self) -> None:
        await self.say(json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"}))
        media = {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}
        start = {"accountSid": "AC1", "streamSid": "MZ1", "callSid": "CA1", "tracks": ["inbound"], "mediaFormat": media}
        parameters = {"caller": self.caller, "dialled": self.dialled}
        await self._tell("start", start={**start, "customParameters": parameters})

    async def speak(self, frame: Pcm) -> None:
        payload = base64.b64encode(encode_block(frame, MU_LAW).tobytes()).decode()
        media = {"track": "inbound", "chunk": str(self._sequence), "timestamp": "0", "payload": payload}
        await self._tell("media", media=media)

    async def press(self, digit: str) -> None:
        await self._tell("dtmf", dtmf={"track": "inbound_track", "digit": digit})

    async def hang_up(self) -> None:
        await self._tell("stop", stop={"accountSid": "AC1", "callSid": "CA1"})

    async def take(self, message: str | bytes) -> None:
        told = json.loads(message)
        assert told["streamSid"] == "MZ1"
        if told["event"] == "media":
            octets = np.frombuffer(base64.b64decode(told["media"]["payload"]), np.uint8)
            self.heard.append(decode_block(octets, MU_LAW))
            return
        self.told.append(told["event"])
        if told["event"] == "mark":
            await self._tell("mark", mark=told["mark"])

    async def _tell(self, event: str, **content: object) -> None:
        self._sequence += 1
        numbers = {"sequenceNumber": str(self._sequence), "streamSid": "MZ1"}
        await self.say(json.dumps({"event": event, **numbers, **content}))


class Asterisk(SocketPlatform):
    """chan_websocket with slin16, in plain text."""

    rate_hz = 16_000

    @staticmethod
    def parameters(caller: str, dialled: str) -> str:
        """What `v(caller=${URIENCODE(...)},dialled=...)` adds to the URL."""
        return f"?caller={quote(caller, safe='')}&dialled={quote(dialled, safe='')}"

    async def start(self) -> None:
        await self.say("MEDIA_START connection_id:c channel:WebSocket/c/1 channel_id:p-1 format:slin16 ptime:20")

    async def speak(self, frame: Pcm) -> None:
        await self.say(frame.astype("<i2").tobytes())

    async def press(self, digit: str) -> None:
        await self.say(f"DTMF_END digit:{digit}")

    async def take(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            self.heard.append(np.frombuffer(message, "<i2").astype(np.int16))
            return
        self.told.append(message)
        if message == "REPORT_QUEUE_DRAINED":
            await self.say("QUEUE_DRAINED")


class Freeswitch(SocketPlatform):
    """mod_audio_fork at 8 kHz, of the kind that streams both ways."""

    async def start(self) -> None:
        await self.say(json.dumps({"caller": self.caller, "dialled": self.dialled}))

    async def speak(self, frame: Pcm) -> None:
        await self.say(frame.astype("<i2").tobytes())

    async def press(self, digit: str) -> None:
        await self.say(json.dumps({"event": "dtmf", "digit": digit}))

    async def take(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            self.heard.append(np.frombuffer(message, "<i2").astype(np.int16))
            return
        told = json.loads(message)
        self.told.append(told["type"])
        if told["type"] == "mark":
            await self.say(json.dumps({"type": "mark", "data": told["data"]}))


class Genesys(SocketPlatform):
    """An AudioHook session with both channels, of which the caller's is the first."""

    session = "e160e428-53e2-487c-977d-96989bf5c99d"

    def __init__(self, socket: ClientConnection, caller: str, dialled: str) -> None:
        super().__init__(socket, caller, dialled)
        self._seq = 0
        self._opened = asyncio.Event()

    @classmethod
    def signed(cls, url: str, api_key: str, secret: bytes) -> dict[str, str]:
        """The headers that Genesys adds to a request for `url`."""
        named = {
            "audiohook-organization-id": "o",
            "audiohook-session-id": cls.session,
            "audiohook-correlation-id": "c",
            "x-api-key": api_key,
        }
        parts = {"@request-target": urlsplit(url).path, **named, "@authority": urlsplit(url).netloc}
        now = int(time.time())
        covered = " ".join(f'"{name}"' for name in parts)
        how = f'({covered});keyid="{api_key}";nonce="n";alg="hmac-sha256";created={now};expires={now + 30}'
        base = "".join(f'"{name}": {value}\n' for name, value in parts.items()) + f'"@signature-params": {how}'
        signature = base64.b64encode(hmac.digest(secret, base.encode(), "sha256")).decode()
        return {**named, "Signature-Input": f"sig1={how}", "Signature": f"sig1=:{signature}:"}

    async def start(self) -> None:
        media = {"type": "audio", "format": "PCMU", "channels": ["external", "internal"], "rate": 8000}
        participant = {"id": "p", "ani": f"tel:{self.caller}", "aniName": "", "dnis": f"tel:{self.dialled}"}
        named = {"organizationId": "o", "conversationId": "c", "participant": participant}
        await self._tell("open", **named, media=[media])

    async def speak(self, frame: Pcm) -> None:
        await self._opened.wait()
        octets = encode_block(frame, MU_LAW)
        await self.say(np.stack([octets, np.full_like(octets, 0xFF)], axis=1).tobytes())

    async def press(self, digit: str) -> None:
        await self._tell("dtmf", digit=digit)

    async def hang_up(self) -> None:
        await self._tell("close", reason="end")

    async def take(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            self.heard.extend(decode_block(np.frombuffer(message, np.uint8), MU_LAW).reshape(-1, 160))
            return
        told = json.loads(message)
        self.told.append(told["type"])
        assert told["clientseq"] <= self._seq and told["id"] == self.session
        match told["type"]:
            case "opened":
                self._opened.set()
                await self._tell("ping")
            case "disconnect":
                await self._tell("playback_completed")
                await self._tell("close", reason="disconnect")

    async def _tell(self, kind: str, **parameters: object) -> None:
        self._seq += 1
        numbers = {"version": "2", "id": self.session, "seq": self._seq, "serverseq": 0, "position": "PT0S"}
        await self.say(json.dumps({**numbers, "type": kind, "parameters": parameters}))
