"""Explains a session of live trading from its journal: what the runner wrote when it decided, and what became of it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from ares7.errors import MissingData
from live.explain import largest
from live.journal.reader import JournalReader
from live.journal.rows import Decision, JournalOrder, Rebalance
from live.shortfall import OrderRecord, shortfall


def explain_session(journal: JournalReader, session: dt.date, symbol: str | None = None) -> dict[str, Any]:
    """Return the record of a session: the name that is asked for, or those that matter most.

    Raises
    ------
    MissingData
        No rebalance was begun on that session, or the name was neither wanted nor held.
    """
    rebalance = _rebalance(journal, session)
    decisions = journal.decisions(rebalance.rebalance_id, symbol)
    if symbol is not None and not decisions:
        raise MissingData(
            f"{symbol} was neither wanted nor held in the rebalance of {session}, so nothing was written of it"
        )
    orders = journal.orders(rebalance_id=rebalance.rebalance_id)
    names = [
        _name(decision, [o for o in orders if o.intent.symbol == decision.symbol]) for decision in decisions
    ]
    return {
        "session": str(session),
        "decided": str(session),
        "reasons": [rebalance.reason] if rebalance.reason else [],
        **rebalance.detail,
        "journal": str(journal),
        "rebalance": rebalance.rebalance_id,
        "outcome": rebalance.outcome,
        "nav_usd": rebalance.nav_usd,
        "names": names if symbol else largest(names),
    }


def _rebalance(journal: JournalReader, session: dt.date) -> Rebalance:
    found = journal.rebalances(session)
    if found:
        return found[-1]
    known = [str(r.session) for r in journal.rebalances()]
    near = f"the latest one was on {known[-1]}" if known else "there was none yet"
    raise MissingData(f"{journal}: no rebalance on {session}; {near}")


def _name(decision: Decision, orders: list[JournalOrder]) -> dict[str, Any]:
    return {
        **decision.detail,
        "symbol": decision.symbol,
        "target_weight": decision.target_weight,
        "outcome": decision.outcome,
        "reason": decision.reason,
        "orders": [_order(order) for order in orders],
    }


def _order(order: JournalOrder) -> dict[str, Any]:
    if order.intent.decision_price is not None:
        return shortfall(OrderRecord.of(order)).to_dict()
    return {
        "ref": order.intent.ref,
        "symbol": order.intent.symbol,
        "quantity": float(order.intent.sign * order.intent.quantity),
        "filled": order.intent.sign * order.filled,
        "average_price": order.average_price,
        "fee_usd": order.fee_usd,
        "stage": order.stage,
        "reason": order.reason,
    }
