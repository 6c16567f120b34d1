"""The closing line of a test run: `N passed, N failed`, read from pytest's JUnit reports.

In CI a skipped test counts as failed: there every test peer is installed, so a skip hides a fault of the set-up.
"""

import argparse
import sys
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Verdict:
    """How many tests passed, failed (errors included) and were skipped."""

    passed: int
    failed: int
    skipped: int

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed" + (f", {self.skipped} skipped" if self.skipped else "")


def read(*reports: Path) -> Verdict | None:
    """Count the test cases of all reports; None where a run left no whole report."""
    try:
        cases = [case for report in reports for case in ET.parse(report).iter("testcase")]
    except (OSError, ET.ParseError):
        return None
    passed = failed = skipped = 0
    for case in cases:
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif case.find("skipped") is not None:
            skipped += 1
        else:
            passed += 1
    return Verdict(passed, failed, skipped)


def judge(found: Verdict | None, status: int, strict: bool) -> Verdict:
    """The verdict to print: `status` is the run's own exit status, which a report cannot talk away."""
    verdict = found or Verdict(0, 0, 0)
    if strict:
        verdict = Verdict(verdict.passed, verdict.failed + verdict.skipped, 0)
    if verdict.failed == 0 and (status != 0 or verdict.passed == 0):
        verdict = Verdict(verdict.passed, 1, verdict.skipped)
    return verdict


def main() -> int:
    """Print the line; exit 1 where anything failed."""
    parser = argparse.ArgumentParser(prog="tools.verdict", description="Print the closing line of a test run.")
    parser.add_argument("reports", type=Path, nargs="+")
    parser.add_argument("--status", type=int, default=0, help="exit status of the run")
    parser.add_argument("--strict", action="store_true", help="count skipped tests as failed")
    options = parser.parse_args()
    verdict = judge(read(*options.reports), options.status, options.strict)
    print(verdict)
    return 1 if verdict.failed else 0


if __name__ == "__main__":
    sys.exit(main())
