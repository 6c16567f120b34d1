"""Supervisors in the calls of others: who may, who hears of it, and how it ends."""

import pytest

from agent_assist.desk.messages import CallJoined, CallLeft, Recorded, SupervisedChanged, Supervisor
from agent_assist.desk.ports import Conflict, Presence
from agent_assist.desk.supervision import MOST
from dialog.commands import How, Supervise
from dialog.people_events import NoteWritten
from tests.agent_assist.desk.house import House
from tests.fakes.live_calls import Place


def supervised(house: House) -> None:
    """Ann has a caller, and sue listens."""
    house.talking("ann", "a")
    house.agent("sue", supervisor=True)
    house.desk.supervise("sue", "ann", "listen")


def supervisors(house: House, agent: str = "ann") -> tuple[Supervisor, ...]:
    call = house.screen(agent).call
    assert call is not None
    return call.supervisors


def test_a_supervisor_listens_whispers_joins_and_leaves_and_the_agent_sees_it(house: House) -> None:
    supervised(house)
    hows: tuple[How, ...] = ("whisper", "whisper", "join")
    for how in hows:
        house.desk.supervise("sue", "ann", how)
        assert supervisors(house) == (Supervisor(agent="sue", how=how),)
    view = house.screen("sue").call
    assert view is not None
    assert (view.call_id, view.of, view.supervised) == ("a", "ann", "join")
    house.desk.supervise("sue", "", "none")
    house.desk.supervise("sue", "", "none")
    assert supervisors(house) == ()
    assert house.screen("sue").call is None
    asked = [command for command in house.commands("a") if isinstance(command, Supervise)]
    assert [command.how for command in asked] == ["listen", "whisper", "join", "none"]
    assert [message.how for message in house.shown("sue", SupervisedChanged)] == ["whisper", "join"]
    assert [message.why for message in house.shown("sue", CallLeft)] == ["left"]


def test_the_supervisor_reads_along(house: House) -> None:
    supervised(house)
    (joined,) = house.shown("sue", CallJoined)
    house.desk.note("ann", "pays by card")
    told = [message.record.event for message in house.shown("sue", Recorded)]
    assert NoteWritten(agent="ann", text="pays by card") in told
    assert joined.call.records[0].seq == 0


def test_who_supervises_is_rung_by_nobody_and_has_a_call_of_their_own_after_it(house: House) -> None:
    supervised(house)
    house.caller("b")
    assert house.presence("sue") is Presence.READY
    assert house.place("b") is Place.WAITING
    with pytest.raises(Conflict, match="you are in a call already"):
        house.desk.pick("sue", "b")
    with pytest.raises(Conflict, match="you are in a call already"):
        house.desk.call_out("sue", "112", "")
    house.desk.supervise("sue", "ann", "none")
    assert house.presence("sue") is Presence.RINGING


def test_of_two_calls_a_supervisor_is_in_one(house: House) -> None:
    supervised(house)
    house.talking("bob", "b")
    house.desk.supervise("sue", "bob", "whisper")
    assert supervisors(house) == ()
    assert supervisors(house, "bob") == (Supervisor(agent="sue", how="whisper"),)
    house.desk.supervise("sue", "ann", "none")
    assert supervisors(house, "bob"), "it was not that call"


def test_who_may_not(house: House) -> None:
    house.talking("ann", "a")
    house.agent("bob")
    with pytest.raises(Conflict, match="that is for supervisors"):
        house.desk.supervise("bob", "ann", "listen")
    house.agent("sue", supervisor=True)
    with pytest.raises(Conflict, match="bob is in no call"):
        house.desk.supervise("sue", "bob", "listen")
    house.audio("sue", False)
    with pytest.raises(Conflict, match="there is no audio"):
        house.desk.supervise("sue", "ann", "listen")
    house.audio("sue")
    house.caller("b")
    house.desk.answer("bob", "b")
    house.caller("c")
    assert house.presence("sue") is Presence.RINGING
    with pytest.raises(Conflict, match="you are in a call already"):
        house.desk.supervise("sue", "ann", "listen")
    house.desk.answer("sue", "c")
    for agent in ("ann", "sue"):
        with pytest.raises(Conflict, match="you are in a call already"):
            house.desk.supervise("sue", agent, "listen")


def test_not_more_than_a_few_are_in_one_call(house: House) -> None:
    house.talking("ann", "a")
    for number in range(MOST):
        house.agent(f"sue{number}", supervisor=True)
        house.desk.supervise(f"sue{number}", "ann", "listen")
    house.agent("sue", supervisor=True)
    with pytest.raises(Conflict, match="too many"):
        house.desk.supervise("sue", "ann", "listen")


@pytest.mark.parametrize("end", ["hang_up", "caller", "hand_back", "lost", "transfer"])
def test_it_ends_with_the_talk(house: House, end: str) -> None:
    supervised(house)
    match end:
        case "caller":
            house.hang_up("a")
        case "lost":
            house.audio("ann", False)
            house.wait(16)
        case "transfer":
            house.agent("bob")
            house.desk.transfer("ann", "bob")
            house.desk.answer("bob", "a")
        case _:
            getattr(house.desk, end)("ann")
    assert house.screen("sue").call is None or house.screen("sue").offer is not None
    assert house.shown("sue", CallLeft)[-1].why == "over"
    assert house.calls["a"].supervisors == {}


@pytest.mark.parametrize("gone", ["audio", "page"])
def test_a_supervisor_who_goes_away_is_out_of_it(house: House, gone: str) -> None:
    supervised(house)
    house.audio("sue", False) if gone == "audio" else house.desk.depart("sue")
    assert supervisors(house) == ()
    assert house.calls["a"].supervisors == {}


def test_a_call_that_cannot_let_them_in(house: House) -> None:
    house.talking("ann", "a")
    house.agent("sue", supervisor=True)
    house.calls.refusing = True
    house.desk.supervise("sue", "ann", "listen")
    assert supervisors(house) == ()
    assert house.screen("sue").call is None
