"""The ledger's file when things go wrong: killed, crowded, damaged, foreign, newer, read-only, disk full."""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import sys
import tempfile
import threading
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pytest

from ares7 import trials_schema
from ares7.errors import DataError, ServiceUnavailable
from ares7.trials import TrialLedger
from tests.faults.trial_examples import DATA, NOW, day, known, trial, write

ROOT = Path(__file__).resolve().parents[2]
CHILD = """
import sys, time
from pathlib import Path
from ares7.trials import TrialLedger
from tests.faults.trial_examples import DATA, NOW, trial, write

def say(text):
    print(text, flush=True)

path = Path(sys.argv[1])
say("ready")
sys.stdin.readline()
"""
MID_BATCH = """
import numpy as np

ledger = TrialLedger(path)
write(ledger, DATA, *(trial(x) for x in range(3)))
# A small cache makes SQLite write out pages of the open transaction, as a batch beyond the cache does.
ledger._connection.execute("PRAGMA cache_size = 5")

def many():
    for x in range(3, 600):
        if x == 500:
            say("in the middle")
            time.sleep(60)
        yield trial(x, first_week="2010-01-04", weekly=np.ones(500, np.float32))

ledger.record(DATA, many(), run="killed", purpose="grid", created=NOW)
"""
ENDLESS = """
ledger = TrialLedger(path)
for batch in range(10**6):
    write(ledger, DATA, *(trial(20 * batch + x) for x in range(20)))
    say(batch)
"""
CROWD = """
with TrialLedger(path) as ledger:
    first = int(sys.argv[2])
    say(sum(write(ledger, DATA, *(trial(x) for x in range(first + i, first + i + 20))) for i in range(0, 60, 10)))
"""


@contextmanager
def child(code, *arguments):
    """Another process that has imported everything and waits for a line before it goes on."""
    command = [sys.executable, "-c", CHILD + code, *map(str, arguments)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def go(process):
    process.stdin.write("\n")
    process.stdin.flush()


def whole(path):
    """Whether SQLite finds every page, index and reference of the file in order."""
    with closing(sqlite3.connect(path)) as connection:
        wrong = connection.execute("PRAGMA foreign_key_check").fetchall()
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)] and not wrong


@pytest.fixture
def path(tmp_path):
    """A ledger of three trials that nobody has open."""
    file = tmp_path / "trials.db"
    with TrialLedger(file) as ledger:
        write(ledger, DATA, *(trial(x) for x in range(3)))
    return file


def test_a_batch_that_is_killed_in_the_middle_leaves_no_trace(tmp_path):
    file = tmp_path / "trials.db"
    with child(MID_BATCH, file) as process:
        go(process)
        assert process.stdout.readline() == "in the middle\n"
        assert (tmp_path / "trials.db-wal").stat().st_size > 300_000  # so pages of it are on the disk
        process.kill()
        process.wait()
    with TrialLedger(file) as ledger:
        assert ledger.family(DATA).count == 3
        assert write(ledger, DATA, *(trial(x) for x in range(600))) == 597
    assert whole(file)


def test_whatever_was_reported_as_recorded_survives_a_kill(tmp_path):
    file, least = tmp_path / "trials.db", 0
    for kill_after in (1, 4, 2):
        with child(ENDLESS, file) as process:
            go(process)
            for _ in range(kill_after):
                least = max(least, 20 * (int(process.stdout.readline()) + 1))
            process.kill()
            process.wait()
        with TrialLedger(file) as ledger:
            count = ledger.family(DATA).count
        assert count >= least
        assert count % 20 == 0
        assert whole(file)


def test_processes_make_one_ledger_at_once_and_lose_and_repeat_nothing(tmp_path):
    file = tmp_path / "trials.db"
    with child(CROWD, file, 0) as one, child(CROWD, file, 30) as two, child(CROWD, file, 60) as three:
        crowd = (one, two, three)
        for process in crowd:
            go(process)
        new = [int(process.stdout.readline()) for process in crowd]
        assert [process.wait(60) for process in crowd] == [0, 0, 0]
    with TrialLedger(file) as ledger:
        assert sum(new) == ledger.family(DATA).count == 60 + 70
    assert whole(file)


