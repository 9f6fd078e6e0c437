"""A vendor file that is not what it should be gets one error: what was expected, what was found."""

from __future__ import annotations

import pytest

from ares7.config import DataConfig
from ares7.errors import Ares7Error, ConfigError, DataError, MissingData
from feeds.findings import raise_errors
from feeds.vendors import read_vendor
from tests.feeds.vendor_files import (
    DAY,
    FULL,
    MULTI,
    SUMMER,
    WINTER,
    YF,
    YF_ROWS,
    vendor,
    write,
)

BAD_ROWS = {
    "a day twice": (
        YF + YF_ROWS + YF_ROWS.splitlines(keepends=True)[0],
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
        r"adjustment is not stated for layout yfinance_multi.*include dividends; set data.adjustment: total_return",
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
    "multi, no volume": (
        "all.csv",
        "Price,Close,High,Low,Open\nTicker,AAA,AAA,AAA,AAA\nDate,,,,\n2020-02-03,10,11,9,9.5\n",
        "yfinance_multi",
        "total_return",
        DataError,
        r"all.csv lacks Volume AAA; expected",
    ),
    "multi, a field twice": (
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
    with pytest.raises(MissingData, match=r"holds no .csv file; add the vendor's files or correct data.path"):
        vendor(tmp_path, "yfinance_single")
    with pytest.raises(DataError, match=r"is a folder; layout yfinance_multi is one file; name it"):
        vendor(tmp_path, "yfinance_multi", adjustment="total_return")
    with pytest.raises(MissingData, match=r"price_full.csv does not exist"):
        vendor(tmp_path, "ares7_price_full", adjustment="split")
    with pytest.raises(MissingData, match=r"gone does not exist; add it or correct the path"):
        vendor(tmp_path / "gone", "yfinance_single")
    (tmp_path / "2020-02-03.csv.gz").write_bytes(b"")
    with pytest.raises(DataError, match=r"is compressed; unpack the 1 .csv.gz files"):
        vendor(tmp_path, "polygon_day_aggs", adjustment="split")


def test_the_canonical_layout_is_no_vendors(tmp_path):
    with pytest.raises(ConfigError, match=r"data.layout canonical.*names no vendor file.*yfinance_single"):
        vendor(tmp_path, "canonical")
    with pytest.raises(ConfigError, match=r"set data.path"):
        read_vendor(DataConfig(layout="yfinance_single"))
