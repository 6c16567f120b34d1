"""One call's mind: frames, texts and replies go in; speech, questions to the bot and the end of the call come out.

Everything here runs on the event loop, to completion, and time is the leg's audio time: the same frames give the
same call. What takes time (the bot's answer, rendering speech) runs as a task of the call and comes back as a call
of a method, so nobody but these methods changes the state of the turn.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Literal

from dialog.actions import Collect, Handoff, Hangup, LastWord, Reply, Say, Transfer
from dialog.announcements import Announcements
from dialog.errors import EngineError
from dialog.events import (
    BargedIn,
    EngineFailed,
    Event,
    KeysPressed,
    PlaybackStarted,
    ReplyGiven,
    SilencePassed,
    TurnTimed,
    TurnUnderstood,
)
from dialog.journal import Journal
from dialog.keys import KeyEntry
from dialog.people_events import HandoffRequested
from dialog.ports import DialogEngine, Keys, NoInput, Returned, SessionOpened, UserTurn, Utterance
from dialog.turns import Effect, Input, State, step
from voice.listener import Listener, Spoken, TurnOver, VoiceCame
from voice.mind import Numbers, Strand
from voice.ports import TICK_MS, Ears, Frame, Leg, Mouth, Played
from voice.speaker import Phrase, Speaker
from voice.speech.phrases import split_phrases

_BOT_HAS_THE_FLOOR = (State.OPENING, State.ANSWERING, State.LEAVING)

ASK_LIMIT_S = 8.0
"""The engine keeps limits of its own; this one only guards against an engine that does not."""


class CallBrain:
    """Decides what happens on one leg; `over` is called once, with the last word, when the bot has had it."""

    def __init__(
        self,
        leg: Leg,
        ears: Ears,
        mouth: Mouth,
        engine: DialogEngine,
        journal: Journal,
        announcements: Announcements,
        numbers: Numbers,
        tasks: Strand,
        over: Callable[[LastWord], None],
    ) -> None:
        self._engine = engine
        self._journal = journal
        self._tasks = tasks
        self._over = over
        self._apology = Reply("brain", (Say(announcements.our_fault), Hangup("engine")))
        self._farewell = Reply("brain", (Say(announcements.longest_call, interruptible=False), Hangup("longest_call")))
        self._speaker = Speaker(leg, mouth, tasks, self._tell_playback, self._reply_was_said, numbers.playbacks)
        self._listener = Listener(ears, "caller", numbers.caller, self._tell)
        self._entry = KeyEntry()
        self._state = State.OPENING
        self._inputs: deque[Input] = deque()
        self._now_ms = 0
        self._waiting_since_ms = 0
        self._collect = Collect()
        self._last_word: LastWord | None = None
        self._may_hurry = False
        self._turn: UserTurn | None = None
        self._reply: Reply | None = None
        self._asked = 0
        self._asking = asyncio.Lock()
        self._spoken: Spoken | None = None
        self._reply_ms = 0

    @property
    def now_ms(self) -> int:
        """Audio time of the call."""
        return self._now_ms

    @property
    def _has_ended(self) -> bool:
        return self._state is State.ENDED

    def open(self, opened: SessionOpened | Returned, now_ms: int = 0) -> None:
        """The call was answered, or the caller is back at `now_ms` of the call: the bot speaks first."""
        self._now_ms = now_ms
        self._ask(opened)

    def gone(self) -> None:
        """The caller hung up, or the leg died."""
        self._happen(Input.GONE)

    def press(self, key: str) -> None:
        """One key; before and during a notice it is not meant for us."""
        if self._state is State.OPENING:
            return
        if self._may_hurry:
            self._tell(KeysPressed(digits=key))
            self._happen(Input.HURRIED)
        elif not self._speaker.interruptible:
            return
        elif digits := self._entry.press(key, self._now_ms):
            self._entered(digits)
        else:
            self._happen(Input.KEY)

    def expire(self) -> None:
        """The call has reached its longest time: say so, then end it. Idempotent."""
        self._happen(Input.EXPIRED)

    def close(self) -> None:
        """Stop what is under way and free the recogniser's stream. Idempotent."""
        self._speaker.drop()
        self._tasks.cancel()
        self._listener.close()

    # -- what comes in ------------------------------------------------------------------------------------------

    def on_frame(self, frame: Frame) -> None:
        """One tick of the leg."""
        self._now_ms = (frame.tick + 1) * TICK_MS
        if self._has_ended:
            return
        self._speaker.on_frame(frame)
        if self._has_ended:
            return  # that was the last word
        for key in frame.keys:
            self.press(key)
        if digits := self._entry.expired(self._now_ms):
            self._entered(digits)
        free = self._state not in _BOT_HAS_THE_FLOOR
        yielding = free or (self._state is State.ANSWERING and self._speaker.interruptible)
        for heard in self._listener.on_frame(frame, yielding=yielding, floor_is_free=free):
            match heard:
                case VoiceCame():
                    self._happen(Input.VOICE)
                case TurnOver():
                    self._happen(Input.PAUSED_OUT)
                case Spoken():
                    self._understood(heard)
        waited_ms = self._now_ms - self._waiting_since_ms
        if self._state is State.LISTENING and waited_ms >= self._collect.no_input_ms and not self._listener.hears:
            self._tell(SilencePassed(waited_ms=waited_ms))
            self._turn = NoInput()
            self._happen(Input.SILENCE)

    def _understood(self, spoken: Spoken) -> None:
        if not spoken.hypotheses:
            self._happen(Input.NO_WORDS)
            return
        self._spoken = spoken
        self._turn = Utterance(spoken.hypotheses)
        self._happen(Input.WORDS)

    def _entered(self, digits: str) -> None:
        self._tell(KeysPressed(digits=digits))
        self._turn = Keys(digits)
        self._happen(Input.KEYS)

    def _reply_was_said(self) -> None:
        self._happen(Input.CLOSED if self._last_word is not None else Input.SPOKEN)

    # -- the turn -----------------------------------------------------------------------------------------------

    def _happen(self, happened: Input) -> None:
        """Run the table to rest; an effect may raise an input of its own."""
        self._inputs.append(happened)
        if len(self._inputs) > 1:
            return  # the loop below, further up the stack, takes it
        while self._inputs:
            self._state, effects = step(self._state, self._inputs[0])
            for effect in effects:
                self._do(effect, self._inputs[0])
            self._inputs.popleft()

    def _do(self, effect: Effect, happened: Input) -> None:
        match effect:
            case Effect.ASK:
                if self._turn is not None:
                    self._ask(self._turn)
            case Effect.PLAY:
                self._take(hold=False)
            case Effect.HOLD:
                self._take(hold=True)
            case Effect.YIELD:
                self._fell_silent(self._speaker.halt(), happened)
            case Effect.RESUME:
                self._resume()
            case Effect.DROP:
                self._fell_silent(self._speaker.drop(), happened)
            case Effect.WAIT:
                self._waiting_since_ms = self._now_ms
            case Effect.FORGET:
                self._listener.forget()
            case Effect.ANNOUNCE:
                self._asked += 1
                self._spoken = None
                self._answered(self._farewell, 0)
            case Effect.CLOSE:
                self._close()

    def _ask(self, turn: UserTurn) -> None:
        self._asked += 1
        if not isinstance(turn, Utterance):
            self._spoken = None  # the ledger times answers to what was said
        self._reply = None
        self._last_word = None
        self._may_hurry = False
        self._tasks.create_task(self._answer(turn, self._asked), name="dialog")

    async def _answer(self, turn: UserTurn, number: int) -> None:
        async with self._asking:  # an engine never sees two turns of one call at once
            if number != self._asked:
                return  # the caller said more before the engine was free
            started_ms = self._now_ms
            try:
                async with asyncio.timeout(ASK_LIMIT_S):
                    reply = await self._engine.respond(self._journal.call_id, turn)
            except (EngineError, TimeoutError) as error:
                code = error.code if isinstance(error, EngineError) else "engine.timeout"
                self._tell(EngineFailed(engine=self._engine.name, code=code))
                reply = self._apology
        if number == self._asked:
            self._answered(reply, self._now_ms - started_ms)

    def _answered(self, reply: Reply, took_ms: int) -> None:
        text = " ".join(action.text for action in reply.actions if isinstance(action, Say))
        understood = reply.understood
        if understood is not None:
            self._tell(
                TurnUnderstood(
                    engine=reply.engine,
                    intent=understood.intent,
                    confidence=round(understood.confidence, 3),
                    slots=understood.slots,
                    actions=understood.actions,
                )
            )
        self._tell(ReplyGiven(engine=reply.engine, text=text, took_ms=took_ms))
        self._reply = reply
        self._reply_ms = self._now_ms
        self._happen(Input.REPLY)

    def _take(self, *, hold: bool) -> None:
        """Make the reply the one that is said now, or kept for when the caller turns out to have said nothing."""
        if self._reply is None:
            return
        phrases: list[Phrase] = []
        self._collect = Collect()
        # who is to have a person gets one: what is said over the news calls nothing off, and a key leads there at once
        handing_over = any(isinstance(action, (Handoff, Transfer)) for action in self._reply.actions)
        self._may_hurry = handing_over
        for action in self._reply.actions:
            match action:
                case Say():
                    self._may_hurry = self._may_hurry and action.interruptible
                    interruptible = action.interruptible and not handing_over
                    phrases += [Phrase(p, interruptible, action.pace) for p in split_phrases(action.text)]
                case Collect():
                    self._collect = action
                case Handoff() | Transfer() | Hangup():
                    self._last_word = action
        self._reply = None
        self._entry.expect(self._collect)
        self._listener.expect(self._collect)
        if hold:
            self._speaker.hold(phrases)
        elif phrases:
            self._speaker.say(phrases)
        else:
            self._reply_was_said()

    def _fell_silent(self, played: Played | None, happened: Input) -> None:
        if played is not None and happened in (Input.VOICE, Input.KEY, Input.KEYS, Input.HURRIED):
            by: Literal["voice", "key"] = "voice" if happened is Input.VOICE else "key"
            self._tell(BargedIn(by=by, playback=played.playback, played_ms=played.played_ms))

    def _resume(self) -> None:
        if self._speaker.pending:
            self._speaker.resume()
        elif not self._asking.locked():
            self._happen(Input.UNSAID)  # nothing was cut and nothing is being made

    def _close(self) -> None:
        last_word = self._last_word or Hangup()
        if isinstance(last_word, Handoff):
            self._tell(HandoffRequested(reason=last_word.reason, skill=last_word.skill))
        self._over(last_word)

    # -- the account --------------------------------------------------------------------------------------------

    def _tell(self, event: Event) -> None:
        self._journal.append(self._now_ms, event)

    def _tell_playback(self, event: Event) -> None:
        self._tell(event)
        if isinstance(event, PlaybackStarted) and self._spoken is not None:
            spoken, self._spoken = self._spoken, None
            origin_ms = spoken.voice_end_ms
            self._tell(
                TurnTimed(
                    utterance=spoken.utterance,
                    endpoint_ms=spoken.turn_over_ms - origin_ms,
                    final_ms=spoken.final_ms - origin_ms,
                    reply_ms=self._reply_ms - origin_ms,
                    first_audio_ms=self._now_ms - origin_ms,
                )
            )
