"""Beginnings, pauses and ends: by probability tracks made for the purpose, and by human speech in noise."""

import numpy as np
import pytest

from dialog.actions import Expect
from dsp.resample import resample
from dsp.vad import SileroVad
from tests.voice.speech.human import prompt
from voice.ports import RATE_HZ, TICK_MS, Pcm
from voice.speech.endpoint import (
    END_SILENCE_MS,
    MAX_VOICE_MS,
    PAUSE_MS,
    Endpointer,
    EndpointEvent,
    Paused,
    Resumed,
    VoiceEnded,
    VoiceStarted,
)

VOICE, LOW, NONE = (0.95, -20.0), (0.4, -30.0), (0.0, -70.0)
Track = list[tuple[float, float]]


def frames(kind: tuple[float, float], ms: int) -> Track:
    return [kind] * (ms // TICK_MS)


def events(track: Track, expect: Expect = Expect.FREE) -> list[EndpointEvent]:
    endpointer = Endpointer()
    endpointer.expect(expect)
    return [
        event for at, (voice, level) in enumerate(track, 1) for event in endpointer.frame(at * TICK_MS, voice, level)
    ]


def test_an_utterance_begins_pauses_and_ends() -> None:
    track = frames(NONE, 200) + frames(VOICE, 1_000) + frames(NONE, 1_000)
    assert events(track) == [VoiceStarted(200), Paused(1_400, 1_200), VoiceEnded(1_200)]


@pytest.mark.parametrize("expect", list(Expect))
def test_the_silence_that_ends_depends_on_what_is_expected(expect: Expect) -> None:
    endpointer = Endpointer()
    endpointer.expect(expect)
    for at_ms in range(TICK_MS, 500 + TICK_MS, TICK_MS):
        endpointer.frame(at_ms, *VOICE)
    silent_ms = TICK_MS
    while not any(isinstance(event, VoiceEnded) for event in endpointer.frame(500 + silent_ms, *NONE)):
        silent_ms += TICK_MS
    assert silent_ms == -(-END_SILENCE_MS[expect] // TICK_MS) * TICK_MS


def test_expectations_are_ordered_as_their_reasons_say() -> None:
    assert PAUSE_MS < END_SILENCE_MS[Expect.YES_NO] < END_SILENCE_MS[Expect.FREE] < END_SILENCE_MS[Expect.DIGITS]


@pytest.mark.parametrize("ms", [20, 40, 60])
def test_a_click_is_no_voice(ms: int) -> None:
    assert events(frames(NONE, 100) + frames(VOICE, ms) + frames(NONE, 500)) == []


def test_a_short_word_is_voice() -> None:
    assert events(frames(NONE, 100) + frames(VOICE, 80) + frames(NONE, 100)) == [VoiceStarted(100)]


def test_an_onset_may_flicker() -> None:
    track = frames(NONE, 100) + frames(VOICE, 40) + frames(NONE, 20) + frames(VOICE, 100)
    assert events(track) == [VoiceStarted(100)]


def test_a_pause_may_be_none() -> None:
    track = frames(VOICE, 400) + frames(NONE, 300) + frames(VOICE, 400) + frames(NONE, 600)
    assert events(track) == [
        VoiceStarted(0),
        Paused(600, 400),
        Resumed(700),
        Paused(1_300, 1_100),
        VoiceEnded(1_100),
    ]


def test_a_click_in_a_pause_does_not_hold_it_up() -> None:
    track = frames(VOICE, 400) + frames(NONE, 240) + frames(VOICE, 40) + frames(NONE, 400)
    assert events(track) == [VoiceStarted(0), Paused(600, 400), VoiceEnded(400)]


def test_a_word_that_begins_as_the_silence_ends_is_waited_for() -> None:
    track = frames(VOICE, 400) + frames(NONE, END_SILENCE_MS[Expect.FREE] - 20) + frames(VOICE, 200)
    assert [type(event) for event in events(track)] == [VoiceStarted, Paused, Resumed]


def test_a_soft_ending_is_speech_and_a_tail_far_below_it_is_not() -> None:
    soft = frames(VOICE, 400) + frames(LOW, 100) + frames(NONE, 600)
    assert events(soft)[-1] == VoiceEnded(500)
    tail = frames(VOICE, 400) + frames((0.9, -65.0), 60) + frames(NONE, 600)
    assert events(tail)[-1] == VoiceEnded(400)


def test_the_tail_of_the_vad_in_noise_is_not_speech() -> None:
    noise = (0.02, -38.0)
    track = frames(noise, 1_000) + frames(VOICE, 600) + frames((0.6, -38.0), 100) + frames(noise, 600)
    assert events(track)[-1] == VoiceEnded(1_600)


def test_an_utterance_has_an_end_even_if_the_voice_has_none() -> None:
    found = events(frames(VOICE, MAX_VOICE_MS + 1_000))
    assert found[:2] == [VoiceStarted(0), VoiceEnded(MAX_VOICE_MS)]
    assert isinstance(found[2], VoiceStarted)


def test_one_utterance_follows_another() -> None:
    once = frames(VOICE, 300) + frames(NONE, 700)
    assert [type(event) for event in events(once * 3)] == [VoiceStarted, Paused, VoiceEnded] * 3


PROMPTS = ["privacy-prompt", "agent-incorrect", "vm-goodbye", "cannot-complete-as-dialed", "digits/8", "auth-thankyou"]


@pytest.mark.parametrize(("snr_db", "off_ms"), [(60, 80), (15, 220)])
@pytest.mark.parametrize("name", PROMPTS)
def test_human_speech_is_cut_where_it_ends(name: str, snr_db: float, off_ms: int) -> None:
    narrow = resample(prompt(name), RATE_HZ, 8_000)
    loud = np.flatnonzero(np.abs(narrow.astype(int)) > np.abs(narrow.astype(int)).max() * 10 ** (-30 / 20))
    starts_ms, ends_ms = 1_000 + loud[0] / 8, 1_000 + loud[-1] / 8
    found = events(_track(narrow, snr_db))
    (started,) = [event for event in found if isinstance(event, VoiceStarted)]
    (ended,) = [event for event in found if isinstance(event, VoiceEnded)]
    assert -40 <= started.at_ms - starts_ms <= 150
    assert abs(ended.last_voiced_ms - ends_ms) <= off_ms


def _track(narrow: Pcm, snr_db: float) -> Track:
    """Silero's probabilities and the levels of `narrow` in white noise, a second of it before and after."""
    rms = np.sqrt((narrow.astype(float) ** 2).mean())
    sound = np.concatenate([np.zeros(8_000), narrow, np.zeros(12_000)])
    sound += np.random.default_rng(0).normal(0, rms * 10 ** (-snr_db / 20), sound.size)
    ticks = np.clip(sound, -32_768, 32_767).astype(np.int16)[: sound.size // 160 * 160].reshape(-1, 1, 160)
    vad, rows, probability = SileroVad(1), np.zeros(1, np.int32), np.zeros(1, np.float32)
    track = []
    for tick in ticks:
        vad.process(rows, tick, probability)
        level = 10 * np.log10((tick.astype(float) ** 2).mean() / 32_768**2 + 1e-10)
        track.append((float(probability[0]), float(level)))
    return track
