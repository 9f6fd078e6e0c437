"""Closes of an index from FRED, Cboe or the canonical columns."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ares7.errors import DataError, MissingData
from feeds.vendors import read_close_series
from tests.feeds.vendor_files import (
    write,
)


def test_fred_holidays_are_left_out(tmp_path):
    text = "observation_date,VIXCLS\n2020-02-14,13.68\n2020-02-17,.\n2020-02-18,14.83\n2020-02-19,\n"
    dates, closes = read_close_series(write(tmp_path / "VIXCLS.csv", text), "fred")
    assert dates.dtype == np.dtype("datetime64[D]")
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
    with pytest.raises(MissingData, match=r"gone.csv does not exist"):
        read_close_series(tmp_path / "gone.csv", "fred")
