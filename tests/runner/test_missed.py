"""A decision that the runner was not there for is made up for at the first close that it acts on."""

from __future__ import annotations

import pytest

from live.journal.reader import JournalReader
from tests.runner.conftest import positions


@pytest.fixture
def rebalances(tmp_path):
    def read():
        url = f"sqlite:///{tmp_path / 'journal' / 'journal-paper.sqlite'}"
        with JournalReader.open(url, "paper") as journal:
            return [(str(r.session), r.reason, r.outcome) for r in journal.rebalances()]

    return read


def test_a_month_end_in_an_outage_is_decided_at_the_first_close_afterwards(run, gateway, rebalances):
    run(sessions=2).run()
    before = positions(gateway)
    for _ in range(5):
        gateway.end_session(25)  # over the month end of Friday, and a session more
    done = run(sessions=3).run()
    assert done.differences == 0
    assert rebalances() == [("2024-06-24", "start", "done"), ("2024-07-02", "missed", "done")]
    assert positions(gateway) != before


def test_without_a_decision_in_it_an_outage_changes_nothing(run, gateway, rebalances):
    run(sessions=1).run()
    gateway.end_session(25)
    gateway.end_session(25)
    gateway.end_session(25)
    run(sessions=1).run()
    assert rebalances() == [("2024-06-24", "start", "done")]


def test_it_is_made_up_for_once(run, gateway, rebalances):
    run(sessions=2).run()
    for _ in range(5):
        gateway.end_session(25)
    run(sessions=1).run()
    gateway.end_session(25)
    run(sessions=2).run()
    assert [reason for _, reason, _ in rebalances()] == ["start", "missed"]


def test_a_name_without_its_bar_is_left_out_and_one_alert_says_so(run, gateway, tmp_path):
    def without_bars(double):
        history = double.market.history
        name = history.symbols.index("S003")
        rows = [i for i, day in enumerate(history.dates.tolist()) if str(day) in ("2024-06-25", "2024-06-26")]
        history.close[name, rows] = float("nan")

    gateway.call(without_bars)
    run(sessions=5).run()
    url = f"sqlite:///{tmp_path / 'journal' / 'journal-paper.sqlite'}"
    with JournalReader.open(url, "paper") as journal:
        found = [alert.message for alert in journal.alerts() if alert.code == "missing-bars"]
    assert len(found) == 1
    assert "S003" in found[0]
    assert "2024-06-25" in found[0]
