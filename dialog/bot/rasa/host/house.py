"""Make this project's standard-library-only modules importable inside Rasa, and Rasa importable without TensorFlow.

`dialog` is entered into `sys.modules` by its file. Its folder is never put on the path: where the server is installed
as a package that folder is a `site-packages` of another Python, which would shadow Rasa's own numpy.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import sys
import types
from pathlib import Path

_DIALOG = Path(__file__).resolve().parents[3]
_STUBBED = frozenset({"tensorflow", "tensorflow_hub", "tensorflow_text", "keras"})


def enter_dialog():
    """After this, `import dialog.bot.actions` works here."""
    spec = importlib.util.spec_from_file_location(
        "dialog", _DIALOG / "__init__.py", submodule_search_locations=[str(_DIALOG)]
    )
    package = importlib.util.module_from_spec(spec)
    sys.modules["dialog"] = package
    spec.loader.exec_module(package)


class _AnyClass(type):
    """A class whose every attribute is such a class again, and which as a decorator changes nothing."""

    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return _AnyClass(name, (_Any,), {})

    def __call__(cls, *args, **kwargs):
        if cls.__module__ == __name__ and len(args) == 1 and callable(args[0]) and not kwargs:
            return args[0]
        return super().__call__()

    def __getitem__(cls, key):
        return cls

    def __or__(cls, other):
        return cls

    __ror__ = __or__


class _Any(metaclass=_AnyClass):
    def __init__(self, *args, **kwargs):
        pass

    def __init_subclass__(cls, **kwargs):
        pass

    def __call__(self, *args, **kwargs):
        return args[0] if len(args) == 1 and callable(args[0]) else self

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return _Any()


class _Stub(types.ModuleType):
    __path__ = []  # noqa: RUF012 (a package, so that its submodules are looked for)
    __version__ = "2.12.0"

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return _AnyClass(name, (_Any,), {})


class _StubFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in _STUBBED:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        return _Stub(spec.name)

    def exec_module(self, module):
        pass


def stand_in_for_tensorflow():
    """Rasa imports TensorFlow even where no component uses it. When it is not installed, a stand-in is imported.

    A component that does need it (DIET, TED) then fails in training; Rasa names the component.
    """
    if importlib.util.find_spec("tensorflow") is None:
        sys.meta_path.insert(0, _StubFinder())
