"""What a runner tells the watchdog, and alerts that cannot be journalled."""

from __future__ import annotations

import datetime as dt

import pytest

from ares7.errors import ServiceUnavailable
from live.halt.level import HaltLevel
from live.heartbeat import read_beat
from live.interlock import Wish
from live.journal.failures import JournalUnavailable
from live.portfolio import Portfolio
from live.watchdog import START_S, trouble_of
from tests.runner.conftest import SteppedRunner

SHADOW = Wish("live", False, "shadow", "")


def test_a_start_gives_a_sign_of_life_before_it_loads_anything(run, gateway, tmp_path, monkeypatch):
    seen = []

    def load(portfolio, sessions=None):
        seen.append(read_beat(tmp_path / "journal"))
        raise ServiceUnavailable("no history")

    monkeypatch.setattr(Portfolio, "load", load)
    with pytest.raises(ServiceUnavailable, match="no history"):
        run().run()
    (beat,) = seen
    assert beat.state == "starting"
    slow, hung = beat.time + dt.timedelta(seconds=START_S), beat.time + dt.timedelta(seconds=START_S + 1)
    assert trouble_of(beat, "running", slow, 300.0) is None
    assert trouble_of(beat, "running", hung, 300.0).code == "runner-silent"
    # It failed, and said no farewell.
    assert read_beat(tmp_path / "journal").state == "starting"


def test_a_run_that_is_over_has_said_so(run, gateway, tmp_path):
    run(sessions=1).run()
    assert read_beat(tmp_path / "journal").state == "stopped"


def test_a_shadow_run_does_not_speak_for_the_runner_that_trades_in_the_same_folder(run, gateway, tmp_path):
    run(sessions=1).run()
    before = (tmp_path / "journal" / "heartbeat.json").read_bytes()
    gateway.end_session(25)
    run(wish=SHADOW, sessions=1, client_id=1007).run()
    assert (tmp_path / "journal" / "heartbeat.json").read_bytes() == before


class Broken(SteppedRunner):
    """From the first close on its journal takes no alert, and its halts cannot be read."""

    def _closed(self, session):
        super()._closed(session)
        if self.closed == 1:
            self.journal.alert = self.journal.latest_halt = self.unavailable
            self.levels = [self._switch.level() for _ in range(3)]
            del self.journal.alert, self.journal.latest_halt

    def unavailable(self, *args):
        raise JournalUnavailable("the disk is full")


def test_a_halt_source_that_fails_halts_and_is_told_once_even_where_no_alert_can_be_written(run, gateway):
    runner = run(kind=Broken, sessions=2)
    runner.run()
    assert runner.levels == [HaltLevel.HALT] * 3
    assert len([line for line in runner.lines if "ALERT error halt-source" in line]) == 1
    assert (
        len([line for line in runner.lines if "the alert is not in the journal: the disk is full" in line])
        == 1
    )
