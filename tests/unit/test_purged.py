"""Folds by hand, the calendar of a walk-forward, and what bad settings get."""

from __future__ import annotations

import datetime as dt
from functools import cache

import numpy as np
import pytest

from ares7.errors import ConfigError, DataError
from ares7.purged import (
    combinatorial_folds,
    paths,
    purged_folds,
    require_purged,
    walk_forward_windows,
)
from ares7.sessions import sessions


@cache
def exchange():
    return sessions(np.datetime64("2009-12-01"), np.datetime64("2019-12-31"))


def returns_dates(first="2010-01-04", last="2018-06-29"):
    """Session of each return of a NAV series whose closes lie between two dates."""
    days = exchange()
    return days[(days >= np.datetime64(first)) & (days <= np.datetime64(last))][1:]


def windows(begins="2010-01-04", ends="2018-06-29", **settings):
    return walk_forward_windows(returns_dates(begins, ends), **{"purge": 1, **settings})


def rows(mask):
    return np.flatnonzero(mask).tolist()


def test_purge_lies_on_both_sides_of_a_fold_and_embargo_behind_it():
    first, middle, last = purged_folds(12, 3, purge=1, embargo=2)
    assert (first.tests, rows(first.train)) == ((slice(0, 4),), [7, 8, 9, 10, 11])
    assert (middle.tests, rows(middle.train)) == ((slice(4, 8),), [0, 1, 2, 11])
    assert (last.tests, rows(last.train)) == ((slice(8, 12),), [0, 1, 2, 3, 4, 5, 6])


def test_first_folds_hold_the_rows_that_do_not_divide():
    assert [f.tests[0] for f in purged_folds(11, 3, purge=0)] == [slice(0, 4), slice(4, 8), slice(8, 11)]


def test_combinations_are_tested_in_lexicographic_order():
    folds = combinatorial_folds(12, 4, 2, purge=1)
    assert [f.groups for f in folds] == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]
    assert folds[1].tests == (slice(0, 3), slice(6, 9))
    assert [rows(f.train) for f in folds] == [
        [7, 8, 9, 10, 11],
        [4, 10, 11],
        [4, 5, 6, 7],
        [0, 1, 10, 11],
        [0, 1, 7],
        [0, 1, 2, 3, 4],
    ]


def test_paths_of_six_groups_two_tested_are_those_of_the_book():
    # Lopez de Prado 2018, figure 12.1: 15 splits, 5 paths. Split numbers here begin at 0.
    assert paths(6, 2).tolist() == [
        [0, 0, 1, 2, 3, 4],
        [1, 5, 5, 6, 7, 8],
        [2, 6, 9, 9, 10, 11],
        [3, 7, 10, 12, 12, 13],
        [4, 8, 11, 13, 14, 14],
    ]


def test_every_january_is_decided_at_the_last_close_of_december():
    found = windows()
    assert [w.name for w in found] == ["2015", "2016", "2017", "2018"]
    assert [w.decided for w in found] == [
        dt.date(2014, 12, 31),
        dt.date(2015, 12, 31),
        dt.date(2016, 12, 30),
        dt.date(2017, 12, 29),
    ]
    dates = returns_dates()
    for window in found:
        year = np.datetime64(window.name, "Y")
        tested = dates[window.test]
        assert np.all(tested.astype("datetime64[Y]") == year)
        assert dates[window.test.start - 1] == np.datetime64(window.decided)
        assert dates[window.train][0].astype("datetime64[Y]") == year - 5


def test_the_decision_sees_the_close_that_train_ends_with():
    # NAV row i + 1 is the close of return row i: without a purge, train is all that is known on 31 December.
    (window,) = windows(purge=0, first=2016, last=2016)
    closes = np.concatenate([[np.datetime64("2010-01-04")], returns_dates()])
    assert closes[window.test.start] == np.datetime64(window.decided)
    assert window.train.stop == window.test.start


def test_tests_of_a_walk_forward_join_without_a_gap():
    found = windows(test_years=2)
    assert [w.name for w in found] == ["2015-2016", "2017-2018"]
    assert found[0].test.stop == found[1].test.start


def test_purge_and_embargo_end_train_early():
    (window,) = windows(purge=21, embargo=4, first=2016, last=2016)
    assert window.test.start - window.train.stop == 25


def test_anchored_windows_train_from_the_first_row():
    assert {w.train.start for w in windows(anchored=True)} == {0}
    assert [w.name for w in windows(anchored=True)] == [w.name for w in windows()]


