"""A journal that a script writes session by session, and a monitor that looks at it, both on one clock of the test."""

from __future__ import annotations

import datetime as dt
import json
import os
from pathlib import Path

from ares7.config import load_config
from live.alerts.courier import Courier
from live.alerts.dispatch import Dispatcher
from live.alerts.outbox import Outbox
from live.alerts.targets import Target
from live.heartbeat import started_of
from live.journal.rows import Alert, CashFlow, Nav, RegimeRow, Run
from live.journal.writer import Journal
from live.monitor.place import JournalPlace
from live.monitor.watch import Watch

ROOT = Path(__file__).resolve().parents[2]
ACCOUNT = "DU1234567"
CLOSE = dt.time(21, 0)
"""UTC, when New York has winter time."""


class Clock:
    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now

    def at(self, day, hour, minute=0):
        self.now = dt.datetime(day.year, day.month, day.day, hour, minute, tzinfo=dt.UTC)

    def add(self, seconds):
        self.now += dt.timedelta(seconds=seconds)


class Script:
    """Writes what a runner would."""

    def __init__(self, folder, clock, mode="paper", *, armed=True):
        self.folder, self.clock, self.mode = folder, clock, mode
        folder.mkdir(parents=True, exist_ok=True)
        self.url = f"sqlite:///{folder / f'journal-{mode}.sqlite'}"
        self.journal = Journal.open(self.url, mode, ACCOUNT, clock=clock)
        self.journal.begin_run(Run("ensemble", "feedbeef", armed=armed))
        self.nav = 1e6

    def close(self, session, change=0.0, flow=0.0, kind="deposit"):
        """A session earns a fraction after money came or went at its start."""
        if flow:
            self.journal.flow(CashFlow(session, kind, flow))
        self.nav = (self.nav + flow) * (1.0 + change)
        self.journal.nav(Nav(session, "close", self.nav, 0.2 * self.nav, 0.8 * self.nav, 0.8 * self.nav))

    def regime(self, session, held):
        self.journal.regime(RegimeRow(session, held, held, {"index": 4700.5, "vix": 13.25}))

    def alert(self, severity, code, text="as the runner says it", **more):
        return self.journal.alert(Alert(severity, code, text, **more))

    def beat(self, *, state="running", age_s=1.0, pid=None):
        """A sign of life of this process, or of another."""
        pid = os.getpid() if pid is None else pid
        content = {
            "time": (self.clock() - dt.timedelta(seconds=age_s)).isoformat(),
            "session": None,
            "state": state,
            "pid": pid,
            "started": started_of(pid),
        }
        (self.folder / "heartbeat.json").write_text(json.dumps(content))


class Phone:
    """A target that keeps what it was sent, or fails as long as a test wants."""

    def __init__(self, stage=0, name="phone"):
        self.got, self.error, self.stage, self.name = [], "", stage, name

    def __call__(self, title, body, severity):
        if not self.error:
            self.got.append((title, body, severity))
        return self.error

    @property
    def target(self):
        return Target(self.name, self.stage, self)


def configured(folder, *overrides):
    return load_config(
        ROOT / "config.yaml",
        (f"halt.folder={folder}", f"daily.logs={folder / 'logs'}", *overrides),
    )


class Desk:
    """A monitor of a folder that sends to telephones of the test."""

    def __init__(self, folder, clock, *overrides, mode="paper", phones=None):
        self.folder, self.clock = folder, clock
        self.config = configured(folder, *overrides)
        self.phones = [Phone()] if phones is None else phones
        self.said = []
        self.outbox = Outbox(folder, clock())
        self.courier = Courier([phone.target for phone in self.phones], self.config.alerts.timeout_s)
        self.dispatcher = Dispatcher(self.outbox, self.courier, self.config.alerts, self.said.append)
        place = JournalPlace(f"sqlite:///{folder / f'journal-{mode}.sqlite'}", mode)
        self.watch = Watch(self.config, place, self.outbox, self.dispatcher, clock, self.said.append)

    def look(self):
        """Look, and wait until what was sent has come back."""
        self.watch.look()
        self.settle()

    def settle(self):
        while self.courier.flying:
            self.dispatcher.step(self.clock(), 5.0)

    def opened(self):
        """Session and code of every alert that was not older than the outbox."""
        return [
            (alert.session, alert.code)
            for alert in self.outbox.alerts(every=True)
            if "older" not in alert.note
        ]

    def codes(self, *, every=False):
        return [alert.code for alert in self.outbox.alerts(every=every) if "older" not in alert.note]

    def titles(self, phone=0):
        return [title for title, _, _ in self.phones[phone].got]

    def line(self, severity, code, message="as another job says it", session=None):
        """What watchdog and daily job append."""
        logs = self.config.daily.logs
        logs.mkdir(parents=True, exist_ok=True)
        event = {
            "session": session,
            "severity": severity,
            "code": code,
            "message": message,
            "time": self.clock().isoformat(timespec="seconds"),
        }
        with (logs / "alerts.jsonl").open("a") as file:
            file.write(json.dumps(event, sort_keys=True) + "\n")

    def close(self):
        self.watch.close()