def test_an_interrupt_leaves_no_trace_and_the_ledger_usable(path):
    class Interrupted(tuple):
        def __iter__(self):
            yield trial(7)
            raise KeyboardInterrupt

    with TrialLedger(path) as ledger:
        with pytest.raises(KeyboardInterrupt):
            ledger.record(DATA, Interrupted(), run="r", purpose="grid", created=NOW)
        assert len(known(ledger)) == 3
        assert write(ledger, DATA, trial(7)) == 1


def test_a_reader_sees_whole_batches_only(path):
    seen = []

    class Watched(tuple):
        def __iter__(self):
            for x in range(3, 6):
                yield trial(x)
                seen.append(len(known(reader)))

    with TrialLedger(path) as writer, TrialLedger(path) as reader:
        writer.record(DATA, Watched(), run="r", purpose="grid", created=NOW)
        assert seen == [3, 3, 3]
        assert len(known(reader)) == 6


def test_a_locked_ledger_is_a_service_that_is_not_there(path, monkeypatch):
    monkeypatch.setattr(trials_schema, "BUSY_SECONDS", 0.05)
    with TrialLedger(path) as ledger, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ServiceUnavailable, match="locked by another process"):
            write(ledger, DATA, trial(9))
        assert len(known(ledger)) == 3
        other.execute("COMMIT")
        assert write(ledger, DATA, trial(9)) == 1


def test_making_a_ledger_waits_for_a_process_that_makes_it_too(tmp_path):
    # SQLite itself does not wait in this one place: the change of the journal's mode.
    file = tmp_path / "trials.db"
    with closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        release = threading.Timer(0.1, other.execute, ["COMMIT"])
        other.execute("PRAGMA application_id = 0x41375452")
        release.start()
        with TrialLedger(file) as ledger:
            assert write(ledger, DATA, trial()) == 1
        release.join()


# Files that are no ledger, or not any more


