"""From a vendor to a backtest: the folder passes `data check`, and a strategy runs on it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import run
from tests.vendors import layouts, made

UNTIL = ("--start", "2022-01-03", "--end", "2024-03-08")
NAMES = ("--universe", ",".join(made.STOCKS))


@pytest.fixture
def backtest(tmp_path, capsys):
    def call(folder, strategy="equal_weight", *words):
        capsys.readouterr()
        settings = ["runs.report=false", "data.cache=null", f"runs.folder={tmp_path / 'runs'}", *words]
        given = [word for setting in settings for word in ("--set", setting)]
        code = run.main(["backtest", "--data", str(folder), "--strategy", strategy, "--json", *given])
        out, err = capsys.readouterr()
        assert code == 0, err
        return json.loads(out)

    return call


def errors(found):
    return [finding for finding in found["findings"] if finding["severity"] == "error"]


def test_yahoo_and_fred(fetch_yahoo, fetch, folder, data_check, backtest):
    fetch_yahoo(*NAMES, "--start", "2022-01-03", "--set", "fetch.yfinance.names={SPX: ^GSPC}")
    assert fetch("fred", *UNTIL, "--set", "fetch.fred.names={VIX: VIXCLS}")[0] == 0
    code, found = data_check(folder)
    assert (code, errors(found)) == (0, [])
    assert backtest(folder)["metrics"]
    assert backtest(folder, "defensive")["metrics"]


def test_sharadar_with_cboe_and_fred(fetch, vendor, folder, data_check, backtest):
    vendor.routes["/api/v3/datatables/SHARADAR/*"] = layouts.Sharadar()
    assert fetch("sharadar", *NAMES, *UNTIL)[0] == 0
    assert fetch("cboe", *UNTIL)[0] == 0
    assert fetch("fred", *UNTIL, "--set", "fetch.fred.names={SPX: SP500}")[0] == 0
    code, found = data_check(folder)
    assert (code, errors(found)) == (0, [])
    assert backtest(folder, "regime_ensemble")["metrics"]


def test_polygon_with_cboe(fetch, vendor, folder, data_check, backtest):
    vendor.routes |= layouts.Polygon().routes()
    assert fetch("polygon", *NAMES, *UNTIL)[0] == 0
    assert fetch("cboe", *UNTIL)[0] == 0
    assert fetch("fred", *UNTIL, "--set", "fetch.fred.names={SPX: SP500}")[0] == 0
    code, found = data_check(folder)
    assert (code, errors(found)) == (0, [])
    assert backtest(folder)["metrics"]


def test_fundamentals_of_the_sec_under_prices_of_yahoo(
    fetch_yahoo, fetch, vendor, folder, data_check, backtest
):
    vendor.routes |= layouts.Edgar().routes()
    fetch_yahoo(*NAMES, "--start", "2022-01-03")
    # The names are those that the folder has prices of.
    assert fetch("sec", *UNTIL)[0] == 0
    code, found = data_check(folder)
    assert (code, errors(found)) == (0, [])
    done = backtest(folder, "quality_momentum")
    sources = (Path(done["run"]) / "provenance.json").read_text()
    assert "yfinance" in sources
    assert "total_return" in sources
