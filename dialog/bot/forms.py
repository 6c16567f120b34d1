"""What each topic must know before it can act, how an answer is read, and how it is asked for.

A form is a list of slots to fill. `fill` reads one answer of the caller, `ask` words the next question. Both bots use
them: Rasa's form validation and the keypad bot. Standard library only, Python 3.10 or newer.

Rules that hold here and nowhere else:
- Money and blocking need an explicit yes: a yes word with no word against it, or key 1. An intent is never enough.
- A number may come in pieces ("one two three four" - pause - "five six seven eight") and be corrected ("no, seven").
- The second failure in a row leads to the keys, the third to a person: never a loop.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from dialog.bot.actions import RECORDS_DOWN, Slots, explain_bill
from dialog.bot.customers import Account, Customers
from dialog.errors import EngineUnavailable
from dialog.numbers import digit_runs, spell

FAILURES, PARTIAL, PROBLEM, TOPIC = "_failures", "_partial", "_problem", "_topic"
"""Slots of the bot's own: failures in a row, digits heard so far, what was wrong, the intent that opened the form."""


@dataclass(frozen=True)
class Number:
    """A number that the caller must give."""

    noun: str
    length: int
    words: str


NUMBERS: Mapping[str, Number] = {
    "account_number": Number("account number", 8, "eight"),
    "line_number": Number("line number", 7, "seven"),
    "order_number": Number("order number", 5, "five"),
}


@dataclass(frozen=True)
class Form:
    """A topic: the slots it needs, in order, and the act that follows."""

    slots: tuple[str, ...]
    act: str


FORMS: Mapping[str, Form] = {
    "balance_form": Form(("account_number",), "action_tell_balance"),
    "fault_form": Form(("line_number",), "action_tell_fault"),
    "bill_form": Form(("account_number", "pay_confirmed"), "action_settle_bill"),
    "sim_form": Form(("account_number", "block_confirmed"), "action_block_sim"),
    "order_form": Form(("order_number",), "action_follow_order"),
}
TOPICS: Mapping[str, str] = {
    "check_balance": "balance_form",
    "report_fault": "fault_form",
    "explain_bill": "bill_form",
    "pay_bill": "bill_form",
    "block_sim": "sim_form",
    "order_status": "order_form",
}
"""Which form an intent opens."""

CONFIRMS = frozenset({"pay_confirmed", "block_confirmed"})
ASIDES = frozenset(
    {"opening_hours", "repeat", "slower", "help", "person", "goodbye", "hung_up", "call_opened", "returned"}
)
"""Intents that are answered at any time; the form then goes on where it was, unless the answer leads out of it."""

YES = frozenset({"yes", "yeah", "yep", "yup", "yea"})
NO = frozenset({"no", "not", "nope", "nah", "don't", "dont", "never", "stop", "cancel", "wait", "isn't"})
_CORRECTIONS = frozenset(
    {"no", "sorry", "meant", "mean", "wait", "correction", "rather", "scratch", "wrong", "actually"}
)
_CORRECTION_TAIL = 3
"""How many words may stand between a correcting word and the digits: "no, I meant four"."""


@dataclass(frozen=True)
class Heard:
    """One turn of the caller. `text` is normalised (`dialog.numbers`); `keys` is empty unless keyed."""

    text: str = ""
    keys: str = ""
    intent: str = ""
    silent: bool = False


@dataclass(frozen=True)
class Filled:
    """What a turn did to a form: slots to set (None clears); `passed` when the turn was no answer to it."""

    slots: Mapping[str, str | None] = field(default_factory=lambda: MappingProxyType({}))
    passed: bool = False


@dataclass(frozen=True)
class Prompt:
    """A question: what to say, what is expected, and how many digits.

    `person` (a reason) gives the call away instead, `hangup` (a cause) ends it.
    """

    say: tuple[str, ...]
    expect: str = "free"
    digits: int = 0
    person: str = ""
    hangup: str = ""


TO_PERSON = "One moment. I will see if a colleague is free."
"""It promises nobody: whether a person comes, the queue tells in the next sentence."""

_RECORDS_DOWN = Prompt((*RECORDS_DOWN.say, TO_PERSON), person=RECORDS_DOWN.person)
CANNOT_HEAR = Prompt(("I cannot hear you. Please call again.",), hangup="no input")


def said_yes(text: str) -> bool:
    """An explicit yes word, and no word that takes it back."""
    words = set(text.split())
    return bool(words & YES) and not words & NO


def said_no(text: str) -> bool:
    words = set(text.split())
    return bool(words & NO) and not words & YES


