"""Documentation that cannot grow old: the references are what the models say."""

import pytest

from tools.reference import DOCS, FILES


@pytest.mark.parametrize("name", FILES)
def test_the_reference_is_what_the_models_say(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == FILES[name](), "run `python -m tools.reference`"
