"""A snapshot says what status, day report and report say, to the last digit."""

from __future__ import annotations

import datetime as dt
import json
import math
import time

import numpy as np
import pytest

from ares7 import metrics
from ares7.run_files import to_json
from live.account_view import status_of
from live.day_report import day_record
from live.journal.reader import JournalReader
from live.journal.rows import Decision, Nav, Rebalance, WireEvent
from live.monitor.lines import lines_of
from live.monitor.series import series_of
from live.monitor.snapshot import snapshot_of
from live.monitor.surroundings import Surroundings, data_days, missing_sessions, surroundings_of
from tests.monitor.desk import Clock, Script, configured
from tests.shortfall.journals import DAYS, four_sessions

NOW = dt.datetime(2024, 3, 6, 22, 0, tzinfo=dt.UTC)


@pytest.fixture
def desk(tmp_path):
    made = four_sessions(tmp_path)
    yield made
    made.journal.close()


def test_figures_are_those_of_status_and_of_the_day_report(desk):
    found = snapshot_of(desk.journal, NOW)
    status, _ = status_of(desk.journal)
    report = day_record(desk.journal, DAYS[3])
    money = found.money
    figures = status["figures"]
    for name in ("total_return", "cagr", "sharpe", "volatility", "max_drawdown", "drawdown", "earned_usd"):
        assert getattr(money, name) == figures[name], name
    assert money.flows_usd == figures["flows_usd"]
    assert (money.nav_usd, found.trading.working) == (status["nav"]["nav_usd"], status["working"])
    assert money.daily_return == report["money"]["return"]
    assert money.recent[-1].value == report["money"]["trading_return"]
    assert (found.account, found.mode) == ("DU*****67", "paper")
    assert found.alerts == ()


@pytest.mark.parametrize("row", [1, 2, 3])
def test_each_session_is_that_of_its_day_report(desk, row):
    series = series_of(desk.journal)
    report = day_record(desk.journal, DAYS[row])
    assert series.traded_usd[row] == report["traded_usd"]
    assert series.fees_usd[row] == report["fees_usd"]
    assert series.fees_unknown[row] == report["fees_unknown"]
    # The report of a session divides two values, the series the values of a chained curve.
    assert series.returns[row] == pytest.approx(report["money"]["return"], abs=1e-15)
    assert series.turnover[row] == report["traded_usd"] / 2.0 / series.nav_usd[row - 1]


def test_the_shortfall_is_that_of_the_day_report(desk):
    found = snapshot_of(desk.journal, NOW).trading
    (expected,) = day_record(desk.journal, DAYS[1])["shortfall"]
    assert found.shortfall == expected
    assert (found.sent, found.filled, found.rejected, found.working) == (2, 1, 0, 0)


def test_positions_against_targets(desk):
    desk.journal.begin_rebalance(
        Rebalance("11112222", DAYS[3], "ensemble", "feed", "month_end", 1e5, 2e4, 1e5, {"gross": 0.9, "sleeves": [
            {"name": "quality", "mix": 0.7}, {"name": "low", "mix": 0.3}]}),
        Decision("11112222", "AAPL", 1, 0.1, 100.0, 60.0, 0.0, 40.0, 100.0, "order"),
        Decision("11112222", "GE", 9, 0.2, 200.0, 0.0, 0.0, 0.0, None, "no_bar"),
    )  # fmt: skip
    found = snapshot_of(desk.journal, NOW)
    aapl, ge, tlt = found.book.holdings
    assert (aapl.symbol, aapl.shares, aapl.target_shares, aapl.missing_shares) == ("AAPL", 60.0, 100.0, 40.0)
    assert (aapl.weight, aapl.target_weight) == (0.06, 0.1)
    assert (ge.shares, ge.weight, ge.target_weight) == (0.0, None, 0.2)
    assert (tlt.shares, tlt.target_shares, tlt.weight) == (200.5, 0.0, None)
    assert found.book.sleeves == pytest.approx({"quality": 0.63, "low": 0.27})
    assert found.freshness.missing_names == ("GE",)
    assert list(series_of(desk.journal).sleeves["low"][2:]) == pytest.approx([math.nan, 0.27], nan_ok=True)


def test_a_journal_without_a_value_and_one_with_a_single_one(script, clock):
    found = snapshot_of(script.journal, clock())
    assert (found.money, found.regime, found.book.holdings, found.problems) == (None, None, (), ())
    assert "no closing value yet" in lines_of(found)
    script.close(dt.date(2024, 1, 5))
    money = snapshot_of(script.journal, clock()).money
    assert (money.nav_usd, money.daily_return, money.sharpe, money.recent) == (1e6, None, None, ())


def test_money_in_and_out_is_no_return_no_loss_and_no_drawdown(script, clock):
    for day, flow in ((2, 0.0), (3, 5e5), (4, -1.2e6), (5, 1.0)):
        script.close(dt.date(2024, 1, day), 0.0, flow, "withdrawal" if flow < 0 else "deposit")
    money = snapshot_of(script.journal, clock()).money
    assert (money.daily_return, money.total_return, money.drawdown) == (0.0, 0.0, 0.0)
    assert [day.value for day in money.recent] == [0.0, 0.0, 0.0]
    assert money.earned_usd == 0.0


def test_a_session_without_a_close_yet_is_watched(script, clock):
    script.close(dt.date(2024, 1, 4))
    script.journal.nav(Nav(dt.date(2024, 1, 5), "intraday", 0.97e6))
    found = snapshot_of(script.journal, clock())
    assert found.money.session == dt.date(2024, 1, 4)
    assert [(d.session.day, d.value) for d in found.money.recent] == [(5, 0.97e6 / 1e6 - 1.0)]


