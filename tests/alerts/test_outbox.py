"""What is kept, grouped, ended and acknowledged."""

from __future__ import annotations

import datetime as dt
import sqlite3
import stat

import pytest

from ares7.errors import ConfigError, DataError
from live.alerts.event import Event, lasting_alert
from live.alerts.outbox import Outbox, OutboxFailed

NOON = dt.datetime(2024, 1, 5, 17, 0, tzinfo=dt.UTC)


def at(seconds):
    return NOON + dt.timedelta(seconds=seconds)


def rejected(number, seconds=0, code="order-rejected", **more):
    return Event(
        f"journal paper {number}", code, "warning", f"order {number}", at(seconds), mode="paper", **more
    )


def deep(fires=True):
    return lasting_alert("drawdown", "error", "too deep", NOON, mode="paper", fires=fires)


@pytest.fixture
def outbox(tmp_path):
    made = Outbox(tmp_path, NOON)
    yield made
    made.close()


def test_one_event_is_one_alert_however_often_it_is_taken(outbox):
    for _ in range(3):
        outbox.take([rejected(1, journal_id=1)], NOON, 300)
    (alert,) = outbox.alerts()
    assert (alert.code, alert.count, outbox.journal_ids(alert.id)) == ("order-rejected", 1, [("paper", 1)])


def test_a_thousand_are_one(outbox):
    outbox.take([rejected(number, journal_id=number) for number in range(1, 1001)], NOON, 300)
    (alert,) = outbox.alerts()
    assert (alert.count, alert.message) == (1000, "order 1000")
    assert len(outbox.journal_ids(alert.id)) == 1000


def test_events_of_another_code_mode_or_time_are_alerts_of_their_own(outbox):
    outbox.take([rejected(1)], NOON, 300)
    outbox.take([rejected(2, code="limits-refused")], NOON, 300)
    outbox.take([Event("other", "order-rejected", "warning", "x", NOON, mode="real")], NOON, 300)
    outbox.take([rejected(3)], at(299), 300)
    outbox.take([rejected(4)], at(300), 300)
    assert [(a.code, a.mode, a.count) for a in outbox.alerts()] == [
        ("order-rejected", "paper", 2),
        ("limits-refused", "paper", 1),
        ("order-rejected", "real", 1),
        ("order-rejected", "paper", 1),
    ]


def test_what_comes_after_an_acknowledgement_is_new(outbox):
    outbox.take([rejected(1)], NOON, 300)
    assert outbox.ack(1, "op", "seen", NOON)
    assert not outbox.ack(1, "somebody", "", NOON)
    outbox.take([rejected(2)], at(1), 300)
    assert [a.id for a in outbox.alerts()] == [2]
    assert outbox.alerts(every=True)[0].acked_by == "op"
    with pytest.raises(ConfigError, match="no alert 99"):
        outbox.ack(99, "op", "", NOON)


def test_a_state_opens_once_lasts_and_ends(outbox):
    for seconds in (0, 10, 20):
        outbox.take([deep()], at(seconds), 300)
        outbox.end_others([deep()], ["drawdown"], "paper", at(seconds))
    assert len(outbox.alerts(every=True)) == 1
    outbox.end_others([], ["low-sharpe"], "paper", at(30))
    outbox.end_others([], ["drawdown"], "real", at(30))
    assert outbox.alerts()[0].ended_at is None
    outbox.end_others([], ["drawdown"], "paper", at(40))
    assert outbox.alerts() == []
    assert outbox.alerts(every=True)[0].ended_at == at(40)


def test_a_state_that_only_wavers_opens_nothing_and_keeps_open_what_is(outbox):
    assert outbox.take([deep(fires=False)], NOON, 300) == {}
    outbox.take([deep()], at(1), 300)
    outbox.end_others([deep(fires=False)], ["drawdown"], "paper", at(2))
    assert outbox.take([deep(fires=False)], at(3), 300) == {"drawdown paper": 1}


def test_a_state_that_comes_back_at_once_is_the_same_and_later_a_new_one(outbox):
    outbox.take([deep()], NOON, 300)
    outbox.end_others([], ["drawdown"], "paper", at(10))
    assert outbox.take([deep()], at(100), 300) == {"drawdown paper": 1}
    outbox.end_others([], ["drawdown"], "paper", at(110))
    assert outbox.take([deep()], at(500), 300) == {"drawdown paper": 2}
    outbox.ack(2, "op", "", at(501))
    outbox.end_others([], ["drawdown"], "paper", at(510))
    # Somebody has seen the one before, so this is news.
    assert outbox.take([deep()], at(520), 300) == {"drawdown paper": 3}


def test_what_is_older_than_the_outbox_is_kept_and_not_waited_for(outbox):
    outbox.take([rejected(1, seconds=-100_000), rejected(2, seconds=-80_000)], NOON, 0)
    assert [a.count for a in outbox.alerts()] == [1]
    assert [a.message for a in outbox.waiting()] == ["order 2"]
    assert len(outbox.alerts(every=True)) == 2


def test_it_survives_a_restart_and_nobody_else_reads_it(tmp_path):
    first = Outbox(tmp_path, NOON)
    first.take([rejected(1)], NOON, 300)
    first.set_meta("journal paper", "7")
    first.close()
    again = Outbox(tmp_path, at(10**6))
    assert [a.message for a in again.alerts()] == ["order 1"]
    assert (again.meta("journal paper"), again.meta("nothing")) == ("7", "")
    assert stat.S_IMODE(again.path.stat().st_mode) == 0o600
    again.close()


def test_another_version_damage_and_another_program_are_told(tmp_path):
    base = sqlite3.connect(tmp_path / "alerts-outbox.sqlite")
    base.execute("PRAGMA user_version = 9")
    base.close()
    with pytest.raises(DataError, match="version 9"):
        Outbox(tmp_path, NOON)
    (tmp_path / "alerts-outbox.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(OutboxFailed, match="damaged"):
        Outbox(tmp_path, NOON)
    with pytest.raises(OutboxFailed, match="cannot be written"):
        Outbox(tmp_path / "alerts-outbox.sqlite", NOON)


def test_a_full_disk_is_told_and_loses_nothing(tmp_path, outbox):
    outbox.take([rejected(1)], NOON, 300)
    outbox._base.execute(f"PRAGMA max_page_count = {outbox._base.execute('PRAGMA page_count').fetchone()[0]}")
    with pytest.raises(OutboxFailed, match="full"):
        outbox.take([rejected(n, code=f"code-{n}") for n in range(2, 500)], NOON, 300)
    assert [a.message for a in outbox.alerts()] == ["order 1"]
