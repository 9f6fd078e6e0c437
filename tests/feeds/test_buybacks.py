"""Announced buybacks are read in both layouts, scaled by what was known before, and never by the future."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ares7.errors import DataError, MissingData
from ares7.panel import Panel
from ares7.sessions import sessions
from feeds.assemble import content_hash
from feeds.buybacks import buyback_fields, check, find_buybacks, read_buybacks
from feeds.check import check_folder
from feeds.load import load_panel, load_with_findings
from tests.feeds.small_folder import DAYS, TODAY, config, tables, write

D = np.datetime64
HEADER = "symbol,announce_date,session,amount_usd\n"
ORIGINAL = "event_date,ticker,amount_usd,signal_rank,bucket,split\n"
NEEDS = frozenset({"buybacks"})


def market(rows: int = 80) -> Panel:
    """AAA trades 1,000 shares a session at 10 USD, BBB 4,000 at 10 USD; SPY is a fund."""
    days = sessions(D("2020-01-02"), D("2020-12-31"))[:rows]
    price = np.full((rows, 3), 10.0)
    mark = np.zeros(rows, dtype=bool)
    return Panel(
        dates=days,
        symbols=("AAA", "BBB", "SPY"),
        fields={
            "close": price,
            "price": price.copy(),
            "volume": np.tile([1_000.0, 4_000.0, 9_000.0], (rows, 1)),
        },
        series={},
        is_stock=np.array([True, True, False]),
        member=np.ones((rows, 3), dtype=bool),
        month_end=mark,
        week_end=mark,
    )


def written(tmp_path: Path, text: str, name: str = "buybacks.csv") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def placed(path: Path, panel: Panel) -> dict[tuple[str, int], float]:
    values = buyback_fields(path, panel, TODAY)[0]["buyback"]
    return {
        (panel.symbols[i], int(t)): float(values[t, i])
        for t, i in zip(*np.nonzero(np.isfinite(values)), strict=True)
    }


# Size


def test_with_a_market_value_the_size_is_the_share_of_it(tmp_path):
    panel = market()
    text = HEADER.replace("\n", ",market_cap_usd\n")
    text += f"AAA,{panel.dates[5]},pre,2e6,1e8\nBBB,{panel.dates[5]},post,3e6,1e8\nBBB,{panel.dates[9]},pre,3e6,\n"
    path = written(tmp_path, text)
    assert placed(path, panel) == {("AAA", 5): 0.02, ("BBB", 6): 0.03}
    assert [f.code for f in check(path)] == ["missing-market-cap"]


def test_without_one_it_is_a_number_of_sessions_of_trading(tmp_path):
    panel = market()
    path = written(tmp_path, HEADER + f"AAA,{panel.dates[70]},pre,1e6\nBBB,{panel.dates[70]},pre,1e6\n")
    assert placed(path, panel) == {("AAA", 70): 100.0, ("BBB", 70): 25.0}
    panel.fields["volume"][70:, :] = 1e9  # the effective session and later do not count
    panel.fields["volume"][:7, :] = 1e9  # nor the 64th session before
    assert placed(path, panel) == {("AAA", 70): 100.0, ("BBB", 70): 25.0}


@pytest.mark.parametrize(("bars", "defined"), [(31, False), (32, True)])
def test_half_of_the_window_must_have_a_bar(tmp_path, bars, defined):
    panel = market()
    panel.fields["price"][: 70 - bars, 0] = np.nan
    path = written(tmp_path, HEADER + f"AAA,{panel.dates[70]},pre,1e6\n")
    assert placed(path, panel) == ({("AAA", 70): 100.0} if defined else {})


def test_a_name_that_never_traded_has_no_size(tmp_path):
    panel = market()
    panel.fields["volume"][:, 0] = 0.0
    assert placed(written(tmp_path, HEADER + f"AAA,{panel.dates[70]},pre,1e6\n"), panel) == {}


def test_funds_and_unknown_names_are_left_out(tmp_path):
    panel = market()
    rows = "".join(f"{s},{panel.dates[70]},pre,1e6\n" for s in ("AAA", "SPY", "ZZZ"))
    path = written(tmp_path, HEADER + rows)
    assert list(placed(path, panel)) == [("AAA", 70)]
    said = buyback_fields(path, panel, TODAY)[2]
    assert (said["announcements"], said["announcements_of_other_symbols"], said["defined"]) == (1, 2, 1)


def test_later_sessions_and_later_events_change_nothing_before(tmp_path):
    panel = market()
    first = HEADER + f"AAA,{panel.dates[65]},post,1e6\n"
    early = written(tmp_path, first, "buybacks.csv")
    before = buyback_fields(early, panel.upto(70), TODAY)[0]["buyback"]
    late = written(tmp_path, first + f"AAA,{panel.dates[75]},pre,9e6\n", "buybacks.csv")
    after = buyback_fields(late, panel, TODAY)[0]["buyback"]
    np.testing.assert_array_equal(before, after[:71])


# The original layout


def test_of_the_original_files_only_who_when_and_how_much_is_read(tmp_path):
    panel = market()
    rows = f"{panel.dates[70]},AAA,1000000,{{}},bb_top,test\n"
    path = written(tmp_path, ORIGINAL + rows.format(0.97), "buyback_events.csv")
    # The time of day is unknown: the session after.
    assert placed(path, panel) == {("AAA", 71): 100.0}
    other = written(tmp_path, ORIGINAL + rows.format("not even a number"), "buyback_events.csv")
    assert placed(other, panel) == {("AAA", 71): 100.0}
    assert list(read_buybacks(path).columns) == ["announce_date", "symbol", "amount_usd", "session"]


def test_two_tables_are_refused(tmp_path):
    written(tmp_path, ORIGINAL, "buyback_events.csv")
    assert find_buybacks(tmp_path).name == "buyback_events.csv"
    written(tmp_path, HEADER)
    with pytest.raises(DataError, match=r"holds both buybacks.csv and buyback_events.csv; keep one"):
        find_buybacks(tmp_path)


# Bad input

BAD = {
    "a word": ("AAA,2020-05-01,pre,lots\n", r"'amount_usd' data row 1 holds 'lots', not a number"),
    "nothing": ("AAA,2020-05-01,pre,0\n", r"amount_usd is not a positive number of USD.*data row 1"),
    "negative": ("AAA,2020-05-01,pre,-5\n", r"amount_usd is not a positive number"),
    "infinite": ("AAA,2020-05-01,pre,inf\n", r"amount_usd is not a positive number"),
    "flag": ("AAA,2020-05-01,amc,5\n", r"session is none of pre, intraday, post, unknown; correct it"),
    "twice": ("AAA,2020-05-01,pre,5\nAAA,2020-05-01,post,6\n", r"given twice for one symbol and day"),
    "future": ("AAA,2999-05-01,pre,5\n", r"announced after today"),
    "no symbol": (",2020-05-01,pre,5\n", r"without symbol or announce_date"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_rows_get_one_clear_error(tmp_path, case):
    rows, message = BAD[case]
    path = written(tmp_path, HEADER + rows)
    with pytest.raises(DataError, match=message) as caught:
        read_buybacks(path)
    assert str(path) in str(caught.value)
    errors = [f for f in check(path) if f.severity == "error"]
    assert errors[0].input == "buybacks"


def test_a_market_value_must_be_positive(tmp_path):
    path = written(tmp_path, HEADER.replace("\n", ",market_cap_usd\n") + "AAA,2020-05-01,pre,5,0\n")
    with pytest.raises(DataError, match=r"market_cap_usd is not a positive number of USD"):
        read_buybacks(path)


def test_a_missing_amount_is_a_warning_and_no_event(tmp_path):
    panel = market()
    path = written(tmp_path, HEADER + f"AAA,{panel.dates[70]},pre,\nBBB,{panel.dates[70]},pre,1e6\n")
    assert [(f.severity, f.code) for f in check(path)] == [("warning", "missing-amount")]
    assert list(placed(path, panel)) == [("BBB", 70)]


def test_a_day_that_is_no_session_is_counted(tmp_path):
    assert [f.code for f in check(written(tmp_path, HEADER + "AAA,2020-02-01,pre,5\n"), DAYS)] == [
        "event-off-session"
    ]
    with pytest.raises(MissingData, match=r"does not exist"):
        read_buybacks(tmp_path / "gone.csv")
    assert [f.code for f in check(tmp_path / "gone.csv")] == ["unreadable"]


# The folder


def folder(tmp_path: Path, rows: str = f"AAA,{DAYS[35]},pre,1e6\n") -> Path:
    where = write(tmp_path / "data", tables())
    (where / "buybacks.csv").write_text(HEADER + rows)
    return where


def test_a_folder_with_buybacks_gives_the_field_and_one_without_does_not(tmp_path):
    bare = write(tmp_path / "bare", tables())
    assert "buyback" not in load_panel(config(bare), NEEDS, today=TODAY).fields
    assert not [f for f in check_folder(config(bare), TODAY) if f.input == "buybacks"]
    panel = load_panel(config(folder(tmp_path)), NEEDS, today=TODAY)
    assert np.flatnonzero(np.isfinite(panel.field("buyback")).any(axis=1)).tolist() == [35]
    assert panel.provenance["buybacks"]["scale"] == "dollar volume of 63 sessions"
    assert "buybacks.csv" in panel.provenance["files"]


def test_errors_stop_only_those_who_read_buybacks(tmp_path):
    where = folder(tmp_path, "AAA,2020-02-03,amc,5\n")
    panel = load_panel(config(where), today=TODAY)
    assert "buyback" not in panel.fields
    with pytest.raises(DataError, match=r"buybacks.csv: 1 rows whose session is none of"):
        load_panel(config(where), NEEDS, today=TODAY)
    assert "unknown-session" in [f.code for f in check_folder(config(where), TODAY) if f.input == "buybacks"]


def test_the_cache_sees_a_changed_table(tmp_path):
    where, store = folder(tmp_path), tmp_path / "cache"

    def panel(cache=store):
        return load_panel(config(where, cache=cache), NEEDS, today=TODAY)

    first = panel()
    assert content_hash(panel()) == content_hash(first)
    (where / "buybacks.csv").write_text(HEADER + f"AAA,{DAYS[35]},pre,2e6\n")
    assert content_hash(panel()) == content_hash(panel(None)) != content_hash(first)
    (where / "buybacks.csv").unlink()
    pd.DataFrame({"event_date": [str(DAYS[34])], "ticker": ["AAA"], "amount_usd": ["1e6"]}).to_csv(
        where / "buyback_events.csv", index=False
    )
    assert content_hash(panel()) == content_hash(first) == content_hash(panel(None))


def test_without_prices_the_table_is_checked_all_the_same(tmp_path):
    where = folder(tmp_path, "AAA,2020-02-03,amc,5\n")
    (where / "prices.csv").write_text("")
    assert "unknown-session" in [f.code for f in check_folder(config(where), TODAY) if f.input == "buybacks"]
    assert load_with_findings(config(where), today=TODAY)[0] is None
