"""The bench command over a package of made benches, and the list of the real ones."""

import json
import sys
from collections.abc import Iterator
from importlib import import_module, invalidate_caches
from pathlib import Path
from types import ModuleType

import pytest

from bench.__main__ import benches, main

MADE = '''"""How long a made thing takes.

More about it.
"""

from bench.figures import Figure


def add_arguments(parser):
    parser.add_argument("--value", type=float, default=5.0)


def run(options):
    return [Figure("p50", options.value, "ms", "<= 10"), Figure("count", 3, "")]
'''


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A package with one bench, `made-thing`, and a helper module that is no bench."""
    folder = tmp_path / "made_benches"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "made_thing.py").write_text(MADE)
    (folder / "helper.py").write_text('"""Not a bench."""\n\n\ndef walk() -> None: ...\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    invalidate_caches()
    yield import_module("made_benches")
    for name in [name for name in sys.modules if name.startswith("made_benches")]:
        del sys.modules[name]


def test_without_a_name_the_benches_are_listed(package: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([], package) == 0
    out = capsys.readouterr().out
    assert "made-thing" in out
    assert "How long a made thing takes." in out
    assert "helper" not in out
    assert "More about it" not in out


def test_every_real_bench_says_in_a_line_what_it_measures() -> None:
    known = benches(Path(__file__).parents[2] / "bench")
    assert "kernels" in known
    assert all(line.endswith(".") for line in known.values())
    assert not {"figures", "rivals", "--main--"} & set(known)


def test_an_unknown_name_is_one_line_and_exit_2(package: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nothing"], package) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "no bench is called 'nothing'; there are: made-thing\n"


def test_a_run_prints_a_table(package: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["made-thing"], package) == 0
    out = capsys.readouterr().out
    assert [word in out for word in ("p50", "5", "ms", "<= 10", "yes")] == [True] * 5


def test_json_is_json_and_nothing_else(package: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["made-thing", "--json", "--value", "11"], package) == 0
    outcome = json.loads(capsys.readouterr().out)
    assert set(outcome) == {"name", "commit", "machine", "load", "figures"}
    assert outcome["name"] == "made-thing"
    assert outcome["figures"]["p50"] == {"value": 11.0, "unit": "ms", "must": "<= 10", "holds": False}


def test_check_exits_1_when_a_figure_does_not_hold(package: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["made-thing", "--check"], package) == 0
    assert main(["made-thing", "--check", "--value", "11"], package) == 1
    assert "NO" in capsys.readouterr().out


def test_record_keeps_the_run_with_its_date(package: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["made-thing", "--record", "--json"], package) == 0
    kept = json.loads((Path(package.__path__[0]) / "results" / "made-thing.json").read_text())
    date = kept.pop("date")
    assert date.startswith("20")
    assert date.endswith("+00:00")
    assert kept == json.loads(capsys.readouterr().out)