def begin(customers: Customers, form: str, heard: Heard, slots: Slots) -> Filled:
    """Open `form`: old confirmations fall, and a number that came with the wish is taken."""
    names = FORMS[form].slots
    changes: dict[str, str | None] = {name: None for name in names if name in CONFIRMS}
    changes |= {FAILURES: None, PARTIAL: None, PROBLEM: None, TOPIC: heard.intent or None}
    try:
        for name in names:
            if name in NUMBERS:
                for run in digit_runs(heard.text):
                    if len(run) == NUMBERS[name].length:
                        changes |= _accept(customers, name, run)
        changes |= _settle(customers, form, {**slots, **changes})
    except EngineUnavailable:
        changes[PROBLEM] = "records"
    return Filled(changes)


def fill(customers: Customers, form: str, requested: str, heard: Heard, slots: Slots) -> Filled:
    """Read one turn as an answer to the question for `requested`."""
    if heard.silent:
        return _failed(slots, "silent")
    if heard.intent == "go_back" or heard.keys == "*":
        return _back(form, requested)
    if heard.intent in ASIDES or heard.keys in ("0", "#"):
        return Filled(passed=True)
    try:
        if requested in CONFIRMS:
            return _read_confirmation(customers, form, requested, heard, slots)
        return _read_number(customers, form, requested, heard, slots)
    except EngineUnavailable:
        return Filled({PROBLEM: "records"})


def _other_topic(form: str, heard: Heard) -> bool:
    return TOPICS.get(heard.intent, form) != form


def _read_confirmation(customers: Customers, form: str, requested: str, heard: Heard, slots: Slots) -> Filled:
    runs = digit_runs(heard.text)
    if runs and len(runs[-1]) == NUMBERS["account_number"].length:
        changes = _accept(customers, "account_number", runs[-1])
        changes[requested] = None
        return Filled(changes | _settle(customers, form, {**slots, **changes}))
    if heard.keys in ("1", "2"):
        return _progress({requested: "yes" if heard.keys == "1" else "no"})
    if not heard.keys and said_yes(heard.text):
        return _progress({requested: "yes"})
    if _other_topic(form, heard):
        return Filled(passed=True)
    if not heard.keys and said_no(heard.text):
        return _progress({requested: "no"})
    return _failed(slots, "yes_or_no")


def _read_number(customers: Customers, form: str, requested: str, heard: Heard, slots: Slots) -> Filled:
    wanted = NUMBERS[requested]
    digits, corrects = (heard.keys.rstrip("#"), False) if heard.keys else _spoken_digits(heard.text, wanted.length)
    words = [word for word in heard.text.split() if not word.isdigit()]
    if _other_topic(form, heard) and (
        not digits or (len(digits) != wanted.length and len(words) > 2) or len(words) > 5
    ):
        return Filled(passed=True)
    if not digits.isdigit():
        return _failed(slots, "no_number" if heard.intent == "no_number" else "not_understood")
    partial = slots.get(PARTIAL) or ""
    if len(digits) == wanted.length:
        whole = digits
    elif partial and corrects:
        whole = partial[: -len(digits)] + digits
    else:
        whole = partial + digits
    if len(whole) > wanted.length:
        return _failed(slots, f"too_long {len(whole)}")
    if len(whole) < wanted.length:
        # a piece that adds nothing is a failure, or a caller who corrects for ever would never be helped
        if len(whole) <= len(partial):
            return _failed(slots, "", {PARTIAL: whole})
        return _progress({PARTIAL: whole})
    changes = _accept(customers, requested, whole)
    if changes[requested] is None:
        return _failed(slots, changes[PROBLEM] or "")
    return Filled(changes | _settle(customers, form, {**slots, **changes}))


def _spoken_digits(text: str, length: int) -> tuple[str, bool]:
    """The digits of an answer, a correction inside it applied; and whether it corrects what was said before it."""
    digits, corrects, since_correction = "", False, _CORRECTION_TAIL + 1
    for word in text.split():
        if not word.isdigit():
            since_correction = 0 if word in _CORRECTIONS else since_correction + 1
            continue
        if since_correction > _CORRECTION_TAIL:
            digits += word
        elif not digits:
            digits, corrects = word, True
        else:
            digits = word if len(word) >= min(len(digits), length) else digits[: -len(word)] + word
        since_correction = _CORRECTION_TAIL + 1
    return digits, corrects


