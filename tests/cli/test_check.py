"""``run.py check``: exit codes, one JSON object, a watermark on what fails, one line on what cannot be audited."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

QUIET = ["--set", "runs.report=false"]
IDEAS = """
import numpy as np
from ares7.book import Sleeve, month_end_rows, single_sleeve
from ares7.params import BookParams
from strategies import equal_weight
from strategies.base import PortfolioStrategy


class Params(BookParams):
    @property
    def lookback(self):
        return 61


def top(panel, params, shift):
    close = panel.fields["close"]
    move = np.full(close.shape, np.nan)
    move[60:] = close[60:] / close[:-60] - 1.0
    move = np.concatenate([move[shift:], move[len(move) - shift :]])
    score = np.where(np.isfinite(move) & panel.bar & panel.member & panel.is_stock, move, -np.inf)
    rows = month_end_rows(panel, 2)
    held = (np.argsort(np.argsort(-score[rows], axis=1), axis=1) < 8) & np.isfinite(score[rows])
    weights = held / np.maximum(held.sum(axis=1, keepdims=True), 1)
    return single_sleeve(panel, "top", Sleeve(rows, weights), params.gross)


def broken(panel, params):
    raise ValueError("no idea")


def shy(panel, params):
    if len(panel.dates) < 700:
        raise ValueError("too little to go on")
    return top(panel, params, 0)


class Honest(PortfolioStrategy):
    Params = Params
    weights = staticmethod(lambda panel, params: top(panel, params, 0))


class Leaky(PortfolioStrategy):
    Params = Params
    weights = staticmethod(lambda panel, params: top(panel, params, 5))


class Broken(PortfolioStrategy):
    Params = Params
    weights = staticmethod(broken)


class Shy(PortfolioStrategy):
    Params = Params
    weights = staticmethod(shy)


class Interrupted(PortfolioStrategy):
    Params = Params

    @staticmethod
    def weights(panel, params):
        raise KeyboardInterrupt
