"""Run folders: the files of docs/guide.md, exact, atomic, and read back."""

from __future__ import annotations

import csv
import dataclasses
import datetime as dt
import json
import resource
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ares7.errors import Ares7Error, ConfigError, DataError
from ares7.ledger import OrderKind, OrderStatus
from ares7.runs import compare, list_runs, load_run, read_run, write_run
from tests.report.example_run import example_run

STAMP = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
FILES = {
    "config.yaml",
    "provenance.json",
    "metrics.json",
    "equity.csv",
    "target_weights.parquet",
    "trades.csv",
    "orders.csv",
    "regime.csv",
    "sleeves.csv",
}


@pytest.fixture(scope="module")
def result():
    return example_run(sessions=320, names=6)


@pytest.fixture(scope="module")
def run(result, tmp_path_factory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs"), result, stamp=STAMP)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def column(path: Path, name: str) -> np.ndarray:
    return np.array([float(row[name]) for row in rows(path)])


def test_the_folder_is_named_by_utc_stamp_strategy_and_config_hash(run, result):
    assert run.name == f"20260102T030405Z-regime_ensemble-{result.digest}"
    assert {path.name for path in run.iterdir()} == FILES


def test_a_stamp_of_another_zone_is_named_in_utc(result, tmp_path):
    seoul = dt.datetime(2026, 1, 2, 12, 4, 5, tzinfo=dt.timezone(dt.timedelta(hours=9)))
    assert write_run(tmp_path, result, stamp=seoul).name.startswith("20260102T030405Z-")


@pytest.mark.parametrize(
    ("strategy", "slug"),
    [
        ("my.package:Idea", "my.package_Idea"),
        ("../ideas/my file.py:Idea", "my_file.py_Idea"),
        ("::", "strategy"),
    ],
)
def test_any_strategy_name_makes_one_folder_inside_the_runs_folder(result, tmp_path, strategy, slug):
    written = write_run(tmp_path, dataclasses.replace(result, strategy=strategy), stamp=STAMP)
    assert written.parent == tmp_path
    assert written.name.split("-")[1] == slug


@pytest.mark.parametrize(
    ("file", "header"),
    [
        ("equity.csv", "date,nav,cash,gross,baseline_nav"),
        ("trades.csv", "date,symbol,side,quantity,price,fee,order_ref"),
        ("orders.csv", "date,symbol,side,quantity,close,kind,status,resolved,order_ref"),
        ("regime.csv", "date,raw,held"),
        ("sleeves.csv", "date,quality_momentum,low_volatility,defensive,cash"),
    ],
)
def test_columns_are_those_of_the_design(run, file, header):
    assert (run / file).read_text().splitlines()[0] == header


def test_equity_reads_back_exactly_and_has_every_session(run, result):
    path = run / "equity.csv"
    assert [row["date"] for row in rows(path)] == result.dates.astype(str).tolist()
    for name in ("nav", "cash", "gross", "baseline_nav"):
        np.testing.assert_array_equal(column(path, name), getattr(result, name))


def test_trades_read_back_exactly(run, result):
    path, fills = run / "trades.csv", result.fills
    np.testing.assert_array_equal(column(path, "price"), fills.price)
    np.testing.assert_array_equal(column(path, "fee"), fills.fee)
    sign = np.array([1.0 if row["side"] == "BUY" else -1.0 for row in rows(path)])
    np.testing.assert_array_equal(sign * column(path, "quantity"), fills.quantity)
    assert [row["symbol"] for row in rows(path)] == [fills.symbols[i] for i in fills.symbol]


def test_every_trade_names_an_order(run):
    orders = {row["order_ref"]: row for row in rows(run / "orders.csv")}
    assert len(orders) == len(rows(run / "orders.csv"))
    for trade in rows(run / "trades.csv"):
        order = orders[trade["order_ref"]]
        assert order["status"] == "FILLED"
        assert order["resolved"] == trade["date"] > order["date"]
        assert (order["symbol"], order["side"], order["quantity"]) == (
            trade["symbol"],
            trade["side"],
            trade["quantity"],
        )


def test_orders_say_how_they_ended(run, result):
    written = rows(run / "orders.csv")
    assert [row["status"] for row in written] == [OrderStatus(s).name for s in result.orders.status]
    assert {row["kind"] for row in written} <= {kind.name for kind in OrderKind}
    assert {bool(row["resolved"]) for row in written if row["status"] == "WAITING"} == {False}
    assert "REFUSED" in {row["status"] for row in written}


def test_target_weights_have_one_column_a_symbol_and_one_row_a_session(run, result):
    weights = pd.read_parquet(run / "target_weights.parquet")
    assert weights.index.name == "date"
    assert tuple(weights.columns) == result.symbols
    np.testing.assert_array_equal(weights.index.to_numpy().astype("datetime64[D]"), result.dates)
    np.testing.assert_array_equal(weights.to_numpy(), result.target_weights)


def test_regimes_are_written_by_name(run, result):
    held = [row["held"] for row in rows(run / "regime.csv")]
    assert held[0] == "NEUTRAL"
    assert set(held) <= {"NEUTRAL", "BULL", "BEAR", "HIGH_VOL"}
    assert len(held) == len(result.dates)


def test_two_runs_differ_only_in_stamp_and_duration(result, run, tmp_path):
    again = dataclasses.replace(result, provenance={**result.provenance, "duration_s": 99.0})
    other = write_run(tmp_path, again, stamp=STAMP + dt.timedelta(days=1))
    for name in FILES - {"provenance.json"}:
        assert (other / name).read_bytes() == (run / name).read_bytes(), name
    first, second = (json.loads((folder / "provenance.json").read_text()) for folder in (run, other))
    assert {key for key in first if first[key] != second[key]} == {"stamp", "duration_s"}


def test_metrics_are_strict_json_with_sorted_keys(result, tmp_path):
    figures = {
        "z": np.nan,
        "a": np.float64(0.1),
        "n": np.int64(3),
        "d": np.datetime64("2020-01-02"),
        "i": -np.inf,
    }
    written = write_run(tmp_path, dataclasses.replace(result, metrics=figures), stamp=STAMP)
    loaded = json.loads((written / "metrics.json").read_text(), parse_constant=pytest.fail)
    assert list(loaded.items()) == [("a", 0.1), ("d", "2020-01-02"), ("i", None), ("n", 3), ("z", None)]


def test_an_existing_run_is_never_overwritten(result, tmp_path):
    first = write_run(tmp_path, result, stamp=STAMP)
    (first / "note.txt").write_text("mine")
    names = [write_run(tmp_path, result, stamp=STAMP).name for _ in range(2)]
    assert names == [f"{first.name}-2", f"{first.name}-3"]
    assert (first / "note.txt").read_text() == "mine"


def test_an_empty_folder_of_that_name_is_left_alone(result, tmp_path):
    name = f"20260102T030405Z-regime_ensemble-{result.digest}"
    (tmp_path / name).mkdir()
    assert write_run(tmp_path, result, stamp=STAMP).name == f"{name}-2"
    assert list((tmp_path / name).iterdir()) == []


def test_a_disk_that_takes_no_more_gives_one_error_and_leaves_nothing(result, tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, limits[1]))
    try:
        with pytest.raises(
            Ares7Error, match=r"cannot be written: File too large; nothing was kept; .*runs\.folder"
        ):
            write_run(tmp_path, result, stamp=STAMP)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []


