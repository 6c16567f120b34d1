"""Caller and agent hear each other, and the house goes on listening: legs in a room, one journal, a speaker for each.

Somebody outside may be called in. The caller is on hold meanwhile, so agent and third speak alone until the caller is
taken back; then all three hear each other. What those two say while the caller is on hold is nobody's business: it is
neither written down nor recorded.
"""

from collections.abc import Callable

from dialog.actions import Collect, Expect
from dialog.commands import How
from dialog.errors import PeerForbidden
from dialog.event import Speaker as Side
from dialog.events import Event, KeysPressed
from dialog.keys import KeyEntry
from dialog.people_events import (
    HoldChanged,
    ThirdCalled,
    ThirdJoined,
    ThirdLeft,
)
from dsp.parts import Part
from voice.listener import Listener
from voice.mind import Numbers, Strand
from voice.music import Music
from voice.party import Party
from voice.ports import TICK_MS, Frame, Leg, Room
from voice.ringing import Ringing
from voice.services import People, Services
from voice.speaker import Speaker, phrases_of
from voice.supervisors import Supervisors
from voice.third import Headers, Third, Why

_LONGEST_ENTRY = 32
"""Keys of the caller are one entry until a pause, or until there are this many."""

_MOST_TO_SAY = 16
"""Phrases that may wait for the bot's voice: a minute. With as many waiting it takes no more."""


