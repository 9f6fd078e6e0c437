"""What the journal confirmed is there, whatever happens to the process, the disk or the server."""

from __future__ import annotations

import itertools
import json
import os
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from live.journal import database as database_module
from live.journal.failures import (
    JournalDamaged,
    JournalInUse,
    JournalUnavailable,
    RowRefused,
)
from live.journal.operator_journal import OperatorJournal
from live.journal.place import parse
from live.journal.reader import JournalReader
from live.journal.rows import Alert, Heartbeat, WireEvent
from live.journal.schema import metadata
from live.journal.trouble import translate
from live.journal.writer import Journal
from tests.journal.samples import AAPL, ACCOUNT, STEPS, adjustment, intent, ref, write
from tests.journal.test_versions import engine
from tests.journal.victim import opened as reopened

ROOT = Path(__file__).resolve().parents[2]


def file_of(url):
    return Path(url.removeprefix("sqlite:///"))


def counts(url):
    """Rows of every table, read beside the program."""
    asked = " UNION ALL ".join(f"SELECT '{name}', COUNT(*) FROM {name}" for name in metadata.tables)  # noqa: S608
    with engine(url).connect() as connection:
        return dict(connection.exec_driver_sql(asked).all())


# Kills


def test_a_runner_that_is_killed_before_a_commit_wrote_nothing_and_after_it_everything(url, victims):
    Journal.open(url, "paper", ACCOUNT).close()
    grown = set()
    for number, step in enumerate(STEPS):
        before = counts(url)
        assert victims.kill(f"{number} before")
        assert counts(url) == before, step
        assert victims.kill(f"{number} after")
        after = counts(url)
        changed = {name for name in after if after[name] != before[name]}
        assert changed, step
        grown |= changed
    assert grown == set(metadata.tables) - {"identity", "schema_versions"}
    with JournalReader.open(url, "paper", ACCOUNT) as reader:
        assert reader.positions()[AAPL].shares == 400.0
    with reopened(url) as journal:
        assert journal.refs() == {ref()}
        assert journal.order(ref()).stage == "filled"
        assert journal.positions()[AAPL].shares == 400.0


def test_a_runner_that_is_killed_while_it_makes_the_journal_leaves_one_that_can_be_made(url, victims):
    assert victims.kill("migrate")
    with reopened(url) as journal:
        journal.intent(intent())
    assert counts(url)["intents"] == 1


def test_the_databases_are_told_to_wait_for_the_disk(journal, database):
    with journal._database.reading() as connection:
        ask = lambda text: connection.exec_driver_sql(text).scalar()
        if database == "sqlite":
            settings = ask("PRAGMA journal_mode"), ask("PRAGMA synchronous"), ask("PRAGMA foreign_keys")
            assert settings == ("wal", 2, 1)
        else:
            assert (ask("SHOW synchronous_commit"), ask("SHOW fsync")) == ("on", "on")


def test_a_server_that_does_not_wait_for_the_disk_is_refused(postgres_server):
    url = postgres_server.empty_database()
    postgres_server.execute("ALTER SYSTEM SET fsync = off", "SELECT pg_reload_conf()")
    try:
        with pytest.raises(JournalUnavailable, match="fsync off"):
            Journal.open(url, "paper", ACCOUNT)
    finally:
        postgres_server.execute("ALTER SYSTEM RESET fsync", "SELECT pg_reload_conf()")


# One writer


def test_a_second_writer_is_refused_and_readers_and_operators_are_not(journal, url):
    with pytest.raises(JournalInUse, match="another runner"):
        Journal.open(url, "paper", ACCOUNT)
    journal.intent(intent())
    with (
        JournalReader.open(url, "paper", ACCOUNT) as reader,
        OperatorJournal.open(url, "paper", ACCOUNT) as operator,
    ):
        operator.halt("HALT", "operator")
        assert (reader.refs(), reader.halt_level(), journal.halt_level()) == ({ref()}, "HALT", "HALT")
        journal.alert(Alert("info", "code", "text"))
        assert len(reader.alerts()) == len(operator.alerts()) == 1


def test_a_refused_second_writer_takes_no_lock_from_the_first(journal, url, victims):
    for _ in range(2):
        with pytest.raises(JournalInUse):
            Journal.open(url, "paper", ACCOUNT)
    journal.intent(intent())
    with JournalReader.open(url, "paper", ACCOUNT) as reader:
        assert reader.refs() == {ref()}


