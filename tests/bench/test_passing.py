"""The bench of bridged pairs: it measures each format both ways, and makes sure that they were two."""

import argparse

from bench import passing


def test_each_format_is_measured_passed_on_and_mixed() -> None:
    figures = {figure.name: figure.value for figure in passing.run(argparse.Namespace(pairs=1, ticks=5))}
    assert len(figures) == 3 * len(passing.FORMATS)
    assert all(value > 0 for value in figures.values())
