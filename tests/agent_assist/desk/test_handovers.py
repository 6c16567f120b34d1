"""A hundred handovers, an awkward event in each: no caller is lost, and whoever takes one knows why before a word.

Twenty scripts, each at five moments. In every house there are `ann` and `bob`, ready, and the caller `a`, who rings at
`ann` for `moment` seconds by then.
"""

from collections.abc import Callable
from contextlib import closing

import pytest

from agent_assist.desk.hours import Hours
from agent_assist.desk.messages import CallJoined, Offered
from agent_assist.desk.ports import Conflict, LeaveWhy
from agent_assist.desk.rules import Rules
from dialog.commands import Command, Join
from dialog.events import TurnUnderstood
from tests.agent_assist.desk.house import House
from tests.fakes.live_calls import Place

MOMENTS = (0.0, 0.5, 3.0, 10.0, 19.0)
RULES = Rules(hours=Hours.parse("mon-fri 08:00-18:00"), queue=3, longest_wait_s=120, ring_s=20)
TALKING, CHOOSING, BOT, OVER = Place.TALKING, Place.CHOOSING, Place.BOT, Place.OVER

Script = Callable[[House], Place]
"""Goes on from there, and returns where the caller must be in the end."""


def answered(house: House) -> Place:
    house.desk.answer("ann", "a")
    return TALKING


def declined(house: House) -> Place:
    house.desk.decline("ann", "a")
    house.desk.answer("bob", "a")
    return TALKING


def not_answered(house: House) -> Place:
    house.wait(20.5)
    house.desk.answer("bob", "a")
    return TALKING


def everybody_declines(house: House) -> Place:
    house.desk.decline("ann", "a")
    house.desk.decline("bob", "a")
    return CHOOSING


def nobody_answers_and_the_caller_is_called_back(house: House) -> Place:
    house.wait(41)
    house.desk.leave("a", LeaveWhy.CALLBACK)
    house.hang_up("a")
    return OVER


def two_press_at_once(house: House) -> Place:
    house.desk.pick("bob", "a")
    with pytest.raises(Conflict):
        house.desk.answer("ann", "a")
    return TALKING


def hangs_up_while_it_rings(house: House) -> Place:
    house.hang_up("a")
    with pytest.raises(Conflict):
        house.desk.answer("ann", "a")
    return OVER


def chooses_the_bot_while_it_rings(house: House) -> Place:
    house.desk.leave("a", LeaveWhy.BOT)
    house.calls.return_to_bot("a")
    return BOT


def the_page_reloads_while_it_rings(house: House) -> Place:
    house.close_page("ann")
    house.wait(2)
    house.open_page("ann")
    house.desk.answer("bob", "a")
    return TALKING


def the_audio_fails_at_the_answer(house: House) -> Place:
    house.calls.audio.discard("ann")
    house.desk.answer("ann", "a")
    house.audio("ann", False)
    house.desk.answer("bob", "a")
    return TALKING


def all_pages_reload_while_it_rings(house: House) -> Place:
    house.close_page("ann")
    house.close_page("bob")
    house.wait(3)
    house.open_page("bob")
    house.desk.answer("bob", "a")
    return TALKING


def the_page_reloads_in_the_call(house: House) -> Place:
    house.desk.answer("ann", "a")
    house.close_page("ann")
    house.wait(4)
    house.open_page("ann")
    return TALKING


def the_agent_is_lost_in_the_call(house: House) -> Place:
    house.desk.answer("ann", "a")
    house.close_page("ann")
    house.wait(16)
    house.desk.answer("bob", "a")
    return TALKING


def all_agents_are_lost_in_the_call(house: House) -> Place:
    house.desk.answer("ann", "a")
    house.close_page("bob")
    house.close_page("ann")
    house.wait(16)
    return CHOOSING


def transferred(house: House) -> Place:
    house.desk.answer("ann", "a")
    house.desk.transfer("ann", "bob")
    house.desk.answer("bob", "a")
    return TALKING


def a_transfer_is_declined_and_made_again(house: House) -> Place:
    house.desk.answer("ann", "a")
    house.desk.transfer("ann", "bob")
    house.desk.decline("bob", "a")
    house.desk.transfer("ann", "bob")
    house.wait(2)
    house.desk.answer("bob", "a")
    return TALKING


def a_transfer_is_missed(house: House) -> Place:
    house.desk.answer("ann", "a")
    house.desk.transfer("ann", "bob")
    house.wait(21)
    return TALKING


def the_first_is_lost_while_a_transfer_rings(house: House) -> Place:
    house.desk.answer("ann", "a")
    house.close_page("ann")
    house.desk.transfer("ann", "bob")
    house.wait(16)
    house.desk.answer("bob", "a")
    return TALKING


def the_hours_end_and_all_decline(house: House) -> Place:
    house.local_time = house.local_time.replace(hour=18)
    house.desk.decline("ann", "a")
    return CHOOSING


def handed_back_and_over_again(house: House) -> Place:
    house.desk.answer("ann", "a")
    house.desk.hand_back("ann")
    house.caller("a", reason="the bill after all")
    house.desk.answer("bob", "a")
    return TALKING


SCRIPTS: tuple[Script, ...] = (
    answered,
    declined,
    not_answered,
    everybody_declines,
    nobody_answers_and_the_caller_is_called_back,
    two_press_at_once,
    hangs_up_while_it_rings,
    chooses_the_bot_while_it_rings,
    the_page_reloads_while_it_rings,
    the_audio_fails_at_the_answer,
    all_pages_reload_while_it_rings,
    the_page_reloads_in_the_call,
    the_agent_is_lost_in_the_call,
    all_agents_are_lost_in_the_call,
    transferred,
    a_transfer_is_declined_and_made_again,
    a_transfer_is_missed,
    the_first_is_lost_while_a_transfer_rings,
    the_hours_end_and_all_decline,
    handed_back_and_over_again,
)


class Witness:
    """Looks at an agent's screen in the moment in which caller and agent are connected."""

    def __init__(self, house: House) -> None:
        self._house = house
        self.knew: list[bool] = []
        house.calls.during = self._during

    def _during(self, call_id: str, command: Command) -> None:
        if isinstance(command, Join):
            offers = [told.offer for told in self._house.shown(command.agent, Offered)]
            self.knew.append(any(o.call_id == call_id and o.brief.reason and o.brief.slots for o in offers))


def _house() -> House:
    house = House(RULES)
    house.agent("ann")
    house.agent("bob")
    house.calls.start("a")
    understood = TurnUnderstood(engine="rasa", intent="bill", confidence=0.9, slots=(("account", "40217"),))
    house.calls.tell("a", understood)
    house.caller("a")
    return house


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
def test_nobody_is_lost_and_context_comes_first(script: Script, moment: float) -> None:
    with closing(_house()) as house:
        witness = Witness(house)
        house.wait(moment)
        assert house.place("a") is Place.WAITING
        ends = script(house)
        assert house.place("a") is ends
        assert all(witness.knew)
        joined = {agent for agent in ("ann", "bob") if house.shown(agent, CallJoined)}
        assert bool(witness.knew) == bool(joined)
        if ends is TALKING:
            assert house.calls["a"].agent in joined
            assert not house.calls["a"].music


def test_it_is_a_hundred() -> None:
    assert len(SCRIPTS) * len(MOMENTS) == 100
