"""Documentation that cannot grow old: the references are what the models say, and what is linked is there."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_assist.web.app import STATIC
from tools.reference import DOCS, FILES

PAGES = (DOCS.parent / "README.md", DOCS.parent / "CHANGELOG.md", *sorted(DOCS.glob("*.md")))


@pytest.mark.parametrize("name", FILES)
def test_the_reference_is_what_the_models_say(name: str) -> None:
    assert (DOCS / name).read_text(encoding="utf-8") == FILES[name](), "run `python -m tools.reference`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_is_linked_is_there(page: Path) -> None:
    for target in re.findall(r"\]\((?!\w+://)([^)\s]+)\)", page.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        linked = page.parent / path if path else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


def anchors(page: Path) -> Iterator[str]:
    """The names of the headings, as GitHub makes them."""
    for heading in re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE):
        yield re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def test_every_page_of_the_documentation_is_named_in_the_readme() -> None:
    readme = PAGES[0].read_text(encoding="utf-8")
    assert [page.name for page in PAGES[2:] if f"(docs/{page.name})" not in readme] == []


def test_the_agents_keys_are_those_of_the_panel() -> None:
    keys = (STATIC / "agent" / "keys.js").read_text(encoding="utf-8")
    page = (DOCS / "agents.md").read_text(encoding="utf-8")
    found = re.findall(r'{ keys: "(.+?)", does: "(.+?)",', keys)
    assert len(found) == keys.count("{ keys:")
    told = [row.replace("`", "").strip("| ").split(" | ") for row in page.partition("| Key |")[2].splitlines()[2:]]
    assert told[: len(found)] == [list(row) for row in found]
