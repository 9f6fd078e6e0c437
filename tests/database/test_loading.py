"""A second load adds what is new; the past is changed only when that is meant, and nothing is lost."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pandas as pd
import psycopg
import pytest

from ares7.errors import DataError, MissingData
from feeds.database.dumping import dump_folder
from feeds.database.loading import load_folder
from tests.database.frames import assert_same_tables, bend, tables_of

CUT = "2017-10-02"


def counts(done, name):
    return next(change for change in done.changes if change.name == name).counts


def until(day):
    """Keep the rows before a day."""

    def cut(frame):
        column = next(c for c in ("date", "filing_date", "announce_date") if c in frame)
        return frame[frame[column] < pd.Timestamp(day)]

    return cut


def test_a_second_load_adds_nothing_and_changes_nothing(made, server):
    first, second = load_folder(made, server), load_folder(made, server)
    assert (first.number, second.number) == (1, 2)
    assert second.content == first.content
    assert all(change.writes is False for change in second.changes)
    assert counts(second, "prices")["rows"] == counts(first, "prices")["added"] > 0


def test_a_folder_that_has_grown_is_added_to(made, market, server, tmp_path):
    dated = ("prices", "market", "fundamentals", "fundamentals_annual", "earnings")
    for name in dated:
        bend(market, name, until(CUT))
    first = load_folder(market, server)
    second = load_folder(made, server)
    assert second.content != first.content
    assert not second.findings
    for name in dated:
        found = counts(second, name)
        assert found["added"] == found["rows"] - counts(first, name)["rows"]
        assert found["changed"] == found["removed"] == found["kept"] == 0
    dump_folder(server, tmp_path / "dump")
    assert_same_tables(made, tmp_path / "dump")


def test_a_folder_with_a_part_of_the_data_takes_nothing_away(made, market, server, tmp_path):
    load_folder(made, server)
    for path in market.iterdir():
        if path.stem not in ("prices", "earnings", "provenance"):
            path.unlink()
    for name, column in (("prices", "date"), ("earnings", "announce_date")):
        recent = lambda frame, column=column: frame[frame[column] >= pd.Timestamp(CUT)]
        bend(market, name, recent)
        bend(market, name, lambda frame: frame[frame["symbol"] != frame["symbol"].iloc[0]])
    done = load_folder(market, server)
    assert not done.findings
    assert counts(done, "prices")["kept"] > 0
    assert counts(done, "earnings")["kept"] > 0
    dump_folder(server, tmp_path / "dump")
    ours, theirs = tables_of(made), tables_of(tmp_path / "dump")
    pd.testing.assert_frame_equal(ours["prices"], theirs["prices"], check_exact=True)
    key = ["symbol", "announce_date"]
    pd.testing.assert_frame_equal(
        ours["earnings"].sort_values(key, ignore_index=True),
        theirs["earnings"].sort_values(key, ignore_index=True),
        check_exact=True,
    )


def raise_closes(frame):
    frame = frame.copy()
    rows = frame.index[(frame["symbol"] == "S003") & (frame["date"] < pd.Timestamp("2015-03-02"))]
    frame.loc[rows, "close"] *= 1.001
    frame.loc[frame.index[frame["symbol"] == "S005"][7], "volume"] += 1
    return frame


def test_a_changed_past_is_counted_by_symbol_and_refused(made, market, server, tmp_path):
    first = load_folder(made, server)
    bend(market, "prices", raise_closes)
    bend(market, "fundamentals", lambda f: f.assign(roe=f["roe"].where(f.index != 4, 9.0)))
    refused = load_folder(market, server)
    assert refused.refused
    assert refused.number is refused.content is None
    assert [(f.severity, f.input, f.code, f.count) for f in refused.findings] == [
        ("error", "prices", "changed-past", 40),
        ("error", "fundamentals", "changed-past", 1),
    ]
    message = refused.findings[0].message
    assert "40 rows of 2 symbols" in message
    assert "(S003 39, S005 1)" in message
    assert "the first is S003 on 2015-01-02: close" in message
    again = load_folder(made, server)
    assert again.content == first.content
    meant = load_folder(market, server, replace=True)
    assert [f.severity for f in meant.findings] == ["warning", "warning"]
    dump_folder(server, tmp_path / "dump")
    assert_same_tables(market, tmp_path / "dump")


def test_a_bar_that_is_missing_now_is_a_change_of_the_past_too(made, market, server, tmp_path):
    load_folder(made, server)
    bend(market, "prices", lambda frame: frame.drop(index=frame.index[[10, 11]]))
    refused = load_folder(market, server)
    assert [(f.code, f.count) for f in refused.findings] == [("removed-past", 2)]
    assert counts(load_folder(market, server, replace=True), "prices")["removed"] == 2
    dump_folder(server, tmp_path / "dump")
    assert_same_tables(market, tmp_path / "dump")


def test_what_was_announced_and_then_happened_is_no_change_of_the_past(market, server, tmp_path):
    folder = market.parent / "before"
    market.rename(folder)
    newest = lambda frame: frame["announce_date"] == frame["announce_date"].max()
    whole = pd.read_parquet(folder / "earnings.parquet")
    bend(folder, "earnings", lambda f: f.assign(eps_actual=f["eps_actual"].mask(newest(f))))
    load_folder(folder, server)
    whole.to_parquet(folder / "earnings.parquet")
    members = pd.read_parquet(next(folder.glob("membership*")))
    members.loc[members["end_date"].isna().idxmax(), "end_date"] = pd.Timestamp("2017-11-01")
    members.to_parquet(next(folder.glob("membership*")))
    done = load_folder(folder, server)
    assert not done.findings
    assert counts(done, "earnings")["filled"] >= 1
    assert counts(done, "membership")["filled"] == 1
    dump_folder(server, tmp_path / "dump")
    assert_same_tables(folder, tmp_path / "dump")


@pytest.mark.parametrize("times", [2, 3])
def test_rows_of_one_key_that_agree_stay_as_many_as_they_are(market, server, tmp_path, times):
    bend(market, "fundamentals", lambda f: pd.concat([f, *[f.iloc[:2]] * (times - 1)], ignore_index=True))
    load_folder(market, server)
    assert not load_folder(market, server).findings
    dump_folder(server, tmp_path / "dump")
    assert_same_tables(market, tmp_path / "dump")


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("prices", lambda f: pd.concat([f, f.iloc[[5]]]), r"1 bars are given twice, the first is 'S001'"),
        (
            "prices",
            lambda f: f.assign(symbol=f["symbol"].where(f.index != 3, "")),
            r"data row 4 has no symbol",
        ),
        ("prices", lambda f: f.assign(date=f["date"].where(f.index != 3)), r"data row 4 has no date"),
        ("earnings", lambda f: f.assign(symbol=f["symbol"].where(f.index != 0)), r"data row 1 has no symbol"),
        ("market", lambda f: f.drop(columns=["close"]), r"lacks the columns \['close'\]"),
        ("prices", lambda f: f.assign(symbol=f["symbol"] + "a\0b"), r"refuses a value"),
    ],
)
def test_a_row_that_cannot_be_known_again_is_one_clear_error(made, market, server, name, change, said):
    first = load_folder(made, server)
    bend(market, name, change)
    with pytest.raises(DataError, match=said):
        load_folder(market, server)
    assert load_folder(made, server).content == first.content


def test_a_synthetic_market_and_a_real_one_do_not_mix(made, market, server):
    load_folder(made, server)
    (market / "provenance.json").unlink()
    with pytest.raises(DataError, match="holds a synthetic market and the folder a real one"):
        load_folder(market, server, replace=True)


def test_another_provenance_of_the_same_market_is_refused_unless_it_is_meant(made, market, server):
    load_folder(made, server)
    (market / "provenance.json").write_text(json.dumps({"synthetic": True, "note": "other"}))
    assert [f.code for f in load_folder(market, server).findings] == ["changed-provenance"]
    assert not load_folder(market, server, replace=True).refused


@pytest.mark.parametrize("what", ["nothing", "empty folder"])
def test_a_folder_without_tables_is_one_clear_error(server, tmp_path, what):
    folder = tmp_path / "none"
    if what == "empty folder":
        folder.mkdir()
    with pytest.raises(DataError, match=r"does not exist|has no table"):
        load_folder(folder, server)


def test_where_each_row_came_from_is_kept(made, server, url):
    load_folder(made, server)
    with psycopg.connect(url) as connection:
        load, who, login, host, folder, replaced = connection.execute(
            "SELECT load, who, login, host, folder, replaced FROM ares7_data.loads"
        ).fetchone()
        files = dict(connection.execute("SELECT file, sha256 FROM ares7_data.load_tables").fetchall())
    assert (load, login, folder, replaced) == (1, "ares7", str(made), False)
    assert who
    assert host
    assert files["prices.parquet"] == hashlib.sha256((made / "prices.parquet").read_bytes()).hexdigest()


def test_a_dump_needs_a_new_folder_and_a_database_with_data(made, server, tmp_path):
    with pytest.raises(MissingData, match=r"holds no market data; load it: python run.py data load"):
        dump_folder(server, tmp_path / "dump")
    load_folder(made, server)
    (tmp_path / "dump").mkdir()
    dump_folder(server, tmp_path / "dump")
    with pytest.raises(DataError, match="is not empty"):
        dump_folder(server, tmp_path / "dump")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="is not empty"):
        dump_folder(server, tmp_path / "file")


def test_names_sort_as_python_sorts_them(server, tmp_path):
    names = ["B", "a", "Z", "_", "É", "AA", "A.B", "A-B", "10"]
    days = pd.to_datetime(["2020-01-02", "2020-01-03"])
    frame = pd.DataFrame([{"date": day, "symbol": name} for name in names for day in days])
    for column in ("open", "high", "low", "close", "adj_close", "volume"):
        frame[column] = np.arange(len(frame)) + 1.0
    folder = tmp_path / "names"
    folder.mkdir()
    frame.to_parquet(folder / "prices.parquet")
    load_folder(folder, server)
    load_folder(folder, server)
    dump_folder(server, tmp_path / "dump")
    assert list(dict.fromkeys(tables_of(tmp_path / "dump")["prices"]["symbol"])) == sorted(names)
    assert_same_tables(folder, tmp_path / "dump")
