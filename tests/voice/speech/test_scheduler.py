"""The order in which the child serves, by fakes that stop where they are told."""

import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from dialog.actions import Expect
from tests.fakes.engines import FakeRecogniser, FakeVoice, Gate
from voice.speech.scheduler import MAX_REQUESTS, MAX_STREAMS, Scheduler
from voice.speech.wire import Gapped, NotSpoken, Partial, Read, Spoken, ToHost

TENTH = np.zeros(1600, "<i2").tobytes()


class Told:
    """What the scheduler sent, and a wait for it."""

    def __init__(self) -> None:
        self.messages: list[ToHost] = []
        self._came = threading.Condition()

    def send(self, message: ToHost) -> None:
        with self._came:
            self.messages.append(message)
            self._came.notify_all()

    def wait_for(self, holds: Callable[[ToHost], bool], count: int = 1) -> None:
        with self._came:
            assert self._came.wait_for(lambda: sum(map(holds, self.messages)) >= count, 5), self.messages


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def recogniser() -> FakeRecogniser:
    return FakeRecogniser()


@pytest.fixture
def serve(told: Told, recogniser: FakeRecogniser) -> Iterator[Callable[..., Scheduler]]:
    made: list[Scheduler] = []

    def start(threads: int = 2, gate: Gate | None = None) -> Scheduler:
        made.append(Scheduler(recogniser, FakeVoice(recogniser.order, gate), told.send, threads))
        return made[0]

    yield start
    for gates in (recogniser.partial_gate, recogniser.final_gate):
        if gates is not None:
            gates.opened.set()
    for scheduler in made:
        scheduler.close()


def push(scheduler: Scheduler, stream: int, tenths: int, *, again: bool = False) -> None:
    for _ in range(tenths):
        scheduler.push(stream, TENTH, again=again)


def is_read(message: ToHost) -> bool:
    return isinstance(message, Read)


def is_partial(message: ToHost) -> bool:
    return isinstance(message, Partial)


def is_last(message: ToHost) -> bool:
    return isinstance(message, Spoken) and message.last


def test_a_final_reads_what_was_pushed(serve: Callable[..., Scheduler], told: Told) -> None:
    scheduler = serve()
    scheduler.begin(7, 3, Expect.DIGITS)
    push(scheduler, 7, 2)
    scheduler.final(7)
    told.wait_for(is_read)
    assert told.messages == [Read(7, 3, 200, (("word word", 0.9),))]


def test_a_partial_comes_when_it_is_worth_it(serve: Callable[..., Scheduler], told: Told) -> None:
    scheduler = serve()
    scheduler.begin(1, 1, Expect.FREE)
    push(scheduler, 1, 2)
    assert not told.messages
    push(scheduler, 1, 1)
    told.wait_for(is_partial)
    assert told.messages == [Partial(1, 1, "word word word")]


def in_a_partial(serve: Callable[..., Scheduler], recogniser: FakeRecogniser, pieces: int) -> tuple[Scheduler, Gate]:
    """Stream 1 was pushed so many, and a partial of it is being made until the gate is opened."""
    gate = recogniser.partial_gate = Gate()
    scheduler = serve()
    scheduler.begin(1, 1, Expect.FREE)
    push(scheduler, 1, pieces)
    assert gate.reached.wait(5)
    return scheduler, gate


def test_what_comes_during_a_partial_asks_for_no_other(
    serve: Callable[..., Scheduler], told: Told, recogniser: FakeRecogniser
) -> None:
    scheduler, gate = in_a_partial(serve, recogniser, 3)
    push(scheduler, 1, 1)  # less than from one partial to the next
    gate.opened.set()
    told.wait_for(is_partial)
    scheduler.final(1)
    told.wait_for(is_read)
    assert recogniser.order == ["partial", "final"]


def test_a_final_interrupts_the_partial_of_its_stream(
    serve: Callable[..., Scheduler], told: Told, recogniser: FakeRecogniser
) -> None:
    scheduler, gate = in_a_partial(serve, recogniser, 4)
    scheduler.final(1)
    assert recogniser.opened[0].interrupted
    gate.opened.set()
    told.wait_for(is_read)
    assert recogniser.order == ["partial", "final"]


def test_partials_leave_a_thread_to_finals_of_others(
    serve: Callable[..., Scheduler], told: Told, recogniser: FakeRecogniser
) -> None:
    recogniser.partial_gate = Gate()
    scheduler = serve(threads=2)
    for stream in (1, 2):
        scheduler.begin(stream, 1, Expect.FREE)
        push(scheduler, stream, 4)
    assert recogniser.partial_gate.reached.wait(5)
    scheduler.begin(3, 1, Expect.FREE)
    push(scheduler, 3, 1)
    scheduler.final(3)
    told.wait_for(is_read)
    assert recogniser.order == ["partial", "final"]


