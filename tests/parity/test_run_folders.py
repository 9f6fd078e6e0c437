"""``backtest --engine compiled`` writes what ``backtest`` writes, byte for byte."""

import json
import os

import pytest

from tests.cli.conftest import Commands

SAME = ("equity.csv", "trades.csv", "orders.csv", "regime.csv", "sleeves.csv", "target_weights.parquet")
DATA = os.environ.get("ARES7_DATA")
CASES = {
    "ensemble": ("regime_ensemble", []),
    "fully invested": ("equal_weight", ["strategy.params.gross=1.0", "account.shares=fractional"]),
    "small account": ("low_volatility", ["costs={model: ibkr_tiered}", "account.cash=50000"]),
    "interest, a day late": ("defensive", ["account.cash_rate=0.03", "account.exec_lag=2"]),
    "leverage": (
        "quality_momentum",
        ["strategy.params.gross=1.5", "account.margin=true", "account.financing_bps=200"],
    ),
    "fixed mix": ("fixed_mix", ["strategy.params.mix={SPY: 0.6, TLT: 0.4}"]),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A synthetic market and a panel cache."""
    return tmp_path_factory.mktemp("engines")


@pytest.fixture(scope="module")
def market(folder):
    dates = ("--set", "data.synthetic.start=2015-01-02", "--set", "data.synthetic.end=2017-12-29")
    answer = Commands(folder, folder / "cache")("data", "synth", folder / "data", "--symbols", "30", *dates)
    assert answer.code == 0, answer.err
    return folder / "data"


def both(tmp_path, folder, *arguments):
    """The same backtest by each engine: the two run folders, and what was printed."""
    found = []
    for engine in ("event", "compiled"):
        call = Commands(tmp_path / engine, folder / "cache")
        answer = call("backtest", *arguments, "--engine", engine, "--json", "--set", "runs.report=false")
        assert answer.code == 0, answer.err
        found.append((tmp_path / engine / "runs" / call.runs()[0], answer.json))
    return found


def assert_same_folders(event, compiled):
    (one, printed), (other, also) = event, compiled
    assert {p.name for p in one.iterdir()} == {p.name for p in other.iterdir()}
    for name in SAME:
        assert (one / name).read_bytes() == (other / name).read_bytes(), name
    assert json.loads((one / "metrics.json").read_text()) == json.loads((other / "metrics.json").read_text())
    assert printed["metrics"] == also["metrics"]


@pytest.mark.parametrize("case", CASES)
def test_on_a_synthetic_market(tmp_path, folder, market, case):
    strategy, given = CASES[case]
    settings = [word for value in given for word in ("--set", value)]
    assert_same_folders(*both(tmp_path, folder, "--data", market, "--strategy", strategy, *settings))


@pytest.mark.real_data
@pytest.mark.skipif(DATA is None, reason="ARES7_DATA names no real data folder")
@pytest.mark.parametrize("strategy", ["regime_ensemble", "equal_weight"])
def test_on_real_data(tmp_path, folder, strategy):
    period = ("--start", "2016-01-04", "--end", "2023-12-29")
    event, compiled = both(tmp_path, folder, "--data", DATA, *period, "--strategy", strategy)
    assert_same_folders(event, compiled)
    assert len((event[0] / "trades.csv").read_text().splitlines()) > 100
