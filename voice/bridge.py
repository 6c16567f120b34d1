"""Caller and agent hear each other, and the house goes on listening: two legs in a room, one journal, two speakers."""

from collections.abc import Callable
from dataclasses import replace

from dialog.actions import Collect, Expect
from dialog.announcements import Announcements
from dialog.events import Event, KeysPressed
from dialog.keys import KeyEntry
from voice.listener import Listener
from voice.mind import Numbers, Strand
from voice.music import Music
from voice.ports import TICK_MS, Ears, Frame, Leg, Mouth, Room
from voice.speaker import Phrase, Speaker
from voice.speech.phrases import split_phrases

_LONGEST_ENTRY = 32
"""Keys of the caller are one entry until a pause, or until there are this many."""

_MOST_TO_SAY = 16
"""Phrases that may wait for the bot's voice: a minute. With as many waiting it takes no more."""


class Bridge:
    """The mind of a call that is with `agent`, whose audio is `leg`. What the bot's voice says here, both hear.

    `over` is called, with the cause, when the call's time is over and both have heard so.
    """

    def __init__(
        self,
        agent: str,
        caller: Leg,
        leg: Leg,
        ears: Ears,
        mouth: Mouth,
        music: Music,
        numbers: Numbers,
        announcements: Announcements,
        tasks: Strand,
        tell: Callable[[Event], None],
        over: Callable[[str], None],
    ) -> None:
        self.agent = agent
        self._caller = caller
        self._leg = leg
        self._room = Room()
        self._music = music
        self._tasks = tasks
        self._tell = tell
        self._over = over
        self._farewell = announcements.longest_call
        self._expired = False
        self._speaker = Speaker(caller, mouth, tasks, tell, self._was_said, numbers.playbacks)
        self._hears_caller = Listener(ears, "caller", numbers.caller, tell)
        self._hears_agent = Listener(ears, "agent", numbers.agent, tell)
        self._entry = KeyEntry()
        self._entry.expect(Collect(Expect.DIGITS, _LONGEST_ENTRY))
        self._tick: int | None = None
        self._behind: int | None = None
        self._on_hold = False
        self._closed = False
        leg.listen(self._on_agent)
        self._connect()

    def hold(self, *, on: bool) -> bool:
        """Music for the caller and silence for the agent; or both hear each other again. False: it is so already."""
        if on == self._on_hold:
            return False
        self._on_hold = on
        self._speaker.drop()
        if on:
            self._caller.enter(None)
            self._leg.enter(None)
            self._hears_caller.forget()
            self._hears_agent.forget()
        else:
            self._caller.stop()
            self._connect()
        return True

    def speak(self, text: str) -> bool:
        """Say `text` in the bot's voice, after what it is saying already. False: that is too much as it is."""
        if self._speaker.backlog >= _MOST_TO_SAY:
            return False
        self._speaker.add([Phrase(phrase) for phrase in split_phrases(text)])
        return True

    def press(self, key: str) -> None:
        """A key of the caller: it is for the agent's screen."""
        self._entered(self._entry.press(key, self._now_ms))

    def on_frame(self, frame: Frame) -> None:
        """One tick of the caller's leg."""
        self._tick = frame.tick
        self._speaker.on_frame(frame)
        for key in frame.keys:
            self.press(key)
        self._entered(self._entry.expired(self._now_ms))
        if self._on_hold:
            self._music.feed()  # and what is said meanwhile is nobody's business
        else:
            self._hears_caller.on_frame(frame, yielding=True, floor_is_free=True)

    def expire(self) -> None:
        """The call has reached its longest time: both hear so."""
        if not self._expired:
            self._expired = True
            self.hold(on=False)
            self._speaker.say([Phrase(phrase) for phrase in split_phrases(self._farewell)])

    def gone(self) -> None:
        """The caller hung up."""

    def close(self) -> None:
        """The two hear each other no more. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._tasks.cancel()
        self._caller.enter(None)
        self._leg.enter(None)
        self._leg.listen(_nobody_listens)
        for listener in (self._hears_caller, self._hears_agent):
            listener.forget()
            listener.close()

    @property
    def _now_ms(self) -> int:
        return (self._tick or 0) * TICK_MS

    def _was_said(self) -> None:
        if self._expired:
            self._over("longest_call")

    def _connect(self) -> None:
        self._caller.enter(self._room)
        self._leg.enter(self._room)

    def _on_agent(self, frame: Frame) -> None:
        if frame.keys:
            self._caller.send_keys(frame.keys)
        if self._on_hold or self._tick is None:
            return
        if self._behind is None:
            self._behind = self._tick - frame.tick
        # the journal's time is the caller's; the agent's leg is older than the call, or younger
        shifted = replace(frame, tick=max(0, frame.tick + self._behind))
        self._hears_agent.on_frame(shifted, yielding=True, floor_is_free=True)

    def _entered(self, digits: str) -> None:
        if digits:
            self._tell(KeysPressed(digits=digits))


def _nobody_listens(_frame: Frame) -> None:
    """Between calls an agent's voice goes nowhere."""
