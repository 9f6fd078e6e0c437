"""Bad input gets one line that says what, where and what to do; exit code 2; nothing is half-written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RAISES_AT_IMPORT = "raise RuntimeError('my idea is broken')\n"
IDEA = """
import numpy as np
from dataclasses import replace
from ares7.params import BookParams
from strategies import equal_weight
from strategies.base import PortfolioStrategy

def weights(panel, params):
    targets = equal_weight.weights(panel, equal_weight.Params())
    return %s

class Idea(PortfolioStrategy):
    Params = BookParams
    weights = staticmethod(weights)
"""


def refused(answer, *words):
    """Exit code 2, nothing on stdout, one line on stderr that holds the words."""
    assert answer.code == 2, answer.err
    assert answer.out == ""
    assert "Traceback" not in answer.err
    lines = [line for line in answer.err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert answer.err.rstrip("\n").endswith(lines[0])
    for word in words:
        assert word in lines[0]


SETTINGS = {
    "unknown key": (["--set", "costs.bsp=5"], ["costs", "bsp", "unknown key", "show-config"]),
    "unknown section": (["--set", "cost.bps=5"], ["cost", "unknown key"]),
    "unknown strategy parameter": (["--set", "strategy.params.presett=phase3"], ["presett", "unknown key"]),
    "wrong type": (["--set", "account.cash=lots"], ["account.cash", "'lots'"]),
    "wrong choice": (["--set", "account.shares=some"], ["account.shares", "whole", "fractional"]),
    "out of range": (["--set", "costs.bps=-1"], ["costs", "bps", "greater than or equal to 0"]),
    "no equals sign": (["--set", "costs.bps"], ["costs.bps", "dotted.name=value"]),
    "no name": (["--set", "=5"], ["dotted.name=value"]),
    "empty part of a name": (["--set", "costs..bps=5"], ["dotted.name=value"]),
    "broken value": (["--set", "oos=[1, 2"], ["oos", "not valid YAML"]),
    "into a value": (["--set", "costs.bps.x=1"], ["bps", "is a value, not a section"]),
    "costs missing": (["--set", "costs=null"], ["costs"]),
    "unknown cost model": (["--set", "costs.model=free"], ["costs", "bps", "ibkr_fixed", "ibkr_tiered"]),
    "no date": (["--start", "yesterday"], ["period.start", "yesterday"]),
    "impossible date": (["--end", "2016-02-30"], ["period.end", "2016-02-30"]),
    "start after end": (["--start", "2017-06-01", "--end", "2016-06-01"], ["2017-06-01", "2016-06-01"]),
    "start before the data": (["--start", "2011-01-03"], ["period.start 2011-01-03", "2015-01-02"]),
    "start in the warm-up": (["--start", "2015-03-02"], ["warm-up", "2016-"]),
    "end after the data": (["--end", "2030-01-02"], ["period.end 2030-01-02", "2017-12-29"]),
    "longer than the data": (["--start", "2011-01-03", "--end", "2030-01-02"], ["2017-12-29"]),
    "too little cash": (["--set", "account.cash=1"], ["account.cash", "fractional"]),
    "unknown symbol": (["--set", "data.universe=[NOPE]"], ["NOPE", "data.universe"]),
    "unknown fund": (["--set", "data.etfs=[NOPE]"], ["NOPE", "data.etfs"]),
    "unknown index": (["--set", "data.index=NOPE"], ["NOPE", "data.index"]),
    "unknown vix": (["--set", "data.vix=NOPE"], ["NOPE", "data.vix"]),
    "leverage": (["--set", "strategy.params.gross=1.5"], ["gross", "account.margin", "financing_bps"]),
    "leverage without a rate": (
        ["--set", "strategy.params.gross=1.5", "--set", "account.margin=true"],
        ["financing_bps"],
    ),
    "unknown strategy": (
        ["--strategy", "regime_ensembel"],
        ["regime_ensembel", "did you mean regime_ensemble"],
    ),
    "unknown baseline": (["--set", "baseline=equal_wait"], ["equal_wait", "equal_weight"]),
    "unknown module": (["--strategy", "no.such.module:Idea"], ["no.such.module"]),
    "unknown class": (["--strategy", "strategies.equal_weight:Idea"], ["Idea", "EqualWeight"]),
    "missing strategy file": (["--strategy", "nowhere/idea.py:Idea"], ["nowhere/idea.py", "does not exist"]),
    "missing config": (["--config", "nowhere.yaml"], ["nowhere.yaml", "--config"]),
    "folder as config": (["--config", "."], ["cannot be read"]),
    "missing data": (["--data", "nowhere"], ["nowhere", "does not exist", "--data"]),
    "unknown calendar": (["--set", "data.calendar=XMOON"], ["XMOON", "XNYS"]),
}


@pytest.mark.parametrize("case", SETTINGS)
def test_a_wrong_setting_is_refused_before_anything_is_written(cli, market, case):
    arguments, words = SETTINGS[case]
    data = [] if "--data" in arguments else ["--data", market]
    refused(cli("backtest", *data, *arguments), *words)
    assert cli.runs() == []


CONFIGS = {
    "broken YAML": ("costs: {model: bps, bps: 10\n", ["not valid YAML", "line"]),
    "duplicate key": (
        "costs: {model: bps, bps: 10}\ncosts: {model: bps, bps: 0}\n",
        ["costs", "given twice"],
    ),
    "empty": ("", ["empty"]),
    "a list": ("- costs\n", ["mapping"]),
    "no costs": ("baseline: equal_weight\n", ["costs are required", "bps: 0"]),
    "windows of one name": (
        "costs: {model: bps, bps: 10}\noos: [{name: A, start: 2016-01-01, end: 2016-06-30}, "
        "{name: A, start: 2017-01-01, end: 2017-06-30}]\n",
        ["window names must differ"],
    ),
    "an object": ("costs: !!python/object/apply:os.getcwd []\n", ["not valid YAML"]),
}


@pytest.mark.parametrize("case", CONFIGS)
def test_a_wrong_config_file_is_refused(cli, market, tmp_path, case):
    text, words = CONFIGS[case]
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    # Overrides would fill the gaps of the file, so the verb is one that needs none.
    refused(cli("backtest", "--config", path, "--data", market), *words)
    assert cli.runs() == []


def test_a_config_file_that_is_no_text_is_refused(cli, tmp_path):
    (tmp_path / "mine.yaml").write_bytes(b"\xff\xfe\x00")
    refused(cli("show-config", "--config", tmp_path / "mine.yaml"), "cannot be read")


def test_a_strategy_file_that_raises_at_import_is_refused(cli, market, tmp_path):
    (tmp_path / "idea.py").write_text(RAISES_AT_IMPORT)
    answer = cli("backtest", "--data", market, "--strategy", f"{tmp_path / 'idea.py'}:Idea")
    refused(answer, "cannot be imported", "RuntimeError", "my idea is broken")
    assert cli.runs() == []


IDEAS = {
    "a name that is not there": ("missing_name", ["NameError", "missing_name", "idea.py:10"]),
    "an array": ("targets.weights", ["must return Targets, not ndarray"]),
    "a row too few": ("replace(targets, weights=targets.weights[1:])", ["shape", "one row a session"]),
    "a short mask": ("replace(targets, decide=targets.decide[1:])", ["shape", "decide"]),
    "NaN": ("replace(targets, weights=targets.weights * np.nan)", ["the weight of", "on 2015-01-02 is nan"]),
    "a short sale": ("replace(targets, weights=-targets.weights)", ["the weight of", "at least 0"]),
    "more than gross": ("replace(targets, weights=targets.weights * 2)", ["sum to 1.96, above gross 0.98"]),
    "nothing": ("replace(targets, weights=targets.weights * 0)", ["wants nothing"]),
}


@pytest.mark.parametrize("case", IDEAS)
def test_a_strategy_that_gives_no_usable_targets_is_refused(cli, market, tmp_path, case):
    expression, words = IDEAS[case]
    (tmp_path / "idea.py").write_text(IDEA % expression)
    answer = cli("backtest", "--data", market, "--strategy", f"{tmp_path / 'idea.py'}:Idea")
    refused(answer, *words)
    assert cli.runs() == []


def test_the_same_strategy_runs_when_its_targets_are_usable(cli, market, tmp_path):
    (tmp_path / "idea.py").write_text(IDEA % "targets")
    answer = cli("backtest", "--data", market, "--strategy", f"{tmp_path / 'idea.py'}:Idea", "--json")
    assert answer.code == 0, answer.err
    assert len(cli.runs()) == 1


def test_a_universe_that_becomes_empty_is_refused(cli, market_copy):
    (market_copy / "membership.csv").write_text("symbol,start_date,end_date\nS001,2014-01-01,2017-06-30\n")
    for old in market_copy.glob("membership*.parquet"):
        old.unlink()
    refused(cli("backtest", "--data", market_copy), "universe", "empty", "2017-07-03")
    assert cli.runs() == []


def test_a_universe_that_is_empty_at_the_start_is_refused(cli, market_copy):
    for old in market_copy.glob("membership*.parquet"):
        old.unlink()
    (market_copy / "membership.csv").write_text("symbol,start_date,end_date\nS001,2017-06-30,\n")
    refused(cli("backtest", "--data", market_copy), "universe is empty on 2016-", "membership")
    assert cli.runs() == []


@pytest.mark.parametrize("verb", [["report", "no-run"], ["compare", "no-run", "no-run"]])
def test_an_unknown_run_is_refused(finished, verb):
    refused(finished(*verb), "no-run", "runs")


@pytest.mark.parametrize("run", ["../runs", "/", ".", ""])
def test_a_run_is_a_name_and_not_any_folder(finished, run):
    refused(finished("report", run))


@pytest.mark.parametrize("name", ["My-Idea", "1st", "class", "../idea", "", "a b", "Ümlaut"])
def test_a_bad_strategy_name_makes_no_file(cli, tmp_path, monkeypatch, name):
    monkeypatch.setattr("run.ROOT", tmp_path)
    (tmp_path / "strategies").mkdir()
    refused(cli("new", name), "lower-case")
    assert list((tmp_path / "strategies").iterdir()) == []


@pytest.mark.parametrize("name", ["equal_weight", "base", "registry"])
def test_an_existing_strategy_is_not_overwritten(cli, name):
    before = (ROOT / "strategies" / f"{name}.py").read_bytes()
    refused(cli("new", name), name, "exists")
    assert (ROOT / "strategies" / f"{name}.py").read_bytes() == before


def test_a_runs_folder_that_cannot_be_made_is_refused(cli, market, tmp_path):
    (tmp_path / "runs").write_text("a file\n")
    refused(cli("backtest", "--data", market), str(tmp_path / "runs"), "runs.folder")
    assert (tmp_path / "runs").read_text() == "a file\n"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--symbols", "1"], ["symbols", "5"]),
        (["--seed", "-1"], ["seed"]),
        (
            ["--set", "data.synthetic.start=2020-01-02", "--set", "data.synthetic.end=2019-01-02"],
            ["2019-01-02"],
        ),
    ],
)
def test_an_impossible_synthetic_market_is_refused(cli, tmp_path, options, words):
    refused(cli("data", "synth", tmp_path / "new", *options), *words)
    assert not (tmp_path / "new").exists()


def test_a_synthetic_market_is_not_written_over_a_file(cli, tmp_path):
    (tmp_path / "new").write_text("mine\n")
    small = [
        "--symbols",
        "5",
        "--set",
        "data.synthetic.start=2020-01-02",
        "--set",
        "data.synthetic.end=2021-12-31",
    ]
    refused(cli("data", "synth", tmp_path / "new", *small), str(tmp_path / "new"))
    assert (tmp_path / "new").read_text() == "mine\n"


@pytest.mark.parametrize("place", ["nowhere", "prices.parquet"])
def test_data_check_refuses_what_is_no_folder(cli, market, place):
    refused(cli("data", "check", market / place), place)


def test_data_check_of_damaged_data_lists_every_error_and_exits_1(cli, market_copy):
    (market_copy / "prices.parquet").write_bytes(b"no parquet")
    (market_copy / "market.parquet").unlink()
    answer = cli("data", "check", market_copy, "--json")
    assert answer.code == 1
    errors = [f for f in answer.json["findings"] if f["severity"] == "error"]
    assert answer.json["errors"] == len(errors) >= 2
    assert {"prices", "vix"} <= {f["input"] for f in errors} | {"vix"}


def test_damaged_data_stops_a_run_with_the_first_error(cli, market_copy):
    (market_copy / "prices.parquet").write_bytes(b"no parquet")
    refused(cli("backtest", "--data", market_copy), "prices.parquet")
    assert cli.runs() == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["backtest", "--set", "costs.bsp=5"],
        ["show-config", "--strategy", "regime_ensembel"],
        ["report", "no-run"],
        ["compare", "no-run", "no-run"],
        ["data", "check", "nowhere"],
        ["new", "1st"],
    ],
)
def test_an_error_with_json_is_one_object_too(cli, arguments):
    answer = cli(*arguments, "--json")
    assert answer.code == 2
    assert set(answer.json) == {"error", "kind"}
    assert answer.err.strip() == f"error: {answer.json['error']}"
    assert json.loads(answer.out) == answer.json
