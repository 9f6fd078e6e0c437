"""Whatever is wrong with the database is one clear error with an exit code, never a traceback or a password."""

from __future__ import annotations

import os

import psycopg
import pytest

from feeds.database.loading import load_folder
from tests.database.frames import bend

VERBS = ("load", "dump", "check", "backtest")


def arguments(verb, url, made, tmp_path):
    return {
        "load": ("data", "load", made, "--to", url),
        "dump": ("data", "dump", tmp_path / "dump", "--from", url),
        "check": ("data", "check", url),
        "backtest": ("backtest", "--strategy", "equal_weight", "--data", url, "--set", "runs.report=false"),
    }[verb]


@pytest.fixture
def refused(call, made, tmp_path):
    """Run a verb; return its one line."""

    def run(verb, url, code):
        answer = call(*arguments(verb, url, made, tmp_path))
        lines = [line for line in answer.err.splitlines() if not line.startswith("loading data")]
        assert (answer.code, len(lines)) == (code, 1), answer
        assert lines[0].startswith("error: ")
        assert "Traceback" not in answer.out + answer.err
        assert not list(tmp_path.glob("runs/*"))
        assert not (tmp_path / "dump").exists()
        return lines[0]

    return run


@pytest.mark.parametrize("verb", VERBS)
def test_a_server_that_is_away(cluster, url, refused, verb):
    cluster.stop()
    assert "the server does not answer" in refused(verb, url, 3)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("part", ["user:{}@", "user@host/d?password={}&x=", "user@host/d?sslPassword={}&x="])
def test_a_password_in_a_url_is_refused_and_never_shown(refused, verb, part):
    word = os.urandom(8).hex()
    line = refused(verb, f"postgresql://{part.format(word)}host/database", 2)
    assert "holds a password; take it out of the URL" in line
    assert "PGPASSWORD" in line
    assert word not in line


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://host/database", "is no database of PostgreSQL and no folder"),
        ("postgresql://user@host", "names no database"),
        ("postgresql://user@host:port/d", "cannot be read as a URL"),
    ],
)
def test_another_url(refused, verb, url, said):
    assert said in refused(verb, url, 2)


@pytest.mark.parametrize("verb", VERBS)
def test_a_wrong_password(cluster, url, refused, verb, monkeypatch):
    rules = cluster.home / "data" / "pg_hba.conf"
    before = rules.read_text()
    word = os.urandom(8).hex()
    try:
        rules.write_text("local all locked scram-sha-256\n" + before)
        cluster.execute(
            "SELECT pg_reload_conf()", f"CREATE ROLE locked LOGIN PASSWORD '{os.urandom(8).hex()}'"
        )
        monkeypatch.setenv("PGPASSWORD", word)
        line = refused(verb, url.replace("ares7@", "locked@"), 3)
        assert "PGPASSWORD" in line
        assert "authentication failed" in line
        assert word not in line
    finally:
        rules.write_text(before)
        monkeypatch.delenv("PGPASSWORD", raising=False)
        cluster.execute("SELECT pg_reload_conf()", "DROP ROLE IF EXISTS locked")


@pytest.mark.parametrize("verb", VERBS)
def test_no_such_database(url, refused, verb):
    assert "does not exist" in refused(verb, url.replace("/postgres?", "/nowhere?"), 3)


@pytest.mark.parametrize("verb", VERBS[1:])
def test_nothing_loaded_yet(url, refused, verb):
    assert "holds no market data; load it: python run.py data load" in refused(verb, url, 2)


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE ares7_data.state SET version = 99", "update this program"),
        ("DELETE FROM ares7_data.state", "is empty; drop the schema and load again"),
        (
            "DROP TABLE ares7_data.earnings",
            "a table of ares7_data is missing; drop the schema and load again",
        ),
        ("ALTER TABLE ares7_data.prices DROP COLUMN close", "a column of ares7_data is missing"),
        ("DROP TABLE ares7_data.state", "holds tables of another program"),
    ],
)
def test_a_schema_that_is_not_as_it_was_made(cluster, made, server, url, refused, verb, statement, said):
    load_folder(made, server)
    cluster.execute(statement)
    assert said in refused(verb, url, 2)


@pytest.mark.parametrize("verb", VERBS[1:])
def test_an_earlier_version_asks_for_a_load(cluster, made, server, url, refused, verb):
    load_folder(made, server)
    cluster.execute("UPDATE ares7_data.state SET version = 0")
    assert "load once, which migrates it" in refused(verb, url, 2)


def test_an_earlier_version_is_migrated_by_a_load(cluster, made, server, monkeypatch):
    from feeds.database import migrate

    load_folder(made, server)
    cluster.execute(
        "UPDATE ares7_data.state SET version = 0", "ALTER TABLE ares7_data.loads DROP COLUMN host"
    )
    statement = "ALTER TABLE ares7_data.loads ADD COLUMN host text NOT NULL DEFAULT ''"
    monkeypatch.setitem(migrate.MIGRATIONS, 1, lambda connection: connection.exec_driver_sql(statement))
    assert load_folder(made, server).number == 2


def test_a_server_that_takes_no_writes(cluster, made, server, url, refused, call):
    load_folder(made, server)
    try:
        cluster.execute("ALTER ROLE ares7 SET default_transaction_read_only = on")
        assert "it takes no writes" in refused("load", url, 3)
        assert call("data", "check", url).code == 0
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute("ALTER ROLE ares7 RESET default_transaction_read_only")


def test_a_user_without_rights(cluster, made, server, url, refused):
    load_folder(made, server)
    cluster.execute("CREATE ROLE stranger LOGIN")
    try:
        for verb in VERBS:
            assert "the database user may not do this" in refused(verb, url.replace("ares7@", "stranger@"), 2)
    finally:
        cluster.execute("DROP ROLE stranger")


def test_a_vendors_layout_is_that_of_files(url, call):
    answer = call("backtest", "--data", url, "--set", "data.layout=yfinance_multi")
    assert answer.code == 2
    assert "a database is read with layout: canonical" in answer.err


def test_a_simulated_account_reads_folders_only(made, server, url, call, tmp_path):
    load_folder(made, server)
    answer = call(
        "paper", "--simulated", "--once", "--data", url, "--set", f"halt.folder={tmp_path / 'halt'}"
    )
    assert answer.code == 2
    assert "this command reads folders; make one and name it: python run.py data dump" in answer.err


def test_a_refused_load_lists_what_differs_and_exits_with_1(made, market, url, call):
    assert call("data", "load", made, "--to", url).code == 0
    bend(market, "prices", lambda frame: frame.assign(close=frame["close"] * 1.01))
    answer = call("data", "load", market, "--to", url, "--json")
    assert answer.code == 1
    assert answer.json["load"] is None
    assert [finding["code"] for finding in answer.json["findings"]] == ["changed-past"]
    assert answer.json["tables"]["prices"]["changed"] == answer.json["findings"][0]["count"]
    shown = call("data", "load", market, "--to", url)
    assert shown.code == 1
    assert "S001 755" in shown.out
    assert "nothing was loaded" in shown.out
    meant = call("data", "load", market, "--to", url, "--replace", "--json")
    assert meant.code == 0
    assert meant.json["load"] > 1
    assert meant.json["findings"][0]["severity"] == "warning"


def test_a_missing_driver_is_one_clear_error(refused, url, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "psycopg", None)
    for verb in VERBS:
        assert 'pip install -e ".[postgres]"' in refused(verb, url, 2)
