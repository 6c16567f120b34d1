"""The desk's state, and the moves that change it: ring, connect, part, lose; and what must follow from any of them.

Nothing here knows who asked: inputs are `desk.py`. Whatever an input did, `settle` then turns away those for whom
nobody will come, says the places, and rings whoever can be rung, so no input has to think of the queue.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Literal

from agent_assist.desk.agents import Agent, Agents
from agent_assist.desk.dossiers import Dossiers
from agent_assist.desk.estimate import HandlingTimes
from agent_assist.desk.messages import (
    Brief,
    CallJoined,
    CallLeft,
    Message,
    Offered,
    OfferWithdrawn,
    Recorded,
    SupervisedChanged,
    WrapUp,
    WrapUpDue,
)
from agent_assist.desk.observed import Observed, ObservedCalls
from agent_assist.desk.offers import Offer, OfferEnd, Offers
from agent_assist.desk.outputs import Noted, Ordered, Output, Told, TookPart
from agent_assist.desk.ports import Router, Waiting
from agent_assist.desk.presence import Input
from agent_assist.desk.queue import Queue
from agent_assist.desk.rules import Rules
from agent_assist.desk.screens import Screens
from agent_assist.desk.talks import Talk, Talks
from dialog.commands import Announce, Command, How, Join, NobodyWhy, Requeue, Supervise, TurnAway
from dialog.events import CallEnded, Event, Record
from dialog.people_events import (
    AgentJoined,
    AgentLeft,
    AgentMissed,
    AgentRung,
)

_MISSED: dict[OfferEnd, Literal["declined", "no_answer", "gone"]] = {
    OfferEnd.DECLINED: "declined",
    OfferEnd.NO_ANSWER: "no_answer",
    OfferEnd.GONE: "gone",
}


class Floor:
    """A call stands in one place: it waits (and may ring), or it is with an agent (and may ring a colleague); or it is
    none of ours, and observed."""

    def __init__(self, rules: Rules, router: Router) -> None:
        self.rules = rules
        self.open = True
        self.agents = Agents()
        self.queue = Queue()
        self.offers = Offers()
        self.talks = Talks()
        self.observed = ObservedCalls()
        self.dossiers = Dossiers()
        self.handling = HandlingTimes()
        self.screens = Screens(self.agents, self.queue, self.offers, self.talks, self.observed, self.dossiers)
        self.outputs: deque[Output] = deque()
        self._router = router

    # -- what goes out ------------------------------------------------------------------------------------------

    def order(self, call_id: str, command: Command) -> None:
        """A command for a call."""
        self.outputs.append(Ordered(call_id, command))

    def note(self, call_id: str, event: Event) -> None:
        """An event for its journal."""
        self.outputs.append(Noted(call_id, event))

    def tell(self, agent: str, message: Message) -> None:
        """A message for a screen."""
        self.outputs.append(Told(agent, message))

    # -- moves --------------------------------------------------------------------------------------------------

    def ring(self, call_id: str, brief: Brief, agent: Agent, now: float, by: str = "") -> Offer:
        """Offer the call to a free agent."""
        offer = Offer(call_id, agent.name, brief, now + self.rules.ring_s, by)
        self.offers.add(offer)
        agent.happen(Input.RUNG, now)
        self.tell(agent.name, Offered(offer=offer.view(now)))
        self.note(call_id, AgentRung(agent=agent.name))
        return offer

    def ring_waiting(self, waiting: Waiting, agent: Agent, now: float) -> Offer:
        """Offer one who waits."""
        brief = self.dossiers.brief(
            waiting.call_id, reason=waiting.reason, skill=waiting.skill, waited_s=now - waiting.since
        )
        return self.ring(waiting.call_id, brief, agent, now)

    def answer(self, offer: Offer) -> None:
        """The agent takes it: the call connects, and says whether it could."""
        offer.answered = True
        self.order(offer.call_id, Join(offer.agent))

    def end_offer(self, offer: Offer, end: OfferEnd, now: float) -> None:
        """It rings no more. Who declined or did not answer is not asked again for this call; who was gone may be."""
        self.offers.remove(offer)
        self.agents[offer.agent].happen(end.follows, now)
        self.tell(offer.agent, OfferWithdrawn(call_id=offer.call_id, why=end))
        why = _MISSED.get(end)
        if why is None:
            return
        self.note(offer.call_id, AgentMissed(agent=offer.agent, why=why))
        if talk := self.talks.get(offer.call_id):
            talk.transferring_to = ""
            self.tell(talk.agent, talk.changed(trouble=why))
        elif end is not OfferEnd.GONE:
            self.queue.pass_over(offer.call_id, offer.agent)

    def connect(self, offer: Offer, now: float) -> None:
        """Caller and agent hear each other; whoever had the caller before is out of it."""
        self.end_offer(offer, OfferEnd.ANSWERED, now)
        before = self.talks.get(offer.call_id)
        if before is not None:
            self.part(before, "transferred", now)
        self.queue.remove(offer.call_id)
        self._begin(Talk(offer.call_id, offer.agent, offer.brief), now)

    def begin(self, call_id: str, agent: Agent, brief: Brief, now: float) -> None:
        """The agent has whom the node called."""
        agent.happen(Input.JOINED, now)
        self._begin(Talk(call_id, agent.name, brief), now)

    def _begin(self, talk: Talk, now: float) -> None:
        self.talks.add(talk)
        self.agents[talk.agent].joined_at = now
        self.tell(talk.agent, CallJoined(call=talk.view(self.dossiers.records(talk.call_id))))
        self.outputs.append(TookPart(talk.call_id, talk.agent))

    def part(self, talk: Talk, why: str, now: float) -> None:
        """The call is over for its agent, who writes down how it ended; a colleague whom it rings is left in peace."""
        self._remove(talk)
        offer = self.offers.get(talk.call_id)
        if offer is not None:
            self.end_offer(offer, OfferEnd.CALLER, now)
        agent = self.agents[talk.agent]
        agent.happen(Input.LEFT, now)
        agent.owes = WrapUp(call_id=talk.call_id, brief=talk.brief, dispositions=self.rules.dispositions)
        self.tell(agent.name, CallLeft(call_id=talk.call_id, why=why))
        self.tell(agent.name, WrapUpDue(wrap_up=agent.owes))
        self._show_again(agent.name)

    def lose(self, agent: Agent, now: float) -> None:
        """The grace is over. A caller who was with the agent waits in front; a colleague whom the call rings may still
        take it."""
        agent.happen(Input.LOST if agent.page else Input.ABSENT, now)
        talk = self.talks.of(agent.name)
        if talk is None:
            return
        self._remove(talk)
        self.order(talk.call_id, Requeue())
        self.queue.add(Waiting(talk.call_id, talk.brief.reason, talk.brief.skill, since=now, front=True))
        self.tell(agent.name, CallLeft(call_id=talk.call_id, why="lost"))
        self._show_again(agent.name)

    def _remove(self, talk: Talk) -> None:
        """The talk is over, and whoever supervises it is out of it."""
        self.talks.remove(talk)
        for supervisor in talk.supervisors:
            self.tell(supervisor, CallLeft(call_id=talk.call_id, why="over"))
            self._show_again(supervisor)

    def supervise(self, supervisor: str, talk: Talk, how: How) -> None:
        """Be in the call of a colleague, in another way than before, or no more."""
        before = talk.supervisors.get(supervisor, "none")
        if how == before:
            return
        self.order(talk.call_id, Supervise(supervisor, how))
        if how == "none":
            self.leave_supervised(supervisor)
            return
        talk.supervisors[supervisor] = how
        if before == "none":
            view = talk.supervised(supervisor, self.dossiers.records(talk.call_id))
            self.tell(supervisor, CallJoined(call=view))
        else:
            self.tell(supervisor, SupervisedChanged(call_id=talk.call_id, how=how))
        self.tell(talk.agent, talk.changed())

    def leave_supervised(self, supervisor: str) -> None:
        """The supervisor is in no call of a colleague any more."""
        talk = self.talks.supervised_by(supervisor)
        if talk is not None:
            del talk.supervisors[supervisor]
            self.tell(supervisor, CallLeft(call_id=talk.call_id, why="left"))
            self._show_again(supervisor)
            self.tell(talk.agent, talk.changed())

    def follow(self, record: Record, now: float) -> None:
        """A record of a call that others hold: the agents in it see it, and nothing can be done about it here."""
        call_id = record.call_id
        for observed in self.observed.in_call(call_id):
            if self._shows(observed):
                self.tell(observed.agent, Recorded(record=record))
        match record.event:
            case AgentJoined(agent=agent):
                self._observe(call_id, agent)
            case AgentLeft(agent=agent, why=why):
                self._leave_observed(self.observed.get(call_id, agent), why)
                self.settle(now)
            case CallEnded():
                for observed in self.observed.in_call(call_id):
                    self._leave_observed(observed, "ended")

    def _observe(self, call_id: str, agent: str) -> None:
        """The agent is in it; once is enough."""
        if self.observed.get(call_id, agent) is not None:
            return
        self.observed.add(Observed(call_id, agent, self.dossiers.brief(call_id, reason="", skill="", waited_s=0)))
        if self.talks.of(agent) is None:
            self._show_again(agent)
        self.outputs.append(TookPart(call_id, agent))

    def _leave_observed(self, observed: Observed | None, why: str) -> None:
        """The agent is in it no more."""
        if observed is None:
            return
        shown = self._shows(observed)
        self.observed.remove(observed)
        if shown:
            self.tell(observed.agent, CallLeft(call_id=observed.call_id, why=why))
            self._show_again(observed.agent)

    def _shows(self, observed: Observed) -> bool:
        """Whether it is the call on the agent's screen."""
        elsewhere = self.talks.of(observed.agent) or self.talks.supervised_by(observed.agent)
        return elsewhere is None and self.observed.of(observed.agent) is observed

    def is_free(self, agent: Agent) -> bool:
        """A call may ring there now."""
        return agent.free and not self.is_elsewhere(agent.name)

    def is_elsewhere(self, agent: str) -> bool:
        """In a call that is not the agent's at this desk: one by another telephone, or a colleague's."""
        return self.observed.of(agent) is not None or self.talks.supervised_by(agent) is not None

    def _show_again(self, agent: str) -> None:
        """Show the call that the agent has elsewhere, if there is one."""
        call = self.screens.call(agent)
        if call is not None:
            self.tell(agent, CallJoined(call=call))

    # -- what follows -------------------------------------------------------------------------------------------

    def settle(self, now: float) -> None:
        """Leave nobody waiting in vain, nobody idle who could be rung, and nobody untold."""
        for agent in self.agents:
            talk = self.talks.of(agent.name)
            agent.look(now, cut=talk is not None and talk.cut)
        for waiting in self.queue:
            why = None if waiting.call_id in self.offers else self._in_vain(waiting, now)
            if why is not None:
                self.queue.remove(waiting.call_id)
                self.order(waiting.call_id, TurnAway(why))
        for waiting, position in self.queue.moved():
            self.order(waiting.call_id, Announce(position, self._estimate_s(waiting, position)))
        for waiting in self.queue:
            chosen = None if waiting.call_id in self.offers else self._choose(waiting)
            if chosen is not None:
                self.ring_waiting(waiting, chosen, now)
        self.outputs.extend(self.screens.changes(now))
        self.agents.forget_absent()

    def deadlines(self) -> Iterator[float]:
        """Each time at which something is due. While it rings, nobody is turned away: the ring ends soon enough."""
        for offer in self.offers:
            yield offer.until
        for waiting in self.queue:
            if waiting.call_id not in self.offers:
                yield waiting.since + self.rules.longest_wait_s
        for agent in self.agents:
            if agent.grace_until is not None:
                yield agent.grace_until

    def _in_vain(self, waiting: Waiting, now: float) -> NobodyWhy | None:
        if not self.open:
            return NobodyWhy.CLOSED
        if now >= waiting.since + self.rules.longest_wait_s:
            return NobodyWhy.TOO_LONG
        if self._able(waiting):
            return None
        return NobodyWhy.DECLINED if waiting.passed_over else NobodyWhy.NOBODY

    def _able(self, waiting: Waiting) -> Sequence[Agent]:
        """Those who take calls, now or soon, and could be given this one."""
        return [
            agent
            for agent in self.agents
            if agent.serves
            and agent.name not in waiting.passed_over
            and self._router.choose(waiting, (agent.candidate,)) is not None
        ]

    def _choose(self, waiting: Waiting) -> Agent | None:
        free = {agent.name: agent for agent in self._able(waiting) if self.is_free(agent)}
        chosen = self._router.choose(waiting, [agent.candidate for agent in free.values()]) if free else None
        return free.get(chosen) if chosen is not None else None

    def _estimate_s(self, waiting: Waiting, position: int) -> int | None:
        able = self._able(waiting)
        return self.handling.wait_s(position, free=sum(self.is_free(agent) for agent in able), serving=len(able))
