"""Resolve the dependencies again: `make lock` writes `requirements/*.lock`.

The locks name versions and hashes and no address, so they hold for any mirror. One version of a package serves every
Python from 3.11 on wherever there is one; the test tools share the server's versions.
"""

import subprocess
import sys
from pathlib import Path

LOCKS = Path("requirements")
OPTIONS = ("--universal", "--fork-strategy", "fewest", "--generate-hashes", "--no-header", "--no-annotate")
NO_ADDRESS = ("--no-emit-index-url", "--no-emit-find-links")
COMPILATIONS = {
    "server": ("--python-version=3.11", "pyproject.toml", "requirements/bootstrap.in"),
    "test": (
        *("--python-version=3.11", "--extra=test", "--constraints=requirements/server.lock"),
        *("pyproject.toml", "requirements/bootstrap.in"),
    ),
    "bootstrap": (
        *("--python-version=3.11", "--constraints=requirements/server.lock"),
        "requirements/bootstrap.in",
    ),
    "rasa": (
        *("--python-version=3.10", "--overrides=requirements/rasa-overrides.txt"),
        "requirements/rasa.in",
    ),
}


def main() -> int:
    """Compile every lock; stops at the first that does not resolve. `--upgrade` takes newer versions too."""
    uv = Path(sys.prefix) / "bin" / "uv"
    for name, arguments in COMPILATIONS.items():
        print(f"{name}.lock")
        output = f"--output-file={LOCKS / name}.lock"
        command = [str(uv), "pip", "compile", "--quiet", *OPTIONS, *NO_ADDRESS, *arguments, *sys.argv[1:], output]
        compiled = subprocess.run(command, stdout=subprocess.DEVNULL)
        if compiled.returncode != 0:
            return compiled.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
