"""An announcement takes effect on the session whose close could know it (rulings 22)."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ares7.errors import DataError, MissingData
from feeds.earnings import SESSION_FLAGS, check, effective_sessions, read_earnings, read_yfinance_earnings

D = np.datetime64
DATA = os.environ.get("ARES7_DATA")
needs_data = pytest.mark.skipif(DATA is None, reason="ARES7_DATA names no real data folder")

# Wednesday 23 December 2020 to Tuesday 29 December; Christmas Day and the weekend are no sessions.
SESSIONS = np.array(["2020-12-23", "2020-12-24", "2020-12-28", "2020-12-29"], dtype="datetime64[D]")
HEADER = "symbol,announce_date,session,eps_actual\n"


def effective(day: str, flag: str) -> str | None:
    index = int(effective_sessions(np.array([day], dtype="datetime64[D]"), [flag], SESSIONS)[0])
    return None if index == -1 else str(SESSIONS[index])


# The effective session


@pytest.mark.parametrize("flag", ["pre", "intraday"])
def test_before_or_during_the_session_takes_effect_the_same_day(flag):
    assert effective("2020-12-24", flag) == "2020-12-24"


@pytest.mark.parametrize("flag", ["post", "unknown"])
def test_after_the_close_or_at_an_unknown_time_takes_effect_the_next_session(flag):
    assert effective("2020-12-23", flag) == "2020-12-24"
    assert effective("2020-12-24", flag) == "2020-12-28"  # over the holiday and the weekend


@pytest.mark.parametrize("flag", SESSION_FLAGS)
@pytest.mark.parametrize("day", ["2020-12-25", "2020-12-26", "2020-12-27"])
def test_on_a_day_that_is_no_session_it_is_the_next_one_whatever_the_flag(day, flag):
    assert effective(day, flag) == "2020-12-28"


@pytest.mark.parametrize("flag", ["post", "unknown"])
def test_an_event_whose_session_lies_after_the_data_has_none(flag):
    assert effective("2020-12-29", flag) is None
    assert effective("2020-12-29", "pre") == "2020-12-29"
    assert effective("2021-01-04", "pre") is None


@pytest.mark.parametrize("flag", SESSION_FLAGS)
def test_an_event_before_the_first_session_does_not_act_on_it(flag):
    assert effective("2019-12-26", flag) is None
    assert effective("2020-12-22", flag) is None


def test_no_events_and_no_sessions():
    assert effective_sessions(SESSIONS[:0], [], SESSIONS).tolist() == []
    assert effective_sessions(SESSIONS[:1], ["pre"], SESSIONS[:0]).tolist() == [-1]


def test_the_result_is_an_int64_index():
    assert effective_sessions(SESSIONS, ["pre"] * 4, SESSIONS).dtype == np.int64


def test_an_unknown_flag_is_refused():
    with pytest.raises(DataError, match="session flag 'bmo' is none of pre, intraday, post, unknown"):
        effective("2020-12-24", "bmo")


@given(
    days=st.lists(st.integers(0, 40), max_size=10),
    flag=st.sampled_from(SESSION_FLAGS),
    cut=st.integers(1, 20),
)
def test_later_sessions_change_nothing_for_events_that_already_have_one(days, flag, cut):
    """Prefix (C2): with fewer sessions an event keeps its row or, being in the future, has none."""
    calendar = np.arange(D("2020-12-01"), D("2021-01-10"))
    calendar = calendar[np.is_busday(calendar)]
    events = D("2020-12-01") + np.array(days, dtype="timedelta64[D]")
    whole = effective_sessions(events, [flag] * len(days), calendar)
    prefix = effective_sessions(events, [flag] * len(days), calendar[:cut])
    np.testing.assert_array_equal(prefix, np.where(whole < cut, whole, -1))


# The canonical table


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "earnings.csv"
    path.write_text(text)
    return path


def test_events_are_sorted_by_symbol_and_date(tmp_path):
    path = written(
        tmp_path, HEADER + "B,2020-05-01,pre,1.5\nA,2020-08-01,post,2.5\nA,2020-05-01,unknown,0.5\n"
    )
    events = read_earnings(path)
    assert events["symbol"].tolist() == ["A", "A", "B"]
    assert events["eps_actual"].tolist() == [0.5, 2.5, 1.5]
    assert events["announce_date"].to_numpy().astype("datetime64[D]")[0] == D("2020-05-01")


def test_optional_columns_are_read_where_they_are(tmp_path):
    text = (
        "symbol,announce_date,session,eps_actual,announce_time_et,eps_estimate,fiscal_quarter_end,source,extra\n"
        "A,2020-05-01,pre,1.5,07:00,1.4,2020-03-31,yahoo,x\n"
    )
    events = read_earnings(written(tmp_path, text))
    row = events.iloc[0]
    assert (row["announce_time_et"], row["eps_estimate"], row["source"]) == ("07:00", 1.4, "yahoo")
    assert row["fiscal_quarter_end"] == pd.Timestamp("2020-03-31")
    assert "extra" not in events


def test_a_missing_eps_is_a_warning_and_stays_missing(tmp_path):
    path = written(tmp_path, HEADER + "A,2020-05-01,pre,\nA,2020-08-01,pre,1.0\n")
    (finding,) = check(path)
    assert (finding.severity, finding.code, finding.count) == ("warning", "missing-eps", 1)
    assert np.isnan(read_earnings(path)["eps_actual"][0])


def test_announcements_off_the_sessions_are_counted(tmp_path):
    rows = "A,2020-12-24,pre,1\nA,2020-12-25,pre,1\nA,2020-12-27,post,1\nA,2020-01-04,pre,1\n"
    (finding,) = check(written(tmp_path, HEADER + rows), SESSIONS)
    assert (finding.severity, finding.code, finding.count) == ("warning", "event-off-session", 2)
    assert (finding.first, finding.last) == (D("2020-12-25"), D("2020-12-27"))


def test_an_announcement_before_its_quarter_ended_is_a_warning(tmp_path):
    text = HEADER.replace("\n", ",fiscal_quarter_end\n") + "A,2020-05-01,pre,1.0,2020-06-30\n"
    assert [f.code for f in check(written(tmp_path, text))] == ["announced-early"]


BAD = {
    "unknown session": (
        HEADER + "A,2020-05-01,pre,1\nA,2020-08-01,bmo,1\n",
        r"session.*data row 2 \(A, 2020-08-01",
    ),
    "empty session": (HEADER + "A,2020-05-01,,1\n", r"whose session is none of pre, intraday, post, unknown"),
    "one day twice": (
        HEADER + "A,2020-05-01,pre,1\nB,2020-05-01,pre,1\nA,2020-05-01,post,2\n",
        r"2 rows given twice for one symbol and day; keep one; the first is data row 1 \(A, 2020-05-01",
    ),
    "no symbol": (HEADER + ",2020-05-01,pre,1\n", r"without symbol or announce_date; complete it"),
    "no date": (HEADER + "A,,pre,1\n", r"without symbol or announce_date.*data row 1"),
    "infinite": (HEADER + "A,2020-05-01,pre,inf\n", r"eps_actual is infinite; correct it.*data row 1"),
    "future": (HEADER + "A,2999-05-01,pre,1\n", r"announced after today .*; correct the date.*2999-05-01"),
    "a word": (HEADER + "A,2020-05-01,pre,miss\n", r"'eps_actual' data row 1 holds 'miss', not a number"),
    "a time": (HEADER + "A,2020-05-01 16:00:00,post,1\n", r"'announce_date' data row 1 .*time zone"),
    "empty": ("", r"earnings.csv is empty"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_events_get_one_clear_error(tmp_path, case):
    text, message = BAD[case]
    path = written(tmp_path, text)
    with pytest.raises(DataError, match=message) as caught:
        read_earnings(path)
    assert str(path) in str(caught.value)
    errors = [f for f in check(path) if f.severity == "error"]
    assert errors[0].input == "earnings"
    assert errors[0].message in str(caught.value)


def test_a_missing_column_and_a_missing_file(tmp_path):
    with pytest.raises(MissingData, match=r"lacks the columns \['session'\]"):
        read_earnings(written(tmp_path, "symbol,announce_date,eps_actual\nA,2020-05-01,1\n"))
    with pytest.raises(MissingData, match=r"gone.csv does not exist; add it"):
        read_earnings(tmp_path / "gone.csv")
    (finding,) = check(tmp_path / "gone.csv")
    assert finding.kind is MissingData


def test_every_error_is_listed_at_once_and_the_reader_says_how_many(tmp_path):
    path = written(tmp_path, HEADER + "A,2020-05-01,bmo,1\nA,2020-05-01,pre,inf\n")
    assert [f.code for f in check(path)] == ["unknown-session", "duplicate-row", "infinite-eps"]
    with pytest.raises(DataError, match=r"2 more: run 'python run.py data check DIR'"):
        read_earnings(path)


# The yfinance layout

YF = "Earnings Date,EPS Estimate,Reported EPS,Surprise(%)\n"


@pytest.mark.parametrize(
    ("stamp", "date", "flag"),
    [
        ("2024-02-01 16:00:00-05:00", "2024-02-01", "post"),
        ("2024-02-01 15:59:00-05:00", "2024-02-01", "intraday"),
        ("2024-02-01 09:30:00-05:00", "2024-02-01", "intraday"),
        ("2024-02-01 09:29:00-05:00", "2024-02-01", "pre"),
        ("2023-08-03 06:30:00-04:00", "2023-08-03", "pre"),
        ("2024-02-02 02:30:00+00:00", "2024-02-01", "post"),  # 21:30 in New York, the day before
        ("2024-02-01 00:00:00-05:00", "2024-02-01", "unknown"),  # no time of day was known
    ],
)
def test_yfinance_stamps_become_new_york_dates_and_flags(tmp_path, stamp, date, flag):
    path = written(tmp_path, YF + f"{stamp},2.1,2.18,3.66\n")
    event = read_yfinance_earnings(path, "AAPL").iloc[0]
    assert str(event["announce_date"].date()) == date
    assert (event["symbol"], event["session"], event["eps_actual"]) == ("AAPL", flag, 2.18)
    assert (event["eps_estimate"], event["source"]) == (2.1, "yfinance")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            YF + "2024-02-01 16:00:00,2.1,2.18,3\n",
            r"data row 1: 'Earnings Date' holds '2024-02-01 16:00:00'.*offset",
        ),
        (YF + "2024-02-30 16:00:00-05:00,2.1,2.18,3\n", r"'Earnings Date' holds an impossible time"),
        (YF + "2024-02-01 16:00:00-05:00,2,2,3\n" * 2, r"given twice for one symbol and day"),
        (
            HEADER + "A,2020-05-01,pre,1\n",
            r"lacks the columns \['Earnings Date', 'EPS Estimate', 'Reported EPS'\]",
        ),
    ],
)
def test_other_forms_are_refused(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        read_yfinance_earnings(written(tmp_path, text), "AAPL")


def test_an_announcement_to_come_has_no_eps_yet(tmp_path):
    path = written(tmp_path, YF + "2199-02-01 16:00:00-05:00,2.1,,\n")
    assert np.isnan(read_yfinance_earnings(path, "AAPL")["eps_actual"][0])


# Real data


@needs_data
@pytest.mark.real_data
def test_the_real_earnings_have_no_errors():
    path = Path(DATA) / "earnings.parquet"
    events = read_earnings(path)
    assert len(events) == 6943
    bars = pd.read_parquet(Path(DATA) / "prices.parquet", columns=["date"])
    sessions = np.unique(bars["date"].to_numpy().astype("datetime64[D]"))
    found = {f.code: (f.severity, f.count) for f in check(path, sessions)}
    assert found == {"announced-early": ("warning", 1), "event-off-session": ("warning", 40)}
    days = events["announce_date"].to_numpy().astype("datetime64[D]")
    rows = effective_sessions(days, events["session"].to_numpy(), sessions)
    known = rows >= 0
    # Never before the announcement, and at most a weekend with holidays later.
    wait = (sessions[rows[known]] - days[known]).astype(int)
    assert wait.min() >= 0
    assert wait.max() <= 5
    assert (wait[(events["session"] == "post").to_numpy()[known]] >= 1).all()


@needs_data
@pytest.mark.real_data
def test_the_yfinance_sample_agrees_with_the_canonical_table():
    ours = read_yfinance_earnings(Path(DATA) / "samples" / "yfinance_earnings_dates_AAPL.csv", "AAPL")
    real = read_earnings(Path(DATA) / "earnings.parquet")
    both = ours.merge(real, on=["symbol", "announce_date"], suffixes=("", "_real"))
    assert len(both) == len(ours) == 16
    assert (both["session"] == both["session_real"]).all()
    assert (both["eps_actual"] == both["eps_actual_real"]).all()
