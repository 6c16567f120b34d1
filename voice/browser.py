"""Calls from browsers: one for each connection, and each page sees its own call's journal."""

import asyncio

from dialog.errors import Overloaded, PeerForbidden
from dialog.events import Event, Record, RecordingGapped, RecordingPaused
from dialog.people_events import (
    AgentJoined,
    AgentLeft,
    AgentMissed,
    AgentRung,
    CallerPutThrough,
    HoldChanged,
    NoteWritten,
    SuggestionDismissed,
    SuggestionsShown,
    SuggestionTaken,
    SupervisionChanged,
    ThirdCalled,
    ThirdJoined,
    ThirdLeft,
    TransferFailed,
    TransferRequested,
)
from voice.browser_lines import BrowserLine, BrowserLines
from voice.call import Call
from voice.calls import Calls
from voice.config import Settings
from voice.line_test import BUSY
from voice.media.leg import MediaLeg
from voice.media.plane import MediaPlane
from voice.rate import RateLimit

KEYS_PER_MINUTE = 300
KEYS_AT_ONCE = 32
"""Keys a page may press: an account number pasted at once, and then as fast as a hand. What is beyond is dropped."""

DIALLED = "web"
"""What a click dials, for the settings' `bots`."""

NOT_FOR_CALLERS = (
    AgentMissed,
    AgentRung,
    CallerPutThrough,
    NoteWritten,
    RecordingGapped,
    SuggestionDismissed,
    SuggestionsShown,
    SuggestionTaken,
    SupervisionChanged,
    ThirdCalled,
    ThirdJoined,
    ThirdLeft,
    TransferFailed,
    TransferRequested,
)
"""What is between the desk and its agents, and what the node's keeper is to know."""


class BrowserCalls(BrowserLines):
    """Makes calls of connections; a listener of every journal, because each page is shown its own."""

    def __init__(self, settings: Settings, calls: Calls, plane: MediaPlane, tasks: asyncio.TaskGroup) -> None:
        super().__init__(plane, tasks)
        self._settings = settings
        self._calls = calls
        self._keys = RateLimit(KEYS_PER_MINUTE, burst=KEYS_AT_ONCE)
        self._by_line: dict[BrowserLine, Call] = {}
        self._by_call: dict[str, BrowserLine] = {}
        calls.expect(lambda: [line.who for line in self._lines.values() if line.leg is None])

    def __call__(self, record: Record) -> None:
        """Each browser sees its own call."""
        line = self._by_call.get(record.call_id)
        shown = None if line is None else _for_callers(record.event)
        if line is not None and shown is not None:
            line.peer.tell(record.model_copy(update={"event": shown}))

    def _admit(self, who: str) -> None:
        bot = self._settings.bot_for(DIALLED)
        if not bot:
            raise PeerForbidden(f"browsers get no bot: bots names neither {DIALLED!r} nor '*'")
        if bot == BUSY:
            raise Overloaded("this number is always busy")
        self._calls.admit(who)

    def _connected(self, line: BrowserLine, leg: MediaLeg) -> None:
        call = self._calls.start(
            leg,
            transport="browser",
            caller="browser",
            dialled=DIALLED,
            bot=self._settings.bot_for(DIALLED),
            codec=line.peer.codec_name,
            ended=lambda cause: self._call_ended(line, cause),
        )
        self._by_line[line] = call
        self._by_call[call.call_id] = line

    def _keyed(self, line: BrowserLine, digits: str) -> None:
        call = self._by_line.get(line)
        if call is not None:
            now = asyncio.get_running_loop().time()
            call.press("".join(key for key in digits if self._keys.allow(line.line_id, now)))

    def _over(self, line: BrowserLine, cause: str) -> None:
        call = self._by_line.get(line)
        if call is not None:
            call.end("caller" if cause == "hung_up" else cause)

    def _call_ended(self, line: BrowserLine, cause: str) -> None:
        call = self._by_line.pop(line)
        del self._by_call[call.call_id]
        self._close(line, cause)


def _for_callers(event: Event) -> Event | None:
    """What a caller's page may know of `event`: agents have no names there, since by those they sign in."""
    match event:
        case AgentJoined() | AgentLeft() | HoldChanged() | RecordingPaused():
            return event.model_copy(update={"agent": ""})
        case _:
            return None if isinstance(event, NOT_FOR_CALLERS) else event
