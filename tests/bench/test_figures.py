"""Figures: when they hold, and what a report says."""

import json

import pytest

from bench.figures import Figure, commit, machine, report


@pytest.mark.parametrize(
    ("value", "must", "holds"),
    [
        (899.0, "<= 900", True),
        (900.0, "<= 900", True),
        (900.1, "<= 900", False),
        (1.0, "< 1", False),
        (0.99, "<1", True),
        (3.5, ">= 3.5", True),
        (1_499.0, "<= 1_500", True),
        (-2.0, "> -3", True),
        (0.0, "== 0", True),
        (1.0, "== 0", False),
        (float("nan"), "<= 900", False),
        (float("nan"), "", True),
        (5.0, "", True),
    ],
)
def test_a_figure_holds_when_its_value_keeps_its_bound(value: float, must: str, holds: bool) -> None:
    assert Figure("figure", value, "ms", must).holds is holds


@pytest.mark.parametrize("must", ["900", "<= nine", "=< 3", "<= 3 ms", "<= 1 and >= 0"])
def test_a_bound_that_says_nothing_is_refused(must: str) -> None:
    with pytest.raises(ValueError, match="is no bound"):
        Figure("figure", 1.0, "ms", must)


def test_a_report_is_json_with_every_field() -> None:
    outcome = report("first-call", [Figure("p50", 612.0, "ms", "<= 900"), Figure("calls", 4.0, "")], 1.25)
    assert json.loads(json.dumps(outcome)) == {
        "name": "first-call",
        "commit": commit(),
        "machine": machine(),
        "load": 1.25,
        "figures": {
            "p50": {"value": 612.0, "unit": "ms", "must": "<= 900", "holds": True},
            "calls": {"value": 4.0, "unit": "", "must": "", "holds": True},
        },
    }
    assert "Python" in machine()


def test_two_figures_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="share a name"):
        report("x", [Figure("same", 1, ""), Figure("same", 2, "")], 0.0)
