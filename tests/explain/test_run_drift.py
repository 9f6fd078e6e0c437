"""The book of a backtest, read from its files, explains its own value, and two runs differ by what was changed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ares7.errors import DataError, MissingData
from ares7.tearsheet_data import read_columns, read_equity
from live.book_history import known_closes, of_run
from live.drift import drift
from live.explain_run import RunExplainer
from tests.explain.test_explain_run import choose

WINDOW = slice(-260, None)


@pytest.fixture(scope="module")
def plain(made):
    return made("low_volatility")


@pytest.fixture(scope="module")
def market(plain):
    """Closes of every name that was traded, with the last known one where there is no bar."""
    panel = RunExplainer(plain, choose).panel
    names = sorted(set(read_columns(plain.folder / "trades.csv", ("symbol",))["symbol"]))

    def closes(symbol):
        values = panel.fields["close"][:, panel.symbols.index(symbol)]
        known = np.isfinite(values)
        return panel.dates[known], values[known]

    dates = read_equity(plain.folder, required=("nav",))[0][WINDOW]
    return dates, names, known_closes(names, dates, closes)


def test_the_files_of_a_run_explain_its_value_to_the_cent(plain, market):
    dates, names, close = market
    book = of_run(plain, dates, names, close)
    none, nothing = np.zeros(close.shape), np.zeros(len(dates))
    idle = replace(
        book, shares=none, traded=none, paid=none, fees=nothing, nav=np.full(len(dates), book.nav[0])
    )
    found = drift(book, idle)
    assert np.abs(book.traded).sum() > 0
    assert np.abs(found.by_cause["unexplained"]).max() < 0.005
    assert np.abs(sum(found.by_cause.values()) - found.total).max() < 1e-6


def test_the_drift_of_a_run_with_higher_costs_is_fees_and_the_shares_they_cost(plain, made, market):
    dates, names, close = market
    dear = made("low_volatility", "costs.bps=60")
    found = drift(of_run(plain, dates, names, close), of_run(dear, dates, names, close)).to_dict()[
        "causes_usd"
    ]
    assert found["fees"] > 0
    assert {k for k, v in found.items() if abs(v) > 0.01} <= {"fees", "rounding", "unexplained"}
    assert abs(found["unexplained"]) < 0.05


def test_a_run_against_itself_has_not_drifted(plain, market):
    dates, names, close = market
    found = drift(of_run(plain, dates, names, close), of_run(plain, dates, names, close))
    assert max(np.abs(part).max() for part in found.by_cause.values()) == 0.0


def test_what_does_not_fit_is_one_clear_error(plain, market):
    dates, names, close = market
    with pytest.raises(MissingData, match="has not all of the sessions"):
        of_run(plain, dates + np.timedelta64(1, "D"), names, close)
    with pytest.raises(DataError, match="not among the compared names"):
        of_run(plain, dates, names[1:], close[:, 1:])
