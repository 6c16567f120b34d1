"""python -m bench NAME [options] [--json] [--check] [--record]: measure; without a name, the list of benches.

A bench is a module of this package with `run(options) -> list[Figure]` and, when it takes options of its own,
`add_arguments(parser)`. NAME is the module's name with `-` for `_`; its first docstring line is its entry in the list.
"""

import argparse
import ast
import datetime
import importlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Protocol, cast

from rich.console import Console
from rich.table import Table

import bench
from bench.figures import Figure, load, report


class Bench(Protocol):
    """What a bench module offers; `add_arguments(parser)` besides is optional."""

    def run(self, options: argparse.Namespace) -> list[Figure]: ...


def benches(folder: Path) -> dict[str, str]:
    """Names of the benches in `folder` with their first docstring lines, read without importing them."""
    found = {}
    for path in sorted(folder.glob("*.py")):
        tree = ast.parse(path.read_text())
        if any(isinstance(node, ast.FunctionDef) and node.name == "run" for node in tree.body):
            found[path.stem.replace("_", "-")] = (ast.get_docstring(tree) or "").partition("\n")[0]
    return found


def _print_list(known: dict[str, str]) -> None:
    table = Table("python -m bench", "measures", box=None)
    for name, line in known.items():
        table.add_row(name, line)
    Console().print(table)


def _print_figures(figures: Sequence[Figure]) -> None:
    table = Table(box=None)
    table.add_column("figure", overflow="fold")
    table.add_column("value", justify="right")
    table.add_column("unit")
    table.add_column("must")
    table.add_column("holds")
    for figure in figures:
        verdict = "" if not figure.must else "yes" if figure.holds else "NO"
        table.add_row(figure.name, f"{figure.value:,.4g}", figure.unit, figure.must, verdict)
    Console().print(table)


def main(arguments: Sequence[str], package: ModuleType = bench) -> int:
    """Run the bench that `arguments` name. 0; 1 with --check when a figure does not hold; 2 for an unknown name."""
    folder = Path(package.__path__[0])
    known = benches(folder)
    if not arguments or arguments[0] in {"-h", "--help"}:
        _print_list(known)
        return 0
    name = arguments[0]
    if name not in known:
        print(f"no bench is called {name!r}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    module = importlib.import_module(f"{package.__name__}.{name.replace('-', '_')}")
    parser = argparse.ArgumentParser(prog=f"python -m bench {name}", description=known[name])
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else")
    parser.add_argument("--check", action="store_true", help="exit 1 when a figure does not hold")
    parser.add_argument("--record", action="store_true", help=f"write bench/results/{name}.json")
    if hasattr(module, "add_arguments"):
        module.add_arguments(parser)
    options = parser.parse_args(arguments[1:])

    load_before = load()
    figures = cast("Bench", module).run(options)
    outcome = report(name, figures, load_before)
    if options.json:
        print(json.dumps(outcome, indent=2))
    else:
        _print_figures(figures)
    if options.record:
        date = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        path = folder / "results" / f"{name}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({**outcome, "date": date}, indent=2) + "\n")
    return 1 if options.check and not all(figure.holds for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
