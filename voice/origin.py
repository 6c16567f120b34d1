"""Refuses to start when one of our four top-level packages comes from elsewhere.

`dialog`, `dsp` and the others are ordinary words: packages on public registries install modules of the same names,
and half of theirs with half of ours would fail far from the cause.
"""

from importlib.util import find_spec
from pathlib import Path

from dialog.errors import ConfigurationError

PACKAGES = ("voice", "dialog", "dsp", "agent_assist")


def check_origin(home: Path | None = None) -> None:
    """Raise ConfigurationError naming the stranger, unless all four packages lie beside each other in `home`."""
    home = home or Path(__file__).resolve().parents[1]
    for name in PACKAGES:
        spec = find_spec(name)
        origin = Path(spec.origin).resolve() if spec is not None and spec.origin is not None else None
        if origin != home / name / "__init__.py":
            raise ConfigurationError(
                f"package {name} comes from {origin or 'nowhere'}, not from {home}; "
                "install Centralino in an environment of its own (make setup does)"
            )
