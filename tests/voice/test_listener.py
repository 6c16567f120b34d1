"""Utterances as the listener cuts them: frames in, one account of each out."""

from itertools import count

import numpy as np
import pytest

from dialog.actions import Collect, Expect
from dialog.events import Event
from dialog.ports import Hypothesis
from tests.fakes.speech import FakeEars
from voice.listener import FINAL_LIMIT_MS, PREROLL_MS, Heard, Listener, Spoken, TurnOver, VoiceCame
from voice.ports import TICK_MS, TICK_SAMPLES, FinalText, Frame, Pcm
from voice.speech.endpoint import END_SILENCE_MS, MAX_VOICE_MS

SILENCE_MS = END_SILENCE_MS[Expect.FREE]


class Ear:
    """A listener, and a caller whom the test lets speak. What the recogniser says goes straight back."""

    def __init__(self, *texts: str) -> None:
        self.ears = FakeEars(*texts)
        self.events: list[Event] = []
        self.listener = Listener(self.ears, "caller", count(), self.events.append)
        self.heard: list[Heard] = []
        self._tick = 0

    def frames(self, ms: int, voice: float, *, yielding: bool = True, free: bool = True) -> list[Heard]:
        """That much of the caller; what came of it."""
        came: list[Heard] = []
        level = -20.0 if voice >= 0.5 else -70.0
        pcm: Pcm = np.zeros(TICK_SAMPLES, np.int16)
        for _ in range(ms // TICK_MS):
            frame = Frame(self._tick, pcm, voice, level)
            came += self.listener.on_frame(frame, yielding=yielding, floor_is_free=free)
            self._tick += 1
        self.heard += came
        return came

    def voice(self, ms: int, *, yielding: bool = True, free: bool = True) -> list[Heard]:
        return self.frames(ms, 0.95, yielding=yielding, free=free)

    def silence(self, ms: int, *, yielding: bool = True, free: bool = True) -> list[Heard]:
        return self.frames(ms, 0.0, yielding=yielding, free=free)


def test_an_utterance_from_its_first_frame_to_its_words() -> None:
    ear = Ear("my balance")
    ear.silence(1_000)
    assert ear.voice(600) == [VoiceCame(0, resumed=False)]
    assert ear.listener.hears
    over, spoken = ear.silence(1_000)
    assert over == TurnOver(0)
    assert isinstance(spoken, Spoken)
    assert spoken.hypotheses == (Hypothesis("my balance", 0.9),)
    assert (spoken.voice_start_ms, spoken.voice_end_ms) == (1_000, 1_600)
    assert spoken.final_ms < spoken.turn_over_ms == 1_600 + SILENCE_MS, "it was read while the silence ran"
    assert not ear.listener.hears


def test_the_recogniser_gets_what_was_said_before_the_voice_was_found() -> None:
    ear = Ear("yes")
    ear.silence(1_000)
    ear.voice(400)
    ear.silence(SILENCE_MS)
    (final,) = ear.ears.finals
    assert final.audio_ms - (400 + 200) in range(PREROLL_MS - 100, PREROLL_MS + 20), "voice, pause and preroll"


def test_utterances_are_numbered() -> None:
    ear = Ear("one", "two")
    for _ in range(2):
        ear.voice(400)
        ear.silence(1_000)
    assert [(s.utterance, s.hypotheses[0].text) for s in ear.heard if isinstance(s, Spoken)] == [(0, "one"), (1, "two")]


def test_who_goes_on_after_a_pause_is_read_anew() -> None:
    ear = Ear("from the beginning")
    ear.voice(400)
    ear.silence(300)
    assert ear.voice(400) == [], "the pause was never more than a pause"
    came = ear.silence(1_000)
    assert [type(each) for each in came] == [TurnOver, Spoken]
    first, second = ear.ears.finals
    assert second.audio_ms - first.audio_ms == 300 + 400, "the second reading is of all of it"


def test_a_turn_that_was_taken_can_be_taken_back() -> None:
    ear = Ear("first", "second")
    ear.ears.deaf = True
    ear.voice(400)
    assert ear.silence(SILENCE_MS + 100) == [TurnOver(0)]
    assert ear.voice(400) == [VoiceCame(0, resumed=True)], "one utterance: it was not over"
    ear.ears.deaf = False
    assert [type(each) for each in ear.silence(1_000)] == [TurnOver, Spoken]


def test_a_cough_over_the_bot_leaves_no_trace_and_the_next_word_is_heard() -> None:
    ear = Ear("", "stop")
    assert ear.voice(140, free=False) == []
    assert ear.silence(1_000, free=False) == []
    assert ear.voice(400, free=False) == [VoiceCame(1, resumed=False)]


def test_what_is_said_over_a_notice_is_not_for_us() -> None:
    ear = Ear("hello")
    ear.voice(800, yielding=False, free=False)
    ear.silence(1_000, yielding=False, free=False)
    assert ear.heard == []
    assert not ear.listener.hears


def test_who_still_speaks_when_the_notice_is_over_has_the_floor() -> None:
    ear = Ear("hello")
    ear.voice(400, yielding=False, free=False)
    assert ear.voice(20) == [VoiceCame(0, resumed=False)]
    came = ear.silence(1_000)
    assert isinstance(came[-1], Spoken) and came[-1].voice_start_ms == 0, "from its beginning"


def test_a_reading_that_never_comes_is_no_words_after_a_while() -> None:
    ear = Ear("lost")
    ear.ears.deaf = True
    ear.voice(400)
    assert ear.silence(SILENCE_MS + FINAL_LIMIT_MS - TICK_MS) == [TurnOver(0)]
    (spoken,) = ear.silence(2 * TICK_MS)
    assert isinstance(spoken, Spoken)
    assert spoken.hypotheses == ()


def test_a_reading_of_less_than_was_said_does_not_count() -> None:
    ear = Ear("half", "next")
    ear.ears.deaf = True
    ear.voice(400)
    ear.silence(SILENCE_MS)
    ear.ears.say(FinalText(0, 100, (Hypothesis("half", 0.9),)))
    ear.ears.say(FinalText(7, 10_000, (Hypothesis("another's", 0.9),)))
    assert ear.silence(100) == []
    ear.ears.say(FinalText(0, 10_000, (Hypothesis("all of it", 0.9),), redecoded=True))
    (spoken,) = ear.silence(20)
    assert isinstance(spoken, Spoken)
    assert (spoken.hypotheses[0].text, spoken.redecoded) == ("all of it", True)


@pytest.mark.parametrize(("text", "over_ms"), [("one two three four", 200), ("one two three", 800)])
def test_a_number_is_over_when_it_is_whole(text: str, over_ms: int) -> None:
    ear = Ear(text)
    ear.listener.expect(Collect(Expect.DIGITS, max_digits=4))
    ear.voice(600)
    early = ear.silence(over_ms - TICK_MS)
    late = ear.silence(2 * TICK_MS)
    assert (early, [type(each) for each in late]) == ([], [TurnOver, Spoken])
    assert ear.ears.expected == [Expect.DIGITS]


def test_who_never_pauses_is_cut_at_the_longest_and_still_read() -> None:
    ear = Ear("on and on")
    came = ear.voice(MAX_VOICE_MS + 40)
    assert [type(each) for each in came] == [VoiceCame, TurnOver, Spoken]
    assert ear.ears.finals[0].audio_ms >= MAX_VOICE_MS


def test_what_is_forgotten_says_nothing_more() -> None:
    ear = Ear("void", "next")
    ear.voice(400)
    ear.listener.forget()
    assert ear.silence(1_000) == []
    assert ear.ears.finals == [], "the recogniser was told, too"
    ear.voice(400)
    assert [s.hypotheses[0].text for s in ear.silence(1_000) if isinstance(s, Spoken)] == ["next"]


def test_closing_frees_the_stream() -> None:
    ear = Ear()
    ear.listener.close()
    assert [stream.closed for stream in ear.ears.streams] == [True]
