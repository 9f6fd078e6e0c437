"""When somebody is told what: a table of moments."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest
from pydantic import ValidationError

from ares7.alerts_config import AlertsConfig
from live.alerts.record import AlertRecord, elapsed
from live.alerts.schedule import due, words
from tests.alerts.receivers import secret_url

NOON = dt.datetime(2024, 1, 5, 17, 0, tzinfo=dt.UTC)
NIGHT = dt.datetime(2024, 1, 6, 6, 0, tzinfo=dt.UTC)
"""One o'clock in New York."""
RULES = AlertsConfig(group_s=300, repeat_s=3600, escalate_s=900)
QUIET = AlertsConfig(quiet={"start": "22:00", "end": "07:00"})


def alert(**changes):
    base = AlertRecord(12, "drawdown", "error", "too deep", "paper", None, False, NOON, NOON)
    return dataclasses.replace(base, **changes)


def told(seconds, **changes):
    """An alert that was told so many seconds before noon."""
    at = NOON - dt.timedelta(seconds=seconds)
    return alert(told_count=1, told_at=at, first_told_at=at, **changes)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (alert(), ("first", 0)),
        (alert(acked_at=NOON), None),
        (told(10), None),
        (told(299, count=5), None),
        (told(300, count=5), ("more", 0)),
        (told(300), None),
        (told(3599, lasting=True, severity="warning"), None),
        (told(3600, lasting=True, severity="warning"), ("repeat", 0)),
        (told(3600, lasting=True, severity="warning", ended_at=NOON), None),
        (told(3600, severity="warning"), None),
        (told(899), None),
        (told(900), ("escalation", 1)),
        (told(900, severity="warning"), None),
        (told(900, stage=1), None),
        (told(1800, stage=1), ("escalation", 2)),
        (told(1800, stage=2), None),
        (told(1800, ended_at=NOON, lasting=True), None),
        (told(900, acked_at=NOON), None),
        (alert(lasting=True, ended_at=NOON), ("first", 0)),
    ],
)
def test_what_is_due(state, expected):
    assert due(state, RULES, 3, NOON) == expected


@pytest.mark.parametrize(
    ("severity", "now", "expected"),
    [
        ("warning", NIGHT, None),
        ("info", NIGHT, None),
        ("error", NIGHT, ("first", 0)),
        ("critical", NIGHT, ("first", 0)),
        ("warning", NIGHT + dt.timedelta(hours=6), ("first", 0)),
    ],
)
def test_warnings_wait_in_quiet_hours_and_errors_pass(severity, now, expected):
    assert due(alert(severity=severity), QUIET, 1, now) == expected


def test_without_a_next_group_nothing_escalates():
    assert due(told(900), RULES, 1, NOON) is None
    assert due(told(900), RULES, 0, NOON) is None


def test_a_clock_that_went_back_is_not_waited_for():
    assert elapsed(NOON, NOON - dt.timedelta(seconds=30)) == 0
    assert elapsed(NOON, NOON - dt.timedelta(days=1)) == float("inf")
    assert due(told(-86_400, lasting=True, severity="warning"), RULES, 1, NOON) == ("repeat", 0)
    assert due(told(-86_400, count=2), RULES, 1, NOON) == ("more", 0)


def test_words():
    title, body = words(alert(count=1_000, session=dt.date(2024, 1, 5)), "first")
    assert title == "ARES7 paper ERROR: drawdown"
    assert body.splitlines()[0] == "1000 of these; the latest: too deep"
    assert body.splitlines()[1].startswith("session 2024-01-05, alert 12 of 2024-01-05T17:00:00 UTC")
    assert "run.py alerts ack 12" in body
    assert words(alert(count=7, told_count=2), "more")[1].startswith("5 more, 7 in all")
    assert words(alert(), "repeat")[1].startswith("still so since 2024-01-05T17:00 UTC")
    assert words(alert(), "escalation")[1].startswith("nobody acknowledged this")
    assert "It was over at" in words(alert(ended_at=NOON), "first")[1]


@pytest.mark.parametrize(("start", "end"), [("22:00", "07:00"), (22 * 60, 7 * 60), ("22:00:00", "07:00:00")])
def test_quiet_hours_last_over_midnight(start, end):
    quiet = AlertsConfig(quiet={"start": start, "end": end}).quiet
    zone = dt.timezone(dt.timedelta(hours=-5))
    assert [quiet.holds(dt.datetime(2024, 1, 5, hour, tzinfo=zone)) for hour in (21, 22, 23, 0, 6, 7, 12)] == [
        False, True, True, True, True, False, False,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        {"quiet": {"start": "22:00", "end": "22:00"}},
        {"quiet": {"start": "22:00", "end": "07:00", "zone": "Mars"}},
        {"quiet": {"start": "22:00+01:00", "end": "07:00"}},
        {"quiet": {"start": 1440, "end": "07:00"}},
        {"daily_loss": 0},
        {"drawdown": 15},
        {"targets": ["A", "A"]},
        {"unknown": 1},
    ],
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValidationError):
        AlertsConfig(**wrong)


@pytest.mark.parametrize(
    "targets",
    [["tgram://123:hunter2/99"], "tgram://123:hunter2/99", [3], ["lower"], ["A", secret_url("x", "mailto")]],
)
def test_a_url_in_the_configuration_is_refused_and_not_shown(targets, tmp_path):
    from ares7.config import load_config
    from ares7.errors import ConfigError
    from tests.monitor.desk import ROOT

    path = tmp_path / "config.yaml"
    path.write_text((ROOT / "config.yaml").read_text().replace("[ARES7_ALERT_URLS]", str(targets)))
    with pytest.raises(ConfigError, match="environment") as caught:
        load_config(path)
    assert "hunter2" not in str(caught.value)
