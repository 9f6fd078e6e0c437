"""Fundamentals are visible when they were public, and never a session earlier (C6, rulings 17, 18, 23, 26)."""

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
from ares7.errors import ConfigError, DataError, MissingData, RestatedData, StaleData
from feeds.asof import latest_visible
from feeds.filings import FIELDS
from feeds.findings import Finding, raise_errors
from feeds.fundamentals import point_in_time_fields

D = np.datetime64
DATA = os.environ.get("ARES7_DATA")
needs_data = pytest.mark.skipif(DATA is None, reason="ARES7_DATA names no real data folder")


def weekdays(first: str, last: str) -> np.ndarray:
    days = np.arange(D(first), D(last) + 1)
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


# When a filing is visible


@pytest.mark.parametrize(
    ("delay", "hidden", "visible"),
    [
        (0, "2020-01-15", "2020-01-16"),
        (1, "2020-01-16", "2020-01-17"),
        (45, "2020-02-28", "2020-03-02"),  # 29 February was a Saturday
        (90, "2020-04-14", "2020-04-15"),
    ],
)
def test_a_filing_is_visible_strictly_after_filing_date_plus_delay(tmp_path, delay, hidden, visible):
    fields, _, _ = load(tmp_path, [row(roe=0.2)], pit_delay_days=delay)
    assert np.isnan(at(fields, hidden))
    assert at(fields, visible) == 0.2


def test_the_default_delay_is_90_days():
    assert DataConfig().pit_delay_days == 90
    assert DataConfig().max_age_days == 500


def test_a_filing_on_a_weekend_is_visible_on_the_next_session(tmp_path):
    fields, findings, _ = load(tmp_path, [row(filed="2020-01-18", roe=0.2)])
    assert np.isnan(at(fields, "2020-01-17"))
    assert at(fields, "2020-01-20") == 0.2
    assert only(findings, "filing-off-session").severity == "warning"


def test_the_day_of_expiry_is_included(tmp_path):
    fields, _, _ = load(tmp_path, [row(roe=0.2)], max_age_days=502)  # 2020-01-15 + 502 = Monday 2021-05-31
    assert at(fields, "2021-05-31") == 0.2
    assert np.isnan(at(fields, "2021-06-01"))


def test_an_expired_latest_value_is_missing_and_an_older_period_does_not_return(tmp_path):
    rows = [
        row(period="2019-12-31", filed="2020-01-15", roe=0.2),
        row(period="2019-09-30", filed="2020-06-01", roe=0.1),  # amended late: fresher, but an older period
    ]
    fields, _, _ = load(tmp_path, rows, max_age_days=200)
    assert at(fields, "2020-07-01") == 0.2
    assert D("2020-01-15") + 200 == D("2020-08-02")
    assert np.isnan(at(fields, "2020-08-03"))


def test_a_filing_before_the_first_session_is_visible_on_it(tmp_path):
    fields, _, _ = load(tmp_path, [row(period="2019-03-31", filed="2019-05-01", roe=0.2)])
    assert fields["roe"][0, 0] == 0.2


def test_a_filing_after_the_last_session_never_shows(tmp_path):
    fields, _, _ = load(tmp_path, [row(roe=0.2), row(period="2022-03-31", filed="2022-06-30", roe=0.9)])
    assert not (fields["roe"] == 0.9).any()


# Which visible row counts


def test_the_latest_period_counts_not_the_latest_filing(tmp_path):
    rows = [row(roe=0.2), row(period="2019-09-30", filed="2020-03-02", roe=0.1)]
    fields, _, _ = load(tmp_path, rows)
    assert at(fields, "2020-03-03") == 0.2


def test_a_missing_value_leaves_the_last_known_one_of_that_field_only(tmp_path):
    rows = [
        row(roe=0.2, operating_margin=0.3),
        row(period="2020-03-31", filed="2020-04-15", operating_margin=0.4),
    ]
    fields, _, _ = load(tmp_path, rows)
    assert at(fields, "2020-04-16") == 0.2
    assert at(fields, "2020-04-16", "operating_margin") == 0.4


