"""What `centralino check` says: a verdict on each thing that was tried, and why one is bad."""

import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dialog.engines.rasa import RasaEngine
from dialog.engines.rasa_server import ExternalRasa, RasaAddress
from dialog.errors import EngineUnavailable, NotReady, PeerError
from tests.fakes.clock import virtual_time
from tests.fakes.rasa_channel import FakeChannel
from tests.fakes.registrar import PASSWORD, Registrar
from voice.commands.check import ask_rasa, ask_trunk, check
from voice.config import Settings
from voice.settings.sections import DialogSettings


@pytest.fixture
async def channel() -> AsyncIterator[FakeChannel]:
    async with FakeChannel().serving() as channel:
        yield channel


async def test_a_rasa_that_answers_is_timed_and_its_call_ended(channel: FakeChannel) -> None:
    rasa = RasaEngine(channel)
    channel.will_say({"say": "Hello."})
    assert (await ask_rasa(DialogSettings(), rasa)).startswith("answered a turn in ")
    assert [body["type"] for _, body in channel.events] == ["call_opened", "hung_up"]
    external = DialogSettings(rasa_url="http://192.0.2.1:5005")
    assert (await ask_rasa(external, rasa)).startswith("external, at http://192.0.2.1:5005: answered a turn in ")
    await rasa.close()


async def test_a_rasa_that_refuses_or_is_not_there_is_told(channel: FakeChannel) -> None:
    channel.answers.append((401, b""))
    for rasa, why in (
        (RasaEngine(channel), "Rasa answered 401"),
        (RasaEngine(ExternalRasa(RasaAddress("http://127.0.0.1:9", ""))), "Rasa does not answer"),
    ):
        with pytest.raises(EngineUnavailable, match=why):
            await ask_rasa(DialogSettings(), rasa)
        await rasa.close()


async def test_a_rasa_that_is_not_installed_or_not_wanted_is_told() -> None:
    with pytest.raises(NotReady, match="make setup"):
        await ask_rasa(DialogSettings(), None)
    assert await ask_rasa(DialogSettings(engine="keypad"), None) == "not wanted (dialog.engine is keypad)"


async def test_a_trunk_is_asked_whether_it_is_there_and_knows_us_and_nothing_is_bound() -> None:
    async with Registrar().by_udp() as registrar:
        proxy = {"proxy": "127.0.0.1", "port": registrar.port}
        known = proxy | {"user": "alice", "password": PASSWORD, "register_s": 60}
        trunks = {"mute": proxy, "known": known, "both": known | {"ping_s": 30}, "wrong": known | {"password": "guess"}}
        settings = Settings.model_validate({"sip": {"trunks": trunks}})
        assert await ask_trunk(settings, "mute") == "it answers"
        assert await ask_trunk(settings, "known") == "it knows us"
        assert await ask_trunk(settings, "both") == "it knows us and it answers"
        with pytest.raises(PeerError, match="REGISTER: 403 Forbidden"):
            await ask_trunk(settings, "wrong")
        assert registrar.bound == {}


@virtual_time
async def test_a_trunk_that_says_nothing_is_told() -> None:
    async with Registrar().by_udp() as registrar:
        registrar.mute = True
        proxy = {"proxy": "127.0.0.1", "port": registrar.port}
        with pytest.raises(PeerError, match="OPTIONS: no answer"):
            await ask_trunk(Settings.model_validate({"sip": {"trunks": {"carrier": proxy}}}), "carrier")


def verdicts(settings: Settings, capsys: pytest.CaptureFixture[str]) -> tuple[bool, dict[str, tuple[bool, str]]]:
    """Whether all is good, and by name what was said of each thing that was tried."""
    good = check(settings, as_json=True)
    told = json.loads(capsys.readouterr().out)
    return good, {verdict["name"]: (verdict["good"], verdict["detail"]) for verdict in told}


def test_one_thing_that_is_wrong_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CENTRALINO_CACHE", str(tmp_path))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        good, told = verdicts(
            Settings.model_validate({"sip": {"port": port}, "web": {"port": 0}, "dialog": {"engine": "eliza"}}), capsys
        )
    assert not good
    assert not told["ports"][0]
    assert f"sip.port: 127.0.0.1:{port} cannot be bound" in told["ports"][1]
    assert told["models"] == (False, "moonshine-base is missing: run `make setup`")
    assert told["node"] == (False, "dialog.engine: no bot is called 'eliza'; known are rasa, keypad and plug-ins")


@pytest.mark.parametrize("name", ["tcp", "tls_port"])
def test_a_taken_port_for_connections_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.setenv("CENTRALINO_CACHE", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        sip = {"port": 0, "tcp": False, name: port}
        settings = {"sip": sip, "web": {"port": 0}, "dialog": {"engine": "eliza"}}
        _, told = verdicts(Settings.model_validate(settings), capsys)
        assert f"sip.{name}: 127.0.0.1:{port} cannot be bound" in told["ports"][1]
    _, told = verdicts(Settings.model_validate(settings), capsys)
    assert told["ports"] == (
        True,
        f"SIP 127.0.0.1 (UDP 0, {'TCP' if name == 'tcp' else 'TLS'} {port}) and web 127.0.0.1:0 are free",
    )


def test_a_person_reads_a_line_for_each_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CENTRALINO_CACHE", str(tmp_path))
    settings = Settings.model_validate({"sip": {"port": 0}, "web": {"port": 0}, "dialog": {"engine": "[eliza]"}})
    assert not check(settings, as_json=False)
    lines = [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines()]
    assert [line[:2] for line in lines] == [["good", "ports"], ["BAD", "models"], ["BAD", "node"]]
    assert "no bot is called '[eliza]'" in lines[2][2], "and not a word of it is lost"
