"""A call goes on to a colleague, who may take it or not."""

import pytest

from agent_assist.desk.messages import CallLeft, OfferWithdrawn
from agent_assist.desk.ports import Conflict, LeaveWhy, Presence
from dialog.commands import Announce, BlindTransfer, Join, Requeue
from dialog.people_events import AgentLeft, AgentMissed, TransferFailed
from tests.agent_assist.desk.house import House


def test_a_transfer_rings_the_colleague_and_the_first_agent_wraps_up(house: House) -> None:
    house.talking("ann", "a")
    house.agent("bob")
    house.desk.transfer("ann", "bob")
    house.desk.transfer("ann", "bob")
    offer, call = house.screen("bob").offer, house.screen("ann").call
    assert offer is not None and call is not None
    assert (offer.by, offer.brief.reason, call.transferring_to) == ("ann", "a bill", "bob")
    assert house.calls["a"].agent == "ann"
    house.desk.answer("bob", "a")
    assert house.calls["a"].agent == "bob"
    assert [message.why for message in house.shown("ann", CallLeft)] == ["transferred"]
    assert (house.presence("ann"), house.presence("bob")) == (Presence.WRAPPING, Presence.TALKING)
    assert [event.why for event in house.journal("a", AgentLeft)] == ["transferred"]


def test_a_transfer_that_is_declined_changes_nothing(house: House) -> None:
    house.talking("ann", "a")
    house.agent("bob")
    house.desk.transfer("ann", "bob")
    house.desk.decline("bob", "a")
    assert house.troubles("ann") == ["declined"]
    assert (house.calls["a"].agent, house.presence("bob")) == ("ann", Presence.READY)
    house.desk.transfer("ann", "bob")
    assert house.presence("bob") is Presence.RINGING


def test_a_transfer_that_is_missed_changes_nothing(house: House) -> None:
    house.talking("ann", "a")
    house.agent("bob")
    house.desk.transfer("ann", "bob")
    house.wait(21)
    assert house.troubles("ann") == ["no_answer"]
    assert (house.calls["a"].agent, house.presence("bob")) == ("ann", Presence.AWAY)
    assert [event.why for event in house.journal("a", AgentMissed)] == ["no_answer"]


@pytest.mark.parametrize("page", [True, False], ids=["page", "audio"])
def test_the_colleague_goes_away_while_a_transfer_rings(house: House, page: bool) -> None:
    house.talking("ann", "a")
    house.agent("bob")
    house.desk.transfer("ann", "bob")
    house.desk.depart("bob") if page else house.audio("bob", False)
    assert house.troubles("ann") == ["gone"]
    assert house.calls["a"].agent == "ann"


def test_the_colleague_answers_and_cannot_be_heard(house: House) -> None:
    house.talking("ann", "a")
    house.agent("bob")
    house.desk.transfer("ann", "bob")
    house.calls.audio.discard("bob")
    house.desk.answer("bob", "a")
    assert house.troubles("ann") == ["gone"]
    assert (house.calls["a"].agent, house.presence("ann")) == ("ann", Presence.TALKING)


def test_a_transfer_outside_is_ordered_once_and_the_screen_says_whither(house: House) -> None:
    house.calls.reachable.add("112")
    house.talking("ann", "a")
    house.agent("bob")
    for _ in range(2):
        house.desk.transfer_outside("ann", "112")
    assert house.commands("a")[-2:] == [Join("ann"), BlindTransfer("112", "ann")]
    call = house.screen("ann").call
    assert call is not None
    assert call.transferring_to == "112"
    with pytest.raises(Conflict, match="rings 112 already"):
        house.desk.transfer_outside("ann", "113")
    with pytest.raises(Conflict, match="rings 112 already"):
        house.desk.transfer("ann", "bob")
    house.desk.leave("a", LeaveWhy.TRANSFERRED)
    assert [message.why for message in house.shown("ann", CallLeft)] == ["transferred"]
    assert house.presence("ann") is Presence.WRAPPING


def test_a_transfer_outside_that_fails_is_told_and_changes_nothing(house: House) -> None:
    house.talking("ann", "a")
    house.desk.transfer_outside("ann", "113")
    house.calls.reachable.add("112")
    house.desk.transfer_outside("ann", "112")
    house.calls.tell("a", TransferFailed(why="failed", status=486))
    assert house.troubles("ann") == ["not_allowed", "failed"]
    call = house.screen("ann").call
    assert call is not None
    assert (call.transferring_to, house.presence("ann")) == ("", Presence.TALKING)
    house.calls.refusing = True
    house.desk.transfer_outside("ann", "112")
    assert house.troubles("ann")[-1] == "refused"
    assert house.calls["a"].agent == "ann"


def test_who_has_no_caller_transfers_nobody(house: House) -> None:
    house.agent("ann")
    with pytest.raises(Conflict, match="you are in no call"):
        house.desk.transfer_outside("ann", "112")


def test_a_transfer_to_whoever_cannot_take_it(house: House) -> None:
    house.talking("ann", "a")
    house.agent("bob")
    house.agent("cy")
    house.desk.set_presence("cy", "away")
    for name in ("ann", "cy", "nobody"):
        with pytest.raises(Conflict, match=f"{name} is not ready"):
            house.desk.transfer("ann", name)
    house.desk.transfer("ann", "bob")
    with pytest.raises(Conflict, match="rings bob already"):
        house.desk.transfer("ann", "cy")


def test_the_caller_hangs_up_while_a_transfer_rings(house: House) -> None:
    house.talking("ann", "a")
    house.agent("bob")
    house.desk.transfer("ann", "bob")
    house.hang_up("a")
    assert [message.why for message in house.shown("bob", OfferWithdrawn)] == ["caller"]
    assert (house.presence("ann"), house.presence("bob")) == (Presence.WRAPPING, Presence.READY)


def test_the_agent_gives_the_caller_away_otherwise_while_a_transfer_rings(house: House) -> None:
    house.talking("ann", "a")
    house.agent("bob")
    house.desk.transfer("ann", "bob")
    house.desk.hand_back("ann")
    assert house.screen("bob").offer is None
    assert house.presence("bob") is Presence.READY


def test_the_first_agent_is_lost_while_a_transfer_rings_and_the_colleague_answers(house: House) -> None:
    house.talking("ann", "a")
    house.agent("bob")
    house.desk.transfer("ann", "bob")
    house.close_page("ann")
    house.wait(16)
    assert house.commands("a")[-2:] == [Requeue(), Announce(1, None)]
    assert house.presence("bob") is Presence.RINGING
    house.desk.answer("bob", "a")
    assert house.calls["a"].agent == "bob"
    assert house.desk.figures["waiting"] == 0


def test_the_first_agent_is_lost_while_a_transfer_rings_and_the_colleague_declines(house: House) -> None:
    house.talking("ann", "a")
    house.agent("bob")
    house.agent("cy")
    house.desk.transfer("ann", "bob")
    house.close_page("ann")
    house.wait(16)
    house.desk.decline("bob", "a")
    assert house.presence("cy") is Presence.RINGING