def test_a_refiled_period_shows_its_first_figure_until_the_second_filing_is_visible(tmp_path):
    rows = [row(roe=0.2), row(filed="2020-03-10", roe=0.15)]
    fields, _, _ = load(tmp_path, rows)
    assert at(fields, "2020-03-10") == 0.2
    assert at(fields, "2020-03-11") == 0.15


def test_rows_of_one_filing_date_are_ordered_by_lastupdated(tmp_path):
    rows = [
        row(roe=0.3, lastupdated="2020-02-02"),
        row(roe=0.2, lastupdated="2020-01-20"),
        row(roe=0.1, lastupdated=None),
    ]
    fields, findings, _ = load(tmp_path, rows)
    assert at(fields, "2020-03-10") == 0.3
    assert "duplicate-row" not in codes(findings, "error")


def test_the_quarterly_row_wins_for_one_field_and_period_whenever_the_annual_was_filed(tmp_path):
    quarterly = [row(roe=0.2)]
    annual = [row(filed="2020-03-10", roe=0.9, ebitda_margin=0.5)]
    fields, _, _ = load(tmp_path, quarterly, annual)
    assert at(fields, "2020-03-11") == 0.2
    assert at(fields, "2020-03-11", "ebitda_margin") == 0.5


def test_an_annual_row_of_a_later_period_wins(tmp_path):
    fields, _, _ = load(tmp_path, [row(roe=0.2)], [row(period="2020-01-31", filed="2020-03-10", roe=0.9)])
    assert at(fields, "2020-03-11") == 0.9


def test_an_annual_row_counts_until_the_quarterly_one_is_visible(tmp_path):
    fields, _, _ = load(tmp_path, [row(filed="2020-03-10", roe=0.2)], [row(roe=0.9)])
    assert at(fields, "2020-03-10") == 0.9
    assert at(fields, "2020-03-11") == 0.2


def test_the_order_of_rows_and_symbols_changes_nothing(tmp_path):
    rows = [
        row("AAA", f"20{y}-12-31", f"20{y + 1}-02-1{k}", roe=k + y / 10) for y in (18, 19, 20) for k in (0, 3)
    ]
    rows += [{**r, "symbol": "BBB", "roe": -r["roe"]} for r in rows]
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    one, _, _ = load(tmp_path / "one", rows)
    two, _, _ = load(tmp_path / "two", rows[::-1], symbols=("BBB", "AAA"))
    for name in FIELDS:
        np.testing.assert_array_equal(one[name], two[name][:, ::-1])


# Rows and values that are not used


@pytest.mark.parametrize("flag", ["late_filing", "filing_date_estimated"])
def test_rows_with_an_unreliable_filing_date_are_dropped_and_counted(tmp_path, flag):
    rows = [
        row(roe=0.2, **{flag: False}),
        row(period="2020-03-31", filed="2020-04-15", roe=0.9, **{flag: True}),
    ]
    fields, findings, provenance = load(tmp_path, rows)
    assert at(fields, "2020-06-01") == 0.2
    warning = only(findings, flag.replace("_", "-"))
    assert (warning.severity, warning.count) == ("warning", 1)
    assert provenance["files"]["fundamentals.csv"][flag] == 1
    assert provenance["files"]["fundamentals.csv"]["rows"] == 2
    assert provenance["files"]["fundamentals.csv"]["used"] == 1


@pytest.mark.parametrize("equity", [0.0, -5.0])
@pytest.mark.parametrize("name", ["roe", "debt_to_equity", "liabilities_to_equity"])
def test_a_ratio_over_equity_that_is_not_positive_is_missing(tmp_path, equity, name):
    fields, _, _ = load(tmp_path, [row(equity=equity, **{name: 0.4}), row("BBB", equity=5.0, **{name: 0.4})])
    assert np.isnan(fields[name][:, 0]).all()
    assert at(fields, "2020-02-03", name, column=1) == 0.4


