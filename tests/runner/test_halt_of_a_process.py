"""A runner that is frozen, killed, cut off from its gateway or told to end, in a process of its own."""

from __future__ import annotations

import os
import signal

import pytest

from live.journal import database
from tests.runner.paper_process import paper_process

FIFTH = 5
"""The order right before which the process stops: four have left."""


@pytest.fixture
def paper(gateway, market, tmp_path):
    with paper_process(gateway, market, tmp_path) as made:
        yield made


AFTERWARDS = {
    "BLOCK_NEW": {"PreSubmitted"},
    "CANCEL_WORKING": {"Cancelled"},
    "FLATTEN": {"Cancelled"},
    "HALT": {"Cancelled"},
}
"""What becomes of the orders that worked already."""


@pytest.mark.parametrize("level", AFTERWARDS)
def test_a_halt_while_the_process_is_frozen_in_mid_batch_holds_when_it_wakes(paper, level):
    paper.start("order", FIFTH)
    paper.until(paper.frozen)
    before = paper.sent()
    assert len(before) == FIFTH - 1
    halted = paper.typed("halt", "--level", level)
    assert halted.returncode == 0
    assert halted.stdout.startswith(f"halt: {level}, set by ")
    assert "was not written" not in halted.stdout
    assert paper.watched() == (1, ["runner-frozen"])
    paper.send(signal.SIGCONT)
    paper.until(lambda: paper.decided() and paper.statuses() == AFTERWARDS[level])
    assert paper.sent() == before
    assert paper.watched() == (0, [])
    paper.send(signal.SIGTERM)
    assert paper.ended() == 128 + signal.SIGTERM
    assert paper.sent() == before


def test_a_process_frozen_while_it_writes_the_journal_is_halted_by_the_file_alone(paper, monkeypatch, capsys):
    # How long a command waits for the journal.
    monkeypatch.setattr(database, "BUSY_S", 0.5)
    paper.start("commit", FIFTH)
    paper.until(paper.frozen)
    before = paper.sent()
    assert len(before) == FIFTH - 1
    assert paper.called("halt") == 0
    assert "journal-paper was not written" in capsys.readouterr().out
    assert paper.halt_file() == "HALT"
    paper.send(signal.SIGCONT)
    paper.until(lambda: paper.decided() and paper.statuses() == {"Cancelled"})
    # The order in whose transaction it slept was allowed before the halt, and is not written to the socket after it.
    assert paper.sent() == before
    stages = ["cancelled"] * (FIFTH - 1) + ["rejected"]
    paper.until(lambda: paper.asked(lambda journal: [o.stage for o in journal.orders()]) == stages)


def test_a_process_killed_in_mid_batch_is_gone_and_a_halt_holds_at_its_next_start(paper):
    paper.start("order", FIFTH)
    paper.until(paper.frozen)
    before = paper.sent()
    paper.send(signal.SIGKILL)
    assert paper.ended() == -signal.SIGKILL
    assert paper.watched() == (1, ["runner-gone"])
    assert paper.called("halt", "--level", "CANCEL_WORKING") == 0
    paper.start()
    paper.until(lambda: paper.decided() and paper.statuses() == {"Cancelled"})
    assert paper.sent() == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_process_that_is_told_to_end_says_farewell(paper, number):
    paper.start()
    paper.until(lambda: paper.decided() and paper.beat() == "running")
    paper.send(number)
    assert paper.ended() == {signal.SIGTERM: 143, signal.SIGINT: 130}[number]
    assert len(paper.ends()) == 1
    assert paper.beat() == "stopped"
    assert paper.watched() == (0, [])


def test_a_process_that_fails_is_an_alert(paper, gateway):
    gateway.set_position("S001", 100)
    paper.start()
    assert paper.ended() == 1, paper.told
    assert "adopt" in paper.ends()[0]
    assert paper.watched() == (1, ["runner-gone"])


def test_a_process_that_hangs_in_its_start_has_given_a_sign_of_life(paper):
    paper.start("load", 1)
    paper.until(paper.frozen)
    assert paper.beat() == "starting"
    assert paper.watched() == (1, ["runner-frozen"])


@pytest.mark.parametrize(
    ("level", "trip"),
    [
        ("BLOCK_NEW", signal.SIGUSR1),
        ("CANCEL_WORKING", signal.SIGUSR2),
        ("FLATTEN", "halt"),
        ("HALT", "halt"),
    ],
)
def test_a_halt_without_a_gateway_is_taken_at_once_and_acts_after_a_restart(paper, gateway, level, trip):
    paper.start()
    paper.until(paper.decided)
    bought = paper.sent()
    if level == "FLATTEN":
        gateway.end_session(25)
        paper.until(lambda: len(paper.rows("navs", "session")) == 2)
    gateway.refuse()
    gateway.drop()
    paper.until(lambda: paper.beat() == "waiting for the gateway")
    assert paper.watched() == (0, [])
    if trip == "halt":
        assert paper.called("halt", "--level", level) == 0
    else:
        paper.send(trip)
    # No message of the gateway is needed for that.
    paper.until(lambda: paper.halt_file() == level)
    os.kill(paper.process.pid, signal.SIGKILL)
    paper.ended()
    gateway.accept()
    paper.start()
    if level == "FLATTEN":
        paper.until(lambda: len(paper.sent()) == 2 * len(bought))
        gateway.end_session(25)
        assert paper.shares() == {}
        paper.until(lambda: paper.asked(lambda journal: not journal.positions()))
    else:
        expected = {"PreSubmitted"} if level == "BLOCK_NEW" else {"Cancelled"}
        paper.until(lambda: paper.beat() == "running" and paper.statuses() == expected)
    assert len(set(paper.sent())) == len(paper.sent())
    assert paper.sent()[: len(bought)] == bought
    assert len(paper.sent()) == (2 if level == "FLATTEN" else 1) * len(bought)
