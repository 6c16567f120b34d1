"""Compiled kernels of sources that are no more do not pile up."""

import os
from pathlib import Path

from tools.kernels import WEEK_S, stale

NOW_S = 2_000_000_000.0


def folder(cache: Path, name: str, age_s: float) -> Path:
    made = cache / name
    made.mkdir()
    os.utime(made, (NOW_S - age_s, NOW_S - age_s))
    return made


def test_old_folders_of_other_sources_are_stale(tmp_path: Path) -> None:
    current = folder(tmp_path, "0123456789abcdef", 2 * WEEK_S)
    folder(tmp_path, "1123456789abcdef", WEEK_S - 1)
    gone = folder(tmp_path, "2123456789abcdef", WEEK_S + 1)
    folder(tmp_path, "of_somebody_else", 2 * WEEK_S)
    assert stale(tmp_path, [current], NOW_S) == [gone]


def test_there_may_be_no_cache(tmp_path: Path) -> None:
    assert stale(tmp_path / "none", [], NOW_S) == []