def test_a_writer_in_another_process_is_named_and_its_lock_ends_with_it(url, victims):
    Journal.open(url, "paper", ACCOUNT).close()
    victims.say("hold")
    assert victims.hear() == "open"
    with pytest.raises(JournalInUse, match=r"process \d+"):
        Journal.open(url, "paper", ACCOUNT)
    with JournalReader.open(url, "paper", ACCOUNT) as reader:
        assert reader.refs() == set()
    children = Path(f"/proc/{victims.process.pid}/task/{victims.process.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGKILL)
    assert victims.hear() == str(int(signal.SIGKILL))
    reopened(url).close()


def test_a_closed_journal_frees_its_lock_and_writes_no_more(url):
    journal = Journal.open(url, "paper", ACCOUNT)
    journal.close()
    journal.close()
    with pytest.raises(JournalUnavailable, match="start again"):
        journal.intent(intent())
    with Journal.open(url, "paper", ACCOUNT) as second:
        assert second.refs() == set()


def test_threads_share_a_journal(journal):
    def work(first):
        for number in range(first, first + 20):
            journal.intent(intent(number=number))
            journal.wire(WireEvent("notice", number))

    threads = [threading.Thread(target=work, args=(first,)) for first in (1, 21, 41)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(journal.working()) == len(journal.wire_events()) == 60


def test_two_operators_cannot_adopt_the_same_shares_twice(url):
    Journal.open(url, "paper", ACCOUNT).close()
    outcomes = []

    def adopt():
        with OperatorJournal.open(url, "paper", ACCOUNT) as operator:
            try:
                operator.adopt(adjustment(10.0))
                outcomes.append("adopted")
            except RowRefused:
                outcomes.append("refused")

    threads = [threading.Thread(target=adopt) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["adopted", "refused", "refused", "refused"]


# Append-only


def changes(name, postgresql):
    """Statements that would change what a table holds."""
    columns = ", ".join(column.name for column in metadata.tables[name].columns)
    copied = f"INTO {name} ({columns}) SELECT {columns} FROM {name}"  # noqa: S608
    found = [f"UPDATE {name} SET id = id", f"DELETE FROM {name}"]  # noqa: S608
    if postgresql:
        return [*found, f"TRUNCATE {name} CASCADE", f"INSERT {copied} ON CONFLICT (id) DO UPDATE SET id = 1"]
    return [*found, f"INSERT OR REPLACE {copied}", f"REPLACE {copied}"]


def test_no_table_can_be_changed(journal, url, database):
    for step in STEPS:
        write(journal, step)
    before = counts(url)
    assert min(before.values()) >= 1
    for name in metadata.tables:
        for statement in changes(name, database == "postgresql"):
            with pytest.raises(sa.exc.DBAPIError, match="append-only"), engine(url).begin() as connection:
                connection.exec_driver_sql(statement)
    assert counts(url) == before


def test_a_row_that_replaces_another_under_its_unique_key_is_refused(tmp_path):
    url = f"sqlite:///{tmp_path}/journal.sqlite"
    columns = [column.name for column in metadata.tables["intents"].columns]
    other = ", ".join("99" if name == "id" else name for name in columns)
    with Journal.open(url, "paper", ACCOUNT) as journal:
        journal.intent(intent())
        statement = f"INSERT OR REPLACE INTO intents ({', '.join(columns)}) SELECT {other} FROM intents"  # noqa: S608
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), engine(url).begin() as connection:
            connection.exec_driver_sql(statement)


def test_a_reader_cannot_write(journal, url):
    reader = JournalReader.open(url, "paper", ACCOUNT)
    with (
        reader,
        pytest.raises((JournalUnavailable, RowRefused)),
        reader._database.reading() as connection,
    ):
        connection.exec_driver_sql(
            "INSERT INTO halts (at, level, who, reason) VALUES ('2024-01-01', 'NONE', '', '')"
        )
    assert journal.latest_halt() is None


# Disk


def write_for_ever(journal):
    for number in itertools.count(1):
        journal.intent(intent(number=number))


@contextmanager
def limited(journal, pages_more):
    """Let SQLite's file grow by a few pages only: what it then reports is what a full disk makes it report."""
    connection = journal._database._connection.connection.driver_connection
    used = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {used + pages_more}")
    yield
    # The next connection of the journal has no limit.


def test_a_full_disk_is_one_clear_error_and_loses_nothing(tmp_path):
    url = f"sqlite:///{tmp_path}/journal.sqlite"
    with Journal.open(url, "paper", ACCOUNT) as journal:
        with limited(journal, 5), pytest.raises(JournalUnavailable, match="disk is full"):
            write_for_ever(journal)
        written = len(journal.refs())
        assert written > 10
        journal.intent(intent(number=written + 1))
    with JournalReader.open(url, "paper", ACCOUNT) as reader:
        assert reader.refs() == {ref(number=number) for number in range(1, written + 2)}


FILLING = """
import json, resource, signal, sys
from live.journal.failures import JournalUnavailable
from live.journal.writer import Journal
from tests.journal.samples import ACCOUNT, intent
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
journal = Journal.open(sys.argv[1], "paper", ACCOUNT)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
written, said = 0, ""
try:
    for number in range(1, 10_000):
        journal.intent(intent(number=number))
        written = number
except JournalUnavailable as error:
    said = str(error)
print(json.dumps([written, said]))
"""


def test_a_write_that_the_operating_system_refuses_loses_nothing(tmp_path):
    url = f"sqlite:///{tmp_path}/journal.sqlite"
    Journal.open(url, "paper", ACCOUNT).close()
    limit = 2 * resource.getpagesize() * 100
    done = subprocess.run(
        [sys.executable, "-c", FILLING, url, str(limit)], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    written, said = json.loads(done.stdout)
    assert written > 10, done.stderr
    assert "disk" in said
    with Journal.open(url, "paper", ACCOUNT) as journal:
        assert journal.refs() >= {ref(number=number) for number in range(1, written + 1)}
        assert len(journal.refs()) <= written + 1


def test_only_the_owner_may_read_the_files(tmp_path):
    url = f"sqlite:///{tmp_path}/new/folder/journal.sqlite"
    with Journal.open(url, "paper", ACCOUNT) as journal:
        journal.intent(intent())
        names = sorted(path.name for path in file_of(url).parent.iterdir())
        assert names == ["journal.sqlite", *(f"journal.sqlite{end}" for end in ("-shm", "-wal", ".lock"))]
        for path in file_of(url).parent.iterdir():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


@pytest.fixture
def unprivileged():
    """Run as a user whom the rights of files bind."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def locked_folder(tmp_path):
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    folder = tmp_path / "read-only"
    folder.mkdir()
    folder.chmod(0o555)
    return folder


def test_a_folder_that_cannot_be_written_is_one_clear_error(locked_folder, unprivileged):
    for place in (locked_folder / "journal.sqlite", locked_folder / "more" / "journal.sqlite"):
        with pytest.raises(JournalUnavailable, match=r"may write|cannot be written"):
            Journal.open(f"sqlite:///{place}", "paper", ACCOUNT)


def test_a_file_that_cannot_be_written_is_one_clear_error(tmp_path, request):
    url = f"sqlite:///{tmp_path}/journal.sqlite"
    Journal.open(url, "paper", ACCOUNT).close()
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    tmp_path.chmod(0o777)
    file_of(url).chmod(0o444)
    (tmp_path / "journal.sqlite.lock").chmod(0o666)
    request.getfixturevalue("unprivileged")
    with pytest.raises(JournalUnavailable, match="cannot be written"):
        Journal.open(url, "paper", ACCOUNT)


# Damage


def damaged(path, where, data):
    with path.open("r+b") as file:
        file.seek(where)
        file.write(data)


@pytest.mark.parametrize("damage", ["header", "pages", "cut", "text"])
def test_a_damaged_file_is_one_clear_error(tmp_path, damage):
    url = f"sqlite:///{tmp_path}/journal.sqlite"
    with Journal.open(url, "paper", ACCOUNT) as journal:
        for number in range(1, 100):
            journal.intent(intent(number=number))
    path = file_of(url)
    size = path.stat().st_size
    if damage == "header":
        damaged(path, 0, b"x" * 100)
    elif damage == "pages":
        damaged(path, 4096, b"\xff" * (size - 4096))
    elif damage == "cut":
        os.truncate(path, size // 2)
    else:
        path.write_text("this is no journal\n" * 100)
    with pytest.raises(JournalDamaged, match="restore the latest copy"):
        Journal.open(url, "paper", ACCOUNT)


def test_a_journal_that_is_damaged_while_it_is_open_is_one_clear_error(tmp_path):
    url = f"sqlite:///{tmp_path}/journal.sqlite"
    with Journal.open(url, "paper", ACCOUNT) as journal:
        for number in range(1, 100):
            journal.intent(intent(number=number))
    reader = JournalReader.open(url, "paper", ACCOUNT)
    damaged(file_of(url), 4096, b"\xff" * (file_of(url).stat().st_size - 4096))
    with reader, pytest.raises(JournalDamaged):
        reader.orders()


# Other programs


def test_a_journal_that_another_program_holds_is_one_clear_error_and_then_goes_on(url, database, monkeypatch):
    monkeypatch.setattr(database_module, "BUSY_S", 0.1)
    monkeypatch.setitem(database_module.SERVER_OPTIONS, "lock_timeout", "100ms")
    hold = "BEGIN IMMEDIATE" if database == "sqlite" else "LOCK TABLE ares7_paper.intents IN EXCLUSIVE MODE"
    with Journal.open(url, "paper", ACCOUNT) as journal:
        other = engine(url).connect()
        other.exec_driver_sql(hold)
        operator = OperatorJournal.open(url, "paper", ACCOUNT)
        with operator, pytest.raises(JournalUnavailable, match="holds it locked"):
            operator._append(intent(number=2))
        with pytest.raises(JournalUnavailable, match="holds it locked"):
            journal.intent(intent())
        other.rollback()
        other.close()
        journal.intent(intent())
        assert journal.refs() == {ref()}


def test_halting_does_not_wait_for_a_runner_that_hangs_in_a_transaction(postgres_server):
    url = postgres_server.empty_database()
    with (
        Journal.open(url, "paper", ACCOUNT) as journal,
        OperatorJournal.open(url, "paper", ACCOUNT) as operator,
        journal._database.transaction(),
    ):
        operator.halt("FLATTEN", "operator", "it hangs")
        assert operator.halt_level() == "FLATTEN"


def test_a_signal_handler_in_the_middle_of_a_transaction_is_refused_and_breaks_nothing(journal):
    with journal._database.transaction() as connection:
        with pytest.raises(JournalUnavailable, match="signal handler"):
            journal.halt("HALT", "signal")
        journal._insert(connection, intent())
    assert journal.refs() == {ref()}


# The server


def test_a_writer_that_loses_its_connection_stops_for_it_lost_its_lock(postgres_server):
    url = postgres_server.empty_database()
    with Journal.open(url, "paper", ACCOUNT) as journal:
        journal.intent(intent())
        with JournalReader.open(url, "paper", ACCOUNT) as reader:
            postgres_server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name LIKE 'ares7 paper%' AND pid <> pg_backend_pid()"
            )
            with pytest.raises(JournalUnavailable):
                reader.refs()
            assert reader.refs() == {ref()}
        for _ in range(2):
            with pytest.raises(JournalUnavailable, match="start"):
                journal.intent(intent(number=2))
        with Journal.open(url, "paper", ACCOUNT) as again:
            assert again.refs() == {ref()}


def test_a_server_that_crashes_keeps_what_was_confirmed(postgres_server):
    url = postgres_server.empty_database()
    journal = Journal.open(url, "paper", ACCOUNT)
    journal.intent(intent())
    journal.heartbeat(Heartbeat("waiting", 1))
    postgres_server.stop()
    try:
        with pytest.raises(JournalUnavailable, match="the server does not answer"):
            journal.intent(intent(number=2))
        with pytest.raises(JournalUnavailable, match="the server does not answer"):
            Journal.open(url, "paper", ACCOUNT)
    finally:
        postgres_server.start()
    journal.close()
    with Journal.open(url, "paper", ACCOUNT) as again:
        assert again.refs() == {ref()}
        again.intent(intent(number=2))


@pytest.mark.parametrize(
    ("original", "kind", "says"),
    [
        (psycopg.errors.DiskFull("could not extend file"), JournalUnavailable, "disk is full"),
        (psycopg.errors.ReadOnlySqlTransaction("read-only"), JournalUnavailable, "primary server"),
        (psycopg.errors.InsufficientPrivilege("denied"), JournalUnavailable, "grant CREATE"),
        (psycopg.errors.DataCorrupted("invalid page"), JournalDamaged, "restore"),
        (psycopg.errors.NotNullViolation("null value"), RowRefused, "null value"),
        (psycopg.OperationalError("connection refused"), JournalUnavailable, "start it"),
        (sqlite3.OperationalError("out of memory"), JournalUnavailable, "out of memory"),
    ],
)
def test_errors_of_the_databases_are_said_in_one_way(original, kind, says):
    error = sa.exc.OperationalError("INSERT INTO intents ...", {"account": ACCOUNT}, original)
    made = translate(error, parse("postgresql://me:hidden@host/db", "paper"))  # pragma: allowlist secret
    assert isinstance(made, kind)
    assert says in str(made)
    assert ACCOUNT not in str(made)
    assert "hidden" not in str(made)
