"""A package of one of our names from elsewhere stops the start."""

from pathlib import Path

import pytest

from dialog.errors import ConfigurationError
from voice.origin import check_origin


def test_our_own_packages_pass() -> None:
    check_origin()


def test_a_stranger_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"package voice comes from .*environment of its own"):
        check_origin(tmp_path)
