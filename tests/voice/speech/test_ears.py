"""Streams that outlive their child: what is kept, what is sent again, what is told."""

import numpy as np
import pytest

from dialog.actions import Expect
from dialog.ports import Hypothesis
from tests.fakes.speech_child import FakeChild
from voice.ports import RATE_HZ, TICK_SAMPLES, EarsBack, EarsEvent, EarsGapped, EarsLost, FinalText, PartialText, Pcm
from voice.speech import wire
from voice.speech.ears import HostEars, HostStream


@pytest.fixture
def child() -> FakeChild:
    return FakeChild()


@pytest.fixture
def ears(child: FakeChild) -> HostEars:
    made = HostEars()
    made.attach(child, None)
    return made


@pytest.fixture
def heard() -> list[EarsEvent]:
    return []


@pytest.fixture
def stream(ears: HostEars, heard: list[EarsEvent]) -> HostStream:
    return ears.open(heard.append)


def ramp(ticks: int) -> Pcm:
    return np.arange(ticks * TICK_SAMPLES, dtype=np.int64).astype(np.int16)


def say(stream: HostStream, pcm: Pcm) -> None:
    for at in range(0, pcm.size, TICK_SAMPLES):
        stream.push(pcm[at : at + TICK_SAMPLES])


def test_audio_goes_in_tenths_of_a_second_and_whole_before_a_final(stream: HostStream, child: FakeChild) -> None:
    stream.begin(1, Expect.DIGITS)
    say(stream, ramp(12))
    assert [len(m.pcm) for m in child.sent if isinstance(m, wire.Audio)] == [3200, 3200]
    stream.final()
    assert child.sent[0] == wire.Begin(1, 1, Expect.DIGITS)
    assert child.sent[-1] == wire.Final(1)
    assert child.audio() == ramp(12).tobytes()


def test_what_the_child_reads_is_told(ears: HostEars, stream: HostStream, heard: list[EarsEvent]) -> None:
    stream.begin(4, Expect.FREE)
    ears.receive(wire.Partial(1, 4, "hel"))
    ears.receive(wire.Read(1, 4, 240, (("hello", 0.9), ("yellow", 0.1))))
    ears.receive(wire.Gapped(1, 4, 100))
    both = (Hypothesis("hello", 0.9), Hypothesis("yellow", 0.1))
    assert heard == [PartialText(4, "hel"), FinalText(4, 240, both), EarsGapped(100)]


def test_an_utterance_that_is_over_has_no_events(ears: HostEars, stream: HostStream, heard: list[EarsEvent]) -> None:
    stream.begin(1, Expect.FREE)
    stream.begin(2, Expect.FREE)
    ears.receive(wire.Read(1, 1, 240, ()))
    stream.end()
    ears.receive(wire.Read(1, 2, 240, ()))
    ears.receive(wire.Partial(99, 2, "for a stream that never was"))
    assert not heard


def test_another_child_gets_all_of_the_utterance_again(
    ears: HostEars, stream: HostStream, heard: list[EarsEvent]
) -> None:
    stream.begin(1, Expect.FREE)
    say(stream, ramp(70))
    stream.final()
    ears.detach("engine.timeout")
    say(stream, ramp(7))
    second = FakeChild()
    ears.attach(second, 1_400)
    assert heard == [EarsLost("engine.timeout"), EarsBack(1_400)]
    assert second.sent[0] == wire.Begin(1, 1, Expect.FREE)
    assert second.sent[-1] == wire.Final(1)
    assert second.audio() == ramp(70).tobytes() + ramp(7).tobytes()
    assert all(message.again for message in second.sent if isinstance(message, wire.Audio))
    ears.receive(wire.Read(1, 1, 1_540, (("hello", 0.9),)))
    assert heard[-1] == FinalText(1, 1_540, (Hypothesis("hello", 0.9),), redecoded=True)
    stream.push(ramp(5))
    last = second.sent[-1]
    assert isinstance(last, wire.Audio) and (last.pcm, last.again) == (ramp(5).tobytes(), False)