def test_a_negative_debt_ratio_is_missing_though_equity_is_not_given(tmp_path):
    fields, _, _ = load(tmp_path, [row(debt_to_equity=-2.0, roe=-0.1)])
    assert np.isnan(fields["debt_to_equity"]).all()
    assert at(fields, "2020-02-03", "roe") == -0.1


@pytest.mark.parametrize("value", ["inf", "-inf"])
def test_infinite_values_are_missing(tmp_path, value):
    fields, _, _ = load(tmp_path, [row(ebitda_margin=value)])
    assert np.isnan(fields["ebitda_margin"]).all()


def test_rows_of_symbols_without_prices_are_left_out_and_counted(tmp_path):
    rows = [row(roe=0.2), row("ZZZ", roe=0.7), row("ZZZ", roe=0.8)]
    fields, findings, provenance = load(tmp_path, rows)
    assert set(fields) == set(FIELDS)
    assert fields["roe"].shape == (len(DATES), 2)
    assert provenance["rows_of_other_symbols"] == 2
    assert "duplicate-row" not in codes(findings, "error")


# Sharadar SF1


def sf1(dimension: str = "ARQ", filed: str = "2020-01-15", **values: Any) -> dict:
    keys = {"ticker": "AAA", "dimension": dimension, "calendardate": "2020-03-31", "datekey": filed}
    return {**keys, "reportperiod": "2019-12-28", "lastupdated": "2020-01-15", **values}


def test_sf1_columns_become_fields(tmp_path):
    fields, findings, _ = load(tmp_path, sf1=[sf1(roe=0.2, ebitdamargin=0.3, de=1.5)])
    assert [at(fields, "2020-01-16", n) for n in ("roe", "ebitda_margin", "debt_to_equity")] == [
        0.2,
        0.3,
        1.5,
    ]
    assert "filed-before-period-end" not in codes(
        findings, "error"
    )  # calendardate is rounded to a quarter end


def test_sf1_newer_exports_call_the_filing_date_date(tmp_path):
    rows = [{("date" if k == "datekey" else k): v for k, v in sf1(roe=0.2).items()}]
    fields, _, _ = load(tmp_path, sf1=rows)
    assert at(fields, "2020-01-16") == 0.2


def test_sf1_ratios_are_computed_from_their_parts_where_no_column_gives_them(tmp_path):
    parts = {
        "ebitda": 30.0,
        "revenue": 120.0,
        "opinc": 24.0,
        "debt": 10.0,
        "equity": 40.0,
        "liabilities": 60.0,
    }
    fields, _, _ = load(tmp_path, sf1=[sf1("ART", netinc=8.0, **parts)])
    expected = {"roe": 0.2, "ebitda_margin": 0.25, "operating_margin": 0.2, "debt_to_equity": 0.25}
    for name, value in (expected | {"liabilities_to_equity": 1.5}).items():
        assert at(fields, "2020-01-16", name) == value


def test_sf1_one_quarters_income_is_no_return_on_equity(tmp_path):
    fields, _, _ = load(tmp_path, sf1=[sf1("ARQ", netinc=8.0, equity=40.0, debt=10.0)])
    assert np.isnan(fields["roe"]).all()


def test_sf1_debt_over_equity_goes_before_de_which_is_liabilities_over_equity_there(tmp_path):
    fields, _, _ = load(tmp_path, sf1=[sf1(de=1.5, debt=10.0, equity=40.0)])
    assert at(fields, "2020-01-16", "debt_to_equity") == 0.25


def test_sf1_no_revenue_or_no_equity_makes_the_ratio_missing(tmp_path):
    rows = [sf1(ebitda=5.0, ebitdamargin=0.7, revenue=0.0, debt=3.0, equity=0.0, roe=0.4)]
    fields, _, _ = load(tmp_path, sf1=rows)
    for name in ("ebitda_margin", "debt_to_equity", "roe"):
        assert np.isnan(fields[name]).all(), name


