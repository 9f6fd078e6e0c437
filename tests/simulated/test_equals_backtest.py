"""A simulated account makes the orders, fills, fees and money of the event-driven backtest, to the last digit."""

from __future__ import annotations

import datetime as dt
import faulthandler
import os

import pytest

from tests.simulated.conftest import FIRST, LAST, backtested, journalled, sessions_between

COUNT = sessions_between(FIRST, LAST)
STRATEGIES = ("equal_weight", "low_volatility", "regime_ensemble")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_run_equals_the_backtest(account, strategy):
    mine = account(strategy=strategy)
    done = mine.run(COUNT)
    assert done.sessions == COUNT
    wanted, found = backtested(mine.config, strategy), journalled(mine)
    assert found.orders == wanted.orders
    assert found.fills == wanted.fills
    assert found.nav == wanted.nav
    assert len(wanted.fills) > 50


DATA = os.environ.get("ARES7_DATA")


@pytest.mark.real_data
@pytest.mark.skipif(DATA is None, reason="ARES7_DATA names no real data folder")
@pytest.mark.parametrize(
    ("first", "last", "many"),
    [
        ("2020-02-03", "2020-03-31", 300),
        pytest.param(
            *("2019-01-02", "2020-12-31", 5000),
            marks=[
                pytest.mark.stat,
                pytest.mark.skipif(
                    "ARES7_TWO_YEARS" not in os.environ, reason="minutes: make test-two-years"
                ),
            ],
        ),
    ],
)
def test_real_history_with_overlays_equals_the_backtest(account, first, last, many):
    faulthandler.cancel_dump_traceback_later()
    mine = account(strategy="regime_ensemble", data=DATA, overlays=["wavelet", "pead"])
    mine.run(sessions_between(first, last), first=dt.date.fromisoformat(first))
    wanted, found = backtested(mine.config, "regime_ensemble", first, last), journalled(mine)
    assert found.orders == wanted.orders
    assert found.fills == wanted.fills
    assert found.nav == wanted.nav
    assert len(wanted.fills) > many
