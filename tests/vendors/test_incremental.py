"""A second fetch asks for what is missing, looks whether the past has changed, and says how."""

from __future__ import annotations

import datetime as dt
import hashlib
import json

import numpy as np
import pandas as pd
import pytest

from ares7.errors import CheckFailed, ConfigError, MissingData
from feeds.fetch.commit import one_at_a_time
from feeds.fetch.overlap import changes
from tests.vendors import made

BEFORE = dt.datetime(2024, 3, 2, 12, tzinfo=dt.UTC)
"""The latest closed session is 2024-03-01."""
NAMES = ("--universe", ",".join(made.STOCKS), "--start", "2022-01-03")


def table(folder, name="prices"):
    return pd.read_parquet(folder / f"{name}.parquet")


def of(rows, symbol):
    return rows[rows["symbol"] == symbol].reset_index(drop=True)


def test_the_first_fetch_takes_all_and_the_second_what_is_missing(fetch_yahoo, yahoo, folder):
    first = fetch_yahoo(*NAMES, now=BEFORE)
    assert first.tables["prices"]["rows"] == 5 * len(made.days(last=dt.date(2024, 3, 1)))
    assert first.tables["prices"]["last"] == "2024-03-01"
    assert {start for _, start, _ in yahoo.asked} == {dt.date(2022, 1, 3)}
    yahoo.asked.clear()
    second = fetch_yahoo()
    assert second.tables["prices"]["last"] == "2024-03-08"
    assert len(yahoo.asked) == 5 + 6 + 2
    # The last five sessions that are there are asked for again.
    assert {start for _, start, _ in yahoo.asked} == {dt.date(2024, 2, 26)}
    assert second.findings == []
    rows = of(table(folder), "BRK-B")
    pd.testing.assert_frame_equal(
        rows.drop(columns="symbol"), made.bars("BRK-B"), check_dtype=False, check_like=True
    )


def test_a_third_fetch_on_the_same_day_asks_nobody_and_writes_nothing(fetch_yahoo, yahoo, folder):
    fetch_yahoo(*NAMES)
    before = {path.name: path.stat().st_mtime_ns for path in folder.glob("[a-z]*")}
    yahoo.asked.clear()
    outcome = fetch_yahoo()
    assert yahoo.asked == []
    assert outcome.tables == {}
    assert "up to date" in outcome.lines()[0]
    assert {path.name: path.stat().st_mtime_ns for path in folder.glob("[a-z]*")} == before


def test_a_name_that_is_added_is_fetched_whole(fetch_yahoo, yahoo, folder):
    fetch_yahoo("--universe", "AAPL,MSFT", "--start", "2022-01-03")
    yahoo.asked.clear()
    fetch_yahoo("--universe", "AAPL,MSFT,XOM")
    assert yahoo.asked == [("XOM", dt.date(2022, 1, 3), dt.date(2024, 3, 8))]
    assert set(table(folder)["symbol"]) == {"AAPL", "MSFT", "XOM"}


def test_an_earlier_start_fetches_the_history_again_and_a_later_one_drops_nothing(fetch_yahoo, yahoo, folder):
    fetch_yahoo("--universe", "AAPL", "--start", "2023-01-03")
    fetch_yahoo("--universe", "AAPL", "--start", "2022-01-03")
    assert table(folder)["date"].min() == pd.Timestamp("2022-01-03")
    yahoo.asked.clear()
    fetch_yahoo("--universe", "AAPL", "--start", "2024-01-02")
    assert yahoo.asked == []
    assert table(folder)["date"].min() == pd.Timestamp("2022-01-03")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"split": 4.0}, "split"),
        ({"split": 0.1}, "split"),
        ({"dividends": [("2024-03-05", 0.006)]}, "dividend"),
    ],
)
def test_a_changed_past_is_a_finding_with_its_name_and_fetches_the_symbol_again(
    fetch_yahoo, yahoo, folder, change, code
):
    fetch_yahoo(*NAMES, now=BEFORE)
    yahoo.changes["MSFT"] = change
    yahoo.asked.clear()
    outcome = fetch_yahoo()
    assert [(f["code"], f["symbol"]) for f in outcome.findings] == [(code, "MSFT")]
    assert [first for name, first, _ in yahoo.asked if name == "MSFT"] == [
        dt.date(2024, 2, 26),
        dt.date(2022, 1, 3),
    ]
    wanted = made.bars("MSFT", **change)
    np.testing.assert_array_equal(of(table(folder), "MSFT")["adj_close"], wanted["adj_close"])
    np.testing.assert_array_equal(of(table(folder), "MSFT")["close"], wanted["close"])
    told = json.loads((folder / "fetch.json").read_text())
    assert told["history"][-1]["told"][0]["code"] == code


