"""The throttle by a clock of the test."""

import pytest

from agent_assist.auth.throttle import Throttle, address_key
from tests.agent_assist.conftest import Clock


def test_so_many_failures_ban_for_a_while(clock: Clock) -> None:
    throttle = Throttle(clock, limit=3, window_s=60, ban_s=100)
    for _ in range(2):
        throttle.fail("a")
    assert throttle.wait_s("a") == 0
    throttle.fail("a")
    assert throttle.wait_s("a") == 100
    assert throttle.wait_s("b") == 0
    clock.now_s += 99.5
    assert throttle.wait_s("a") == 1
    clock.now_s += 0.5
    assert throttle.wait_s("a") == 0


def test_failures_far_apart_do_not_add_up(clock: Clock) -> None:
    throttle = Throttle(clock, limit=3, window_s=60)
    for _ in range(10):
        throttle.fail("a")
        throttle.fail("a")
        clock.now_s += 61
    assert throttle.wait_s("a") == 0


def test_success_forgives(clock: Clock) -> None:
    throttle = Throttle(clock, limit=2)
    throttle.fail("a")
    throttle.forgive("a")
    throttle.fail("a")
    assert throttle.wait_s("a") == 0


def test_memory_is_bounded(clock: Clock) -> None:
    throttle = Throttle(clock, limit=1, bound=100)
    for number in range(10_000):
        throttle.fail(str(number))
    assert len(throttle) == 100
    assert throttle.wait_s("9999") > 0


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("testclient", "testclient"),
    ],
)
def test_what_counts_as_one_address(address: str, key: str) -> None:
    assert address_key(address) == key
