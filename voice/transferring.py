"""The bot has sent the caller elsewhere, and the far end is trying: music until it is known what came of it.

Most telephones hold the line meanwhile and hear none of it. Where it fails the caller is told so, and is with the bot
again. Time is the leg's audio time.
"""

from collections.abc import Callable

from dialog.announcements import Announcements
from dialog.events import Event
from voice.mind import Numbers, Strand
from voice.music import Music
from voice.ports import Frame, Leg, Mouth
from voice.speaker import Speaker, phrases_of


class Transferring:
    """`returned` is called once, when it failed and the caller has heard so; `over`, with the cause, when the call's
    time is over and the caller has heard that. Without `music` all is silent."""

    def __init__(
        self,
        leg: Leg,
        mouth: Mouth,
        music: Music | None,
        announcements: Announcements,
        numbers: Numbers,
        tasks: Strand,
        tell: Callable[[Event], None],
        returned: Callable[[], None],
        over: Callable[[str], None],
    ) -> None:
        self._tasks = tasks
        self._music = music
        self._announcements = announcements
        self._returned = returned
        self._over = over
        self._speaker = Speaker(leg, mouth, tasks, tell, self._was_said, numbers.playbacks)
        self._speaks = False
        self._expired = False

    def fail(self) -> None:
        """The caller could not be put through."""
        if not self._expired:
            self._say(self._announcements.not_put_through)

    def press(self, key: str) -> None:
        """Keys are for whoever comes next."""

    def on_frame(self, frame: Frame) -> None:
        """One tick of the caller's leg."""
        self._speaker.on_frame(frame)
        if self._music is not None and not self._speaks:
            self._music.feed()

    def expire(self) -> None:
        """The call has reached its longest time: say so."""
        if not self._expired:
            self._expired = True
            self._say(self._announcements.longest_call)

    def gone(self) -> None:
        """The caller hung up."""

    def close(self) -> None:
        """Another mind takes over, or the call is over. Idempotent."""
        self._speaker.drop()
        self._tasks.cancel()

    def _say(self, text: str) -> None:
        self._speaks = True
        if self._music is not None:
            self._music.fade()
        self._speaker.say(phrases_of(text))

    def _was_said(self) -> None:
        if self._expired:
            self._over("longest_call")
        else:
            self._returned()
