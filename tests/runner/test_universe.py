"""A name that left the universe is sold at the next decision, as far as it is ours (rulings 25, 28)."""

from __future__ import annotations

import shutil

import pandas as pd

from live.journal.operator_journal import OperatorJournal
from live.journal.rows import ADOPT, IGNORE, Adjustment
from tests.runner.conftest import SteppedRunner, positions


def without(market, folder, symbol, last):
    """A copy of the market in which a name is no member after a session."""
    shutil.copytree(market, folder)
    path = folder / "membership.parquet"
    members = pd.read_parquet(path)
    members.loc[members["symbol"] == symbol, "end_date"] = pd.Timestamp(last)
    members.to_parquet(path)
    return folder


def taking(symbol, shares, kind, tmp_path):
    """A runner whose operator says whose a holding is, before the first comparison."""

    class Taking(SteppedRunner):
        def _open_gate(self):
            facts = next(f.facts for f in self.store.datas if f._name == symbol)
            url = f"sqlite:///{tmp_path / 'journal' / 'journal-paper.sqlite'}"
            with OperatorJournal.open(url, "paper") as journal:
                journal.adopt(
                    Adjustment(facts.con_id, symbol, kind, shares, 0.0, None, "test", "", at=self.store.now())
                )
            super()._open_gate()

    return Taking


def test_what_our_journal_bought_is_sold_once_its_name_has_left(run, gateway, market, tmp_path):
    folder = without(market, tmp_path / "market", "S001", "2024-06-26")
    done = run(sessions=4, config={"data": {"path": str(folder), "cache": None}}).run()
    assert done.differences == 0
    assert positions(gateway)["S001"] > 0
    gateway.end_session(25)
    run(sessions=2, config={"data": {"path": str(folder), "cache": None}}).run()
    assert "S001" not in positions(gateway)


def test_an_adopted_holding_outside_the_universe_is_sold(run, gateway, tmp_path):
    gateway.set_position("S022", 50)
    done = run(kind=taking("S022", 50.0, ADOPT, tmp_path), sessions=2).run()
    assert done.differences == 0
    assert "S022" not in positions(gateway)


def test_one_that_was_set_aside_stays(run, gateway, tmp_path):
    gateway.set_position("S022", 50)
    done = run(kind=taking("S022", 50.0, IGNORE, tmp_path), sessions=2).run()
    assert done.differences == 0
    assert positions(gateway)["S022"] == 50
