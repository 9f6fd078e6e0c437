"""``run.py ladder``: an honest result, each published mistake alone, and one on top of the other."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from ares7.config import load_config
from ares7.legacy import Biases
from feeds.ladder_study import ORDER, ladder_study

ROOT = Path(__file__).resolve().parents[2]

SMALL = [
    "--set",
    "data.synthetic.symbols=40",
    "--set",
    "data.synthetic.start=2012-01-03",
    "--set",
    "data.synthetic.end=2018-12-31",
    "--set",
    "oos=[{name: A, start: 2017-01-01, end: 2018-12-31}]",
    "--set",
    "runs.report=false",
]


@pytest.fixture(scope="module")
def answer(tmp_path_factory, cache):
    """One ladder on two small synthetic markets."""
    from tests.cli.conftest import Commands

    made = Commands(tmp_path_factory.mktemp("ladder"), cache)("ladder", "--json", *SMALL)
    assert made.code == 0, made.err
    return made


def test_it_climbs_on_the_null_market_and_on_the_configured_one(answer):
    metrics = answer.json["metrics"]
    assert list(metrics["markets"]) == ["null", "planted"]
    assert "LOOKAHEAD" in metrics["stamps"]
    assert sorted(metrics["explained"]) == sorted(ORDER)
    for market in metrics["markets"].values():
        rows = market["rows"]
        assert [(r["bias"], r["mode"]) for r in rows] == [
            ("honest", "honest"),
            *((name, "alone") for name in ORDER),
            *((name, "cumulative") for name in ORDER),
        ]
        assert market["announcements"] > 100


def test_a_sharpe_ratio_grows_out_of_nothing(answer):
    market = answer.json["metrics"]["markets"]["null"]
    ratio = {(r["bias"], r["mode"]): r["sharpe"] for r in market["rows"]}
    honest, plain = ratio["honest", "honest"], market["equal_weight"]["sharpe"]
    error = market["equal_weight"]["sharpe_se"]
    assert honest < plain + error
    assert ratio["same_day_weights", "alone"] > honest + 0.3
    assert ratio["same_day_vix", "alone"] > honest + 0.3
    assert ratio["assumed_costs", "cumulative"] > honest + 1.5
    assert ratio[ORDER[0], "alone"] == ratio[ORDER[0], "cumulative"]


def test_a_run_folder_holds_the_ladder_and_its_curves(answer):
    folder = Path(answer.json["run"])
    assert json.loads((folder / "metrics.json").read_text()) == answer.json["metrics"]
    with (folder / "ladder.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * (1 + 2 * len(Biases.model_fields))
    assert list(rows[0]) == [
        "market",
        "step",
        "bias",
        "mode",
        "sharpe",
        "sharpe_se",
        "cagr",
        "volatility",
        "max_drawdown",
    ]
    for market in ("null", "planted"):
        with (folder / f"curves_{market}.csv").open(newline="") as file:
            curves = list(csv.DictReader(file))
        assert list(curves[0]) == ["date", "honest", *ORDER]
        assert set(curves[0].values()) == {curves[0]["date"], "1.0"}
        assert len(curves) == answer.json["metrics"]["markets"][market]["sessions"]


def test_the_same_command_gives_the_same_figures(answer, cli):
    again = cli("ladder", "--json", *SMALL)
    assert again.json["metrics"] == answer.json["metrics"]


def test_the_table_explains_every_mistake(cli, market):
    """A data folder is the second market; the null one stays synthetic."""
    shown = cli("ladder", "--data", market, *SMALL)
    assert shown.code == 0, shown.err
    assert "null, " in shown.out
    assert "data, " in shown.out
    for name in ORDER:
        assert name in shown.out


def test_too_little_data_is_one_line(cli, market):
    answer = cli("ladder", "--data", market, *SMALL, "--set", "period.start=2015-03-02")
    assert answer.code == 2
    assert answer.out == ""
    (line,) = [line for line in answer.err.splitlines() if line.startswith("error: ")]
    assert "the ladder needs 300" in line


def test_it_climbs_without_a_cache(tmp_path):
    settings = [text for text in SMALL if text != "--set"]
    config = load_config(ROOT / "config.yaml", (*settings, "data.cache=null", f"runs.folder={tmp_path}"))
    metrics = ladder_study(config, ROOT).metrics
    assert all(market["announcements"] > 100 for market in metrics["markets"].values())