class Bridge:
    """The mind of a call that is with `agent`, whose audio is `leg`. What the bot's voice says here, all hear; `notice`
    is what it says to whoever comes into a call that is recorded.

    `over` is called, with the cause, when the call's time is over and everybody has heard so.
    """

    def __init__(
        self,
        agent: str,
        caller: Leg,
        leg: Leg,
        services: Services,
        people: People,
        notice: str,
        numbers: Numbers,
        tasks: Strand,
        tell: Callable[[Event], None],
        over: Callable[[str], None],
    ) -> None:
        self.agent = agent
        self._caller = caller
        self._services = services
        self._people = people
        self._notice = notice
        self._numbers = numbers
        self._tasks = tasks
        self._tell = tell
        self._over = over
        self._room = Room()
        self._music = Music(caller, people.music)
        self._expired = False
        self._speaker = Speaker(caller, services.mouth, tasks, tell, self._was_said, numbers.playbacks)
        self._hears_caller = self._listener("caller")
        self._entry = KeyEntry()
        self._entry.expect(Collect(Expect.DIGITS, _LONGEST_ENTRY))
        self._tick: int | None = None
        self._on_hold = False
        self._paused = False
        self._closed = False
        self._agent = self._party_of(leg)
        self._third: Third | None = None
        self._third_party: Party | None = None
        self._ringing: Ringing | None = None
        self._supervisors = Supervisors(self._room, self._clock, lambda: self._listener("third"))
        caller.enter(self._room)

    # -- what the desk asks -------------------------------------------------------------------------------------

    def reconnect(self, leg: Leg) -> None:
        """The agent's audio is back, by another leg; nobody is on hold."""
        self._agent.close()
        self._agent = self._party_of(leg)
        self._attend()
        if self._third is not None and self._third_party is None:
            assert self._ringing is not None, "nobody has answered"
            self._ringing.move(leg)
        self._hold(on=False)

    def inform(self) -> None:
        """Say to all that the call is recorded, where it is."""
        if self._notice:
            self.speak(self._notice)

    def hold(self, *, on: bool, agent: str = "") -> None:
        """Music for the caller, and silence for the agent; or both hear each other again. Nothing, where it is so."""
        if self._hold(on=on):
            self._tell(HoldChanged(on=on, agent=agent))

    def pause(self, *, on: bool) -> bool:
        """Write down nothing of what is said or keyed, or do again; False where it is so."""
        changed = on is not self._paused
        self._paused = on
        self._attend()
        return changed

    def speak(self, text: str) -> bool:
        """Say `text` in the bot's voice, after what it is saying already. False: that is too much as it is."""
        if self._speaker.backlog >= _MOST_TO_SAY:
            return False
        self._speaker.add(phrases_of(text))
        return True

    def consult(self, number: str, headers: Headers) -> None:
        """Call somebody outside; `headers` are what the caller's side told. Where that cannot even begin, the caller
        does not notice."""
        outside = self._people.outside
        self._tell(ThirdCalled(target=number, agent=self.agent))
        try:
            if outside is None:
                raise PeerForbidden("nobody outside can be called")
            outside.check(number)
        except PeerForbidden:
            self._tell(ThirdLeft(target=number, why="not_allowed"))
            return
        self.hold(on=True, agent=self.agent)
        self._ringing = ringing = Ringing(self._agent.leg, self._room)
        self._third = Third(number, headers, outside, self._tasks, ringing.hear, self._third_joined, self._third_left)

    def drop_third(self) -> bool:
        """Hang up on them, or stop calling; False where there is nobody."""
        third = self._third
        if third is not None:
            third.leave("dropped")
        return third is not None

    def give_third(self) -> Third | None:
        """Leave them to whoever comes next; None where nobody has answered."""
        third = self._third
        if third is None or self._third_party is None:
            return None
        self._forget_third()
        return third

    def supervise(self, supervisor: str, leg: Leg | None, how: How) -> bool:
        """Let a supervisor in, or out; False where that one has no audio."""
        if how == "none":
            return self._supervisors.let_out(supervisor)
        if leg is None:
            return False
        self._supervisors.let_in(supervisor, leg, how)
        return True

    # -- voice.mind.Mind ----------------------------------------------------------------------------------------

    def press(self, key: str) -> None:
        """A key of the caller: it is for the agent's screen, and for nobody while the recording is paused."""
        if not self._paused:
            self._entered(self._entry.press(key, self._now_ms))

    def on_frame(self, frame: Frame) -> None:
        """One tick of the caller's leg."""
        self._tick = frame.tick
        self._speaker.on_frame(frame)
        for key in frame.keys:
            self.press(key)
        self._entered(self._entry.expired(self._now_ms))
        if self._ringing is not None:
            self._ringing.feed()
        if self._on_hold:
            self._music.feed()
        elif not self._paused:
            self._hears_caller.on_frame(frame, yielding=True, floor_is_free=True)

    def expire(self) -> None:
        """The call has reached its longest time: everybody hears so."""
        if not self._expired:
            self._expired = True
            self.hold(on=False)
            farewell = self._services.announcements.longest_call
            self._speaker.say(phrases_of(farewell))

    def gone(self) -> None:
        """The caller hung up."""

    def close(self) -> None:
        """They hear each other no more. Idempotent."""
        if self._closed:
            return
        self._closed = True
        if self._third is not None:
            self._third.leave("ended")
        self._speaker.drop()
        self._tasks.cancel()
        self._supervisors.close()
        self._agent.close()
        self._caller.enter(None)
        self._hears_caller.forget()
        self._hears_caller.close()

    # -- the inside ---------------------------------------------------------------------------------------------

    @property
    def _now_ms(self) -> int:
        return (self._tick or 0) * TICK_MS

    def _clock(self) -> int | None:
        return self._tick

    def _listener(self, side: Side) -> Listener:
        return Listener(self._services.ears, side, self._numbers.of(side), self._tell)

    def _party_of(self, leg: Leg) -> Party:
        party = Party(leg, self._clock, self._listener("agent"), self._agent_pressed)
        party.enter(self._room, Part.COACHED)
        return party

    def _agent_pressed(self, keys: str) -> None:
        """For whoever the agent speaks with."""
        if not self._on_hold:
            self._caller.send_keys(keys)
        if self._third_party is not None:
            self._third_party.leg.send_keys(keys)

    def _hold(self, *, on: bool) -> bool:
        if on == self._on_hold:
            return False
        self._on_hold = on
        self._speaker.drop()
        self._attend()
        if on:
            self._caller.enter(None)
        else:
            self._caller.stop()
            self._caller.enter(self._room)
            self._inform_third()
        return True

    def _attend(self) -> None:
        """Write down what all of them say, or, on hold and while the recording is paused, nothing."""
        on = not (self._on_hold or self._paused)
        self._agent.attend(on=on)
        self._supervisors.attend(on=on)
        if self._third_party is not None:
            self._third_party.attend(on=on)
        if not on:
            self._hears_caller.forget()

    def _third_joined(self, leg: Leg) -> None:
        assert self._third is not None, "they were called"
        self._stop_ringing()
        self._third_party = Party(leg, self._clock, self._listener("third"))
        self._attend()
        self._third_party.enter(self._room)
        self._tell(ThirdJoined(target=self._third.number))
        self._inform_third()

    def _inform_third(self) -> None:
        """From the moment that the caller hears them, they are on the recording."""
        third = self._third
        if third is not None and self._third_party is not None and not self._on_hold and not third.informed:
            third.informed = True
            self.inform()

    def _third_left(self, why: Why, status: int) -> None:
        third = self._third
        assert third is not None, "they were called"
        self._forget_third()
        self._tell(ThirdLeft(target=third.number, why=why, status=status))

    def _forget_third(self) -> None:
        self._stop_ringing()
        if self._third_party is not None:
            self._third_party.close()
        self._third = self._third_party = None

    def _stop_ringing(self) -> None:
        if self._ringing is not None:
            self._ringing.stop()
            self._ringing = None

    def _was_said(self) -> None:
        if self._expired:
            self._over("longest_call")

    def _entered(self, digits: str) -> None:
        if digits:
            self._tell(KeysPressed(digits=digits))
