"""`centralino models`: what is known and what is here."""

from pathlib import Path

import pytest

from dialog.errors import ConfigurationError
from voice.commands.models import get, list_all
from voice.speech.models import MODELS, model_dir


def test_every_known_model_is_listed_with_its_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CENTRALINO_CACHE", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "160")
    model_dir(MODELS["moonshine-tiny"]).mkdir(parents=True)
    list_all(full=False)
    _, *rows = capsys.readouterr().out.splitlines()
    states = {row.split()[0]: row.split()[2] for row in rows}
    assert states == {name: "damaged" if name == "moonshine-tiny" else "missing" for name in MODELS}


def test_a_model_that_nobody_knows_is_named_with_those_that_are() -> None:
    with pytest.raises(ConfigurationError, match=r"model 'whisper' is not known.*moonshine-base"):
        get("whisper", "")
