"""Train and test rows that share nothing: purged folds, combinatorial folds, walk-forward windows.

Pure index arithmetic over R returns. Return row i is earned from close i to close i + 1 of a NAV series of
R + 1 closes; ``dates[i]`` is the session of close i + 1 (``dates[1:]`` of the NAV series). What was decided in
row i reaches at most ``purge`` sessions beyond that row, so ``purge`` rows between train and test are left out,
and behind a test set another ``embargo`` rows, because neighbouring rows resemble each other.

Source: Lopez de Prado, Advances in Financial Machine Learning, 2018, chapters 7 (purge, embargo) and 12
(combinatorial purged cross-validation).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from itertools import combinations, pairwise
from math import comb

import numpy as np

from ares7.arrays import Bool1D, Dates, Int2D
from ares7.errors import ConfigError, DataError
from ares7.sessions import sessions

MAX_SPLITS = 10_000
"""Combinatorial splits; each one is a selection of its own, so more is a slip of the pen."""
MIN_TRAIN = 2
"""Rows a Sharpe ratio needs."""


@dataclass(frozen=True, slots=True)
class Fold:
    """Test rows and the rows that may train for them.

    Attributes
    ----------
    train : (R,) bool
    groups : tuple of int
        Numbers of the tested groups, ascending; one for `purged_folds`.
    tests : tuple of slice
        Rows of each of ``groups``.
    """

    train: Bool1D
    groups: tuple[int, ...]
    tests: tuple[slice, ...]


def require_purged(horizon: int, purge: int) -> None:
    """Refuse folds whose train and test outcomes overlap.

    Parameters
    ----------
    horizon : int, sessions
        How far beyond its own row the outcome of a row reaches: 0 for daily returns of a finished NAV series,
        h for a figure that looks h sessions ahead.
    purge : int, rows

    Raises
    ------
    ConfigError
        ``purge`` is below ``horizon``.
    """
    if purge < horizon:
        raise ConfigError(
            f"purge is {purge} rows, but an outcome reaches {horizon} sessions ahead, so that train and test "
            f"would overlap; set purge to at least {horizon}"
        )


def purged_folds(
    n: int, k: int, purge: int, embargo: int = 0, *, horizon: int = 0, warmup: int = MIN_TRAIN
) -> list[Fold]:
    """K-fold cross-validation in time order: every row is tested once.

    Parameters
    ----------
    n : int
        Rows.
    k : int
        Folds, at least 2. The first ``n % k`` of them hold one row more than the others.
    purge : int
        Rows left out on both sides of the test slice.
    embargo : int
        Further rows left out behind it.
    horizon : int, sessions
        See `require_purged`.
    warmup : int
        Rows that a train set must have at least.

    Returns
    -------
    list of Fold
        In time order, each with one test slice.

    Raises
    ------
    ConfigError
        Fewer than two folds, more folds than rows, a negative gap, a purge below the horizon, a train set
        shorter than ``warmup``.
    """
    return combinatorial_folds(n, k, 1, purge, embargo, horizon=horizon, warmup=warmup)


def combinatorial_folds(
    n: int,
    groups: int,
    test_groups: int,
    purge: int,
    embargo: int = 0,
    *,
    horizon: int = 0,
    warmup: int = MIN_TRAIN,
) -> list[Fold]:
    """Combinatorial purged cross-validation: every choice of ``test_groups`` out of ``groups`` is tested.

    Parameters
    ----------
    n : int
        Rows.
    groups, test_groups : int
        Consecutive groups that the rows are cut into, and how many of them a split tests.
    purge, embargo, horizon, warmup : int
        As for `purged_folds`.

    Returns
    -------
    list of Fold
        C(groups, test_groups) of them, in lexicographic order of their test groups; each row is tested by
        C(groups - 1, test_groups - 1) of them.

    Raises
    ------
    ConfigError
        As for `purged_folds`; also no group left to train on, or more than ``MAX_SPLITS`` splits.
    """
    _check_gaps(purge, embargo, horizon)
    slices = _groups(n, groups)
    folds = []
    for chosen in _choices(groups, test_groups):
        tests = tuple(slices[group] for group in chosen)
        train = _train(n, tests, purge, embargo)
        named = ", ".join(str(group + 1) for group in chosen)
        where = f"fold that tests group {named} of {groups} over {n} rows"
        _check_train(int(train.sum()), warmup, where, purge, embargo)
        folds.append(Fold(train, chosen, tests))
    return folds


def paths(groups: int, test_groups: int) -> Int2D:
    """Backtest paths that the splits of `combinatorial_folds` recombine into.

    Parameters
    ----------
    groups, test_groups : int

    Returns
    -------
    (phi, groups) int64
        Number of the split that supplies each group of each path; phi = C(groups, test_groups) * test_groups
        / groups. A pair of split and tested group occurs exactly once.

    Raises
    ------
    ConfigError
        As for `combinatorial_folds`.
    """
    testing: list[list[int]] = [[] for _ in range(groups)]
    for split, chosen in enumerate(_choices(groups, test_groups)):
        for group in chosen:
            testing[group].append(split)
    return np.array(testing, dtype=np.int64).T.copy()


@dataclass(frozen=True, slots=True)
class Window:
    """One re-optimisation of a walk-forward.

    Attributes
    ----------
    name : str
        Test year, ``2016``, or first and last one, ``2016-2017``.
    train, test : slice
        Rows. The decision is taken at close ``test.start`` of the NAV series, the last one that train may see.
    decided : date
        Session of that close: the last one of the year before. Its orders fill at the next open.
    train_cut_short : bool
        The data begin inside the train years.
    expected_sessions : int
        Sessions of the test years by the exchange's calendar.
    test_cut_short : bool
        The data end before the test years do.
    """

    name: str
    train: slice
    test: slice
    decided: dt.date
    train_cut_short: bool
    expected_sessions: int
    test_cut_short: bool


def walk_forward_windows(
    dates: Dates,
    *,
    test_years: int = 1,
    train_years: int = 5,
    anchored: bool = False,
    purge: int,
    embargo: int = 0,
    first: int | None = None,
    last: int | None = None,
    horizon: int = 0,
    warmup: int = MIN_TRAIN,
    calendar: str = "XNYS",
) -> list[Window]:
    """Re-optimise every 1 January on the years before, test on the years that follow, without a gap in the tests.

    Parameters
    ----------
    dates : (R,) datetime64[D]
        Session in which each return was earned, without holes.
    test_years, train_years : int
        Calendar years. Anchored windows train from the first row on, on ``train_years`` at least.
    anchored : bool
        The train window grows instead of rolling.
    purge, embargo : int
        Rows left out between train and test; both apply before the test, as no train row lies behind it.
    first, last : int, optional
        Years in which the first and the last test begin. By default every year that the data allow: the first
        one with ``train_years`` whole years before it, and the last one with a row.
    horizon : int, sessions
        See `require_purged`.
    warmup : int
        Rows that a train window must have at least.
    calendar : str
        Exchange whose sessions say whether years are whole.

    Returns
    -------
    list of Window
        In time order.

    Raises
    ------
    ConfigError
        No window fits the data, one lies outside of it, a train window is shorter than ``warmup``, a length
        below one year, a negative gap, a purge below the horizon.
    DataError
        Dates are missing or not ascending.
    """
    _check_gaps(purge, embargo, horizon)
    _check_years(dates, test_years, train_years)
    oldest, newest = (int(year) + 1970 for year in dates[[0, -1]].astype("datetime64[Y]").astype(np.int64))
    covered = f"returns from {dates[0]} to {dates[-1]}"
    for named in (first, last):
        if named is not None and not oldest < named <= newest:
            raise ConfigError(
                f"walk-forward window {named} lies outside the {covered}; choose first and last from "
                f"{oldest + 1} to {newest}"
            )
    end = newest if last is None else last
    known = sessions(
        _year(min(oldest, (first or newest) - train_years)), _year(end + test_years) - 1, calendar
    )
    begin = _first_whole(dates, known, oldest + train_years, train_years) if first is None else first
    if begin > end:
        raise ConfigError(
            f"no walk-forward window fits {covered}: the first test year is {begin}, the last is {end}; lengthen "
            "the data, shorten train_years, or name other years"
        )
    windows = []
    for year in range(begin, end + 1, test_years):
        opening, closing = _year(year - train_years), _year(year + test_years)
        start, stop = (int(np.searchsorted(dates, edge)) for edge in (_year(year), closing))
        low = 0 if anchored else int(np.searchsorted(dates, opening))
        train = slice(low, max(start - purge - embargo, low))
        name = str(year) if test_years == 1 else f"{year}-{year + test_years - 1}"
        where = f"walk-forward window {name} over {covered}"
        _check_train(train.stop - low, warmup, where, purge, embargo)
        decided: dt.date = dates[start - 1].astype("datetime64[D]").item()
        expected = int(np.count_nonzero((known >= _year(year)) & (known < closing)))
        short, cut = not _whole_from(dates, known, opening), stop - start < expected
        windows.append(Window(name, train, slice(start, stop), decided, short, expected, cut))
    return windows


def _year(year: int) -> np.datetime64:
    return np.datetime64(f"{year:04d}-01-01", "D")


def _first_whole(dates: Dates, known: Dates, year: int, train_years: int) -> int:
    return year if _whole_from(dates, known, _year(year - train_years)) else year + 1


def _whole_from(dates: Dates, known: Dates, opening: np.datetime64) -> bool:
    """No session from ``opening`` on lacks a return, except that of the starting value, which earns nothing."""
    return int(np.count_nonzero((known >= opening) & (known < dates[0]))) <= 1


def _groups(n: int, count: int) -> list[slice]:
    if count < 2 or count > n:
        raise ConfigError(f"{count} folds over {n} rows; choose 2 or more, and at most one for each row")
    edges = np.concatenate([[0], np.cumsum([n // count + (i < n % count) for i in range(count)])]).tolist()
    return [slice(a, b) for a, b in pairwise(edges)]


def _choices(groups: int, test_groups: int) -> list[tuple[int, ...]]:
    if not 1 <= test_groups < groups:
        raise ConfigError(
            f"{test_groups} test groups of {groups}; choose at least 1, and leave at least 1 to train on"
        )
    if comb(groups, test_groups) > MAX_SPLITS:
        raise ConfigError(
            f"{test_groups} test groups of {groups} make {comb(groups, test_groups):,} splits, more than "
            f"{MAX_SPLITS:,}; choose fewer groups"
        )
    return list(combinations(range(groups), test_groups))


def _train(n: int, tests: tuple[slice, ...], purge: int, embargo: int) -> Bool1D:
    train = np.ones(n, dtype=bool)
    for test in tests:
        train[max(test.start - purge, 0) : test.stop + purge + embargo] = False
    return train


def _check_gaps(purge: int, embargo: int, horizon: int) -> None:
    for name, rows in (("purge", purge), ("embargo", embargo), ("horizon", horizon)):
        if rows < 0:
            raise ConfigError(f"{name} is {rows} rows; it must be 0 or more")
    require_purged(horizon, purge)


def _check_train(rows: int, warmup: int, where: str, purge: int, embargo: int) -> None:
    needed = max(warmup, MIN_TRAIN)
    if rows < needed:
        raise ConfigError(
            f"{where}: {rows} train rows are left with purge {purge} and embargo {embargo}, fewer than the "
            f"{needed} of the warm-up; lengthen train or the data, or take fewer and smaller gaps"
        )


def _check_years(dates: Dates, test_years: int, train_years: int) -> None:
    for name, years in (("test_years", test_years), ("train_years", train_years)):
        if years < 1:
            raise ConfigError(f"{name} is {years}; a walk-forward window needs 1 year or more")
    if len(dates) == 0:
        raise DataError("no dates for walk-forward windows; give the session of each return")
    backward = np.flatnonzero(dates[1:] <= dates[:-1])
    if len(backward):
        row = int(backward[0]) + 1
        raise DataError(
            f"dates row {row}: {dates[row]} does not follow {dates[row - 1]}; sort them and drop duplicates"
        )
