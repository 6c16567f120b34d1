"""Which platforms are served, by their settings; what lacks is told by the setting's name."""

import socket
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from starlette.routing import WebSocketRoute

from dialog.errors import ConfigurationError
from tests.fakes.house import house
from voice.addresses import check_addresses
from voice.config import Settings, load
from voice.observe import Metrics
from voice.platforms import OpenStreams, open_streams
from voice.settings.sections import WebSettings
from voice.settings.sip import SipSettings
from voice.tasks import sole_error


async def opened(settings: Settings) -> OpenStreams:
    with sole_error():
        async with house() as home, AsyncExitStack() as stack:
            return await open_streams(settings, home.calls, home.plane, Metrics(), stack)


def named(*assignments: str, **secrets: str) -> Settings:
    """Settings with secrets by the environment, as `twilio="..."`."""
    return load(
        None, assignments, {f"CENTRALINO_STREAMS__{name.upper()}__SECRET": key for name, key in secrets.items()}
    )


async def test_each_is_off_until_it_is_configured() -> None:
    streams = await opened(Settings())
    assert streams.router.routes == []
    assert streams.connections == 0


async def test_each_has_a_route_of_its_own() -> None:
    needed = ("streams.twilio.url=wss://voice.example.com/t", "streams.genesys.api_key=key")
    streams = await opened(named(*needed, twilio="t", asterisk="a", freeswitch="f", genesys="Zw=="))
    paths = [route.path for route in streams.router.routes if isinstance(route, WebSocketRoute)]
    assert paths == [f"/api/media/{name}" for name in ("twilio", "asterisk", "freeswitch", "genesys")]
    assert streams.connections == Settings().limits.calls


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (named(twilio="t"), "streams.twilio.url"),
        (named(genesys="Zw=="), "streams.genesys.api_key"),
        (named("streams.genesys.api_key=key", genesys="no base64!"), "streams.genesys.secret"),
        (named("streams.asterisk.secret_file=/nowhere"), "streams.asterisk.secret_file"),
        (named("streams.asterisk.secret_file=/dev/null"), "streams.asterisk.secret_file"),
    ],
)
async def test_what_lacks_is_told(settings: Settings, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        await opened(settings)


async def test_a_port_that_is_taken_is_told() -> None:
    with socket.socket() as squatter:
        squatter.bind(("127.0.0.1", 0))
        squatter.listen()
        settings = named(f"streams.audiosocket.port={squatter.getsockname()[1]}")
        with pytest.raises(ConfigurationError, match=r"streams\.audiosocket\.port"):
            check_addresses(settings.model_copy(update={"sip": SipSettings(port=0), "web": WebSettings(port=0)}))
        with pytest.raises(ConfigurationError, match=r"streams\.audiosocket\.port"):
            await opened(settings)


def test_a_secret_is_taken_from_no_file_of_settings(tmp_path: Path) -> None:
    file = tmp_path / "centralino.toml"
    file.write_text('[streams.twilio]\nsecret = "abc"\n')
    with pytest.raises(ConfigurationError, match="CENTRALINO_STREAMS__TWILIO__SECRET"):
        load(file, (), {})


def test_addresses_are_those_of_the_list() -> None:
    streams = named('streams.asterisk.peers=["192.0.2.0/24"]', asterisk="a").streams
    assert streams.asterisk.allows("192.0.2.9") and not streams.asterisk.allows("198.51.100.1")
    assert streams.twilio.allows("198.51.100.1") and streams.twilio.allows("2001:db8::1")
    assert streams.audiosocket.allows("127.0.0.1") and not streams.audiosocket.allows("192.0.2.9")
