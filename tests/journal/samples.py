"""Rows for the tests of the journal."""

from __future__ import annotations

import datetime as dt

from live.journal.identity import order_ref, rebalance_id
from live.journal.rows import (
    Adjustment,
    Alert,
    CashFlow,
    Decision,
    DifferenceRow,
    Fee,
    Fill,
    Heartbeat,
    Intent,
    Nav,
    Rebalance,
    Reconciliation,
    RegimeRow,
    Run,
    WireEvent,
)

ACCOUNT = "DU1234567"
SESSION = dt.date(2024, 1, 5)
NEXT = dt.date(2024, 1, 8)
NOON = dt.datetime(2024, 1, 8, 17, 0, tzinfo=dt.UTC)
AAPL, MSFT = 265598, 272093
REBALANCE = rebalance_id("regime_ensemble", "1a2b3c4d", ACCOUNT, SESSION)


class Ticking:
    """A clock that is a millisecond later every time it is asked."""

    def __init__(self, now=NOON):
        self.now = now

    def __call__(self):
        self.now += dt.timedelta(milliseconds=1)
        return self.now


def ref(con_id=AAPL, side="BUY", number=1):
    return order_ref(SESSION, REBALANCE, con_id, side, number)


def rebalance(**changes):
    sample = {
        "rebalance_id": REBALANCE,
        "session": SESSION,
        "strategy": "regime_ensemble",
        "config_digest": "1a2b3c4d",
        "reason": "month_end",
        "nav_usd": 1e6,
        "cash_usd": 2e5,
        "capital_usd": 1e6,
        "detail": {"regime": "BULL", "sleeves": {"qm": 0.7, "lv": 0.3}},
    }
    return Rebalance(**(sample | changes))


def decision(symbol="AAPL", con_id=AAPL, **changes):
    sample = {
        "rebalance_id": REBALANCE,
        "symbol": symbol,
        "con_id": con_id,
        "target_weight": 0.1,
        "target_shares": 500.0,
        "held_shares": 100.0,
        "working_shares": 0.0,
        "delta_shares": 400.0,
        "price": 181.25,
        "outcome": "order",
        "ref": ref(con_id),
        "detail": {"sleeves": {"qm": 0.08, "lv": 0.02}},
    }
    return Decision(**(sample | changes))


def intent(con_id=AAPL, side="BUY", number=1, **changes):
    sample = {
        "ref": ref(con_id, side, number),
        "con_id": con_id,
        "symbol": "AAPL" if con_id == AAPL else "MSFT",
        "side": side,
        "quantity": 400,
        "order_type": "MKT",
        "tif": "OPG",
        "session": SESSION,
        "order_id": 100 + number,
        "client_id": 7,
        "decision_price": 180.0,
    }
    return Intent(**(sample | changes))


def fill(root="0000e0d5.1", revision=1, **changes):
    sample = {
        "root": root,
        "revision": revision,
        "ref": ref(),
        "con_id": AAPL,
        "symbol": "AAPL",
        "side": "BUY",
        "shares": 400.0,
        "price": 181.8,
        "traded_at": NOON,
        "session": NEXT,
        "order_id": 101,
        "client_id": 7,
        "perm_id": 900,
        "exchange": "NASDAQ",
    }
    return Fill(**(sample | changes))


def adjustment(shares, before=0.0, kind="adopt", con_id=AAPL, **changes):
    return Adjustment(con_id, "AAPL" if con_id == AAPL else "MSFT", kind, shares, before, **changes)


STEPS = (
    ("begin_run", Run("regime_ensemble", "1a2b3c4d", "commit", 4711, "host", 7, True, {"python": "3.11"})),
    (
        "reconciled",
        Reconciliation("start", True, (DifferenceRow("split", "MSFT", MSFT, 10.0, 20.0, "2 for 1"),)),
    ),
    ("adopt", adjustment(10.0, con_id=MSFT, reason="bought by hand", who="op")),
    ("regime", RegimeRow(SESSION, "BULL", "BULL", {"index": 4700.0, "vix": 13.5})),
    ("begin_rebalance", rebalance()),
    ("decision", [decision(), decision("MSFT", MSFT, outcome="unchanged", ref="", price=None)]),
    ("intent", intent(rebalance_id=REBALANCE)),
    ("wire", WireEvent("status", 1, ref(), 101, 7, 900, status="Submitted", filled=0.0, remaining=400.0)),
    ("stage", (ref(), "working")),
    ("fill", fill()),
    ("fee", Fee("0000e0d5.1", 1, 2.05)),
    ("stage", (ref(), "filled")),
    ("finish_rebalance", (REBALANCE, "done", {"orders": 1})),
    ("nav", Nav(NEXT, "close", 1_000_500.25, 1.5e5, 8.5e5, 8.5e5)),
    ("flow", CashFlow(NEXT, "unknown", 1000.0, "cash-20240108-1")),
    ("alert", Alert("warning", "missing_fill", "an execution was found late", NEXT, "AAPL", ref())),
    ("ack", ("operator", "seen")),
    ("halt", ("BLOCK_NEW", "operator", "test")),
    ("heartbeat", Heartbeat("waiting", 4711, NEXT)),
    ("end_run", "stopped"),
)
"""One of everything, in the order of a session: method of the journal, and its argument or arguments."""


def write(journal, step):
    method, given = step
    arguments = given if isinstance(given, tuple) else (given,)
    if method == "ack":
        # PostgreSQL leaves out the numbers of rows that were never committed.
        arguments = (journal.alerts()[-1].id, *arguments)
    return getattr(journal, method)(*arguments)
