"""The client keeps IB's limits, and comes back after growing pauses."""

from __future__ import annotations

import random

import pytest

from live.client.options import HistoryPacing, Reconnect
from live.client.pacing import Backoff, HistoryPacer, RateLimit


def test_no_window_of_a_second_holds_more_messages_than_the_limit():
    limit, now, sent = RateLimit(45), 0.0, []
    for _ in range(200):
        while (delay := limit.wait(now)) > 0:
            now += delay
        sent.append(now)
    # The library counts t - first > 1 s as outside; the first 45 go at once.
    assert sent[44] == 0.0
    assert all(sent[i + 45] - sent[i] > 1.0 for i in range(len(sent) - 45))


def test_a_limit_of_zero_holds_nothing_back():
    limit = RateLimit(0)
    assert [limit.wait(0.0) for _ in range(1000)] == [0.0] * 1000


@pytest.fixture
def pacer():
    return HistoryPacer(HistoryPacing())


def test_an_identical_request_waits_fifteen_seconds(pacer):
    assert pacer.wait(100.0, 1, "daily", small=False) == 0.0
    assert pacer.wait(104.0, 1, "daily", small=False) == pytest.approx(11.0)
    assert pacer.wait(104.0, 1, "another", small=False) == 0.0
    assert pacer.wait(115.0, 1, "daily", small=False) == 0.0


def test_a_contract_has_fewer_than_six_requests_in_two_seconds(pacer):
    assert [pacer.wait(0.1 * i, 1, i, small=False) for i in range(5)] == [0.0] * 5
    assert pacer.wait(0.5, 1, 5, small=False) == pytest.approx(1.5)
    assert pacer.wait(0.5, 2, "other", small=False) == 0.0
    assert pacer.wait(2.0, 1, 5, small=False) == 0.0


def test_small_bars_count_for_ten_minutes_and_daily_bars_do_not():
    pacer = HistoryPacer(HistoryPacing(open_requests=50))
    for i in range(58):
        assert pacer.wait(i, i, i, small=True) == 0.0
        pacer.done()
    assert pacer.wait(58.0, 99, 99, small=True) == pytest.approx(542.0)
    assert pacer.wait(58.0, 99, 99, small=False) == 0.0


def test_only_so_many_requests_are_open_at_once():
    pacer = HistoryPacer(HistoryPacing(open_requests=2))
    assert [pacer.wait(0.0, i, i, small=False) for i in range(2)] == [0.0, 0.0]
    assert pacer.wait(0.0, 3, 3, small=False) > 0.0
    pacer.done()
    assert pacer.wait(0.0, 3, 3, small=False) == 0.0


def test_a_request_that_must_wait_counts_nowhere(pacer):
    for i in range(5):
        pacer.wait(0.0, 1, i, small=False)
    open_before = pacer.open
    for _ in range(10):
        assert pacer.wait(0.1, 1, "late", small=False) > 0.0
    assert pacer.open == open_before
    assert pacer.wait(2.0, 1, "late", small=False) == 0.0


def test_pauses_double_up_to_the_cap_and_jitter_only_lengthens_them():
    settings = Reconnect(first_s=1.0, factor=2.0, cap_s=10.0, jitter=0.25)
    backoff = Backoff(settings, random.Random(7))
    delays = [backoff.next_delay() for _ in range(8)]
    for delay, plain in zip(delays, [1, 2, 4, 8, 10, 10, 10, 10], strict=True):
        assert plain <= delay <= 1.25 * plain
    assert len(set(delays[4:])) == 4
    backoff.reset()
    assert 1.0 <= backoff.next_delay() <= 1.25


def test_two_clients_do_not_come_back_together():
    a, b = (Backoff(Reconnect(), random.Random(seed)) for seed in (1, 2))
    assert a.next_delay() != b.next_delay()


def test_a_gateway_that_stays_away_for_days_overflows_nothing():
    backoff = Backoff(Reconnect(), random.Random(1))
    backoff.attempts = 100_000
    assert backoff.next_delay() <= 75.0
