"""The verbs halt, resume and watchdog: what a person types, also while the runner hangs."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ares7.config import Config
from ares7.errors import ConfigError
from ares7.halt_config import HaltConfig
from live.commands import Call
from live.halt.file_source import HaltFile
from live.halt.journal_source import JournalSource
from live.halt.level import HaltLevel
from live.halt.redis_source import MEMORY
from live.halt_commands import add_halt_verbs, halt_lines
from live.heartbeat import Heartbeat
from live.journal import database
from live.journal.place import default_url
from live.journal.writer import Journal
from tests.halt.clocks import START

ROOT = Path(__file__).resolve().parents[2]


class Commands:
    """A command line that has the verbs of the halt only."""

    def __init__(self, folder: Path, **halt: object) -> None:
        self.config = Config.model_validate(
            {
                "costs": {"model": "bps", "bps": 10},
                "halt": {"folder": folder / "journal", **halt},
                "daily": {"logs": folder / "logs"},
            }
        )
        self.top = argparse.ArgumentParser()
        self.verbs = self.top.add_subparsers(required=True)
        add_halt_verbs(self.verb, lambda args: 0)

    def verb(self, name, run, *parents, within=None, text=None):
        assert text
        made = (within or self.verbs).add_parser(name, parents=parents)
        made.set_defaults(call=run)
        return made

    def __call__(self, *arguments):
        args = self.top.parse_args(arguments)
        return args.act(Call(args, self.config, None, ROOT))

    @property
    def file(self):
        return HaltFile(self.config.halt.folder, lambda: START)


@pytest.fixture
def run(tmp_path):
    return Commands(tmp_path)


def test_halt_without_more_words_is_a_full_halt(run):
    done = run("halt")
    assert done.code == 0
    assert done.content["level"] == "HALT"
    assert run.file.read().level is HaltLevel.HALT
    assert "@" in run.file.read().who


@pytest.mark.parametrize(
    ("words", "level"),
    [
        (("--flatten",), HaltLevel.FLATTEN),
        (("--level", "block-new"), HaltLevel.BLOCK_NEW),
        (("--level", "CANCEL_WORKING"), HaltLevel.CANCEL_WORKING),
        (("--level", "HALT", "--reason", "an outage"), HaltLevel.HALT),
    ],
)
def test_every_level_can_be_set_with_a_reason(run, words, level):
    run("halt", *words)
    found = run.file.read()
    assert found.level is level
    assert found.why == ("an outage" if "--reason" in words else "no reason given")


def test_a_lower_level_changes_nothing_and_says_so(run):
    run("halt", "--flatten", "--reason", "first")
    done = run("halt", "--level", "BLOCK_NEW")
    assert "a higher level holds already: FLATTEN" in done.lines[0]
    assert run.file.read().why == "first"


def test_flattening_says_that_it_needs_a_runner(run):
    assert "without a runner" in run("halt", "--flatten").lines[1]


def test_resume_lifts_and_names_what_it_lifted(run):
    run("halt", "--reason", "an outage")
    done = run("resume", "--reason", "over")
    assert done.code == 0
    assert done.content["lifted"]["why"] == "an outage"
    assert (done.content["level"], run.file.read().why) == ("NONE", "over")


def test_resume_without_a_halt_is_harmless(run):
    assert run("resume").code == 0
    assert run.file.read().level is HaltLevel.NONE


def test_resume_repairs_a_damaged_file(run):
    run("halt")
    run.file.path.write_bytes(b"")
    assert run("resume").code == 0
    assert run.file.read().level is HaltLevel.NONE


def test_resume_says_if_redis_still_halts(tmp_path):
    run = Commands(tmp_path, redis="127.0.0.1:1")
    run("halt")
    (tmp_path / "journal" / MEMORY).write_text(
        json.dumps({"level": "BLOCK_NEW", "who": "redis", "when": START.isoformat(), "why": "key"})
    )
    done = run("resume")
    assert done.code == 1
    assert done.content["source"] == "redis"
    assert done.lines[-1] == "set it there: SET ares7:halt NONE"


@pytest.fixture
def journal(run):
    """A real journal of a paper account in the folder, as a runner leaves it."""
    folder = run.config.halt.folder
    folder.mkdir()
    opened = Journal.open(default_url(folder, "paper"), "paper", "DU1234567")
    yield opened
    opened.close()


def test_a_halt_and_its_lifting_are_rows_of_the_journal_beside_a_runner_that_writes_it(run, journal):
    source = JournalSource(journal)
    assert source.read() is None
    run("halt", "--level", "BLOCK_NEW", "--reason", "an outage")
    assert (source.read().level, source.read().why) == (HaltLevel.BLOCK_NEW, "an outage")
    assert set(halt_lines(run.config.halt)[0]["sources"]) == {"file", "journal-paper"}
    done = run("resume")
    assert (done.code, done.content["problems"]) == (0, ())
    assert source.read().level is HaltLevel.NONE


def test_a_row_of_the_journal_alone_halts_and_is_lifted_by_resume(run, journal):
    journal.halt("FLATTEN", "sql", "by hand")
    assert halt_lines(run.config.halt)[0]["source"] == "journal-paper"
    assert run("resume").code == 0
    assert halt_lines(run.config.halt)[0]["level"] == "NONE"


def test_a_runner_that_is_frozen_in_a_transaction_prevents_no_halt(run, journal, monkeypatch):
    monkeypatch.setattr(database, "BUSY_S", 0.2)
    path = run.config.halt.folder / "journal-paper.sqlite"
    code = (
        "import sqlite3, sys, time\ndb = sqlite3.connect(sys.argv[1])\ndb.execute('BEGIN IMMEDIATE')\n"
        "print('locked', flush=True)\ntime.sleep(60)\n"
    )
    frozen = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert frozen.stdout.readline() == "locked\n"
        os.kill(frozen.pid, signal.SIGSTOP)
        done = run("halt", "--flatten")
        assert (done.code, run.file.read().level) == (0, HaltLevel.FLATTEN)
        assert "journal-paper was not written" in done.lines[-1]
        assert halt_lines(run.config.halt)[0]["level"] == "FLATTEN"
    finally:
        frozen.kill()
        frozen.communicate()


def test_a_journal_that_is_damaged_prevents_no_halt_and_is_told(run):
    run.config.halt.folder.mkdir()
    (run.config.halt.folder / "journal-paper.sqlite").write_bytes(b"no database " * 1000)
    done = run("halt")
    assert (done.code, run.file.read().level) == (0, HaltLevel.HALT)
    assert "journal-paper was not written" in done.lines[-1]
    done = run("resume")
    assert (done.code, done.content["level"], done.content["source"]) == (1, "HALT", "journal-paper")


@pytest.mark.parametrize("words", [("--level", "NONE"), ("--level", "STOP")])
def test_a_level_that_cannot_be_set_is_one_clear_error(run, words):
    with pytest.raises(ConfigError, match=r"resume|one of"):
        run("halt", *words)


def test_a_level_and_flatten_exclude_each_other(run):
    with pytest.raises(SystemExit):
        run("halt", "--flatten", "--level", "HALT")


def test_status_has_the_level_with_who_when_and_why(run):
    content, lines = halt_lines(run.config.halt)
    assert (content["level"], lines) == ("NONE", ("halt: NONE",))
    run.file.trip(HaltLevel.FLATTEN, "ann", "an outage")
    content, lines = halt_lines(run.config.halt)
    assert (content["level"], content["who"], content["why"]) == ("FLATTEN", "ann", "an outage")
    assert lines[0] == "halt: FLATTEN, set by ann on 2024-01-02 15:00:00 UTC: an outage (file)"
    run.file.path.write_text("?")
    content, lines = halt_lines(run.config.halt)
    assert content["level"] == "HALT"
    assert "cannot be read" in lines[0]


def test_the_folder_of_the_halt_lies_beside_the_configuration():
    assert HaltConfig().folder == Path("journal")


def test_one_look_of_the_watchdog_answers_with_its_exit_code(run, tmp_path, capsys):
    done = run("watchdog", "--once")
    assert (done.code, done.content["trouble"]) == (1, "runner-absent")
    events = [json.loads(line) for line in (tmp_path / "logs" / "alerts.jsonl").read_text().splitlines()]
    assert [(event["code"], event["severity"]) for event in events] == [("runner-absent", "error")]
    assert "ALERT error runner-absent" in capsys.readouterr().err
    Heartbeat(run.config.halt.folder, lambda: START.now(START.tzinfo)).beat("waiting")
    assert run("watchdog", "--once").code == 0


@pytest.mark.parametrize("interval", ["0", "-1", "nan"])
def test_an_interval_that_is_none_is_one_clear_error(run, interval):
    with pytest.raises(ConfigError, match="must be above 0"):
        run("watchdog", "--interval", interval)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_watchdog_ends_in_order_when_it_is_told_to(tmp_path, number):
    code = (
        "import sys\nfrom pathlib import Path\nfrom tests.halt.test_commands import Commands\n"
        "done = Commands(Path(sys.argv[1]))('watchdog', '--interval', '0.05')\nprint(done.code)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 20
        while not (tmp_path / "logs" / "alerts.jsonl").is_file():
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.kill(process.pid, number)
        out, err = process.communicate(timeout=10)
        assert (process.returncode, out) == (0, "0\n")
        assert "Traceback" not in err
    finally:
        process.kill()
        process.communicate()


def test_adding_the_verbs_imports_nothing_that_is_slow():
    slow = ("backtrader", "ib_insync", "numba", "numpy", "pandas", "pydantic", "redis", "sqlalchemy", "yaml")
    code = f"import sys\nimport live.halt_commands\nprint(*[n for n in {slow} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
