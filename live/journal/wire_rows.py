"""Messages of the client as rows of the journal."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
import zoneinfo
from typing import Any

from live.client.messages import (
    Commission,
    CompletedOrder,
    Connected,
    Disconnected,
    ErrorMessage,
    Execution,
    Message,
    Notice,
    OpenOrder,
    OrderStatus,
    Outage,
    Restored,
    StateChanged,
)
from live.journal.rows import Fee, Fill, WireEvent

EXCHANGE = zoneinfo.ZoneInfo("America/New_York")
UNSET = 1e300
"""A number beyond this is IB's mark for none."""
KINDS: dict[type[Message], str] = {
    OrderStatus: "status",
    OpenOrder: "open_order",
    CompletedOrder: "completed_order",
    ErrorMessage: "error",
    Notice: "notice",
    Connected: "connected",
    Disconnected: "disconnected",
    StateChanged: "state",
    Restored: "restored",
    Outage: "outage",
}


def wire_event(
    message: Message, *, seq: int | None = None, received: dt.datetime | None = None
) -> WireEvent | None:
    """Return the row of a message about orders or the connection.

    Parameters
    ----------
    message : Message
    seq : int, optional
        Place in the client's queue.
    received : datetime, optional
        When it arrived; the journal's clock if None.

    Returns
    -------
    WireEvent or None
        None for market data and account values, and for executions and fees, which have tables of their own.
    """
    kind = KINDS.get(type(message))
    if kind is None:
        return None
    said = {f.name: _plain(getattr(message, f.name)) for f in dataclasses.fields(message)}
    return WireEvent(
        kind,
        seq,
        ref=said.get("ref", ""),
        order_id=_order_id(message, said),
        client_id=said.get("client_id"),
        perm_id=said.get("perm_id"),
        code=said.get("code"),
        status=said.get("status") or said.get("state") or "",
        filled=_known(getattr(message, "filled", None)),
        remaining=_known(getattr(message, "remaining", None)),
        average_price=_known(getattr(message, "avg_price", None)),
        text=said.get("text") or said.get("reason") or said.get("completed_status") or "",
        detail=said,
        at=received,
    )


def fill_of(execution: Execution, session: dt.date | None = None) -> Fill:
    """Return the row of an execution; ``session`` is New York's date of the trade if None."""
    return Fill(
        execution.root,
        execution.revision,
        execution.ref,
        execution.con_id,
        execution.symbol,
        execution.side,
        execution.shares,
        execution.price,
        execution.time_utc,
        session or execution.time_utc.astimezone(EXCHANGE).date(),
        execution.order_id,
        execution.client_id,
        execution.perm_id,
        execution.exchange,
        execution.replayed,
    )


def fee_of(commission: Commission) -> Fee | None:
    """Return the row of a fee, or None where the gateway left it unset: it stays unknown."""
    amount = _known(commission.fee)
    if amount is None:
        return None
    root, _, revision = commission.exec_id.rpartition(".")
    number = int(revision) if revision.isdigit() else 0
    return Fee(root, number, amount, commission.currency or "USD", _known(commission.realised_pnl))


def _order_id(message: Message, said: dict[str, Any]) -> int | None:
    found = said.get("order_id")
    if found is None and isinstance(message, ErrorMessage | Notice) and message.ref:
        return message.request
    return found


def _known(number: float | None) -> float | None:
    if number is None or not math.isfinite(number) or abs(number) > UNSET:
        return None
    return float(number)


def _plain(value: Any) -> Any:
    """What JSON can hold; a number that is none is written in words."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return list(value) if isinstance(value, tuple) else value
