"""The rate an address may have, and that the memory of addresses is bounded."""

from voice.rate import ADDRESSES, RateLimit


def test_a_burst_is_allowed_and_then_the_long_run_counts() -> None:
    rate = RateLimit(per_minute=60, burst=2)
    assert [rate.allow("192.0.2.1", now) for now in (0.0, 0.0, 0.5, 1.1)] == [True, True, False, True]


def test_addresses_do_not_count_for_each_other() -> None:
    rate = RateLimit(per_minute=1, burst=1)
    assert rate.allow("192.0.2.1", 0.0)
    assert rate.allow("192.0.2.2", 0.0)


def test_a_flood_of_addresses_is_forgotten_from_the_oldest() -> None:
    rate = RateLimit(per_minute=1, burst=1)
    for number in range(2 * ADDRESSES):
        rate.allow(str(number), 0.0)
    assert rate.allow("0", 0.0), "forgotten"
    assert not rate.allow(str(2 * ADDRESSES - 1), 0.0), "remembered"
