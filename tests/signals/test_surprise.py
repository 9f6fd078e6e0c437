"""Surprises and event ranks agree with plain loops, and no later row or announcement changes a bit."""

from __future__ import annotations

import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares7.signals.surprise import (
    event_ranks,
    latest_before,
    mean_before,
    on_sessions,
    scaled,
    seasonal_difference,
    sequential_difference,
    standardised_surprise,
)

D = np.datetime64


def table(seed: int, rows: int = 90, names: int = 6, share: float = 0.15):
    """Surprises on a coarse grid, so that many are equal, and cells that count."""
    rng = np.random.default_rng(seed)
    values = np.round(rng.normal(size=(rows, names)), 1)
    values[rng.random(values.shape) > share] = np.nan
    return values, rng.random(values.shape) < 0.9


def plain_ranks(surprise, counts, window, min_events):
    out = np.full(surprise.shape, np.nan)
    for t, i in zip(*np.nonzero(np.isfinite(surprise) & counts), strict=True):
        pool = [
            surprise[s, j]
            for s in range(max(0, t - window), t)
            for j in range(surprise.shape[1])
            if np.isfinite(surprise[s, j]) and counts[s, j]
        ]
        smaller = sum(x < surprise[t, i] for x in pool)
        equal = sum(x == surprise[t, i] for x in pool)
        out[t, i] = (smaller + equal / 2) / len(pool) if len(pool) >= max(min_events, 1) else 0.5
    return out


@given(seed=st.integers(0, 10**6), window=st.integers(1, 40), least=st.integers(0, 12))
def test_ranks_equal_those_of_a_plain_loop(seed, window, least):
    surprise, counts = table(seed)
    got = event_ranks(surprise, counts, window, least)
    np.testing.assert_array_equal(got, plain_ranks(surprise, counts, window, least))


@given(seed=st.integers(0, 10**6), cut=st.integers(1, 90))
def test_ranks_of_a_prefix_are_the_prefix_of_the_ranks(seed, cut):
    surprise, counts = table(seed)
    whole = event_ranks(surprise, counts, 20, 5)
    np.testing.assert_array_equal(event_ranks(surprise[:cut], counts[:cut], 20, 5), whole[:cut])


@given(seed=st.integers(0, 10**6), first=st.integers(0, 69))
def test_ranks_need_the_window_before_them_and_no_more(seed, first):
    surprise, counts = table(seed)
    whole = event_ranks(surprise, counts, 20, 5)
    np.testing.assert_array_equal(
        event_ranks(surprise[first:], counts[first:], 20, 5)[20:], whole[first + 20 :]
    )


@given(seed=st.integers(0, 10**6))
def test_the_order_of_the_columns_and_a_power_of_two_change_no_rank(seed):
    surprise, counts = table(seed)
    whole = event_ranks(surprise, counts, 20, 5)
    order = np.random.default_rng(seed).permutation(surprise.shape[1])
    np.testing.assert_array_equal(event_ranks(surprise[:, order], counts[:, order], 20, 5), whole[:, order])
    np.testing.assert_array_equal(event_ranks(4.0 * surprise, counts, 20, 5), whole)


@pytest.mark.parametrize("shape", [(0, 3), (4, 0), (4, 3)])
def test_without_events_there_are_no_ranks(shape):
    empty = np.full(shape, np.nan)
    assert np.isnan(event_ranks(empty, np.ones(shape, dtype=bool))).all()


def announcements(seed: int, count: int = 60, names: int = 3):
    """Roughly quarterly announcements of some companies, some without EPS, sorted by name and day."""
    rng = np.random.default_rng(seed)
    name = np.sort(rng.integers(0, names, count))
    step = rng.integers(60, 120, count)
    day = np.concatenate([np.cumsum(step[name == i]) for i in range(names)])
    eps = np.round(rng.normal(1.0, 0.3, count), 2)
    eps[rng.random(count) < 0.1] = np.nan
    return name, D("2010-01-01") + day.astype("timedelta64[D]"), eps


