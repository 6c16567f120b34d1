"""The size gate."""

from pathlib import Path

from tools.gate import MAX_LINES, complaints, tracked


def test_a_file_of_600_lines_passes_and_one_more_does_not(tmp_path: Path) -> None:
    path = tmp_path / "long.py"
    path.write_text("x\n" * MAX_LINES)
    assert list(complaints([path], tmp_path)) == []
    path.write_text("x\n" * (MAX_LINES + 1))
    assert list(complaints([path], tmp_path)) == ["long.py: 601 lines, at most 600 are allowed"]


def test_a_note_of_undone_work_is_refused_and_the_word_in_a_sentence_is_not(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    note = "# " + "TODO later"
    path.write_text(f"x = 1  {note}\n# a TODO would be refused\n")
    assert list(complaints([path], tmp_path)) == [f"a.py:1: finish it or drop it: x = 1  {note}"]


def test_vendored_files_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "vendor" / "lit.js"
    path.parent.mkdir()
    path.write_text("x\n" * 1000)
    assert list(complaints([path], tmp_path)) == []


def test_this_projects_own_files_are_found() -> None:
    names = {path.name for path in tracked(Path.cwd())}
    assert {"gate.py", "test_gate.py", "bare_debian.sh"} <= names
    assert "server.lock" not in names
