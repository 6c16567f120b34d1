"""What may help an agent: after each phrase of the caller the suggester is asked, and what it found is journalled.

A journal listener. Each call that an agent is in has one question under way at most; of the phrases that come meanwhile
the newest is asked next, and what an older one led to is not shown any more.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog

from agent_assist.desk.ports import LiveCalls
from agent_assist.suggester import Situation, Suggester
from dialog.errors import EngineError, EngineTimeout
from dialog.events import (
    CallEnded,
    EngineFailed,
    EngineRecovered,
    FinalHeard,
    Record,
    TurnUnderstood,
)
from dialog.people_events import (
    AgentJoined,
    AgentLeft,
    HandoffRequested,
    SuggestionsShown,
)

LIMIT_S = 2.0
"""Later than this a suggestion is of no use: the talk has gone on."""

PHRASES = 8
"""So many phrases of the caller are told with the newest."""

CALLS = 1_024
"""Calls that are followed at once; more than a node takes. Beyond them nothing is suggested."""

ENGINE = "suggester"

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Followed:
    """What is known of one call. `agents` who are in it; `due` is the phrase to ask about next."""

    phrases: deque[str] = field(default_factory=lambda: deque(maxlen=PHRASES + 1))
    reason: str = ""
    slots: tuple[tuple[str, str], ...] = ()
    agent: str = ""
    due: int | None = None
    asking: bool = False
    failing_since: float | None = None

    @property
    def situation(self) -> Situation:
        *before, phrase = self.phrases
        return Situation(phrase=phrase, before=tuple(before), reason=self.reason, slots=self.slots)


class Assist:
    """Asks in tasks of `tasks`, which outlive no call by more than `LIMIT_S`. `clock`: seconds, monotonic; by default
    the loop's."""

    def __init__(
        self,
        suggester: Suggester,
        calls: LiveCalls,
        tasks: asyncio.TaskGroup,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._suggester = suggester
        self._calls = calls
        self._tasks = tasks
        self._clock = clock or asyncio.get_running_loop().time
        self._followed: dict[str, _Followed] = {}

    def __call__(self, record: Record) -> None:
        """Take one record of any live call; returns at once."""
        call_id, event = record.call_id, record.event
        if isinstance(event, CallEnded):
            self._followed.pop(call_id, None)
            return
        call = self._followed.get(call_id)
        if call is None:
            if len(self._followed) >= CALLS:
                return
            call = self._followed[call_id] = _Followed()
        match event:
            case HandoffRequested():
                call.reason = event.reason
            case TurnUnderstood():
                call.slots = event.slots
            case AgentJoined():
                call.agent = event.agent
            case AgentLeft() if event.agent == call.agent:
                call.agent, call.due = "", None
            case FinalHeard(speaker="caller") if event.readings:
                call.phrases.append(event.readings[0].text)
                if call.agent:
                    self._ask(call_id, call, event.utterance)

    def _ask(self, call_id: str, call: _Followed, utterance: int) -> None:
        call.due = utterance
        if not call.asking:
            call.asking = True
            self._tasks.create_task(self._answer(call_id, call), name=f"suggest {call_id}")

    async def _answer(self, call_id: str, call: _Followed) -> None:
        try:
            while (utterance := call.due) is not None:
                call.due = None
                await self._suggest(call_id, call, utterance)
        finally:
            call.asking = False

    async def _suggest(self, call_id: str, call: _Followed, utterance: int) -> None:
        began = self._clock()
        try:
            async with asyncio.timeout(LIMIT_S):
                found = await self._suggester.suggest(call.situation)
        except TimeoutError:
            self._failed(call_id, call, EngineTimeout.code)
        except EngineError as error:
            self._failed(call_id, call, error.code)
        except Exception:  # a plug-in's fault: calls, and what else runs in the group, go on
            log.exception("suggester failed", call_id=call_id)
            self._failed(call_id, call, EngineError.code)
        else:
            self._worked(call_id, call)
            if found and call.agent and call.due is None:
                took_ms = round((self._clock() - began) * 1000)
                shown = SuggestionsShown(utterance=utterance, suggestions=tuple(found), took_ms=took_ms)
                self._calls.tell(call_id, shown)

    def _failed(self, call_id: str, call: _Followed, code: str) -> None:
        """Once: it may go on failing for the rest of the call."""
        if call.failing_since is None:
            call.failing_since = self._clock()
            self._calls.tell(call_id, EngineFailed(engine=ENGINE, code=code))

    def _worked(self, call_id: str, call: _Followed) -> None:
        if call.failing_since is not None:
            after_ms = round((self._clock() - call.failing_since) * 1000)
            call.failing_since = None
            self._calls.tell(call_id, EngineRecovered(engine=ENGINE, after_ms=after_ms))
