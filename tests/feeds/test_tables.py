"""Reading one table: strict types, no guesses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ares7.errors import DataError
from feeds.tables import find_table, read_table


def table(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "t.csv"
    path.write_text(text)
    return path


def test_read_table_types_and_order(tmp_path: Path) -> None:
    path = table(tmp_path, "n,f,extra,d,s\n1.5,true,?,2020-01-02,0007\n,0,?,,\n")
    frame = read_table(path, ["d"], dates=["d"], text=["s"], numbers=["n", "absent"], flags=["f"])
    assert list(frame) == ["d", "s", "n", "f"]
    assert frame["d"].tolist() == [pd.Timestamp("2020-01-02"), pd.NaT]
    assert frame["s"].tolist() == ["0007", ""]
    assert frame["n"].to_numpy().tolist()[0] == 1.5
    assert np.isnan(frame["n"].to_numpy()[1])
    assert frame["f"].tolist() == [True, False]


@pytest.mark.parametrize("word", ["True", "false", "0x10", "1_000", "NA", "N/A", "null", "-", "1.2.3", "١"])
def test_words_are_no_numbers(tmp_path: Path, word: str) -> None:
    with pytest.raises(DataError, match=r"'n' data row 1 holds .*not a number"):
        read_table(table(tmp_path, f"n\n{word}\n"), ["n"], numbers=["n"])


@pytest.mark.parametrize("word", ["yes", "", "2", "TRUE "])
def test_words_are_no_flags(tmp_path: Path, word: str) -> None:
    with pytest.raises(DataError, match="not a flag; write true or false"):
        read_table(table(tmp_path, f"f,g\n{word},1\n"), ["f"], flags=["f"])


def test_numbers_in_a_parquet_text_column(tmp_path: Path) -> None:
    pd.DataFrame({"s": [1, 2]}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(DataError, match="must hold text"):
        read_table(tmp_path / "t.parquet", ["s"])


def test_unknown_suffix(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"neither \.csv nor \.parquet"):
        read_table(tmp_path / "t.xlsx", ["s"])


def test_excel_csv_is_read(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b'\xef\xbb\xbfs,n\r\n"A, B",1\r\n')
    frame = read_table(path, ["s"], numbers=["n"])
    assert frame["s"].tolist() == ["A, B"]
    assert frame["n"].tolist() == [1.0]


def test_find_table(tmp_path: Path) -> None:
    assert find_table(tmp_path, "prices") is None
    (tmp_path / "prices.csv").write_text("x")
    assert find_table(tmp_path, "prices") == tmp_path / "prices.csv"
