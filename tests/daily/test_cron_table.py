"""The table of docs/daily.md: which session each of the three cron lines acts on, from hosts in three zones."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from live.daily.acting_session import NoSession, acting
from tests.daily.desk import ROOT

LINES = {"0 9 * * *": ((9,), range(7)), "0 9 * * 1-5": ((9,), range(5)), "0 9,15 * * *": ((9, 15), range(7))}
ZONES = {"New York, or CRON_TZ": "America/New_York", "UTC": "UTC", "Seoul": "Asia/Seoul"}
WEEKS = (dt.date(2024, 1, 22), dt.date(2024, 7, 22))
"""Mondays of a week without holidays before and after it, in winter and in summer."""
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def cell(line: str, zone: str, monday: dt.date) -> str:
    """``Mon Fri, Tue Mon, ...``: the host's day and hour, and the session."""
    hours, weekdays = LINES[line]
    told = []
    for hour in hours:
        acts = []
        for k in weekdays:
            day = monday + dt.timedelta(days=k)
            found = acting(None, dt.datetime.combine(day, dt.time(hour), ZoneInfo(ZONES[zone])), "XNYS")
            session = "none" if isinstance(found, NoSession) else DAYS[found.as_of.astype(object).weekday()]
            acts.append(f"{DAYS[k]}: {session}")
        told.append((f"{hour}:00 " if len(hours) > 1 else "") + ", ".join(acts))
    return "; ".join(told)


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("zone", ZONES)
def test_the_document_says_which_session_a_cron_line_acts_on(line, zone):
    winter, summer = (cell(line, zone, monday) for monday in WEEKS)
    assert winter == summer
    assert f"| `{line}` | {zone} | {winter} |" in (ROOT / "docs/daily.md").read_text()


def test_weekdays_in_seoul_never_act_on_a_friday():
    assert ": Fri" not in cell("0 9 * * 1-5", "Seoul", WEEKS[0])
    assert ": Fri" in cell("0 9 * * *", "Seoul", WEEKS[0])


def test_the_afternoon_run_makes_the_files_of_the_morning_again():
    morning, afternoon = cell("0 9,15 * * *", "New York, or CRON_TZ", WEEKS[0]).split("; ")
    assert morning.removeprefix("9:00") == afternoon.removeprefix("15:00")
