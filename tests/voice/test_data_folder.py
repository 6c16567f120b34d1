"""The data folder belongs to one node."""

from pathlib import Path

import pytest

from dialog.errors import ConfigurationError
from voice.data_folder import held


def test_one_node_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    with held(folder), pytest.raises(ConfigurationError, match="another node serves from"), held(folder):
        pass
    with held(folder):
        assert folder.is_dir()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refusal = pytest.raises(ConfigurationError, match=r"record\.folder: .*file/data cannot be written")
    with refusal, held(tmp_path / "file" / "data"):
        pass
