"""What agents ask during a call: of the caller, of colleagues, of somebody outside, and of the call's record."""

from typing import Literal

from agent_assist.desk.floor import Floor
from agent_assist.desk.messages import Third
from agent_assist.desk.ports import Conflict
from agent_assist.desk.talks import Talk
from dialog.commands import BlindTransfer, Consult, DropThird, End, HandBack, Hold, PauseRecording, PutThrough, Speak
from dialog.people_events import NoteWritten, SuggestionDismissed, SuggestionTaken


class InCall:
    """Inputs of the desk, as `desk.py` says of all of them."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    def hold(self, agent: str, *, on: bool) -> None:
        """See `AgentDesk`."""
        talk = self._heard(agent)
        if talk.on_hold is not on:
            talk.on_hold = on
            self._floor.order(talk.call_id, Hold(on, agent))
            self._floor.tell(agent, talk.changed())

    def pause_recording(self, agent: str, *, on: bool) -> None:
        """See `AgentDesk`."""
        talk = self._talk(agent)
        if talk.paused is not on:
            talk.paused = on
            self._floor.order(talk.call_id, PauseRecording(on, agent))
            self._floor.tell(agent, talk.changed())

    def hang_up(self, agent: str, now: float) -> None:
        """See `AgentDesk`."""
        talk = self._talk(agent)
        self._floor.order(talk.call_id, End())
        self._floor.part(talk, "hung_up", now)
        self._floor.settle(now)

    def hand_back(self, agent: str, now: float) -> None:
        """See `AgentDesk`."""
        talk = self._talk(agent)
        self._floor.order(talk.call_id, HandBack())
        self._floor.part(talk, "handed_back", now)
        self._floor.settle(now)

    def transfer(self, agent: str, to: str, now: float) -> None:
        """See `AgentDesk`."""
        floor = self._floor
        talk, colleague = self._talk(agent), floor.agents.get(to)
        if talk.transferring_to == to:
            return
        self._check_alone(talk)
        if colleague is None or not floor.is_free(colleague):
            raise Conflict(f"{to} is not ready")
        talk.transferring_to = to
        brief = floor.dossiers.brief(talk.call_id, reason=talk.brief.reason, skill=talk.brief.skill, waited_s=0)
        floor.ring(talk.call_id, brief, colleague, now, by=agent)
        floor.tell(agent, talk.changed())
        floor.settle(now)

    def transfer_outside(self, agent: str, to: str, now: float) -> None:
        """See `AgentDesk`."""
        floor = self._floor
        talk = self._talk(agent)
        if talk.transferring_to == to:
            return
        self._check_alone(talk)
        talk.transferring_to = to
        floor.order(talk.call_id, BlindTransfer(to, agent))
        floor.tell(agent, talk.changed())
        floor.settle(now)

    def consult(self, agent: str, to: str) -> None:
        """See `AgentDesk`. The call holds the caller, once it calls there, and says so."""
        talk = self._heard(agent)
        if talk.third is not None and talk.third.number == to:
            return
        self._check_alone(talk)
        talk.third = Third(number=to)
        self._floor.order(talk.call_id, Consult(to, agent))
        self._floor.tell(agent, talk.changed())

    def drop_third(self, agent: str) -> None:
        """See `AgentDesk`."""
        talk = self._talk(agent)
        if talk.third is not None:
            self._floor.order(talk.call_id, DropThird())

    def put_through(self, agent: str, now: float) -> None:
        """See `AgentDesk`."""
        talk = self._talk(agent)
        if talk.third is None or not talk.third.joined:
            raise Conflict("nobody else is in the call")
        self._floor.order(talk.call_id, PutThrough())
        self._floor.part(talk, "transferred", now)
        self._floor.settle(now)

    def speak(self, agent: str, text: str, article: str) -> None:
        """See `AgentDesk`."""
        talk = self._heard(agent)
        self._floor.order(talk.call_id, Speak(text))
        if article:
            self._floor.note(talk.call_id, SuggestionTaken(agent=agent, article=article, how="spoken"))

    def note(self, agent: str, text: str) -> None:
        """See `AgentDesk`."""
        self._floor.note(self._call(agent), NoteWritten(agent=agent, text=text))

    def suggestion(self, agent: str, article: str, how: Literal["copied", "dismissed"]) -> None:
        """See `AgentDesk`."""
        call_id = self._call(agent)
        if how == "copied":
            self._floor.note(call_id, SuggestionTaken(agent=agent, article=article, how="copied"))
        else:
            self._floor.note(call_id, SuggestionDismissed(agent=agent, article=article))

    def _check_alone(self, talk: Talk) -> None:
        """One thing at a time: whoever is on the way to somebody is not sent to another."""
        if talk.transferring_to:
            raise Conflict(f"the call rings {talk.transferring_to} already")
        if talk.third is not None:
            raise Conflict(f"{talk.third.number} is in the call already, or being called")

    def _talk(self, agent: str) -> Talk:
        talk = self._floor.talks.of(agent)
        if talk is None:
            elsewhere = self._floor.observed.of(agent)
            raise Conflict("that call is your telephone's" if elsewhere else "you are in no call")
        return talk

    def _call(self, agent: str) -> str:
        """The call on the agent's screen."""
        call = self._floor.talks.of(agent) or self._floor.observed.of(agent)
        if call is None:
            raise Conflict("you are in no call")
        return call.call_id

    def _heard(self, agent: str) -> Talk:
        talk = self._talk(agent)
        if talk.cut:
            raise Conflict("your audio is away, and the caller hears music")
        return talk