def test_a_runs_folder_that_is_a_file_gives_one_error(result, tmp_path):
    (tmp_path / "runs").write_text("")
    with pytest.raises(Ares7Error, match="cannot be written"):
        write_run(tmp_path / "runs", result, stamp=STAMP)


def test_an_interrupt_leaves_nothing(result, tmp_path):
    def interrupted(number: int) -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_run(tmp_path, dataclasses.replace(result, order_reference=interrupted), stamp=STAMP)
    assert list(tmp_path.iterdir()) == []


def test_runs_are_listed_oldest_first_with_their_figures(result, tmp_path):
    days = [STAMP + dt.timedelta(days=n) for n in (2, 0, 1, 0)]
    names = [write_run(tmp_path, result, stamp=day).name for day in days]
    listed = list_runs(tmp_path)
    assert [line.name for line in listed] == [names[1], names[3], names[2], names[0]]
    assert listed[0].stamp == "2026-01-02T03:04:05+00:00"
    assert listed[0].strategy == "regime_ensemble"
    assert listed[0].period == f"{result.dates[0]} to {result.dates[-1]}"
    assert listed[0].sharpe == result.metrics["performance"]["sharpe"]
    assert listed[0].mdd == result.metrics["performance"]["max_drawdown"]
    assert listed[0].synthetic is True
    assert listed[0].damage == ""


