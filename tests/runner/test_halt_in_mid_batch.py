"""Every level, tripped by every source in the middle of a batch, seen from the gateway: what leaves, what is undone.

The first session buys ten names. The second sells them and buys ten others; there the halt is tripped. After the
third it is lifted, and the fourth decides again.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import pytest

from ares7.errors import ServiceUnavailable
from live.halt import redis_source
from live.halt.file_source import HaltFile
from live.halt.level import HaltLevel
from live.journal.operator_journal import OperatorJournal
from live.journal.reader import JournalReader
from live.machine import utc_now
from tests.halt.redis_server import redis_server
from tests.runner.mid_batch import (
    CHOSEN,
    LIMITS,
    NAMES,
    PURCHASES,
    SALES,
    InterruptedRunner,
    sides,
    statuses,
)

ROOT = Path(__file__).resolve().parents[2]
LEVELS = ["BLOCK_NEW", "CANCEL_WORKING", "FLATTEN", "HALT"]


class Command:
    """Somebody types ``run.py halt`` and ``run.py resume`` in another process."""

    def __init__(self, folder):
        self.folder = folder

    def trip(self, level):
        self.typed("halt", "--level", level)

    def resume(self):
        self.typed("resume")

    def typed(self, *words):
        call = [sys.executable, "run.py", *words, "--set", f"halt.folder={self.folder}"]
        subprocess.run(call, cwd=ROOT, check=True, capture_output=True, timeout=60)


class Row:
    """A row of the journal's table, through a connection of its own."""

    def __init__(self, folder):
        self.url = f"sqlite:///{folder / 'journal-paper.sqlite'}"

    def trip(self, level):
        with OperatorJournal.open(self.url, "paper") as journal:
            journal.halt(level, "ann", "in mid-batch")

    def resume(self):
        self.trip("NONE")


class Signal:
    """SIGUSR1 or SIGUSR2 to the process; a person resumes."""

    NUMBERS: ClassVar = {"BLOCK_NEW": signal.SIGUSR1, "CANCEL_WORKING": signal.SIGUSR2}

    def __init__(self, folder):
        self.folder = folder

    def trip(self, level):
        os.kill(os.getpid(), self.NUMBERS[level])

    def resume(self):
        HaltFile(self.folder, utc_now).resume("ann", "over")


class RedisKey:
    """``SET ares7:halt LEVEL``."""

    def __init__(self, port):
        self.client = pytest.importorskip("redis").Redis(port=port)

    def trip(self, level):
        self.client.set("ares7:halt", level)

    def resume(self):
        self.client.set("ares7:halt", "NONE")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with redis_server(tmp_path_factory.mktemp("redis")) as (_, port):
        yield port


@contextmanager
def source_of(name, folder, request, monkeypatch):
    """Yields the source and the configuration that it needs."""
    if name != "redis":
        yield {"command": Command, "row": Row, "signal": Signal}[name](folder), {}
        return
    # The runner asks Redis once a second; here before every order.
    monkeypatch.setattr(redis_source, "POLL_S", 0.0)
    port = request.getfixturevalue("server")
    made = RedisKey(port)
    made.resume()
    yield made, {"halt": {"redis": f"127.0.0.1:{port}"}}
    made.client.close()


def interrupted(run, source, level, at, between=None, **config):
    """Run four sessions: trip at an order of the second, resume after the third."""
    runner = run(kind=InterruptedRunner, sessions=4, chosen=CHOSEN, config={"limits": LIMITS, **config})
    runner.trip_at, runner.resume_after = at, 3
    runner.trip, runner.resume = lambda: source.trip(level), source.resume
    if between is not None:
        runner.between = lambda: between(runner)
    runner.run()
    return runner


CASES = [("command", level, PURCHASES) for level in LEVELS]
CASES += [(name, level, SALES) for name in ("row", "redis") for level in LEVELS]
CASES += [("signal", level, SALES) for level in ("BLOCK_NEW", "CANCEL_WORKING")]


@pytest.mark.parametrize(("name", "level", "at"), CASES)
def test_a_halt_in_mid_batch_lets_out_what_its_level_allows_and_ends_with_resume(
    run, gateway, tmp_path, request, monkeypatch, name, level, at
):
    with source_of(name, tmp_path / "journal", request, monkeypatch) as (source, config):
        runner = interrupted(run, source, level, at, **config)
    before, sent = len(runner.before_trip), gateway.recorder.order_refs()
    assert before == at - 1
    assert sent[:before] == runner.before_trip
    assert len(set(sent)) == len(sent)
    halted = sent[before : len(runner.before_resume)]
    with JournalReader.open(f"sqlite:///{tmp_path / 'journal' / 'journal-paper.sqlite'}", "paper") as journal:
        intents = {order.intent.ref: order.intent for order in journal.orders()}
    assert list(intents) == sent
    check = {"BLOCK_NEW": blocked, "CANCEL_WORKING": cancelled, "FLATTEN": flattened, "HALT": cancelled}[
        level
    ]
    check(gateway, runner, halted, [intents[ref].purpose for ref in halted], at)
    later = sent[len(runner.before_resume) :]
    assert later
    assert {intents[ref].session for ref in later} == {max(i.session for i in intents.values())}
    assert "BUY" in sides(later)


