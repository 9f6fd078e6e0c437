"""Fundamentals are visible when they were public, and never a session earlier (C6, rulings 17, 18, 26)."""

from __future__ import annotations

import numpy as np
import pytest

from ares7.config import DataConfig
from ares7.errors import RestatedData
from feeds.filings import FIELDS
from feeds.findings import raise_errors
from tests.feeds.filing_rows import DATES, D, at, codes, load, only, row, sf1

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
    assert D("2020-01-15") + np.timedelta64(200, "D") == D("2020-08-02")
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
    # Sharadar dates MR* rows by the end of their period.
    rows = [sf1("MRT", filed="2019-12-28", roe=0.2)]
    fields, findings, provenance = load(tmp_path, sf1=rows, allow_restated=True)
    assert at(fields, "2019-12-30") == 0.2
    assert "filed-before-period-end" not in codes(findings, "error")
    assert provenance["restated"] is True
    assert only(findings, "restated").severity == "warning"