def test_a_tenth_run_of_one_name_is_listed_after_the_ninth(result, tmp_path):
    for _ in range(11):
        write_run(tmp_path, result, stamp=STAMP)
    suffixes = [line.name.rpartition(result.digest)[2] for line in list_runs(tmp_path)]
    assert suffixes == ["", *(f"-{n}" for n in range(2, 12))]


@pytest.mark.parametrize(
    ("file", "content", "damage"),
    [
        ("metrics.json", None, "metrics.json is missing"),
        ("metrics.json", "{", "metrics.json cannot be read"),
        ("provenance.json", "[]", "provenance.json must hold a mapping; it holds list"),
        ("config.yaml", "a: [", "config.yaml cannot be read"),
        ("config.yaml", b"\xff\xfe", "config.yaml cannot be read"),
    ],
)
def test_a_damaged_run_is_listed_as_damaged(result, tmp_path, file, content, damage):
    folder = write_run(tmp_path, result, stamp=STAMP)
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_bytes(content if isinstance(content, bytes) else content.encode())
    (line,) = list_runs(tmp_path)
    assert damage in line.damage
    assert line.sharpe is None
    with pytest.raises(DataError, match="run the backtest again"):
        load_run(folder.name, tmp_path)


def test_an_unfinished_run_is_listed_as_such(tmp_path):
    (tmp_path / ".partial-20260102T030405Z-x-0123abcd-ffff0000").mkdir()
    (line,) = list_runs(tmp_path)
    assert line.damage.startswith("unfinished")


def test_a_runs_folder_that_is_not_there_holds_no_runs(tmp_path):
    assert list_runs(tmp_path / "none") == []


def test_a_run_is_loaded_by_name_and_by_path(run):
    by_name = load_run(run.name, run.parent)
    assert by_name == load_run(run, run.parent / "elsewhere") == read_run(run)
    assert by_name.config["costs"] == {"model": "bps", "bps": 10.0}
    assert by_name.metrics["strategy"] == "regime_ensemble"


def test_an_unknown_run_lists_the_nearest_names(run):
    with pytest.raises(ConfigError, match=f"'2026-regime_ensembel' does not exist in .*nearest: {run.name}"):
        load_run("2026-regime_ensembel", run.parent)


@pytest.mark.parametrize("name", ["anything", ""])
def test_an_unknown_run_of_an_empty_folder_says_so(tmp_path, name):
    with pytest.raises(ConfigError, match="holds no run yet"):
        load_run(name, tmp_path)


def test_compare_puts_figures_side_by_side_and_names_the_settings_that_differ(result, run, tmp_path):
    changed = dataclasses.replace(
        result,
        config_yaml=result.config_yaml.replace("bps: 10.0", "bps: 20.0"),
        metrics={**result.metrics, "costs": {**result.metrics["costs"], "fees_usd": 1.5}},
    )
    other = write_run(tmp_path, changed, stamp=STAMP)
    found = compare(read_run(run), read_run(other))
    assert found["runs"] == [run.name, other.name]
    assert found["config"] == {"costs.bps": [10.0, 20.0]}
    assert found["figures"]["costs.fees_usd"] == [result.metrics["costs"]["fees_usd"], 1.5]
    assert found["figures"]["performance.sharpe"][0] == result.metrics["performance"]["sharpe"]
    assert all(isinstance(v, int | float | None) for pair in found["figures"].values() for v in pair)


def test_compare_ignores_where_runs_are_written(result, run, tmp_path):
    moved = dataclasses.replace(
        result, config_yaml=result.config_yaml.replace("folder: runs", "folder: elsewhere")
    )
    other = write_run(tmp_path, moved, stamp=STAMP)
    assert compare(read_run(run), read_run(other))["config"] == {}


def test_a_run_asked_for_a_report_gets_one(result, tmp_path):
    written = write_run(tmp_path, result, stamp=STAMP, report=True)
    assert {path.name for path in written.iterdir()} == FILES | {"report.html"}