def blocked(gateway, runner, halted, purposes, at):
    """What worked fills; the rest of the sales leaves, then in the third session that of what was bought still."""
    bought = max(at - 1 - 2 * NAMES, 0)
    assert sides(halted) == ["SELL"] * max(2 * NAMES - at + 1, bought)
    assert statuses(gateway, runner.before_trip + halted) == {"Filled"}
    assert len(runner.held) == bought


def cancelled(gateway, runner, halted, purposes, at):
    """Nothing leaves; what worked is cancelled, so the first session's names are held."""
    assert halted == []
    assert statuses(gateway, runner.before_trip[NAMES:]) == {"Cancelled"}
    assert len(runner.held) == NAMES


def flattened(gateway, runner, halted, purposes, at):
    """What worked is cancelled; each name that is held is sold once, and nothing is left."""
    assert sides(halted) == ["SELL"] * NAMES
    assert purposes == ["flatten"] * NAMES
    assert statuses(gateway, runner.before_trip[NAMES:]) == {"Cancelled"}
    assert statuses(gateway, halted) == {"Filled"}
    assert runner.held == {}


@pytest.mark.parametrize("level", ["CANCEL_WORKING", "FLATTEN", "HALT"])
def test_a_halt_while_the_connection_is_lost_in_mid_batch_acts_as_soon_as_it_is_back(
    run, gateway, tmp_path, level
):
    class Lost(Row):
        def trip(self, level):
            gateway.drop(reset=level != "NONE")
            super().trip(level)

        def resume(self):
            super().trip("NONE")

    runner = interrupted(run, Lost(tmp_path / "journal"), level, PURCHASES)
    before, sent = len(runner.before_trip), gateway.recorder.order_refs()
    assert sent[:before] == runner.before_trip
    assert len(set(sent)) == len(sent)
    halted = sent[before : len(runner.before_resume)]
    check = flattened if level == "FLATTEN" else cancelled
    check(gateway, runner, halted, ["flatten"] * len(halted), PURCHASES)
    assert "BUY" in sides(sent[len(runner.before_resume) :])


def test_a_cancellation_that_was_lost_with_the_connection_is_asked_for_again(run, gateway, tmp_path):
    class Deaf(Row):
        def trip(self, level):
            gateway.arm(on="cancelOrder", do="swallow", times=PURCHASES - 1 - NAMES)
            super().trip(level)

        def resume(self):
            super().trip("NONE")

    def lose(runner):
        if runner.closed == 2:
            assert statuses(gateway, runner.before_trip[NAMES:]) == {"PreSubmitted"}
            gateway.drop(reset=True)

    runner = interrupted(run, Deaf(tmp_path / "journal"), "CANCEL_WORKING", PURCHASES, between=lose)
    assert gateway.recorder.count("cancelOrder", "lost") == PURCHASES - 1 - NAMES
    cancelled(gateway, runner, runner.before_resume[PURCHASES - 1 :], [], PURCHASES)


def test_a_cancellation_that_could_not_be_written_is_tried_again(run, gateway, tmp_path):
    def trip(self, level):
        cancel, failures = runner.store.client.cancel, [3]

        def unreachable(order_id):
            failures[0] -= 1
            if failures[0] >= 0:
                raise ServiceUnavailable("no connection")
            cancel(order_id)

        runner.store.client.cancel = unreachable
        runner.journal.halt(level, "ann", "stop")

    runner = run(kind=InterruptedRunner, sessions=2, chosen=CHOSEN, config={"limits": LIMITS})
    runner.trip_at, runner.trip = PURCHASES, lambda: trip(runner, "CANCEL_WORKING")
    runner.run()
    assert len([line for line in runner.lines if "could not be cancelled: no connection" in line]) == 3
    assert statuses(gateway, runner.before_trip[NAMES:]) == {"Cancelled"}


def test_every_level_is_tried_through_every_source_that_can_name_it():
    tried = {(name, level) for name, level, _ in CASES}
    assert {level for _, level in tried} == {level.name for level in HaltLevel if level}
    assert tried == {
        *((name, level) for name in ("command", "row", "redis") for level in LEVELS),
        *(("signal", level) for level in Signal.NUMBERS),
    }
