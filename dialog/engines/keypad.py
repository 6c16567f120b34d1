"""The keypad bot: the same help desk by keys, in the server's own process. It answers when Rasa cannot.

It leans on nothing but the customer base: no classifier, no child. Simple keywords are understood where text arrives.
Its forms, acts and sentences are Rasa's own (`dialog/bot`), so the two bots cannot drift apart.
"""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from dialog.actions import Action, Collect, Expect, Handoff, Hangup, Reply, Say, Understood
from dialog.bot import actions, forms, phrases
from dialog.bot.customers import Customers
from dialog.numbers import digit_runs, normalise
from dialog.ports import HungUp, Keys, Returned, SessionOpened, UserTurn, Utterance

MAX_CALLS = 4_096
NO_INPUT_MS = 10_000
"""Keys take longer to find than words."""

AGAIN = "Press a key, or 9 to hear the list again."
_KEYS = {**phrases.MENU_KEYS, "9": "help"}
_KEYWORDS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (intent, re.compile(rf"\b({words})\b"))
    for intent, words in (
        ("person", "person|human|agent|operator|somebody|someone|representative"),
        ("opening_hours", "open|opening|hours|close|closed"),
        ("block_sim", "block|stolen|stole|lost|sim"),
        ("report_fault", "fault|dead|broken|not working|outage|internet|signal"),
        ("order_status", "order|ordered|delivery|parcel|package"),
        ("pay_bill", "pay|payment"),
        ("explain_bill", "bill|invoice|charge|charged|owe"),
        ("check_balance", "balance|credit|prepaid"),
        ("go_back", "back|start over|menu"),
        ("slower", "slower|slowly|slow|too fast"),
        ("repeat", "repeat|again|pardon"),
        ("goodbye", "bye|goodbye|hang up"),
        ("help", "help|options"),
    )
)


@dataclass
class _Call:
    slots: dict[str, str] = field(default_factory=dict)
    form: str = ""
    requested: str = ""
    asked_more: bool = False
    pace: float = 1.0
    last: tuple[Action, ...] = ()


@dataclass
class _Answer:
    """What a turn leads to, as it is put together."""

    say: list[str] = field(default_factory=list)
    end: Action = field(default_factory=lambda: Collect(no_input_ms=NO_INPUT_MS))
    acts: list[str] = field(default_factory=list)
    again: bool = False

    def put(self, prompt: forms.Prompt) -> None:
        self.say += prompt.say
        if prompt.person:
            self.end = Handoff(prompt.person)
        elif prompt.hangup:
            self.end = Hangup(prompt.hangup)
        else:
            self.end = Collect(Expect(prompt.expect), prompt.digits, NO_INPUT_MS)


