"""`run.py grid`: what it answers, what it leaves, what it refuses, and how it goes on after it was stopped."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests.cli.test_errors import refused
from tests.cluster.machines import until

ROOT = Path(__file__).resolve().parents[2]
OOS = "oos=[{name: A, start: 2017-07-01, end: 2017-09-30}, {name: B, start: 2017-10-01, end: 2017-12-31}]"
QUICK = ["--set", OOS, "--set", "runs.report=false", "--set", "search.bootstrap.draws=100"]
BLOCK = 40
"""Points of a block of 320 points on two threads."""
FILES = {"config.yaml", "provenance.json", "metrics.json", "points.csv", "equity.csv", "curves.npy"}
NAPPING = """
import os, time
from pydantic import Field
from ares7.params import BookParams
from strategies import equal_weight
from strategies.base import PortfolioStrategy

class Params(BookParams):
    tilt: float = Field(default=0.0)

def weights(panel, params):
    time.sleep(float(os.environ.get("NAP", "0")))
    return equal_weight.weights(panel, equal_weight.Params(gross=0.5 + params.tilt))

class Napping(PortfolioStrategy):
    Params = Params
    weights = staticmethod(weights)
"""


@pytest.fixture(scope="module")
def searched(market, cache, tmp_path_factory):
    """Two finished grids in one folder; read only."""
    from tests.cli.conftest import Commands

    made = Commands(tmp_path_factory.mktemp("searched"), cache)
    for preset, objective in (("qm45", "train_sharpe"), ("weights729", "oos_min_sharpe")):
        loose = ["--set", "search.selection.constraints={max_degradation: null, oos_above_baseline: false}"]
        answer = made(
            "grid", "--data", market, "--preset", preset, "--objective", objective, *QUICK, *loose, "--json"
        )
        assert answer.code == 0, answer.err
        # Runs of one second are not in order of time: their names have no more digits.
        time.sleep(1.0)
    return made


def folder(made, number=0):
    return sorted(p for p in (made.folder / "runs").iterdir() if p.is_dir())[number]


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def count(runs):
    """Trials in the ledger of a runs folder."""
    path = runs / "trials.sqlite"
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path)) as ledger:
        if not ledger.execute("SELECT count(*) FROM sqlite_master WHERE name = 'trials'").fetchone()[0]:
            return 0
        return ledger.execute("SELECT count(*) FROM trials").fetchone()[0]


def test_a_grid_leaves_the_files_of_the_guide(searched):
    run = folder(searched)
    assert {p.name for p in run.iterdir()} == FILES | {"chosen.yaml"}
    points, curves = table(run / "points.csv"), np.load(run / "curves.npy")
    metrics = json.loads((run / "metrics.json").read_text())
    assert len(points) == metrics["grid"]["points"] == 45
    assert curves.shape == (metrics["grid"]["distinct"], metrics["sessions"])
    best = points[metrics["selection"]["best"]]
    assert best["rank"] == "1"
    equity = [float(row["nav"]) for row in table(run / "equity.csv")]
    assert np.array_equal(curves[int(best["curve"])], equity)


def test_points_that_are_the_same_name_the_first_and_share_a_curve(searched):
    run = folder(searched, 1)
    points = table(run / "points.csv")
    metrics = json.loads((run / "metrics.json").read_text())
    assert (len(points), metrics["grid"]["distinct"]) == (729, 504)
    assert len(np.load(run / "curves.npy")) == 504
    for row in points:
        first = points[int(row["same_as"] or row["point"])]
        assert first["same_as"] == ""
        assert {k: v for k, v in row.items() if k in ("curve", "sharpe", "rank")} == {
            k: v for k, v in first.items() if k in ("curve", "sharpe", "rank")
        }
    assert any("504 of 729" in note for note in metrics["notes"])


def test_the_chosen_point_runs_as_a_backtest_with_the_same_curve(searched, cli):
    run = folder(searched)
    own = yaml.safe_load((run / "chosen.yaml").read_text())
    assert own["strategy"]["params"]["quality_momentum"]["tilt_per_name"] > 0
    answer = cli("backtest", "--config", run / "chosen.yaml", "--json")
    assert answer.code == 0, answer.err
    traded = [float(row["nav"]) for row in table(Path(answer.json["run"]) / "equity.csv")]
    np.testing.assert_allclose(traded, [float(row["nav"]) for row in table(run / "equity.csv")], rtol=1e-10)


def test_the_ledger_can_be_read_with_plain_sql(searched):
    with closing(sqlite3.connect(searched.folder / "runs" / "trials.sqlite")) as ledger:
        rows = ledger.execute(
            "SELECT run, purpose, count(*) FROM every_trial WHERE purpose = 'grid' GROUP BY run ORDER BY run"
        ).fetchall()
    assert sorted(row[2] for row in rows) == [45, 504]


def test_grids_are_listed_compared_and_told_apart(searched):
    listed = searched("runs", "--json").json["runs"]
    assert len(listed) == 2
    for run in listed:
        assert run["damage"] == ""
        assert run["name"].split("-")[1] == "grid_regime_ensemble"
        assert run["sharpe"] is not None
    both = searched("compare", listed[0]["name"], listed[1]["name"], "--json")
    assert both.code == 0, both.err
    assert both.json["figures"]["performance.sharpe"][0] == listed[0]["sharpe"]
    assert both.json["config"]["search.preset"] == ["qm45", "weights729"]
    assert searched("compare", listed[0]["name"], listed[1]["name"]).code == 0


def test_people_get_tables_and_scripts_one_object(cli, market):
    options = ["grid", "--data", market, "--set", "search.gross=0.5,0.9", *QUICK]
    answer = cli(*options)
    assert answer.code == 0, answer.err
    assert "2 points" in answer.out
    assert "no point" in answer.out or "point " in answer.out
    assert answer.out.strip().splitlines()[-1].startswith("run: ")
    again = cli(*options, "--json")
    assert again.code == 0
    assert set(again.json) == {"run", "report", "metrics"}
    assert again.json["metrics"] == json.loads((Path(again.json["run"]) / "metrics.json").read_text())


def test_no_point_that_satisfies_the_constraints_is_an_answer(cli, market):
    strict = ["--set", "search.selection.constraints.max_turnover=0"]
    answer = cli("grid", "--data", market, "--set", "search.gross=0.5,0.9", *QUICK, *strict, "--json")
    assert answer.code == 0, answer.err
    selection = answer.json["metrics"]["selection"]
    assert selection["best"] is None
    assert selection["reason"] == "no point satisfies the constraints"
    assert not (Path(answer.json["run"]) / "chosen.yaml").exists()


def test_processes_give_the_same_points(cli, market):
    options = ["grid", "--data", market, "--set", "search.gross=0.5,0.7,0.9", *QUICK, "--json"]
    here = Path(cli(*options).json["run"])
    shutil.rmtree(cli.cache / "searches")
    there = cli(*options, "--workers", "1")
    assert there.code == 0, there.err
    for name in ("points.csv", "metrics.json", "curves.npy"):
        assert (here / name).read_bytes() == (Path(there.json["run"]) / name).read_bytes()


def test_without_a_cache_a_grid_runs_and_leaves_only_its_run(market, tmp_path):
    from tests.cli.conftest import Commands

    cli = Commands(tmp_path, Path("null"))
    answer = cli("grid", "--data", market, "--set", "search.gross=0.5,0.9", *QUICK)
    assert answer.code == 0, answer.err
    assert [run["damage"] for run in cli("runs", "--json").json["runs"]] == [""]


BAD = {
    "no values": (["--set", "search.grid.gross=[]"], ["no points", "search.grid.gross has no values"]),
    "an unknown field": (["--set", "search.groos=0.5,0.9"], ["search.groos", "did you mean gross"]),
    "an unknown nested field": (["--set", "search.regime.smaa=5"], ["regime.smaa", "unknown key"]),
    "a value outside its limits": (["--set", "search.gross=0.5,5"], ["gross", "less than or equal to 2"]),
    "a value twice": (["--set", "search.gross=0.5,0.5"], ["search.grid.gross", "twice"]),
    "a word": (["--set", "search.gross=much"], ["gross", "'much'"]),
    "too many points": (
        [
            *("--set", f"search.gross={[round(0.1 + i * 1e-5, 5) for i in range(4000)]}"),
            *("--set", f"search.regime.vix_bull={[20 + i * 0.001 for i in range(4000)]}"),
        ],
        ["16,000,000 points", "--yes"],
    ),
    "an unknown preset": (["--preset", "qm46"], ["no grid named 'qm46'", "qm45", "weights729"]),
    "a preset and axes": (["--preset", "qm45", "--set", "search.gross=0.5,0.9"], ["both given"]),
    "a strategy without a grid": (["--strategy", "equal_weight"], ["no grid of its own", "search.gross"]),
    "an unknown objective": (["--objective", "luck"], ["objective", "train_sharpe", "'luck'"]),
    "no processes": (["--workers", "0"], ["--workers 0", "1 to 1,024"]),
    "too many processes": (["--workers", "100000"], ["--workers 100000", "1 to 1,024"]),
    "both places": (["--workers", "2", "--scheduler", "tcp://127.0.0.1:1"], ["--workers", "--scheduler"]),
    "no address": (["--scheduler", "nowhere"], ["nowhere", "tcp://HOST:8786"]),
    "windows before the data": (
        ["--set", "oos=[{name: A, start: 2001-01-01, end: 2002-01-01}]"],
        ["start earlier"],
    ),
    "windows behind the data": (["--set", "oos=[{name: A, start: 2031-01-01, end: 2032-01-01}]"], ["oos"]),
    "a train window shorter than the warm-up": (
        ["--set", "oos=[{name: A, start: 2016-06-01, end: 2017-12-31}]"],
        ["warm-up", "A"],
    ),
    "folds that overlap": (
        ["--objective", "purged_cv", "--set", "search.folds.purge=0"],
        ["purge is 0 rows", "at least 1"],
    ),
    "a period outside the data": (["--end", "2031-01-02"], ["period.end 2031-01-02"]),
    "leverage without margin": (["--set", "search.gross=0.9,1.5"], ["gross is 1.5", "account.margin"]),
    "an account that buys nothing": (["--set", "account.cash=1"], ["account.cash"]),
    "a strategy that is not there": (["--strategy", "regime_ensembel"], ["did you mean regime_ensemble"]),
    "a normalised prefix without axes": (
        ["--set", "search.gross=0.5,0.9", "--set", "search.normalised=[mixes.BULL]"],
        ["search.normalised", "mixes.BULL"],
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused_in_one_line_and_nothing_is_counted(cli, market, case):
    arguments, words = BAD[case]
    own = [] if any(word.startswith("oos=") for word in arguments) else ["--set", OOS]
    preset = [] if "search." in " ".join(arguments) or "--preset" in arguments else ["--preset", "qm45"]
    preset = [] if "--strategy" in arguments or "search.folds" in " ".join(arguments) else preset
    refused(cli("grid", "--data", market, "--set", "runs.report=false", *own, *preset, *arguments), *words)
    assert cli.runs() == []
    assert count(cli.folder / "runs") == 0
    assert not (cli.folder / "runs" / "trials.sqlite").exists()


def test_no_scheduler_is_exit_3(cli, market):
    pytest.importorskip("distributed")
    options = ["--set", "search.gross=0.5,0.9", "--scheduler", "tcp://127.0.0.1:9"]
    answer = cli("grid", "--data", market, *QUICK, *options)
    assert answer.code == 3
    assert "no Dask scheduler answers at tcp://127.0.0.1:9" in answer.err
    assert cli.runs() == []


def test_a_damaged_ledger_is_refused_and_left_as_it_is(cli, market):
    runs = cli.folder / "runs"
    runs.mkdir()
    (runs / "trials.sqlite").write_bytes(b"not a ledger " * 500)
    refused(
        cli("grid", "--data", market, "--set", "search.gross=0.5,0.9", *QUICK),
        "trial ledger",
        "cannot be used",
    )
    assert (runs / "trials.sqlite").read_bytes() == b"not a ledger " * 500
    assert cli.runs() == []


def test_a_runs_folder_that_cannot_be_made_is_refused(cli, market):
    (cli.folder / "runs").write_text("a file\n")
    refused(cli("grid", "--data", market, "--set", "search.gross=0.5,0.9", *QUICK), "runs.folder")


def test_an_earlier_count_is_unchanged_by_a_refused_grid(cli, market):
    assert cli("grid", "--data", market, "--set", "search.gross=0.5,0.9", *QUICK).code == 0
    before = count(cli.folder / "runs")
    assert before >= 2
    refused(cli("grid", "--data", market, "--set", "search.gross=0.5,9", *QUICK), "gross")
    assert count(cli.folder / "runs") == before


class Running:
    """A grid of 320 slow points as a process of its own."""

    def __init__(self, home: Path, market: Path, cache: Path, nap: float) -> None:
        (home / "napping.py").write_text(NAPPING)
        self.runs = home / "runs"
        values = ",".join(str(round(0.001 * i, 3)) for i in range(320))
        self.command = [
            *(sys.executable, str(ROOT / "run.py"), "grid", "--data", str(market), *QUICK),
            *("--strategy", f"{home / 'napping.py'}:Napping", "--set", f"search.tilt={values}"),
            *("--set", f"runs.folder={self.runs}", "--set", f"data.cache={cache}"),
        ]
        self.environment = os.environ | {"NAP": str(nap)}

    def stopped_by(self, sign: int) -> tuple[int, str]:
        """Exit code and stderr of a run that gets a signal once points are recorded."""
        process = subprocess.Popen(
            self.command,
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        until(lambda: count(self.runs) > 0)
        process.send_signal(sign)
        _, said = process.communicate()
        return process.returncode, said

    def finished(self) -> Path:
        """Run to the end; return the run folder."""
        done = subprocess.run(
            [*self.command, "--json"],
            cwd=ROOT,
            env=self.environment | {"NAP": "0"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return Path(json.loads(done.stdout)["run"])


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda sign: sign.name)
def test_a_grid_that_was_stopped_goes_on_and_gives_the_same_bytes(sign, market, tmp_path, cache):
    (tmp_path / "plain").mkdir()
    (tmp_path / "stopped").mkdir()
    running = Running(tmp_path / "stopped", market, tmp_path / "stopped" / "cache", nap=0.008)
    code, said = running.stopped_by(sign)
    assert code == (130 if sign == signal.SIGINT else -sign)
    assert "Traceback" not in said
    kept = count(running.runs)
    assert 0 < kept < 320
    if sign == signal.SIGINT:
        partial = next(p for p in running.runs.iterdir() if p.is_dir())
        told = int(re.search(r"interrupted: (\d+) of 320 points are recorded and kept", said)[1])
        assert kept - BLOCK <= told <= kept
        assert "run the same command again" in said
        assert partial.name.split("-")[1].startswith("grid_napping.py")
        assert len(table(partial / "points.csv")) == told
        assert json.loads((partial / "metrics.json").read_text())["stamps"] == ["SYNTHETIC", "PARTIAL"]
        # The partial choice touched windows, and is told apart by its stamp; the next run starts from the points.
    again = running.finished()
    provenance = json.loads((again / "provenance.json").read_text())
    # The block that was being written when the signal came is counted, and may be run again.
    assert kept - BLOCK <= provenance["resumed"] <= kept
    plain = Running(tmp_path / "plain", market, tmp_path / "plain" / "cache", nap=0)
    plain.command[plain.command.index("--strategy") + 1] = f"{tmp_path / 'stopped' / 'napping.py'}:Napping"
    whole = plain.finished()
    for name in ("points.csv", "metrics.json", "equity.csv", "curves.npy"):
        assert (again / name).read_bytes() == (whole / name).read_bytes(), name
    assert count(running.runs) == count(plain.runs)


def test_ctrl_c_before_the_first_point_writes_nothing(market, tmp_path):
    running = Running(tmp_path, market, tmp_path / "cache", nap=30)
    process = subprocess.Popen(
        running.command,
        cwd=ROOT,
        env=running.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    while "loading data" not in process.stderr.readline():
        continue
    process.send_signal(signal.SIGINT)
    said = process.communicate()[1]
    assert process.returncode == 130
    assert said.rstrip().endswith("interrupted; nothing was written")
    assert not running.runs.exists() or not list(running.runs.iterdir())
