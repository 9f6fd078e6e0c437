"""The blocks of the page, made of a view; every number is written as in the report."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dash import html

from ares7.tearsheet_format import count, day, percent, ratio, usd
from live.dashboard.view import View
from live.monitor.snapshot import Snapshot

SILENT_S = 300.0
"""A sign of life older than this is marked."""
LOOKED_S = 60.0
"""So is a page whose latest look is older than this."""
Block = Any


def blocks(view: View, now: dt.datetime) -> dict[str, Block]:
    """Return the content of every part of the page by its id."""
    found = view.snapshot
    if found is None:
        return {"banner": _banner(view, now), "title": [html.H1("ARES7")]}
    return {
        "banner": _banner(view, now),
        "title": _title(found),
        "tiles": _tiles(found),
        "health": _facts(_health(found)),
        "figures": _facts(_figures(found)),
        "positions": _positions(found),
        "orders": _table(("session", "name", "side", "shares", "filled", "state"), view.orders),
        "fills": _table(("session", "name", "side", "shares", "price", "fee USD"), view.fills),
        "alerts": _alerts(view),
    }


def _moment(moment: dt.datetime | None) -> str:
    return "not known" if moment is None else f"{moment.astimezone(dt.UTC):%Y-%m-%d %H:%M:%S} UTC"


def _banner(view: View, now: dt.datetime) -> list[Any]:
    found, lines = view.snapshot, []
    if view.problem:
        lines.append(view.problem)
    if found is None:
        lines.append("Nothing could be read yet.")
    elif found.mode != "backtest":
        age = (now - found.at).total_seconds()
        if view.problem or age > LOOKED_S:
            lines.append(f"Stale: this is the state of {_moment(found.at)}.")
        beat = found.runner.beat_age_s
        if found.mode != "shadow" and beat is not None and beat > SILENT_S:
            lines.append(f"The runner's last sign of life is {count(beat)} s old.")
        if found.runner.trouble:
            lines.append(found.runner.trouble_text)
        if found.freshness.missing_sessions:
            lines.append(f"{count(len(found.freshness.missing_sessions))} sessions have no close.")
    return [html.P(line) for line in lines]


def is_stale(view: View) -> bool:
    """Whether the figures are of an earlier look."""
    return bool(view.problem)


def _title(found: Snapshot) -> list[Any]:
    parts = [found.mode, found.strategy or "no run yet", f"account {found.account}" if found.account else ""]
    seen = "end of the run" if found.mode == "backtest" else f"seen {_moment(found.at)}"
    return [html.H1("ARES7"), html.P(", ".join(p for p in [*parts, seen] if p), className="lede")]


def _tiles(found: Snapshot) -> list[Any]:
    money = found.money
    regime = "none yet" if found.regime is None else found.regime.held
    if money is None:
        return [_tile("nav", "Value", "no close yet", "")]
    shown = [
        ("nav", "Value", usd(money.nav_usd), f"close of {day(money.session)}"),
        ("daily", "Return of the day", percent(money.daily_return, 2), "without flows"),
        ("total", "Total return", percent(money.total_return), "time-weighted"),
        ("drawdown", "Drawdown", percent(money.drawdown), f"deepest {percent(money.max_drawdown)}"),
        ("sharpe", "Sharpe ratio", ratio(money.sharpe), f"latest year {ratio(money.rolling_sharpe)}"),
    ]
    if found.mode == "backtest":
        last = ("regime", "Regime", regime, "at the end")
    else:
        last = ("halt", "Halt level", found.runner.halt_level, f"regime {regime}")
    return [_tile(*each) for each in [*shown, last]]


def _tile(name: str, title: str, value: str, foot: str) -> Any:
    return html.Div(
        html.Dl(
            [
                html.Dt(title),
                html.Dd(value, className="figure", id=f"tile-{name}"),
                html.Dd(foot, className="against"),
            ]
        )
    )


def _facts(items: Mapping[str, str]) -> list[Any]:
    rows = [part for name, value in items.items() for part in (html.Dt(name), html.Dd(value))]
    return [html.Dl(rows, className="facts")]


def _health(found: Snapshot) -> dict[str, str]:
    runner, fresh = found.runner, found.freshness
    if found.mode == "backtest":
        return {"Source": "a run folder; nothing runs"}
    halt = runner.halt_level + (f", by {runner.halt_who}: {runner.halt_why}" if runner.halt_who else "")
    beat = "none" if runner.beat_age_s is None else f"{count(runner.beat_age_s)} s ago, {runner.state}"
    facts = {
        "Sign of life": beat,
        "Gateway today": f"{runner.drops} drops, {runner.reconnects} reconnects, {runner.outages} outages",
        "Halt": halt if runner.halt_readable else f"{halt} (a place could not be read)",
        "Latest row": "none" if fresh.journal_age_s is None else f"{count(fresh.journal_age_s)} s ago",
        "Latest comparison": _moment(found.reconciled_at),
        "Differences": ", ".join(found.differences) or "none",
    }
    facts |= {f"Data: {table}": day(value) for table, value in fresh.data_days.items()}
    if found.problems:
        facts["Not known"] = "; ".join(found.problems)
    return facts


def _figures(found: Snapshot) -> dict[str, str]:
    book, trading, money = found.book, found.trading, found.money
    facts = {"Gross exposure": percent(book.gross), "Net exposure": percent(book.net)}
    facts |= {f"Sleeve {name}": percent(weight) for name, weight in book.sleeves.items()}
    if money is not None:
        facts |= {"Cash": usd(money.cash_usd), "Volatility": percent(money.volatility)}
    facts |= {
        "Traded, latest session": usd(trading.traded_usd),
        "Fees, all": usd(trading.fees_total_usd, 2),
        "Turnover a year": percent(trading.turnover_annual, 0),
    }
    if trading.sent:
        facts["Orders"] = (
            f"{trading.sent} sent, {trading.filled} filled, {trading.rejected} rejected, {trading.working} working"
        )
    return facts


def _positions(found: Snapshot) -> list[Any]:
    run = found.mode == "backtest"
    head = (
        ("name", "held", "target weight")
        if run
        else ("name", "held", "target", "missing", "weight", "target")
    )
    rows = [
        (h.symbol, f"{h.shares:,.2f}", percent(h.target_weight, 2))
        if run
        else (
            h.symbol,
            f"{h.shares:,g}",
            f"{h.target_shares:,g}",
            f"{h.missing_shares:,g}",
            percent(h.weight, 2),
            percent(h.target_weight, 2),
        )
        for h in found.book.holdings
    ]
    return _table(head, rows)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[Any]:
    told = list(rows)
    if not told:
        return [html.P("none", className="note")]
    top = html.Thead(html.Tr([html.Th(name, scope="col") for name in head]))
    body = html.Tbody(
        [html.Tr([html.Th(row[0], scope="row"), *(html.Td(cell) for cell in row[1:])]) for row in told]
    )
    return [html.Div(html.Table([top, body]), className="scroll")]


def _alerts(view: View) -> list[Any]:
    if not view.alerts:
        return [html.P("none", className="note")]
    return [
        html.Div(
            [
                html.Span(alert.severity, className=f"severity {alert.severity}"),
                html.B(f" {alert.code} "),
                html.Small(
                    f"{_moment(alert.at)}, "
                    + (f"acknowledged by {alert.acked}" if alert.acked else "over" if alert.over else "open")
                ),
                html.P(alert.message),
            ],
            className="alert seen" if alert.acked or alert.over else "alert",
        )
        for alert in view.alerts
    ]
