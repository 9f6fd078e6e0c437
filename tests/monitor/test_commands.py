"""``monitor`` and ``alerts`` on the command line: what they print, and with which exit code."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import json
import subprocess
import sys

import pytest

import run
from ares7.metrics import performance
from ares7.runs import load_run
from live.machine import utc_now
from live.monitor.series import series_of_run
from live.monitor.snapshot import snapshot_of_run
from tests.monitor.desk import ROOT, Script

NOW = dt.datetime(2024, 3, 6, 22, 0, tzinfo=dt.UTC)


class Caller:
    def __init__(self, folder):
        self.folder = folder

    def __call__(self, *arguments):
        places = {
            "halt.folder": "journal",
            "daily.logs": "logs",
            "runs.folder": "runs",
            "data.cache": "cache",
        }
        settings = [part for key, name in places.items() for part in ("--set", f"{key}={self.folder / name}")]
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = run.main([*arguments, *settings])
            except SystemExit as stop:
                code = int(stop.code or 0)
        return code, out.getvalue(), err.getvalue()


@pytest.fixture
def call(tmp_path, monkeypatch):
    monkeypatch.delenv("ARES7_ALERT_URLS", raising=False)
    return Caller(tmp_path)


@pytest.fixture
def today(tmp_path, clock):
    """A journal that is written by the clock of the machine, and of which nothing is late."""
    from live.monitor.surroundings import expected_session

    clock.now = utc_now()
    script = Script(tmp_path / "journal", clock)
    script.close(expected_session(clock(), "XNYS", 0.0), 0.0)
    yield script
    script.journal.close()


def test_nothing_is_wrong(call, today):
    code, out, err = call("monitor", "--once")
    assert (code, err) == (0, "environment variable ARES7_ALERT_URLS is not set: nobody is told through it\n")
    assert "NAV 1,000,000.00 USD" in out
    assert call("alerts")[1] == "no open alert\n"


def test_an_alert_is_listed_acknowledged_and_seen_in_the_journal(call, today):
    today.alert("error", "gateway-outage", "no order was possible")
    code, out, err = call("monitor", "--once")
    assert code == 1
    assert "ALERT error gateway-outage: no order was possible" in err
    assert "nobody can be told: 1 messages wait in" in err
    code, out, _ = call("alerts", "--json")
    (alert,) = json.loads(out)["alerts"]
    assert (alert["id"], alert["code"], alert["count"], alert["told"]) == (1, "gateway-outage", 1, True)
    code, out, _ = call("alerts", "ack", "1", "--note", "it was the router")
    assert (code, out) == (0, "alert 1 is acknowledged\n")
    assert call("alerts", "ack", "1")[1] == "alert 1 was acknowledged before\n"
    assert call("alerts")[1] == "no open alert\n"
    assert "acknowledged by" in call("alerts", "--all")[1]
    assert today.journal.alerts(open_only=True) == []
    assert next(iter(today.journal.acknowledged().values()))[1] == "it was the router"
    assert call("monitor", "--once")[0] == 0


def test_options_before_the_action_count(call, today, tmp_path):
    today.alert("error", "gateway-outage")
    call("monitor", "--once")
    done = call("alerts", "--set", "alerts.daily_loss=null", "ack", "1")
    assert done[1] == "alert 1 is acknowledged\n"


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (("alerts", "ack"), 2, "acknowledged by its number"),
        (("alerts", "test", "3"), 2, "acknowledged by its number"),
        (("alerts", "test", "--all"), 2, "--all belongs to the list"),
        (("alerts", "ack", "9"), 2, "there is no alert 9"),
        (("monitor", "--once", "--interval", "0"), 2, "must be above 0"),
        (("monitor", "--run", "x", "--mode", "paper"), 2, "contradict each other"),
        (("monitor", "--once", "--prometheus", "0.0.0.0:9108"), 2, "no password"),
        (("monitor", "--run", "nothing"), 2, "does not exist"),
    ],
)
def test_wrong_calls(call, today, arguments, code, text):
    done = call(*arguments)
    assert (done[0], text in done[2]) == (code, True), done


def test_without_any_journal(call):
    code, _, err = call("monitor", "--once")
    assert (code, "holds no journal yet" in err) == (2, True)
    assert "no alert yet" in call("alerts")[1]


def test_a_journal_that_comes_later(call):
    code, out, err = call("monitor", "--once", "--mode", "paper")
    assert (code, "the journal cannot be read" in out) == (1, True)
    assert "is not there" in err


def test_a_test_without_a_target(call):
    code, out, _ = call("alerts", "test")
    assert (code, out) == (
        1,
        "nobody can be told: set ARES7_ALERT_URLS to URLs of apprise (docs/monitoring.md)\n",
    )


def test_a_test_says_who_was_reached(call, monkeypatch):
    from tests.alerts.receivers import Receiver

    good, bad = Receiver(), Receiver()
    bad.status = 403
    monkeypatch.setenv("ARES7_ALERT_URLS", f"{good.url} {bad.url}")
    code, out, _ = call("alerts", "test")
    assert (code, out.splitlines()) == (
        1,
        ["ARES7_ALERT_URLS 1 (json): reached", "ARES7_ALERT_URLS 2 (json): not reached: it answered 403"],
    )
    assert good.got[0]["title"] == "ARES7 test"
    good.close()
    bad.close()


@pytest.mark.parametrize("library", ["apprise"])
def test_a_library_that_is_missing_is_named(call, today, monkeypatch, library):
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.setenv("ARES7_ALERT_URLS", "json://127.0.0.1:1")
    code, _, err = call("monitor", "--once")
    assert (code, 'pip install -e ".[monitor]"' in err) == (2, True)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run folder of the compiled engine on a small market."""
    folder = tmp_path_factory.mktemp("run")
    call = Caller(folder)
    small = ("data.synthetic.symbols=30", "data.synthetic.start=2014-01-02", "data.synthetic.end=2017-12-29")
    settings = [part for value in (*small, "runs.report=false") for part in ("--set", value)]
    code, _, err = call("backtest", "--engine", "compiled", *settings)
    assert code == 0, err
    return folder, next(path for path in (folder / "runs").iterdir() if path.is_dir())


