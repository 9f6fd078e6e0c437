"""A return series is read from one file strictly: nothing about its column or its unit is guessed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from ares7.errors import DataError, MissingData
from feeds.returns_file import read_returns

DAYS = np.array(["2024-01-02", "2024-01-03", "2024-01-04"], dtype="datetime64[D]")
ROWS = "2024-01-02,0.01\n2024-01-03,-0.02\n2024-01-04,0.005\n"


@pytest.fixture
def write(tmp_path):
    def put(text, name="r.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return put


def test_csv_and_parquet_give_the_same_series(write, tmp_path):
    first = read_returns(write("date,ret\n" + ROWS))
    np.testing.assert_array_equal(first.dates, DAYS)
    np.testing.assert_array_equal(first.returns, [0.01, -0.02, 0.005])
    path = tmp_path / "r.parquet"
    pd.DataFrame({"date": DAYS.astype("datetime64[ms]"), "ret": [0.01, -0.02, 0.005]}).to_parquet(path)
    second = read_returns(path)
    np.testing.assert_array_equal(second.dates, first.dates)
    np.testing.assert_array_equal(second.returns, first.returns)


def test_values_become_returns_and_the_first_day_gives_none(write):
    series = read_returns(write("date,nav\n2024-01-02,100\n2024-01-03,98\n2024-01-04,99.96\n"))
    np.testing.assert_array_equal(series.dates, DAYS[1:])
    np.testing.assert_allclose(series.returns, [-0.02, 0.02], rtol=1e-12)


def test_a_column_is_chosen_by_name(write):
    path = write("date,mine,other\n2024-01-02,0.01,9\n2024-01-03,0.02,9\n")
    np.testing.assert_array_equal(read_returns(path, "mine").returns, [0.01, 0.02])
    both = write("date,ret,nav\n2024-01-02,0.01,100\n2024-01-03,0.02,101\n2024-01-04,0.03,101\n", "both.csv")
    np.testing.assert_array_equal(read_returns(both, "ret").returns, [0.01, 0.02, 0.03])
    np.testing.assert_allclose(read_returns(both, "nav").returns, [0.01, 0.0], rtol=1e-12)


@pytest.mark.parametrize(
    ("text", "kind", "told"),
    [
        ("day,ret\n" + ROWS, MissingData, "lacks the columns \\['date'\\]"),
        ("date,return\n" + ROWS, MissingData, "--column"),
        ("date,ret,nav\n2024-01-02,0.01,100\n2024-01-03,0.01,101\n", DataError, "has both"),
        ("date,ret\n2024-01-03,0.01\n2024-01-02,0.01\n", DataError, "sort the rows by date"),
        ("date,ret\n2024-01-03,0.01\n2024-01-03,0.02\n", DataError, "2024-01-03 comes twice"),
        ("date,nav\n2024-01-03,100\n2024-01-03,101\n2024-01-04,101\n", DataError, "2024-01-03 comes twice"),
        ("date,ret\n2024-01-02,0.01\n2024-01-03,\n", DataError, "return on 2024-01-03 is nan"),
        ("date,ret\n2024-01-02,0.01\n,0.02\n", DataError, "row 2 has no date"),
        ("date,ret\n2024-01-02,1.5\n2024-01-03,-0.7\n", DataError, "divide percentages by 100"),
        ("date,ret\n2024-01-02,100.0\n2024-01-03,101.0\n", DataError, "name a column of values nav"),
        ("date,ret\n2024-01-02,up\n2024-01-03,0.1\n", DataError, "'up', not a number"),
        ("date,ret\n02/01/2024,0.1\n03/01/2024,0.1\n", DataError, "write YYYY-MM-DD"),
        ("date,nav\n2024-01-02,100\n2024-01-03,\n2024-01-04,101\n", DataError, "nav in data row 2 is nan"),
        ("date,nav\n2024-01-02,100\n2024-01-03,0\n2024-01-04,101\n", DataError, "must be there and positive"),
        ("date,ret\n2024-01-02,0.01\n", DataError, "two or more rows"),
        ("date,ret\n", DataError, "no rows"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(write, text, kind, told):
    path = write(text)
    with pytest.raises(kind, match=told) as caught:
        read_returns(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_file_and_an_unreadable_one_are_told(tmp_path, write):
    with pytest.raises(MissingData, match="does not exist"):
        read_returns(tmp_path / "none.csv")
    with pytest.raises(DataError, match="no readable Parquet"):
        read_returns(write("not parquet", "r.parquet"))
    with pytest.raises(MissingData, match="'mine'"):
        read_returns(write("date,ret\n" + ROWS), "mine")
