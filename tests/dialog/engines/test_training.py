"""A project is trained once per content, into a model that is known again."""

import shutil
import stat
from pathlib import Path

import pytest

from dialog.engines.training import PROJECT, Model, fingerprint, train
from dialog.errors import ConfigurationError, ModelMissing, NotReady

TRAINER = """#!/bin/sh
echo "step loading rasa"
printf '\\033[0mstep of colour\\n'

printf '%s' model > "$3/$4.tar.gz"
printf 'yes\\nno\\n' > "$3/$4.words"
"""


def program(path: Path, text: str) -> Path:
    """A stand-in for Rasa's Python: called as `python train.py PROJECT MODELS NAME`."""
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PROJECT, tmp_path / "project"))


def test_a_second_training_is_instant(project: Path, tmp_path: Path) -> None:
    python = program(tmp_path / "python", TRAINER)
    lines: list[str] = []
    model = train(project, tmp_path / "models", python, lines.append)
    assert lines == ["training the bot: loading rasa", "training the bot: of colour"]
    Model(model).verify()
    assert Model(model).words == {"yes", "no"}
    assert train(project, tmp_path / "models", tmp_path / "no python", lines.append) == model
    assert lines[-1] == f"bot is trained: {model.name}"
    (project / "data" / "nlu.yml").write_text("changed")
    assert train(project, tmp_path / "models", python, lines.append) != model


def test_the_name_follows_the_content(project: Path) -> None:
    names = {fingerprint(project)}
    (project / "new.txt").write_text("x")
    names.add(fingerprint(project))
    (project / "new.txt").rename(project / "newer.txt")
    names.add(fingerprint(project))
    assert len(names) == 3
    (project / "newer.txt").unlink()
    (project / "__pycache__").mkdir(exist_ok=True)
    (project / "__pycache__" / "x.pyc").write_bytes(b"x")
    (project / ".rasa").mkdir()
    (project / ".rasa" / "cache").write_bytes(b"x")
    assert fingerprint(project) in names


def test_what_is_missing_is_named(project: Path, tmp_path: Path) -> None:
    with pytest.raises(NotReady, match="make setup"):
        train(project, tmp_path, tmp_path / "none")
    with pytest.raises(ConfigurationError, match=r"domain\.yml"):
        train(tmp_path / "elsewhere", tmp_path)
    with pytest.raises(ModelMissing, match="centralino train"):
        Model(tmp_path / "none.tar.gz").verify()
    assert Model(tmp_path / "none.tar.gz").words == frozenset()


def test_a_faulty_project_is_told_in_rasas_words(project: Path, tmp_path: Path) -> None:
    python = program(tmp_path / "python", "#!/bin/sh\necho 'rule contradicts rule'\nexit 1\n")
    with pytest.raises(ConfigurationError, match="rule contradicts rule"):
        train(project, tmp_path / "models", python)
    assert not list((tmp_path / "models").glob("*.sha256"))


def test_the_models_words_are_those_of_the_examples(model: Path) -> None:
    Model(model).verify()
    words = Model(model).words
    assert {"yes", "balance", "stolen"} <= words
    assert "banana" not in words
