"""Fifty decisions with a fixed seed, and the invariants can fail: ``make campaign`` runs a thousand."""

from __future__ import annotations

import faulthandler
import threading

import pytest

from tests.campaign import deaths
from tests.campaign.campaign import NIGHTS, TROUBLE, Campaign, Sizes
from tests.campaign.faults import TABLE, drawable

SEED, REBALANCES = 7, 50
PATIENCE = 300
SMALL = Sizes(nights=4, every=41, days=46)


@pytest.fixture(autouse=True)
def nothing_hangs():
    faulthandler.dump_traceback_later(PATIENCE, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


def test_fifty_decisions_under_kills_faults_and_resets_keep_every_invariant(tmp_path):
    before = set(threading.enumerate())
    figures = Campaign(SEED, tmp_path, SMALL).run(REBALANCES)
    assert [f"{where}: {finding}" for where, finding in figures.findings] == []
    assert figures.rebalances >= REBALANCES
    assert figures.checks >= REBALANCES
    assert figures.resets >= SMALL.nights
    assert {name.split(" of ")[0] for name in figures.deaths} >= {
        f"{when} {kind}" for when in (deaths.BEFORE, deaths.AFTER) for kind in (deaths.COMMIT, deaths.WRITE)
    }
    assert figures.limited > 0
    assert figures.halts
    assert set(threading.enumerate()) <= before


def test_every_row_of_the_failure_table_has_a_fault_or_a_reason():
    assert len({row.failure for row in TABLE}) == len(TABLE) == 34
    for row in TABLE:
        assert bool(row.faults) != bool(row.why_not)
    names = [fault.name for _, fault in drawable()]
    assert len(names) == len(set(names))


def test_a_leg_does_not_depend_on_those_before_it(tmp_path):
    whole = Campaign(SEED, tmp_path / "whole", Sizes(nights=2, every=10**6, days=1))
    whole.leg(NIGHTS)
    after = whole.leg(f"{TROUBLE}-2")
    alone = Campaign(SEED, tmp_path / "alone", Sizes(days=1)).leg(f"{TROUBLE}-2")
    assert (after.faults, after.halts) == (alone.faults, alone.halts)
