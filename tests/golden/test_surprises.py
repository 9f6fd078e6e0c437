"""Earnings surprises and their ranks against cases worked out by hand (rulings 22)."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pandas as pd
import pytest

from ares7.panel import Panel
from ares7.sessions import period_ends, sessions
from ares7.signals.surprise import (
    event_ranks,
    latest_before,
    seasonal_difference,
    sequential_difference,
    standardised_surprise,
)
from feeds.surprises import placed_surprises

D = np.datetime64
NAN = np.nan
DATES = sessions(D("2016-06-01"), D("2017-12-29"))

# Two companies. ``yearly`` is EPS less that of the year before, worked out in the remark.
EVENTS = [
    # symbol, day, session, EPS, estimate
    ("AAA", "2015-02-02", "pre", 1.00, 0.90),
    ("AAA", "2015-05-01", "pre", 1.10, 1.00),
    ("AAA", "2015-08-03", "pre", 1.20, 1.10),
    ("AAA", "2015-11-02", "pre", 1.30, 1.20),
    ("AAA", "2016-02-01", "pre", 1.10, 1.00),  # yearly .10, 364 days
    ("AAA", "2016-05-02", "pre", 1.30, 1.20),  # yearly .20, 367 days
    ("AAA", "2016-08-01", "pre", 1.50, 1.40),  # yearly .30; history nan nan nan nan .1 .2: too few
    ("AAA", "2016-10-31", "pre", 1.70, 1.60),  # yearly .40; history has 3: too few
    ("AAA", "2017-01-31", "post", 1.60, 1.50),  # yearly .50; history nan x4, .1 .2 .3 .4
    ("AAA", "2017-05-01", "pre", NAN, 1.40),  # no EPS: undefined, and it fills a place in what follows
    ("AAA", "2017-08-01", "pre", 1.40, NAN),  # yearly -.10; history nan nan .1 .2 .3 .4 .5 nan
    ("AAA", "2017-10-31", "unknown", 2.20, 2.00),  # yearly .50; history nan .1 .2 .3 .4 .5 nan -.1
    ("BBB", "2015-04-06", "pre", 2.00, NAN),
    ("BBB", "2015-07-06", "pre", 2.00, NAN),
    ("BBB", "2015-10-05", "pre", 2.00, NAN),
    ("BBB", "2016-01-04", "pre", 2.00, NAN),
    ("BBB", "2016-04-04", "pre", 2.10, NAN),  # yearly .10
    ("BBB", "2016-07-04", "pre", 2.10, NAN),  # yearly .10; Independence Day, a Monday
    ("BBB", "2016-10-03", "intraday", 2.10, NAN),  # yearly .10
    ("BBB", "2017-01-03", "pre", 2.10, NAN),  # yearly .10
    ("BBB", "2017-03-04", "post", 2.50, 2.30),  # yearly .40, 334 days; a Saturday; history .1 .1 .1 .1: sd 0
]


def market() -> Panel:
    """AAA at 50 and BBB at 20 USD, with the exceptions below; the fund SPY announces nothing."""
    shape = (len(DATES), 3)
    price = np.tile([50.0, 20.0, 300.0], (len(DATES), 1))
    # AAA before 2017-02-01: the only bar of the five sessions is the fifth before it.
    price[row("2017-01-25"), 0] = 40.0
    price[row("2017-01-26") : row("2017-01-31") + 1, 0] = NAN
    # Before 2017-08-01: 80 on the last session; the price of the effective session must not count.
    price[row("2017-07-31") : row("2017-08-01") + 1, 0] = [80.0, 1.0]
    # Before 2017-11-01: no bar in five sessions; the sixth before it is too old.
    price[row("2017-10-25") : row("2017-10-31") + 1, 0] = NAN
    month, week = period_ends(DATES)
    return Panel(
        dates=DATES,
        symbols=("AAA", "BBB", "SPY"),
        fields={"close": price, "price": price},
        series={},
        is_stock=np.array([True, True, False]),
        member=np.ones(shape, dtype=bool),
        month_end=month,
        week_end=week,
    )


def row(day: str) -> int:
    return int(np.searchsorted(DATES, D(day)))


def placed(events=EVENTS) -> dict[str, dict[tuple[str, str], float]]:
    """Values of each field by symbol and session."""
    frame = pd.DataFrame(events, columns=["symbol", "announce_date", "session", "eps_actual", "eps_estimate"])
    frame["announce_date"] = pd.to_datetime(frame["announce_date"])
    panel = market()
    fields = placed_surprises(frame, panel)
    return {
        name: {
            (panel.symbols[i], str(DATES[t])): float(values[t, i])
            for t, i in zip(*np.nonzero(np.isfinite(values)), strict=True)
        }
        for name, values in fields.items()
    }


def test_standardised_surprises_are_those_worked_out_by_hand():
    assert placed()["surprise_sue"] == {
        # Drift .25; deviations .15 .05 .05 .15, squares sum to .05, over 3. After the close: the next session.
        ("AAA", "2017-02-01"): pytest.approx(0.25 / sqrt(0.05 / 3), rel=1e-12),
        # Drift .3; squares .04 .01 0 .01 .04 sum to .1, over 4.
        ("AAA", "2017-08-01"): pytest.approx(-0.4 / sqrt(0.1 / 4), rel=1e-12),
        # Drift 1.4 / 6; squares sum to .23333, over 5. At an unknown time: the next session.
        ("AAA", "2017-11-01"): pytest.approx((0.5 - 1.4 / 6) / sqrt(0.7 / 3 / 5), rel=1e-12),
        # BBB never: its history does not vary.
    }


def test_price_scaled_surprises_are_those_worked_out_by_hand():
    assert placed()["surprise_price_scaled"] == {
        ("AAA", "2016-08-01"): pytest.approx(0.30 / 50),
        ("AAA", "2016-10-31"): pytest.approx(0.40 / 50),
        ("AAA", "2017-02-01"): pytest.approx(0.50 / 40),
        ("AAA", "2017-08-01"): pytest.approx(-0.10 / 80),
        # None on 2017-11-01, without a price.
        ("BBB", "2016-07-05"): pytest.approx(0.10 / 20),  # the session after the holiday
        ("BBB", "2016-10-03"): pytest.approx(0.10 / 20),
        ("BBB", "2017-01-03"): pytest.approx(0.10 / 20),
        ("BBB", "2017-03-06"): pytest.approx(0.40 / 20),  # Monday after the Saturday
    }


def test_surprises_against_the_consensus_are_those_worked_out_by_hand():
    assert placed()["surprise_consensus"] == {
        ("AAA", "2016-08-01"): pytest.approx(0.10 / 50),
        ("AAA", "2016-10-31"): pytest.approx(0.10 / 50),
        ("AAA", "2017-02-01"): pytest.approx(0.10 / 40),
        ("BBB", "2017-03-06"): pytest.approx(0.20 / 20),
    }


def test_sequential_differences_are_those_worked_out_by_hand():
    assert placed()["surprise_legacy_seq"] == {
        ("AAA", "2016-08-01"): pytest.approx(0.20),
        ("AAA", "2016-10-31"): pytest.approx(0.20),
        ("AAA", "2017-02-01"): pytest.approx(-0.10),
        # None on 2017-05-01 and 2017-08-01: one of the two EPS is missing.
        ("AAA", "2017-11-01"): pytest.approx(0.80),
        ("BBB", "2016-07-05"): pytest.approx(0.0),
        ("BBB", "2016-10-03"): pytest.approx(0.0),
        ("BBB", "2017-01-03"): pytest.approx(0.0),
        ("BBB", "2017-03-06"): pytest.approx(0.40),
    }


def test_of_two_announcements_on_one_session_the_later_defined_one_counts():
    # Friday after the close and Saturday both act on Monday; the later one has no estimate.
    two = [*EVENTS, ("BBB", "2017-03-03", "post", 2.45, 2.20)]
    got = placed(two)
    assert got["surprise_consensus"]["BBB", "2017-03-06"] == pytest.approx(0.20 / 20)
    without = [e if e[1] != "2017-03-04" else (*e[:4], NAN) for e in two]
    assert placed(without)["surprise_consensus"]["BBB", "2017-03-06"] == pytest.approx(0.25 / 20)
    # The value that has one stays the later one's.
    assert placed(without)["surprise_price_scaled"]["BBB", "2017-03-06"] == pytest.approx(0.40 / 20)


@pytest.mark.parametrize(("days", "defined"), [(329, False), (330, True), (400, True), (401, False)])
def test_the_quarter_of_the_year_before_lies_330_to_400_days_back(days, defined):
    day = np.array([D("2017-03-01") - days, D("2017-03-01")])
    got = seasonal_difference(np.zeros(2, dtype=np.int64), day, np.array([1.0, 1.5]))
    assert got[1] == 0.5 if defined else np.isnan(got[1])


def test_the_latest_announcement_of_the_window_is_taken_and_no_other():
    day = D("2017-03-01") - np.array([400, 390, 330, 0])
    name = np.zeros(4, dtype=np.int64)
    assert seasonal_difference(name, day, np.array([1.0, 2.0, 4.0, 9.0]))[3] == 5.0
    # Without an EPS it makes the difference undefined; the search does not go on to the one before.
    assert np.isnan(seasonal_difference(name, day, np.array([1.0, 2.0, NAN, 9.0]))[3])


def test_another_company_lends_no_announcement():
    name = np.array([0, 0, 1, 1])
    day = np.array(["2016-03-01", "2016-06-01", "2017-03-01", "2017-06-01"], dtype="datetime64[D]")
    eps = np.array([1.0, 2.0, 3.0, 4.0])
    assert np.isnan(seasonal_difference(name, day, eps)).all()
    np.testing.assert_array_equal(sequential_difference(name, eps), [NAN, 1.0, NAN, 1.0])
    difference = np.array([0.1, 0.2, 0.3, 0.4, 9.0])
    assert np.isnan(standardised_surprise(np.array([0, 0, 0, 0, 1]), difference)).all()
    assert np.isfinite(standardised_surprise(np.zeros(5, dtype=np.int64), difference)[4])


def test_only_the_previous_eight_places_count():
    # The 100 lies nine places back; what is left are .1 .2 .3 .4 and four undefined places.
    history = [100.0, 0.1, 0.2, 0.3, 0.4, NAN, NAN, NAN, NAN]
    got = standardised_surprise(np.zeros(10, dtype=np.int64), np.array([*history, 0.5]))
    assert got[9] == pytest.approx(0.25 / sqrt(0.05 / 3), rel=1e-12)
    # With one more undefined place between, only three are left.
    got = standardised_surprise(np.zeros(11, dtype=np.int64), np.array([*history, NAN, 0.5]))
    assert np.isnan(got[10])


def test_the_price_is_looked_for_in_five_sessions_strictly_before():
    price = np.array([[1.0], [NAN], [NAN], [NAN], [NAN], [7.0]])
    zero = np.zeros(1, dtype=np.int64)
    assert latest_before(price, np.array([5]), zero) == [1.0]
    assert np.isnan(latest_before(price[1:], np.array([4]), zero))
    assert np.isnan(latest_before(price, np.array([0]), zero))
    assert np.isnan(latest_before(price, np.array([-1]), zero))


# Ranks

SURPRISE = np.array(
    [
        [1.0, 5.0, NAN],
        [NAN, NAN, NAN],
        [2.0, NAN, 2.0],
        [2.0, 9.0, 0.0],
        [NAN, 1.0, NAN],
        [3.0, NAN, NAN],
        [NAN, NAN, NAN],
        [NAN, NAN, 4.0],
    ]
)
# Window of 3 sessions, at least 2 events.
RANKS = np.array(
    [
        [0.5, 0.5, NAN],  # nothing before: middling
        [NAN, NAN, NAN],
        [0.5, NAN, 0.5],  # among 1 5: above one of two. Never among each other
        [
            0.5,
            1.0,
            0.0,
        ],  # among 1 5 2 2: 2 is above one and equal to two, (1 + 1) / 4; 9 above all; 0 above none
        [NAN, 0.2, NAN],  # row 0 is gone: among 2 2 2 9 0, 1 is above one of five
        [5 / 6, NAN, NAN],  # among 2 2 2 9 0 1: above all but the 9
        [NAN, NAN, NAN],
        [NAN, NAN, 1.0],  # among 1 3
    ]
)


def test_ranks_are_those_worked_out_by_hand():
    everyone = np.ones(SURPRISE.shape, dtype=bool)
    np.testing.assert_array_equal(event_ranks(SURPRISE, everyone, window=3, min_events=2), RANKS)


def test_an_event_that_does_not_count_neither_ranks_nor_is_ranked():
    counts = np.ones(SURPRISE.shape, dtype=bool)
    counts[3, 1] = False  # the 9
    got = event_ranks(SURPRISE, counts, window=3, min_events=2)
    assert np.isnan(got[3, 1])
    assert got[4, 1] == 0.25  # among 2 2 2 0
    assert got[5, 0] == 1.0  # among 2 2 2 0 1


@pytest.mark.parametrize(("events", "rank"), [(19, 0.5), (20, 1.0)])
def test_twenty_events_of_the_quarter_before_are_needed(events, rank):
    surprise = np.full((70, 25), NAN)
    surprise[2, :events] = np.linspace(0.0, 1.0, events)
    surprise[65, 0] = 2.0  # row 2 is the 63rd session before
    surprise[66, 1] = 2.0  # by now it is gone
    got = event_ranks(surprise, np.ones(surprise.shape, dtype=bool))
    assert got[65, 0] == rank
    assert got[66, 1] == 0.5
