"""Data sets and trials for the tests of the ledger."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import numpy as np

from ares7.trials import DataSet, ReturnMoments, Trial

NOW = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
CODE, SETTINGS = "c0de", "5e77"


def day(text: str) -> np.datetime64:
    return np.datetime64(text, "D")


def names(count: int, first: int = 0) -> tuple[str, ...]:
    return tuple(f"S{i:03}" for i in range(first, first + count))


DATA = DataSet("members", names(10), ("close", "vix"), day("2010-01-04"), day("2019-12-31"), "hash-1")


def data(**changes: Any) -> DataSet:
    dates = {k: day(v) for k, v in changes.items() if k in ("first", "last")}
    return replace(DATA, **changes | dates)


def trial(x: object = 1, sharpe: float = 0.05, **changes: Any) -> Trial:
    """Trial number ``x`` over the dates of `DATA`."""
    plain = Trial(
        strategy="regime_ensemble",
        params={"x": x},
        settings_hash=SETTINGS,
        code_version=CODE,
        first=DATA.first,
        last=DATA.last,
        sessions=2515,
        # A power of two, so that mean over sd is the given ratio to the last bit.
        total=ReturnMoments(sharpe * 2**-7, 2**-7, -0.3, 6.5),
        active=ReturnMoments(sharpe * 2**-10, 2**-9, 0.1, 4.0),
    )
    dates = {k: day(v) for k, v in changes.items() if k in ("first", "last", "first_week")}
    return replace(plain, **changes | dates)


def write(ledger: Any, data_set: DataSet, *trials: Trial, run: str = "run-1") -> int:
    return ledger.record(data_set, trials, run=run, purpose="grid", created=NOW)


def known(ledger: Any, data_set: DataSet = DATA, **changes: Any) -> set[str]:
    """What is known of the dates of a data set, by default under the conditions of `trial`."""
    under = {"settings_hash": SETTINGS, "first": DATA.first, "last": DATA.last, "code_version": CODE}
    return ledger.known(data_set, **under | changes)
