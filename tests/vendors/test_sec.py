"""Company facts: what was known on the day of each filing, and nothing earlier."""

from __future__ import annotations

import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest

from feeds.fetch.vendors.sec_facts import facts_of, quarter, rows_of, twelve_months
from tests.vendors import layouts, made
from tests.vendors.layouts import fact
from tests.vendors.server import Reply

UNTIL = ("--start", "2022-01-03", "--end", "2024-03-08")
NAMES = ("--universe", ",".join(made.STOCKS))
day = dt.date.fromisoformat


def rows(named):
    told = {"facts": {"us-gaap": {tag: {"units": units} for tag, units in named.items()}}}
    facts, others = facts_of(told, "here")
    found, notes = rows_of("AAPL", facts)
    return pd.DataFrame(found), others, notes


def flow(**spans):
    return {tuple(map(day, span.split("_"))): value for span, value in spans.items()} if spans else {}


YEAR = {
    (day("2022-01-01"), day("2022-03-31")): 1.0,
    (day("2022-04-01"), day("2022-06-30")): 2.0,
    (day("2022-07-01"), day("2022-09-30")): 3.0,
    (day("2022-01-01"), day("2022-12-31")): 10.0,
}


def test_the_fourth_quarter_is_the_year_less_three_quarters():
    assert quarter(YEAR, day("2022-12-31")) == (4.0, day("2022-10-01"))


def test_a_quarter_may_be_the_difference_of_two_sums_from_the_start_of_the_year():
    sums = {
        (day("2022-01-01"), day("2022-03-31")): 1.0,
        (day("2022-01-01"), day("2022-06-30")): 3.0,
        (day("2022-01-01"), day("2022-09-30")): 6.0,
        (day("2022-01-01"), day("2022-12-31")): 10.0,
    }
    ends = ("2022-03-31", "2022-06-30", "2022-09-30", "2022-12-31")
    assert [quarter(sums, day(end))[0] for end in ends] == [1.0, 2.0, 3.0, 4.0]


def test_twelve_months_are_the_year_or_four_quarters_in_a_row():
    assert twelve_months(YEAR, day("2022-12-31")) == 10.0
    later = YEAR | {(day("2023-01-01"), day("2023-03-31")): 5.0}
    assert twelve_months(later, day("2023-03-31")) == 2.0 + 3.0 + 4.0 + 5.0
    assert twelve_months(YEAR, day("2022-09-30")) is None


def test_fiscal_years_of_53_weeks_are_years():
    weeks = {
        (day("2016-09-25"), day("2016-12-31")): 1.0,
        (day("2017-01-01"), day("2017-04-01")): 2.0,
        (day("2017-04-02"), day("2017-07-01")): 3.0,
        (day("2016-09-25"), day("2017-09-30")): 10.0,
    }
    assert quarter(weeks, day("2017-09-30")) == (4.0, day("2017-07-02"))
    later = weeks | {(day("2017-10-01"), day("2017-12-30")): 5.0}
    assert twelve_months(later, day("2017-12-30")) == 14.0


def test_a_period_is_known_from_its_filing_on_and_not_from_its_end():
    found, _, _ = rows({tag: told["units"] for tag, told in layouts.reports("AAPL").items()})
    assert (found["filing_date"] > found["report_period"]).all()
    row = found.set_index(["report_period", "filing_date"]).loc[(day("2021-06-30"), day("2021-08-05"))]
    size = 100.0 + 10 * sum(b"AAPL") % 70
    # Quarters 3 and 4 of 2020 (3 and 4), quarters 1 and 2 of 2021 (1 and 2).
    assert row["roe"] == pytest.approx(0.1 * 10 * size / (5 * size))
    assert row["operating_margin"] == pytest.approx(0.2)
    assert row["ebitda_margin"] == pytest.approx((0.2 * 10 + 0.05 * 4) / 10)
    assert row["debt_to_equity"] == pytest.approx(0.4)
    assert row["liabilities_to_equity"] == pytest.approx(1.4)
    assert not found["late_filing"].any()