def test_a_split_is_told_with_its_ratio(fetch_yahoo, yahoo):
    fetch_yahoo(*NAMES, now=BEFORE)
    yahoo.changes["AAPL"] = {"split": 4.0}
    (found,) = fetch_yahoo().findings
    assert found["text"].startswith("4:1, closes times 0.25, volumes divided")


def compared(change, **limits):
    old = made.bars("AAPL", last=dt.date(2024, 3, 1)).assign(symbol="AAPL")
    new = made.bars("AAPL", dt.date(2024, 2, 20)).assign(symbol="AAPL")
    change(new)
    return changes(old, new, limits.get("tolerance", 1e-4), limits.get("volume_tolerance", 0.02))


def test_what_has_not_changed_is_no_finding():
    assert compared(lambda new: None) == []


def test_rounding_is_no_change():
    def round_it(new):
        new["adj_close"] *= 1 + 5e-5
        new["volume"] *= 1.01

    assert compared(round_it) == []


@pytest.mark.parametrize("name", ["open", "high", "low", "close", "adj_close", "volume"])
def test_one_corrected_number_is_a_revision(name):
    def correct(new):
        new.loc[3, name] *= 1.05

    (found,) = compared(correct)
    assert found.kind == "revision"
    assert "1 bars differ from 2024-02-23 on" in found.text
    assert f"the largest is {name}" in found.text


def test_a_bar_that_went_or_came_is_a_revision():
    old = made.bars("AAPL", last=dt.date(2024, 3, 1)).assign(symbol="AAPL")
    new = made.bars("AAPL", dt.date(2024, 2, 20)).assign(symbol="AAPL")
    (found,) = changes(old, new.drop(index=2), 1e-4, 0.02)
    assert (found.kind, "1 of them gone and 0 new" in found.text) == ("revision", True)
    (found,) = changes(old[old["date"] != pd.Timestamp("2024-02-22")], new, 1e-4, 0.02)
    assert "0 of them gone and 1 new" in found.text


def test_closes_that_are_rescaled_without_their_volumes_are_a_revision_and_no_split():
    def spin_off(new):
        new[["open", "high", "low", "close", "adj_close"]] *= 0.8

    (found,) = compared(spin_off)
    assert found.kind == "revision"
    assert "spin-off" in found.text


def test_a_history_that_became_shorter_is_not_taken(fetch_yahoo, yahoo, folder):
    fetch_yahoo(*NAMES, now=BEFORE)
    before = of(table(folder), "JPM")
    download = yahoo.download

    def shorter(ticker, first, last):
        yahoo.changes["JPM"] = {"split": 2.0}
        return download(ticker, max(first, dt.date(2023, 6, 1)), last)

    yahoo.download = shorter
    outcome = fetch_yahoo()
    assert [f["code"] for f in outcome.findings] == ["split", "shorter-history"]
    pd.testing.assert_frame_equal(of(table(folder), "JPM"), before)
    assert table(folder)["date"].max() == pd.Timestamp("2024-03-08")


def test_a_name_without_data_is_told_and_the_others_are_fetched(fetch_yahoo, yahoo, folder):
    yahoo.missing = {"XOM"}
    outcome = fetch_yahoo(*NAMES)
    assert [(f["code"], f["symbol"]) for f in outcome.findings] == [("no-data", "XOM")]
    assert "XOM" not in set(table(folder)["symbol"])
    yahoo.missing, yahoo.asked = set(), []
    # It is asked for again the next time, as a whole.
    fetch_yahoo()
    assert yahoo.asked == [("XOM", dt.date(2022, 1, 3), dt.date(2024, 3, 8))]


