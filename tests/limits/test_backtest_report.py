"""A backtest counts what the limits would refuse, and is otherwise the run that it was."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from ares7.config import Config
from ares7.errors import MissingData
from ares7.ledger import Fills, OrderKind, Orders, OrderStatus
from ares7.limits import LimitParams, Limits
from ares7.limits.facts import name_facts
from ares7.limits.replay import replay
from ares7.panel import Panel
from feeds.engines import ENGINES, Chosen
from feeds.limit_report import limit_report, read_sectors
from feeds.study import load_both
from strategies import registry
from tests.limits.accounts import only

DAYS = np.arange("2024-01-02", "2024-01-12", dtype="datetime64[D]")
SYMBOLS = ("A", "B")


def small_panel(volume=1000.0):
    close = np.full((len(DAYS), 2), 100.0)
    fields = {name: close.copy() for name in ("open", "high", "low", "close")}
    fields |= {"price": close / 2, "volume": np.full(close.shape, volume)}
    ends = np.zeros(len(DAYS), dtype=bool)
    return Panel(
        DAYS, SYMBOLS, fields, {}, np.ones(2, dtype=bool), np.ones(close.shape, dtype=bool), ends, ends
    )


def book(rows):
    """Orders and fills of (decided, resolved or -1, symbol, quantity, kind)."""
    at = np.array([row[1] for row in rows])
    filled = np.flatnonzero(at >= 0)
    filled = filled[np.argsort(at[filled], kind="stable")]
    symbol, quantity = np.array([row[2] for row in rows]), np.array([float(row[3]) for row in rows])
    orders = Orders(
        decided=DAYS[[row[0] for row in rows]],
        resolved=np.where(at >= 0, DAYS[np.maximum(at, 0)], np.datetime64("NaT", "D")),
        symbol=symbol,
        symbols=SYMBOLS,
        quantity=quantity,
        close=np.full(len(rows), 100.0),
        kind=np.array([int(row[4]) if len(row) > 4 else 0 for row in rows]),
        status=np.where(at >= 0, int(OrderStatus.FILLED), int(OrderStatus.WAITING)),
        on_switch=np.zeros(len(rows), dtype=bool),
    )
    price = np.full(len(filled), 100.0)
    fills = Fills(
        DAYS[at[filled]], symbol[filled], SYMBOLS, quantity[filled], price, np.zeros(len(filled)), filled
    )
    return fills, orders


def replayed(rows, limits, nav=None):
    fills, orders = book(rows)
    nav = np.full(len(DAYS), 100_000.0) if nav is None else nav
    return replay(Limits(limits), small_panel(), nav, np.full(len(DAYS), 100_000.0), fills, orders)


def test_each_order_is_judged_by_what_was_held_and_working_at_its_decision():
    rows = [(0, 1, 0, 90), (1, -1, 0, 5), (2, 3, 0, 6), (4, 5, 0, -96)]
    found = replayed(rows, only(max_weight=0.1))
    assert [(r.date, r.quantity, r.verdict.code) for r in found.refusals] == [("2024-01-04", 6.0, "weight")]
    assert (found.asked, found.reducing) == (4, 1)
    assert found.refusals[0].verdict.value == pytest.approx(0.101)


def test_an_exit_at_a_delisting_is_no_order():
    rows = [(0, 1, 0, 10), (3, 3, 0, -10, OrderKind.DELISTING)]
    assert replayed(rows, LimitParams()).asked == 1


def test_losses_are_those_of_the_account_to_the_close_of_the_decision():
    nav = np.array([100_000.0] * 5 + [90_000.0] * 5)
    rows = [(4, 5, 0, 1), (5, 6, 0, 1), (6, 7, 0, 1)]
    assert [r.date for r in replayed(rows, only(max_daily_loss=0.05), nav).refusals] == ["2024-01-07"]
    assert len(replayed(rows, only(max_drawdown=0.05), nav).refusals) == 2


def test_volume_is_counted_in_the_shares_of_the_backtest():
    # Prices of the panel are twice the traded ones, so that 500 of its shares are as much money as 1,000 traded ones.
    facts = name_facts(small_panel(), 9, volume_sessions=5)
    assert facts["A"].volume == 500.0
    assert name_facts(small_panel(), 9, volume_sessions=5, prices="price")["A"].volume == 1000.0


def test_facts_know_nothing_of_later_rows_and_how_old_a_close_is():
    panel = small_panel()
    panel.fields["close"][8:, 0] = np.nan
    panel.fields["volume"][5:, 1] = np.nan
    facts = name_facts(panel, 9, volume_sessions=4)
    assert (facts["A"].close, facts["A"].age_sessions) == (100.0, 2.0)
    assert np.isnan(facts["B"].volume)
    later = small_panel()
    later.fields["close"][7:], later.fields["volume"][7:] = 7.0, 7.0
    assert name_facts(later, 6, volume_sessions=4) == name_facts(small_panel(), 6, volume_sessions=4)


def test_a_name_that_never_traded_has_no_facts():
    panel = small_panel()
    panel.fields["close"][:, 0] = np.nan
    facts = name_facts(panel, 9, volume_sessions=4)["A"]
    assert np.isnan([facts.close, facts.age_sessions, facts.volume]).all()


def run_of(strategy, data, engine="compiled", tools=None, **settings):
    config = Config.model_validate({"data": data, "costs": {"model": "bps", "bps": 10}, **settings})

    def chosen(name):
        found = registry.resolve(name)
        return Chosen(name, found, registry.settings(found, {}, config.costs))

    panel = load_both(config, chosen(strategy), chosen("equal_weight"))
    nav = None if tools is None else np.ones(len(panel.dates) - panel.start_row)
    return config, panel, ENGINES[engine](config, panel, chosen(strategy), tools, lambda targets: None, nav)


SYNTHETIC = {
    "synthetic": {"symbols": 20, "start": "2015-01-02", "end": "2017-06-30"},
    "cache": None,
    "etfs": ["SPY", "TLT", "IEF", "SHY", "BIL", "GLD"],
}


def test_the_report_is_off_unless_it_is_asked_for():
    config, panel, outcome = run_of("equal_weight", SYNTHETIC)
    assert limit_report(config, panel, outcome) == ({}, [])


def test_both_engines_report_the_same_refusals_and_the_report_changes_no_order():
    limits = {"limits": {"report_in_backtests": True, "max_order_usd": 2000, "max_weight": 0.04}}
    plain = run_of("equal_weight", SYNTHETIC)[2]
    found = [run_of("equal_weight", SYNTHETIC, engine, **limits) for engine in ("compiled", "event")]
    reports = [limit_report(*case) for case in found]
    assert reports[0] == reports[1]
    section, warnings = reports[0]
    assert section["limits"]["would_refuse"] == sum(section["limits"]["by_limit"].values()) > 0
    assert set(section["limits"]["by_limit"]) == {"order_notional", "weight"}
    assert len(warnings) == 1
    assert "would be refused live" in warnings[0]
    for _, _, outcome in found:
        np.testing.assert_array_equal(outcome.history.nav, plain.history.nav)
        np.testing.assert_array_equal(outcome.orders.quantity, plain.orders.quantity)


def test_sectors_come_from_the_symbols_table(tmp_path: Path):
    (tmp_path / "symbols.csv").write_text("symbol,sector\nA,Energy\nB,\n")
    assert read_sectors(tmp_path) == {"A": "Energy"}
    (tmp_path / "symbols.csv").write_text("symbol,gics_sector\nA,Utilities\n")
    assert read_sectors(tmp_path) == {"A": "Utilities"}


@pytest.mark.parametrize("content", [None, "symbol,industry\nA,x\n"])
def test_a_limit_on_sectors_without_sectors_is_one_clear_error(tmp_path: Path, content):
    if content:
        (tmp_path / "symbols.csv").write_text(content)
    with pytest.raises(MissingData, match=r"limits\.max_sector_weight is set.*add"):
        read_sectors(tmp_path)


real = pytest.mark.skipif("ARES7_DATA" not in os.environ, reason="ARES7_DATA names no real data folder")


@pytest.fixture(scope="module")
def default_run():
    data = {"path": Path(os.environ["ARES7_DATA"]), "cache": None}
    period = {"start": "2015-01-02", "end": "2023-12-29"}
    return run_of("regime_ensemble", data, period=period)


@pytest.mark.real_data
@real
def test_the_defaults_refuse_no_order_of_the_default_strategy_from_2015_to_2023(default_run):
    config, panel, outcome = default_run
    history = outcome.history
    found = replay(Limits(config.limits), panel, history.nav, history.cash, outcome.fills, outcome.orders)
    assert found.asked > 20_000
    assert 9_000 < found.reducing < found.asked
    assert found.by_code == {}


@pytest.mark.real_data
@real
def test_limits_that_are_too_tight_for_that_strategy_are_noticed(default_run):
    _, panel, outcome = default_run
    history = outcome.history
    for name, value in {
        "max_daily_loss": 0.02,
        "max_orders_a_day": 100,
        "max_turnover": 0.3,
        "max_weight": 0.02,
        "max_fund_weight": 0.7,
        "max_drawdown": 0.1,
        "max_volume_share": 0.001,
    }.items():
        limits = Limits(only(**{name: value}))
        found = replay(limits, panel, history.nav, history.cash, outcome.fills, outcome.orders)
        assert len(found.by_code) == 1, name