def test_sf1_fiscal_years_rank_below_the_canonical_quarters(tmp_path):
    quarter = [row(period="2019-12-28", roe=0.2)]
    fields, _, _ = load(tmp_path, quarter, sf1=[sf1("ARY", roe=0.9, ebitdamargin=0.3)])
    assert at(fields, "2020-02-03") == 0.2
    assert at(fields, "2020-02-03", "ebitda_margin") == 0.3


@pytest.mark.parametrize("dimension", ["MRQ", "MRT", "MRY"])
def test_restated_dimensions_are_refused_with_the_remedy(tmp_path, dimension):
    fields, findings, provenance = load(tmp_path, sf1=[sf1(dimension, roe=0.2)])
    assert fields == {}
    assert provenance["restated"] is False
    with pytest.raises(RestatedData, match=f"sf1.csv: dimension {dimension}.*download ARQ, ART or ARY"):
        raise_errors(findings, frozenset({"fundamentals"}))


def test_restated_dimensions_are_accepted_on_request_and_flagged(tmp_path):
    fields, findings, provenance = load(tmp_path, sf1=[sf1("MRT", roe=0.2)], allow_restated=True)
    assert at(fields, "2020-01-16") == 0.2
    assert provenance["restated"] is True
    assert only(findings, "restated").severity == "warning"


# Staleness and coverage


def test_fundamentals_are_stale_the_day_after_the_limit(tmp_path):
    newest = DATES[-1] - 10
    rows = [row(roe=0.2), row(period="2022-03-31", filed=str(newest), roe=0.3)]
    assert "stale-fundamentals" not in codes(load(tmp_path, rows, max_fundamentals_age_days=10)[1], "error")
    stale = only(load(tmp_path, rows, max_fundamentals_age_days=9)[1], "stale-fundamentals")
    assert stale.kind is StaleData
    assert (stale.first, stale.last, stale.count) == (DATES[-1], DATES[-1], 1)


def test_a_run_that_ends_before_the_data_became_stale_is_not_stopped(tmp_path):
    _, findings, _ = load(tmp_path, [row(roe=0.2)], max_fundamentals_age_days=30)
    needs = frozenset({"fundamentals"})
    raise_errors([f for f in findings if f.code == "stale-fundamentals"], needs, DATES[0], D("2020-02-14"))
    with pytest.raises(
        StaleData, match=r"newest filing is of 2020-01-15.*limit is 30 days.*add newer filings"
    ):
        raise_errors(findings, needs, DATES[0], D("2020-02-17"))


def test_staleness_is_judged_on_the_newest_filing_of_all_files_and_names(tmp_path):
    annual = [row("ZZZ", "2022-03-31", "2022-06-20", roe=0.1)]
    _, findings, provenance = load(tmp_path, [row(roe=0.2)], annual, max_fundamentals_age_days=30)
    assert "stale-fundamentals" not in codes(findings, "error")
    assert provenance["newest_filing"] == "2022-06-20"


def test_a_slot_that_no_name_has_any_more_is_an_error_over_its_span(tmp_path):
    rows = [
        row(roe=0.2),
        row("BBB", filed="2020-02-14", roe=0.1),
        row(period="2020-12-31", filed="2021-01-15", roe=0.3),
    ]
    _, findings, _ = load(tmp_path, rows, max_age_days=30)
    gaps = [f for f in findings if f.code == "slot-missing" and "profitability" in f.message]
    # Visible 2020-01-16..02-14 and 2020-02-17..03-13 and 2021-01-18..02-12: no gap between the first two.
    assert [(f.first, f.last) for f in gaps] == [
        (D("2020-03-16"), D("2021-01-15")),
        (D("2021-02-15"), DATES[-1]),
    ]
    with pytest.raises(MissingData, match=r"slot profitability .*from 2020-03-16 to 2021-01-15"):
        raise_errors(gaps, frozenset({"fundamentals"}))
    raise_errors(gaps, frozenset({"fundamentals"}), DATES[0], D("2020-03-13"))