def test_an_answered_final_is_not_asked_again(ears: HostEars, stream: HostStream) -> None:
    stream.begin(1, Expect.FREE)
    say(stream, ramp(10))
    stream.final()
    ears.receive(wire.Read(1, 1, 200, ()))
    ears.detach("engine")
    second = FakeChild()
    ears.attach(second, 1)
    assert wire.Final(1) not in second.sent


def test_an_answer_to_an_earlier_question_leaves_the_later_one_open(ears: HostEars, stream: HostStream) -> None:
    stream.begin(1, Expect.FREE)
    say(stream, ramp(10))
    stream.final()
    say(stream, ramp(10))
    stream.final()
    ears.receive(wire.Read(1, 1, 200, ()))
    ears.detach("engine")
    second = FakeChild()
    ears.attach(second, 1)
    assert wire.Final(1) in second.sent


def test_the_next_utterance_is_no_longer_redecoded(ears: HostEars, stream: HostStream, heard: list[EarsEvent]) -> None:
    stream.begin(1, Expect.FREE)
    ears.detach("engine")
    ears.attach(FakeChild(), 1)
    stream.begin(2, Expect.FREE)
    ears.receive(wire.Read(1, 2, 200, ()))
    assert heard[-1] == FinalText(2, 200, (), redecoded=False)


def test_an_utterance_that_two_children_died_of_is_given_up(
    ears: HostEars, stream: HostStream, heard: list[EarsEvent]
) -> None:
    stream.begin(1, Expect.FREE)
    say(stream, ramp(10))
    stream.final()
    for _ in range(2):
        ears.detach("engine")
        last = FakeChild()
        ears.attach(last, 1)
    assert not last.sent
    assert heard[-1] == FinalText(1, 200, (), redecoded=True)
    stream.begin(2, Expect.FREE)
    assert last.sent == [wire.Begin(1, 2, Expect.FREE)]


def test_what_was_said_before_the_first_child_is_heard() -> None:
    ears, child, heard = HostEars(), FakeChild(), list[EarsEvent]()
    stream = ears.open(heard.append)
    stream.begin(1, Expect.FREE)
    say(stream, ramp(10))
    stream.final()
    ears.attach(child, None)
    assert child.audio() == ramp(10).tobytes()
    assert child.sent[-1] == wire.Final(1)
    assert not heard


def test_thirty_seconds_are_kept_and_the_rest_is_told(
    stream: HostStream, child: FakeChild, heard: list[EarsEvent]
) -> None:
    stream.begin(1, Expect.FREE)
    for _ in range(31):
        stream.push(np.zeros(RATE_HZ, np.int16))
    assert len(child.audio()) == 30 * RATE_HZ * 2
    assert heard == [EarsGapped(1_000)]


def test_audio_outside_an_utterance_goes_nowhere(ears: HostEars, stream: HostStream, child: FakeChild) -> None:
    stream.push(ramp(10))
    stream.final()
    stream.begin(1, Expect.FREE)
    stream.close()
    stream.close()
    stream.push(ramp(10))
    stream.begin(2, Expect.FREE)
    assert child.sent == [wire.Begin(1, 1, Expect.FREE), wire.End(1)]


def test_a_closed_stream_hears_of_nothing(ears: HostEars, stream: HostStream, heard: list[EarsEvent]) -> None:
    stream.close()
    ears.detach("engine")
    ears.attach(FakeChild(), 1)
    assert not heard


def test_streams_are_told_apart(ears: HostEars, child: FakeChild) -> None:
    heard: tuple[list[EarsEvent], list[EarsEvent]] = ([], [])
    one, two = (ears.open(events.append) for events in heard)
    one.begin(1, Expect.FREE)
    two.begin(1, Expect.FREE)
    ears.receive(wire.Partial(2, 1, "two"))
    assert heard == ([], [PartialText(1, "two")])
