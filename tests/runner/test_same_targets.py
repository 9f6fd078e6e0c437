"""R1: the same class wants the same in a backtest, in shadow and on paper, session by session."""

from __future__ import annotations

import numpy as np
import pytest

from ares7.config import DataConfig
from feeds.load import load_panel
from live.interlock import Wish
from live.journal.reader import JournalReader
from strategies import registry
from tests.runner.conftest import FIRST

SESSIONS = 8


def wanted(tmp_path, mode):
    with JournalReader.open(f"sqlite:///{tmp_path / 'journal' / f'journal-{mode}.sqlite'}", mode) as journal:
        sessions = {rebalance.rebalance_id: str(rebalance.session) for rebalance in journal.rebalances()}
        return {
            (sessions[row.rebalance_id], row.symbol): row.target_weight
            for row in journal.decisions()
            if row.target_weight > 0
        }


@pytest.mark.parametrize("strategy", ["equal_weight", "low_volatility"])
def test_targets_are_the_same_in_backtest_shadow_and_paper(run, gateway, market, tmp_path, strategy):
    with_overlays = {"config": {"strategy": {"name": strategy, "overlays": ["wavelet"]}}}
    run(strategy=strategy, wish=Wish("live", False, "shadow", ""), sessions=1, **with_overlays).run()
    done = run(strategy=strategy, client_id=8, sessions=SESSIONS, **with_overlays).run()
    assert done.sessions == SESSIONS
    shadow, paper = wanted(tmp_path, "shadow"), wanted(tmp_path, "paper")
    assert {session for session, _ in shadow} == {FIRST}
    assert shadow == {key: weight for key, weight in paper.items() if key[0] == FIRST}
    found = registry.resolve(strategy)
    settings = registry.settings(found, {"overlay": {"engines": ["wavelet"]}})
    panel = load_panel(DataConfig(path=market, cache=None)).starting(np.datetime64(FIRST))
    targets = found.weights(panel, settings)
    decided = {session for session, _ in paper}
    assert len(decided) >= 2
    for session in decided:
        row = int(np.searchsorted(panel.dates, np.datetime64(session)))
        assert targets.decide[row]
        ours = {n: w for n, w in zip(panel.symbols, targets.weights[row].tolist(), strict=True) if w > 0}
        assert {name: weight for (day, name), weight in paper.items() if day == session} == pytest.approx(
            ours, abs=1e-12
        )
