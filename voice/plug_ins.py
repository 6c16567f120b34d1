"""Plug-ins: what other distributions offer by a name, as entry points. Only the one that is wanted is imported."""

from importlib.metadata import EntryPoint, entry_points

from dialog.errors import ConfigurationError


def find_plug_in(group: str, name: str) -> EntryPoint | None:
    """The plug-in of that name; None where nothing installed offers one."""
    return next(iter(entry_points(group=group, name=name)), None)


def load_plug_in(plug_in: EntryPoint, setting: str) -> object:
    """What the plug-in names, imported. Raises ConfigurationError where it cannot be; `setting` is who wants it."""
    try:
        loaded: object = plug_in.load()
    except (ImportError, AttributeError, SyntaxError, OSError) as error:
        why = " ".join(f"{type(error).__name__}: {error}".split())
        raise ConfigurationError(
            f"{setting}: the plug-in {plug_in.name!r} ({plug_in.value}) cannot be loaded ({why}); "
            "install what it needs, or name another"
        ) from error
    return loaded
