"""One measured figure, and the report that a run of a bench makes of its figures."""

import operator
import os
import platform
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]

_BOUND = re.compile(r"\s*(<=|>=|==|<|>)\s*(-?[\d_]+(?:\.\d+)?)\s*")
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}


@dataclass(frozen=True, slots=True)
class Figure:
    """A value with its unit and, where one is set, the bound it must keep, such as `<= 900`.

    `name` is unique in its bench; dots group (`g711_encode.batch_128.ours`). ValueError for a bound that says nothing.
    """

    name: str
    value: float
    unit: str
    must: str = ""

    def __post_init__(self) -> None:
        if self.must and _BOUND.fullmatch(self.must) is None:
            raise ValueError(f"{self.name}: {self.must!r} is no bound; write for instance '<= 900'")

    @property
    def holds(self) -> bool:
        """Whether the value keeps its bound; without a bound, always. A value that is not a number keeps none."""
        match = _BOUND.fullmatch(self.must)
        if match is None:
            return True
        return _COMPARISONS[match[1]](self.value, float(match[2]))


def commit() -> str:
    """The commit of this tree, with `+` when files differ from it; `unknown` outside a repository."""
    head = _git("rev-parse", "--short=12", "HEAD")
    if not head:
        return "unknown"
    return head + ("+" if _git("status", "--porcelain") else "")


def machine() -> str:
    """What the figures were measured on, in a few words."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = re.findall(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(), re.MULTILINE)
        model = names[0] if names else model
    return (
        f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, Python {platform.python_version()}"
    )


def load() -> float:
    """The machine's load average over the last minute: what else ran."""
    return round(os.getloadavg()[0], 2)


def report(name: str, figures: Sequence[Figure], load_before: float) -> dict[str, object]:
    """The JSON form of a run. ValueError when two figures share a name."""
    if len({figure.name for figure in figures}) != len(figures):
        raise ValueError(f"{name}: two figures share a name")
    return {
        "name": name,
        "commit": commit(),
        "machine": machine(),
        "load": load_before,
        "figures": {
            figure.name: {
                "value": figure.value,
                "unit": figure.unit,
                "must": figure.must,
                "holds": figure.holds,
            }
            for figure in figures
        },
    }


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip()
