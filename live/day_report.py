"""The end-of-day report: what was meant, what was done, what it cost, what moved. Text, JSON and a small page."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ares7.errors import Ares7Error, MissingData
from ares7.run_files import to_json
from ares7.tearsheet_format import Markup, count, percent, ratio, section, table, text, usd
from live.account_view import figures_of, positions_of
from live.drift import Drift
from live.flows import EXTERNAL, totals, trading_return
from live.journal.place import masked
from live.journal.reader import JournalReader
from live.journal.rows import JournalOrder
from live.journal.wire_rows import EXCHANGE
from live.shortfall import OrderRecord, SessionShortfall, by_session


@dataclass(frozen=True, slots=True)
class DayPrice:
    """Traded prices of one name in the session, USD a share; None where it did not trade."""

    open: float | None = None
    close: float | None = None


def day_record(
    journal: JournalReader,
    session: dt.date,
    prices: Mapping[str, DayPrice] | None = None,
    drifts: Mapping[str, Drift] | None = None,
) -> dict[str, Any]:
    """Return everything that the report of a session shows, as plain values.

    Parameters
    ----------
    journal : JournalReader
        With the closing value of the session.
    session : date
    prices : mapping of symbol to DayPrice, optional
        Opens are the arrival prices of opening orders, closes value what was not filled. Without them delay and
        opportunity are not known, and are not shown as 0.
    drifts : mapping of title to Drift, optional
        For example ``live against shadow``.

    Raises
    ------
    MissingData
        The journal has no closing value of the session.
    """
    orders = orders_of_day(journal, session)
    fills = journal.fills(session)
    fees, refs = journal.fees(), journal.refs()
    known = [fees[fill.root].amount for fill in fills if fill.root in fees]
    return {
        "session": str(session),
        "mode": journal.mode,
        "account": masked(journal.account),
        "money": _money(journal, session),
        "figures": figures_of(journal),
        "traded_usd": sum(fill.shares * fill.price for fill in fills),
        "fills": len(fills),
        "fills_by_hand": sum(fill.ref not in refs for fill in fills),
        "fees_usd": sum(known),
        "fees_unknown": len(fills) - len(known),
        "shortfall": [found.to_dict() for found in _shortfalls(orders, prices or {})],
        "not_filled": [
            {
                "ref": order.intent.ref,
                "symbol": order.intent.symbol,
                "left": order.intent.sign * (order.intent.quantity - order.filled),
                "stage": order.stage,
                "reason": order.reason,
            }
            for order in orders
            if order.filled < order.intent.quantity
        ],
        "refused": _refused(journal, session),
        "positions": len(positions_of(journal)["positions"]),
        "closes_usd": {
            name: price.close for name, price in (prices or {}).items() if price.close is not None
        },
        "drift": {title: found.to_dict() for title, found in (drifts or {}).items()},
        "alerts": [
            {"severity": alert.severity, "code": alert.code, "message": alert.message}
            for alert in journal.alerts(open_only=True)
        ],
    }


def orders_of_day(journal: JournalReader, session: dt.date) -> list[JournalOrder]:
    """Orders that were filled in a session, that ended in it, or that an earlier one left working."""
    filled = {fill.ref for fill in journal.fills(session)}

    def concerns(order: JournalOrder) -> bool:
        if order.intent.ref in filled:
            return True
        if not order.is_done:
            return order.intent.session < session
        return order.stage_at is not None and order.stage_at.astimezone(EXCHANGE).date() == session

    return [order for order in journal.orders() if concerns(order)]


def _money(journal: JournalReader, session: dt.date) -> dict[str, Any]:
    """Change of value, and what of it came from outside."""
    navs = [nav for nav in journal.navs("close") if nav.session <= session]
    if not navs or navs[-1].session != session:
        raise MissingData(
            f"{journal} has no closing value of {session}; the report is written after the close"
        )
    now = navs[-1].nav_usd
    if len(navs) < 2:
        return {"nav_usd": now, "before_usd": None, "return": None, "trading_return": None, "flows_usd": {}}
    before = navs[-2]
    flows = [flow for flow in journal.flows() if before.session < flow.session <= session]
    outside = [flow for flow in flows if flow.kind in EXTERNAL]
    moved = sum(flow.amount_usd for flow in outside)
    return {
        "nav_usd": now,
        "before_usd": before.nav_usd,
        "change_usd": now - before.nav_usd,
        "flows_usd": dict(totals(flows)),
        "earned_usd": now - before.nav_usd - moved,
        "return": trading_return(before.nav_usd, now, outside),
        "trading_return": trading_return(before.nav_usd, now, flows),
    }


def _shortfalls(orders: Sequence[JournalOrder], prices: Mapping[str, DayPrice]) -> list[SessionShortfall]:
    records = []
    for order in orders:
        if order.intent.decision_price is not None and order.stage != "shown":
            found = prices.get(order.intent.symbol, DayPrice())
            arrival = found.open if order.intent.tif == "OPG" else None
            records.append(OrderRecord.of(order, arrival, found.close))
    return by_session(records)


def _refused(journal: JournalReader, session: dt.date) -> list[dict[str, str]]:
    """Decisions of the session that limits, a halt or the reconciliation gate did not let through."""
    quiet = ("order", "hold", "unchanged", "below_minimum", "no_bar")
    return [
        {"symbol": d.symbol, "outcome": d.outcome, "reason": d.reason}
        for rebalance in journal.rebalances(session)
        for d in journal.decisions(rebalance.rebalance_id)
        if d.outcome not in quiet
    ]


def lines_of(record: Mapping[str, Any]) -> list[str]:
    """Return the report as text."""
    money = record["money"]
    lines = [f"{record['session']}  {record['mode']}  account {record['account']}", ""]
    lines += [f"{name}: {value}" for name, value in _money_rows(money)]
    unknown = f", {record['fees_unknown']} fees not known yet" if record["fees_unknown"] else ""
    hand = f", {record['fills_by_hand']} by hand" if record["fills_by_hand"] else ""
    fees = f"fees {usd(record['fees_usd'], 2)}{unknown}"
    lines.append(f"traded: {usd(record['traded_usd'])} in {record['fills']} fills{hand}, {fees}")
    for found in record["shortfall"]:
        parts = ", ".join(f"{name} {value}" for name, value in _shortfall_rows(found))
        lines.append(f"shortfall of the orders of {found['session']}: {parts}")
    lines += [
        f"not filled: {o['symbol']} {o['left']:+g} ({o['stage']}) {o['reason']}" for o in record["not_filled"]
    ]
    lines += [f"refused: {r['symbol']} {r['outcome']}: {r['reason']}" for r in record["refused"]]
    for title, found in record["drift"].items():
        causes = ", ".join(f"{k} {usd(v, 2)}" for k, v in found["causes_usd"].items() if abs(v) >= 0.005)
        lines.append(f"{title}: {usd(found['total_usd'], 2)} ({causes or 'nothing'})")
    lines += [f"alert ({a['severity']}) {a['code']}: {a['message']}" for a in record["alerts"]]
    return lines


def _money_rows(money: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = [("NAV", usd(money["nav_usd"], 2))]
    if money["before_usd"] is None:
        return rows
    rows += [("change", usd(money["change_usd"], 2)), ("earned", usd(money["earned_usd"], 2))]
    rows += [(kind, usd(amount, 2)) for kind, amount in money["flows_usd"].items()]
    return [*rows, ("return, time-weighted", percent(money["return"], 3))]


def _shortfall_rows(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    names = ("delay", "execution", "fees", "opportunity", "total")
    return [(n, f"{usd(found[f'{n}_usd'], 2)} ({ratio(found[f'{n}_bps'], 1)} bps)") for n in names]


def page_of(record: Mapping[str, Any]) -> str:
    """Return the report as one HTML page that fetches nothing and runs no script."""
    style = (Path(__file__).parent.parent / "ares7" / "tearsheet_page.css").read_text(encoding="utf-8")
    title = f"{record['session']}, {record['mode']}, account {record['account']}"
    orders = [o for found in record["shortfall"] for o in found["orders"]]
    parts = [
        section("Money", table(("", ""), _money_rows(record["money"]))),
        *(
            section(
                f"Shortfall of the orders of {found['session']}",
                table(("", "USD and bps"), _shortfall_rows(found)),
            )
            for found in record["shortfall"]
        ),
        section("Orders", _orders_table(orders)) if orders else Markup(""),
        *(
            section(name, table(("cause", "USD"), [(k, usd(v, 2)) for k, v in found["causes_usd"].items()]))
            for name, found in record["drift"].items()
        ),
        _listed("Not filled", record["not_filled"], ("symbol", "left", "stage", "reason")),
        _listed("Refused", record["refused"], ("symbol", "outcome", "reason")),
        _listed("Open alerts", record["alerts"], ("code", "severity", "message")),
    ]
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{text(title)}</title>\n'
        f'<link rel="icon" href="data:,">\n<style>\n{style}</style>\n</head>\n<body>\n<main><header><h1>{text(title)}'
        f"</h1></header>{''.join(parts)}</main>\n</body>\n</html>\n"
    )


def _orders_table(orders: Sequence[Mapping[str, Any]]) -> Markup:
    head = ("order", "name", "decided", "filled", "at", "fee", "shortfall", "bps")
    rows = [
        (
            o["ref"],
            o["symbol"],
            count(o["quantity"]),
            count(o["filled"]),
            ratio(o["average_price"], 4),
            usd(o["fee_usd"], 2),
            usd(o["total_usd"], 2),
            ratio(o["total_bps"], 1),
        )
        for o in orders
    ]
    return table(head, rows)


def _listed(title: str, rows: Sequence[Mapping[str, Any]], columns: tuple[str, ...]) -> Markup:
    return section(title, table(columns, [[row[c] for c in columns] for row in rows])) if rows else Markup("")


def write_day_report(folder: Path, record: Mapping[str, Any]) -> tuple[Path, ...]:
    """Write ``day-<session>-<mode>.txt``, ``.json`` and ``.html``; an earlier report of the session is replaced.

    Raises
    ------
    Ares7Error
        The folder cannot be written; earlier reports are left as they were.
    """
    stem = f"day-{record['session']}-{record['mode']}"
    contents = {
        ".json": to_json(record),
        ".txt": "\n".join(lines_of(record)) + "\n",
        ".html": page_of(record),
    }
    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for ending, content in contents.items():
            path, fresh = folder / (stem + ending), folder / f".{stem}{ending}.{os.getpid()}"
            fresh.write_text(content, encoding="utf-8", newline="\n")
            fresh.replace(path)
            paths.append(path)
    except OSError as error:
        raise Ares7Error(
            f"report {folder / stem} cannot be written: {error.strerror or error}; free space or allow writing there"
        ) from None
    return tuple(paths)
