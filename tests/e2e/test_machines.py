"""Machines at the other end of calls that we place: baresip and sipp play what they would."""

import asyncio
import wave
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from dsp.g711 import A_LAW, encode_block
from tests.e2e.node import free_port
from tests.e2e.phones import Baresip
from tests.e2e.test_sip_peers import SCENARIOS, SIPP_PORT, listening, sipp
from tests.fakes.sip_uas import HOST
from voice.caller import OutgoingLine
from voice.commands.call import by_trunk
from voice.config import Settings
from voice.dialling import CallRefused
from voice.ports import TICK_MS, Pcm

LINE_HZ = 8_000


def tone(*hz: float, seconds: float) -> Pcm:
    """8 kHz, -15 dBFS each, or with none silence."""
    time = np.arange(round(seconds * LINE_HZ)) / LINE_HZ
    return np.rint(sum((8_000 * np.sin(2 * np.pi * each * time) for each in hz), start=0 * time)).astype(np.int16)


BUSY = np.concatenate([tone(480, 620, seconds=0.5), tone(seconds=0.5)] * 60)
BEEPS = np.concatenate([tone(seconds=1), tone(1_000, seconds=0.4), tone(seconds=2)] * 20)
SOON_S = 20
"""A machine that is busy loses packets, and then it takes another few beeps."""


def through(port: int) -> AbstractAsyncContextManager[OutgoingLine]:
    """A call by a trunk that leads to `port`."""
    trunk = {"proxy": HOST, "port": port, "dial": ["*"], "caller_id": "39021"}
    media = {"first_port": 28_000, "last_port": 28_098}
    settings = Settings.model_validate({"media": media, "sip": {"host": HOST, "trunks": {"carrier": trunk}}})
    return by_trunk(settings, "carrier", "0049")


@asynccontextmanager
async def answered(folder: Path, sound: Pcm) -> AsyncIterator[OutgoingLine]:
    """A call to baresip, which answers and plays `sound`."""
    with wave.open(str(folder / "machine.wav"), "wb") as file:
        file.setparams((1, 2, LINE_HZ, 0, "NONE", ""))
        file.writeframes(sound.astype("<i2").tobytes())
    port = free_port()
    phone = Baresip(folder, "0049", "", "PCMA", account=";audio_source=aufile,machine.wav;answermode=auto", port=port)
    try:
        await asyncio.to_thread(phone.start)
        async with through(port) as line:
            yield line
            line.hang_up()
            await line.ended
    finally:
        await asyncio.to_thread(phone.close)


async def test_an_answering_machine_is_told_and_the_call_goes_on(tmp_path: Path) -> None:
    async with answered(tmp_path, BEEPS) as line:
        async with asyncio.timeout(SOON_S):
            while not line.machines:
                await line.wait(TICK_MS)
        at_ms, what = line.machines[0]
        assert what == "answering_machine"
        assert at_ms >= 1_400
        assert not line.ended.done()


async def test_a_busy_tone_after_the_answer_ends_the_call(tmp_path: Path) -> None:
    async with answered(tmp_path, BUSY) as line, asyncio.timeout(SOON_S):
        assert await line.ended == "busy"


async def test_a_busy_tone_while_it_rings_is_a_refusal(tmp_path: Path) -> None:
    (tmp_path / "engaged.raw").write_bytes(encode_block(BUSY, A_LAW).tobytes())
    async with asyncio.TaskGroup() as tasks:
        exchange = tasks.create_task(sipp(tmp_path, "-sf", str(SCENARIOS / "engaged.xml"), "-m", "1"))
        await listening(SIPP_PORT)
        with pytest.raises(CallRefused) as refused:
            async with through(SIPP_PORT):
                raise AssertionError("nobody answers")
        assert refused.value.status == 486
        await exchange
