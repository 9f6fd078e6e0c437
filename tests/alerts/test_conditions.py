"""Thresholds: what fires, what does not, and what money in and out never does."""

from __future__ import annotations

import datetime as dt

import pytest

from ares7.alerts_config import AlertsConfig
from live.alerts.conditions import figures_events, freshness_events, runner_events
from live.monitor.snapshot import Snapshot
from live.monitor.surroundings import Surroundings
from live.monitor.values import DayReturn, Freshness, Money, RegimeChange, RegimeState
from live.watchdog import Trouble

NOW = dt.datetime(2024, 1, 5, 22, 0, tzinfo=dt.UTC)
DAY = dt.date(2024, 1, 5)
RULES = AlertsConfig()


def snapshot(**changes):
    return Snapshot(source="journal", at=NOW, mode="paper", armed=True, **changes)


def codes(events):
    return [(event.code, event.fires) for event in events]


@pytest.mark.parametrize(
    ("value", "fires"), [(-0.02, False), (-0.020001, True), (0.5, False), (float("nan"), False), (-1.0, True)]
)
def test_the_loss_of_a_day(value, fires):
    money = Money(DAY, 1e6, recent=(DayReturn(DAY, value),))
    events = figures_events(snapshot(money=money), RULES)
    assert codes(events) == [("daily-loss", True)] * fires
    assert [event.session for event in events] == [DAY] * fires


@pytest.mark.parametrize(
    ("drawdown", "expected"),
    [(None, []), (0.1349, []), (0.14, [False]), (0.15, [False]), (0.1501, [True]), (0.9, [True])],
)
def test_a_drawdown_fires_beyond_its_limit_and_ends_well_below_it(drawdown, expected):
    events = figures_events(snapshot(money=Money(DAY, 1e6, drawdown=drawdown)), RULES)
    assert [event.fires for event in events] == expected


@pytest.mark.parametrize(
    ("limit", "ratio", "expected"),
    [
        (0.0, None, []),
        (0.0, -0.01, [True]),
        (0.0, 0.0, [False]),
        (0.0, 0.1, []),
        (2.0, 1.9, [True]),
        (2.0, 2.2, []),
    ],
)
def test_the_rolling_sharpe_ratio(limit, ratio, expected):
    rules = AlertsConfig(rolling_sharpe=limit)
    events = figures_events(snapshot(money=Money(DAY, 1e6, rolling_sharpe=ratio)), rules)
    assert [event.fires for event in events] == expected


def test_null_switches_a_condition_off():
    money = Money(DAY, 1e6, drawdown=0.9, rolling_sharpe=-9.0, recent=(DayReturn(DAY, -0.9),))
    off = AlertsConfig(daily_loss=None, drawdown=None, rolling_sharpe=None)
    assert figures_events(snapshot(money=money), off) == []


def test_regime_changes_and_unknown_figures():
    regime = RegimeState(DAY, "BEAR", "BEAR", {}, (RegimeChange(DAY, "BULL", "BEAR", NOW),))
    found = figures_events(snapshot(regime=regime, problems=("row 3: NAV is no number",)), RULES)
    assert codes(found) == [("regime-change", True), ("figures-unknown", True)]
    assert found[0].message == "the regime is BEAR from the close of 2024-01-05 on; it was BULL"


@pytest.mark.parametrize(
    ("mode", "armed", "expected_session", "late"),
    [
        ("paper", True, dt.date(2024, 1, 8), True),
        ("paper", True, DAY, False),
        ("paper", True, None, False),
        ("paper", False, dt.date(2024, 1, 8), False),
        ("shadow", True, dt.date(2024, 1, 8), False),
    ],
)
def test_a_session_that_is_missing(mode, armed, expected_session, late):
    found = Snapshot(
        source="",
        at=NOW,
        mode=mode,
        armed=armed,
        money=Money(DAY, 1e6),
        freshness=Freshness(expected_session=expected_session),
    )
    assert codes(freshness_events(found, (200, 63))) == [("session-missing", True)] * late


def test_old_data_and_a_first_day():
    fresh = Freshness(data_days={"fundamentals": dt.date(2023, 6, 18), "earnings": dt.date(2023, 11, 2)})
    found = freshness_events(snapshot(freshness=fresh), (200, 63))
    assert [event.key for event in found] == ["data-old paper fundamentals", "data-old paper earnings"]
    assert freshness_events(snapshot(freshness=fresh), (201, 64)) == []


@pytest.mark.parametrize(
    ("around", "expected"),
    [
        (Surroundings(), []),
        (Surroundings(trouble=Trouble("runner-frozen", "stopped")), [("runner-frozen", "error")]),
        (Surroundings(halt_level="BLOCK_NEW", halt_who="op"), [("halt", "warning")]),
        (Surroundings(halt_level="HALT", halt_who="op"), [("halt", "error")]),
        (Surroundings(halt_level="HALT", halt_who="ares7", halt_readable=False), []),
    ],
)
def test_the_runner_and_the_halt(around, expected):
    assert [(e.code, e.severity) for e in runner_events(around, "paper", NOW)] == expected
