"""R1: the strategy that was backtested, through the bridge on the same days: the same orders, the same money."""

from __future__ import annotations

import datetime as dt
import faulthandler
import os
from pathlib import Path

import backtrader as bt
import numpy as np
import pytest

from analyzers import add_default_analyzers
from analyzers.document import figures
from ares7.config import build_config
from ares7.costs import BpsCosts
from feeds.engines import ENGINES, Chosen, Tools
from feeds.load import load_panel
from feeds.study import load_for
from live.client.options import Options
from live.double.control import running
from live.double.history import from_folder
from live.double.settings import Settings
from live.live_panel import Roster
from live.portfolio import Portfolio
from live.store import IBStore
from live.store_options import StoreOptions
from strategies import registry
from tests.bridge.stepping import Stepper

DATA = os.environ.get("ARES7_DATA")
pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(DATA is None, reason="ARES7_DATA names no real data folder"),
]


class Curve(bt.Analyzer):
    """Value of the account at every close."""

    def start(self):
        self.nav = {}

    def next(self):
        self.nav[str(self.strategy.datetime.date(0))] = self.strategy.broker.getvalue()

    def prenext(self):
        self.next()

    def nextstart(self):
        self.next()


def survivors(config, start, end):
    """Names that are listed at the end: a broker pays out a delisted one by rules of its own."""
    panel = load_panel(config.data)
    rows = panel.dates >= np.datetime64(end)
    last = panel.bar[rows][:60]
    return tuple(n for i, n in enumerate(panel.symbols) if panel.is_stock[i] and last[:, i].all())


def configured(cache, start, end, **data):
    return build_config(
        {
            "data": {"path": DATA, "cache": str(cache), **data},
            "period": {"start": start, "end": end},
            "costs": {"model": "bps", "bps": 10},
            "strategy": {"overlays": ["wavelet", "pead"]},
        },
        Path(cache),
        "test",
    )


def backtested(config, chosen):
    """Orders by (session, symbol), and the curve of the event-driven engine."""
    panel = load_for(config, chosen.settings.requires, chosen.settings.warmup, chosen.name)
    tools = Tools(add_default_analyzers, figures)
    outcome = ENGINES["event"](config, panel, chosen, tools, lambda targets: None, None)
    orders = outcome.ledger.orders
    made = zip(orders.decided, orders.symbol, orders.quantity, strict=True)
    curve = dict(zip(map(str, outcome.history.dates), outcome.history.nav.tolist(), strict=True))
    return {(str(day), panel.symbols[name]): float(q) for day, name, q in made}, curve, panel


def roster(panel, warmup):
    listed = panel.bar[max(0, panel.start_row - warmup) :].any(axis=0)
    columns = np.flatnonzero(listed)
    names = tuple(panel.symbols[i] for i in columns)
    return Roster(names, panel.is_stock[columns], {"index": "SPX", "vix": "VIX"})


def traded(config, chosen, names, start, end):
    """The same through the bridge against the double, which replays the days one by one."""
    history = from_folder(Path(DATA), basis="total_return")
    settings = Settings(start=start, costs=BpsCosts(model="bps", bps=10), keep_record=False)
    with running(history, settings) as control:
        store = IBStore(
            control.host,
            control.port,
            7,
            control.account,
            options=StoreOptions(clock="gateway", poll_s=0.002, bar_patience_s=1400),
            client_options=Options(messages_per_s=0),
            until=dt.date.fromisoformat(end),
        )
        portfolio = Portfolio(config, chosen, store, roster=names)
        portfolio.cerebro.addanalyzer(Curve)
        portfolio.cerebro.addanalyzer(Stepper, store=store, control=control)
        try:
            portfolio.load()
            control.end_session(25)
            strategy = portfolio.cerebro.run()[0]
        finally:
            store.stop()
        orders = {}
        for order in control.book().orders:
            day = order.ref.split("-")[1]
            assert order.status == "Filled" or day == end.replace("-", ""), order
            sign = 1 if order.action == "BUY" else -1
            orders[f"{day[:4]}-{day[4:6]}-{day[6:]}", order.symbol.replace(" ", "-")] = sign * order.quantity
        return orders, strategy.analyzers.curve.nav


def compare(tmp_path, start, end):
    config = configured(tmp_path, start, end)
    config = configured(tmp_path, start, end, universe=survivors(config, start, end))
    strategy = registry.resolve("regime_ensemble")
    settings = registry.settings(strategy, config.strategy_params, config.costs)
    chosen = Chosen("regime_ensemble", strategy, settings)
    wanted, curve, panel = backtested(config, chosen)
    orders, nav = traded(config, chosen, roster(panel, settings.warmup), start, end)
    assert orders == wanted
    assert len({day for day, _ in wanted}) > 5
    assert list(nav) == [day for day in curve if day in nav]
    assert len(nav) == len(curve)
    assert max(abs(nav[day] - curve[day]) for day in curve) < 0.01
    return wanted


def test_a_quarter_of_the_ensemble_with_overlays_makes_the_backtests_orders_and_money(tmp_path):
    orders = compare(tmp_path, "2018-01-02", "2018-03-29")
    assert len(orders) > 500


@pytest.mark.stat
@pytest.mark.skipif("ARES7_TWO_YEARS" not in os.environ, reason="three minutes: make test-two-years")
def test_two_years_of_the_ensemble_with_overlays_make_the_backtests_orders_and_money(tmp_path):
    faulthandler.dump_traceback_later(900, exit=True)
    orders = compare(tmp_path, "2018-01-02", "2019-12-31")
    assert len(orders) > 5000
