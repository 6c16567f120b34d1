"""The desk: what calls tell it, what agents ask of it, and what comes out, in order.

A machine without clock, socket or task. Every input names the time (`now`, seconds of a clock that never goes back).
After each of them whoever drives it carries out the outputs, in order, until there are none, and reports on the way
what came of a Join (`joined`) and which command a call could not carry out (`refused`). An input that does not fit
raises Conflict and changes nothing; one that asks for what already is changes nothing either.

What agents ask during a call is `in_call.py`, what supervisors do `supervision.py`, and calls that the node places for
agents `outgoing.py`.
"""

from collections.abc import Sequence
from typing import Literal

from agent_assist.desk.floor import Floor
from agent_assist.desk.in_call import InCall
from agent_assist.desk.messages import Recorded, Snapshot, Third, WrapUpDone
from agent_assist.desk.offers import Offer, OfferEnd
from agent_assist.desk.outgoing import Outgoing
from agent_assist.desk.outputs import CallbackWanted, Output
from agent_assist.desk.ports import Conflict, LeaveWhy, Presence, Router, Waiting
from agent_assist.desk.presence import Input
from agent_assist.desk.rules import Rules
from agent_assist.desk.supervision import Supervision
from agent_assist.desk.talks import Talk
from dialog.commands import (
    BlindTransfer,
    Command,
    Consult,
    DropThird,
    Hold,
    Join,
    NobodyWhy,
    PauseRecording,
    Speak,
    Supervise,
    TurnAway,
)
from dialog.events import CallEnded, Event, Record
from dialog.people_events import (
    HoldChanged,
    ThirdJoined,
    ThirdLeft,
    TransferFailed,
)