def test_either_source_column_fills_a_slot(tmp_path):
    rows = [row(ebitda_margin=0.2), row(period="2020-12-31", filed="2021-01-15", operating_margin=0.1)]
    _, findings, _ = load(tmp_path, rows, max_age_days=366 + 4)
    gaps = [f for f in findings if f.code == "slot-missing"]
    assert [f.first for f in gaps] == [D("2022-01-21")]


def test_a_slot_that_is_never_covered_is_a_warning(tmp_path):
    _, findings, _ = load(tmp_path, [row(roe=0.2)])
    warned = [f.message for f in findings if f.code == "slot-never-covered"]
    assert ["margin" in warned[0], "leverage" in warned[1]] == [True, True]


def test_stocks_without_any_row_are_counted_and_funds_are_not(tmp_path):
    symbols = ("AAA", "BBB", "CCC", "SPY", "SPX")
    _, findings, provenance = load(tmp_path, [row(roe=0.2)], symbols=symbols)
    warning = only(findings, "symbols-without-fundamentals")
    assert warning.count == provenance["symbols_without_rows"] == 2
    assert "BBB, CCC" in warning.message


# Bad input

KEYS = "symbol,report_period,filing_date,roe\n"
SF1_KEYS = "ticker,dimension,datekey,reportperiod,roe\n"
BAD_CANONICAL = {
    "filed before the period ended": (
        KEYS + "AAA,2019-12-31,2020-01-15,0.1\nAAA,2020-03-31,2020-03-30,0.1\n",
        DataError,
        r"fundamentals.csv: 1 rows are filed before their period ended.*data row 2 \(AAA, period 2020-03-31",
    ),
    "filed in the future": (
        KEYS + "AAA,2019-12-31,2999-01-15,0.1\n",
        DataError,
        r"fundamentals.csv: 1 rows are filed after today.*data row 1 \(AAA.*filed 2999-01-15\); correct",
    ),
    "one filing twice, different values": (
        KEYS + "AAA,2019-12-31,2020-01-15,0.1\nAAA,2019-12-31,2020-01-15,0.2\n",
        DataError,
        r"fundamentals.csv.*1 filings are given twice.*AAA, period 2019-12-31, filed 2020-01-15, fields roe; keep",
    ),
    "same lastupdated, different values": (
        KEYS.replace("roe", "lastupdated,roe")
        + "AAA,2019-12-31,2020-01-15,2020-02-01,0.1\n" * 2
        + "AAA,2019-12-31,2020-01-15,2020-02-01,0.2\n",
        DataError,
        r"given twice with different values.*tell them apart by lastupdated",
    ),
    "no symbol": (
        KEYS + ",2019-12-31,2020-01-15,0.1\n",
        DataError,
        r"fundamentals.csv: 1 rows lack a symbol.*data row 1; complete or remove",
    ),
    "no filing date": (
        KEYS + "AAA,2019-12-31,2020-01-15,0.1\nAAA,2020-03-31,,0.1\n",
        DataError,
        r"1 rows lack a symbol, a report period or a filing date, the first is data row 2",
    ),
    "filing date missing as a column": (
        "symbol,report_period,roe\nAAA,2019-12-31,0.1\n",
        MissingData,
        r"fundamentals.csv lacks the columns \['filing_date'\]",
    ),
    "none of the fields": (
        "symbol,report_period,filing_date,pe\nAAA,2019-12-31,2020-01-15,12\n",
        MissingData,
        r"fundamentals.csv carries none of the fields roe, ebitda_margin.*add at least one column",
    ),
    "a word in a number column": (
        KEYS + "AAA,2019-12-31,2020-01-15,n/a\n",
        DataError,
        r"fundamentals.csv: column 'roe' data row 1 holds 'n/a', not a number",
    ),
    "an American date": (
        KEYS + "AAA,2019-12-31,01/15/2020,0.1\n",
        DataError,
        r"column 'filing_date' data row 1 holds '01/15/2020', not a date; write YYYY-MM-DD",
    ),
    "a flag that is no flag": (
        KEYS.replace("roe", "late_filing,roe") + "AAA,2019-12-31,2020-01-15,maybe,0.1\n",
        DataError,
        r"column 'late_filing' data row 1 holds 'maybe', not a flag",
    ),
    "an empty file": ("", DataError, r"fundamentals.csv is empty; replace the file"),
    "only rows that are dropped": (
        KEYS.replace("roe", "late_filing,roe") + "AAA,2019-12-31,2020-01-15,true,0.1\n",
        DataError,
        r"fundamentals.csv: none of 1 rows can be used; replace the file",
    ),
    "a restated dimension in the canonical file": (
        KEYS.replace("roe", "dimension,roe") + "AAA,2019-12-31,2020-01-15,MRQ,0.1\n",
        RestatedData,
        r"dimension MRQ holds figures as restated later.*download ARQ",
    ),
    "other symbols than the prices": (
        KEYS + "aaa,2019-12-31,2020-01-15,0.1\n",
        MissingData,
        r"no row belongs to any of the 2 symbols with prices \(AAA, BBB\); write the symbols as in the price",
    ),
}
BAD_SF1 = {
    "mixed dimensions": (
        SF1_KEYS + "AAA,ARQ,2020-01-15,2019-12-31,0.1\nAAA,ARY,2020-01-15,2019-12-31,0.1\n",
        DataError,
        r"sf1.csv: mixed dimensions ARQ, ARY; one file holds one of ARQ, .*split it",
    ),
    "all six dimensions in one file": (
        SF1_KEYS + "AAA,ARQ,2020-01-15,2019-12-31,0.1\nAAA,MRQ,2020-01-15,2019-12-31,0.1\n",
        RestatedData,
        r"sf1.csv: dimension MRQ",
    ),
    "unknown dimension": (
        SF1_KEYS + "AAA,TTM,2020-01-15,2019-12-31,0.1\n",
        DataError,
        r"sf1.csv: unknown dimension 'TTM'; one file holds one of ARQ, ART",
    ),
    "no dimension given in the rows": (
        SF1_KEYS + "AAA,,2020-01-15,2019-12-31,0.1\n",
        DataError,
        r"sf1.csv data row 1 has no dimension; write one of ARQ",
    ),
    "no dimension column": (
        "ticker,datekey,reportperiod,roe\nAAA,2020-01-15,2019-12-31,0.1\n",
        MissingData,
        r"sf1.csv lacks the columns \['dimension'\]",
    ),
    "no filing date column": (
        "ticker,dimension,reportperiod,roe\nAAA,ARQ,2019-12-31,0.1\n",
        MissingData,
        r"sf1.csv has neither of the columns 'datekey' and 'date'; exactly one",
    ),
    "two filing date columns": (
        "ticker,dimension,datekey,date,reportperiod,roe\nAAA,ARQ,2020-01-15,2020-01-16,2019-12-31,0.1\n",
        MissingData,
        r"sf1.csv has \['datekey', 'date'\].*exactly one must give the filing date",
    ),
}


