"""Compile every kernel, so that no call waits for it, and drop those of sources that are no more.

Run by set-up. Kernels are kept in a folder for each state of their sources (`dsp.kernel`), and sources change.
"""

import shutil
import time
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

from dsp.kernel import CACHE, ROOMS, ROOT, cache_folder
from dsp.warm import warm

ENGINE = "voice.media.plane"
WEEK_S = 7 * 86_400
"""Whoever goes from one branch to another and back need not wait again."""


def stale(cache: Path, current: Iterable[Path], now_s: float) -> list[Path]:
    """Folders of `cache` that are not among the `current` and older than a week."""
    folders = set(cache.glob("[0-9a-f]" * 16)) - set(current)
    return sorted(folder for folder in folders if now_s - folder.stat().st_mtime > WEEK_S)


def main() -> None:
    """Tells each step on a line of its own."""
    warm(lambda *step: print(*step, flush=True))
    print(ENGINE, flush=True)
    import_module(ENGINE)
    sources = [path for room in ROOMS for path in (ROOT / room.replace(".", "/")).rglob("*.py")]
    for folder in stale(CACHE, map(cache_folder, sources), time.time()):
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
