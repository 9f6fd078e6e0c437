"""Families against a graph search, weekly returns against a loop, whatever the input."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ares7.trials import TrialLedger, canonical, weekly
from tests.faults.trial_examples import data, trial, write

START = np.datetime64("2010-01-04", "D")
spans = st.tuples(st.integers(0, 60), st.integers(0, 15)).map(lambda s: (s[0], s[0] + s[1]))
universes = st.frozensets(st.sampled_from("ABCDEFGH"), min_size=1, max_size=6)
tried = st.tuples(universes, spans, st.integers(0, 3))
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
)
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3), max_leaves=4)
params = st.dictionaries(
    st.text(max_size=5), values | st.dictionaries(st.text(max_size=5), values, max_size=3), max_size=4
)


def share_luck(one, two):
    (names, (first, last), *_), (others, (start, end), *_) = one, two
    return len(names & others) > min(len(names), len(others)) / 2 and first <= end and start <= last


@settings(deadline=None, max_examples=60)
@given(st.lists(tried, max_size=12), universes, spans)
def test_a_family_is_whatever_a_chain_of_overlaps_reaches(trials, names, span):
    reached, ahead = set(), [(names, span)]
    while ahead:
        one = ahead.pop()
        new = {other for other in trials if other not in reached and share_luck(one, other)}
        reached |= new
        ahead += new
    with TrialLedger(Path(":memory:")) as ledger:
        for others, (first, last), x in trials:
            dates = {"first": START + first, "last": START + last}
            write(ledger, data(symbols=tuple(others), **dates), trial(x, **dates))
        family = ledger.family(data(symbols=tuple(names), first=START + span[0], last=START + span[1]))
    assert family.count == len(reached)
    assert family.distinct == len(family.sharpes) == len({x for *_, x in reached})


@given(st.sets(st.integers(0, 80), min_size=1, max_size=40), st.integers(1, 3), st.integers(0, 2**32))
def test_weekly_returns_compound_the_sessions_of_each_week(days, points, seed):
    dates = START + np.array(sorted(days))
    returns = np.random.default_rng(seed).normal(0.0, 0.02, (points, len(dates)))
    mondays, values = weekly(dates, returns)
    assert {m.astype(dt.date).weekday() for m in mondays} == {0}
    assert (np.diff(mondays) == np.timedelta64(7, "D")).all()
    for monday, column in zip(mondays, values.T, strict=True):
        inside = (dates >= monday) & (dates < monday + 7)
        expected = np.prod(1 + returns[:, inside], axis=1) - 1 if inside.any() else np.full(points, np.nan)
        np.testing.assert_allclose(column, expected, atol=1e-14)
    np.testing.assert_array_equal(weekly(dates, returns[0])[1], values[0])


@given(params)
def test_canonical_parameters_keep_their_values_and_are_canonical(given_params):
    text = canonical(given_params)
    assert json.loads(text) == given_params
    assert canonical(json.loads(text)) == text
