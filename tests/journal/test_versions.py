"""A journal of an earlier version becomes one of the present; others are refused, each with one clear error."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa

from ares7.errors import ConfigError, MissingData
from live.journal import migrate, schema
from live.journal.failures import JournalVersion, WrongJournal
from live.journal.reader import JournalReader
from live.journal.schema import VERSION
from live.journal.views import VIEWS
from live.journal.writer import Journal
from tests.journal.samples import (
    AAPL,
    ACCOUNT,
    MSFT,
    NOON,
    REBALANCE,
    STEPS,
    Ticking,
    decision,
    fill,
    intent,
    rebalance,
    ref,
    write,
)
from tests.journal.test_journal import same
from tests.journal.victim import opened as reopened

HERE = Path(__file__).parent
ENGINES = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg"}


def engine(url):
    driver, rest = url.split("://", 1)
    searched = {} if driver == "sqlite" else {"options": "-c search_path=ares7_paper"}
    return sa.create_engine(f"{ENGINES[driver]}://{rest}", connect_args=searched, poolclass=sa.NullPool)


@pytest.fixture
def version_1(database, url):
    """A journal as version 1 of the schema wrote it: one of everything, kept as SQL."""
    text = (HERE / f"version_1_{database}.sql").read_text()
    connection = engine(url).raw_connection()
    try:
        if database == "sqlite":
            connection.driver_connection.executescript(text)
        else:
            connection.driver_connection.execute(text)
        connection.commit()
    finally:
        connection.close()
    return url


def description(url):
    """Columns, keys and views of a database."""
    with engine(url).connect() as connection:
        return described(sa.inspect(connection))


def described(inspector):
    tables = {}
    for name in inspector.get_table_names():
        columns = [
            (c["name"], str(c["type"]).replace("BIGINT", "INTEGER"), c["nullable"], bool(c["default"]))
            for c in inspector.get_columns(name)
        ]
        unique = sorted(tuple(u["column_names"]) for u in inspector.get_unique_constraints(name))
        foreign = sorted(
            (*k["constrained_columns"], k["referred_table"]) for k in inspector.get_foreign_keys(name)
        )
        indexes = sorted(tuple(i["column_names"]) for i in inspector.get_indexes(name))
        tables[name] = (sorted(columns), unique, foreign, indexes)
    return tables, sorted(inspector.get_view_names())


def test_a_journal_of_version_1_is_migrated_with_everything_in_it(version_1):
    given = dict(STEPS)
    with Journal.open(version_1, "paper", ACCOUNT, clock=Ticking()) as journal:
        pairs = [
            (journal.runs()[0], given["begin_run"]),
            (journal.decisions(REBALANCE)[0], decision()),
            (journal.order(ref()).intent, intent(rebalance_id=REBALANCE, purpose="rebalance")),
            (journal.wire_events()[0], given["wire"]),
            (journal.fills()[0], fill()),
            (journal.fees()["0000e0d5.1"], given["fee"]),
            (journal.latest_nav(), given["nav"]),
            (journal.flows()[0], given["flow"]),
            (journal.alerts()[0], given["alert"]),
        ]
        assert [written for read, written in pairs if not same(read, written)] == []
        assert journal.order(ref()).stage == "filled"
        assert {con: held.shares for con, held in journal.positions().items()} == {AAPL: 400.0, MSFT: 10.0}
        assert not journal.begin_rebalance(rebalance())
        assert journal.fills()[0].traded_at == NOON
        write(journal, next(step for step in STEPS if step[0] == "heartbeat"))
        journal.intent(intent(number=2, purpose="flatten"))
        assert journal.latest_heartbeat().state == "waiting"


def test_a_migrated_journal_has_the_tables_of_a_new_one(version_1, tmp_path, database, request):
    Journal.open(version_1, "paper", ACCOUNT).close()
    migrated = description(version_1)
    if database == "sqlite":
        new = f"sqlite:///{tmp_path}/new.sqlite"
    else:
        new = request.getfixturevalue("postgres_server").empty_database()
    Journal.open(new, "paper", ACCOUNT).close()
    assert migrated == description(new)
    assert migrated[1] == sorted(VIEWS)


def test_the_present_version_is_the_last_that_a_migration_makes():
    assert max(migrate.MIGRATIONS) == VERSION
    assert sorted(migrate.MIGRATIONS) == list(range(2, VERSION + 1))


def test_a_reader_does_not_migrate(version_1):
    with pytest.raises(JournalVersion, match="start the runner once"):
        JournalReader.open(version_1, "paper", ACCOUNT)
    assert "heartbeats" not in description(version_1)[0]


def test_a_migration_that_is_killed_changes_nothing(version_1, victims):
    before = description(version_1)
    assert victims.kill("migrate")
    assert description(version_1) == before
    with reopened(version_1) as journal:
        assert journal.refs() == {ref()}


def test_a_journal_of_a_later_version_is_refused(url, monkeypatch):
    Journal.open(url, "paper", ACCOUNT).close()
    with engine(url).begin() as connection:
        connection.execute(schema.schema_versions.insert(), {"at": NOON, "version": VERSION + 1})
    for opened in (Journal, JournalReader):
        with pytest.raises(JournalVersion, match="update this program"):
            opened.open(url, "paper", ACCOUNT)


def test_a_journal_of_another_account_is_refused_and_neither_account_is_shown(url):
    Journal.open(url, "paper", ACCOUNT).close()
    for opened in (Journal, JournalReader):
        with pytest.raises(WrongJournal) as caught:
            opened.open(url, "paper", "DU7654321")
        assert "DU*****67" in str(caught.value)
        assert ACCOUNT not in str(caught.value)
        assert "DU7654321" not in str(caught.value)
    with JournalReader.open(url, "paper") as reader:
        assert reader.account == ACCOUNT


def test_a_file_of_another_mode_is_refused(tmp_path):
    url = f"sqlite:///{tmp_path}/journal.sqlite"
    Journal.open(url, "paper", ACCOUNT).close()
    for opened in (Journal, JournalReader):
        with pytest.raises(WrongJournal, match="journal of mode paper, not real"):
            opened.open(url, "real", ACCOUNT)


def test_modes_are_apart_in_one_server(postgres_server):
    url = postgres_server.empty_database()
    with Journal.open(url, "paper", ACCOUNT) as paper, Journal.open(url, "shadow", ACCOUNT) as shadow:
        paper.intent(intent())
        assert (len(paper.refs()), len(shadow.refs())) == (1, 0)


def test_a_new_journal_needs_an_account(url):
    with pytest.raises(WrongJournal, match="account must be named"):
        Journal.open(url, "paper")


def test_the_database_of_another_program_is_refused_and_left_alone(url):
    with engine(url).begin() as connection:
        if url.startswith("postgresql"):
            connection.exec_driver_sql("CREATE SCHEMA ares7_paper")
        connection.exec_driver_sql("CREATE TABLE songs (title TEXT)")
    path = Path(url.removeprefix("sqlite:///"))
    before = path.read_bytes() if path.is_file() else None
    for opened in (Journal, JournalReader):
        with pytest.raises(WrongJournal, match="another program"):
            opened.open(url, "paper", ACCOUNT)
    assert sorted(description(url)[0]) == ["songs"]
    assert before is None or path.read_bytes() == before


def test_a_reader_of_what_is_not_there_says_so(url, database):
    with pytest.raises((MissingData, WrongJournal), match="at its first start"):
        JournalReader.open(url, "paper", ACCOUNT)
    if database == "sqlite":
        assert not Path(url.removeprefix("sqlite:///")).exists()


@pytest.mark.parametrize(
    ("url", "mode", "says"),
    [
        ("mysql://host/db", "paper", "mysql is no database"),
        ("sqlite://", "paper", "names no file"),
        ("sqlite:///:memory:", "paper", "names no file"),
        ("sqlite:///x.sqlite?mode=ro", "paper", "without options"),
        ("not a url", "paper", "cannot be read"),
        ("sqlite:///x.sqlite", "live", "mode 'live' is not known"),
    ],
)
def test_a_url_that_is_none_is_refused_with_an_example(url, mode, says):
    with pytest.raises(ConfigError, match=says):
        Journal.open(url, mode, ACCOUNT)


def test_the_password_of_a_url_is_never_shown():
    with pytest.raises(Exception, match="ares7_paper") as caught:
        Journal.open("postgresql://me:s3cret@127.0.0.1:1/db", "paper", ACCOUNT)  # pragma: allowlist secret
    assert "s3cret" not in str(caught.value)


def test_a_schema_version_is_a_plain_row(url):
    Journal.open(url, "paper", ACCOUNT).close()
    with engine(url).connect() as connection:
        assert connection.exec_driver_sql("SELECT MAX(version) FROM schema_versions").scalar() == VERSION


def test_the_file_of_version_1_is_one_that_sqlite_itself_accepts(tmp_path):
    connection = sqlite3.connect(":memory:")
    connection.executescript((HERE / "version_1_sqlite.sql").read_text())
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
