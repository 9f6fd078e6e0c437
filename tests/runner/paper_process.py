"""The command ``paper`` in a process of its own, on a gateway double of this one, and what a person types beside it."""

from __future__ import annotations

import json
import multiprocessing
import os
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import run
from live.heartbeat import life_of, read_beat
from live.journal.reader import JournalReader
from tests.runner import interrupted_run

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 40.0


class PaperProcess:
    """Starts and stops; everything that it leaves lies in one folder."""

    def __init__(self, control, market, folder):
        self.control, self.market, self.folder = control, market, folder
        self.journal = folder / "journal"
        self.process = None

    @property
    def settings(self):
        """Of every command."""
        return (
            *("--set", f"halt.folder={self.journal}", "--set", f"daily.logs={self.folder / 'logs'}"),
            *("--set", f"data.cache={self.folder / 'cache'}"),
        )

    def start(self, moment="never", number=0):
        """Start; see `tests.runner.interrupted_run`."""
        call = (
            *("paper", "--data", str(self.market), "--strategy", "equal_weight", "--now"),
            *("--port", str(self.control.port), "--client-id", "7", "--clock", "gateway", *self.settings),
        )
        context = multiprocessing.get_context("forkserver")
        # A fork of a process that has loaded everything starts in a tenth of the time.
        context.set_forkserver_preload(["tests.runner.interrupted_run"])
        arguments = (str(self.folder / "told.log"), moment, number, *call)
        self.process = context.Process(target=interrupted_run.forked, args=arguments, daemon=True)
        self.process.start()
        return self

    def typed(self, *words):
        """Run another command to its end, in a process of its own."""
        call = [sys.executable, "run.py", *words, *self.settings]
        return subprocess.run(call, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    def watched(self):
        """What ``run.py watchdog --once`` says: exit code, and the codes of the alerts that it wrote."""
        before = len(self.alerts())
        code = self.called("watchdog", "--once")
        return code, self.alerts()[before:]

    def called(self, *words):
        """Run another command in this process; returns its exit code."""
        return run.main([*words, *self.settings])

    def send(self, number):
        """Send a signal."""
        os.kill(self.process.pid, number)

    def ended(self):
        """Wait for its end; returns the exit code."""
        self.process.join(PATIENCE)
        return self.process.exitcode

    def close(self):
        """Nothing is left."""
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.process.close()

    # What it has left behind

    @property
    def told(self):
        """Everything that it said."""
        return (self.folder / "told.log").read_text()

    def until(self, condition):
        """Wait for a condition while it lives."""

        def over():
            return condition() or not self.process.is_alive()

        deadline = time.monotonic() + PATIENCE
        while not over() and time.monotonic() < deadline:
            time.sleep(0.03)
        assert condition(), self.told

    def beat(self):
        """The state in its last sign of life."""
        found = read_beat(self.journal)
        return "" if found is None else found.state

    def frozen(self):
        """It was stopped by a signal."""
        found = read_beat(self.journal)
        return found is not None and found.pid == self.process.pid and life_of(found) == "frozen"

    def asked(self, read):
        """Ask its journal."""
        with JournalReader.open(f"sqlite:///{self.journal / 'journal-paper.sqlite'}", "paper") as journal:
            return read(journal)

    def decided(self):
        """The batch is over."""
        return bool(self.rows("rebalance_ends", "outcome"))

    def ends(self):
        """Why each run ended, as far as it was written."""
        return self.rows("run_ends", "reason")

    def rows(self, table, column):
        """One column of its journal; empty while there is no such table."""
        path = self.journal / "journal-paper.sqlite"
        with (
            suppress(sqlite3.OperationalError),
            closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as opened,
        ):
            return [value for (value,) in opened.execute(f"SELECT {column} FROM {table} ORDER BY id")]  # noqa: S608
        return []

    def halt_file(self):
        """Level in the halt file."""
        return json.loads((self.journal / "halt.json").read_text())["level"]

    def alerts(self):
        """Codes that the watchdog has written."""
        path = self.folder / "logs" / "alerts.jsonl"
        return [json.loads(line)["code"] for line in path.read_text().splitlines()] if path.exists() else []

    # What is at the gateway

    def sent(self):
        """References of the orders that reached the gateway."""
        return self.control.recorder.order_refs()

    def statuses(self):
        """What became of them."""
        return {order.status for order in self.control.book().orders}

    def shares(self):
        """Shares by symbol."""
        return dict(self.control.book().positions[self.control.account])


@contextmanager
def paper_process(control, market, folder):
    made = PaperProcess(control, market, folder)
    try:
        yield made
    finally:
        made.close()
