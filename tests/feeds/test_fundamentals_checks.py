"""What is wrong with fundamentals stops the runs that would meet it, with one clear error (rulings 23, 26)."""

from __future__ import annotations

import numpy as np
import pytest

from ares7.config import DataConfig
from ares7.errors import ConfigError, DataError, MissingData, RestatedData, StaleData
from feeds.findings import raise_errors
from feeds.fundamentals import point_in_time_fields
from tests.feeds.filing_rows import DATES, D, at, codes, load, only, row

# Staleness and coverage


def test_fundamentals_are_stale_the_day_after_the_limit(tmp_path):
    newest = DATES[-1] - np.timedelta64(10, "D")
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