@pytest.mark.parametrize("case", BAD_CANONICAL)
def test_bad_canonical_files_get_one_clear_error(tmp_path, case):
    text, kind, message = BAD_CANONICAL[case]
    (tmp_path / "fundamentals.csv").write_text(text)
    _, findings, _ = load(tmp_path)
    with pytest.raises(kind, match=message) as caught:
        raise_errors(findings, frozenset({"fundamentals"}))
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value)
    raise_errors(findings, frozenset({"earnings"}))  # a strategy that reads no fundamentals goes on


@pytest.mark.parametrize("case", BAD_SF1)
def test_bad_sf1_files_get_one_clear_error(tmp_path, case):
    text, kind, message = BAD_SF1[case]
    path = tmp_path / "sf1.csv"
    path.write_text(text)
    _, findings, _ = load(tmp_path, fundamentals_file=path, fundamentals_layout="sharadar_sf1")
    with pytest.raises(kind, match=message):
        raise_errors(findings, frozenset({"fundamentals"}))


def test_no_file_at_all_names_the_folder_and_the_file_names(tmp_path):
    fields, findings, provenance = load(tmp_path)
    assert (fields, provenance["files"]) == ({}, {})
    with pytest.raises(
        MissingData, match=r"no fundamentals file .*looked for fundamentals.parquet.*annual.csv"
    ):
        raise_errors(findings, frozenset({"fundamentals"}))
    assert str(tmp_path) in findings[0].message