"""


@pytest.fixture
def ideas(tmp_path: Path) -> Path:
    path = tmp_path / "ideas.py"
    path.write_text(IDEAS)
    return path


def severities(content) -> dict[str, set[str]]:
    """Severities of each check."""
    out: dict[str, set[str]] = {}
    for finding in content["findings"]:
        out.setdefault(finding["check"], set()).add(finding["severity"])
    return out


def test_an_honest_strategy_of_the_user_passes(cli, market, ideas):
    answer = cli("check", "--data", market, "--strategy", f"{ideas}:Honest", "--json", *QUIET)
    assert answer.code == 0, answer.err
    metrics = answer.json["metrics"]
    assert metrics["audit"]["worst"] in ("pass", "skipped", "warning")
    assert "AUDIT FAILED" not in metrics["stamps"]
    assert set(severities(metrics["audit"])) == {f"D{i}" for i in range(1, 23)}
    assert metrics == json.loads((Path(answer.json["run"]) / "metrics.json").read_text())
    assert "checks: " in answer.err


def test_a_leaky_strategy_of_the_user_fails_and_its_run_is_stamped(cli, market, ideas):
    answer = cli("check", "--data", market, "--strategy", f"{ideas}:Leaky", "--json", *QUIET)
    assert answer.code == 1, answer.err
    metrics = json.loads((Path(answer.json["run"]) / "metrics.json").read_text())
    assert "AUDIT FAILED" in metrics["stamps"]
    found = {f["check"]: f for f in metrics["audit"]["findings"] if f["severity"] == "failure"}
    assert {"D1", "D5"} <= set(found)
    for finding in (found["D1"], found["D5"]):
        assert "close" in finding["message"]
        assert finding["evidence"]["first_date"] in finding["message"]
        assert finding["remedy"]


def test_the_table_shows_findings_and_remedies(cli, market, ideas):
    answer = cli("check", "--data", market, "--strategy", f"{ideas}:Leaky", *QUIET)
    assert answer.code == 1
    assert "AUDIT FAILED" in answer.out
    assert "FAILURE" in answer.out
    words = " ".join(answer.out.replace("│", " ").split())
    assert "compute row t of weights from rows up to t alone" in words
    assert answer.out.strip().splitlines()[-1] == f"run: {cli.folder / 'runs' / cli.runs()[0]}"


def test_the_report_of_an_audit_that_failed_carries_the_stamp(cli, market, ideas):
    answer = cli("check", "--data", market, "--strategy", f"{ideas}:Leaky", "--json")
    assert answer.code == 1, answer.err
    assert "AUDIT FAILED" in Path(answer.json["report"]).read_text()


def test_a_strategy_that_raises_is_one_line(cli, market, ideas):
    answer = cli("check", "--data", market, "--strategy", f"{ideas}:Broken", "--json", *QUIET)
    assert answer.code == 2
    assert answer.json["kind"] == "ConfigError"
    assert "ValueError: no idea" in answer.json["error"]
    assert "ideas.py:" in answer.json["error"]
    assert "Traceback" not in answer.err
    assert [name for name in cli.runs() if name != "trials.sqlite"] == []


def test_a_strategy_that_raises_on_less_data_is_a_finding(cli, market, ideas):
    answer = cli("check", "--data", market, "--strategy", f"{ideas}:Shy", "--json", *QUIET)
    assert answer.code == 1, answer.err
    failed = {
        f["check"]: f["message"]
        for f in answer.json["metrics"]["audit"]["findings"]
        if f["severity"] == "failure"
    }
    assert "too little to go on" in failed["D1"]
    assert "Traceback" not in answer.err


def test_an_interrupted_audit_leaves_nothing_and_says_so(cli, market, ideas):
    answer = cli("check", "--data", market, "--strategy", f"{ideas}:Interrupted", "--json", *QUIET)
    assert answer.code == 130
    assert answer.out == ""
    assert "interrupted" in answer.err
    assert [name for name in cli.runs() if name != "trials.sqlite"] == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--data", "no/such/folder"], ["no/such/folder"]),
        (["--strategy", "no_such_idea"], ["no_such_idea"]),
        (["--set", "costs.bsp=3"], ["bsp"]),
    ],
)
def test_bad_input_is_one_line_and_exit_2(cli, options, words):
    answer = cli("check", *options)
    assert answer.code == 2
    assert answer.out == ""
    (line,) = [line for line in answer.err.splitlines() if line.startswith("error: ")]
    for word in words:
        assert word in line


# A series from anywhere


def series(tmp_path: Path, leak: float = 0.0) -> Path:
    """Eight years of ordinary returns; ``leak`` more on every Friday."""
    days = np.busday_offset("2016-01-04", np.arange(2000), roll="forward").astype("datetime64[D]")
    values = np.random.default_rng(11).normal(0.0003, 0.01, 2000)
    values += leak * ((days.astype(np.int64) + 3) % 7 == 4)
    path = tmp_path / "series.csv"
    path.write_text(
        "date,ret\n" + "".join(f"{d},{v:.8f}\n" for d, v in zip(days, values.tolist(), strict=True))
    )
    return path


def test_an_ordinary_series_passes(cli, tmp_path):
    answer = cli("check", "--returns", series(tmp_path), "--json")
    assert answer.code == 0, answer.err
    assert "failure" not in set().union(*severities(answer.json).values())
    assert cli.runs() == []


def test_a_series_that_earns_on_fridays_fails(cli, tmp_path):
    answer = cli("check", "--returns", series(tmp_path, 0.005), "--json")
    assert answer.code == 1
    (failed,) = [f for f in answer.json["findings"] if f["severity"] == "failure"]
    assert (failed["check"], failed["evidence"]["sessions"]) == ("D3", "Fridays")
    table = cli("check", "--returns", tmp_path / "series.csv")
    assert table.code == 1
    assert "FAILURE" in table.out
    assert "Fridays" in table.out


def test_trials_make_a_record_worth_less(cli, tmp_path):
    path = series(tmp_path)

    def luck(*options):
        (finding,) = [
            f
            for f in cli("check", "--returns", path, "--json", *options).json["findings"]
            if f["check"] == "D9"
        ]
        return finding["evidence"]

    assert luck()["trials"] == 1
    assert luck("--trials", "500")["luck_sharpe"] > 1.0
    assert luck("--trials", "500")["psr"] < luck()["psr"]


def test_a_column_can_be_named(cli, tmp_path):
    path = series(tmp_path)
    path.write_text(path.read_text().replace("date,ret", "date,mine"))
    answer = cli("check", "--returns", path)
    assert answer.code == 2
    assert "--column" in answer.err
    assert cli("check", "--returns", path, "--column", "mine").code == 0


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        (None, [], ["does not exist"]),
        ("date,ret\n2020-01-02,1.5\n2020-01-03,-0.7\n", [], ["2020-01-02", "divide percentages by 100"]),
        ("date,ret\n2020-01-03,0.1\n2020-01-02,0.1\n", [], ["sort the rows by date"]),
        ("not,a\nreturn,file\n", [], ["date"]),
        ("date,ret\n2020-01-02,0.01\n2020-01-03,0.02\n", ["--trials", "0"], ["trials"]),
    ],
)
def test_a_bad_series_is_one_line_and_exit_2(cli, tmp_path, text, options, words):
    path = tmp_path / "bad.csv"
    if text is not None:
        path.write_text(text)
    answer = cli("check", "--returns", path, *options)
    assert answer.code == 2, answer.err
    assert answer.out == ""
    (line,) = answer.err.strip().splitlines()
    assert line.startswith("error: ")
    for word in words:
        assert word in line
