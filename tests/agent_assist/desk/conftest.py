"""A house for each test."""

from collections.abc import Iterator

import pytest

from tests.agent_assist.desk.house import House


@pytest.fixture
def house() -> Iterator[House]:
    house = House()
    yield house
    house.close()
