"""The platforms whose streams are taken: put together from the settings, each with its way in."""

import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.requests import HTTPConnection

from agent_assist.web.guarded_websocket import Allowance
from voice.addresses import taken
from voice.calls import Calls
from voice.config import Settings
from voice.media.plane import MediaPlane
from voice.net.stream_server import StreamServer
from voice.net.stream_sockets import PATH, Door, StreamSockets
from voice.observe import Metrics
from voice.settings.streams import MediaStreamSettings, PlatformSettings
from voice.streams import StreamCalls
from voice.wire.streams.asterisk import AsteriskStream
from voice.wire.streams.audiosocket import AudioSocketStream
from voice.wire.streams.credentials import audiohook_matches, password_matches, twilio_matches
from voice.wire.streams.freeswitch import FreeswitchStream
from voice.wire.streams.genesys import GenesysStream
from voice.wire.streams.stream import MAX_AUDIO, MediaStream
from voice.wire.streams.twilio import TwilioStream

ALLOWANCES = {PATH: Allowance(message_bytes=MAX_AUDIO, bytes_per_s=1 << 18)}
"""What WebSockets with audio may send: eight seconds at 16 kHz at once, for a network that stood still."""

Proof = Callable[[HTTPConnection], bool]
"""Whether a request carries the platform's credentials."""


@dataclass(frozen=True, slots=True)
class OpenStreams:
    """Streams that are taken: `router` is for the web side, whose `connections` one address needs beyond a visitor's,
    since a platform has many calls; `calls` is to be told every journal."""

    calls: StreamCalls
    router: APIRouter
    connections: int


async def open_streams(
    settings: Settings, calls: Calls, plane: MediaPlane, metrics: Metrics, stack: AsyncExitStack
) -> OpenStreams:
    """Take streams; `stack` closes what has a port of its own. Raises ConfigurationError."""
    streams = StreamCalls(settings, calls, plane)
    metrics.count("centralino_streams_refused", "Streams refused, by the error's code", "code", lambda: streams.refused)
    doors = _doors(settings.streams)
    where = settings.streams.audiosocket
    if where.port:
        server = StreamServer(streams, AudioSocketStream, where.allows)
        metrics.count("centralino_audiosocket_cut", "AudioSocket connections cut", "reason", lambda: server.cut)
        try:
            await server.start(where.host, where.port)
        except OSError as error:
            raise taken("streams.audiosocket", where.host, where.port, error) from error
        stack.push_async_callback(server.close)
    return OpenStreams(streams, StreamSockets(streams, doors).router, settings.limits.calls if doors else 0)


def _doors(settings: MediaStreamSettings) -> dict[str, Door]:
    """Of those that come by WebSocket and are on, by name."""
    proofs: list[tuple[type[MediaStream], PlatformSettings, Callable[[bytes], Proof]]] = [
        (TwilioStream, settings.twilio, lambda key: _signed_by_twilio(settings.twilio.url, key)),
        (AsteriskStream, settings.asterisk, _with_password),
        (FreeswitchStream, settings.freeswitch, _with_password),
        (GenesysStream, settings.genesys, lambda key: _signed_by_genesys(settings.genesys.api_key, key)),
    ]
    return {
        stream.NAME: Door(stream, _admits(platform, prove(platform.key(stream.NAME))))
        for stream, platform, prove in proofs
        if platform.on
    }


def _admits(platform: PlatformSettings, proves: Proof) -> Proof:
    return lambda request: request.client is not None and platform.allows(request.client.host) and proves(request)


def _signed_by_twilio(url: str, key: bytes) -> Proof:
    return lambda request: twilio_matches(request.headers, url, key)


def _signed_by_genesys(api_key: str, key: bytes) -> Proof:
    def proves(request: HTTPConnection) -> bool:
        path, query = request.scope["raw_path"].decode("latin-1"), request.scope["query_string"].decode("latin-1")
        target = f"{path}?{query}" if query else path
        return audiohook_matches(request.headers, target, api_key, key, time.time())

    return proves


def _with_password(key: bytes) -> Proof:
    return lambda request: password_matches(request.headers, key)
