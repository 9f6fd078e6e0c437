"""A load that is killed, or whose server is killed or full, leaves nothing of it; the next one goes on."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from ares7.errors import ServiceUnavailable
from feeds.database.dumping import dump_folder
from feeds.database.loading import load_folder
from feeds.database.server import OPTIONS
from tests.database.frames import assert_same_tables, bend

ROOT = Path(__file__).resolve().parents[2]
TABLES = ["prices", "market", "fundamentals", "earnings", "membership", "symbols"]


@contextmanager
def loading(folder, url, stop_after):
    """A process in the middle of a load, when a table is in its transaction."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.database.loader", str(folder), url, stop_after],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline().strip() == stop_after, process.stderr.read()
        yield process
    finally:
        process.kill()
        process.communicate(timeout=30)


def rows(url):
    """Rows of every table; None without the schema."""
    count = sql.SQL("SELECT count(*) FROM {}")
    with psycopg.connect(url) as connection:
        names = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'ares7_data'"
        ).fetchall()
        return {
            name: connection.execute(count.format(sql.Identifier("ares7_data", name))).fetchone()[0]
            for (name,) in names
        } or None


def wait_for_no_lock(url):
    """Until the server has seen that a client is gone."""
    deadline = time.monotonic() + 20
    with psycopg.connect(url, autocommit=True) as connection:
        while connection.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone()[0]:
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.mark.parametrize("stop_after", TABLES)
def test_a_killed_first_load_leaves_nothing(made, server, url, stop_after, tmp_path):
    with loading(made, url, stop_after) as process:
        process.kill()
        process.wait(30)
        wait_for_no_lock(url)
        assert rows(url) is None
    load_folder(made, server)
    dump_folder(server, tmp_path / "dump")
    assert_same_tables(made, tmp_path / "dump")


@pytest.mark.parametrize("stop_after", ["prices", "symbols"])
def test_a_killed_later_load_leaves_what_was_there(made, market, server, url, stop_after, tmp_path):
    first = load_folder(made, server)
    bend(market, "prices", lambda frame: frame.assign(adj_close=frame["adj_close"] * 0.99))
    bend(market, "earnings", lambda frame: frame.drop(index=frame.groupby("symbol").nth(5).index))
    with loading(market, url, stop_after) as process:
        process.kill()
        process.wait(30)
        wait_for_no_lock(url)
    dump_folder(server, tmp_path / "dump")
    assert_same_tables(made, tmp_path / "dump")
    assert load_folder(made, server).content == first.content
    load_folder(market, server, replace=True)
    dump_folder(server, tmp_path / "new")
    assert_same_tables(market, tmp_path / "new")


def test_a_server_that_is_killed_takes_the_load_with_it(cluster, made, market, server, url, tmp_path):
    load_folder(made, server)
    bend(market, "prices", lambda frame: frame.assign(close=frame["close"] * 1.01))
    with loading(market, url, "prices") as process:
        cluster.stop()
        out, err = process.communicate("\n", timeout=60)
        assert process.returncode != 0
        assert "ServiceUnavailable" in err
        assert "does not answer" in err
        assert "done" not in out
    cluster.start()
    dump_folder(server, tmp_path / "dump")
    assert_same_tables(made, tmp_path / "dump")
    assert not load_folder(market, server, replace=True).refused


def test_a_reader_in_the_middle_of_a_load_sees_what_was_there(made, market, server, url, tmp_path):
    load_folder(made, server)
    bend(market, "prices", lambda frame: frame.assign(close=frame["close"] * 1.01))
    with loading(market, url, "symbols"):
        dump_folder(server, tmp_path / "dump")
    assert_same_tables(made, tmp_path / "dump")


def test_a_second_load_at_once_waits_and_then_says_so(made, server, url, monkeypatch):
    load_folder(made, server)
    monkeypatch.setitem(OPTIONS, "lock_timeout", "200ms")
    with loading(made, url, "prices"), pytest.raises(ServiceUnavailable, match="locked"):
        load_folder(made, server)


def test_a_disk_that_is_full_in_the_middle_leaves_nothing(cluster, made, server, url):
    """A tablespace on a file system of one megabyte."""
    if os.geteuid() != 0:
        pytest.skip("only root may make a small file system")
    small = cluster.home / "small"
    small.mkdir(exist_ok=True)
    owner = 0 if cluster.user is None else pwd.getpwnam(cluster.user).pw_uid
    size = f"size=1m,mode=0700,uid={owner}"
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", size, "tmpfs", small], capture_output=True, check=False
    ).returncode:
        pytest.skip("no file system can be made here")
    try:
        cluster.execute(
            f"CREATE TABLESPACE small LOCATION '{small}'", "ALTER ROLE ares7 SET default_tablespace = small"
        )
        with pytest.raises(ServiceUnavailable, match="its disk is full; free space there"):
            load_folder(made, server)
        assert rows(url) is None
    finally:
        cluster.execute("ALTER ROLE ares7 RESET default_tablespace", "DROP TABLESPACE IF EXISTS small")
        subprocess.run(["umount", small], check=True)
    assert load_folder(made, server).number == 1
