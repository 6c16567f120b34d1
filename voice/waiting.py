"""The caller waits for a person: music, the place in the queue now and then, and two keys that lead away.

Nobody waits without a choice: key 1 leads back to the bot, key 2 asks to be called back, where there is a number to
call. Where nobody will come the caller is told at once, and one who chooses nothing is with the bot again. Time is the
leg's audio time.
"""

from collections.abc import Callable
from enum import Enum, auto

from agent_assist.desk.ports import LeaveWhy
from dialog.announcements import Announcements
from dialog.commands import NobodyWhy
from dialog.events import Event
from voice.mind import Numbers, Strand
from voice.music import Music
from voice.ports import TICK_MS, Frame, Leg, Mouth
from voice.speaker import Speaker, phrases_of

MOVED_MS = 20_000
"""A changed place is told at most this often: who moves up fast wants music rather than arithmetic."""
REMIND_MS = 60_000
"""Without news, the caller is told again after this long."""
CHOICE_MS = 8_000
"""How long a choice is waited for, twice."""
KEYS = {"1": LeaveWhy.BOT, "2": LeaveWhy.CALLBACK}

Place = tuple[int, int | None]
"""Position from 1, and the estimate in seconds."""


class _State(Enum):
    QUEUED = auto()
    TURNED_AWAY = auto()
    """Nobody will come; a key is waited for."""
    LEFT = auto()
    """The caller waits no more; a farewell may be under way."""


class Waiting:
    """`left` is called once, when the caller waits no more: by choice, because none was made, or because the call's
    time is over. Who will be called back, or has no time left, hears a farewell, after which `over` is called with the
    cause."""

    def __init__(
        self,
        leg: Leg,
        mouth: Mouth,
        music: Music,
        announcements: Announcements,
        callback: bool,
        numbers: Numbers,
        tasks: Strand,
        tell: Callable[[Event], None],
        left: Callable[[LeaveWhy], None],
        over: Callable[[str], None],
    ) -> None:
        self._tasks = tasks
        self._music = music
        self._announcements = announcements
        self._callback = callback
        self._keys = announcements.choice(callback=callback)
        self._left = left
        self._over = over
        self._speaker = Speaker(leg, mouth, tasks, tell, self._was_said, numbers.playbacks)
        self._state = _State.QUEUED
        self._now_ms = 0
        self._place: Place | None = None
        self._told: Place | None = None
        self._told_ms = 0
        self._choice = ""
        self._asked = 0
        self._cause = "callback"

    @property
    def queued(self) -> bool:
        """A person may still come."""
        return self._state is _State.QUEUED

    def apologise(self) -> None:
        """The caller was with a person whose line broke."""
        self._say(self._announcements.person_lost)

    def announce(self, place: Place) -> None:
        """The caller has this place now; it is told when there is time."""
        self._place = place

    def turn_away(self, why: NobodyWhy) -> None:
        """Nobody will come: say so, and ask what to do instead."""
        self._state = _State.TURNED_AWAY
        self._choice = f"{self._announcements.turned_away(why)} {self._keys}"
        self._ask()

    def press(self, key: str) -> None:
        """One key."""
        why = KEYS.get(key)
        if why is None or self._state is _State.LEFT or (why is LeaveWhy.CALLBACK and not self._callback):
            return
        if why is LeaveWhy.CALLBACK:
            self._say(self._announcements.called_back)
        self._leave(why)

    def on_frame(self, frame: Frame) -> None:
        """One tick of the caller's leg."""
        self._now_ms = (frame.tick + 1) * TICK_MS
        self._speaker.on_frame(frame)
        for key in frame.keys:
            self.press(key)
        if self._speaker.pending or self._state is _State.LEFT:
            return
        since_ms = self._now_ms - self._told_ms
        if self._state is _State.TURNED_AWAY:
            if since_ms >= CHOICE_MS:
                self._ask()
            return
        moved = self._place != self._told and since_ms >= MOVED_MS
        if self._place is not None and (self._told is None or moved or since_ms >= REMIND_MS):
            self._told = self._place
            self._say(f"{self._announcements.waiting(*self._place)} {self._keys}")
        else:
            self._music.feed()

    def expire(self) -> None:
        """The call has reached its longest time: say so."""
        if self._state is not _State.LEFT:
            self._cause = "longest_call"
            self._say(self._announcements.longest_call)
            self._leave(LeaveWhy.HUNG_UP)

    def gone(self) -> None:
        """The caller hung up."""
        self._state = _State.LEFT

    def close(self) -> None:
        """Somebody else has the caller. Idempotent."""
        self._speaker.drop()
        self._tasks.cancel()

    def _ask(self) -> None:
        self._asked += 1
        if self._asked > 2:
            self._leave(LeaveWhy.BOT)
        else:
            self._say(self._choice)

    def _say(self, text: str) -> None:
        self._music.fade()
        self._speaker.say(phrases_of(text))

    def _was_said(self) -> None:
        self._told_ms = self._now_ms
        if self._state is _State.LEFT:
            self._over(self._cause)

    def _leave(self, why: LeaveWhy) -> None:
        self._state = _State.LEFT
        self._left(why)
