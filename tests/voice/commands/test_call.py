"""`centralino call`: steps in the order in which they were written, and what was heard after each."""

import asyncio
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dialog.errors import ConfigurationError, EngineTimeout, PeerForbidden
from tests.fakes.clock import virtual_time
from tests.fakes.far_end import FarEnd, far_end
from tests.fakes.sip_uas import HOST, SilentCallee
from tests.fakes.speech import FakeEars, FakeMouth
from voice.commands.call import (
    FINAL_S,
    PASSWORD,
    Step,
    by_trunk,
    check_audio,
    converse,
    lines,
    read_audio,
    read_back,
    read_login,
    steps_in_order,
)
from voice.config import Settings
from voice.ports import RATE_HZ, TICK_MS, Pcm
from voice.wire.sip.events import InviteReceived

SOUND: Pcm = np.full(RATE_HZ // 2, 1_000, np.int16)


def test_steps_keep_the_order_of_the_command_line() -> None:
    argv = ["centralino", "call", "sip:a@b", "--text", "one", "--dtmf=2", "--say", "x.wav", "--json", "--text=three"]
    values = {"--say": ["x.wav"], "--text": ["one", "three"], "--dtmf": ["2"]}
    steps = [Step("--text", "one"), Step("--dtmf", "2"), Step("--say", "x.wav"), Step("--text", "three")]
    assert steps_in_order(argv, values) == steps
    assert steps_in_order(argv[:3], {"--say": [], "--text": [], "--dtmf": []}) == []


def test_the_callers_password_comes_from_the_environment() -> None:
    assert read_login("", {PASSWORD: "wonder"}) is None
    login = read_login("alice", {PASSWORD: "wonder"})
    assert login is not None and login.name == "alice"
    with pytest.raises(ConfigurationError, match=PASSWORD):
        read_login("alice", {})


def test_a_sound_file_of_any_rate_is_the_houses_audio(tmp_path: Path) -> None:
    tone = (8_000 * np.sin(2 * np.pi * 440 * np.arange(8_000) / 8_000)).astype(np.int16)
    soundfile.write(tmp_path / "narrow.wav", tone, 8_000)
    heard = read_audio(tmp_path / "narrow.wav")
    assert heard.dtype == np.int16
    assert heard.size == RATE_HZ
    assert abs(int(np.argmax(np.abs(np.fft.rfft(heard.astype(float))))) - 440) <= 1


def test_of_several_channels_the_first_is_the_caller(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "both.flac", np.stack([SOUND, -SOUND], axis=1), RATE_HZ)
    assert np.array_equal(read_audio(tmp_path / "both.flac"), SOUND)


def test_what_is_no_sound_file_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("hello")
    with wave.open(str(tmp_path / "cut.wav"), "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
    (tmp_path / "cut.wav").write_bytes((tmp_path / "cut.wav").read_bytes()[:20])
    for name in ("nowhere.wav", "text.wav", "cut.wav", "."):
        with pytest.raises(ConfigurationError) as wrong:
            read_audio(tmp_path / name)
        assert str(wrong.value).startswith(str(tmp_path / name))
        assert "\n" not in str(wrong.value)


def test_what_cannot_keep_the_sound_is_named_before_anybody_is_called(tmp_path: Path) -> None:
    for name in ("heard.wav", "heard.flac"):
        check_audio(tmp_path / name)
    for path in (tmp_path, tmp_path / "heard", tmp_path / "heard.txt", tmp_path / "nowhere" / "heard.wav"):
        with pytest.raises(ConfigurationError, match=f"--audio {path}"):
            check_audio(path)


@virtual_time
async def test_what_was_heard_is_read_once_and_silence_never() -> None:
    ears = FakeEars("good morning")
    assert await read_back(ears, np.zeros(RATE_HZ, np.int16)) == ""
    assert await read_back(ears, np.zeros(0, np.int16)) == ""
    assert ears.streams == []
    assert await read_back(ears, SOUND) == "good morning"
    assert await read_back(FakeEars(""), SOUND) == "", "sound, and no words"
    ears.deaf = True
    with pytest.raises(EngineTimeout, match="recogniser"):
        await read_back(ears, SOUND)
    assert asyncio.get_running_loop().time() == FINAL_S
    assert all(stream.closed for stream in ears.streams)


Heard = list[dict[str, str | int]]


def at_times(tick: int) -> bool:
    """Half a second of speech in every two."""
    return tick % 100 < 25


async def run(far: FarEnd, conversing: asyncio.Task[Heard]) -> Heard:
    """Let audio time run until the conversation is over."""
    while not conversing.done():
        assert far.line.now_ms < 60_000
        await far.house.tick(TICK_MS, turns=4)
    return conversing.result()


async def test_each_step_is_listened_after_and_none_begins_before_the_far_end_is_quiet() -> None:
    async with far_end(at_times) as it:
        mouth = FakeMouth()
        steps = [Step("--text", "Hello."), Step("--dtmf", "12")]
        heard = await run(it, asyncio.create_task(converse(it.line, steps, FakeEars("yes"), mouth)))
        assert [turn["after"] for turn in heard] == ["answer", "--text Hello.", "--dtmf 12"]
        assert {turn["text"] for turn in heard} == {"yes"}
        first, second, third = (int(turn["at_ms"]) for turn in heard)
        assert first == 0
        assert second >= 500 + 900, "the far end spoke, and was quiet"
        assert third > second
        assert mouth.spoken == ["Hello."]
        assert {packet.payload[0] for packet in it.came() if packet.payload_type == 101} == {1, 2}


async def test_when_the_far_end_hangs_up_the_other_steps_are_left_out() -> None:
    async with far_end(at_times) as it:
        mouth = FakeMouth()
        steps = [Step("--text", "Hello."), Step("--text", "Anybody?")]
        conversing = asyncio.create_task(converse(it.line, steps, FakeEars("goodbye"), mouth))
        while not mouth.spoken:
            await it.house.tick(TICK_MS)
        it.line.over("far end")
        assert [turn["after"] for turn in await run(it, conversing)] == ["answer", "--text Hello."]
        assert mouth.spoken == ["Hello."]


async def test_machines_are_among_what_was_heard() -> None:
    async with far_end() as it:
        it.line.listen()
        await it.house.tick(1_000)
        it.line.on_machine("answering_machine")
        machines = [{"at_ms": at_ms, "what": what} for at_ms, what in it.line.machines]
    outcome = {"status": 200, "heard": [], "machines": machines, "cause": "far end"}
    assert list(lines(outcome)) == ["    1.0 s  a machine: answering machine", "200, ended by far end"]
    assert list(lines({"status": 486, "cause": "486 busy"})) == ["486, ended by 486 busy"]


async def test_through_a_trunk_only_what_it_may_dial_is_called() -> None:
    callee = SilentCallee()
    async with asyncio.TaskGroup() as tasks:
        await callee.agent.start(HOST, 0, tasks)
        trunk = {"proxy": HOST, "port": callee.agent.port, "dial": ["0039*"], "caller_id": "39021"}
        settings = Settings.model_validate({"sip": {"trunks": {"carrier": trunk}}})
        with pytest.raises(PeerForbidden):
            async with by_trunk(settings, "carrier", "0049"):
                raise AssertionError("it was called")
        async with by_trunk(settings, "carrier", "003902") as line:
            line.hang_up()
        assert [event.dialled for event in callee.events if isinstance(event, InviteReceived)] == ["003902"]
        await callee.agent.close()
