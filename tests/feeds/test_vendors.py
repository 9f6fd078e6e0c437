"""Vendor files give the canonical columns, or one error that says what was expected and what was found."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ares7.config import DataConfig
from ares7.errors import Ares7Error, ConfigError, DataError, MissingData
from feeds.findings import Finding, raise_errors
from feeds.vendors import COLUMNS, read_close_series, read_vendor

D = np.datetime64
DATA = os.environ.get("ARES7_DATA")
needs_data = pytest.mark.skipif(DATA is None, reason="ARES7_DATA names no real data folder")

YF = "Date,Adj Close,Close,High,Low,Open,Volume\n"
YF_ROWS = "2020-02-03,75.1,77.2,78.4,75.6,76.1,1000\n2020-02-04,77.6,79.7,79.9,78.4,78.8,2000\n"
MULTI = (
    "Price,Close,Close,High,High,Low,Low,Open,Open,Volume,Volume\n"
    "Ticker,AAA,SPY,AAA,SPY,AAA,SPY,AAA,SPY,AAA,SPY\n"
    "Date,,,,,,,,,,\n"
    "2020-02-03,10,20,11,21,9,19,9.5,19.5,100,200\n"
    "2020-02-04,,21,,22,,20,,20.5,,201\n"
)
DAY = "ticker,volume,open,close,high,low,window_start,transactions\n"
WINTER, SUMMER = (
    1580706000000000000,
    1584331200000000000,
)  # New York midnights: 2020-02-03 05:00, 2020-03-16 04:00
FULL = "symbol,timestamp,open,high,low,close,volume\n"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def vendor(path: Path, layout: str, **config: Any) -> tuple[pd.DataFrame, pd.DataFrame | None, list[Finding]]:
    return read_vendor(DataConfig(path=path, layout=layout, **config))


def values(rows: pd.DataFrame, symbol: str, day: str) -> list[float]:
    chosen = rows[(rows["symbol"] == symbol) & (rows["date"] == day)]
    return [float(v) for v in chosen[["open", "high", "low", "close", "adj_close", "volume"]].iloc[0]]


def days(rows: pd.DataFrame) -> list[str]:
    return [str(d) for d in rows["date"].to_numpy().astype("datetime64[D]")]


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
        ConfigError, match="data.adjustment is total_return.*has Adj Close.*split, or leave it out"
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
    with pytest.raises(DataError, match="have a close only, and orders fill at the open; give full bars"):
        raise_errors([closes_only], frozenset({"etfs"}))


# Bad price files

BAD_ROWS = {
    "a day twice": (
        YF + YF_ROWS + YF_ROWS[:44],
        "duplicate-row",
        DataError,
        r"give a \(date, symbol\) twice; keep one",
    ),
    "no close": (
        YF + YF_ROWS.replace("79.7", ""),
        "missing-value",
        MissingData,
        r"lack a number; add it or remove the row; the first is 'AAPL' on 2020-02-04, close empty",
    ),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_bad_rows_are_errors_and_are_left_out(tmp_path, case):
    text, code, kind, message = BAD_ROWS[case]
    prices, _, findings = vendor(write(tmp_path / "AAPL.csv", text), "yfinance_single")
    (finding,) = findings
    assert (finding.code, finding.severity) == (code, "error")
    assert len(prices) == 1
    with pytest.raises(kind, match=message):
        raise_errors(findings, frozenset())


BAD = {
    "another layout": (
        "AAPL.csv",
        "date,symbol,open,high,low,close,adj_close,volume\n2020-02-03,A,1,1,1,1,1,1\n",
        "yfinance_single",
        None,
        DataError,
        r"not in layout yfinance_single: it lacks Date, Open.*expected Date,Open.*found date,symbol.*canonical prices",
    ),
    "auto_adjust true": (
        "AAPL.csv",
        "Date,Close,High,Low,Open,Volume\n2020-02-03,1,1,1,1,1\n",
        "yfinance_single",
        None,
        DataError,
        r"it lacks Adj Close; expected",
    ),
    "a name that is no symbol": (
        "my_prices.csv",
        YF + YF_ROWS,
        "yfinance_single",
        None,
        DataError,
        r"my_prices.csv: the file name must be the symbol, as in AAPL.csv; rename the file",
    ),
    "a contradicting adjustment": (
        "AAPL.csv",
        YF + YF_ROWS,
        "yfinance_single",
        "total_return",
        ConfigError,
        r"data.adjustment is total_return for layout yfinance_single.*set data.adjustment: split, or leave it out",
    ),
    "a date with a time": (
        "AAPL.csv",
        YF + YF_ROWS.replace("2020-02-04", "2020-02-04 09:30:00"),
        "yfinance_single",
        None,
        DataError,
        r"AAPL.csv data row 2: 'Date' holds '2020-02-04 09:30:00', neither YYYY-MM-DD nor midnight in New York",
    ),
    "mixed zones": (
        "AAPL.csv",
        YF + YF_ROWS.replace("2020-02-04", "2020-02-04 00:00:00-05:00"),
        "yfinance_single",
        None,
        DataError,
        r"'Date' mixes plain dates and time stamps with a zone \(such as '2020-02-04 00:00:00-05:00'\)",
    ),
    "an impossible date": (
        "AAPL.csv",
        YF + YF_ROWS.replace("2020-02-04", "2020-02-30"),
        "yfinance_single",
        None,
        DataError,
        r"data row 2: 'Date' holds the impossible date '2020-02-30'",
    ),
    "a word for a price": (
        "AAPL.csv",
        YF + YF_ROWS.replace("79.7", "null"),
        "yfinance_single",
        None,
        DataError,
        r"column 'Close' data row 2 holds 'null', not a number",
    ),
    "multi, adjustment not stated": (
        "all.csv",
        MULTI,
        "yfinance_multi",
        None,
        ConfigError,
        r"data.adjustment is not stated for layout yfinance_multi.*prices include dividends; set data.adjustment: total",
    ),
    "multi, split stated": (
        "all.csv",
        MULTI,
        "yfinance_multi",
        "split",
        ConfigError,
        r"data.adjustment is split for layout yfinance_multi.*set data.adjustment: total_return",
    ),
    "multi, one header row": (
        "all.csv",
        YF + YF_ROWS,
        "yfinance_multi",
        "total_return",
        DataError,
        r"not in layout yfinance_multi: it lacks Price.*found Date,Adj Close.*looks like layout yfinance_single",
    ),
    "multi, by ticker": (
        "all.csv",
        "Price,AAA\nDate,\n2020-02-03,1\n",
        "yfinance_multi",
        "total_return",
        DataError,
        r"expected header rows starting with Price, Ticker, Date, found Price, Date, 2020-02-03",
    ),
    "multi, a field missing": (
        "all.csv",
        MULTI.replace("Volume,Volume", "Volume,Close"),
        "yfinance_multi",
        "total_return",
        DataError,
        r"all.csv repeats Close SPY; expected Open, High",
    ),
    "multi, unknown field": (
        "all.csv",
        MULTI.replace("Volume,Volume", "Volume,VWAP"),
        "yfinance_multi",
        "total_return",
        DataError,
        r"all.csv has the unknown field VWAP",
    ),
    "multi, a word": (
        "all.csv",
        MULTI.replace("20.5", "x"),
        "yfinance_multi",
        "total_return",
        DataError,
        r"all.csv data row 2: Open of SPY holds 'x', not a number; correct it or leave it empty",
    ),
    "multi, a short row": (
        "all.csv",
        MULTI + "2020-02-05,1,2\n",
        "yfinance_multi",
        "total_return",
        DataError,
        r"all.csv data row 3 has 3 fields and the header 11",
    ),
    "multi, no rows": (
        "all.csv",
        "".join(MULTI.splitlines(keepends=True)[:3]),
        "yfinance_multi",
        "total_return",
        DataError,
        r"all.csv has headers and no rows",
    ),
    "polygon, adjustment not stated": (
        "2020-02-03.csv",
        DAY + f"AAA,1,1,1,1,1,{WINTER},\n",
        "polygon_day_aggs",
        None,
        ConfigError,
        r"flat files hold raw prices and no dividends; adjust them for splits first; set data.adjustment: split$",
    ),
    "polygon, total return": (
        "2020-02-03.csv",
        DAY + f"AAA,1,1,1,1,1,{WINTER},\n",
        "polygon_day_aggs",
        "total_return",
        ConfigError,
        r"data.adjustment is total_return for layout polygon_day_aggs",
    ),
    "polygon, milliseconds": (
        "2020-02-03.csv",
        DAY + f"AAA,1,1,1,1,1,{WINTER // 10**6},\n",
        "polygon_day_aggs",
        "split",
        DataError,
        r"'window_start' holds '1580706000000', not nanoseconds since 1970 UTC",
    ),
    "polygon, minute bars": (
        "2020-02-03.csv",
        DAY + f"AAA,1,1,1,1,1,{WINTER + 60 * 10**9},\n",
        "polygon_day_aggs",
        "split",
        DataError,
        r"which is 2020-02-03T00:01:00 in New York; a day starts at its midnight",
    ),
    "polygon, two days in one file": (
        "2020-02-03.csv",
        DAY + f"AAA,1,1,1,1,1,{WINTER},\nAAA,1,1,1,1,1,{SUMMER},\n",
        "polygon_day_aggs",
        "split",
        DataError,
        r"holds several days, 2020-02-03.* to 2020-03-16.*; a day file holds one",
    ),
    "ares7, adjustment not stated": (
        "price_full.csv",
        FULL + "AAA,2020-02-03 05:00:00,1,1,1,1,1\n",
        "ares7_price_full",
        None,
        ConfigError,
        r"data.adjustment is not stated.*set data.adjustment: split or total_return",
    ),
    "ares7, plain dates": (
        "price_full.csv",
        FULL + "AAA,2020-02-03,1,1,1,1,1\n",
        "ares7_price_full",
        "split",
        DataError,
        r"'timestamp' holds '2020-02-03', not a UTC time stamp YYYY-MM-DD HH:MM:SS",
    ),
    "ares7, New York offsets": (
        "price_full.csv",
        FULL + "AAA,2020-02-03 00:00:00-05:00,1,1,1,1,1\n",
        "ares7_price_full",
        "split",
        DataError,
        r"'timestamp' holds '2020-02-03 00:00:00-05:00', not a UTC time stamp",
    ),
    "ares7, closes only": (
        "spy_tlt_price.csv",
        "symbol,timestamp,close\nSPY,2020-02-03,1\n",
        "ares7_price_full",
        "split",
        DataError,
        r"it lacks open, high, low, volume.*looks like layout ares7_spy_tlt_price",
    ),
    "empty": ("AAPL.csv", "", "yfinance_single", None, DataError, r"AAPL.csv is empty; replace the file"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_vendor_files_get_one_clear_error(tmp_path, case):
    name, text, layout, adjustment, kind, message = BAD[case]
    path = write(tmp_path / name, text)
    with pytest.raises(Ares7Error, match=message) as caught:
        vendor(path, layout, adjustment=adjustment)
    assert type(caught.value) is kind
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_folders_that_cannot_be_used(tmp_path):
    with pytest.raises(MissingData, match="holds no .csv file; add the vendor's files or correct data.path"):
        vendor(tmp_path, "yfinance_single")
    with pytest.raises(DataError, match="is a folder; layout yfinance_multi is one file; name it"):
        vendor(tmp_path, "yfinance_multi", adjustment="total_return")
    with pytest.raises(MissingData, match="price_full.csv does not exist"):
        vendor(tmp_path, "ares7_price_full", adjustment="split")
    with pytest.raises(MissingData, match="gone does not exist; add it or correct the path"):
        vendor(tmp_path / "gone", "yfinance_single")
    (tmp_path / "2020-02-03.csv.gz").write_bytes(b"")
    with pytest.raises(DataError, match=r"is compressed; unpack the 1 .csv.gz files"):
        vendor(tmp_path, "polygon_day_aggs", adjustment="split")


def test_the_canonical_layout_is_no_vendors(tmp_path):
    with pytest.raises(ConfigError, match="data.layout canonical.*names no vendor file.*yfinance_single"):
        vendor(tmp_path, "canonical")
    with pytest.raises(ConfigError, match="set data.path"):
        read_vendor(DataConfig(layout="yfinance_single"))


# Index files


def test_fred_holidays_are_left_out(tmp_path):
    text = "observation_date,VIXCLS\n2020-02-14,13.68\n2020-02-17,.\n2020-02-18,14.83\n2020-02-19,\n"
    dates, closes = read_close_series(write(tmp_path / "VIXCLS.csv", text), "fred")
    assert dates.dtype == D("2020-02-14").dtype
    assert [str(d) for d in dates] == ["2020-02-14", "2020-02-18"]
    assert closes.tolist() == [13.68, 14.83]


def test_cboe_dates_are_american(tmp_path):
    text = "DATE,OPEN,HIGH,LOW,CLOSE\n02/03/2020,18.64,18.88,17.1,17.97\n"
    dates, closes = read_close_series(write(tmp_path / "vix.csv", text), "cboe")
    assert (str(dates[0]), closes[0]) == ("2020-02-03", 17.97)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_the_canonical_series_is_date_and_close(tmp_path, suffix):
    rows = pd.DataFrame({"date": pd.to_datetime(["2020-02-03", "2020-02-04"]), "close": [1.0, 2.0]})
    path = tmp_path / f"spx.{suffix}"
    if suffix == "csv":
        rows.to_csv(path, index=False)
    else:
        rows.to_parquet(path)
    dates, closes = read_close_series(path, "canonical")
    assert [str(d) for d in dates] == ["2020-02-03", "2020-02-04"]
    assert closes.tolist() == [1.0, 2.0]


FRED, CBOE = "observation_date,VIXCLS\n", "DATE,OPEN,HIGH,LOW,CLOSE\n"
BAD_SERIES = {
    "fred given as cboe": (
        FRED + "2020-02-03,1\n",
        "cboe",
        r"not in layout cboe.*looks like layout fred; .*vix_layout",
    ),
    "cboe given as fred": (
        CBOE + "02/03/2020,1,1,1,1\n",
        "fred",
        r"lacks observation_date, VIXCLS.*layout cboe",
    ),
    "cboe given as canonical": (CBOE + "02/03/2020,1,1,1,1\n", "canonical", r"not in layout canonical"),
    "ISO dates in cboe": (
        CBOE + "2020-02-03,1,1,1,1\n",
        "cboe",
        r"holds the date '2020-02-03'; layout cboe writes MM",
    ),
    "impossible cboe date": (
        CBOE + "02/30/2020,1,1,1,1\n",
        "cboe",
        r"data row 1 holds the date '02/30/2020'",
    ),
    "a word": (
        FRED + "2020-02-03,1\n2020-02-04,n.a.\n",
        "fred",
        r"data row 2 holds 'n.a.' as a close, not a number",
    ),
    "zero": (
        "date,close\n2020-02-03,0\n",
        "canonical",
        r"data row 1 \(2020-02-03, 0.0\) has a close that is not a pos",
    ),
    "NaN": ("date,close\n2020-02-03,\n", "canonical", r"data row 1 .*not a positive number; correct it"),
    "infinite": (FRED + "2020-02-03,inf\n", "fred", r"not a positive number"),
    "no date": ("date,close\n,1\n", "canonical", r"data row 1 .*has no date; add it"),
    "a date twice": (
        FRED + "2020-02-03,1\n2020-02-04,.\n2020-02-03,1\n",
        "fred",
        r"data row 3 \(2020-02-03, 1.0\) has a date that is not after the row before; sort",
    ),
    "descending": (
        CBOE + "02/04/2020,1,1,1,1\n02/03/2020,1,1,1,1\n",
        "cboe",
        r"data row 2 .*not after the row before",
    ),
    "only holidays": (FRED + "2020-02-17,.\n", "fred", r"has no value at all; replace the file"),
    "empty": ("", "fred", r"vix.csv is empty"),
}


@pytest.mark.parametrize("case", BAD_SERIES)
def test_bad_series_get_one_clear_error(tmp_path, case):
    text, layout, message = BAD_SERIES[case]
    path = write(tmp_path / "vix.csv", text)
    with pytest.raises(DataError, match=message) as caught:
        read_close_series(path, layout)
    assert str(path) in str(caught.value)


def test_a_series_file_that_is_not_there(tmp_path):
    with pytest.raises(MissingData, match="gone.csv does not exist"):
        read_close_series(tmp_path / "gone.csv", "fred")


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
