"""The journal: numbered without a hole, told in order, ended once; and its vocabulary."""

import pytest
from pydantic import ValidationError

from dialog.events import (
    PII_FIELDS,
    CallAnswered,
    CallEnded,
    Event,
    KeysPressed,
    PartialHeard,
    Record,
)
from dialog.journal import Journal


def test_events_are_numbered_and_told_to_every_listener_in_order() -> None:
    first: list[Record] = []
    second: list[Record] = []
    journal = Journal("c1", (first.append, second.append))
    journal.append(0, CallAnswered(codec="PCMU"))
    journal.append(40, KeysPressed(digits="1"))
    assert [(r.seq, r.at_ms, r.event.type) for r in first] == [(0, 0, "call_answered"), (1, 40, "keys_pressed")]
    assert second == first


def test_the_end_is_told_exactly_once_and_nothing_follows_it() -> None:
    told: list[Record] = []
    journal = Journal("c1", (told.append,))
    journal.append(0, CallEnded(cause="caller", duration_ms=0))
    journal.append(20, CallEnded(cause="bot", duration_ms=20))
    journal.append(20, CallAnswered(codec="PCMU"))
    assert [r.event for r in told] == [CallEnded(cause="caller", duration_ms=0)]


def test_a_record_survives_the_way_to_text_and_back() -> None:
    record = Record(call_id="c1", seq=3, at_ms=60, event=PartialHeard(utterance=1, text="my bal"))
    assert Record.model_validate_json(record.model_dump_json()) == record


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError):
        KeysPressed.model_validate({"digits": "1", "number": "1"})


def test_what_is_personal_is_named() -> None:
    fields = {name for event in Event.__args__ for name in event.model_fields}
    assert fields >= PII_FIELDS
