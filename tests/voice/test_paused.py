"""A recording that an agent pauses: nothing of what is said and keyed meanwhile is kept anywhere."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from dialog.commands import HandBack, Hold, Join, PauseRecording, Requeue
from dialog.events import FinalHeard, KeysPressed, RecordingPaused
from tests.voice.scenes import PERSON, scene
from voice.media.recording import Pause, Recording

CARD = "4000 1234 5678 9010"


async def test_what_is_said_and_keyed_in_a_pause_is_not_written_down() -> None:
    async with scene(PERSON, hears=(CARD, "thank you")) as call:
        await call.queued()
        call.call.command(Join("eve"))
        assert call.call.command(PauseRecording(True, "eve"))
        assert call.call.command(PauseRecording(True, "eve")), "it is so"
        await call.tick(800, caller=0.9, agent=0.9, keys="4")
        await call.tick(1_500)
        call.call.press("000")
        await call.tick(4_000)
        assert not call.told(FinalHeard)
        assert not call.told(KeysPressed)
        call.call.command(PauseRecording(False, "eve"))
        await call.tick(800, caller=0.9)
        await call.tick(1_500)
        assert [final.speaker for final in call.told(FinalHeard)] == ["caller"]
        assert call.told(RecordingPaused) == [
            RecordingPaused(on=True, by="agent", agent="eve"),
            RecordingPaused(on=False, by="agent", agent="eve"),
        ]


async def test_hold_and_audio_that_comes_back_end_no_pause() -> None:
    async with scene(PERSON, hears=(CARD,)) as call:
        await call.queued()
        call.call.command(Join("eve"))
        call.call.command(PauseRecording(True, "eve"))
        call.call.command(Hold(True, "eve"))
        call.call.command(Hold(False, "eve"))
        call.call.command(Join("eve"))
        await call.tick(800, caller=0.9, agent=0.9)
        await call.tick(1_500)
        assert not call.told(FinalHeard)
        assert len(call.told(RecordingPaused)) == 1


@pytest.mark.parametrize("leaves", [HandBack(), Requeue(), Join("ida")])
async def test_a_pause_ends_with_the_agents_part_in_the_call(leaves: HandBack | Requeue | Join, tmp_path: Path) -> None:
    async with scene(PERSON, recording=Recording(tmp_path / "call.flac")) as call:
        await call.queued()
        call.legs["ida"] = call.agent
        call.call.command(Join("eve"))
        call.call.command(PauseRecording(True, "eve"))
        call.call.command(leaves)
        assert [event.on for event in call.told(RecordingPaused)] == [True, False]
        assert not call.call.command(PauseRecording(True, "eve")) or leaves == Join("ida")


@pytest.mark.parametrize(("how", "skipped_ms"), [("silence", 0), ("skip", 800)])
async def test_the_recording_has_nothing_of_a_pause(how: Pause, skipped_ms: int, tmp_path: Path) -> None:
    path = tmp_path / "call.flac"
    recording = Recording(path, pausing=how)
    async with scene(PERSON, recording=recording) as call:
        await call.queued()
        call.call.command(Join("eve"))
        await call.tick(200, caller=0.5)
        call.call.command(PauseRecording(True, "eve"))
        await call.tick(800, caller=0.9)
        call.call.command(PauseRecording(False, "eve"))
        await call.tick(200, caller=0.5)
        assert [event.how for event in call.told(RecordingPaused)] == [how, how]
        paused, resumed = (record.at_ms for record in call.records if isinstance(record.event, RecordingPaused))
        assert resumed - paused == 800
        recording.close()
        assert recording.advance()
    audio, _ = soundfile.read(path, dtype="int16")
    caller = audio[::320, 0]
    assert len(caller) * 20 == 7_200 - skipped_ms
    assert 900 not in caller
    spoken = np.flatnonzero(caller == 500) * 20
    assert list(spoken[[0, 9]]) == [paused - 200, paused - 20]
    assert spoken[10] == resumed - skipped_ms
