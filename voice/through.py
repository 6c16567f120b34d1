"""Caller and somebody outside hear each other; the agent who brought them together has left, and the house goes on
listening."""

from collections.abc import Callable

from dialog.events import Event
from dialog.people_events import ThirdLeft
from voice.listener import Listener
from voice.mind import Numbers, Strand
from voice.party import Party
from voice.ports import Frame, Leg, Room
from voice.services import Services
from voice.speaker import Speaker, phrases_of
from voice.third import Third, Why


class Through:
    """The mind of a call that was put through to `third`, who has answered. The call ends when they hang up: `over` is
    called with the cause. Keys of each go to the other, who may be a machine. `notice` is said where the third has not
    heard it yet."""

    def __init__(
        self,
        caller: Leg,
        third: Third,
        services: Services,
        notice: str,
        numbers: Numbers,
        tasks: Strand,
        tell: Callable[[Event], None],
        over: Callable[[str], None],
    ) -> None:
        leg = third.leg
        assert leg is not None, "they have answered"
        self._caller = caller
        self._third = third
        self._tasks = tasks
        self._tell = tell
        self._over = over
        self._farewell = services.announcements.longest_call
        self._expired = False
        self._tick: int | None = None
        self._speaker = Speaker(caller, services.mouth, tasks, tell, self._was_said, numbers.playbacks)
        self._hears_caller = Listener(services.ears, "caller", numbers.of("caller"), tell)
        hears_third = Listener(services.ears, "third", numbers.of("third"), tell)
        self._party = Party(leg, lambda: self._tick, hears_third, caller.send_keys)
        third.follow(self._third_left)
        room = Room()
        caller.enter(room)
        self._party.enter(room)
        if notice and not third.informed:
            self._speaker.add(phrases_of(notice))

    def press(self, key: str) -> None:
        """A key that came beside the caller's audio."""
        self._party.leg.send_keys(key)

    def on_frame(self, frame: Frame) -> None:
        """One tick of the caller's leg."""
        self._tick = frame.tick
        self._speaker.on_frame(frame)
        if frame.keys:
            self._party.leg.send_keys(frame.keys)
        self._hears_caller.on_frame(frame, yielding=True, floor_is_free=True)

    def expire(self) -> None:
        """The call has reached its longest time: both hear so."""
        if not self._expired:
            self._expired = True
            self._speaker.say(phrases_of(self._farewell))

    def gone(self) -> None:
        """The caller hung up."""

    def close(self) -> None:
        """They hear each other no more, and the third is hung up on. Idempotent."""
        self._speaker.drop()
        self._tasks.cancel()
        self._party.close()
        self._third.leave("ended")
        self._caller.enter(None)
        self._hears_caller.forget()
        self._hears_caller.close()

    def _third_left(self, why: Why, status: int) -> None:
        self._tell(ThirdLeft(target=self._third.number, why=why, status=status))
        if why != "ended":  # else it is we who end it
            self._over("third")

    def _was_said(self) -> None:
        if self._expired:
            self._over("longest_call")
