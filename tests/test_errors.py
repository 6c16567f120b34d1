"""The error tree and its boundaries: nothing else in the house catches everything."""

import ast
from collections.abc import Iterator
from pathlib import Path

from dialog import errors

ROOT = Path(__file__).parents[1]
PACKAGES = ("voice", "dialog", "dsp", "agent_assist")


def _tree(cls: type[errors.CentralinoError]) -> Iterator[type[errors.CentralinoError]]:
    yield cls
    for child in cls.__subclasses__():
        yield from _tree(child)


def _catches_all(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(
        kind is None or (isinstance(kind, ast.Name) and kind.id in ("Exception", "BaseException")) for kind in kinds
    )


def _boundaries(path: Path) -> Iterator[str]:
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)

    def walk(node: ast.AST, name: str) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ExceptHandler) and _catches_all(child):
                yield f"{module}:{name}"
            below = (
                f"{name}.{child.name}".lstrip(".")
                if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
                else name
            )
            yield from walk(child, below)

    yield from walk(ast.parse(path.read_text(encoding="utf-8")), "")


def test_codes_are_stable_and_unlike() -> None:
    codes = [cls.code for cls in _tree(errors.CentralinoError)]
    assert len(codes) == len(set(codes))


def test_a_child_of_the_tree_extends_its_parents_code() -> None:
    for cls in _tree(errors.CentralinoError):
        for child in cls.__subclasses__():
            assert cls is errors.CentralinoError or child.code.startswith(f"{cls.code}.")


def test_everything_is_caught_only_at_the_boundaries() -> None:
    found = {b for package in PACKAGES for path in (ROOT / package).rglob("*.py") for b in _boundaries(path)}
    assert found == errors.BOUNDARIES
