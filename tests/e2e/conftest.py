"""One node for all spoken conversations."""

from collections.abc import Iterator

import pytest

from tests.e2e.node import Node, serving


@pytest.fixture(scope="package")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """A node with its own store and customers; how it ends is part of the proof."""
    with serving(tmp_path_factory.mktemp("node"), "[limits]\ncalls_per_minute = 600\n") as node:
        yield node
