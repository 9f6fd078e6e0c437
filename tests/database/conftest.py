"""A PostgreSQL server of its own, and a small synthetic market that is loaded into it."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

import run as command_line
from ares7.config import SyntheticConfig
from ares7.database_url import database_path
from feeds.database.server import Server
from feeds.synthetic import generate, write
from tests import postgres


@pytest.fixture(scope="session")
def cluster():
    if postgres.binaries() is None:
        pytest.skip("no PostgreSQL server: apt-get install postgresql")
    with postgres.running() as server:
        yield server


@pytest.fixture
def url(cluster):
    if cluster.process is None:
        cluster.start()
    yield cluster.empty_database()
    if cluster.process is None:
        cluster.start()


@pytest.fixture
def server(url):
    return Server(database_path(url))


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A synthetic market of three years."""
    config = SyntheticConfig(symbols=12, start="2015-01-02", end="2017-12-29")
    folder = tmp_path_factory.mktemp("made") / "market"
    write(generate(config), folder)
    return folder


@pytest.fixture
def market(made, tmp_path):
    """A copy of it that a test may bend."""
    return Path(shutil.copytree(made, tmp_path / "market"))


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def call(tmp_path):
    """Call run.py in this process, with runs and cache in a folder of the test."""

    def made(*arguments):
        out, err = io.StringIO(), io.StringIO()
        places = ["--set", f"runs.folder={tmp_path / 'runs'}", "--set", f"data.cache={tmp_path / 'cache'}"]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = command_line.main([*map(str, arguments), *places])
            except SystemExit as stop:
                code = int(stop.code or 0)
        return Answer(code, out.getvalue(), err.getvalue())

    return made
