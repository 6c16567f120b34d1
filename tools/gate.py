"""The size gate: no source file over 600 lines, and no note that work was left undone.

A note counts when it starts a comment, so a sentence may name the word.
"""

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

MAX_LINES = 600
ALARM_LINES = 400
SOURCES = {".py", ".js", ".css", ".html", ".sh"}
#: kept as made elsewhere
VENDORED = ("vendor",)
UNDONE = re.compile(r"(?:#|//|/\*|<!--)\s*(?:TODO|FIXME|XXX|HACK)\b")


def tracked(root: Path) -> list[Path]:
    """The project's own source files, as git knows them, with those not yet added."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = (root / name for name in listed.stdout.split("\0") if name)
    return sorted(path for path in paths if path.suffix in SOURCES and path.is_file())


def complaints(paths: Sequence[Path], root: Path) -> Iterator[str]:
    """One line for each file that is too long and each place where a note was left."""
    for path in paths:
        name = path.relative_to(root)
        if any(part in VENDORED for part in name.parts):
            continue
        lines = path.read_text(encoding="utf-8").splitlines()
        if len(lines) > MAX_LINES:
            yield f"{name}: {len(lines)} lines, at most {MAX_LINES} are allowed"
        for number, line in enumerate(lines, 1):
            if UNDONE.search(line):
                yield f"{name}:{number}: finish it or drop it: {line.strip()}"


def main() -> int:
    """Print every complaint; exit 1 where there is one."""
    root = Path.cwd()
    paths = tracked(root)
    found = list(complaints(paths, root))
    for line in found:
        print(line)
    print(f"gate: {len(paths)} files, {len(found)} complaints")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