def test_a_run_is_told_as_in_its_report(finished):
    folder, path = finished
    stored = load_run(path, folder)
    found, series = snapshot_of_run(stored, NOW), series_of_run(stored)
    figures = stored.metrics["performance"]
    for name in ("total_return", "cagr", "sharpe", "volatility", "max_drawdown"):
        assert getattr(found.money, name) == figures[name], name
    assert found.money.nav_usd == figures["final_nav"]
    assert found.trading.turnover_annual == stored.metrics["costs"]["turnover_one_way"]
    assert performance(series.sessions, series.curve_usd)["sharpe"] == pytest.approx(
        figures["sharpe"], rel=1e-12
    )
    assert series.drawdown.max() == pytest.approx(figures["max_drawdown"], abs=1e-14)
    assert set(series.regime) <= {"NEUTRAL", "BULL", "BEAR", "HIGH_VOL", "UNKNOWN"}
    assert found.book.holdings
    assert sum(h.target_weight for h in found.book.holdings) <= 1.0 + 1e-9
    assert abs(sum(found.book.sleeves.values()) - 1.0) < 1e-6


def test_a_run_on_the_command_line_tells_nobody(finished, monkeypatch):
    folder, path = finished
    code, out, err = Caller(folder)("monitor", "--run", path.name, "--once", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["snapshot"]["mode"] == "backtest"
    assert not (folder / "journal").exists()


def test_a_damaged_run_is_told(finished, tmp_path):
    import shutil

    folder, path = finished
    copy = tmp_path / "copy"
    shutil.copytree(path, copy)
    (copy / "target_weights.parquet").write_bytes(b"no parquet")
    code, _, err = Caller(folder)("monitor", "--run", str(copy), "--once")
    assert (code, "target_weights.parquet cannot be read" in err) == (2, True)


def test_help_imports_nothing_heavy():
    code = (
        "import sys, run\nrun.parser()\n"
        "print([n for n in ('apprise', 'prometheus_client', 'numpy', 'sqlite3') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