def refused(path, says):
    """The error of opening; the file is as it was."""
    before = path.read_bytes()
    with pytest.raises(DataError, match=says) as caught:
        TrialLedger(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    assert path.read_bytes() == before
    return message


def test_a_file_that_is_no_database_is_left_alone(tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("date,nav\n" * 500)
    assert "move this one aside" in refused(file, "not a database")


def test_another_programs_database_is_left_alone(tmp_path):
    file = tmp_path / "other.db"
    with closing(sqlite3.connect(file)) as other:
        other.execute("CREATE TABLE trials (id)")
    refused(file, "database of another program")


def test_a_newer_ledger_is_left_alone(path):
    with closing(sqlite3.connect(path)) as other:
        other.execute(f"PRAGMA user_version = {len(trials_schema.MIGRATIONS) + 1}")
    refused(path, "has version 2, this program knows up to 1; .*update the program")


@pytest.mark.parametrize("keep", [100, 3000, 4096, 20000])
def test_a_truncated_ledger_is_left_alone(path, keep):
    path.write_bytes(path.read_bytes()[:keep])
    refused(path, "malformed|not a database|disk I/O error")


def test_an_empty_file_becomes_a_ledger(tmp_path):
    (tmp_path / "trials.db").touch()
    with TrialLedger(tmp_path / "trials.db") as ledger:
        assert write(ledger, DATA, trial()) == 1


def test_a_damaged_page_is_an_error_when_it_is_met(path):
    text = bytearray(path.read_bytes())
    for page in range(4096, len(text), 4096):
        text[page : page + 4096] = b"\xff" * 4096
    path.write_bytes(text)
    with pytest.raises(DataError, match=r"malformed.*recover"), TrialLedger(path) as ledger:
        ledger.family(DATA)
    assert path.read_bytes() == text


def test_missing_tables_are_an_error(path):
    with closing(sqlite3.connect(path)) as other:
        other.execute("DROP TABLE weekly_returns")
    with TrialLedger(path) as ledger, pytest.raises(DataError, match="no such table: weekly_returns"):
        ledger.family(DATA)


def test_a_folder_is_no_ledger(tmp_path):
    with pytest.raises(DataError, match="name a file in a folder that can be written"):
        TrialLedger(tmp_path)


def test_a_file_in_the_way_of_the_folder_is_an_error(tmp_path):
    (tmp_path / "runs").touch()
    with pytest.raises(DataError, match=r"runs/trials.db cannot be used: "):
        TrialLedger(tmp_path / "runs" / "trials.db")


@pytest.fixture
def guarded():
    """A folder that an ordinary user cannot write; within the test, root is such a user."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)
        Path(folder).chmod(0o755)


@contextmanager
def ordinary_user():
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.parametrize("folder_mode", [0o555, 0o777], ids=["folder", "file"])
def test_a_read_only_ledger_is_an_error(guarded, folder_mode):
    file = guarded / "trials.db"
    with TrialLedger(file) as ledger:
        write(ledger, DATA, trial(1))
    before = file.read_bytes()
    file.chmod(0o444)
    guarded.chmod(folder_mode)
    with ordinary_user(), pytest.raises(DataError, match=r"can be written|allow writing"):
        write(TrialLedger(file), DATA, trial(2))
    guarded.chmod(0o755)
    file.chmod(0o644)
    assert file.read_bytes() == before
    with TrialLedger(file) as ledger:
        assert ledger.family(DATA).count == 1


def test_a_new_ledger_in_a_read_only_folder_is_an_error(guarded):
    guarded.chmod(0o555)
    with ordinary_user(), pytest.raises(DataError, match="can be written"):
        TrialLedger(guarded / "trials.db")
    with ordinary_user(), pytest.raises(DataError, match="Permission denied"):
        TrialLedger(guarded / "new" / "trials.db")
    assert list(guarded.iterdir()) == []


def big(count=300):
    return [trial(x, first_week="2010-01-04", weekly=np.ones(500, np.float32)) for x in range(10, 10 + count)]


@contextmanager
def largest_file(size):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_fills_up_costs_the_batch_and_nothing_else(path):
    with TrialLedger(path) as ledger:
        with largest_file(100_000), pytest.raises(DataError, match="free space on that disk"):
            write(ledger, DATA, *big())
        assert len(known(ledger)) == 3
        assert write(ledger, DATA, *big()) == 300
    assert whole(path)


def test_a_full_database_costs_the_batch_and_nothing_else(path):
    with TrialLedger(path) as ledger:
        ledger._connection.execute("PRAGMA max_page_count = 40")
        with pytest.raises(DataError, match=r"database or disk is full; .*free space"):
            write(ledger, DATA, *big())
        assert len(known(ledger)) == 3
        assert write(ledger, DATA, trial(7)) == 1
    assert whole(path)


# Versions


def test_an_older_ledger_is_brought_to_the_present_version_with_its_rows(path, monkeypatch):
    step = ("ALTER TABLE trials ADD COLUMN note TEXT", "CREATE TABLE notes (id INTEGER PRIMARY KEY)")
    monkeypatch.setattr(trials_schema, "MIGRATIONS", (*trials_schema.MIGRATIONS, step))
    with TrialLedger(path) as ledger:
        assert len(known(ledger)) == 3
        assert write(ledger, DATA, trial(7)) == 1
        ledger.touch("2015", day("2015-01-02"), day("2015-12-31"), DATA, "r", "grid", created=NOW)
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("PRAGMA user_version").fetchone() == (2,)
        assert other.execute("SELECT count(*), count(note) FROM trials").fetchone() == (4, 0)


def test_a_step_that_fails_changes_nothing(path, monkeypatch):
    step = ("CREATE TABLE notes (id)", "ALTER TABLE nowhere ADD COLUMN note TEXT")
    with monkeypatch.context() as patch:
        patch.setattr(trials_schema, "MIGRATIONS", (*trials_schema.MIGRATIONS, step))
        with pytest.raises(DataError, match="nowhere"):
            TrialLedger(path)
    with TrialLedger(path) as ledger:
        assert len(known(ledger)) == 3
    with closing(sqlite3.connect(path)) as other:
        assert other.execute("SELECT count(*) FROM sqlite_master WHERE name = 'notes'").fetchone() == (0,)


def test_the_folder_is_made_and_holds_one_file_once_nobody_has_it_open(tmp_path):
    with TrialLedger(tmp_path / "a" / "b" / "trials.db") as ledger:
        assert write(ledger, DATA, trial()) == 1
        assert ledger.family(DATA).count == 1
    assert [file.name for file in (tmp_path / "a" / "b").iterdir()] == ["trials.db"]