def _accept(customers: Customers, name: str, number: str) -> dict[str, str | None]:
    """Set `name` to `number` when such a one exists; otherwise leave it open and say what was wrong."""
    find = {"account_number": customers.account, "line_number": customers.line, "order_number": customers.order}
    if find[name](number) is None:
        return {name: None, PARTIAL: None, PROBLEM: f"unknown {number}"}
    return {name: number, PARTIAL: None, PROBLEM: None, FAILURES: None}


def _settle(customers: Customers, form: str, slots: Mapping[str, str | None]) -> dict[str, str | None]:
    """A question that has no point any more (nothing to pay, blocked already) is answered with "none"."""
    number = slots.get("account_number")
    needs = CONFIRMS.intersection(FORMS[form].slots)
    account = customers.account(number) if number and needs else None
    if account is None:
        return {}
    return {name: "none" for name in needs if _pointless(name, account)}


def _pointless(confirm: str, account: Account) -> bool:
    return account.bill is None if confirm == "pay_confirmed" else account.sim_blocked


def _back(form: str, requested: str) -> Filled:
    """To the question before; from the first one out of the form, which is no answer to it."""
    names = FORMS[form].slots
    at = names.index(requested)
    return Filled(passed=True) if at == 0 else _progress({requested: None, names[at - 1]: None})


def _progress(slots: Mapping[str, str | None]) -> Filled:
    return Filled({FAILURES: None, PROBLEM: None, PARTIAL: None, **slots})


def _failed(slots: Slots, problem: str, more: Mapping[str, str | None] | None = None) -> Filled:
    return Filled({FAILURES: str(failures(slots) + 1), PROBLEM: problem or None, **(more or {})})


def failures(slots: Slots) -> int:
    """Failures in a row so far."""
    return int(slots.get(FAILURES) or 0)


def ask(customers: Customers, form: str, requested: str, slots: Slots, *, keypad: bool = False) -> Prompt:
    """Word the question for `requested`, by how often it failed. `keypad`: the caller is asked for keys at once."""
    problem, count = slots.get(PROBLEM) or "", failures(slots)
    if problem == "records":
        return _RECORDS_DOWN
    if count >= 3 and problem == "silent":
        return CANNOT_HEAR
    if count >= 3:
        return Prompt(("I am sorry.", TO_PERSON), person=f"no {requested} understood")
    if requested in CONFIRMS:
        return _ask_confirmation(customers, requested, slots, count, keypad)
    wanted = NUMBERS[requested]
    partial = slots.get(PARTIAL)
    if partial and not count:
        return Prompt((f"{spell(partial)}.", "Please go on."), "digits", wanted.length - len(partial))
    by_key = f"Please key the {wanted.words} digits of your {wanted.noun}" + (
        ", or press 0 for a person." if count else "."
    )
    if keypad or count >= 2:
        question = by_key
    elif count == 1:
        question = f"Please say the {wanted.words} digits of your {wanted.noun}, one by one."
    else:
        question = f"What is your {wanted.noun}?"
    return Prompt((*_apology(problem, wanted), question), "digits", wanted.length)


def _apology(problem: str, wanted: Number) -> tuple[str, ...]:
    kind, _, detail = problem.partition(" ")
    if kind == "unknown":
        return (f"I cannot find {spell(detail)}.",)
    if kind == "too_long":
        return (f"I heard {detail} digits. There are {wanted.words}.",)
    if kind == "no_number":
        return (f"Your {wanted.noun} is at the top of your bill.",)
    return {"": (), "silent": ("Are you still there?",)}.get(kind, ("Sorry, I did not get that.",))


def _ask_confirmation(customers: Customers, requested: str, slots: Slots, count: int, keypad: bool) -> Prompt:
    paying = requested == "pay_confirmed"
    wish = "pay it from your card" if paying else "block your SIM card"
    if count >= 2 or (count and keypad):
        return Prompt((f"To {wish}, press 1.", "If not, press 2. Press 0 for a person."), "yes_no")
    if count == 1:
        first = "Are you still there?" if slots.get(PROBLEM) == "silent" else "Sorry."
        return Prompt((first, f"Shall I {wish}? Please say yes or no."), "yes_no")
    question = f"Shall I {wish}? " + ("Press 1 for yes, 2 for no." if keypad else "Please say yes or no.")
    if not paying:
        return Prompt((question,), "yes_no")
    try:
        bill = explain_bill(customers, slots).say
    except EngineUnavailable:
        return _RECORDS_DOWN
    return Prompt((*(bill if slots.get(TOPIC) != "pay_bill" else bill[:1]), question), "yes_no")
