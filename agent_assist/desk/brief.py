"""Everything said so far in at most 60 words, for the agent whom a call rings: told by rule from the journal.

In this order: why a person is wanted, what the caller wanted of the bot, what is known, what the bot told or did, who
had the call before, and what stands open. The bot's own sentences are retold; what the caller said is quoted only
where the bot made nothing of it. A bot of other intents is told in its own names.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import chain

from agent_assist.desk.messages import Brief
from dialog.bot import forms, phrases
from dialog.events import (
    CallStarted,
    Event,
    FinalHeard,
    KeysPressed,
    Record,
    ReplyGiven,
    TurnUnderstood,
)
from dialog.people_events import AgentLeft, NoteWritten

WORDS = 60
_PART_WORDS = 14
"""No part but what the bot told takes more than this; that takes what is left."""

_WISHES_TOLD = 3

_REASONS = {
    "asked for a person": "Asked for a person",
    "not understood": "Was not understood",
    "records unavailable": "The bot could not reach its records",
}
_WISHES = {
    "opening_hours": "the opening hours",
    "check_balance": "the balance",
    "report_fault": "a fault seen to",
    "explain_bill": "a bill explained",
    "pay_bill": "a bill paid",
    "block_sim": "a SIM card blocked",
    "order_status": "news of an order",
}
_STEERING = frozenset(
    "person affirm deny inform no_number repeat slower go_back help greet thanks goodbye call_opened keys no_input"
    " hung_up returned".split()
)
"""Intents that are no wish; by these names bots commonly know them."""

_UNSET = frozenset({"", "none", "None"})
_LOST = frozenset({"nlu_fallback", "no_match", "out_of_scope"})
_WISH_OF_FORM = {form: intent for intent, form in reversed(tuple(forms.TOPICS.items()))}
_SENTENCE = re.compile(r"(?<=[.?!])\s+")
_FIXED = frozenset(chain.from_iterable(_SENTENCE.split(text) for text in phrases.fixed()))
_NO_NEWS = re.compile(r"(?i)(please|press|to .*press|if not|sorry|i am sorry|hello|i heard|there are \w+\.$)\b")
"""How sentences begin that steer the talk and tell nothing."""

_RETOLD = (
    (re.compile(r"^(?:All right|Done|Thank you)[,.] "), ""),
    (re.compile(r"\bI have\b"), "the bot has"),
    (re.compile(r"\bI (?=(?:will|can|cannot)\b)"), "the bot "),
    (re.compile(r"\b[Yy]our\b"), "the caller's"),
)


def brief(records: Sequence[Record], *, reason: str, skill: str, waited_s: int) -> Brief:
    """What the screen shows of a call before it is answered. `reason` and `skill` are the bot's."""
    events = [record.event for record in records]
    started = next((event for event in events if isinstance(event, CallStarted)), None)
    slots = next((event.slots for event in reversed(events) if isinstance(event, TurnUnderstood)), ())
    return Brief(
        caller=started.caller if started else "",
        transport=started.transport if started else "",
        bot=started.bot if started else "",
        reason=reason,
        skill=skill,
        summary=_summary(events, reason, slots),
        slots=slots,
        waited_s=waited_s,
    )


def _summary(events: Sequence[Event], reason: str, slots: Sequence[tuple[str, str]]) -> str:
    wanted, known, before, still_open = _wanted(events), _known(slots), _before(events), _open(events)
    why = _sentence(_REASONS.get(reason, _words(reason)))
    told = list(_told(events))
    if not (wanted or known or told or before or still_open):
        return " ".join(filter(None, (why, "Nothing else was said yet.")))
    around = [_clip(part, _PART_WORDS) for part in (why, wanted, known, before, still_open)]
    left = WORDS - sum(_count(part) for part in around)
    return " ".join(filter(None, (*around[:3], *_latest(told, left), *around[3:])))


def _wanted(events: Sequence[Event]) -> str:
    """The caller's last wishes in order, each once."""
    wishes: dict[str, None] = {}
    for event in events:
        if isinstance(event, TurnUnderstood):
            form = next((action for action in event.actions if action in _WISH_OF_FORM), "")
            intent = _WISH_OF_FORM.get(form, "") if event.intent in _STEERING else event.intent
            if intent and intent not in _LOST and not (event.intent in _STEERING and wishes):
                wishes[_WISHES.get(intent, f'"{_words(intent)}"')] = None
    return _sentence(f"Wanted {', then '.join(list(wishes)[-_WISHES_TOLD:])}") if wishes else ""


