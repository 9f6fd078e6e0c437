"""Recognises money in and out of a running account, from its journal and what the gateway says of its cash."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

from live.flows import check_cash, recognised
from live.journal.reader import JournalReader
from live.journal.rows import CashFlow, Fee, Fill, Nav


def flow_since(journal: JournalReader, before: Nav, cash_now: float, session: dt.date) -> CashFlow | None:
    """Return the flow between a journalled value of the account and now, or None.

    Write it with `OperatorJournal.flow`: its key makes a second look at the same figures harmless. Ask when nothing
    has been traded for a while, for the gateway's cash lags behind executions.

    Parameters
    ----------
    journal : JournalReader
        With every execution since, those by hand included (their reference is empty).
    before : Nav
        With its cash.
    cash_now : float
        USD, as the gateway tells it.
    session : date
        At whose start the flow counts.

    Returns
    -------
    CashFlow or None
        None where trades and fees explain the change, and while a fee is not known or the time or cash of ``before``
        is not: a late fee would look like a withdrawal.

    Raises
    ------
    DataError
        A figure is not a number.
    """
    if before.cash_usd is None or before.at is None:
        return None
    since = before.at
    fills, earlier = _parted(journal.fill_revisions(), since)
    fees, earlier_fees = _parted(journal.fee_revisions(), since)
    paid = fees.keys() | earlier_fees.keys()
    if any(root not in paid for root in fills):
        return None
    # What a correction replaces lies in the earlier cash already.
    moved = [*fills.values(), *(_reversed(earlier[root]) for root in fills if root in earlier)]
    charged = [fee.amount for fee in fees.values()]
    charged += [-earlier_fees[root].amount for root in fees if root in earlier_fees]
    known = [flow for flow in journal.flows() if flow.at is not None and flow.at > since]
    return recognised(check_cash(before.cash_usd, cash_now, moved, charged, known), session)


R = TypeVar("R", Fill, Fee)


def _parted(revisions: Iterable[R], since: dt.datetime) -> tuple[dict[str, R], dict[str, R]]:
    """Latest revision by execution of what was journalled after a moment, and of what was before."""
    after: dict[str, R] = {}
    before: dict[str, R] = {}
    for row in revisions:
        (after if _is_later(row, since) else before)[row.root] = row
    return after, before


def _is_later(row: Fill | Fee, since: dt.datetime) -> bool:
    """Whether a row was journalled after a moment: only then is it not in the cash of that moment.

    A clock that stands still, a double's, leaves it to the time of the trade.
    """
    if row.at is None or row.at == since:
        return isinstance(row, Fill) and row.traded_at > since
    return row.at > since


def _reversed(fill: Fill) -> Fill:
    return replace(fill, side="SELL" if fill.side == "BUY" else "BUY")
