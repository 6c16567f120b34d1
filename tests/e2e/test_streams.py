"""Streams of other platforms against a real node: the echo number, and the keypad bot by keys."""

import asyncio
import base64
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from websockets.exceptions import InvalidStatus

from dialog.events import (
    CallAnswered,
    CallEnded,
    CallStarted,
    KeysPressed,
    PlaybackStarted,
)
from tests.e2e.node import Node, free_port, serving, wait_for
from tests.e2e.platforms import Platform, audiosocket, talking
from tests.e2e.socket_platforms import Asterisk, Freeswitch, Genesys, Twilio, calling, password
from voice.ports import Pcm

pytestmark = pytest.mark.timeout(240)

URL = "wss://voice.example.com/api/media/twilio"
SECRET = b"open sesame"
API_KEY = "key-of-ours"
ECHO = "1001"
TONE_HZ = 600
MENU = "Press 1 for your balance, 2 for your bill, 3 for a fault."

Call = AbstractAsyncContextManager[Platform]


@dataclass(frozen=True)
class Served:
    """The node, and how each platform calls it."""

    node: Node
    port: int

    def url(self, platform: str) -> str:
        return f"{self.node.web_url.replace('http', 'ws', 1)}/api/media/{platform}"

    def twilio(self, caller: str, dialled: str, token: str = SECRET.decode()) -> Call:
        return calling(Twilio, self.url("twilio"), Twilio.signed(URL, token), caller, dialled)

    def asterisk(self, caller: str, dialled: str, word: str = SECRET.decode()) -> Call:
        url = self.url("asterisk") + Asterisk.parameters(caller, dialled)
        return calling(Asterisk, url, password(word), caller, dialled)

    def freeswitch(self, caller: str, dialled: str, word: str = SECRET.decode()) -> Call:
        return calling(Freeswitch, self.url("freeswitch"), password(word), caller, dialled)

    def genesys(self, caller: str, dialled: str, secret: str = SECRET.decode()) -> Call:
        headers = Genesys.signed(self.url("genesys"), API_KEY, secret.encode())
        return calling(Genesys, self.url("genesys"), headers, caller, dialled)

    def audiosocket(self) -> Call:
        return audiosocket(self.port, uuid4().bytes)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder, port = tmp_path_factory.mktemp("streams"), free_port()
    with serving(folder, settings(folder, port)) as node:
        yield Served(node, port)
        assert node.bad_lines() == []


def settings(folder: Path, port: int) -> str:
    plain, coded = folder / "secret", folder / "secret.base64"
    plain.write_bytes(SECRET)
    coded.write_bytes(base64.b64encode(SECRET))
    return (
        f'[bots]\n"{ECHO}" = "echo"\naudiosocket = "echo"\n"*" = "keypad"\n'
        '[dialog]\nengine = "keypad"\n'
        f'[streams.twilio]\nurl = "{URL}"\nsecret_file = "{plain}"\n'
        f'[streams.asterisk]\nsecret_file = "{plain}"\n'
        f'[streams.freeswitch]\nsecret_file = "{plain}"\n'
        f'[streams.genesys]\napi_key = "{API_KEY}"\nsecret_file = "{coded}"\n'
        f"[streams.audiosocket]\nport = {port}\n"
    )


def tone(rate_hz: int) -> Pcm:
    """One second, of whole periods."""
    wave: Pcm = np.rint(8_000 * np.sin(2 * np.pi * TONE_HZ * np.arange(rate_hz) / rate_hz)).astype(np.int16)
    return wave


def comes_back(platform: Platform) -> bool:
    """Whether the last half second is the tone, and next to nothing else."""
    heard = platform.recent.astype(float)
    if heard.size < platform.rate_hz // 2:
        return False
    power = np.abs(np.fft.rfft(heard * np.hanning(heard.size))) ** 2
    at = round(TONE_HZ * heard.size / platform.rate_hz)
    return float(heard.std()) > 4_000 and float(power[at - 2 : at + 3].sum()) > 0.99 * float(power.sum())


