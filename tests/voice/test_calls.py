"""Admission: what a node refuses, and that its memory of callers is bounded."""

from voice.calls import RateLimit


def test_calls_of_one_address_are_counted_over_a_sliding_minute() -> None:
    rate = RateLimit(2)
    assert [rate.take("192.0.2.1", now) for now in (0.0, 1.0, 2.0, 60.5)] == [True, True, False, True]


def test_addresses_do_not_count_for_each_other() -> None:
    rate = RateLimit(1)
    assert rate.take("192.0.2.1", 0.0)
    assert rate.take("192.0.2.2", 0.0)


def test_a_flood_of_addresses_is_forgotten_from_the_oldest() -> None:
    rate = RateLimit(1)
    for number in range(20_000):
        rate.take(str(number), 0.0)
    assert rate.take("0", 0.0), "forgotten"
    assert not rate.take("19999", 0.0), "remembered"
