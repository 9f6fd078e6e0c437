"""IB's hours are read as IB writes them, and compared with the calendar day by day."""

from __future__ import annotations

import datetime as dt

import pytest

from ares7.errors import DataError
from live.client.hours import disagreements, parse_hours
from live.client.messages import ContractFacts
from live.client.quiet import is_quiet

NEW_YORK = "America/New_York"


def facts(hours, zone=NEW_YORK):
    return ContractFacts(
        1, "SPY", "SPY", "STK", "SMART", "ARCA", "USD", "SPDR", 0.01, 1.0, (), zone, hours, hours
    )


def at(text):
    return dt.datetime.fromisoformat(text)


def test_a_session_a_half_day_and_a_holiday_are_read_in_utc():
    spans = parse_hours("20240702:0930-20240702:1600;20240703:0930-20240703:1300;20240704:CLOSED", NEW_YORK)
    assert [(s.date.isoformat(), s.opens, s.closes) for s in spans] == [
        ("2024-07-02", at("2024-07-02T13:30+00:00"), at("2024-07-02T20:00+00:00")),
        ("2024-07-03", at("2024-07-03T13:30+00:00"), at("2024-07-03T17:00+00:00")),
        ("2024-07-04", None, None),
    ]


def test_several_spans_of_a_day_are_joined():
    (span,) = parse_hours("20240702:0930-20240702:1200,20240702:1300-20240702:1600", NEW_YORK)
    assert (span.opens, span.closes) == (at("2024-07-02T13:30+00:00"), at("2024-07-02T20:00+00:00"))


@pytest.mark.parametrize(
    "text", ["20240702:0930", "nonsense", "2024:0930-2024:1600", "20240702:9999-20240702:1600"]
)
def test_hours_that_cannot_be_read_are_refused(text):
    with pytest.raises(DataError, match="cannot be read"):
        parse_hours(text, NEW_YORK)


def test_an_unknown_zone_is_refused():
    with pytest.raises(DataError, match="cannot be read"):
        parse_hours("20240702:CLOSED", "Mars/Olympus")


def test_hours_that_agree_with_the_calendar_raise_nothing():
    assert (
        disagreements(facts("20240702:0930-20240702:1600;20240703:0930-20240703:1300;20240704:CLOSED")) == ()
    )


@pytest.mark.parametrize(
    ("hours", "says"),
    [
        (
            "20240703:0930-20240703:1600",
            "2024-07-03: IB says 13:30 to 20:00 UTC, calendar XNYS says 13:30 to 17:00",
        ),
        ("20240704:0930-20240704:1600", "2024-07-04: IB says 13:30 to 20:00 UTC, calendar XNYS says closed"),
        ("20240702:CLOSED", "2024-07-02: IB says closed, calendar XNYS says 13:30"),
    ],
)
def test_a_half_day_or_holiday_that_only_one_side_knows_is_named(hours, says):
    (found,) = disagreements(facts(hours))
    assert says in found


@pytest.mark.parametrize(
    ("time", "quiet"),
    [("23:44", False), ("23:45", True), ("00:00", True), ("00:44", True), ("00:45", False), ("12:00", False)],
)
def test_a_quiet_window_over_midnight_includes_its_start_and_not_its_end(time, quiet):
    # Summer time in New York is UTC-4.
    now = dt.datetime.fromisoformat(f"2024-07-02T{time}:00-04:00")
    assert is_quiet(now, ("23:45", "00:45")) is quiet
    assert is_quiet(now.astimezone(dt.UTC), ("23:45", "00:45")) is quiet


def test_no_window_is_never_quiet():
    assert not is_quiet(at("2024-07-03T03:50+00:00"), None)
