"""The closing line of a test run."""

from pathlib import Path

import pytest

from tools.verdict import Verdict, judge, read

CASES = {
    "passed": "<testcase/>",
    "failed": "<testcase><failure/></testcase>",
    "error": "<testcase><error/></testcase>",
    "skipped": "<testcase><skipped/></testcase>",
}


def report(folder: Path, *outcomes: str, name: str = "units.xml") -> Path:
    path = folder / name
    path.write_text(f"<testsuites><testsuite>{''.join(CASES[o] for o in outcomes)}</testsuite></testsuites>")
    return path


def test_a_report_is_counted(tmp_path: Path) -> None:
    path = report(tmp_path, "passed", "passed", "failed", "error", "skipped")
    assert read(path) == Verdict(2, 2, 1)


def test_reports_of_several_runs_are_added_up_and_none_may_be_absent(tmp_path: Path) -> None:
    units = report(tmp_path, "passed", "passed", "failed")
    e2e = report(tmp_path, "passed", "skipped", name="e2e.xml")
    assert read(units, e2e) == Verdict(3, 1, 1)
    e2e.unlink()
    assert read(units, e2e) is None


def test_a_run_that_left_no_report_has_none(tmp_path: Path) -> None:
    assert read(tmp_path / "absent.xml") is None
    (tmp_path / "torn.xml").write_text("<testsuites><test")
    assert read(tmp_path / "torn.xml") is None


@pytest.mark.parametrize(
    ("found", "status", "strict", "line"),
    [
        (Verdict(5, 0, 0), 0, True, "5 passed, 0 failed"),
        (Verdict(5, 0, 2), 0, False, "5 passed, 0 failed, 2 skipped"),
        (Verdict(5, 0, 2), 0, True, "5 passed, 2 failed"),
        (Verdict(5, 3, 0), 1, True, "5 passed, 3 failed"),
        (Verdict(5, 0, 0), 1, True, "5 passed, 1 failed"),
        (None, 2, True, "0 passed, 1 failed"),
        (None, 0, True, "0 passed, 1 failed"),
        (Verdict(0, 0, 0), 0, True, "0 passed, 1 failed"),
    ],
)
def test_the_line(found: Verdict | None, status: int, strict: bool, line: str) -> None:
    assert str(judge(found, status, strict)) == line
