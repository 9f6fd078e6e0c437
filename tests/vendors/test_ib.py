"""Bars of a gateway double become a data folder, read-only and incrementally."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

import run
from ares7.errors import ServiceUnavailable
from feeds.fetch.command import fetch_data
from live.double.control import running
from live.double.history import from_closes
from live.double.settings import Settings
from live.ib_bars import IBBars, ib_source
from tests.client.conftest import options, quiet_port

SESSIONS = 60
CLOSES = {
    "AAPL": [180.0 + i for i in range(SESSIONS)],
    "BRK-B": [360.0 + i for i in range(SESSIONS)],
    "SPY": [470.0 + i for i in range(SESSIONS)],
    "SPX": [4700.0 + i for i in range(SESSIONS)],
    "VIX": [14.0 + i % 3 for i in range(SESSIONS)],
}
DIVIDEND = dt.date(2024, 2, 9)


@pytest.fixture
def gateway():
    history = from_closes("2024-01-02", CLOSES, indices=["SPX", "VIX"])
    with running(history, Settings(start="2024-03-15 17:00", port=quiet_port())) as control:
        yield control


@pytest.fixture
def fetch_ib(gateway, folder):
    def call(*words, end="2024-03-15"):
        port = ["--set", f"live.port={gateway.port}", "--set", "data.etfs=[SPY]"]
        given = ["data", "fetch", "--source", "ib", "--to", str(folder), "--end", end, *port, *words]
        args = run.parser().parse_args(given)
        return fetch_data(args, run.read_config(args), {"ib": lambda config: IBBars(config, options())})

    return call


def table(folder, name="prices"):
    return pd.read_parquet(folder / f"{name}.parquet")


def test_bars_of_stocks_funds_and_indices(fetch_ib, folder, data_check):
    outcome = fetch_ib("--universe", "AAPL,BRK-B", "--start", "2024-01-02")
    assert outcome.findings == []
    rows = table(folder)
    aapl = rows[rows["symbol"] == "AAPL"]
    count = len(aapl)
    assert aapl["date"].max() == pd.Timestamp("2024-03-15")
    np.testing.assert_allclose(aapl["close"], CLOSES["AAPL"][:count])
    assert set(table(folder, "market")["symbol"]) == {"SPY", "SPX", "VIX"}
    code, found = data_check(folder, "--set", "data.etfs=[SPY]")
    assert [f for f in found["findings"] if f["severity"] == "error"] == []
    assert code == 0


def test_a_second_fetch_takes_the_new_bars(fetch_ib, folder):
    fetch_ib("--universe", "AAPL,BRK-B", "--start", "2024-01-02", end="2024-03-08")
    assert table(folder)["date"].max() == pd.Timestamp("2024-03-08")
    assert fetch_ib().findings == []
    assert table(folder)["date"].max() == pd.Timestamp("2024-03-15")


def test_an_unknown_name_is_told(fetch_ib, folder):
    outcome = fetch_ib("--universe", "AAPL,NOSUCH", "--start", "2024-01-02")
    assert [(f["code"], f["symbol"]) for f in outcome.findings] == [("no-data", "NOSUCH")]


def test_a_gateway_that_is_not_there_is_exit_code_3(folder, capsys):
    port = quiet_port()
    words = [
        "--universe",
        "AAPL",
        "--start",
        "2024-01-02",
        "--end",
        "2024-03-15",
        "--set",
        f"live.port={port}",
    ]
    code = run.main(["data", "fetch", "--source", "ib", "--to", str(folder), *words])
    assert code == ServiceUnavailable.exit_code
    assert f"127.0.0.1:{port}" in capsys.readouterr().err
    assert not (folder / "prices.parquet").exists()


def test_the_source_of_the_command_line_is_this_one():
    assert isinstance(ib_source(run.read_config(run.parser().parse_args(["data", "check", "x"]))), IBBars)
