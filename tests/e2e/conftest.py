"""One node for all spoken conversations."""

from collections.abc import Iterator

import pytest

from tests.e2e.node import Node, free_port, serving

SETTINGS = """
[bots]
echo = "echo"
"*" = "helpdesk"
[limits]
calls = 64
calls_per_minute = 600
[sip]
ws_port = {sip_ws_port}
origins = ["*"]
"""


@pytest.fixture(scope="package")
def sip_ws_port() -> int:
    """Where the node takes SIP over WebSocket."""
    return free_port()


@pytest.fixture(scope="package")
def node(tmp_path_factory: pytest.TempPathFactory, sip_ws_port: int) -> Iterator[Node]:
    """A node with its own store and customers; how it ends is part of the proof."""
    with serving(tmp_path_factory.mktemp("node"), SETTINGS.format(sip_ws_port=sip_ws_port)) as node:
        yield node
