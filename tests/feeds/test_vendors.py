"""Vendor files give the canonical columns; the samples agree with the real data."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ares7.errors import ConfigError, DataError
from feeds.findings import raise_errors
from feeds.vendors import COLUMNS, read_close_series
from tests.feeds.vendor_files import (
    DAY,
    FULL,
    MULTI,
    SUMMER,
    WINTER,
    YF,
    YF_ROWS,
    days,
    values,
    vendor,
    write,
)

DATA = os.environ.get("ARES7_DATA")
needs_data = pytest.mark.skipif(DATA is None, reason="ARES7_DATA names no real data folder")

# yfinance, one symbol a file


def test_yfinance_single_takes_the_symbol_from_the_file_name(tmp_path):
    prices, market, findings = vendor(write(tmp_path / "AAPL.csv", YF + YF_ROWS), "yfinance_single")
    assert tuple(prices.columns) == COLUMNS
    assert days(prices) == ["2020-02-03", "2020-02-04"]
    assert values(prices, "AAPL", "2020-02-03") == [76.1, 78.4, 75.6, 77.2, 75.1, 1000.0]
    assert market is None
    assert findings == []


def test_yfinance_single_reads_every_file_of_a_folder_and_sets_funds_aside(tmp_path):
    for symbol in ("SPY", "BRK-B", "AAPL", "^VIX"):
        write(tmp_path / f"{symbol}.csv", YF + YF_ROWS)
    prices, market, _ = vendor(tmp_path, "yfinance_single", vix="^VIX")
    assert prices["symbol"].unique().tolist() == ["AAPL", "BRK-B"]
    assert market["symbol"].unique().tolist() == ["SPY", "^VIX"]


def test_yfinance_stamps_with_the_new_york_offset_are_session_dates(tmp_path):
    text = YF + YF_ROWS.replace("2020-02-0", "2020-07-0").replace("03,", "02 00:00:00-04:00,").replace(
        "04,", "06 00:00:00-04:00,"
    )
    prices, _, _ = vendor(write(tmp_path / "AAPL.csv", text), "yfinance_single")
    assert days(prices) == ["2020-07-02", "2020-07-06"]


# yfinance, many symbols in one file


def test_yfinance_multi_is_total_return_and_says_that_the_traded_price_is_not_there(tmp_path):
    path = write(tmp_path / "all.csv", MULTI)
    prices, market, findings = vendor(path, "yfinance_multi", adjustment="total_return")
    assert values(prices, "AAA", "2020-02-03") == [9.5, 11.0, 9.0, 10.0, 10.0, 100.0]
    assert values(market, "SPY", "2020-02-04") == [20.5, 22.0, 20.0, 21.0, 21.0, 201.0]
    (finding,) = findings
    assert (finding.severity, finding.code) == ("warning", "no-traded-price")
    assert "'price' equals the adjusted close" in finding.message


def test_yfinance_multi_a_session_without_any_number_is_no_bar(tmp_path):
    prices, _, _ = vendor(write(tmp_path / "all.csv", MULTI), "yfinance_multi", adjustment="total_return")
    assert days(prices[prices["symbol"] == "AAA"]) == ["2020-02-03"]


def test_yfinance_multi_with_adj_close_needs_no_adjustment(tmp_path):
    text = (
        "Price,Adj Close,Close,High,Low,Open,Volume\nTicker,AAA,AAA,AAA,AAA,AAA,AAA\nDate,,,,,,\n"
        "2020-02-03,8,10,11,9,9.5,100\n"
    )
    path = write(tmp_path / "all.csv", text)
    prices, _, findings = vendor(path, "yfinance_multi")
    assert values(prices, "AAA", "2020-02-03") == [9.5, 11.0, 9.0, 10.0, 8.0, 100.0]
    assert findings == []
    with pytest.raises(
        ConfigError, match=r"data.adjustment is total_return.*has Adj Close.*split, or leave it out"
    ):
        vendor(path, "yfinance_multi", adjustment="total_return")


# Polygon day aggregates


def test_polygon_days_are_new_york_dates_in_winter_and_in_summer(tmp_path):
    write(tmp_path / "2020-02-03.csv", DAY + f"AAA,100,9.5,10,11,9,{WINTER},\n")
    write(tmp_path / "2020-03-16.csv", DAY + f"AAA,100,9.5,10,11,9,{SUMMER},7\nBRK.B,1,2,2,2,2,{SUMMER},\n")
    prices, _, findings = vendor(tmp_path, "polygon_day_aggs", adjustment="split")
    assert days(prices[prices["symbol"] == "AAA"]) == ["2020-02-03", "2020-03-16"]
    assert "BRK.B" in set(prices["symbol"])  # as the vendor writes it
    assert values(prices, "AAA", "2020-03-16") == [9.5, 11.0, 9.0, 10.0, 10.0, 100.0]
    (finding,) = findings
    assert (finding.severity, finding.code, finding.count) == ("warning", "no-dividends", 3)


def test_polygon_reads_only_the_listed_universe_and_the_market_symbols(tmp_path):
    rows = "".join(f"{symbol},100,9.5,10,11,9,{WINTER},\n" for symbol in ("AAA", "BBB", "SPY", "ZZZ"))
    write(tmp_path / "2020-02-03.csv", DAY + rows)
    prices, market, _ = vendor(tmp_path, "polygon_day_aggs", adjustment="split", universe=("AAA", "BBB"))
    assert prices["symbol"].tolist() == ["AAA", "BBB"]
    assert market["symbol"].tolist() == ["SPY"]


# ARES7 price_full and spy_tlt_price


@pytest.mark.parametrize(
    ("stamp", "day"),
    [
        ("2020-02-03 05:00:00", "2020-02-03"),
        ("2020-07-06 04:00:00", "2020-07-06"),
        ("2020-07-06 05:00:00", "2020-07-06"),  # a writer that ignores daylight saving
        ("2020-02-03 05:00:00+00:00", "2020-02-03"),
        ("2020-03-06 05:00:00", "2020-03-06"),  # the sessions around the change of clocks
        ("2020-03-09 04:00:00", "2020-03-09"),
    ],
)
def test_ares7_stamps_become_the_new_york_date(tmp_path, stamp, day):
    path = write(tmp_path / "price_full.csv", FULL + f"AAA,{stamp},9.5,11,9,10,100\n")
    prices, _, _ = vendor(path, "ares7_price_full", adjustment="split")
    assert days(prices) == [day]


@pytest.mark.parametrize("stamp", ["2020-02-03 04:00:00", "2020-02-03 00:00:00", "2020-07-06 20:00:00"])
def test_ares7_other_hours_are_an_error(tmp_path, stamp):
    path = write(
        tmp_path / "price_full.csv", FULL + f"AAA,2020-02-03 05:00:00,9,9,9,9,1\nAAA,{stamp},9,9,9,9,1\n"
    )
    with pytest.raises(
        DataError, match=rf"data row 2: 'timestamp' holds '{stamp}', which is .* in New York; a day"
    ):
        vendor(path, "ares7_price_full", adjustment="split")


def test_ares7_a_folder_may_add_closes_of_funds_which_cannot_be_traded(tmp_path):
    write(tmp_path / "price_full.csv", FULL + "AAA,2020-02-03 05:00:00,9.5,11,9,10,100\n")
    write(tmp_path / "spy_tlt_price.csv", "symbol,timestamp,close\nSPY,2020-02-03,324.12\n")
    prices, market, findings = vendor(tmp_path, "ares7_price_full", adjustment="total_return")
    assert prices["symbol"].tolist() == ["AAA"]
    assert market["close"].tolist() == market["adj_close"].tolist() == [324.12]
    assert market[["open", "high", "low", "volume"]].isna().all(axis=None)
    (closes_only,) = [f for f in findings if f.code == "closes-only"]
    raise_errors(findings, frozenset({"index"}))  # fine as an index
    with pytest.raises(DataError, match=r"have a close only, and orders fill at the open; give full bars"):
        raise_errors([closes_only], frozenset({"etfs"}))


# The samples agree with the real data


@pytest.fixture(scope="module")
def real() -> pd.DataFrame:
    folder = Path(DATA or "")
    return pd.concat([pd.read_parquet(folder / f"{name}.parquet") for name in ("prices", "market")])


def assert_same(
    rows: pd.DataFrame, real: pd.DataFrame, *, total_return: bool = False, adj: bool = True
) -> None:
    both = rows.merge(
        real.assign(date=real["date"].astype("datetime64[s]")), on=["date", "symbol"], suffixes=("", "_real")
    )
    assert len(both) == len(rows) > 0
    factor = both["adj_close_real"] / both["close_real"] if total_return else 1.0
    for name in ("open", "high", "low", "close"):
        np.testing.assert_allclose(both[name], both[f"{name}_real"] * factor, rtol=2e-7)
    if adj:
        np.testing.assert_allclose(both["adj_close"], both["adj_close_real"], rtol=2e-7)
    np.testing.assert_array_equal(both["volume"], both["volume_real"])


@needs_data
@pytest.mark.real_data
def test_the_yfinance_samples(tmp_path, real):
    samples = Path(DATA) / "samples"
    single = shutil.copy(samples / "yfinance_single_auto_adjust_false.csv", tmp_path / "AAPL.csv")
    prices, _, findings = vendor(single, "yfinance_single")
    assert (len(prices), findings) == (62, [])
    assert_same(prices, real)
    multi = samples / "yfinance_multi_auto_adjust_true.csv"
    prices, _, _ = vendor(multi, "yfinance_multi", adjustment="total_return")
    assert len(prices) == 186
    assert_same(prices, real, total_return=True)


@needs_data
@pytest.mark.real_data
def test_the_polygon_samples(tmp_path, real):
    for path in (Path(DATA) / "samples").glob("polygon_day_aggs_*.csv"):
        shutil.copy(path, tmp_path)
    prices, _, _ = vendor(tmp_path, "polygon_day_aggs", adjustment="split")
    assert len(prices) == 16
    assert_same(prices.assign(symbol=prices["symbol"].str.replace(".", "-")), real, adj=False)


@needs_data
@pytest.mark.real_data
def test_the_ares7_samples(tmp_path, real):
    samples = Path(DATA) / "samples"
    shutil.copy(samples / "ares7_price_full.csv", tmp_path / "price_full.csv")
    shutil.copy(samples / "ares7_spy_tlt_price.csv", tmp_path / "spy_tlt_price.csv")
    prices, market, _ = vendor(tmp_path, "ares7_price_full", adjustment="split")
    assert (len(prices), len(market)) == (186, 124)
    assert_same(prices, real, adj=False)
    both = market.merge(real.assign(date=real["date"].astype("datetime64[s]")), on=["date", "symbol"])
    np.testing.assert_allclose(both["close_x"], both["close_y"], rtol=2e-7)


@needs_data
@pytest.mark.real_data
@pytest.mark.parametrize(("name", "layout"), [("fred_VIXCLS.csv", "fred"), ("cboe_vix_history.csv", "cboe")])
def test_the_vix_samples(real, name, layout):
    dates, closes = read_close_series(Path(DATA) / "samples" / name, layout)
    vix = real[real["symbol"] == "VIX"].set_index("date")["close"]
    assert len(dates) == 62
    np.testing.assert_allclose(closes, vix.loc[dates.astype("datetime64[ns]")], rtol=2e-7)
