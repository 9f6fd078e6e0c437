"""One strategy class in four modes, backtest, simulated paper, paper on the double and shadow: the same targets.

Real history and the default strategy with its overlays. Every mode must decide on the same sessions, and want the same
of every name on each of them.
"""

from __future__ import annotations

import datetime as dt
import faulthandler
import os
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from ares7.costs import BpsCosts
from ares7.sessions import sessions
from feeds.engines import Chosen
from feeds.study import load_for
from live.client.options import HistoryPacing, Options
from live.double.control import running
from live.double.history import from_folder
from live.double.settings import Settings
from live.interlock import Wish
from live.portfolio import Portfolio
from live.run_settings import Place
from live.runner import Runner
from live.simulated.runner import Errand, SimulatedRunner
from live.store_options import StoreOptions
from strategies import registry
from tests.bridge.stepping import Stepper
from tests.bridge.test_ensemble import configured, roster, survivors

DATA = os.environ.get("ARES7_DATA")
pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(DATA is None, reason="ARES7_DATA names no real data folder"),
]
STRATEGY = "regime_ensemble"


def wanted_by_backtest(config, chosen):
    """Targets of every session that decides, and the names of the run."""
    panel = load_for(config, chosen.settings.requires, chosen.settings.warmup, chosen.name)
    targets = chosen.strategy.weights(panel, chosen.settings)
    rows = [row for row in range(panel.start_row, len(panel.dates)) if targets.decide[row]]
    return {
        str(panel.dates[row]): {
            name: weight
            for name, weight in zip(panel.symbols, targets.weights[row].tolist(), strict=True)
            if weight > 0
        }
        for row in rows
    }, roster(panel, chosen.settings.warmup)


def wanted_by(folder, mode):
    """The same of a journal."""
    connection = sqlite3.connect(folder / f"journal-{mode}.sqlite")
    try:
        found = {day: {} for (day,) in connection.execute("SELECT session FROM rebalances")}
        rows = connection.execute(
            "SELECT r.session, d.symbol, d.target_weight FROM decisions d "
            "JOIN rebalances r ON r.rebalance_id = d.rebalance_id WHERE d.target_weight > 0"
        )
        for day, symbol, weight in rows:
            found[day][symbol] = weight
        (closes,) = connection.execute("SELECT COUNT(*) FROM navs WHERE kind = 'close'").fetchone()
        return found, closes
    finally:
        connection.close()


class Replayed(Runner):
    """Trades the names of the backtest, and ends the double's next session whenever one was acted on."""

    names = control = last = None

    def _portfolio(self):
        self.portfolio = Portfolio(self._config, self._chosen, self.store, roster=self.names)
        self.store.listen(self._hear)
        self.store.until = self.last
        self.portfolio.cerebro.addanalyzer(Stepper, store=self.store, control=self.control)
        return self.portfolio


def on_double(config, chosen, names, folder, wish, first, last):
    """Run on the gateway double, in shadow or on its paper account."""
    history = from_folder(Path(DATA), basis="total_return")
    settings = Settings(start=f"{first} 15:00", costs=BpsCosts(model="bps", bps=10), keep_record=False)
    with running(history, settings) as control:
        control.end_session(25)
        place = Place(
            control.host,
            control.port,
            7,
            "",
            StoreOptions(clock="gateway", poll_s=0.002, bar_patience_s=1400),
            Options(messages_per_s=0, max_skew_s=None, quiet=None, history=HistoryPacing(identical_s=0)),
            folder,
        )
        runner = Replayed(config, chosen, place, wish, lambda text: None, start_now=True)
        runner.names, runner.control, runner.last = names, control, dt.date.fromisoformat(last)
        return runner.run()


def compare(tmp_path, first, last):
    config = configured(tmp_path, first, last)
    config = configured(tmp_path, first, last, universe=survivors(config, first, last))
    found = registry.resolve(STRATEGY)
    chosen = Chosen(STRATEGY, found, registry.settings(found, config.strategy_params, config.costs))
    backtest, names = wanted_by_backtest(config, chosen)
    count = len(sessions(np.datetime64(first), np.datetime64(last)))
    folders = {mode: tmp_path / mode for mode in ("simulated", "paper", "shadow")}
    own = config.model_copy(update={"halt": config.halt.model_copy(update={"folder": folders["simulated"]})})
    errand = Errand(count, first=dt.date.fromisoformat(first), start_now=True, basis="total_return")
    SimulatedRunner(own, chosen, errand, lambda text: None).run()
    on_double(config, chosen, names, folders["paper"], Wish("paper", True, "shadow", ""), first, last)
    on_double(config, chosen, names, folders["shadow"], Wish("live", False, "shadow", ""), first, last)
    for mode, folder in folders.items():
        targets, closes = wanted_by(folder, mode)
        assert closes == count, mode
        assert targets.keys() == backtest.keys(), mode
        for day, weights in backtest.items():
            assert targets[day] == weights, (mode, day)
    return backtest


def test_a_quarter_in_four_modes(tmp_path):
    targets = compare(tmp_path, "2018-01-02", "2018-03-29")
    assert len(targets) > 12


@pytest.mark.stat
@pytest.mark.skipif("ARES7_TWO_YEARS" not in os.environ, reason="many minutes: make test-two-years")
def test_two_years_in_four_modes(tmp_path):
    faulthandler.cancel_dump_traceback_later()
    faulthandler.dump_traceback_later(3000, exit=True)
    targets = compare(tmp_path, "2018-01-02", "2019-12-31")
    assert len(targets) > 100
