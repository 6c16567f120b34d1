"""The desk's small nouns: the queue's order, the router's rule, the estimate, the dossiers' bounds."""

from agent_assist.desk import dossiers
from agent_assist.desk.dossiers import Dossiers
from agent_assist.desk.estimate import KEPT, HandlingTimes
from agent_assist.desk.ports import Candidate, Waiting
from agent_assist.desk.queue import Queue
from agent_assist.desk.router import LongestIdle
from dialog.events import PartialHeard, SpeechStarted
from dialog.people_events import HandoffRequested
from tests.agent_assist.journals import balance_call, records, started


def test_those_in_front_come_first_and_each_keeps_the_order_of_coming() -> None:
    queue = Queue()
    for call_id, since, front in (("a", 1.0, False), ("b", 2.0, False), ("c", 4.0, True), ("d", 5.0, True)):
        queue.add(Waiting(call_id, "", "", since, front))
    assert [waiting.call_id for waiting in queue] == ["c", "d", "a", "b"]


def test_a_place_is_told_when_it_changes_and_when_it_is_asked_for() -> None:
    queue = Queue()

    def moved() -> list[tuple[str, int]]:
        return [(waiting.call_id, position) for waiting, position in queue.moved()]

    queue.add(Waiting("a", "", "", 1.0))
    queue.add(Waiting("b", "", "", 2.0))
    assert moved() == [("a", 1), ("b", 2)]
    assert moved() == []
    queue.say_again("b")
    assert moved() == [("b", 2)]
    queue.remove("a")
    assert moved() == [("b", 1)]


def test_who_did_not_take_a_call_is_remembered_until_ready_anew() -> None:
    queue = Queue()
    queue.add(Waiting("a", "", "", 1.0))
    queue.pass_over("a", "eve")
    queue.pass_over("gone", "eve")
    assert [waiting.passed_over for waiting in queue] == [{"eve"}]
    queue.ask_again("eve")
    assert [waiting.passed_over for waiting in queue] == [frozenset()]


def test_the_longest_idle_with_the_skill() -> None:
    bo = Candidate("bo", frozenset(), 10.0)
    cy = Candidate("cy", frozenset({"bills"}), 30.0)
    di = Candidate("di", frozenset({"bills", "moves"}), 20.0)
    choose = LongestIdle().choose
    assert choose(Waiting("a", "", "", 0.0), [cy, bo, di]) == "bo"
    assert choose(Waiting("a", "", "bills", 0.0), [cy, bo, di]) == "di"
    assert choose(Waiting("a", "", "bills", 0.0), [bo]) is None
    assert choose(Waiting("a", "", "", 0.0), []) is None
    assert (
        choose(Waiting("a", "", "", 0.0), [Candidate("b", frozenset(), 1.0), Candidate("a", frozenset(), 1.0)]) == "a"
    )


def test_the_estimate_is_the_average_for_each_round_of_all_who_serve() -> None:
    times = HandlingTimes()
    assert times.wait_s(1, free=0, serving=2) is None
    assert times.wait_s(1, free=1, serving=1) == 0
    times.add(100)
    times.add(200)
    assert times.wait_s(1, free=0, serving=1) == 150
    assert times.wait_s(4, free=1, serving=3) == 150
    assert times.wait_s(1, free=0, serving=0) is None
    for _ in range(KEPT):
        times.add(60)
    assert times.wait_s(1, free=0, serving=1) == 60


def test_a_dossier_holds_what_was_said_without_the_partials() -> None:
    held = Dossiers()
    told = balance_call("a", ended=False)
    for record in told:
        held.take(record)
    assert held.records("a") == tuple(record for record in told if not isinstance(record.event, PartialHeard))
    assert held.brief("a", reason="a bill", skill="", waited_s=3.4).waited_s == 3
    assert held.brief("nobody's", reason="a bill", skill="", waited_s=0).reason == "a bill"


def test_a_long_call_loses_its_middle_and_an_ended_one_everything() -> None:
    held = Dossiers()
    events = [(n, SpeechStarted(utterance=n)) for n in range(dossiers.RECORDS + 5)]
    asked = HandoffRequested(reason="a bill", skill="bills")
    told = records("a", (0, started()), *events, (9, asked))
    for record in told:
        held.take(record)
    kept = held.records("a")
    assert len(kept) == dossiers.RECORDS
    assert (kept[0], kept[1:]) == (told[0], tuple(told[-dossiers.RECORDS + 1 :]))
    dossier = held.get("a")
    assert dossier is not None
    assert dossier.request == asked
    for record in balance_call("b"):
        held.take(record)
    assert len(held) == 1


def test_calls_beyond_the_bound_are_not_followed() -> None:
    held = Dossiers()
    for number in range(dossiers.CALLS + 1):
        held.take(records(f"call-{number}", (0, started()))[0])
    assert len(held) == dossiers.CALLS
    assert held.records(f"call-{dossiers.CALLS}") == ()
