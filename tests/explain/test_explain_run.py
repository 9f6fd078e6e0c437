"""A backtest is explained from its run folder: every order of it, to the share."""

from __future__ import annotations

import csv
import datetime as dt
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import run as command_line
from ares7.costs import BpsCosts
from ares7.errors import ConfigError, DataError, MissingData
from ares7.run_files import to_json
from ares7.runs import load_run
from live.explain import lines_of
from live.explain_run import RunExplainer

OVERLAYS = ("strategy.overlays=[wavelet, pead]", "strategy.params.risk.vol_target=0.12")
CASES = [("regime_ensemble", OVERLAYS), ("equal_weight", ()), ("fixed_mix", ())]


class Arguments:
    config = command_line.DEFAULT_CONFIG


def choose(name, params):
    """As the command line does, with costs that are not the run's."""
    other = SimpleNamespace(costs=BpsCosts(model="bps", bps=77.0))
    return command_line.choose(Arguments, other, name, params)


@pytest.fixture(scope="module")
def explained(made):
    found = {}

    def of(strategy, settings=()):
        if (strategy, settings) not in found:
            found[strategy, settings] = RunExplainer(made(strategy, *settings), choose)
        return found[strategy, settings]

    return of


def rows_of(run, name):
    with (run.folder / name).open(newline="") as file:
        return list(csv.DictReader(file))


def decisions_of(run):
    return sorted({row["date"] for row in rows_of(run, "orders.csv") if row["kind"] == "DECISION"})


@pytest.mark.parametrize(("strategy", "settings"), CASES)
def test_every_decided_order_is_the_one_that_the_explanation_sizes(explained, made, strategy, settings):
    found, run = explained(strategy, settings), made(strategy, *settings)
    orders = rows_of(run, "orders.csv")
    rng = np.random.default_rng(7)
    days = decisions_of(run)
    checked = 0
    for day in [days[0], days[-1], *rng.choice(days, 6)]:
        placed = {
            row["symbol"]: float(row["quantity"]) * (1 if row["side"] == "BUY" else -1)
            for row in orders
            if row["date"] == day and row["kind"] == "DECISION"
        }
        for symbol in found.panel.symbols:
            record = found.explain(dt.date.fromisoformat(day), symbol)
            (name,) = record["names"]
            ordered = name["sizing"]["ordered"] if "sizing" in name else 0.0
            assert ordered == placed.get(symbol, 0.0)
            assert sum(name["parts"].values()) == pytest.approx(name["target_weight"], abs=1e-12)
            checked += symbol in placed
    assert checked


@pytest.mark.parametrize(("strategy", "settings"), CASES)
def test_fills_and_fees_of_an_order_are_those_of_the_trades(explained, made, strategy, settings):
    found, run = explained(strategy, settings), made(strategy, *settings)
    trades = {row["order_ref"]: row for row in rows_of(run, "trades.csv")}
    day = decisions_of(run)[-2]
    record = found.explain(dt.date.fromisoformat(day))
    orders = [order for name in record["names"] for order in name["orders"] if order["filled"]]
    for order in orders:
        trade = trades[order["ref"]]
        assert (order["average_price"], order["fee_usd"]) == pytest.approx(
            (float(trade["price"]), float(trade["fee"]))
        )
        # A market order at the open: what it costs beside its fee is the move to the open.
        assert order["execution_usd"] == pytest.approx(0.0, abs=1e-6)
        assert order["total_usd"] == pytest.approx(order["delay_usd"] + order["fee_usd"], abs=1e-6)
    assert orders


def test_a_record_is_json_and_readable(explained):
    found = explained("regime_ensemble", OVERLAYS)
    day = decisions_of(found.run)[-1]
    record = found.explain(dt.date.fromisoformat(day))
    text = "\n".join(lines_of(record))
    assert to_json(record)
    for word in ("decided", "regime", "sleeve low_volatility", "overlays of", "scaler vol_target", "order"):
        assert word in text
    assert "nan" not in text


def test_a_session_without_a_decision_explains_the_targets_in_force(explained):
    found = explained("equal_weight")
    days = decisions_of(found.run)
    dates = found.panel.dates.astype(str).tolist()
    after = dates[dates.index(days[-2]) + 2]
    record = found.explain(dt.date.fromisoformat(after))
    assert (record["session"], record["decided"]) == (after, days[-2])
    assert "no decision" in lines_of(record)[0]


def test_what_is_not_in_the_run_is_one_clear_error(explained):
    found = explained("equal_weight")
    day = dt.date.fromisoformat(decisions_of(found.run)[-1])
    with pytest.raises(MissingData, match="NOPE"):
        found.explain(day, "NOPE")
    with pytest.raises(MissingData, match="no session"):
        found.explain(dt.date(2016, 1, 3))
    with pytest.raises(MissingData, match="is not in run"):
        found.explain(dt.date.fromisoformat(str(found.panel.dates[5])))


def test_a_run_whose_data_or_code_changed_is_not_explained_with_other_weights(made, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as parquet

    whole = made("equal_weight")
    copy = Path(shutil.copytree(whole.folder, tmp_path / whole.folder.name))
    table = parquet.read_table(copy / "target_weights.parquet")
    name = next(n for n in table.column_names if n != "date" and max(table.column(n).to_pylist()) > 0)
    wrong = pa.array([value * 1.001 for value in table.column(name).to_pylist()])
    at = table.column_names.index(name)
    parquet.write_table(table.set_column(at, name, wrong), copy / "target_weights.parquet")
    found = RunExplainer(load_run(copy, tmp_path), choose)
    with pytest.raises(DataError, match=f"come out differently now \\({name}"):
        found.explain(dt.date.fromisoformat(decisions_of(whole)[-1]))


def test_a_run_that_trades_later_is_refused(made):
    run = made("equal_weight")
    late = replace(run, config={**run.config, "account": {**run.config["account"], "exec_lag": 2}})
    with pytest.raises(ConfigError, match="exec_lag 1"):
        RunExplainer(late, choose)