def test_speech_that_is_waited_for_goes_first_and_the_cache_last(
    serve: Callable[..., Scheduler], told: Told, recogniser: FakeRecogniser
) -> None:
    recogniser.final_gate = Gate()
    scheduler = serve(threads=1)
    for stream in (1, 2, 3):
        scheduler.begin(stream, 1, Expect.FREE)
        push(scheduler, stream, 1)
    scheduler.final(1)
    assert recogniser.final_gate.reached.wait(5)
    scheduler.speak(1, "cached", 1.0, ahead=True)
    push(scheduler, 3, 3)
    scheduler.final(2)
    scheduler.speak(2, "first later", 1.0, ahead=False)
    recogniser.final_gate.opened.set()
    told.wait_for(is_last, 2)
    told.wait_for(is_partial)
    assert recogniser.order[:3] == ["final", "first", "final"]
    assert set(recogniser.order[3:5]) == {"cached", "later"}
    assert recogniser.order[5] == "partial"


def test_speech_comes_in_order_and_ends(serve: Callable[..., Scheduler], told: Told) -> None:
    scheduler = serve()
    scheduler.speak(5, "one two", 0.5, ahead=False)
    told.wait_for(is_last)
    blocks = [message for message in told.messages if isinstance(message, Spoken)]
    assert [len(block.pcm) for block in blocks] == [6400, 6400, 0]
    assert {block.request for block in blocks} == {5}


def test_a_text_that_cannot_be_said_fails_alone(serve: Callable[..., Scheduler], told: Told) -> None:
    scheduler = serve()
    scheduler.speak(1, "unspeakable", 1.0, ahead=False)
    scheduler.speak(2, "fine", 1.0, ahead=False)
    told.wait_for(is_last)
    assert NotSpoken(1, "engine", "no such word") in told.messages


def test_a_cancelled_request_says_nothing_more(
    serve: Callable[..., Scheduler], told: Told, recogniser: FakeRecogniser
) -> None:
    gate = Gate()
    scheduler = serve(threads=1, gate=gate)
    scheduler.speak(1, "one two three", 1.0, ahead=False)
    assert gate.reached.wait(5)
    scheduler.cancel(1)
    gate.opened.set()
    scheduler.speak(2, "other", 1.0, ahead=False)
    told.wait_for(is_last)
    assert {message.request for message in told.messages if isinstance(message, Spoken)} == {2}
    assert recogniser.order == ["one", "other"]


def test_requests_are_bounded(serve: Callable[..., Scheduler], told: Told) -> None:
    gate = Gate()
    scheduler = serve(threads=1, gate=gate)
    for request in range(MAX_REQUESTS + 2):
        scheduler.speak(request, "word", 1.0, ahead=False)
    told.wait_for(lambda message: isinstance(message, NotSpoken), 2)
    gate.opened.set()
    told.wait_for(is_last, MAX_REQUESTS)


def test_streams_are_bounded(serve: Callable[..., Scheduler], told: Told, recogniser: FakeRecogniser) -> None:
    scheduler = serve()
    for stream in range(MAX_STREAMS + 5):
        scheduler.begin(stream, 1, Expect.FREE)
    assert len(recogniser.opened) == MAX_STREAMS
    scheduler.final(MAX_STREAMS + 1)
    push(scheduler, MAX_STREAMS + 1, 1)
    scheduler.end(0)
    scheduler.begin(MAX_STREAMS + 1, 2, Expect.FREE)
    scheduler.final(MAX_STREAMS + 1)
    told.wait_for(is_read)


def test_audio_that_decoding_cannot_follow_is_dropped_and_told(
    serve: Callable[..., Scheduler], told: Told, recogniser: FakeRecogniser
) -> None:
    recogniser.owed, recogniser.partial_gate = True, Gate()
    scheduler = serve()
    scheduler.begin(1, 1, Expect.FREE)
    push(scheduler, 1, 14)
    assert [message for message in told.messages if isinstance(message, Gapped)] == [Gapped(1, 1, 100)] * 3
    assert recogniser.opened[0].heard == 11 * 1600


def test_audio_given_again_may_come_all_at_once(
    serve: Callable[..., Scheduler], told: Told, recogniser: FakeRecogniser
) -> None:
    recogniser.owed, recogniser.partial_gate = True, Gate()
    scheduler = serve()
    scheduler.begin(1, 1, Expect.FREE)
    push(scheduler, 1, 50, again=True)
    push(scheduler, 1, 10)
    assert not told.messages
    assert recogniser.opened[0].heard == 60 * 1600


def test_an_utterance_that_ended_is_silent_and_closed_once(
    serve: Callable[..., Scheduler], told: Told, recogniser: FakeRecogniser
) -> None:
    recogniser.final_gate = Gate()
    scheduler = serve()
    scheduler.begin(1, 1, Expect.FREE)
    push(scheduler, 1, 1)
    scheduler.final(1)
    assert recogniser.final_gate.reached.wait(5)
    scheduler.begin(1, 2, Expect.FREE)
    scheduler.end(1)
    assert [stream.closed for stream in recogniser.opened] == [0, 1]  # the first is being worked on
    recogniser.final_gate.opened.set()
    scheduler.close()
    assert [stream.closed for stream in recogniser.opened] == [1, 1]
    assert not told.messages


def test_busy_work_has_an_age(serve: Callable[..., Scheduler], recogniser: FakeRecogniser) -> None:
    recogniser.final_gate = Gate()
    scheduler = serve()
    assert scheduler.busy_ms() == 0
    scheduler.begin(1, 1, Expect.FREE)
    scheduler.final(1)
    assert recogniser.final_gate.reached.wait(5)
    threading.Event().wait(0.03)
    assert scheduler.busy_ms() >= 30
