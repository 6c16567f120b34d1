"""Errors that leave a task group."""

import asyncio

import pytest

from dialog.errors import ConfigurationError, StoreError
from voice.tasks import sole_error


async def test_a_group_of_one_is_that_one() -> None:
    with pytest.raises(ConfigurationError, match="the port is taken") as caught, sole_error():
        async with asyncio.TaskGroup(), asyncio.TaskGroup():
            raise ConfigurationError("the port is taken") from OSError("in use")
    assert isinstance(caught.value.__cause__, OSError)


async def test_of_two_errors_none_is_lost() -> None:
    async def fail() -> None:
        raise StoreError("disk full")

    with pytest.raises(ExceptionGroup) as caught, sole_error():
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(fail())
            tasks.create_task(fail())
    assert len(caught.value.exceptions) == 2
