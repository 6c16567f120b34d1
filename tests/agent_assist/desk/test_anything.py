"""Anything, in any order, for thousands of steps: no caller is lost, nobody has two calls, nothing grows."""

import random
from collections.abc import Callable
from contextlib import closing, suppress

import pytest

from agent_assist.desk.hours import Hours
from agent_assist.desk.messages import Offered, OfferWithdrawn
from agent_assist.desk.ports import GRACE_S, Conflict, LeaveWhy, Presence
from agent_assist.desk.rules import Rules
from dialog.commands import Command, How
from dialog.errors import StoreError
from dialog.people_events import TransferFailed
from tests.agent_assist.desk.house import House
from tests.fakes.live_calls import Place

SUPERVISORS = ("di",)
AGENTS = {"ann": ("bills",), "bob": (), "cy": ("bills", "moves"), "di": ("moves",)}
HOWS: tuple[How, ...] = ("listen", "whisper", "join")
RULES = Rules(hours=Hours.parse("mon-sun 08:00-18:00"), queue=5, longest_wait_s=90, ring_s=20)
STEPS = 3_000


class Anything:
    """Does whatever callers and agents may do, fitting or not."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.house = House(RULES)
        self.house.calls.during = self._during
        self.house.calls.reachable.add("112")
        self.started = 0
        self.conflicts = 0
        self.cut: dict[str, float] = {}
        self.done = {do.__name__: 0 for do in self.steps}

    @property
    def steps(self) -> list[Callable[[], None]]:
        return [
            *[self.somebody_calls] * 3,
            *[self.time_passes] * 4,
            *[self.wraps_up] * 3,
            *[self.answers] * 4,
            *[self.says_ready] * 4,
            self.caller_leaves,
            self.caller_chooses,
            self.page_opens,
            self.page_closes,
            self.audio_changes,
            self.phone_changes,
            self.says_away,
            self.declines,
            self.picks,
            self.holds,
            self.pauses,
            self.speaks,
            self.hangs_up,
            self.hands_back,
            self.transfers,
            self.transfers_outside,
            self.outside_answers,
            *[self.consults] * 2,
            *[self.third_happens] * 2,
            self.drops,
            *[self.puts_through] * 2,
            self.supervises,
            self.leaves_supervised,
            self.calls_out,
            *[self.called_happens] * 2,
            self.gives_up,
            self.hours_change,
            self.store_refuses,
        ]

    def step(self) -> None:
        """One of them."""
        do = self.random.choice(self.steps)
        try:
            do()
        except (Conflict, StoreError):
            self.conflicts += 1
        else:
            self.done[do.__name__] += 1

    # -- callers ------------------------------------------------------------------------------------------------

    def _calls(self, *places: Place) -> list[str]:
        return [call_id for call_id, call in self.house.calls.calls.items() if call.place in places]

    def _any_call(self, *places: Place) -> str:
        return self.random.choice(self._calls(*places) or ["nobody's"])

    def somebody_calls(self) -> None:
        again = self._calls(Place.BOT)
        self.started += 1
        call_id = self.random.choice([*again, f"call-{self.started}"])
        self.house.caller(call_id, skill=self.random.choice(["", "", "bills", "moves", "juggling"]))

    def caller_leaves(self) -> None:
        call_id = self._any_call(Place.BOT, Place.WAITING, Place.CHOOSING, Place.TALKING, Place.THROUGH)
        if call_id in self.house.calls.calls:
            self._leave(call_id)

    def _leave(self, call_id: str) -> None:
        if self.random.random() < 0.5:
            self.house.desk.leave(call_id, LeaveWhy.HUNG_UP)
        self.house.calls.end(call_id)
        self.house.desk.leave(call_id, LeaveWhy.HUNG_UP)

    def caller_chooses(self) -> None:
        call_id = self._any_call(Place.WAITING, Place.CHOOSING)
        why = self.random.choice([LeaveWhy.BOT, LeaveWhy.CALLBACK])
        self.house.desk.leave(call_id, why)
        if call_id in self.house.calls.calls:
            self.house.calls.return_to_bot(call_id)

    def _during(self, call_id: str, command: Command) -> None:
        """Some hang up in the very moment in which their call is told something."""
        if call_id in self.house.calls.calls and self.random.random() < 0.02:
            self._leave(call_id)

    # -- agents -------------------------------------------------------------------------------------------------

    def _agent(self, *doing: Presence) -> str:
        """Anybody; mostly one of those who are `doing` that, where it matters."""
        fitting = [agent for agent in AGENTS if self.house.presence(agent) in doing]
        return self.random.choice(fitting if fitting and self.random.random() < 0.8 else list(AGENTS))

    def page_opens(self) -> None:
        agent = self._agent()
        self._arrive(agent)

    def _arrive(self, agent: str) -> None:
        self.house.desk.arrive(agent, AGENTS[agent], supervisor=agent in SUPERVISORS)

    def page_closes(self) -> None:
        self.house.desk.depart(self._agent())

    def audio_changes(self) -> None:
        agent, connected = self._agent(), self.random.random() < 0.7
        if self.random.random() < 0.9:
            (self.house.calls.audio.add if connected else self.house.calls.audio.discard)(agent)
        self.house.desk.audio(agent, connected=connected)

    def phone_changes(self) -> None:
        self.house.desk.phone(self._agent(), registered=self.random.random() < 0.5)

    def says_ready(self) -> None:
        agent = self._agent()
        self._arrive(agent)
        self.house.audio(agent)
        self.house.desk.set_presence(agent, "ready")

    def says_away(self) -> None:
        self.house.desk.set_presence(self._agent(), "away")

    def answers(self) -> None:
        agent = self._agent(Presence.RINGING)
        offer = self.house.screen(agent).offer
        self.house.desk.answer(agent, offer.call_id if offer else self._any_call(*Place))

    def declines(self) -> None:
        agent = self._agent(Presence.RINGING)
        offer = self.house.screen(agent).offer
        self.house.desk.decline(agent, offer.call_id if offer else self._any_call(*Place))

    def picks(self) -> None:
        self.house.desk.pick(self._agent(Presence.READY), self._any_call(Place.WAITING))

    def pauses(self) -> None:
        self.house.desk.pause_recording(self._agent(Presence.TALKING), on=self.random.random() < 0.5)

    def holds(self) -> None:
        self.house.desk.hold(self._agent(Presence.TALKING), on=self.random.random() < 0.5)

    def speaks(self) -> None:
        self.house.desk.speak(self._agent(Presence.TALKING), "One moment.", "patience")

    def hangs_up(self) -> None:
        self.house.desk.hang_up(self._agent())

    def hands_back(self) -> None:
        self.house.desk.hand_back(self._agent())

    def transfers(self) -> None:
        self.house.desk.transfer(self._agent(Presence.TALKING), self._agent(Presence.READY))

    def transfers_outside(self) -> None:
        self.house.desk.transfer_outside(self._agent(Presence.TALKING), self.random.choice(["112", "113"]))

    def outside_answers(self) -> None:
        call = self.house.screen(self._agent(Presence.TALKING)).call
        if call is None or call.transferring_to != "112":
            raise Conflict("nobody rings there")
        if self.random.random() < 0.5:
            self.house.calls.tell(call.call_id, TransferFailed(why="failed", status=486))
        else:
            self.house.desk.leave(call.call_id, LeaveWhy.TRANSFERRED)
            self.house.calls.end(call.call_id)

    def consults(self) -> None:
        self.house.desk.consult(self._agent(Presence.TALKING), self.random.choice(["112", "112", "113"]))

    def third_happens(self) -> None:
        found = [call_id for call_id in self._calls(Place.TALKING) if self.house.calls[call_id].third]
        if not found:
            raise Conflict("nobody was called in")
        call_id = self.random.choice(found)
        if self.random.random() < 0.7 and not self.house.calls[call_id].answered:
            self.house.calls.answer_third(call_id)
        else:
            self.house.calls.lose_third(call_id, self.random.choice(["hung_up", "no_answer", "failed"]))

    def drops(self) -> None:
        self.house.desk.drop_third(self._agent(Presence.TALKING))

    def puts_through(self) -> None:
        there = [call.agent for call in self.house.calls.calls.values() if call.answered and call.agent]
        self.house.desk.put_through(self.random.choice(there or ["ann"]))

    def supervises(self) -> None:
        how = self.random.choice(HOWS)
        self.house.desk.supervise(self.random.choice(["di", "di", "ann"]), self._agent(Presence.TALKING), how)

    def leaves_supervised(self) -> None:
        self.house.desk.supervise("di", "", "none")

    def calls_out(self) -> None:
        self.house.desk.call_out(self._agent(Presence.READY, Presence.AWAY), "112", "a bill")

    def called_happens(self) -> None:
        calling = self.house.calls.calling
        if not calling:
            raise Conflict("nobody is being called")
        agent = self.random.choice(list(calling))
        if self.random.random() < 0.5:
            self.started += 1
            self.house.calls.answer_out(agent, f"call-{self.started}")
        else:
            del calling[agent]
        self.house.desk.not_reached(agent, "failed")  # nothing, where they were

    def gives_up(self) -> None:
        self.house.desk.give_up(self._agent(Presence.CALLING))

    def wraps_up(self) -> None:
        agent = self._agent(Presence.WRAPPING)
        due = self.house.screen(agent).wrap_up
        self.house.wrap_up(agent, due.call_id if due else "nobody's")

    # -- the world ----------------------------------------------------------------------------------------------

    def time_passes(self) -> None:
        self.house.wait(self.random.choice([0.1, 1, 5, 10, 21, 40]))

    def hours_change(self) -> None:
        hour = self.random.choice([9, 9, 9, 9, 20])
        self.house.local_time = self.house.local_time.replace(hour=hour)

    def store_refuses(self) -> None:
        self.house.store.refusals = 1

    # -- what must hold -----------------------------------------------------------------------------------------

    def check(self) -> None:
        house = self.house
        screens = {agent: house.screen(agent) for agent in AGENTS}
        queue = [line.call_id for line in screens["ann"].queue]
        own = {agent: s.call for agent, s in screens.items() if s.call is not None and not s.call.of}
        with_agent = {call.call_id: agent for agent, call in own.items()}
        ringing = [s.offer.call_id for s in screens.values() if s.offer is not None]
        calls = house.calls.calls

        # A caller is where the desk thinks, and in one place.
        assert len(queue) == len(set(queue))
        assert len(ringing) == len(set(ringing)), "a call rings at one agent at a time"
        assert set(queue) == set(self._calls(Place.WAITING))
        assert with_agent == {call_id: calls[call_id].agent for call_id in self._calls(Place.TALKING)}
        assert set(ringing) <= set(queue) | set(with_agent)
        assert len(queue) <= RULES.queue + len(AGENTS)

        # Each hears the place there is.
        assert [calls[call_id].position for call_id in queue] == list(range(1, len(queue) + 1))

        # An agent is in one thing, and says so.
        for screen in screens.values():
            assert (screen.me.agent in own) == (screen.me.presence is Presence.TALKING)
            assert bool(screen.me.calling) == (screen.me.presence is Presence.CALLING)
            assert (screen.offer is not None) == (screen.me.presence is Presence.RINGING)
            assert (screen.wrap_up is not None) or screen.me.presence is not Presence.WRAPPING
            assert screen.wrap_up is None or screen.me.presence in (Presence.WRAPPING, Presence.OFFLINE)
            if screen.call and screen.call.transferring_to in AGENTS:
                assert screens[screen.call.transferring_to].offer is not None

        # Who was called in, who supervises, who is called, and whether it is recorded: the screens say what is.
        for call in own.values():
            live = calls[call.call_id]
            assert call.paused == live.paused
            assert (call.third.number if call.third else "") == live.third
            assert (call.third is not None and call.third.joined) == live.answered
            assert {each.agent: each.how for each in call.supervisors} == live.supervisors
        for agent, screen in screens.items():
            if screen.call is not None and screen.call.of:
                assert calls[screen.call.call_id].supervisors[agent] == screen.call.supervised
        assert {agent: s.me.calling for agent, s in screens.items() if s.me.calling} == house.calls.calling

        # Music ends: the agent wished it, or is back within the grace, or the caller waits again.
        now = house.loop.time()
        on_hold = {s.call.call_id for s in screens.values() if s.call is not None and s.call.on_hold}
        self.cut = {call_id: self.cut.get(call_id, now) for call_id in with_agent if calls[call_id].music}
        assert all(call_id in on_hold or now - since <= GRACE_S for call_id, since in self.cut.items())

        # Nobody waits in vain: it rings, or somebody who could come serves, and not for ever.
        serving = {
            agent
            for agent, s in screens.items()
            if s.me.presence in (Presence.READY, Presence.RINGING)
            or (s.me.presence in (Presence.CALLING, Presence.TALKING, Presence.WRAPPING) and s.me.next == "ready")
        }
        for line in screens["ann"].queue:
            able = {agent for agent in serving if line.skill in ("", *AGENTS[agent])}
            assert line.call_id in ringing or able
            assert line.waited_s <= RULES.longest_wait_s + RULES.ring_s


@pytest.mark.parametrize("seed", range(8))
def test_no_caller_is_lost_whatever_happens(seed: int) -> None:
    anything = Anything(seed)
    with closing(anything.house) as house:
        _live_through(anything, house)


def _live_through(anything: Anything, house: House) -> None:
    for _ in range(STEPS):
        anything.step()
        anything.check()
    assert all(anything.done.values()), f"what never happened was not tried: {anything.done}"
    house.calls.during = lambda call_id, command: None

    # When all have gone home, nothing is left.
    house.local_time = house.local_time.replace(hour=9)
    for call_id in anything._calls(*set(Place) - {Place.OVER}):
        house.hang_up(call_id)
    for agent in AGENTS:
        if due := house.screen(agent).wrap_up:
            with suppress(StoreError):
                house.wrap_up(agent, due.call_id)
            if house.screen(agent).wrap_up:
                house.wrap_up(agent, due.call_id)
        house.close_page(agent)
        house.desk.phone(agent, registered=False)
    house.wait(60)
    assert set(house.desk.figures.values()) == {0}
    for agent in AGENTS:
        rung, ended = house.shown(agent, Offered), house.shown(agent, OfferWithdrawn)
        assert [offered.offer.call_id for offered in rung] == [withdrawn.call_id for withdrawn in ended]
