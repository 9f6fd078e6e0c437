"""Our analyzers on an ordinary strategy under Backtrader's broker, against independent computations."""

import datetime as dt
import json
import math

import backtrader as bt
import empyrical
import numpy as np
import pytest

import analyzers
from analyzers import DEFAULT_ANALYZERS, add_default_analyzers
from ares7 import activity, metrics
from ares7.config import OosWindow
from ares7.costs import BpsCosts
from ares7.errors import ConfigError, DataError
from tests.analyzers.small_market import SESSIONS, Executions, SmaCross, bars, cerebro

WINDOWS = (
    OosWindow(name="first", start=dt.date(2020, 1, 1), end=dt.date(2020, 6, 30)),
    OosWindow(name="second", start=dt.date(2020, 7, 1), end=dt.date(2021, 12, 31)),
    OosWindow(name="never", start=dt.date(2022, 1, 1), end=dt.date(2022, 12, 31)),
)
DAYS = bars(0).index.to_numpy().astype("datetime64[D]")
LABELS = (np.arange(SESSIONS) // 40 % 4).astype(np.int8)
BASELINE = bars(9)["close"].to_numpy()


@pytest.fixture(scope="module")
def run():
    engine = cerebro()
    add_default_analyzers(
        engine,
        windows=WINDOWS,
        baseline=(DAYS, BASELINE),
        costs=BpsCosts(bps=10),
        labels=dict(zip(DAYS.tolist(), LABELS.tolist(), strict=True)),
        risk_free=0.01,
        rolling_sessions=60,
    )
    engine.addanalyzer(bt.analyzers.TimeReturn, _name="time_return")
    engine.addanalyzer(bt.analyzers.DrawDown, _name="bt_drawdown")
    engine.addanalyzer(bt.analyzers.TradeAnalyzer, _name="trades")
    engine.addanalyzer(Executions, _name="executions")
    return engine.run()[0]


def analysis(run, name):
    return run.analyzers.getbyname(name).get_analysis()


@pytest.fixture(scope="module")
def seen(run):
    """What the strategy wrote down: dates, NAV, cash, invested USD, names."""
    dates, *rest = zip(*run.seen, strict=True)
    return np.array(dates, "datetime64[D]"), *(np.array(column, dtype=float) for column in rest)


def test_equity_has_every_bar_those_of_the_warm_up_included(run, seen):
    dates, nav, cash, invested, names = seen
    found = analysis(run, "equity")
    assert found["dates"] == dates.astype(str).tolist()
    assert len(dates) == SESSIONS
    assert found["nav"] == nav.tolist()
    assert found["cash"] == cash.tolist()
    np.testing.assert_allclose(found["gross"], invested / nav, rtol=1e-14)
    assert found["names"] == names.tolist()


def test_returns_are_those_of_backtraders_time_return(run):
    theirs = list(analysis(run, "time_return").values())
    ours = metrics.returns_from_nav(np.array(analysis(run, "equity")["nav"]))
    assert theirs[0] == 0  # Backtrader counts the first session, in which nothing can be earned
    np.testing.assert_allclose(ours, theirs[1:], rtol=0, atol=1e-15)


def test_sharpe_is_empyricals_of_backtraders_returns(run):
    returns = np.array(list(analysis(run, "time_return").values()))[1:]
    found = analysis(run, "sharpe")
    assert found["sharpe"] == pytest.approx(empyrical.sharpe_ratio(returns, 0.01 / 252), rel=1e-9)
    assert found["cagr"] == pytest.approx(empyrical.annual_return(returns), rel=1e-9)
    assert found["sessions"] == SESSIONS - 1


def test_drawdown_is_backtraders_in_fractions(run, seen):
    found, theirs = analysis(run, "drawdown"), analysis(run, "bt_drawdown")
    assert found["max_drawdown"] == pytest.approx(theirs["max"]["drawdown"] / 100, rel=1e-12)
    assert found["drawdown"] == pytest.approx(theirs["drawdown"] / 100, abs=1e-14)
    dates, nav = seen[0].astype(str).tolist(), seen[1]
    peak = nav[dates.index(found["max_drawdown_start"])]
    trough = nav[dates.index(found["max_drawdown_trough"])]
    assert 1 - trough / peak == pytest.approx(found["max_drawdown"])


def test_fills_are_backtraders_executions(run):
    found = analysis(run, "fills")
    rows = list(
        zip(found["date"], found["symbol"], found["quantity"], found["price"], found["fee"], strict=True)
    )
    assert rows == run.analyzers.executions.bits
    assert len(rows) > 100


def test_fills_account_for_the_profit_of_backtraders_trades(run):
    fills, trades = run.analyzers.fills.fills, analysis(run, "trades")
    held = np.bincount(fills.symbol, weights=fills.quantity, minlength=3)
    last = np.array([data.close[0] for data in run.datas])
    profit = float(held @ last - np.sum(fills.quantity * fills.price) - np.sum(fills.fee))
    assert profit == pytest.approx(run.broker.getvalue() - 1e5, abs=1e-6)
    assert np.sum(fills.quantity > 0) == trades["total"]["total"]


def test_turnover_is_half_the_notional_over_the_nav_of_the_close_before(run, seen):
    dates, nav = seen[0].astype(str).tolist(), seen[1]
    shares = [
        abs(size) * price / 2 / nav[dates.index(day) - 1]
        for day, _, size, price, _ in run.analyzers.executions.bits
    ]
    found = analysis(run, "turnover")
    assert found["turnover_one_way"] == pytest.approx(sum(shares) * 252 / (SESSIONS - 1), rel=1e-12)


def test_fees_reconcile_with_the_commission_to_the_cent(run):
    found = analysis(run, "turnover")
    assert found["fees_usd"] == pytest.approx(sum(bit[4] for bit in run.analyzers.executions.bits))
    assert found["reconciles"]
    assert found["fees_bps"] == pytest.approx(10)


def test_orders_end_where_backtrader_ended_them(run):
    found = analysis(run, "orders")
    final = list(run.analyzers.executions.final.values())
    assert found["filled"] == final.count("Completed")
    assert found["refused"] == final.count("Margin") > 0
    assert found["submitted"] == sum(found[key] for key in ("filled", "refused", "cancelled", "waiting"))
    assert len(found["refusals"]) == found["refused"]
    assert all(item["size"] > 0 for item in found["refusals"])


def test_exposure_is_the_mean_of_what_the_broker_held(run, seen):
    _, nav, cash, invested, names = seen
    found = analysis(run, "exposure")
    assert found["mean_gross"] == pytest.approx(np.mean((invested / nav)[1:]))
    assert found["mean_cash"] == pytest.approx(np.mean((cash / nav)[1:]))
    assert found["mean_names"] == pytest.approx(np.mean(names[1:]))
    assert found["time_in_regime"] == activity.time_in_regime(LABELS)
    assert found["switches_per_year"] == activity.switches_per_year(LABELS)


def test_regimes_get_the_returns_of_the_session_after(run, seen):
    nav = seen[1]
    returns = nav[1:] / nav[:-1] - 1
    found = analysis(run, "regime_attribution")
    for label, name in enumerate(("NEUTRAL", "BULL", "BEAR", "HIGH_VOL")):
        own = returns[LABELS[:-1] == label]
        assert found[name]["sessions"] == len(own)
        assert found[name]["return_annual"] == pytest.approx(own.mean() * 252)


def test_rolling_sharpe_ends_with_the_ratio_of_the_latest_window(run, seen):
    found = analysis(run, "rolling_sharpe")
    returns = metrics.returns_from_nav(seen[1])
    assert found["dates"] == seen[0][1:].astype(str).tolist()
    assert sum(map(math.isnan, found["rolling_sharpe"])) == 59
    assert found["rolling_sharpe"][-1] == pytest.approx(metrics.sharpe(returns[-60:], 0.01), rel=1e-12)


def test_windows_and_baseline(run, seen):
    dates, nav = seen[0], seen[1]
    found = analysis(run, "out_of_sample")
    first, second, never = found["windows"]
    inside = np.flatnonzero((dates >= np.datetime64("2020-01-01")) & (dates <= np.datetime64("2020-06-30")))
    own, reference = nav[inside] / nav[inside - 1] - 1, BASELINE[inside] / BASELINE[inside - 1] - 1
    assert first["sharpe"] == pytest.approx(empyrical.sharpe_ratio(own, 0.01 / 252), rel=1e-9)
    assert first["max_drawdown"] == pytest.approx(-empyrical.max_drawdown(own), rel=1e-9)
    assert first["baseline_sharpe"] == pytest.approx(empyrical.sharpe_ratio(reference, 0.01 / 252), rel=1e-9)
    assert first["beats_baseline"] == (first["sharpe"] > first["baseline_sharpe"])
    assert second["cut_short"]
    assert not never["reached"]
    assert found["train_sessions"] == inside[0] - 1


def test_analyses_are_plain_json_and_the_keys_of_the_metrics(run):
    for name in DEFAULT_ANALYZERS:
        found = analysis(run, name)
        assert type(found) is dict
        json.dumps(found)
    every = metrics.performance(DAYS, np.ones(SESSIONS))
    assert set(analysis(run, "sharpe")) | set(analysis(run, "drawdown")) == {*every, "drawdown"}


def test_one_recorder_serves_all(run):
    equity, fills = run.analyzers.equity, run.analyzers.fills
    assert all(run.analyzers.getbyname(name)._children == [] for name in DEFAULT_ANALYZERS)
    assert run.analyzers.sharpe.equity is run.analyzers.turnover.equity is equity
    assert run.analyzers.orders.recorder is run.analyzers.turnover.recorder is fills


def test_alone_each_analyzer_brings_its_recorder():
    everyone = cerebro(count=60)
    add_default_analyzers(everyone, labels=(DAYS, LABELS))
    together = everyone.run()[0]
    for name, kind in DEFAULT_ANALYZERS.items():
        engine = cerebro(count=60)
        settings = {"labels": (DAYS, LABELS)} if name in ("exposure", "regime_attribution") else {}
        engine.addanalyzer(kind, **settings)
        alone = engine.run()[0].analyzers[0]
        assert str(alone.get_analysis()) == str(analysis(together, name))


def test_two_analyzers_share_the_child_of_the_first():
    engine = cerebro(count=60)
    engine.addanalyzer(analyzers.Turnover)
    engine.addanalyzer(analyzers.Orders)
    engine.addanalyzer(analyzers.Sharpe)
    turnover, orders, sharpe = engine.run()[0].analyzers
    assert (len(turnover._children), orders._children, sharpe._children) == (2, [], [])
    assert orders.recorder is turnover.recorder


def test_stepwise_and_preloaded_runs_agree(run):
    engine = cerebro()
    add_default_analyzers(engine, windows=WINDOWS)
    stepwise = engine.run(runonce=False, preload=False)[0]
    for name in ("equity", "fills", "drawdown", "orders"):
        assert analysis(stepwise, name) == analysis(run, name)


# Never None


@pytest.mark.parametrize("count", [0, 1, 2])
def test_short_runs_have_figures(count):
    engine = cerebro(bt.Strategy, count=count)
    add_default_analyzers(engine)
    found = engine.run()[0]
    sharpe = analysis(found, "sharpe")
    assert isinstance(sharpe["sharpe"], float)
    assert math.isnan(sharpe["sharpe"])
    assert sharpe["sessions"] == max(count - 1, 0)
    for name in DEFAULT_ANALYZERS:
        if name != "regime_attribution":
            json.dumps(analysis(found, name))


def test_flat_equity_has_a_nan_sharpe_ratio_and_no_drawdown():
    engine = cerebro(bt.Strategy, count=300)
    add_default_analyzers(engine)
    found = engine.run()[0]
    assert math.isnan(analysis(found, "sharpe")["sharpe"])
    assert analysis(found, "drawdown")["max_drawdown"] == 0.0
    assert analysis(found, "turnover")["turnover_one_way"] == 0.0
    assert analysis(found, "exposure")["mean_cash"] == 1.0


# Bad input


def test_regimes_need_labels():
    engine = cerebro(count=5)
    engine.addanalyzer(analyzers.RegimeAttribution)
    with pytest.raises(ConfigError, match="has no labels"):
        engine.run()


def test_a_session_without_a_label_is_named():
    engine = cerebro(bt.Strategy, count=5)
    engine.addanalyzer(analyzers.Exposure, labels=(np.delete(DAYS, 2), np.delete(LABELS, 2)))
    with pytest.raises(DataError, match=f"labels has no value for session {DAYS[2]} \\(1 of 5"):
        engine.run()


def test_a_baseline_that_ends_early_is_refused():
    engine = cerebro(bt.Strategy, count=5)
    engine.addanalyzer(analyzers.OutOfSample, baseline_nav=(DAYS[:4], BASELINE[:4]))
    with pytest.raises(DataError, match=f"baseline_nav has no value for session {DAYS[4]}"):
        engine.run()


def test_series_by_date_may_come_in_any_order():
    engine = cerebro(bt.Strategy, count=5)
    engine.addanalyzer(analyzers.Exposure, labels=(DAYS[::-1], LABELS[::-1]))
    engine.addanalyzer(analyzers.Exposure, labels={str(day): 3 for day in DAYS[:5]})
    first, second = engine.run()[0].analyzers
    assert first.get_analysis()["time_in_regime"]["NEUTRAL"] == 1.0
    assert second.get_analysis()["time_in_regime"]["HIGH_VOL"] == 1.0


# The rest of Backtrader


def test_results_survive_an_optimisation():
    engine = cerebro(count=80)
    engine.strats.clear()
    engine.optstrategy(SmaCross, period=[5, 10])
    add_default_analyzers(engine)
    results = [result[0] for result in engine.run(maxcpus=1)]
    ratios = [analysis(result, "sharpe")["sharpe"] for result in results]
    assert ratios[0] != ratios[1]
    assert all(analysis(result, "orders")["submitted"] > 0 for result in results)
