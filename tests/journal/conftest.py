"""A journal in a SQLite file and one in a PostgreSQL database: every test that asks for ``url`` runs on both."""

from __future__ import annotations

import pytest

from live.journal.writer import Journal
from tests import postgres
from tests.journal.samples import ACCOUNT, Ticking


@pytest.fixture(scope="session")
def postgres_server():
    if postgres.binaries() is None:
        pytest.skip("no PostgreSQL server: apt-get install postgresql")
    with postgres.running() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request):
    return request.param


@pytest.fixture
def url(database, request, tmp_path):
    if database == "sqlite":
        return f"sqlite:///{tmp_path}/journal-paper.sqlite"
    return request.getfixturevalue("postgres_server").empty_database()


@pytest.fixture
def journal(url):
    with Journal.open(url, "paper", ACCOUNT, clock=Ticking()) as opened:
        yield opened
