"""What calls cost: started minutes by the longest rate, a day's bound, and what is not counted."""

from decimal import Decimal

import pytest
from pydantic import ValidationError

from dialog.errors import Overloaded, PeerForbidden
from voice.settings.trunks import TrunkSettings
from voice.spending import DAY_S, Meter, Spending

RATES = {"0039*": "0.05", "00393*": "0.2", "0039111": "0"}


def spending(**trunk: object) -> Spending:
    return Spending("carrier", TrunkSettings.model_validate({"proxy": "carrier.invalid", "rates": RATES} | trunk))


def talked(it: Spending, number: str, now: float, seconds: float) -> Decimal:
    """What a call comes to that is answered at once and lasts so long."""
    before, meter = it.spent(now), it.open(number, now)
    meter.answered_s = now
    it.close(meter, now + seconds)
    return it.spent(now + seconds) - before


@pytest.mark.parametrize(("seconds", "minutes"), [(0.0, 1), (0.5, 1), (60.0, 1), (60.1, 2), (119.0, 2), (3_601.0, 61)])
def test_a_minute_that_has_begun_counts_as_one(seconds: float, minutes: int) -> None:
    assert talked(spending(), "0039021234", 10.0, seconds) == minutes * Decimal("0.05")


def test_the_longest_rate_counts() -> None:
    it = spending()
    prices = [it.open(number, 0.0).price for number in ("0039021234", "00393331234", "0039111", "0049301234")]
    assert prices == [Decimal(price) for price in ("0.05", "0.2", "0", "0")]


def test_what_goes_on_counts_and_is_not_cut() -> None:
    it = spending(spend_a_day="0.4")
    meter = it.open("00393331234", 0.0)
    meter.answered_s = 5.0
    it.open("0039111", 64.0)
    with pytest.raises(Overloaded, match="trunk_spend_a_day"):
        it.open("0039111", 65.5)
    assert it.spent(65.5) == Decimal("0.4")
    it.close(meter, 140.0)
    assert it.spent(1_000.0) == Decimal("0.6")


def test_calls_that_ring_may_come_to_a_minute_and_cost_nothing_if_they_do_not() -> None:
    it = spending(spend_a_day="0.4")
    ringing: list[Meter] = [it.open("00393331234", 0.0) for _ in range(2)]
    assert it.spent(30.0) == 0
    with pytest.raises(Overloaded):
        it.open("00393331234", 30.0)
    for meter in ringing:
        it.close(meter, 30.0)
    it.open("00393331234", 30.0)
    assert it.spent(31.0) == 0


def test_after_a_day_it_is_another_days() -> None:
    it = spending(spend_a_day="0.1")
    for _ in range(2):
        talked(it, "0039021234", 0.0, 50.0)
    with pytest.raises(Overloaded):
        it.open("0039021234", DAY_S + 49.0)
    it.open("0039021234", DAY_S + 50.0)
    assert it.spent(DAY_S + 50.0) == Decimal("0.1"), "since the start of the node"


def test_a_bound_that_could_not_be_kept_is_none() -> None:
    """A number without a rate might cost anything."""
    with pytest.raises(PeerForbidden, match=r"sip\.trunks\.carrier\.rates"):
        spending(spend_a_day="5").open("0049301234", 0.0)
    with pytest.raises(ValidationError, match="spend_a_day needs rates"):
        spending(spend_a_day="5", rates={})


@pytest.mark.parametrize("wrong", [{"rates": {"*": -1}}, {"rates": {"*": "nan"}}, {"spend_a_day": 0}])
def test_what_is_no_price(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        spending(**wrong)