def test_a_later_filing_changes_nothing_before_it():
    told = {tag: t["units"] for tag, t in layouts.reports("AAPL").items()}
    everything, _, _ = rows(told)
    cut = day("2022-06-01")
    before = {tag: {"USD": [f for f in u["USD"] if day(f["filed"]) <= cut]} for tag, u in told.items()}
    part, _, _ = rows(before)
    pd.testing.assert_frame_equal(
        everything[everything["filing_date"] <= cut].reset_index(drop=True), part.reset_index(drop=True)
    )


def test_a_restatement_is_a_further_row_of_its_own_filing_date():
    told = {tag: t["units"] for tag, t in layouts.reports("AAPL").items()}
    told["NetIncomeLoss"]["USD"].append(fact("2021-12-31", 1.0, "2022-04-20", "2021-01-01", "10-K/A"))
    found, _, _ = rows(told)
    of_year = found[found["report_period"] == day("2021-12-31")]
    assert of_year["filing_date"].tolist() == [day("2022-02-15"), day("2022-04-20")]
    assert of_year["roe"].tolist()[0] > of_year["roe"].tolist()[1]
    assert not of_year["late_filing"].any()


def test_a_figure_that_is_repeated_unchanged_is_no_new_row():
    told = {tag: t["units"] for tag, t in layouts.reports("AAPL").items()}
    before, _, _ = rows(told)
    for units in told.values():
        units["USD"] += [f | {"filed": "2024-02-20"} for f in units["USD"] if f["end"] == "2022-12-31"]
    again, _, _ = rows(told)
    assert len(again) == len(before)


def test_a_period_that_is_first_known_from_a_later_comparison_is_late():
    equity = {"USD": [fact("2020-12-31", 100, "2022-02-15"), fact("2021-12-31", 110, "2022-02-15")]}
    found, _, _ = rows({"StockholdersEquity": equity, "Liabilities": equity})
    assert dict(zip(found["report_period"], found["late_filing"], strict=True)) == {
        day("2020-12-31"): True,
        day("2021-12-31"): False,
    }


def test_another_tag_takes_the_place_of_one_that_is_not_used():
    year = {"USD": [fact("2021-12-31", 50, "2022-02-15", "2021-01-01", "10-K")]}
    equity = {"USD": [fact("2021-12-31", 100, "2022-02-15")]}
    other = "StockholdersEquityIncludingPortionAttributableToNoncontrollingInterest"
    found, _, _ = rows({"ProfitLoss": year, other: equity})
    assert found["roe"].tolist() == [0.5]
    both, _, _ = rows(
        {"ProfitLoss": year, other: equity, "NetIncomeLoss": {"USD": [year["USD"][0] | {"val": 40}]}}
    )
    assert both["roe"].tolist() == [0.4]


def test_debt_is_the_sum_of_its_parts_where_the_whole_is_not_told():
    equity = {"USD": [fact("2021-12-31", 100, "2022-02-15")]}
    parts = {"LongTermDebtNoncurrent": {"USD": [fact("2021-12-31", 30, "2022-02-15")]}}
    assert rows({"StockholdersEquity": equity, **parts})[0]["debt_to_equity"].tolist() == [0.3]
    parts["LongTermDebtCurrent"] = {"USD": [fact("2021-12-31", 5, "2022-02-15")]}
    assert rows({"StockholdersEquity": equity, **parts})[0]["debt_to_equity"].tolist() == [0.35]
    # Without the long part there is no figure.
    del parts["LongTermDebtNoncurrent"]
    assert rows({"StockholdersEquity": equity, **parts})[0].empty


def test_other_units_are_not_read_and_are_told():
    equity = {"EUR": [fact("2021-12-31", 100, "2022-02-15")]}
    found, others, _ = rows({"StockholdersEquity": equity, "Liabilities": {"USD": []}})
    assert found.empty
    assert others == ["StockholdersEquity in EUR"]


def test_other_forms_are_not_read():
    equity = {"USD": [fact("2021-12-31", 100, "2022-02-15", form="8-K")]}
    assert rows({"StockholdersEquity": equity, "Liabilities": equity})[0].empty


def test_a_filing_before_the_end_of_its_period_is_left_out_and_told():
    equity = {"USD": [fact("2021-12-31", 100, "2021-11-15")]}
    found, _, notes = rows({"StockholdersEquity": equity, "Liabilities": equity})
    assert found.empty
    assert [note.code for note in notes] == ["filed-before-period-end"]