def _known(slots: Sequence[tuple[str, str]]) -> str:
    """What the bot was told, numbers in groups that can be read out."""
    known = [f"{_words(name)} {_clip(_grouped(value), 6)}" for name, value in slots if value not in _UNSET]
    return _sentence("; ".join(known)) if known else ""


def _told(events: Sequence[Event]) -> Iterator[str]:
    """What the bot told or did since the caller first said something, as sentences of a third person."""
    heard, told = False, set[str]()
    for event in events:
        heard = heard or isinstance(event, FinalHeard | KeysPressed)
        if not (isinstance(event, ReplyGiven) and heard):
            continue
        for sentence in _SENTENCE.split(event.text):
            if sentence in _FIXED or sentence.endswith("?") or _NO_NEWS.match(sentence) or _count(sentence) < 3:
                continue
            if re.search("[a-z]{2}", sentence) and sentence not in told:
                told.add(sentence)
                yield _retold(sentence)


def _before(events: Sequence[Event]) -> str:
    """Who had the call last, and what they wrote down last."""
    left = next((event for event in reversed(events) if isinstance(event, AgentLeft)), None)
    note = next((event for event in reversed(events) if isinstance(event, NoteWritten)), None)
    if note is not None:
        return f"{note.agent} noted: {_quoted(note.text, _PART_WORDS - 2)}."
    return f"Was with {left.agent}." if left is not None else ""


def _open(events: Sequence[Event]) -> str:
    """The question that the bot had asked when a person was wanted, or the words it made nothing of."""
    turns = [event for event in events if isinstance(event, TurnUnderstood)]
    if turns and turns[-1].intent in _LOST:
        heard = next((event for event in reversed(events) if isinstance(event, FinalHeard) and event.readings), None)
        if heard is not None:
            return f"Last words: {_quoted(heard.readings[0].text, _PART_WORDS - 2)}."
    replies = [event.text for event in events if isinstance(event, ReplyGiven)]
    for text in reversed(replies[-2:]):
        sentences = [s for s in _SENTENCE.split(text) if s not in _FIXED]
        asked = [s for s in sentences if s.endswith("?")] or [s for s in sentences if s.startswith("Please key")]
        if asked:
            return _sentence(f"Open: {_quoted(asked[-1], _PART_WORDS - 1)}")
    return ""


def _retold(sentence: str) -> str:
    retold = sentence
    for pattern, words in _RETOLD:
        retold = pattern.sub(words, retold)
    if re.search(r"\b(I|my|me|you)\b", retold):
        return f"The bot said {_quoted(sentence, WORDS)}."
    return retold[:1].upper() + retold[1:]


def _latest(sentences: Sequence[str], words: int) -> list[str]:
    """As many of the last sentences as fit; the very last is cut rather than left out."""
    kept: list[str] = []
    for sentence in reversed(sentences):
        if _count(sentence) > words:
            if not kept and words > 4:
                kept.insert(0, _clip(sentence, words))
            break
        words -= _count(sentence)
        kept.insert(0, sentence)
    return kept


def _grouped(value: str) -> str:
    """A long number as people write it: in groups of four, or of three with the rest in the last."""
    if not (value.isascii() and value.isdecimal() and len(value) > 5):
        return value
    if len(value) % 4 == 0:
        return re.sub(r"(?<=\d)(?=(?:\d{4})+$)", " ", value)
    return re.sub(r"(\d{3})(?=\d{3})", r"\1 ", value)


def _words(name: str) -> str:
    return name.replace("_", " ").strip()


def _sentence(text: str) -> str:
    text = text.strip()
    return "" if not text else text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?", '?"')) else ".")


def _quoted(text: str, words: int) -> str:
    return f'"{_clip(text.strip(), words).rstrip(".")}"'


def _count(text: str) -> int:
    return len(text.split())


def _clip(text: str, words: int) -> str:
    kept = text.split()
    return " ".join(kept) if len(kept) <= words else " ".join(kept[:words]) + "…"
