"""Opening hours: read, written, and looked at."""

from datetime import datetime, timedelta

import pytest

from agent_assist.desk.hours import Hours
from dialog.errors import ConfigurationError

MONDAY = datetime(2026, 11, 2)


def _at(hours: Hours, day: int, clock: str) -> bool:
    hour, minute = map(int, clock.split(":"))
    return hours.contains(MONDAY + timedelta(days=day, hours=hour, minutes=minute))


def test_the_days_and_times_that_are_named_and_no_others() -> None:
    hours = Hours.parse("mon-fri 08:00-18:00, sat 09:00-13:00")
    assert [_at(hours, day, "12:00") for day in range(7)] == [True] * 6 + [False]
    assert [_at(hours, 0, clock) for clock in ("07:59", "08:00", "17:59", "18:00")] == [False, True, True, False]
    assert [_at(hours, 5, clock) for clock in ("08:59", "09:00", "12:59", "13:00")] == [False, True, True, False]


def test_no_hours_are_all_hours() -> None:
    assert _at(Hours.parse("  "), 6, "03:00")


def test_a_night_belongs_to_the_day_it_begins_on() -> None:
    hours = Hours.parse("fri 22:00-06:00")
    assert [_at(hours, 4, "21:59"), _at(hours, 4, "22:00"), _at(hours, 5, "05:59")] == [False, True, True]
    assert [_at(hours, 5, "06:00"), _at(hours, 4, "05:00"), _at(hours, 5, "23:00")] == [False, False, False]


def test_a_range_of_days_may_go_over_the_weekend() -> None:
    hours = Hours.parse("sat-mon 00:00-24:00")
    assert [_at(hours, day, "23:59") for day in range(7)] == [True, False, False, False, False, True, True]


@pytest.mark.parametrize("text", ["mon-fri 08:00-18:00, sat 09:00-13:00", "sat-mon 00:00-24:00", "fri 22:00-06:00", ""])
def test_what_is_read_is_written_the_same(text: str) -> None:
    assert str(Hours.parse(text)) == text
    assert Hours.parse(f" {text.upper().replace(' ', '   ')} ") == Hours.parse(text)


@pytest.mark.parametrize(
    "text",
    ["always", "mon", "mon 8:00-18:00", "mon 08:00-18:00,", "mon 08:60-18:00", "mon 24:00-08:00", "mo 08:00-18:00"],
)
def test_what_cannot_be_read_names_the_setting(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^desk\.hours: "):
        Hours.parse(text)


def test_a_period_of_no_length_is_no_way_to_say_always() -> None:
    with pytest.raises(ConfigurationError, match="00:00-24:00"):
        Hours.parse("mon-sun 08:00-08:00")