@pytest.fixture
def edgar(vendor):
    found = layouts.Edgar()
    vendor.routes |= found.routes()
    return found


def test_the_sec_is_told_who_asks(fetch, vendor, edgar):
    assert fetch("sec", *NAMES, *UNTIL)[0] == 0
    assert {headers["User-Agent"] for _, _, headers in vendor.requests} == {"Jane Doe jane@example.com"}
    # The list of numbers is asked for once.
    assert vendor.paths.count("/files/company_tickers.json") == 1
    assert "/api/xbrl/companyfacts/CIK0000320193.json" in vendor.paths


def test_filings_are_asked_for_again_on_another_day_only(fetch, vendor, edgar, folder):
    fetch("sec", *NAMES, "--start", "2022-01-03", "--end", "2024-03-07")
    vendor.requests.clear()
    assert "up to date" in fetch("sec", *NAMES, "--end", "2024-03-07")[1]
    assert vendor.requests == []
    assert fetch("sec", *NAMES, "--end", "2024-03-08")[0] == 0
    assert len(vendor.requests) == 6


def test_what_was_filed_after_the_last_day_is_not_taken(fetch, edgar, folder):
    fetch("sec", *NAMES, "--start", "2022-01-03", "--end", "2022-12-30")
    assert pd.read_parquet(folder / "fundamentals.parquet")["filing_date"].max() == pd.Timestamp("2022-11-05")


def test_a_figure_that_changes_in_place_is_told(fetch, edgar, folder):
    fetch("sec", *NAMES, "--start", "2022-01-03", "--end", "2024-03-07")
    edgar.facts["JPM"]["NetIncomeLoss"]["units"]["USD"][-1]["val"] *= 2
    code, out, _ = fetch("sec", *NAMES, "--end", "2024-03-08")
    assert code == 0
    assert "revision JPM: 1 rows have other figures than before" in out


def test_a_ticker_without_a_company_is_told_and_costs_only_itself(fetch, edgar, folder):
    code, out, _ = fetch("sec", "--universe", "AAPL,LEH", *UNTIL)
    assert code == 0
    assert "no-data LEH" in out
    assert set(pd.read_parquet(folder / "fundamentals.parquet")["symbol"]) == {"AAPL"}


def test_a_former_ticker_has_a_number_in_the_settings(fetch, edgar, folder):
    words = ("--universe", "OLDX", "--set", "fetch.sec.names={OLDX: '34088'}")
    assert fetch("sec", *words, *UNTIL)[0] == 0
    assert set(pd.read_parquet(folder / "fundamentals.parquet")["symbol"]) == {"OLDX"}


def about(tag, *facts):
    return {"cik": 320193, "facts": {"us-gaap": {tag: {"units": {"USD": list(facts)}}}}}


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"cik": 1, "facts": {}}, "about company 1"),
        ({"cik": 320193}, "no company facts"),
        (
            about("Assets", fact("2021-12-31", "1", "2022-02-15")),
            "val is '1'",
        ),
        (
            about("Assets", fact("soon", 1, "2022-02-15")),
            "a fact of Assets cannot be read",
        ),
    ],
)
def test_facts_that_are_none(fetch, vendor, edgar, folder, told, words):
    vendor.routes["/api/xbrl/companyfacts/*"] = Reply(json.dumps(told))
    code, _, err = fetch("sec", "--universe", "AAPL", *UNTIL)
    assert code == 2
    assert words in err
    assert not (folder / "fundamentals.parquet").exists()


def test_ratios_without_a_base_are_missing_and_not_infinite(fetch, edgar, folder):
    for named in edgar.facts["XOM"].values():
        for told in named["units"]["USD"]:
            if named["label"] == "StockholdersEquity":
                told["val"] = 0
    fetch("sec", *NAMES, *UNTIL)
    rows = pd.read_parquet(folder / "fundamentals.parquet")
    xom = rows[rows["symbol"] == "XOM"]
    assert xom["roe"].isna().all()
    assert not np.isinf(rows.select_dtypes("number").to_numpy()).any()
