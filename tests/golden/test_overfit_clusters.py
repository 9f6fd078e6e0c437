"""Effective trials: copies count once, independent trials count each, clusters are scipy's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from ares7 import trial_clusters
from ares7.errors import ConfigError, DataError
from ares7.trial_clusters import effective_trials


def groups(count, members, alike, seed=1, sessions=300):
    """(count * members, sessions) returns that correlate by ``alike`` within a group, in random order."""
    rng = np.random.default_rng(seed)
    common = np.repeat(rng.normal(size=(count, sessions)), members, axis=0)
    own = rng.normal(size=common.shape)
    order = rng.permutation(len(common))
    return (np.sqrt(alike) * common + np.sqrt(1 - alike) * own)[order], np.repeat(np.arange(count), members)[
        order
    ]


def test_copies_at_any_scale_and_offset_are_one_trial():
    series = np.random.default_rng(0).normal(size=200)
    copies = np.array([series, 2 * series, 0.3 * series + 0.01, series])
    assert effective_trials(copies).count == 1


def test_independent_trials_count_each():
    rows = np.random.default_rng(0).normal(size=(80, 300))
    assert effective_trials(rows).count == 80


def test_opposite_trials_are_two():
    series = np.random.default_rng(0).normal(size=200)
    assert effective_trials(np.array([series, -series])).count == 2


def test_planted_groups_are_found():
    rows, group = groups(7, 9, 0.97)
    found = effective_trials(rows)
    assert found.count == 7
    assert len(set(zip(found.labels, group, strict=True))) == 7


def test_trials_that_hold_nothing_are_one_trial():
    rows = np.vstack([np.random.default_rng(0).normal(size=(3, 100)), np.zeros((4, 100))])
    found = effective_trials(rows)
    assert found.count == 4
    assert len(set(found.labels[3:])) == 1


@given(st.integers(2, 40), st.integers(0, 2**31), st.floats(0.05, 0.95))
@settings(max_examples=60)
def test_the_clusters_are_those_of_scipys_average_linkage(trials, seed, same):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(trials, 4)) @ rng.normal(size=(4, 60)) + 0.5 * rng.normal(size=(trials, 60))
    found = effective_trials(rows, same)
    distance = 1.0 - np.corrcoef(rows)
    np.fill_diagonal(distance, 0.0)
    plain = fcluster(linkage(squareform(distance, checks=False), "average"), 1.0 - same, "distance")
    assert found.count == len(set(plain)) == len(set(zip(found.labels, plain, strict=True)))


def test_more_trials_than_are_clustered_at_once_find_the_same_groups(monkeypatch):
    rows, group = groups(6, 20, 0.97)
    monkeypatch.setattr(trial_clusters, "CLUSTERED_AT_ONCE", 25)
    found = effective_trials(rows)
    assert found.count == 6
    assert len(set(zip(found.labels, group, strict=True))) == 6
    independent = np.random.default_rng(3).normal(size=(60, 200))
    assert effective_trials(independent).count == 60


def test_later_rounds_neither_mix_up_nor_join_groups_that_are_somewhat_alike(monkeypatch):
    rows, group = groups(30, 5, 0.97)
    rows = rows + np.random.default_rng(5).normal(size=rows.shape[1])
    monkeypatch.setattr(trial_clusters, "CLUSTERED_AT_ONCE", 12)
    found = effective_trials(rows)
    assert found.count == 30
    assert len(set(zip(found.labels, group, strict=True))) == 30


def test_wrong_input_is_refused():
    rows = np.random.default_rng(0).normal(size=(3, 50))
    with pytest.raises(ConfigError, match=r"same 1 lies outside \(0, 1\)"):
        effective_trials(rows, 1.0)
    with pytest.raises(DataError, match="at least 1 trials and 3 sessions"):
        effective_trials(rows[:, :2])
    rows[1, 4] = np.inf
    with pytest.raises(DataError, match="trial 1 in session 4 is inf"):
        effective_trials(rows)