class Desk:
    """Who waits, who is there, who gets whom."""

    def __init__(self, rules: Rules, router: Router) -> None:
        self._floor = Floor(rules, router)
        self.in_call = InCall(self._floor)
        self.supervision = Supervision(self._floor)
        self.outgoing = Outgoing(self._floor)

    # -- what comes out -----------------------------------------------------------------------------------------

    def next_output(self) -> Output | None:
        """The next thing to carry out; None when there is nothing more."""
        outputs = self._floor.outputs
        return outputs.popleft() if outputs else None

    def snapshot(self, agent: str, now: float) -> Snapshot:
        """The whole screen of an agent, with everything that came out so far."""
        return self._floor.screens.snapshot(agent, now)

    @property
    def waiting(self) -> int:
        """Callers who wait."""
        return len(self._floor.queue)

    @property
    def figures(self) -> dict[str, int]:
        """How many of what the desk knows of."""
        floor = self._floor
        return {
            "agents": len(floor.agents),
            "waiting": len(floor.queue),
            "ringing": len(floor.offers),
            "talking": len(floor.talks),
            "observed": len(floor.observed),
            "calls": len(floor.dossiers),
        }

    # -- time ---------------------------------------------------------------------------------------------------

    def deadline(self) -> float | None:
        """When `on_timer` is due, unless an input comes before."""
        return min(self._floor.deadlines(), default=None)

    def on_timer(self, now: float) -> None:
        """Time has passed."""
        floor = self._floor
        for offer in floor.offers:
            if now >= offer.until and not offer.answered:
                floor.end_offer(offer, OfferEnd.NO_ANSWER, now)
        for agent in floor.agents:
            if agent.grace_until is not None and now >= agent.grace_until:
                floor.lose(agent, now)
        floor.settle(now)

    def set_open(self, is_open: bool, now: float) -> None:
        """Calls are taken, or not any more: those who wait are told; those who talk go on, and what rings may be
        answered."""
        if is_open is not self._floor.open:
            self._floor.open = is_open
            self._floor.settle(now)

    # -- what calls tell ----------------------------------------------------------------------------------------

    def enqueue(self, call_id: str, reason: str, skill: str, now: float) -> None:
        """See `CallDesk`. A call knows best where it is: one that was thought to be with an agent is not."""
        floor = self._floor
        if talk := floor.talks.get(call_id):
            floor.part(talk, "handed_back", now)
        if call_id in floor.queue:
            floor.queue.say_again(call_id)
        elif len(floor.queue) < floor.rules.queue:
            floor.queue.add(Waiting(call_id, reason, skill, since=now))
        else:
            floor.order(call_id, TurnAway(NobodyWhy.FULL if floor.open else NobodyWhy.CLOSED))
        floor.settle(now)

    def leave(self, call_id: str, why: LeaveWhy, now: float) -> None:
        """See `CallDesk`. One who was turned away may still ask to be called back."""
        floor = self._floor
        if why is LeaveWhy.CALLBACK:
            self._want_callback(call_id)
        if talk := floor.talks.get(call_id):
            floor.part(talk, "transferred" if why is LeaveWhy.TRANSFERRED else "caller", now)
        if offer := floor.offers.get(call_id):
            floor.end_offer(offer, OfferEnd.CALLER, now)
        floor.queue.remove(call_id)
        floor.settle(now)

    def audio(self, agent: str, now: float, *, connected: bool) -> None:
        """See `CallDesk`. Without audio nothing rings, and a caller hears music; with it again, the agent."""
        floor = self._floor
        who = floor.agents.open(agent)
        if who.audio is connected:
            return
        who.audio = connected
        talk = floor.talks.of(agent)
        if connected:
            floor.queue.ask_again(agent)
            if talk and talk.cut:
                floor.order(talk.call_id, Join(agent))
        else:
            self._gone(agent, now)
            self._leave_supervised(agent)
            if talk and not talk.cut:
                talk.cut = True
                if not talk.on_hold:
                    floor.order(talk.call_id, Hold(on=True))
        floor.settle(now)

    def phone(self, agent: str, now: float, *, registered: bool) -> None:
        """See `CallDesk`. A phone is as good as audio to whoever waits; a call that is on does not need it."""
        floor = self._floor
        who = floor.agents.open(agent)
        if who.phone is registered:
            return
        who.phone = registered
        if registered:
            floor.queue.ask_again(agent)
        elif not who.audio:
            self._gone(agent, now)
        floor.settle(now)

    def record(self, record: Record, now: float) -> None:
        """A record of any live call's journal. After its end a call is nowhere, even if it forgot to say so."""
        floor = self._floor
        dossier = floor.dossiers.get(record.call_id)
        floor.dossiers.take(record)
        if talk := floor.talks.get(record.call_id):
            for screen in (talk.agent, *talk.supervisors):
                floor.tell(screen, Recorded(record=record))
            self._see(talk, record.event)
        elif dossier is not None and dossier.awaits(record.event):
            self.outgoing.reached(record.call_id, dossier.placed_by, now)
        if dossier is not None and dossier.is_recorded:
            floor.follow(record, now)
        if isinstance(record.event, CallEnded):
            self.leave(record.call_id, LeaveWhy.HUNG_UP, now)

    def _see(self, talk: Talk, event: Event) -> None:
        """What the call did that its agent's screen shows."""
        match event:
            case TransferFailed(why=why):
                talk.transferring_to = ""
                self._floor.tell(talk.agent, talk.changed(trouble=why))
            case HoldChanged(on=on, agent=agent) if agent == talk.agent and talk.on_hold is not on:
                talk.on_hold = on
                self._floor.tell(talk.agent, talk.changed())
            case ThirdJoined(target=number):
                talk.third = Third(number=number, joined=True)
                self._floor.tell(talk.agent, talk.changed())
            case ThirdLeft(why=why):
                talk.third = None
                expected = why in ("dropped", "ended")
                self._floor.tell(talk.agent, talk.changed(trouble="" if expected else f"third_{why}"))
            case _:
                pass

    def joined(self, call_id: str, agent: str, now: float) -> None:
        """The call carried out a Join: for the first time, or because the audio is back. Nothing, where either left
        meanwhile."""
        floor = self._floor
        talk, offer = floor.talks.get(call_id), floor.offers.get(call_id)
        if offer and offer.agent == agent and offer.answered:
            floor.connect(offer, now)
        elif talk and talk.agent == agent and talk.cut:
            talk.cut = False
            if talk.on_hold:
                floor.order(call_id, Hold(on=True, agent=agent))
        floor.settle(now)

    def refused(self, call_id: str, command: Command, now: float) -> None:
        """The call could not. Who could not be joined has missed the call, or goes on being waited for; a call that
        cannot even wait is over."""
        floor = self._floor
        talk, offer = floor.talks.get(call_id), floor.offers.get(call_id)
        match command:
            case Join(agent):
                if offer and offer.agent == agent and offer.answered:
                    floor.end_offer(offer, OfferEnd.GONE, now)
                    floor.queue.pass_over(call_id, agent)
            case Hold(on, agent):
                if talk and talk.agent == agent:
                    talk.on_hold = not on
                    floor.tell(agent, talk.changed(trouble="refused"))
            case PauseRecording(on, agent):
                if talk and talk.agent == agent:
                    talk.paused = not on
                    floor.tell(agent, talk.changed(trouble="refused"))
            case BlindTransfer():
                if talk:
                    talk.transferring_to = ""
                    floor.tell(talk.agent, talk.changed(trouble="refused"))
            case Consult():
                if talk:
                    talk.third = None
                    floor.tell(talk.agent, talk.changed(trouble="refused"))
            case Speak() | DropThird():
                if talk:
                    floor.tell(talk.agent, talk.changed(trouble="refused"))
            case Supervise(supervisor):
                floor.leave_supervised(supervisor)
            case _:
                self.leave(call_id, LeaveWhy.HUNG_UP, now)
        floor.settle(now)

    # -- what agents ask: being there ---------------------------------------------------------------------------

    def arrive(self, agent: str, skills: Sequence[str], now: float, *, supervisor: bool = False) -> None:
        """See `AgentDesk`. Who comes back within the grace is what they were."""
        who = self._floor.agents.open(agent)
        who.page = True
        who.skills, who.supervisor = tuple(skills), supervisor
        if who.presence is Presence.OFFLINE:
            who.next = "away"
            who.happen(Input.ARRIVED, now)
            if who.owes:
                who.happen(Input.OWES, now)
        self._floor.settle(now)

    def depart(self, agent: str, now: float) -> None:
        """See `AgentDesk`."""
        who = self._floor.agents.get(agent)
        if who is not None and who.page:
            who.page = False
            self._gone(agent, now)
            self._leave_supervised(agent)
            self._floor.settle(now)

    def set_presence(self, agent: str, presence: Literal["ready", "away"], now: float) -> None:
        """See `AgentDesk`. Away while it rings is a no to the call, too."""
        floor = self._floor
        who = floor.agents.here(agent)
        if presence == "ready" and who.presence is Presence.AWAY and not who.reachable:
            raise Conflict("ready needs audio: open it first")
        who.next = presence
        if presence == "ready":
            if who.presence is Presence.AWAY:
                floor.queue.ask_again(agent)
                who.happen(Input.READY, now)
        else:
            if offer := floor.offers.at(agent):
                floor.end_offer(offer, OfferEnd.DECLINED, now)
            who.happen(Input.AWAY, now)
        floor.settle(now)

    # -- what agents ask: taking a call -------------------------------------------------------------------------

    def answer(self, agent: str, call_id: str, now: float) -> None:
        """See `AgentDesk`."""
        if not self._has(agent, call_id):
            self._answer(self._offered(agent, call_id))

    def decline(self, agent: str, call_id: str, now: float) -> None:
        """See `AgentDesk`."""
        self._floor.end_offer(self._offered(agent, call_id), OfferEnd.DECLINED, now)
        self._floor.settle(now)

    def pick(self, agent: str, call_id: str, now: float) -> None:
        """See `AgentDesk`. An offer that is answered at once; at whoever else it rang, it stops. Skills are for the
        router: who picks knows why."""
        floor = self._floor
        offer = floor.offers.get(call_id)
        if self._has(agent, call_id):
            return
        if offer is not None and offer.agent == agent:
            self._answer(offer)
            return
        who, waiting = floor.agents.here(agent), floor.queue.get(call_id)
        if waiting is None:
            raise self._conflict(call_id)
        if not floor.is_free(who):
            if floor.is_elsewhere(agent):
                raise Conflict("you are in a call already")
            raise Conflict(f"who is {who.presence} cannot pick a call" if who.reachable else "there is no audio")
        if offer is not None:
            floor.end_offer(offer, OfferEnd.TAKEN, now)
        offer = floor.ring_waiting(waiting, who, now)
        if who.audio:
            floor.answer(offer)
        floor.settle(now)

    # -- what agents ask: after a call --------------------------------------------------------------------------

    def check_wrap_up(self, agent: str, call_id: str, disposition: str) -> None:
        """Raise Conflict where that call is not the agent's to write down, or cannot have ended that way."""
        who = self._floor.agents.get(agent)
        if who is None or who.owes is None or who.owes.call_id != call_id:
            raise Conflict("there is nothing to write down about that call")
        if disposition not in who.owes.dispositions:
            raise Conflict(f'no call ends as "{disposition}" here')

    def wrapped_up(self, agent: str, call_id: str, now: float) -> None:
        """It is written down: the agent does what was said to follow. Nothing, where it was written before."""
        floor = self._floor
        who = floor.agents.get(agent)
        if who is None or who.owes is None or who.owes.call_id != call_id:
            return
        who.owes = None
        floor.tell(agent, WrapUpDone(call_id=call_id))
        if who.presence is Presence.WRAPPING:
            floor.handling.add(now - who.joined_at)
            who.happen(Input.WRITTEN, now)
            who.settle_down(now)
        floor.settle(now)

    # -- small questions ----------------------------------------------------------------------------------------

    def _has(self, agent: str, call_id: str) -> bool:
        talk = self._floor.talks.get(call_id)
        return talk is not None and talk.agent == agent

    def _offered(self, agent: str, call_id: str) -> Offer:
        offer = self._floor.offers.get(call_id)
        if offer is None or offer.agent != agent or offer.answered:
            raise self._conflict(call_id)
        return offer

    def _answer(self, offer: Offer) -> None:
        if not self._floor.agents[offer.agent].audio:
            raise Conflict("your phone rings: pick it up")
        self._floor.answer(offer)

    def _conflict(self, call_id: str) -> Conflict:
        talk = self._floor.talks.get(call_id)
        return Conflict(f"taken by {talk.agent}" if talk else "the call is not there any more")

    def _gone(self, agent: str, now: float) -> None:
        self.outgoing.give_up(agent, now)
        if offer := self._floor.offers.at(agent):
            self._floor.end_offer(offer, OfferEnd.GONE, now)

    def _leave_supervised(self, agent: str) -> None:
        if within := self._floor.talks.supervised_by(agent):
            self._floor.supervise(agent, within, "none")

    def _want_callback(self, call_id: str) -> None:
        dossier, waiting = self._floor.dossiers.get(call_id), self._floor.queue.get(call_id)
        if dossier is not None:
            if dossier.callback_wanted:
                return
            dossier.callback_wanted = True
        request = waiting or (dossier and dossier.request)
        self._floor.outputs.append(CallbackWanted(call_id, request.reason if request else ""))
