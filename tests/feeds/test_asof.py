"""The as-of join against the rule read aloud, on random filings and on the real ones."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ares7.config import DataConfig
from feeds.asof import latest_visible
from feeds.filings import FIELDS
from feeds.fundamentals import point_in_time_fields
from tests.feeds.filing_rows import D, codes, weekdays

DATA = os.environ.get("ARES7_DATA")
needs_data = pytest.mark.skipif(DATA is None, reason="ARES7_DATA names no real data folder")

# Properties

SHORT = weekdays("2020-01-01", "2020-03-31")


def days_after(count):
    return D("2019-12-15") + np.timedelta64(count, "D")


filings = st.lists(
    st.tuples(
        st.sampled_from(["AAA", "BBB"]),
        st.integers(0, 3),  # period
        st.integers(0, 100),  # days from 2019-12-15 to the filing
        st.integers(0, 1),  # lastupdated
        st.booleans(),  # annual
        st.sampled_from([np.nan, 1.0, 2.0, 3.0]),
    ),
    max_size=8,
    unique_by=lambda f: f[:5],
)


def frame(rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    base = D("2019-12-15", "s")
    columns = {
        "symbol": [r[0] for r in rows],
        "report_period": np.array(
            [D("2019-03-31", "s") + np.timedelta64(90 * r[1], "D") for r in rows], "M8[s]"
        ),
        "filing_date": np.array([base + np.timedelta64(r[2], "D") for r in rows], "M8[s]"),
        "lastupdated": np.array([base + np.timedelta64(r[3], "D") for r in rows], "M8[s]"),
        "annual": [r[4] for r in rows],
    }
    return pd.DataFrame(columns | {name: np.array([r[5] for r in rows], float) for name in FIELDS})


def naive(rows: list[tuple[Any, ...]], delay: int, max_age: int) -> np.ndarray:
    """Rulings 18 read aloud, one cell at a time."""
    out = np.full((len(SHORT), 2), np.nan)
    for t, session in enumerate(SHORT):
        for n, symbol in enumerate(("AAA", "BBB")):
            known = [
                r for r in rows if r[0] == symbol and r[5] == r[5] and session > days_after(r[2] + delay)
            ]
            if known:
                latest = max(known, key=lambda r: (r[1], not r[4], r[2], r[3]))
                if session <= days_after(latest[2] + max_age):
                    out[t, n] = latest[5]
    return out


@settings(max_examples=60, deadline=None)
@given(rows=filings, delay=st.integers(0, 40), extra=st.integers(1, 60))
def test_the_join_is_rulings_18_cell_by_cell(rows, delay, extra):
    fields = latest_visible(frame(rows), SHORT, ("AAA", "BBB"), delay, delay + extra)
    np.testing.assert_array_equal(fields["roe"], naive(rows, delay, delay + extra))


@settings(max_examples=60, deadline=None)
@given(rows=filings, others=filings, delay=st.integers(0, 40), t=st.integers(0, len(SHORT) - 1))
def test_what_is_not_yet_public_changes_nothing(rows, others, delay, t):
    """C6: rows with filing date + delay >= session t may be changed, added or removed at will."""

    def public(r: tuple[Any, ...]) -> bool:
        return bool(days_after(r[2] + delay) < SHORT[t])

    changed = [r for r in rows if public(r)] + [r for r in others if not public(r)]
    one = latest_visible(frame(rows), SHORT, ("AAA", "BBB"), delay, 500)
    two = latest_visible(frame(changed), SHORT, ("AAA", "BBB"), delay, 500)
    for name in FIELDS:
        np.testing.assert_array_equal(one[name][: t + 1], two[name][: t + 1])


# Real data


@pytest.fixture(scope="module")
def real() -> tuple[np.ndarray, tuple[str, ...]]:
    bars = pd.read_parquet(Path(DATA or "") / "prices.parquet", columns=["date", "symbol"])
    return np.unique(bars["date"].to_numpy().astype("datetime64[D]")), tuple(sorted(set(bars["symbol"])))


@needs_data
@pytest.mark.real_data
def test_the_real_fundamentals_load_fast_and_without_errors(real):
    dates, symbols = real
    point_in_time_fields(Path(DATA), DataConfig(), dates, symbols)
    started = time.perf_counter()
    fields, findings, provenance = point_in_time_fields(Path(DATA), DataConfig(), dates, symbols)
    assert time.perf_counter() - started < 1.5
    assert codes(findings, "error") == []
    assert provenance["files"]["fundamentals.parquet"] == {
        "rows": 7615,
        "late_filing": 159,
        "filing_date_estimated": 0,
        "used": 7456,
    }
    assert provenance["files"]["fundamentals_annual.parquet"]["filing_date_estimated"] == 65
    assert all(values.flags.c_contiguous and values.dtype == np.float64 for values in fields.values())


@needs_data
@pytest.mark.real_data
def test_the_real_fundamentals_agree_with_a_plain_reading_of_the_rule(real):
    dates, symbols = real
    fields, _, _ = point_in_time_fields(Path(DATA), DataConfig(), dates, symbols)
    quarterly = pd.read_parquet(Path(DATA) / "fundamentals.parquet").assign(annual=False)
    annual = pd.read_parquet(Path(DATA) / "fundamentals_annual.parquet").assign(annual=True)
    quarterly = quarterly[~quarterly["late_filing"]]
    annual = annual[~annual["filing_date_estimated"]]
    both = pd.concat([quarterly, annual], ignore_index=True)
    random = np.random.default_rng(5)
    for _ in range(300):
        name = str(random.choice(FIELDS))
        t, n = int(random.integers(1500, len(dates))), int(random.integers(len(symbols)))
        own = both[(both["symbol"] == symbols[n]) & both[name].notna()]
        session = pd.Timestamp(dates[t])
        own = own[(own["filing_date"] + pd.Timedelta(days=90) < session)]
        if name in ("roe", "debt_to_equity", "liabilities_to_equity"):
            own = own[~(own["equity"] <= 0)]
        expected = np.nan
        if len(own):
            last = own.sort_values(["report_period", "annual"], ascending=[True, False]).iloc[-1]
            if session <= last["filing_date"] + pd.Timedelta(days=500):
                expected = last[name]
        np.testing.assert_equal(fields[name][t, n], expected)


@needs_data
@pytest.mark.real_data
def test_the_sf1_sample_agrees_with_the_annual_file(real):
    dates, symbols = real
    config = DataConfig(
        fundamentals_file=Path(DATA) / "samples" / "sf1_like_ARY.csv",
        fundamentals_layout="sharadar_sf1",
        max_fundamentals_age_days=5000,
    )
    ours, findings, provenance = point_in_time_fields(None, config, dates, symbols)
    assert set(codes(findings, "error")) <= {"slot-missing"}  # the sample ends in 2017
    assert provenance["files"]["sf1_like_ARY.csv"]["used"] == 74
    rows = pd.read_parquet(Path(DATA) / "fundamentals_annual.parquet")
    kept = pd.read_csv(Path(DATA) / "samples" / "sf1_like_ARY.csv", parse_dates=["datekey"])
    own = rows.merge(kept, left_on=["symbol", "filing_date"], right_on=["ticker", "datekey"])
    own = own[(own["equity_x"] > 0) & ~own["filing_date_estimated"]]
    assert len(own) > 50
    for _, filing in own.iterrows():
        t = int(np.searchsorted(dates, D(filing["datekey"], "D") + np.timedelta64(90, "D"), side="right"))
        n = symbols.index(filing["symbol"])
        for name in ("roe", "ebitda_margin", "debt_to_equity"):
            exact = filing["roe_x" if name == "roe" else name]
            np.testing.assert_allclose(ours[name][t, n], exact, atol=6e-4)
