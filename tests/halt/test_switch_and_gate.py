"""The switch takes the highest level of all sources; the gate says what may be sent under it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import pytest

from ares7.limits import LimitParams, Limits
from live.halt.gate import halt_verdict, verdict
from live.halt.journal_source import JournalSource
from live.halt.level import HaltLevel, HaltRecord
from live.halt.switch import HaltStanding, HaltSwitch
from tests.halt.clocks import START
from tests.limits.accounts import VIEW, only, order, view


@dataclass
class Fixed:
    """A source that says what a test wants."""

    name: str
    says: object

    def read(self):
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


def record(level):
    return HaltRecord(level, "ann", START, "because")


def standing(level):
    return HaltStanding(level, "file" if level else "", record(level) if level else None)


LEVELS = list(HaltLevel)


@pytest.mark.parametrize("first", LEVELS)
@pytest.mark.parametrize("second", LEVELS)
def test_the_highest_level_of_all_sources_holds_and_is_named(alarms, clock, first, second):
    found = HaltSwitch([Fixed("one", record(first)), Fixed("two", record(second))], alarms, clock).standing()
    assert found.level is max(first, second)
    assert found.source == ("" if not found.level else "one" if first >= second else "two")
    assert set(found.records) == {"one", "two"}


def test_without_a_source_that_says_anything_nothing_is_halted(alarms, clock):
    assert HaltSwitch([Fixed("one", None)], alarms, clock).level() is HaltLevel.NONE
    assert HaltSwitch([], alarms, clock).standing().describe() == "NONE"


@pytest.mark.parametrize("error", [OSError("gone"), ValueError("bad"), RuntimeError(), KeyError("x")])
def test_any_source_that_fails_counts_as_a_full_halt_and_recovers(alarms, clock, error):
    source = Fixed("journal", error)
    switch = HaltSwitch([Fixed("file", record(HaltLevel.BLOCK_NEW)), source], alarms, clock)
    assert [switch.level(), switch.level()] == [HaltLevel.HALT] * 2
    assert switch.standing().source == "journal"
    assert alarms.codes == ["halt-source"]
    source.says = None
    assert switch.level() is HaltLevel.BLOCK_NEW
    source.says = error
    assert switch.level() is HaltLevel.HALT
    assert alarms.codes == ["halt-source"] * 2


def test_standing_is_plain_json(alarms, clock):
    found = HaltSwitch([Fixed("file", record(HaltLevel.FLATTEN))], alarms, clock).standing()
    one = {"level": "FLATTEN", "who": "ann", "when": "2024-01-02T15:00:00+00:00", "why": "because"}
    assert found.to_dict() == {**one, "source": "file", "sources": {"file": one}}
    assert found.describe() == "FLATTEN, set by ann on 2024-01-02 15:00:00 UTC: because (file)"


@dataclass
class Row:
    level: str
    who: str = "sql"
    reason: str = ""
    at: dt.datetime | None = START


class Rows:
    def __init__(self, row):
        self.row = row

    def latest_halt(self):
        return self.row


@pytest.mark.parametrize("level", LEVELS)
def test_the_latest_row_of_the_journal_halts_and_lifts(alarms, clock, level):
    assert HaltSwitch([JournalSource(Rows(Row(level.name)))], alarms, clock).level() is level


@pytest.mark.parametrize("row", [Row("FINE"), Row("NONE", at=None)])
def test_a_row_that_is_no_halt_halts(alarms, clock, row):
    assert HaltSwitch([JournalSource(Rows(row))], alarms, clock).level() is HaltLevel.HALT


def test_a_journal_without_rows_halts_nothing():
    assert JournalSource(Rows(None)).read() is None


HELD = view(positions={"A": 100.0})
KINDS = {
    "adds": order(1),
    "reduces": order(-100),
    "turns": order(-101),
}
SENT = {
    # level: what may be sent by the strategy, what may be sent to flatten
    HaltLevel.NONE: ({"adds", "reduces", "turns"}, {"adds", "reduces", "turns"}),
    HaltLevel.BLOCK_NEW: ({"reduces"}, {"reduces"}),
    HaltLevel.CANCEL_WORKING: (set(), set()),
    HaltLevel.FLATTEN: (set(), {"reduces"}),
    HaltLevel.HALT: (set(), set()),
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("flattening", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_each_level_lets_exactly_its_orders_pass(level, flattening, kind):
    found = halt_verdict(standing(level), KINDS[kind], HELD, flattening=flattening)
    assert found.allowed == (kind in SENT[level][flattening])
    if not found.allowed:
        assert found.code == "halt"
        assert level.name in found.reason
        assert "resume" in found.reason


@pytest.mark.parametrize("level", LEVELS)
def test_working_orders_are_cancelled_from_cancel_working_on(level):
    assert level.cancels_working == (level >= HaltLevel.CANCEL_WORKING)


def test_limits_are_asked_where_the_halt_lets_pass():
    limits = Limits(only(max_order_usd=100))
    assert verdict(standing(HaltLevel.NONE), limits, order(2), VIEW).code == "order_notional"
    assert verdict(standing(HaltLevel.NONE), limits, order(1), VIEW).allowed
    assert verdict(standing(HaltLevel.BLOCK_NEW), limits, order(1), VIEW).code == "halt"


def test_a_halt_in_the_middle_of_a_batch_stops_every_later_order(file, alarms, clock):
    switch, limits, sent = HaltSwitch([file], alarms, clock), Limits(LimitParams()), []
    for number in range(10):
        if number == 4:
            file.trip(HaltLevel.HALT, "ann", "now")
        one = order(1)
        if verdict(switch.standing(), limits, one, VIEW).allowed:
            sent.append(number)
    assert sent == [0, 1, 2, 3]
