"""The printed SQL makes a role that reads everything and writes nothing."""

from __future__ import annotations

import psycopg
import pytest

from ares7.database_url import database_path
from ares7.errors import ConfigError
from feeds.database.dumping import dump_folder
from feeds.database.loading import load_folder
from feeds.database.roles import reader_sql
from feeds.database.server import Server
from live.journal.reader import JournalReader
from live.journal.writer import Journal
from tests.database.frames import assert_same_tables
from tests.journal.samples import ACCOUNT, intent

ROLE = "dashboard"
WRITES = [
    "INSERT INTO {} DEFAULT VALUES",
    "UPDATE {} SET {} = {}",
    "DELETE FROM {}",
    "TRUNCATE {}",
    "DROP TABLE {}",
    "ALTER TABLE {} ADD COLUMN x int",
]


@pytest.fixture
def reader(cluster, made, server, url, call):
    load_folder(made, server)
    with Journal.open(url, "paper", ACCOUNT) as journal:
        journal.intent(intent())
    answer = call("data", "role", ROLE, "--json")
    assert answer.code == 0
    cluster.execute(answer.json["sql"])
    yield url.replace("ares7@", f"{ROLE}@")
    cluster.empty_database()
    cluster.execute(f"DROP OWNED BY {ROLE}", f"DROP ROLE {ROLE}")


def test_it_reads_market_data_and_journals(reader, made, tmp_path):
    dump_folder(Server(database_path(reader)), tmp_path / "dump")
    assert_same_tables(made, tmp_path / "dump")
    with JournalReader.open(reader, "paper", ACCOUNT) as journal:
        assert len(journal.refs()) == 1


def tables(url):
    asked = "SELECT schemaname, tablename FROM pg_tables WHERE schemaname LIKE 'ares7%' ORDER BY 1, 2"
    with psycopg.connect(url) as connection:
        return connection.execute(asked).fetchall()


def test_it_writes_nothing_even_when_it_asks_for_a_transaction_that_may(reader):
    found = tables(reader)
    assert {schema for schema, _ in found} == {"ares7_data", "ares7_paper"}
    with psycopg.connect(reader, autocommit=True) as connection:
        assert connection.execute("SHOW default_transaction_read_only").fetchone() == ("on",)
        connection.execute("SET default_transaction_read_only = off")
        for schema, name in found:
            place = psycopg.sql.Identifier(schema, name)
            asked = (
                "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = %s "
                "AND is_identity = 'NO'"
            )
            column = psycopg.sql.Identifier(connection.execute(asked, (schema, name)).fetchone()[0])
            for text in WRITES:
                parts = (place, column, column) if "SET {}" in text else (place, place)[: text.count("{}")]
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    connection.execute(psycopg.sql.SQL(text).format(*parts))
        for statement in (
            "CREATE TABLE ares7_data.mine (x int)",
            "CREATE SCHEMA mine",
            "SELECT nextval('ares7_data.loads_load_seq')",
            "SELECT nextval('ares7_paper.intents_id_seq')",
            "CREATE ROLE other",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


def test_executed_again_it_reads_what_was_made_since(cluster, reader, url):
    with Journal.open(url, "shadow", ACCOUNT):
        pass
    with psycopg.connect(reader) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("SELECT * FROM ares7_shadow.runs")
    cluster.execute(reader_sql(ROLE))
    with psycopg.connect(reader) as connection:
        connection.execute("SELECT * FROM ares7_shadow.runs")


@pytest.mark.parametrize(
    "name", ["", "Upper", "a b", 'a"b', "a;b", "a'b", "1a", "pg_x", "public", "x" * 64, "ä", "a\n"]
)
def test_another_name_is_refused(name):
    with pytest.raises(ConfigError, match="is no name for a role"):
        reader_sql(name)
