"""What a journal says of the account now, as plain values and as lines for a person."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from live.flows import account_figures
from live.journal.place import masked
from live.journal.reader import JournalReader
from live.journal.rows import CashFlow, JournalOrder, Nav

SHOWN = 5
"""Latest alerts, and differences, that ``status`` shows in full."""


def status_of(journal: JournalReader) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return value, positions, working orders, differences and open alerts of one journal."""
    nav, beat, compared = journal.latest_nav(), journal.latest_heartbeat(), journal.latest_reconciliation()
    held, working = journal.positions(), journal.working()
    alerts = journal.alerts(open_only=True)
    runs = journal.runs()
    found = {
        "journal": str(journal),
        "mode": journal.mode,
        "account": masked(journal.account),
        "strategy": runs[-1].strategy if runs else None,
        "armed": runs[-1].armed if runs else None,
        "heartbeat": None if beat is None else {"at": _time(beat.at), "state": beat.state, "pid": beat.pid},
        "nav": None
        if nav is None
        else {"session": str(nav.session), "kind": nav.kind, "nav_usd": nav.nav_usd},
        "figures": figures_of(journal),
        "positions": len(held),
        "working": len(working),
        "reconciled": None
        if compared is None
        else {
            "at": _time(compared.at),
            "complete": compared.complete,
            "differences": [f"{d.kind} {d.symbol}" for d in compared.differences],
        },
        "alerts": [
            {"id": a.id, "severity": a.severity, "code": a.code, "message": a.message} for a in alerts
        ],
    }
    return found, tuple(_lines(found))


def figures_of(journal: JournalReader) -> dict[str, Any] | None:
    """Time-weighted figures of the account from its closes; None before the second one."""
    return figures_from(journal.navs("close"), journal.flows())


def figures_from(navs: Sequence[Nav], flows: Sequence[CashFlow]) -> dict[str, Any] | None:
    """As `figures_of`, from closes by session and flows that were read already."""
    import numpy as np

    if len(navs) < 2:
        return None
    first, last = navs[0].session, navs[-1].session
    between = [flow for flow in flows if first < flow.session <= last]
    return account_figures([n.session for n in navs], np.array([n.nav_usd for n in navs]), between)


def _time(at: dt.datetime | None) -> str | None:
    return None if at is None else at.astimezone(dt.UTC).isoformat(timespec="seconds")


def _lines(found: dict[str, Any]) -> list[str]:
    nav, beat, compared, figures = found["nav"], found["heartbeat"], found["reconciled"], found["figures"]
    lines = [
        f"{found['journal']}: {found['mode']}, account {found['account']}, {found['strategy'] or 'no run yet'}"
    ]
    if beat is not None:
        lines.append(f"runner: {beat['state']} at {beat['at']}, process {beat['pid']}")
    if nav is not None:
        lines.append(f"NAV {nav['nav_usd']:,.2f} USD ({nav['kind']} of {nav['session']})")
    if figures is not None:
        lines.append(
            f"return {figures['total_return']:+.2%} without deposits and withdrawals, drawdown "
            f"{figures['drawdown']:.2%}, deepest {figures['max_drawdown']:.2%}"
        )
    lines.append(f"{found['positions']} positions, {found['working']} working orders")
    if compared is not None:
        differs = ", ".join(compared["differences"][:SHOWN]) or "no difference"
        lines.append(f"compared with the gateway at {compared['at']}: {differs}")
    lines += [
        f"alert {a['id']} ({a['severity']}) {a['code']}: {a['message']}" for a in found["alerts"][-SHOWN:]
    ]
    if len(found["alerts"]) > SHOWN:
        lines.append(f"and {len(found['alerts']) - SHOWN} earlier alerts")
    return lines


def positions_of(journal: JournalReader) -> dict[str, Any]:
    """Positions that are ours, and those that were set aside, by symbol."""
    held = sorted(journal.positions().values(), key=lambda p: (p.symbol, p.con_id))
    names = {row.con_id: row.symbol for row in journal.adjustments()}
    aside = journal.ignored()
    return {
        "positions": [{"symbol": p.symbol, "con_id": p.con_id, "shares": p.shares} for p in held],
        "ignored": [
            {"symbol": names.get(con_id, str(con_id)), "con_id": con_id, "shares": aside[con_id]}
            for con_id in sorted(aside)
        ],
    }


def orders_of(journal: JournalReader, session: dt.date | None) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Orders of a session, or of the latest one that has some, and everything that still works."""
    found = journal.orders(session) if session is not None else _latest(journal)
    content = {"orders": [_order(order) for order in found]}
    lines = [
        f"{o['ref']}  {o['side']} {o['quantity']} {o['symbol']} {o['type']}/{o['tif']}: {o['stage']}, "
        f"{o['filled']:g} filled"
        + (f" at {o['average_price']:.4f}" if o["average_price"] else "")
        + (f" ({o['reason']})" if o["reason"] else "")
        for o in content["orders"]
    ]
    return content, tuple(lines or ["no orders"])


def _latest(journal: JournalReader) -> list[JournalOrder]:
    every = journal.orders()
    last = max((order.intent.session for order in every), default=None)
    return [order for order in every if order.intent.session == last or not order.is_done]


def _order(order: JournalOrder) -> dict[str, Any]:
    intent = order.intent
    return {
        "ref": intent.ref,
        "session": str(intent.session),
        "symbol": intent.symbol,
        "side": intent.side,
        "quantity": intent.quantity,
        "type": intent.order_type,
        "tif": intent.tif,
        "purpose": intent.purpose,
        "stage": order.stage,
        "reason": order.reason,
        "filled": order.filled,
        "average_price": order.average_price,
        "fee_usd": order.fee_usd,
    }


def flows_of(journal: JournalReader) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Money in and out, oldest first."""
    rows = [
        {"id": f.id, "session": str(f.session), "kind": f.kind, "amount_usd": f.amount_usd, "text": f.text}
        for f in journal.flows()
    ]
    lines = [
        f"{r['id']:>4} {r['session']} {r['kind']:<16} {r['amount_usd']:>14,.2f}  {r['text']}" for r in rows
    ]
    return {"flows": rows}, tuple(lines or ["no money came or went"])
