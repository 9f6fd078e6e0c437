"""Fundamentals files written row by row, and the fields that come of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ares7.config import DataConfig
from feeds.findings import Finding
from feeds.fundamentals import point_in_time_fields

D = np.datetime64


def weekdays(first: str, last: str) -> np.ndarray:
    days = np.arange(D(first), D(last) + np.timedelta64(1, "D"))
    return days[np.is_busday(days)]


DATES = weekdays("2019-06-03", "2022-06-30")


def row(symbol: str = "AAA", period: str = "2019-12-31", filed: str = "2020-01-15", **values: Any) -> dict:
    return {"symbol": symbol, "report_period": period, "filing_date": filed, **values}


def load(
    tmp_path: Path,
    quarterly: list[dict] | None = None,
    annual: list[dict] | None = None,
    sf1: list[dict] | None = None,
    symbols: tuple[str, ...] = ("AAA", "BBB"),
    dates: np.ndarray = DATES,
    allow_restated: bool = False,
    **config: Any,
) -> tuple[dict[str, np.ndarray], list[Finding], dict[str, Any]]:
    for name, rows in (("fundamentals", quarterly), ("fundamentals_annual", annual), ("sf1", sf1)):
        if rows is not None:
            pd.DataFrame(rows).to_csv(tmp_path / f"{name}.csv", index=False)
    if sf1 is not None:
        config |= {"fundamentals_file": tmp_path / "sf1.csv", "fundamentals_layout": "sharadar_sf1"}
    settings = DataConfig(**{"pit_delay_days": 0, "max_fundamentals_age_days": 5000, **config})
    return point_in_time_fields(tmp_path, settings, dates, symbols, allow_restated=allow_restated)


def at(fields: dict[str, np.ndarray], day: str, name: str = "roe", column: int = 0) -> float:
    index = int(np.searchsorted(DATES, D(day)))
    assert DATES[index] == D(day), f"{day} is no session of this test"
    return float(fields[name][index, column])


def codes(findings: list[Finding], severity: str) -> list[str]:
    return [f.code for f in findings if f.severity == severity]


def only(findings: list[Finding], code: str) -> Finding:
    (found,) = [f for f in findings if f.code == code]
    return found


def sf1(dimension: str = "ARQ", filed: str = "2020-01-15", **values: Any) -> dict:
    keys = {"ticker": "AAA", "dimension": dimension, "calendardate": "2020-03-31", "datekey": filed}
    return {**keys, "reportperiod": "2019-12-28", "lastupdated": "2020-01-15", **values}