def test_a_gap_of_a_week_and_missing_rows(script, clock):
    for day in (2, 3, 12, 16):
        script.close(dt.date(2024, 1, day), 0.01)
    found = snapshot_of(script.journal, clock(), calendar="XNYS")
    # The fifteenth is a holiday.
    assert [day.day for day in found.freshness.missing_sessions] == [4, 5, 8, 9, 10, 11]
    assert found.money.daily_return == pytest.approx(0.01)
    assert missing_sessions(np.zeros(0, dtype="datetime64[D]"), "XNYS") == ()


def test_a_value_that_makes_figures_impossible_is_named(script, clock):
    script.close(dt.date(2024, 1, 4))
    script.close(dt.date(2024, 1, 5), 0.0, -1e6, "withdrawal")
    found = snapshot_of(script.journal, clock())
    assert found.money.drawdown is None
    assert "leave nothing to earn a return on" in found.problems[0]
    assert np.isnan(series_of(script.journal).drawdown).all()
    assert json.loads(to_json(found.to_dict()))["money"]["drawdown"] is None
    assert any(line.startswith("not known: ") for line in lines_of(found))


def test_connection_events_of_the_day_in_new_york(script, clock):
    clock.at(dt.date(2024, 1, 5), 4)  # 23:00 of the day before
    script.journal.wire(WireEvent("restored"), WireEvent("outage"))
    clock.at(dt.date(2024, 1, 5), 14)
    script.journal.wire(WireEvent("disconnected"), WireEvent("restored"), WireEvent("restored"))
    runner = snapshot_of(script.journal, clock()).runner
    assert (runner.drops, runner.reconnects, runner.outages) == (1, 2, 0)


def test_what_lies_around_the_journal(script, clock, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "earnings.csv").write_text("symbol,announce_date\nA,2023-11-30\nB,2023-12-04\n")
    (data / "fundamentals.csv").write_text("symbol\nA\n")
    config = configured(script.folder, f"data.path={data}")
    script.beat(age_s=30)
    script.journal.halt("BLOCK_NEW", "op", "earnings")
    script.close(dt.date(2024, 1, 5))
    around = surroundings_of(config, clock(), script.journal, "paper")
    found = snapshot_of(script.journal, clock(), around)
    assert (found.runner.state, found.runner.beat_age_s, found.runner.trouble) == ("running", 30.0, "")
    assert (found.runner.halt_level, found.runner.halt_source, found.runner.halt_who) == (
        "BLOCK_NEW",
        "journal",
        "op",
    )
    # Half an hour after the close its value is not due yet.
    assert found.freshness.expected_session == dt.date(2024, 1, 4)
    assert found.freshness.data_days == {"earnings": dt.date(2023, 12, 4)}
    assert found.freshness.journal_age_s == 0.0
    assert any("latest row of earnings: 2023-12-04" in line for line in lines_of(found))


def test_the_age_of_data_is_read_again_when_a_file_changes(tmp_path):
    import pyarrow as pa
    from pyarrow import parquet

    path = tmp_path / "fundamentals.parquet"
    for day in (dt.date(2024, 1, 2), dt.date(2024, 2, 2)):
        parquet.write_table(
            pa.table({"filing_date": [dt.date(2023, 1, 1), day], "symbol": ["A", "B" * day.month]}), path
        )
        assert data_days(tmp_path) == (("fundamentals", day),)
    path.write_bytes(b"no parquet")
    assert data_days(tmp_path) == ()
    assert data_days(None) == ()


def test_a_snapshot_is_frozen_and_plain_values(desk):
    found = snapshot_of(desk.journal, NOW, Surroundings())
    with pytest.raises(AttributeError):
        found.mode = "real"
    plain = json.loads(to_json(found.to_dict()))
    assert plain["at"] == "2024-03-06T22:00:00+00:00"
    assert plain["money"]["session"] == "2024-03-06"


def long_journal(folder):
    """Ten years of daily rows."""
    clock = Clock(dt.datetime(2014, 1, 1, 21, tzinfo=dt.UTC))
    script = Script(folder, clock)
    days = np.arange(np.datetime64("2014-01-02"), np.datetime64("2024-01-02"))
    days = days[np.is_busday(days)].tolist()
    changes = np.random.default_rng(3).normal(0.0004, 0.01, len(days))
    with script.journal._database.transaction() as connection:
        for day, change in zip(days, changes.tolist(), strict=True):
            script.nav *= 1.0 + change
            clock.at(day, 21)
            script.journal._insert(connection, Nav(day, "close", script.nav, 0.0, script.nav, script.nav))
    for day in days[::250]:
        script.regime(day, "BULL")
    script.journal.close()
    return script.url, changes


def test_ten_years(tmp_path):
    url, changes = long_journal(tmp_path)
    with JournalReader.open(url, "paper") as journal:
        began, used = time.perf_counter(), time.process_time()
        series = series_of(journal)
        found = snapshot_of(journal, NOW, series=series)
        took = time.perf_counter() - began, time.process_time() - used
    # Measured, and never judged: machines differ.
    print(f"{len(series)} sessions: {1000 * took[0]:.0f} ms, {1000 * took[1]:.0f} ms of a processor")  # noqa: T201
    rolling = metrics.rolling_sharpe(metrics.returns_from_nav(series.curve_usd))
    assert np.array_equal(series.rolling_sharpe[1:], rolling, equal_nan=True)
    assert found.money.rolling_sharpe == rolling[-1]
    assert series.drawdown.max() == found.money.max_drawdown
    assert np.allclose(series.returns[1:], changes[1:], atol=1e-12)
    assert len(series) == len(changes)
