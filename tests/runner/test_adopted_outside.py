"""A holding that was adopted and is not among the strategy's names: it blocks nothing, and FLATTEN closes it."""

from __future__ import annotations

import shutil

import pandas as pd
import pytest

from live.journal.reader import JournalReader
from live.journal.rows import ADOPT, Adjustment
from tests.runner.conftest import SteppedRunner, positions

NAME, SHARES = "S006", 40.0


class Adopting(SteppedRunner):
    """The operator adopts what the account holds before the first comparison."""

    def _open_gate(self):
        (row,) = self.store.client.positions()
        self.journal.adopt(
            Adjustment(row.con_id, row.symbol, ADOPT, SHARES, 0.0, None, "test", "", at=self.store.now())
        )
        super()._open_gate()


class Leaving(Adopting):
    def _closed(self, session):
        super()._closed(session)
        if self.closed == 2:
            self.journal.halt("FLATTEN", "test", "out")


@pytest.fixture
def narrower(gateway, market, tmp_path):
    """A data folder without a name that the account holds."""
    folder = tmp_path / "market"
    shutil.copytree(market, folder)
    for table in ("prices", "membership", "symbols", "fundamentals", "fundamentals_annual", "earnings"):
        path = folder / f"{table}.parquet"
        rows = pd.read_parquet(path)
        rows[rows["symbol"] != NAME].to_parquet(path)
    gateway.set_position(NAME, SHARES)
    return {"data": {"path": str(folder), "cache": None}}


def test_it_keeps_no_purchase_back(run, gateway, narrower):
    done = run(kind=Adopting, sessions=2, config=narrower).run()
    assert done.filled >= 8
    assert positions(gateway)[NAME] == SHARES


def test_flatten_closes_it_with_the_others(run, gateway, narrower, tmp_path):
    run(kind=Leaving, sessions=4, config=narrower).run()
    assert positions(gateway) == {}
    with JournalReader.open(f"sqlite:///{tmp_path / 'journal' / 'journal-paper.sqlite'}", "paper") as journal:
        sold = {order.intent.purpose for order in journal.orders() if order.intent.side == "SELL"}
        assert sold == {"flatten"}
        assert journal.positions() == {}