def plain_difference(name, day, eps):
    out = np.full(len(eps), np.nan)
    for k in range(len(eps)):
        ages = [(int((day[k] - day[j]).astype(int)), j) for j in range(len(eps)) if name[j] == name[k]]
        found = [(age, j) for age, j in ages if 330 <= age <= 400]
        if found:
            out[k] = eps[k] - eps[min(found)[1]]
    return out


def plain_sue(name, difference):
    out = np.full(len(name), np.nan)
    for k in range(len(name)):
        history = [difference[j] for j in range(k) if name[j] == name[k]][-8:]
        defined = [float(x) for x in history if np.isfinite(x)]
        if len(defined) >= 4 and statistics.stdev(defined) >= 1e-9:
            out[k] = (difference[k] - statistics.fmean(defined)) / statistics.stdev(defined)
    return out


@given(seed=st.integers(0, 10**6))
def test_standardised_surprises_equal_those_of_a_plain_loop(seed):
    name, day, eps = announcements(seed)
    difference = seasonal_difference(name, day, eps)
    np.testing.assert_array_equal(difference, plain_difference(name, day, eps))
    np.testing.assert_allclose(
        standardised_surprise(name, difference), plain_sue(name, difference), rtol=1e-9, atol=1e-12
    )


@given(seed=st.integers(0, 10**6), days=st.integers(0, 3000))
def test_later_announcements_change_no_bit_of_earlier_ones(seed, days):
    name, day, eps = announcements(seed)
    known = day <= D("2010-01-01") + days

    def all_of(keep):
        difference = seasonal_difference(name[keep], day[keep], eps[keep])
        return [
            difference,
            standardised_surprise(name[keep], difference),
            sequential_difference(name[keep], eps[keep]),
        ]

    for whole, cut in zip(all_of(np.ones(len(day), dtype=bool)), all_of(known), strict=True):
        np.testing.assert_array_equal(cut, whole[known])


@given(seed=st.integers(0, 10**6), sessions=st.integers(1, 8))
def test_what_lies_before_an_event_equals_a_plain_loop(seed, sessions):
    rng = np.random.default_rng(seed)
    values = np.where(rng.random((12, 3)) < 0.6, rng.normal(size=(12, 3)), np.nan)
    row, name = rng.integers(-1, 12, 20), rng.integers(0, 3, 20)
    latest, mean = latest_before(values, row, name, sessions), mean_before(values, row, name, sessions, 2)
    for k, (t, i) in enumerate(zip(row, name, strict=True)):
        there = [x for x in values[max(0, t - sessions) : max(t, 0), i] if np.isfinite(x)]
        assert latest[k] == there[-1] if there else np.isnan(latest[k])
        assert mean[k] == pytest.approx(np.mean(there)) if len(there) >= 2 else np.isnan(mean[k])


def test_a_scale_that_is_missing_or_not_positive_gives_no_value():
    got = scaled(np.array([1.0, 1.0, 1.0, np.nan, 1e300]), np.array([4.0, 0.0, np.nan, 4.0, 1e-300]))
    np.testing.assert_array_equal(got, [0.25, np.nan, np.nan, np.nan, np.nan])


def test_values_out_of_range_give_no_surprise_and_no_warning():
    name, day = np.zeros(10, dtype=np.int64), D("2010-01-01") + 91 * np.arange(10)
    eps = np.array([1e308, -1e308] * 5)
    difference = seasonal_difference(name, day, np.where(np.arange(10) < 4, -eps, eps))
    assert np.isfinite(difference).sum() == 2
    assert np.isnan(standardised_surprise(name, np.where(np.isfinite(difference), 1e300, eps))).all()
    assert np.isnan(sequential_difference(name, eps)).all()


def test_events_lie_on_their_sessions_and_the_latest_defined_one_stays():
    got = on_sessions(
        np.array([1.0, 2.0, np.nan, 4.0, 5.0]), np.array([0, 0, 0, -1, 1]), np.array([1, 1, 1, 0, -1]), (2, 2)
    )
    np.testing.assert_array_equal(got, [[np.nan, 2.0], [np.nan, np.nan]])
