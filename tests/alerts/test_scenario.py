"""Sixty sessions in which every condition fires once, on time, and nothing else does."""

from __future__ import annotations

import subprocess

import numpy as np

from ares7.sessions import sessions
from live.halt.file_source import HaltFile
from live.halt.level import HaltLevel
from tests.monitor.desk import Clock, Desk, Script

DAYS = sessions(np.datetime64("2022-12-01"), np.datetime64("2024-04-30")).tolist()
START = DAYS.index(next(day for day in DAYS if str(day) >= "2024-01-02"))
LIVE = DAYS[START : START + 60]
WILD = 43
"""From here the account loses 1.9 % a session, which is no loss of a day, until the drawdown is one."""


def dead_process():
    done = subprocess.Popen(["true"])
    done.wait()
    return done.pid


class Story:
    def __init__(self, folder):
        self.clock = Clock(None)
        self.clock.at(DAYS[START - 260], 22)
        self.script = Script(folder / "journal", self.clock)
        self.data = folder / "data"
        self.data.mkdir()
        # Old enough on the 40th session: 200 days are allowed.
        filed = np.datetime64(LIVE[40]) - np.timedelta64(201, "D")
        (self.data / "fundamentals.csv").write_text(f"symbol,filing_date\nAAPL,{filed}\nMSFT,2023-01-05\n")
        for number, day in enumerate(DAYS[START - 260 : START]):
            self.clock.at(day, 22)
            self.script.close(day, 0.0015 if number % 2 else -0.0005)
            if number in (100, 200):
                self.script.regime(day, "BEAR" if number == 100 else "BULL")
        self.clock.at(DAYS[START - 1], 23)
        self.desk = Desk(folder / "journal", self.clock, "alerts.repeat_s=1.0e+8", f"data.path={self.data}")
        self.look()

    def look(self):
        self.desk.look()
        self.clock.add(60)
        self.desk.look()

    def change(self, number):
        if number == 18:
            return -0.025
        if WILD <= number < WILD + 9:
            return -0.019
        return 0.0015 if number % 2 else -0.0005

    def morning(self, number):
        """Trouble before the open, over by the evening."""
        script, desk = self.script, self.desk
        self.clock.at(LIVE[number], 14)
        script.beat()
        if number == 24:
            HaltFile(script.folder, self.clock).trip(HaltLevel.BLOCK_NEW, "op", "earnings")
        elif number == 25:
            HaltFile(script.folder, self.clock).resume("op", "over")
        elif number == 27:
            desk.line("critical", "stale-data", "prices are stale", str(LIVE[26]))
        elif number == 30:
            script.alert("error", "runner-failed", "ServiceUnavailable: gone")
            script.beat(pid=dead_process())
        elif number == 33:
            script.beat(age_s=400)
            self.look()
            # The watchdog tells the same fact.
            desk.line("error", "runner-silent", "the runner is silent for 430 s")
        elif number == 54:
            script.beat(age_s=-300)
        elif number == 55:
            (script.folder / "heartbeat.json").write_text("{")
        elif number == 56:
            script.beat(pid=dead_process())
        self.look()
        if number == 45:
            moved = script.folder / "elsewhere"
            (script.folder / "journal-paper.sqlite").rename(moved)
            self.look()
            moved.rename(script.folder / "journal-paper.sqlite")
            self.look()
        script.beat()
        self.look()

    def evening(self, number):
        script, day = self.script, LIVE[number]
        self.clock.at(day, 22)
        script.beat()
        flow, change = {21: (-300_000.0, 0.0), 22: (500_000.0, 0.0)}.get(number, (0.0, self.change(number)))
        if number == 59:
            flow, change = -script.nav, 0.0
        if number == 37:
            # What was missing is there at last.
            script.close(LIVE[36])
        if number != 36:
            script.close(day, change, flow, "withdrawal" if flow < 0 else "deposit")
        if number == 3:
            script.regime(day, "NEUTRAL")
        if number == 5:
            script.regime(day, "NEUTRAL")
        told = {
            6: ("warning", "order-rejected", "BUY 10 AAPL: no buying power"),
            9: ("warning", "reconcile-break", "contract 1 is not traded: split"),
            12: ("warning", "limits-refused", "the limits keep back 1 of 2 orders"),
            15: ("error", "gateway-outage", "no order was possible for 900 s"),
            39: ("error", "journal-refused", "another price"),
            41: ("error", "halt-source", "halt source file cannot be read"),
        }
        if number in told:
            script.alert(*told[number])
        self.look()
        self.clock.at(day, 23, 30)
        script.beat()
        self.look()
        # Three hours after the close, by New York's night.
        self.clock.add(3600)
        script.beat()
        self.look()


EXPECTED = [
    (3, "regime-change"),
    (6, "order-rejected"),
    (9, "reconcile-break"),
    (12, "limits-refused"),
    (15, "gateway-outage"),
    (18, "daily-loss"),
    (24, "halt"),
    (27, "stale-data"),
    (30, "runner-failed"),
    (33, "runner-silent"),
    (36, "session-missing"),
    (39, "journal-refused"),
    (40, "data-old"),
    (41, "halt-source"),
    (45, "journal-unreadable"),
    (48, "low-sharpe"),
    (50, "drawdown"),
    (54, "runner-clock"),
    (55, "runner-heartbeat"),
    (56, "runner-gone"),
    (59, "figures-unknown"),
]


def test_sixty_sessions(tmp_path):
    story = Story(tmp_path)
    assert story.desk.opened() == []
    found, known, sent = [], set(), []
    for number in range(60):
        story.morning(number)
        story.evening(number)
        for alert in story.desk.outbox.alerts(every=True):
            if alert.id not in known and "older" not in alert.note:
                known.add(alert.id)
                found.append((number, alert.code))
        sent += [(number, title.rpartition(" ")[2]) for title in story.desk.titles()[len(sent) :]]
    assert found == EXPECTED
    # Everybody was told of each of them once, on the same session.
    assert sent == EXPECTED
    story.desk.close()
    story.script.journal.close()
