"""Time for trading: the exchange's calendar, and the clock of a double."""

from __future__ import annotations

import datetime as dt

import pytest

from ares7.errors import ConfigError, ServiceUnavailable
from live.store import IBStore
from live.store_options import StoreOptions
from live.trading_clock import Calendar, GatewayClock
from live.validity import trading_day

UTC = dt.UTC


def at(text):
    return dt.datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_sessions_are_those_of_the_exchange_with_their_own_hours():
    calendar = Calendar(at("2023-11-20 12:00"))
    assert calendar.coming(at("2023-11-23 15:00")).date == dt.date(2023, 11, 24)
    assert calendar.coming(at("2023-11-24 17:00")).closes == at("2023-11-24 18:00")
    assert calendar.finished(at("2023-11-24 18:00")).date == dt.date(2023, 11, 24)
    assert calendar.after(dt.date(2023, 11, 22)).date == dt.date(2023, 11, 24)


def test_a_calendar_is_renewed_before_it_ends():
    first = Calendar(at("2023-01-03 12:00"))
    assert first.renewed(at("2023-06-01 12:00")) is first
    later = first.renewed(at("2024-01-10 12:00"))
    assert later is not first
    assert later.sessions[-1].date > dt.date(2025, 1, 1)
    assert later.coming(at("2024-01-10 12:00")).date == dt.date(2024, 1, 10)


@pytest.mark.parametrize(
    ("now", "auction"),
    [("14:30", False), ("20:59", False), ("21:00", True), ("14:24", True), ("14:25", False)],
)
def test_a_market_order_belongs_into_the_auction_until_its_cut_off(now, auction):
    calendar = Calendar(at("2024-01-03 12:00"))
    assert trading_day(at(f"2024-01-03 {now}"), calendar, dt.timedelta(minutes=5)).auction is auction


@pytest.mark.parametrize(
    ("now", "over"),
    [
        ("2024-01-03 20:44", False),
        ("2024-01-03 20:45", True),
        ("2024-01-03 20:59", True),
        ("2024-01-03 21:00", False),  # the next session's auction is meant
        ("2023-11-24 17:44", False),  # a half day closes at 18:00
        ("2023-11-24 17:45", True),
        ("2023-11-25 17:50", False),
    ],
)
def test_the_closing_auction_takes_no_order_after_its_cut_off_half_days_included(now, over):
    calendar = Calendar(at("2023-11-20 12:00"))
    minutes = dt.timedelta(minutes=15)
    assert trading_day(at(now), calendar, minutes, minutes).closing_over is over


def test_the_clock_of_a_gateway_never_goes_back_and_survives_a_pause_of_the_gateway():
    answers = [
        at("2024-01-03 15:00"),
        at("2024-01-03 14:00"),
        ServiceUnavailable("gone"),
        at("2024-01-03 16:00"),
    ]

    def ask():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    clock = GatewayClock(ask, 1e-9)
    assert [clock() for _ in range(4)] == [at(f"2024-01-03 {h}:00") for h in (15, 15, 15, 16)]


def test_a_gateway_that_never_told_the_time_is_an_error():
    def gone():
        raise ServiceUnavailable("gone")

    with pytest.raises(ServiceUnavailable):
        GatewayClock(gone)()


def test_the_clock_of_a_gateway_is_refused_for_another_computer():
    with pytest.raises(ConfigError, match="clock: gateway"):
        IBStore("10.0.0.1", options=StoreOptions(clock="gateway"))
