"""One node for most of the faults: it has to outlive them all, one after another."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.e2e.node import Node, serving
from voice.caller import Caller, open_caller


@pytest.fixture(scope="session")
def shared_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    """Room for what the storms leave half open: a quarter of the calls, each kept for half a minute."""
    with serving(tmp_path_factory.mktemp("shared"), "[limits]\ncalls = 640\ncalls_per_minute = 100\n") as node:
        yield node


@pytest.fixture
def node(shared_node: Node) -> Iterator[Node]:
    """The shared node; after each test it must not have said that anything unexpected happened."""
    before = len(shared_node.bad_lines())
    yield shared_node
    assert shared_node.bad_lines()[before:] == [], shared_node.log[-4_000:]
    assert shared_node.process.poll() is None


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[Caller]:
    """A telephone."""
    async with open_caller() as telephone:
        yield telephone
