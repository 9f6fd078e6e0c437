"""Recognises money in and out of a running account, from its journal and what the gateway says of its cash."""

from __future__ import annotations

import datetime as dt

from live.flows import check_cash, recognised
from live.journal.reader import JournalReader
from live.journal.rows import CashFlow, Nav


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
    fills = [fill for fill in journal.fills() if fill.traded_at > since]
    fees = journal.fees()
    if any(fill.root not in fees for fill in fills):
        return None
    known = [flow for flow in journal.flows() if flow.at is not None and flow.at > since]
    check = check_cash(before.cash_usd, cash_now, fills, [fees[fill.root].amount for fill in fills], known)
    return recognised(check, session)
