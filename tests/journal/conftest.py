"""A journal in a SQLite file and one in a PostgreSQL database: every test that asks for ``url`` runs on both."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from live.journal.writer import Journal
from tests import postgres
from tests.journal.samples import ACCOUNT, Ticking

ROOT = Path(__file__).resolve().parents[2]


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


class Victims:
    """Processes that die where a test says."""

    def __init__(self, url):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.journal.victim", url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
        )

    def say(self, words):
        self.process.stdin.write(words + "\n")
        self.process.stdin.flush()

    def hear(self):
        return self.process.stdout.readline().strip()

    def kill(self, words):
        """Do one thing in a child and return whether SIGKILL ended it."""
        self.say(words)
        return self.hear() == str(int(signal.SIGKILL))

    def close(self):
        self.process.kill()
        self.process.communicate(timeout=10)


@pytest.fixture
def victims(url):
    started = Victims(url)
    yield started
    started.close()