def test_a_last_window_without_a_whole_year_says_so():
    *whole, cut = windows()
    assert not any(w.test_cut_short for w in whole)
    assert (cut.test_cut_short, cut.test.stop - cut.test.start, cut.expected_sessions) == (True, 125, 251)


def test_a_year_that_lacks_its_last_session_is_cut_short():
    assert windows(ends="2017-12-28")[-1].test_cut_short
    assert not windows(ends="2017-12-29")[-1].test_cut_short


def test_by_default_train_is_whole():
    # Closes from 4 January are the whole of 2010, closes from 5 January lack a return of it.
    assert windows(begins="2010-01-04")[0].name == "2015"
    late = windows(begins="2010-01-05")[0]
    assert (late.name, late.train_cut_short) == ("2016", False)


def test_a_named_first_year_may_have_a_short_train_and_says_so():
    found = windows(first=2012)
    assert [w.name for w in found[:2]] == ["2012", "2013"]
    assert [w.train_cut_short for w in found] == [True] * 3 + [False] * 4


def test_years_are_those_of_the_exchange():
    counts = {name: windows(first=2018, calendar=name)[0].expected_sessions for name in ("XNYS", "XLON")}
    assert counts == {"XNYS": 251, "XLON": 253}
    with pytest.raises(ConfigError, match="NOWHERE"):
        windows(calendar="NOWHERE")


def test_a_gap_as_long_as_the_horizon_is_enough():
    require_purged(21, 21)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: require_purged(21, 20), ("purge is 20 rows", "21 sessions", "at least 21")),
        (lambda: purged_folds(100, 5, purge=0, horizon=5), ("purge is 0", "overlap")),
        (lambda: combinatorial_folds(100, 5, 2, purge=4, horizon=5), ("purge is 4", "overlap")),
        (lambda: windows(purge=0, horizon=21), ("purge is 0", "overlap")),
        (lambda: purged_folds(100, 0, purge=1), ("0 folds over 100 rows", "2 or more")),
        (lambda: purged_folds(100, 1, purge=1), ("1 folds over 100 rows", "2 or more")),
        (lambda: purged_folds(0, 2, purge=1), ("2 folds over 0 rows", "one for each row")),
        (lambda: purged_folds(4, 5, purge=0), ("5 folds over 4 rows",)),
        (lambda: purged_folds(100, 5, purge=-1), ("purge is -1", "0 or more")),
        (lambda: purged_folds(100, 5, purge=1, embargo=-1), ("embargo is -1", "0 or more")),
        (
            lambda: purged_folds(100, 2, purge=49),
            ("tests group 1 of 2 over 100 rows", "1 train rows", "warm-up"),
        ),
        (lambda: purged_folds(100, 4, purge=5, warmup=71), ("70 train rows", "purge 5", "71", "lengthen")),
        (lambda: combinatorial_folds(100, 4, 4, purge=1), ("4 test groups of 4", "at least 1 to train")),
        (lambda: combinatorial_folds(100, 4, 0, purge=1), ("0 test groups of 4", "at least 1")),
        (lambda: paths(4, 4), ("4 test groups of 4",)),
        (lambda: combinatorial_folds(100, 30, 15, purge=1), ("155,117,520 splits", "10,000", "fewer groups")),
        (lambda: windows(train_years=9), ("no walk-forward window fits", "2018-06-29", "train_years")),
        (lambda: windows(ends="2010-06-30"), ("no walk-forward window fits", "2010-06-30")),
        (lambda: windows(first=2031, last=2031), ("2031", "lies outside", "2011 to 2018")),
        (lambda: windows(first=2010), ("2010", "lies outside", "2011 to 2018")),
        (lambda: windows(last=2019), ("2019", "lies outside")),
        (lambda: windows(first=2017, last=2016), ("no walk-forward window fits", "2017", "2016")),
        (lambda: windows(first=2011, warmup=276), ("2011", "250 train rows", "276", "warm-up")),
        (lambda: windows(purge=3000), ("2015", "0 train rows", "purge 3000")),
        (lambda: windows(test_years=0), ("test_years is 0", "1 year or more")),
        (lambda: windows(train_years=0), ("train_years is 0", "1 year or more")),
    ],
)
def test_bad_settings_get_one_clear_line(call, words):
    with pytest.raises(ConfigError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    assert [word for word in words if word not in message] == []


def test_dates_must_ascend():
    dates = returns_dates()
    dates[7] = dates[6]
    with pytest.raises(DataError, match="dates row 7: 2010-01-13 does not follow 2010-01-13"):
        walk_forward_windows(dates, purge=1)
    with pytest.raises(DataError, match="no dates"):
        walk_forward_windows(dates[:0], purge=1)
