"""Private names of aiortc and aioice: one file touches them, and a start without one of them says what to do."""

import ast
import importlib
import inspect
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from types import CodeType

import pytest
from aioice import Candidate
from aioice.ice import CandidatePair, StunProtocol
from aiortc import RTCIceTransport

from dialog.errors import NotReady
from voice.net import aiortc_seam
from voice.net.aiortc_seam import PRIVATE, verify
from voice.net.ice_guard import IceAddress, IceGuard

ROOT = Path(__file__).parents[3]
SEAM = ROOT / "voice/net/aiortc_seam.py"
NAMES = [(owner, name) for owner, names in PRIVATE for name in names]
LIBRARIES = ("aiortc", "aioice")
THEIRS = {
    name
    for owner in (*(owner for owner, _ in PRIVATE), RTCIceTransport, StunProtocol, CandidatePair, Candidate)
    for name in (*dir(owner), *vars(owner)["__init__"].__code__.co_names)
    if name.startswith("_") and not name.startswith("__")
}
"""Every private name of the classes that we use, also those that we do not."""


def test_what_is_installed_has_them_all() -> None:
    verify()


@pytest.mark.parametrize(("owner", "name"), NAMES, ids=lambda value: getattr(value, "__name__", value))
def test_a_name_that_is_gone_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch, owner: type, name: str) -> None:
    if hasattr(owner, name):
        monkeypatch.delattr(owner, name)
    else:
        constructor = vars(owner)["__init__"]
        made: CodeType = constructor.__code__
        others = tuple("renamed" if known == name else known for known in made.co_names)
        monkeypatch.setattr(constructor, "__code__", made.replace(co_names=others))
    package = owner.__module__.partition(".")[0]
    with pytest.raises(NotReady) as refused:
        IceGuard([IceAddress("127.0.0.1")])
    told = str(refused.value)
    for part in (f"{package} {version(package)}", f"{owner.__name__}.{name}", "`make`"):
        assert part in told
    assert f"{package} {aiortc_seam.PINNED[package]}*" in told


def test_another_version_is_told_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(aiortc_seam.PINNED, "aioice", "0.99.")
    with pytest.raises(NotReady, match=r"aioice 0\.13\S* is installed .* needs? aioice 0\.99\.\*: run `make`"):
        verify()


def test_no_other_file_touches_one() -> None:
    assert list(_touched(ast.parse(SEAM.read_text()), set())), "this would see nothing at all"
    files = [path for room in ("voice", "bench") for path in (ROOT / room).rglob("*.py") if path != SEAM]
    complaints = []
    for path in files:
        text = path.read_text()
        tree = ast.parse(text)
        foreign = _foreign_classes(path) if "aiortc" in text or "aioice" in text else set()
        complaints += [f"{path.relative_to(ROOT)}:{line}: {name}" for line, name in _touched(tree, foreign)]
    assert complaints == []


def _foreign_classes(path: Path) -> set[str]:
    """The classes of a file that inherit from the libraries, at whatever remove."""
    module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    return {
        name
        for name, found in inspect.getmembers(module, inspect.isclass)
        if found.__module__ == module.__name__ and any(base.__module__.startswith(LIBRARIES) for base in found.__mro__)
    }


def _touched(tree: ast.AST, foreign: set[str]) -> Iterator[tuple[int, str]]:
    """Private names of the libraries, on anything but an object's own self where its class is not one of theirs."""
    own = {
        id(node)
        for made in ast.walk(tree)
        if isinstance(made, ast.ClassDef) and made.name not in foreign
        for node in ast.walk(made)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self"
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in THEIRS and id(node) not in own:
            yield node.lineno, node.attr
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(LIBRARIES):
            yield from ((node.lineno, alias.name) for alias in node.names if alias.name.startswith("_"))
