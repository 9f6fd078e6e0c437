"""What holds for every split, and agreement with skfolio where the conventions are the same."""

from __future__ import annotations

from functools import cache
from itertools import combinations
from math import comb

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import ares7.purged
from ares7.errors import ConfigError
from ares7.purged import combinatorial_folds, paths, purged_folds, walk_forward_windows
from ares7.sessions import sessions

gaps = st.integers(0, 6)


def rows_tested(fold, n):
    mask = np.zeros(n, dtype=bool)
    for test in fold.tests:
        mask[test] = True
    return mask


def may_train(test, purge, embargo):
    """The definition, row by row: further than the gap from every tested row, before it and behind it."""
    distance = np.flatnonzero(test)[None, :] - np.arange(len(test))[:, None]
    return np.all((distance > purge) | (distance < -(purge + embargo)), axis=1)


@given(n=st.integers(8, 90), groups=st.integers(2, 7), tested=st.integers(1, 4), purge=gaps, embargo=gaps)
def test_splits_keep_their_distance_and_test_every_row_equally_often(n, groups, tested, purge, embargo):
    assume(tested < groups <= n)
    wanted = []
    for chosen in combinations(np.array_split(np.arange(n), groups), tested):
        test = np.isin(np.arange(n), np.concatenate(chosen))
        wanted.append((test, may_train(test, purge, embargo)))
    if min(train.sum() for _, train in wanted) < 2:
        with pytest.raises(ConfigError, match="train rows are left"):
            combinatorial_folds(n, groups, tested, purge, embargo)
        return
    folds = combinatorial_folds(n, groups, tested, purge, embargo)
    for fold, (test, train) in zip(folds, wanted, strict=True):
        assert np.array_equal(rows_tested(fold, n), test)
        assert np.array_equal(fold.train, train)
    times = np.sum([rows_tested(fold, n) for fold in folds], axis=0)
    assert np.all(times == comb(groups - 1, tested - 1))


@given(groups=st.integers(2, 9), tested=st.integers(1, 5))
def test_paths_use_each_tested_group_of_each_split_once_and_cover_every_group(groups, tested):
    assume(tested < groups)
    table = paths(groups, tested)
    assert table.shape == (comb(groups, tested) * tested // groups, groups)
    used = {(int(split), group) for path in table for group, split in enumerate(path)}
    folds = combinatorial_folds(10 * groups, groups, tested, 0)
    assert used == {(number, group) for number, fold in enumerate(folds) for group in fold.groups}
    assert len(used) == table.size


@given(n=st.integers(4, 60), k=st.integers(2, 6))
def test_purged_folds_test_each_row_once(n, k):
    assume(k <= n // 2)
    folds = purged_folds(n, k, 0)
    stitched = np.concatenate([np.arange(n)[fold.tests[0]] for fold in folds])
    assert stitched.tolist() == list(range(n))
    assert all(np.array_equal(fold.train, ~rows_tested(fold, n)) for fold in folds)


@cache
def exchange(first="2009-12-31", last="2022-12-30"):
    return sessions(np.datetime64(first), np.datetime64(last))


@pytest.fixture(scope="module", autouse=True)
def _one_calendar():
    """The real sessions, but built once instead of for every example."""
    known = exchange("2005-01-01", "2026-12-31")

    def between(first, last, calendar):
        return known[(known >= first) & (known <= last)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ares7.purged, "sessions", between)
        yield


@given(
    length=st.integers(400, 2600),
    offset=st.integers(0, 300),
    train_years=st.integers(1, 4),
    test_years=st.integers(1, 3),
    anchored=st.booleans(),
    purge=gaps,
)
def test_walk_forward_never_sees_its_test(length, offset, train_years, test_years, anchored, purge):
    dates = exchange()[1:][offset : offset + length]
    settings = {"train_years": train_years, "test_years": test_years, "anchored": anchored, "purge": purge}
    # Offset 0 is the return of the first session of 2010, offset 1 that after a starting value on it.
    first = 2010 + (offset > 1) + (offset > 253) + train_years
    if np.datetime64(f"{first}-01-04") > dates[-1]:
        with pytest.raises(ConfigError, match="no walk-forward window fits"):
            walk_forward_windows(dates, **settings)
        return
    windows = walk_forward_windows(dates, **settings)
    assert windows[0].name[:4] == str(first)
    assert windows[-1].test.stop == length
    for window, following in zip(windows, [*windows[1:], None], strict=True):
        assert window.train.stop + purge == window.test.start
        assert window.train.start == 0 or not anchored
        assert not window.train_cut_short
        if following is not None:
            assert window.test.stop == following.test.start
            assert not window.test_cut_short


@pytest.mark.parametrize(("groups", "tested"), [(5, 2), (6, 3), (4, 2)])
@pytest.mark.parametrize(("purge", "embargo"), [(0, 0), (3, 0), (2, 2)])
def test_combinatorial_folds_are_those_of_skfolio(groups, tested, purge, embargo):
    model_selection = pytest.importorskip("skfolio.model_selection")
    n = 20 * groups  # skfolio puts all rows that do not divide into the last group, we spread them
    theirs = model_selection.CombinatorialPurgedCV(
        n_folds=groups, n_test_folds=tested, purged_size=purge, embargo_size=embargo
    )
    ours = combinatorial_folds(n, groups, tested, purge, embargo)
    assert theirs.get_n_splits() == len(ours)
    for (train, tests), fold in zip(theirs.split(np.zeros((n, 2))), ours, strict=True):
        assert train.tolist() == np.flatnonzero(fold.train).tolist()
        assert [t.tolist() for t in tests] == [np.arange(n)[t].tolist() for t in fold.tests]
    assert np.array_equal(theirs.recombined_paths.T, paths(groups, tested))


@pytest.mark.parametrize("anchored", [False, True])
@pytest.mark.parametrize("purge", [0, 5])
def test_walk_forward_windows_are_those_of_skfolio(anchored, purge):
    model_selection = pytest.importorskip("skfolio.model_selection")
    import pandas as pd

    days = exchange()[1:]
    theirs = model_selection.WalkForward(
        test_size=1, train_size=5, freq="YS", expand_train=anchored, purged_size=purge, reduce_test=True
    )
    frame = pd.DataFrame(np.zeros((len(days), 2)), index=pd.DatetimeIndex(days))
    ours = walk_forward_windows(days, purge=purge, anchored=anchored)
    found = list(theirs.split(frame))
    # skfolio counts train years from the first 1 January in the data, which lies before the first row here.
    for window, (train, test) in zip(ours[1:], found, strict=True):
        assert (window.train.start, window.train.stop - 1) == (train[0], train[-1])
        assert (window.test.start, window.test.stop - 1) == (test[0], test[-1])