def test_without_a_folder_the_configured_file_is_enough(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(KEYS + "AAA,2019-12-31,2020-01-15,0.1\n")
    config = DataConfig(fundamentals_file=path, pit_delay_days=0, max_fundamentals_age_days=5000)
    fields, findings, _ = point_in_time_fields(None, config, DATES, ("AAA",))
    assert at(fields, "2020-01-16") == 0.1
    assert codes(findings, "error") == ["slot-missing"]  # it expires before the last session


def test_a_configured_file_that_is_not_there_is_missing(tmp_path):
    config = DataConfig(fundamentals_file=tmp_path / "gone.csv")
    fields, findings, _ = point_in_time_fields(None, config, DATES, ("AAA",))
    assert fields == {}
    assert findings[0].kind is MissingData
    assert "gone.csv does not exist; add it or correct the path" in findings[0].message


def test_csv_and_parquet_side_by_side_are_an_error(tmp_path):
    (tmp_path / "fundamentals.csv").write_text(KEYS + "AAA,2019-12-31,2020-01-15,0.1\n")
    (tmp_path / "fundamentals.parquet").write_bytes(b"PAR1")
    fields, findings, _ = load(tmp_path)
    assert fields == {}
    assert "holds both fundamentals.parquet and fundamentals.csv" in findings[0].message


def test_a_filing_after_the_day_that_counts_as_today_is_refused(tmp_path):
    (tmp_path / "fundamentals.csv").write_text(KEYS + "AAA,2019-12-31,2020-01-15,0.1\n")
    for day, found in (("2020-01-14", True), ("2020-01-15", False)):
        _, findings, _ = point_in_time_fields(tmp_path, DataConfig(), DATES, ("AAA",), today=D(day))
        assert ("filed-in-future" in codes(findings, "error")) is found


def test_files_are_checked_without_any_prices(tmp_path):
    rows = [row(roe=0.2), row(period="2020-12-31", filed="2020-12-30", roe=0.2)]
    fields, findings, _ = load(tmp_path, rows, symbols=())
    assert fields["roe"].shape == (len(DATES), 0)
    assert codes(findings, "error") == ["filed-before-period-end"]


def test_rows_that_repeat_each_other_are_fine(tmp_path):
    fields, findings, _ = load(tmp_path, [row(roe=0.2), row(roe=0.2)])
    assert at(fields, "2020-01-16") == 0.2
    assert "duplicate-row" not in codes(findings, "error")


def test_settings_that_contradict_each_other(tmp_path):
    with pytest.raises(ConfigError, match=r"data.max_age_days 90 must exceed data.pit_delay_days 90"):
        load(tmp_path, [row(roe=0.2)], pit_delay_days=90, max_age_days=90)
    with pytest.raises(
        ConfigError, match=r"fundamentals_layout is sharadar_sf1 and data.fundamentals_file is not"
    ):
        load(tmp_path, [row(roe=0.2)], fundamentals_layout="sharadar_sf1")


# Properties

SHORT = weekdays("2020-01-01", "2020-03-31")
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
                r
                for r in rows
                if r[0] == symbol and r[5] == r[5] and session > D("2019-12-15") + r[2] + delay
            ]
            if known:
                latest = max(known, key=lambda r: (r[1], not r[4], r[2], r[3]))
                if session <= D("2019-12-15") + latest[2] + max_age:
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
        return bool(D("2019-12-15") + r[2] + delay < SHORT[t])

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
        t = int(np.searchsorted(dates, D(filing["datekey"], "D") + 90, side="right"))
        n = symbols.index(filing["symbol"])
        for name in ("roe", "ebitda_margin", "debt_to_equity"):
            exact = filing["roe_x" if name == "roe" else name]
            np.testing.assert_allclose(ours[name][t, n], exact, atol=6e-4)