class KeypadEngine:
    """`DialogEngine` by keys. `people`: whoever is handed over may reach somebody.

    More than `MAX_CALLS` open calls: the one begun first is forgotten.
    """

    name = "keypad"

    def __init__(self, customers: Customers, *, people: bool = False) -> None:
        self._customers = customers
        self._people = people
        self._calls: OrderedDict[str, _Call] = OrderedDict()

    async def respond(self, call_id: str, turn: UserTurn) -> Reply:
        """Answer one turn. Never raises; a customer base that cannot be reached is told to the caller."""
        if isinstance(turn, HungUp):
            self._calls.pop(call_id, None)
            return Reply(self.name, ())
        call = self._call(call_id)
        if isinstance(turn, SessionOpened):
            return self._open(call, turn)
        if isinstance(turn, Returned):
            _leave_form(call)
            return self._reply(call, _Answer([phrases.BACK, *phrases.MENU]), "returned", 1.0)
        # the customer base blocks: off the event loop
        return await asyncio.to_thread(self._answer, call, turn)

    async def take_over(self, call_id: str, turn: UserTurn) -> Reply:
        """Go on with a call that another bot had to leave at `turn`: say so, and offer the keys."""
        call = self._call(call_id)
        if isinstance(turn, SessionOpened):
            return self._open(call, turn)
        answer = _Answer([phrases.SWITCHED, *phrases.MENU])
        return self._reply(call, answer, "switched", 1.0)

    async def close(self) -> None:
        self._calls.clear()

    def _call(self, call_id: str) -> _Call:
        call = self._calls.setdefault(call_id, _Call())
        while len(self._calls) > MAX_CALLS:
            self._calls.popitem(last=False)
        return call

    def _open(self, call: _Call, turn: SessionOpened) -> Reply:
        reply = self._reply(call, _Answer(list(phrases.MENU)), "call_opened", 1.0)
        notices = (Say(text, interruptible=False) for text in phrases.opening(turn.recorded))
        return replace(reply, actions=(*notices, *reply.actions))

    def _answer(self, call: _Call, turn: UserTurn) -> Reply:
        heard = _hear(turn, call)
        answer = _Answer()
        if not (call.form and self._fill(call, heard, answer)):
            self._obey(call, heard, answer)
        return self._reply(call, answer, heard.intent, 1.0)

    def _fill(self, call: _Call, heard: forms.Heard, answer: _Answer) -> bool:
        """Take the turn as an answer to the open form; False when it is none."""
        filled = forms.fill(self._customers, call.form, call.requested, heard, call.slots)
        if filled.passed:
            return False
        _update(call.slots, filled)
        self._go_on(call, answer)
        return True

    def _go_on(self, call: _Call, answer: _Answer) -> None:
        """Ask for the next slot of the open form, or act when all are filled."""
        form = forms.FORMS[call.form]
        answer.acts.append(call.form)
        missing = [name for name in form.slots if name not in call.slots]
        if missing:
            call.requested = missing[0]
            answer.put(forms.ask(self._customers, call.form, call.requested, call.slots, keypad=True))
        else:
            call.form = ""
            self._act(call, form.act, answer)

    def _act(self, call: _Call, name: str, answer: _Answer) -> None:
        outcome = actions.perform(name, self._customers, call.slots)
        answer.acts.append(name)
        answer.say += outcome.say
        _forget(call.slots)
        if outcome.person:
            answer.say.append(forms.TO_PERSON)
            answer.end = Handoff(outcome.person)
        elif not call.form:
            answer.say += (phrases.ANYTHING_ELSE, AGAIN)
            call.asked_more = True

    def _obey(self, call: _Call, heard: forms.Heard, answer: _Answer) -> None:
        """Answer a wish; an open form goes on afterwards."""
        intent = heard.intent
        if intent in forms.TOPICS:
            call.form = forms.TOPICS[intent]
            _update(call.slots, forms.begin(self._customers, call.form, heard, call.slots))
            self._go_on(call, answer)
            return
        if intent == "" and not heard.silent and self._keep_account(call, heard):
            answer.say += (phrases.THANKS, *phrases.MENU)
            return
        reply = self._replies().get(intent)
        if reply is None:
            self._fail(call, heard, answer)
            return
        call.slots.pop(forms.FAILURES, None)
        reply(call, answer)
        if call.form and isinstance(answer.end, Collect) and not answer.again:
            self._go_on(call, answer)

    def _replies(self) -> dict[str, Callable[[_Call, _Answer], None]]:
        return {
            "opening_hours": lambda call, answer: self._act(call, "action_opening_hours", answer),
            "person": _to_person,
            "goodbye": _goodbye,
            "repeat": _repeat,
            "slower": _slower,
            "go_back": _leave,
            "help": _menu,
            "affirm": _menu,
            "deny": _deny,
        }

    def _keep_account(self, call: _Call, heard: forms.Heard) -> bool:
        number = heard.keys.rstrip("#") or "".join(digit_runs(heard.text)[-1:])
        known = len(number) == 8 and actions.has_account(self._customers, number)
        if known:
            call.slots["account_number"] = number
        return known

    def _fail(self, call: _Call, heard: forms.Heard, answer: _Answer) -> None:
        count = forms.failures(call.slots) + 1
        call.slots[forms.FAILURES] = str(count)
        answer.acts.append("action_no_input" if heard.silent else "action_not_understood")
        if heard.silent:
            answer.put(phrases.not_heard(count, keypad=True))
        else:
            answer.put(phrases.not_understood(count, people=self._people, keypad=True))

    def _reply(self, call: _Call, answer: _Answer, intent: str, confidence: float) -> Reply:
        if not (answer.again and call.last):
            call.last = (*(Say(text) for text in answer.say), answer.end)
        call.last = tuple(replace(a, pace=call.pace) if isinstance(a, Say) else a for a in call.last)
        slots = tuple((name, value) for name, value in call.slots.items() if not name.startswith("_"))
        return Reply(self.name, call.last, Understood(intent or "no_match", confidence, slots, tuple(answer.acts)))


def _hear(turn: UserTurn, call: _Call) -> forms.Heard:
    match turn:
        case Keys():
            single = turn.digits if call.form == "" or turn.digits in ("0", "*", "#") else ""
            return forms.Heard(keys=turn.digits, intent=_KEYS.get(single, ""))
        case Utterance():
            text = normalise(turn.hypotheses[0].text, homophones=call.requested in forms.NUMBERS)
            intent = next((intent for intent, words in _KEYWORDS if words.search(text)), "")
            intent = intent or ("affirm" if forms.said_yes(text) else "deny" if forms.said_no(text) else "")
            return forms.Heard(text=text, intent=intent)
        case _:
            return forms.Heard(silent=True, intent="no_input")


def _update(slots: dict[str, str], filled: forms.Filled) -> None:
    for name, value in filled.slots.items():
        if value is None:
            slots.pop(name, None)
        else:
            slots[name] = value


def _forget(slots: dict[str, str]) -> None:
    """After an act: what was confirmed once is not confirmed for the next."""
    for name in (*forms.CONFIRMS, forms.TOPIC, forms.FAILURES, forms.PROBLEM):
        slots.pop(name, None)


def _to_person(call: _Call, answer: _Answer) -> None:
    answer.acts.append("action_person")
    answer.say.append(forms.TO_PERSON)
    answer.end = Handoff("asked for a person")


def _goodbye(call: _Call, answer: _Answer) -> None:
    answer.acts.append("action_goodbye")
    answer.say.append(phrases.GOODBYE)
    answer.end = Hangup("goodbye")


def _repeat(call: _Call, answer: _Answer) -> None:
    answer.acts.append("action_repeat")
    answer.again = True


def _slower(call: _Call, answer: _Answer) -> None:
    answer.acts.append("action_slower")
    call.pace = 0.8
    answer.again = True


def _leave_form(call: _Call) -> None:
    call.form = ""
    _forget(call.slots)
    call.slots.pop(forms.PARTIAL, None)


def _leave(call: _Call, answer: _Answer) -> None:
    answer.acts.append("action_go_back")
    _leave_form(call)
    answer.say += (phrases.LEFT, *phrases.MENU)


def _menu(call: _Call, answer: _Answer) -> None:
    answer.acts.append("action_help")
    answer.say += phrases.MENU


def _deny(call: _Call, answer: _Answer) -> None:
    if call.asked_more:
        _goodbye(call, answer)
    else:
        _menu(call, answer)