def test_a_name_that_ends_keeps_its_bars_and_is_told(fetch_yahoo, yahoo, folder):
    fetch_yahoo(*NAMES, now=BEFORE)
    yahoo.missing = {"XOM"}
    outcome = fetch_yahoo()
    assert [(f["code"], f["symbol"]) for f in outcome.findings] == [("no-new-bars", "XOM")]
    assert of(table(folder), "XOM")["date"].max() == pd.Timestamp("2024-03-01")


def test_nothing_at_all_is_an_error_and_writes_nothing(fetch_yahoo, yahoo, folder):
    yahoo.missing = {*made.STOCKS, *made.FUNDS, "^GSPC", "^VIX"}
    with pytest.raises(MissingData, match="nothing was written"):
        fetch_yahoo(*NAMES)
    assert not (folder / "prices.parquet").exists()


def test_two_sources_do_not_share_a_symbol(fetch_yahoo, fetch, folder):
    fetch_yahoo(*NAMES)
    code, _, err = fetch("fred", "--end", "2024-03-08")
    assert code == 2
    assert "SPX, VIX is from yfinance" in err


def test_two_sources_share_a_table(fetch_yahoo, fetch, folder):
    fetch_yahoo(*NAMES, "--set", "fetch.yfinance.names={SPX: ^GSPC}")
    assert fetch("cboe", "--start", "2022-01-03", "--end", "2024-03-08")[0] == 0
    assert set(table(folder, "market")["symbol"]) == {*made.FUNDS, "SPX", "VIX"}
    told = json.loads((folder / "provenance.json").read_text())["fetch"]
    assert set(told["sources"]) == {"yfinance", "cboe"}
    adjustment = told["tables"]["market"]["adjustment"]
    assert adjustment["cboe"] == {"close": "none"}
    assert adjustment["yfinance"]["adj_close"] == "total_return"
    assert adjustment["yfinance"]["open high low close"] == "split"
    assert set(told["tables"]["prices"]["adjustment"]) == {"yfinance"}


def test_provenance_tells_source_time_counts_and_hashes(fetch_yahoo, folder):
    fetch_yahoo(*NAMES)
    told = json.loads((folder / "provenance.json").read_text())["fetch"]
    entry = told["sources"]["yfinance"]
    assert entry["request_count"] == 13
    assert entry["time"].startswith(str(dt.datetime.now(dt.UTC).year))
    assert entry["url"] == ["https://query2.finance.yahoo.com/v8/finance/chart"]
    for name, known in told["tables"].items():
        content = (folder / known["file"]).read_bytes()
        assert known["sha256"] == hashlib.sha256(content).hexdigest()
        assert known["rows"] == len(table(folder, name))
    details = json.loads((folder / "fetch.json").read_text())["sources"]["yfinance"]
    assert len(details["requests"]) == 13
    assert details["symbols"]["prices"]["AAPL"] == "2022-01-03"


def test_a_table_that_was_edited_is_told(fetch_yahoo, folder):
    fetch_yahoo(*NAMES, now=BEFORE)
    rows = table(folder)
    rows.loc[0, "volume"] += 1
    rows.to_parquet(folder / "prices.parquet")
    assert [f["code"] for f in fetch_yahoo().findings] == ["edited"]


def test_the_same_bars_give_the_same_bytes_however_they_were_fetched(fetch_yahoo, folder):
    fetch_yahoo(*NAMES, now=BEFORE)
    fetch_yahoo()
    in_two = {name: (folder / f"{name}.parquet").read_bytes() for name in ("prices", "market")}
    for path in folder.glob("[a-z]*"):
        path.unlink()
    fetch_yahoo(*NAMES)
    assert in_two == {name: (folder / f"{name}.parquet").read_bytes() for name in ("prices", "market")}


def test_one_fetch_at_a_time(fetch_yahoo, folder):
    with one_at_a_time(folder), pytest.raises(CheckFailed, match="another fetch"):
        fetch_yahoo(*NAMES)


def test_a_folder_that_cannot_be_written_is_one_error(fetch_yahoo, folder):
    folder.write_text("a file")
    with pytest.raises(ConfigError, match="cannot be written"):
        fetch_yahoo(*NAMES)
