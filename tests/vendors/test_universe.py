"""Names come from a list, a file, or the tables of the folder; nobody's list of members is made up."""

from __future__ import annotations

import numpy as np
import pytest

from ares7.errors import ConfigError, DataError
from feeds.fetch.universe import universe

FIRST, LAST = np.datetime64("2022-01-03", "D"), np.datetime64("2024-03-08", "D")


def names(text, folder):
    return universe(text, folder, FIRST, LAST).symbols


def test_a_list(tmp_path):
    assert names("MSFT, AAPL,BRK-B,AAPL", tmp_path) == ("AAPL", "BRK-B", "MSFT")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mine.txt", "# large\nMSFT\n\nAAPL # the phone maker\n"),
        ("mine.csv", "symbol,weight\nMSFT,0.5\nAAPL,0.5\n"),
        ("mine.csv", "MSFT\nAAPL\n"),
    ],
)
def test_a_file(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert names(str(tmp_path / name), tmp_path) == ("AAPL", "MSFT")


def test_a_long_list(tmp_path):
    long = [f"S{i:04d}" for i in range(2000)]
    assert names(",".join(long), tmp_path) == tuple(long)


@pytest.mark.parametrize("text", ["", "symbol,weight\n", "aapl\n"])
def test_a_file_without_symbols(tmp_path, text):
    (tmp_path / "mine.csv").write_text(text)
    with pytest.raises((ConfigError, DataError)):
        names(str(tmp_path / "mine.csv"), tmp_path)


MEMBERS = """symbol,start_date,end_date
AAPL,1990-01-02,
LEH,1990-01-02,2008-09-16
TWTR,2018-06-07,2022-11-01
NEWCO,2025-01-02,
"""


@pytest.mark.parametrize("text", ["members", "sp500"])
def test_members_of_the_period_those_that_left_included(tmp_path, text):
    (tmp_path / "membership_sp500.csv").write_text(MEMBERS)
    found = universe(text, tmp_path, FIRST, LAST)
    assert found.symbols == ("AAPL", "TWTR")
    assert "those that left included" in found.survivorship


def test_members_of_another_index_are_not_taken_for_it(tmp_path):
    (tmp_path / "membership_sp500.csv").write_text(MEMBERS)
    with pytest.raises(ConfigError, match=r"membership_sp100\.csv"):
        names("sp100", tmp_path)


@pytest.mark.parametrize("column", ["sp100", "in_sp100"])
def test_a_flag_of_the_symbols_table_is_a_list_of_one_day(tmp_path, column):
    (tmp_path / "symbols.csv").write_text(f"symbol,{column}\nAAPL,true\nLEH,false\nMSFT,true\n")
    found = universe("sp100", tmp_path, FIRST, LAST)
    assert found.symbols == ("AAPL", "MSFT")
    assert "survivorship bias" in found.survivorship


def test_a_broken_membership_table_is_told(tmp_path):
    (tmp_path / "membership_sp500.csv").write_text("symbol,start_date,end_date\nAAPL,2020-01-02,2019-01-02\n")
    with pytest.raises(DataError, match="end_date before its start_date"):
        names("sp500", tmp_path)


def test_a_folder_that_is_not_there_has_no_members(tmp_path):
    with pytest.raises(ConfigError, match="no list of its members is shipped"):
        names("members", tmp_path / "nowhere")
