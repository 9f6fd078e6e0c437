"""What each verb answers: a table for people, one JSON object for scripts, files where it says so."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
RUN_FILES = {
    "config.yaml",
    "provenance.json",
    "metrics.json",
    "equity.csv",
    "sleeves.csv",
    "regime.csv",
    "trades.csv",
    "orders.csv",
    "target_weights.parquet",
    "report.html",
}


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_backtest_answers_with_one_json_object_and_speaks_on_stderr(cli, market):
    answer = cli("backtest", "--data", market, "--strategy", "equal_weight", "--json")
    assert answer.code == 0
    run = Path(answer.json["run"])
    assert run.parent == cli.folder / "runs"
    assert answer.json["report"] == str(run / "report.html")
    assert answer.json["metrics"] == json.loads((run / "metrics.json").read_text())
    assert "loading data" in answer.err


def test_backtest_prints_a_table_and_where_the_report_is(cli, market):
    answer = cli("backtest", "--data", market, "--strategy", "equal_weight")
    assert answer.code == 0
    assert "Sharpe ± s.e." in answer.out
    assert "[SYNTHETIC]" in answer.out
    last = answer.out.strip().splitlines()[-1]
    assert last == f"report: {cli.folder / 'runs' / cli.runs()[0] / 'report.html'}"


def test_a_run_folder_holds_the_files_of_the_guide(finished):
    run = finished.folder / "runs" / finished.runs()[0]
    assert {p.name for p in run.iterdir()} == RUN_FILES
    assert list(rows(run / "equity.csv")[0]) == ["date", "nav", "cash", "gross", "baseline_nav"]
    assert list(rows(run / "regime.csv")[0]) == ["date", "raw", "held"]
    trade = ["date", "symbol", "side", "quantity", "price", "fee", "order_ref"]
    assert list(rows(run / "trades.csv")[0]) == trade
    order = ["date", "symbol", "side", "quantity", "close", "kind", "status", "resolved", "order_ref"]
    assert list(rows(run / "orders.csv")[0]) == order


def test_a_run_repeats_from_its_own_config(cli, finished):
    run = finished.folder / "runs" / finished.runs()[0]
    answer = cli("backtest", "--config", run / "config.yaml", "--set", "runs.report=false", "--json")
    assert answer.code == 0, answer.err
    again = Path(answer.json["run"])
    for name in ("equity.csv", "trades.csv", "orders.csv", "regime.csv", "sleeves.csv", "metrics.json"):
        assert (again / name).read_bytes() == (run / name).read_bytes()


def test_without_a_report_none_is_written_and_the_run_is_named(cli, market):
    options = ["--strategy", "equal_weight", "--set", "runs.report=false"]
    answer = cli("backtest", "--data", market, *options)
    assert answer.out.strip().splitlines()[-1] == f"run: {cli.folder / 'runs' / cli.runs()[0]}"
    assert not (cli.folder / "runs" / cli.runs()[0] / "report.html").exists()


def test_zero_costs_are_stamped_on_table_and_report(cli, market):
    answer = cli("backtest", "--data", market, "--strategy", "equal_weight", "--set", "costs.bps=0")
    assert "ZERO COSTS" in answer.out
    report = cli.folder / "runs" / cli.runs()[0] / "report.html"
    assert "ZERO COSTS" in report.read_text()


def test_another_strategy_leaves_the_parameters_of_the_configured_one_behind(cli):
    answer = cli(
        "show-config", "--strategy", "low_volatility", "--set", "strategy.params.top_quantile=0.2", "--json"
    )
    assert answer.code == 0, answer.err
    assert answer.json["strategy"]["name"] == "low_volatility"
    assert answer.json["strategy"]["params"]["top_quantile"] == 0.2
    assert "preset" not in answer.json["strategy"]["params"]


def test_naming_the_configured_strategy_keeps_its_parameters(cli, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        "costs: {model: bps, bps: 3}\nstrategy: {name: low_volatility, params: {top_quantile: 0.1}}\n"
    )
    answer = cli("show-config", "--config", path, "--strategy", "low_volatility", "--json")
    assert answer.json["strategy"]["params"]["top_quantile"] == 0.1


def test_shown_config_is_a_config_that_gives_the_same_again(cli, tmp_path):
    (tmp_path / "shown.yaml").write_text(cli("show-config").out)
    again = cli("show-config", "--config", tmp_path / "shown.yaml")
    assert again.code == 0, again.err
    assert again.out == (tmp_path / "shown.yaml").read_text()


def test_shown_json_and_yaml_are_the_same(cli):
    assert yaml.safe_load(cli("show-config").out) == cli("show-config", "--json").json


def test_list_names_every_strategy_file(cli):
    names = set(cli("list", "--json").json["strategies"])
    assert {"equal_weight", "quality_momentum", "low_volatility", "defensive", "regime_ensemble"} <= names
    assert all((ROOT / "strategies" / f"{name}.py").is_file() for name in names)
    table = cli("list").out
    assert all(name in table for name in names)


def test_runs_lists_finished_runs_oldest_first(finished):
    answer = finished("runs", "--json")
    assert [run["name"] for run in answer.json["runs"]] == finished.runs()
    assert "equal_weight" in finished("runs").out


def test_runs_of_a_new_project_are_none(cli):
    answer = cli("runs", "--json")
    assert (answer.code, answer.json) == (0, {"runs": []})


def test_compare_shows_figures_and_settings_that_differ(finished):
    answer = finished("compare", *finished.runs(), "--json")
    assert answer.code == 0, answer.err
    assert set(answer.json) == {"runs", "figures", "config"}
    names = [name.split("-")[1] for name in finished.runs()]
    assert sorted(names) == ["equal_weight", "low_volatility"]
    assert answer.json["config"]["strategy.name"] == names
    assert finished("compare", *finished.runs()).code == 0


def test_report_rebuilds_the_same_file(finished):
    name = finished.runs()[0]
    path = finished.folder / "runs" / name / "report.html"
    before = path.read_bytes()
    path.unlink()
    answer = finished("report", name, "--json")
    assert answer.code == 0, answer.err
    assert answer.json == {"report": str(path)}
    assert path.read_bytes() == before


def test_new_makes_a_strategy_that_runs(cli, market, tmp_path, monkeypatch):
    monkeypatch.setattr("run.ROOT", tmp_path)
    (tmp_path / "strategies").mkdir()
    answer = cli("new", "my_idea", "--json")
    path = tmp_path / "strategies" / "my_idea.py"
    assert answer.json == {"file": str(path)}
    done = cli("backtest", "--data", market, "--strategy", f"{path}:MyIdea", "--json")
    assert done.code == 0, done.err


def test_data_check_of_good_data_lists_warnings_and_exits_0(cli, market):
    answer = cli("data", "check", market, "--json")
    assert answer.code == 0
    assert answer.json["errors"] == 0
    assert answer.json["warnings"] == len(answer.json["findings"])
    assert all({"severity", "input", "code", "count", "message"} == set(f) for f in answer.json["findings"])
    assert "0 errors" in cli("data", "check", market).out


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_data_synth_writes_the_same_market_again(cli, tmp_path, suffix):
    options = ["--symbols", "8", "--seed", "3", "--preset", "null", "--format", suffix]
    dates = ["--set", "data.synthetic.start=2015-01-02", "--set", "data.synthetic.end=2016-12-30"]
    for name in ("one", "two"):
        answer = cli("data", "synth", tmp_path / name, *options, *dates, "--json")
        assert answer.code == 0, answer.err
        assert answer.json["folder"] == str(tmp_path / name)
    files = {p.name for p in (tmp_path / "one").iterdir()}
    assert {f"prices.{suffix}", f"market.{suffix}", f"fundamentals.{suffix}", "provenance.json"} <= files
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert cli("data", "check", tmp_path / "one").code == 0


def test_json_on_a_pipe_is_all_of_stdout(market, tmp_path):
    command = [
        sys.executable,
        "run.py",
        "backtest",
        "--data",
        str(market),
        "--strategy",
        "equal_weight",
        "--json",
    ]
    places = ["--set", f"runs.folder={tmp_path}", "--set", "data.cache=null", "--set", "runs.report=false"]
    done = subprocess.run(
        [*command, *places], cwd=ROOT, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
    )
    assert json.loads(done.stdout)["metrics"]["strategy"] == "equal_weight"
    assert done.stdout.count("\n{") == 0
    assert "\x1b" not in done.stdout + done.stderr


def test_run_py_works_from_another_folder(tmp_path, market):
    command = [
        sys.executable,
        str(ROOT / "run.py"),
        "data",
        "check",
        os.path.relpath(market, tmp_path),
        "--json",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_closed_pipe_is_no_error(finished):
    command = f"{sys.executable} run.py list | head -c 1"
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
