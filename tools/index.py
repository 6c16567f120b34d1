"""Hand pip's settings for the package registry on to uv, which does not read them.

A user whose registry is reached through pip's configuration (a mirror, a wheel folder, a certificate) gets the same
through uv. A setting made for uv itself always wins. Nothing is written to any file.
"""

import ast
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

#: pip's option to uv's variable; in pip several values stand on one line, and uv takes them the same way
OPTIONS = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "cert": "SSL_CERT_FILE",
    "trusted-host": "UV_INSECURE_HOST",
    "proxy": "ALL_PROXY",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "timeout": "UV_HTTP_TIMEOUT",
}
#: older names that a user may have set for uv instead
ALIASES = {"UV_DEFAULT_INDEX": "UV_INDEX_URL", "UV_INDEX": "UV_EXTRA_INDEX_URL"}


def pip_settings(python: Path) -> dict[str, str]:
    """What `pip config list` says: option to value, the environment's over the user's over the site's."""
    listed = subprocess.run([str(python), "-m", "pip", "config", "list"], capture_output=True, text=True)
    settings: dict[str, str] = {}
    ranks: dict[str, int] = {}
    for line in listed.stdout.splitlines():
        key, _, value = line.partition("=")
        section, _, option = key.strip().rpartition(".")
        rank = {":env:": 3, "install": 2, "global": 1}.get(section, 0)
        if rank > ranks.get(option, 0):
            ranks[option] = rank
            settings[option] = str(ast.literal_eval(value))
    return settings


def uv_environment(settings: Mapping[str, str], environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The variables to add for uv, given pip's settings and the variables that are already there."""
    added: dict[str, str] = {}
    for option, variable in OPTIONS.items():
        value = " ".join(part for part in settings.get(option, "").split() if _reachable(part))
        if value and variable not in environment and ALIASES.get(variable) not in environment:
            added[variable] = value
    if "UV_INDEX" in added:
        # pip takes the best version of any index; the lock's hashes say which file that may be
        added["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    return added


def _reachable(value: str) -> bool:
    """Whether a local folder is there (pip passes over one that is not, uv stops); an address is taken as it is."""
    local = value.removeprefix("file://")
    return not local.startswith("/") or Path(local).exists()
