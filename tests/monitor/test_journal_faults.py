"""A journal that is locked, absent, of another version, or in a database that goes and comes back."""

from __future__ import annotations

import datetime as dt
import sqlite3

import pytest

from live.alerts.outbox import OutboxFailed
from live.journal.rows import Alert, Nav
from live.journal.writer import Journal
from live.monitor.place import JournalPlace
from live.monitor.watch import Watch
from tests import postgres
from tests.monitor.desk import ACCOUNT, Desk

FRIDAY = dt.date(2024, 1, 5)


@pytest.fixture
def desk(script, clock, tmp_path):
    script.close(dt.date(2024, 1, 4))
    script.close(FRIDAY)
    made = Desk(script.folder, clock)
    yield made
    made.close()


def over(desk, clock):
    """The codes after the patience is over, and again when all is well."""
    desk.look()
    assert desk.watch.latest is None
    clock.add(31)
    desk.look()
    return desk.codes()


def test_absent_and_back(desk, script, clock):
    path = script.folder / "journal-paper.sqlite"
    desk.look()
    path.rename(script.folder / "away")
    assert over(desk, clock) == ["journal-unreadable"]
    # What the files say is told all the same.
    desk.line("critical", "stale-data")
    desk.look()
    assert desk.titles()[-1] == "ARES7 CRITICAL: stale-data"
    (script.folder / "away").rename(path)
    desk.look()
    assert desk.codes() == ["stale-data"]
    assert desk.watch.latest is not None


def test_a_short_absence_is_no_alert(desk, script, clock):
    path = script.folder / "journal-paper.sqlite"
    path.rename(script.folder / "away")
    desk.look()
    clock.add(29)
    desk.look()
    (script.folder / "away").rename(path)
    desk.look()
    assert desk.codes(every=True) == []


def test_damaged(desk, script, clock):
    desk.look()
    script.journal.close()
    path = script.folder / "journal-paper.sqlite"
    for left in script.folder.glob("journal-paper.sqlite*"):
        left.rename(script.folder / f"away-{left.name}")
    path.write_bytes(b"nonsense" * 1000)
    assert over(desk, clock) == ["journal-unreadable"]
    assert "damaged" in desk.outbox.alerts()[0].message


def test_of_another_version(desk, script, clock):
    desk.look()
    script.journal.close()
    base = sqlite3.connect(script.folder / "journal-paper.sqlite")
    base.execute(
        "INSERT INTO schema_versions (id, at, version) VALUES (99, '2024-01-05T00:00:00.000000Z', 99)"
    )
    base.commit()
    base.close()
    desk.watch.close()
    again = Desk(script.folder, clock)
    assert over(again, clock) == ["journal-unreadable"]
    assert "99" in again.outbox.alerts()[0].message
    again.close()


def test_locked_as_a_whole(desk, script, clock, monkeypatch):
    import live.journal.database

    monkeypatch.setattr(live.journal.database, "BUSY_S", 0.1)
    script.journal.close()
    holder = sqlite3.connect(script.folder / "journal-paper.sqlite", isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    assert over(desk, clock) == ["journal-unreadable"]
    holder.execute("ROLLBACK")
    holder.close()
    clock.add(60)
    desk.look()
    assert desk.codes() == []


def test_a_runner_that_writes_is_not_in_the_way(desk, script, clock):
    with script.journal._database.transaction():
        desk.look()
        assert desk.watch.latest.money.session == FRIDAY


def test_a_value_that_is_no_number(desk, script, clock):
    desk.look()
    base = sqlite3.connect(script.folder / "journal-paper.sqlite")
    base.execute(
        "INSERT INTO navs (at, session, kind, nav_usd, source) "
        "VALUES ('2024-01-08T21:00:00.000000Z', '2024-01-08', 'close', 9e999, 'gateway')"
    )
    base.commit()
    base.close()
    assert over(desk, clock) == ["journal-unreadable"]
    assert "nav_usd is inf" in desk.outbox.alerts()[0].message


def test_rows_that_nobody_foresaw_do_not_silence_the_rest(desk, script, clock, monkeypatch):
    import live.monitor.watch

    def surprised(*_, **__):
        raise KeyError("mix")

    monkeypatch.setattr(live.monitor.watch, "snapshot_of", surprised)
    script.alert("error", "gateway-outage")
    desk.look()
    assert desk.codes() == ["gateway-outage", "figures-unknown"]
    monkeypatch.undo()
    clock.add(20)
    desk.look()
    assert desk.codes() == ["gateway-outage"]


def test_a_disk_that_is_full_for_the_outbox_is_told_once(desk, script, clock, monkeypatch):
    def full(*_):
        raise OutboxFailed("alert outbox is full")

    script.alert("error", "gateway-outage")
    monkeypatch.setattr(desk.outbox, "take", full)
    desk.look()
    desk.look()
    assert [line for line in desk.said if "full" in line] == ["alert outbox is full"]
    monkeypatch.undo()
    desk.look()
    assert desk.titles() == ["ARES7 paper ERROR: gateway-outage"]


@pytest.mark.skipif(postgres.binaries() is None, reason="no PostgreSQL server: apt-get install postgresql")
def test_a_database_that_goes_and_comes_back(tmp_path, clock):
    with postgres.running() as server:
        url = server.url()
        with Journal.open(url, "paper", ACCOUNT, clock=clock) as journal:
            journal.nav(Nav(dt.date(2024, 1, 4), "close", 1e6))
            journal.nav(Nav(FRIDAY, "close", 0.97e6))
            number = journal.alert(Alert("error", "gateway-outage", "x"))
            journal.ack(number, "op")
        desk = Desk(tmp_path, clock)
        desk.watch = Watch(
            desk.config, JournalPlace(url, "paper"), desk.outbox, desk.dispatcher, clock, desk.said.append
        )
        desk.look()
        assert sorted(desk.codes()) == ["daily-loss"]
        clock.add(20)
        server.stop()
        assert over(desk, clock) == ["daily-loss", "journal-unreadable"]
        server.start()
        clock.add(20)
        desk.look()
        assert desk.codes() == ["daily-loss"]
        assert len(desk.phones[0].got) == 2
        desk.close()