async def until(what: str, holds: Callable[[], bool]) -> None:
    """Look in a thread: reading the store takes its time, and the platform has to be heard meanwhile."""
    await asyncio.to_thread(wait_for, what, lambda: holds() or None, 30)


async def hear_the_echo(call: Call) -> None:
    """Say a tone until it comes back, and hang up."""
    async with call as platform:
        async with talking(platform, tone(platform.rate_hz)):
            await until("the echo", lambda: comes_back(platform))
        await platform.hang_up()
        await asyncio.wait_for(platform.over.wait(), 10)


async def ended(node: Node, caller: str) -> tuple[str, str]:
    """Codec and cause of the one call of `caller`, once it is over."""
    (call_id,) = node.calls(caller)

    def causes() -> list[str]:
        return [record.event.cause for record in node.journal(call_id) if isinstance(record.event, CallEnded)]

    await until("the end of the call", lambda: bool(causes()))
    (codec,) = [record.event.codec for record in node.journal(call_id) if isinstance(record.event, CallAnswered)]
    return codec, causes()[0]


async def test_the_echo_by_twilio(served: Served) -> None:
    await hear_the_echo(served.twilio("+15550101", ECHO))
    assert await ended(served.node, "+15550101") == ("PCMU", "caller")


async def test_the_echo_by_audiosocket(served: Served) -> None:
    await hear_the_echo(served.audiosocket())
    assert await ended(served.node, "audiosocket") == ("L16", "caller")


async def test_the_echo_by_asterisk(served: Served) -> None:
    await hear_the_echo(served.asterisk("+15550102", ECHO))
    assert await ended(served.node, "+15550102") == ("L16/16000", "caller")


async def test_the_echo_by_freeswitch(served: Served) -> None:
    await hear_the_echo(served.freeswitch("+15550103", ECHO))
    assert await ended(served.node, "+15550103") == ("L16", "caller")


async def test_the_echo_by_genesys(served: Served) -> None:
    await hear_the_echo(served.genesys("+15550104", ECHO))
    assert await ended(served.node, "+15550104") == ("PCMU", "caller")


async def test_the_balance_by_keys(served: Served) -> None:
    node, caller = served.node, "+15550105"

    def said() -> list[str]:
        """What the bot has begun to say."""
        calls = node.calls(caller)
        return [r.event.text for r in node.journal(calls[0]) if isinstance(r.event, PlaybackStarted)] if calls else []

    async with served.twilio(caller, "100") as platform:
        async with talking(platform, np.zeros(8_000, np.int16)):
            await until("the menu", lambda: said()[-1:] == [MENU])  # notices are heard to the end, whatever is keyed
            await platform.press("1")
            await until("the question", lambda: "account number" in "".join(said()[-1:]))
            for digit in "12345678":
                await platform.press(digit)
            await until("the balance", lambda: "23 euros and 40 cents" in " ".join(said()))
        assert "clear" in platform.told, "what Twilio held of the greeting was dropped"
        await platform.hang_up()
        await asyncio.wait_for(platform.over.wait(), 10)
    assert await ended(node, caller) == ("PCMU", "caller")
    journal = [record.event for record in node.journal(node.calls(caller)[0])]
    (started,) = [event for event in journal if isinstance(event, CallStarted)]
    assert (started.transport, started.bot, started.dialled) == ("stream", "keypad", "100")
    assert [event.digits for event in journal if isinstance(event, KeysPressed)] == ["1", "12345678"]


@pytest.mark.parametrize("platform", ["twilio", "asterisk", "freeswitch", "genesys"])
async def test_who_proves_nothing_is_not_let_in(served: Served, platform: str) -> None:
    enter = {
        "twilio": served.twilio,
        "asterisk": served.asterisk,
        "freeswitch": served.freeswitch,
        "genesys": served.genesys,
    }[platform]
    with pytest.raises(InvalidStatus) as refused:
        async with enter("+15550106", ECHO, "another word"):
            pass
    assert refused.value.response.status_code == 403
    assert served.node.calls("+15550106") == []
