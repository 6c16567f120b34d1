"""What runs inside Rasa's Python leans on nothing but the standard library, and on no syntax newer than 3.10."""

import ast
import sys
from pathlib import Path

import pytest

import dialog

ROOT = Path(dialog.__file__).parent
SHARED = [ROOT / "numbers.py", ROOT / "errors.py", *sorted((ROOT / "bot").glob("*.py"))]
OURS = {"dialog.numbers", "dialog.errors", "dialog.bot"}
NEWER = {
    ("enum", "StrEnum"),
    ("datetime", "UTC"),
    ("typing", "Self"),
    ("typing", "assert_never"),
    ("typing", "override"),
}
"""Names that came after 3.10 and are easily reached for; the Rasa tests import the modules in 3.10 besides."""


@pytest.mark.parametrize("path", SHARED, ids=lambda path: path.stem)
def test_shared_modules_need_only_python_3_10(path: Path) -> None:
    tree = ast.parse(path.read_text(), feature_version=(3, 10))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            modules = [node.module or ""]
            assert not {(node.module, alias.name) for alias in node.names} & NEWER
        else:
            continue
        for module in modules:
            if module.startswith("dialog"):
                assert any(module == ours or module.startswith(f"{ours}.") for ours in OURS), module
                assert not module.startswith("dialog.bot.rasa"), module
            else:
                assert module.partition(".")[0] in sys.stdlib_module_names - {"tomllib"}, module


def test_the_scripts_for_rasa_are_written_for_3_10_too() -> None:
    scripts = sorted((ROOT / "bot" / "rasa").rglob("*.py"))
    assert {"serve.py", "train.py", "voice_channel.py", "actions.py"} <= {script.name for script in scripts}
    for script in scripts:
        ast.parse(script.read_text(), feature_version=(3, 10))
