"""One node for all spoken conversations."""

from collections.abc import Iterator

import pytest

from tests.e2e.node import Node, free_port, serving


@pytest.fixture(scope="package")
def sip_ws_port() -> int:
    """Where the node takes SIP over WebSocket."""
    return free_port()


@pytest.fixture(scope="package")
def node(tmp_path_factory: pytest.TempPathFactory, sip_ws_port: int) -> Iterator[Node]:
    """A node with its own store and customers; how it ends is part of the proof."""
    settings = f'[limits]\ncalls = 64\ncalls_per_minute = 600\n[sip]\nws_port = {sip_ws_port}\norigins = ["*"]\n'
    with serving(tmp_path_factory.mktemp("node"), settings) as node:
        yield node
