"""Why a target weight and an order are what they are: one record, from a backtest and from live trading alike.

The record of a session holds ``session``, ``decided``, ``reasons``, ``regime``, ``sleeves``, ``overlay``, ``scalers``,
``scale``, ``parts`` (`ares7.explain.Dissection.summary`); that of a name ``target_weight``, ``parts``, ``sleeves`` and
``tilts`` (`Dissection.of`), ``sizing`` (`ares7.explain_sizing.Sizing`) and ``orders`` with their fills and shortfall.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from ares7.errors import ConfigError
from ares7.explain import Dissection
from ares7.explain_sizing import Sizing
from live.journal.rows import Decision

TOP = 10
"""Names that a session's explanation shows without ``--symbol``."""


def decision_rows(
    taken: Dissection,
    rebalance_id: str,
    sized: Mapping[str, Sizing],
    con_ids: Mapping[str, int],
    refs: Mapping[str, str] | None = None,
    refused: Mapping[str, tuple[str, str]] | None = None,
) -> list[Decision]:
    """Return the journal's rows of a rebalance, one for every name that is wanted, held or ordered.

    The rebalance itself keeps ``taken.summary()`` as its ``detail``.

    Parameters
    ----------
    taken : Dissection
        Of the latest row of the live panel.
    rebalance_id : str
    sized : mapping of symbol to Sizing
    con_ids : mapping of symbol to int
    refs : mapping of symbol to str, optional
        References of the orders.
    refused : mapping of symbol to (outcome, reason), optional
        Orders that limits, a halt or the reconciliation gate did not allow.
    """
    refs, refused = refs or {}, refused or {}
    out = []
    for symbol, found in sized.items():
        if found.weight == 0 and found.held_shares == 0 and found.working_shares == 0:
            continue
        outcome, reason = refused.get(symbol, (found.outcome, _why(found)))
        out.append(
            Decision(
                rebalance_id,
                symbol,
                con_ids[symbol],
                found.weight,
                found.target_shares,
                found.held_shares,
                found.working_shares,
                found.change,
                found.close,
                outcome,
                reason,
                refs.get(symbol, ""),
                name_detail(taken, symbol, found),
            )
        )
    return out


def name_detail(taken: Dissection, symbol: str, found: Sizing) -> dict[str, Any]:
    """Return what a decision's ``detail`` holds of one name: parts, sleeves, tilts, sizing."""
    return {**taken.of(symbol), "sizing": found.to_dict()}


def _why(found: Sizing) -> str:
    texts = {
        "order": f"{found.change:+g} shares to {found.target_shares:g}",
        "unchanged": f"{found.target_shares:g} shares are held already",
        "below_minimum": f"{found.change:+g} shares are worth less than {found.minimum_usd:.2f} USD",
        "no_bar": "it did not trade in this session",
    }
    return texts[found.outcome]


def lines_of(record: Mapping[str, Any]) -> list[str]:
    """Return the record of a session, or of one name in it, as lines for a person."""
    lines = [_headline(record)]
    lines += _regime(record.get("regime"))
    lines += [
        f"sleeve {s['name']}: {s['mix']:.1%} of the book, {s['names']} names, computed {s['computed']}"
        for s in record.get("sleeves", ())
    ]
    lines += _overlay(record.get("overlay"))
    lines += [_scaler(reading) for reading in record.get("scalers", ())]
    for name in record.get("names", ()):
        lines += ["", *name_lines(name)]
    return lines


def _headline(record: Mapping[str, Any]) -> str:
    decided, session = record.get("decided"), record.get("session")
    if decided is None:
        return f"{session}: nothing was decided yet, so nothing is held"
    why = ", ".join(record.get("reasons", ())) or "not recorded"
    if decided != session:
        return f"{session}: no decision; the targets are those of {decided} ({why})"
    return f"{session}: decided ({why})"


def _regime(regime: Mapping[str, Any] | None) -> list[str]:
    if not regime:
        return []
    held = "" if regime["held"] == regime["raw"] else f", held {regime['held']}"
    return [f"regime {regime['raw']}{held}: {regime.get('why', '')}"]


def _overlay(overlay: Mapping[str, Any] | None) -> list[str]:
    if not overlay:
        return []
    blend = ", ".join(f"{name} {weight:g}" for name, weight in overlay["weights"].items())
    return [
        f"overlays of {overlay['date']}: {blend}, lambda {overlay['lambda']:g}, cap {overlay['cap']:.1%} of a stock "
        f"block of {overlay['block']:.1%}"
    ]


def _scaler(reading: Mapping[str, Any]) -> str:
    value = "not known yet" if reading["value"] is None else f"{reading['value']:.4g}"
    return f"scaler {reading['name']}: {value} gives {reading['scale']:.2f}"


def name_lines(name: Mapping[str, Any]) -> list[str]:
    """Return the record of one name as lines."""
    lines = [f"{name['symbol']}: target {name['target_weight']:.4%} of NAV"]
    lines += [f"  {value:+.4%}  {part}" for part, value in name.get("parts", {}).items()]
    sizing = name.get("sizing")
    if sizing:
        lines.append(
            f"  {sizing['exact_shares']:.2f} shares at {sizing['close']:.2f} of NAV {sizing['nav']:,.2f} make "
            f"{sizing['target_shares']:g}; held {sizing['held_shares']:g}, working {sizing['working_shares']:g}, "
            f"change {sizing['change']:+g}: {name.get('outcome') or sizing['outcome']}"
        )
    if name.get("reason"):
        lines.append(f"  {name['reason']}")
    return lines + [_order(order) for order in name.get("orders", ())]


def _order(order: Mapping[str, Any]) -> str:
    price, cost = order.get("average_price"), order.get("total_usd")
    filled = "not filled" if price is None else f"{order['filled']:+g} filled at {price:.4f}"
    fee = "not known yet" if order.get("fee_usd") is None else f"{order['fee_usd']:.2f} USD"
    text = f"  order {order['ref']}: {order['quantity']:+g}, {order['stage']}, {filled}, fee {fee}"
    return text if cost is None else f"{text}, shortfall {cost:+.2f} USD ({order['total_bps']:+.1f} bps)"


def session_of(value: str) -> dt.date:
    """Read a session of the command line.

    Raises
    ------
    ConfigError
    """
    try:
        return dt.date.fromisoformat(value)
    except ValueError:
        raise ConfigError(f"--date {value} is no session; write it YYYY-MM-DD") from None


def largest(names: Sequence[Mapping[str, Any]], count: int = TOP) -> list[Mapping[str, Any]]:
    """Names with orders first, then the largest targets."""
    return sorted(names, key=lambda n: (not n.get("orders"), -abs(n["target_weight"]), n["symbol"]))[:count]
