"""A small market as a data folder, runs of a simulated account on it, and the backtest that they must equal."""

from __future__ import annotations

import datetime as dt
import faulthandler
import sqlite3

import numpy as np
import pytest

from analyzers import add_default_analyzers
from analyzers.document import figures
from ares7.config import build_config
from feeds.engines import ENGINES, Chosen, Tools
from feeds.study import load_for
from feeds.synthetic import generate, write
from live.simulated.runner import Errand, SimulatedRunner
from strategies import registry

FIRST, LAST = "2024-03-01", "2024-09-30"
NO_LIMITS = dict.fromkeys(
    (
        "max_order_usd",
        "max_fund_order_usd",
        "max_volume_share",
        "max_weight",
        "max_turnover",
        "max_daily_loss",
        "max_drawdown",
        "max_gross",
        "max_net",
        "max_cash_use",
    )
)
"""Limits are tested elsewhere; a backtest has none."""


@pytest.fixture(autouse=True)
def nothing_hangs():
    faulthandler.dump_traceback_later(200, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture(scope="session")
def market(tmp_path_factory):
    """Thirty names, some of which are listed late or end early."""
    folder = tmp_path_factory.mktemp("market")
    write(generate(settings(folder, None).data.synthetic), folder, "parquet")
    return folder


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def settings(home, data, cache=None, journal="journal", overlays=(), **sections):
    synthetic = {"symbols": 30, "start": "2022-06-01", "end": "2024-12-31"}
    own = {"path": str(data)} if data is not None else {"synthetic": synthetic}
    given = {
        "costs": {"model": "bps", "bps": 10},
        "data": {**own, "cache": str(cache or home / "cache"), **sections.pop("data", {})},
        "halt": {"folder": str(home / journal)},
        "limits": NO_LIMITS,
        "strategy": {"overlays": list(overlays)},
        **sections,
    }
    return build_config(given, home, "test")


def chosen_of(config, name):
    found = registry.resolve(name)
    return Chosen(name, found, registry.settings(found, config.strategy_params, config.costs))


class Account:
    """A simulated account in a folder of its own; every run is a process of its own, but for the memory."""

    def __init__(self, home, name, data, cache, strategy="equal_weight", **sections):
        self.home, self.strategy = home / name, strategy
        self.config = settings(home, data, cache, name, **sections)
        self.told = []

    def runner(self, *, now=None, sleep=None, kind=SimulatedRunner, **errand):
        given = {"first": dt.date.fromisoformat(FIRST), "start_now": True, "basis": "total_return", **errand}
        clock = {} if now is None else {"now": now}
        waits = {} if sleep is None else {"sleep": sleep}
        chosen = chosen_of(self.config, self.strategy)
        return kind(self.config, chosen, Errand(**given), self.told.append, **clock, **waits)

    def run(self, sessions, **errand):
        return self.runner(sessions=sessions, **errand).run()

    @property
    def path(self):
        return self.home / "journal-simulated.sqlite"

    def ask(self, sql):
        connection = sqlite3.connect(self.path)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()


@pytest.fixture
def account(tmp_path, market, cache):
    """``account("name")``: a new account on the market."""

    def made(name="a", strategy="equal_weight", data=market, **sections):
        return Account(tmp_path, name, data, cache, strategy, **sections)

    return made


CONTENT = {
    "rebalances": "rebalance_id, session, strategy, config_digest, reason, nav_usd, cash_usd, capital_usd, detail",
    "rebalance_ends": "rebalance_id, outcome, detail",
    "decisions": "rebalance_id, symbol, con_id, target_weight, target_shares, held_shares, working_shares, "
    "delta_shares, price, outcome, reason, ref, detail",
    "intents": "ref, con_id, symbol, side, quantity, order_type, tif, session, order_id, rebalance_id, "
    "decision_price, purpose",
    "stages": "at, ref, stage, reason",
    "fills": "root, revision, ref, con_id, symbol, side, shares, price, traded_at, session, order_id",
    "fees": "root, revision, amount, currency",
    "navs": "session, kind, nav_usd, cash_usd, gross_usd, net_usd, source",
    "regimes": "session, raw, held, inputs",
    "flows": "session, kind, amount_usd, key, symbol, con_id, text",
    "adjustments": "con_id, symbol, kind, shares, before_shares, price, who, reason",
    "alerts": "severity, code, message",
}
"""Everything that a journal says of the account; runs, signs of life and times of writing are the processes' own."""


def content(account):
    """Rows of every table, in the order in which they were written."""
    found = {}
    for table, columns in CONTENT.items():
        found[table] = account.ask(f"SELECT {columns} FROM {table} ORDER BY id")  # noqa: S608
    return found


class Book:
    """Orders, fills and curve of a run, in the same words for a backtest and a journal."""

    def __init__(self, orders, fills, nav):
        self.orders, self.fills, self.nav = orders, fills, nav


def backtested(config, strategy, first=FIRST, last=LAST):
    """The event-driven backtest over the same sessions."""
    config = config.model_copy(
        update={
            "period": config.period.model_copy(
                update={"start": dt.date.fromisoformat(first), "end": dt.date.fromisoformat(last)}
            )
        }
    )
    chosen = chosen_of(config, strategy)
    panel = load_for(config, chosen.settings.requires, chosen.settings.warmup, chosen.name)
    outcome = ENGINES["event"](
        config, panel, chosen, Tools(add_default_analyzers, figures), lambda targets: None, None
    )
    orders, fills = outcome.ledger.orders, outcome.ledger.fills
    return Book(
        sorted(
            (str(day), panel.symbols[name], float(quantity))
            for day, name, quantity in zip(orders.decided, orders.symbol, orders.quantity, strict=True)
        ),
        sorted(
            (str(day), fills.symbols[name], quantity, price, fee)
            for day, name, quantity, price, fee in zip(
                fills.date,
                fills.symbol,
                fills.quantity.tolist(),
                fills.price.tolist(),
                fills.fee.tolist(),
                strict=True,
            )
        ),
        list(
            zip(
                map(str, outcome.history.dates),
                outcome.history.nav.tolist(),
                outcome.history.cash.tolist(),
                strict=True,
            )
        ),
    )


def journalled(account):
    """The same of a simulated account."""
    orders = account.ask(
        "SELECT session, symbol, CASE side WHEN 'BUY' THEN quantity ELSE -quantity END FROM intents"
    )
    fills = account.ask(
        "SELECT f.session, f.symbol, CASE f.side WHEN 'BUY' THEN f.shares ELSE -f.shares END, f.price, e.amount "
        "FROM fills f JOIN fees e ON e.root = f.root"
    )
    navs = account.ask("SELECT session, nav_usd, cash_usd FROM navs WHERE kind = 'close' ORDER BY session")
    return Book(
        sorted((day, name, float(quantity)) for day, name, quantity in orders),
        sorted((day, name, float(quantity), price, fee) for day, name, quantity, price, fee in fills),
        navs,
    )


def sessions_between(first, last):
    from ares7.sessions import sessions

    return len(sessions(np.datetime64(first), np.datetime64(last)))
