"""Plug-ins by name: found, imported, and refused in one line that says who wants which, and why it cannot be had."""

from pathlib import Path

import pytest

from agent_assist.desk.ports import LeaveWhy
from dialog.errors import ConfigurationError
from voice.bots import check_engine
from voice.plug_ins import find_plug_in, load_plug_in

GROUP = "centralino.dialogs"
LINES = {
    "good": "agent_assist.desk.ports:LeaveWhy",
    "absent": "no_such_module:Bot",
    "nameless": "agent_assist.desk.ports:Bot",
    "needy": "needy_bot:Bot",
    "broken": "broken_bot:Bot",
}


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution with plug-ins of every kind."""
    (tmp_path / "needy_bot.py").write_text("import a_library_nobody_has\n")
    (tmp_path / "broken_bot.py").write_text("def Bot(:\n")
    about = tmp_path / "several-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: several\nVersion: 1.0\n")
    points = "\n".join(f"{name} = {value}" for name, value in LINES.items())
    (about / "entry_points.txt").write_text(f"[{GROUP}]\n{points}\n")
    monkeypatch.syspath_prepend(tmp_path)


def test_a_plug_in_is_found_by_its_name_and_imported() -> None:
    found = find_plug_in(GROUP, "good")
    assert found is not None
    assert load_plug_in(found, "dialog.engine") is LeaveWhy
    assert find_plug_in(GROUP, "nobody") is None


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("absent", "No module named 'no_such_module'"),
        ("nameless", "AttributeError"),
        ("needy", "No module named 'a_library_nobody_has'"),
        ("broken", "SyntaxError"),
    ],
)
def test_one_that_cannot_be_imported_is_a_wrong_setting_in_one_line(name: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why) as raised:
        check_engine(name)
    line = str(raised.value)
    assert line.startswith(f"dialog.engine: the plug-in {name!r} ({LINES[name]}) cannot be loaded (")
    assert "\n" not in line
