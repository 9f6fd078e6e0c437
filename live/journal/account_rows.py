"""Rows of the account: value, money in and out, alerts, reconciliation, halt."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from live.journal.row import FLOW_KINDS, HALT_LEVELS, NAV_KINDS, SEVERITIES, Row


@dataclass(frozen=True, slots=True)
class Nav(Row):
    """Value of the account.

    Attributes
    ----------
    session : date
    kind : str
        start, intraday or close; the latest close of a session is its value.
    nav_usd, cash_usd, gross_usd, net_usd : float or None
        Net liquidation value, cash, sum of absolute and of signed position values.
    source : str
        gateway, shadow, simulated.
    """

    session: dt.date
    kind: str
    nav_usd: float
    cash_usd: float | None = None
    gross_usd: float | None = None
    net_usd: float | None = None
    source: str = "gateway"

    def _check(self) -> None:
        self._one_of("kind", NAV_KINDS)


@dataclass(frozen=True, slots=True)
class CashFlow(Row):
    """Money that came or went without a trade: never profit, drawdown or alert (rulings 29).

    Attributes
    ----------
    session : date
        At whose start it counts.
    kind : str
        One of `FLOW_KINDS`; ``unknown`` until the operator names it.
    amount_usd : float
        Positive came in.
    key : str or None
        Unique; a second flow of the same key is not stored.
    symbol : str
    con_id : int or None
    text : str
    names : int or None
        The id of an earlier flow whose kind and text this row replaces; its amount and session must be equal.
    """

    session: dt.date
    kind: str
    amount_usd: float
    key: str | None = None
    symbol: str = ""
    con_id: int | None = None
    text: str = ""
    names: int | None = None

    def _check(self) -> None:
        self._one_of("kind", FLOW_KINDS)


@dataclass(frozen=True, slots=True)
class Alert(Row):
    """Something a person should know.

    Attributes
    ----------
    severity : str
        info, warning, error.
    code : str
        Short name under which the runbook explains it.
    message : str
    session : date or None
    symbol, ref : str
    """

    severity: str
    code: str
    message: str
    session: dt.date | None = None
    symbol: str = ""
    ref: str = ""

    def _check(self) -> None:
        self._one_of("severity", SEVERITIES)


@dataclass(frozen=True, slots=True)
class Adjustment(Row):
    """Shares that the journal takes over without an execution of ours, or sets aside.

    Attributes
    ----------
    con_id, symbol
    kind : str
        ``adopt`` (may be sold from now on), ``ignore`` (foreign, never touched), or the kind of the accepted
        difference: split, manual_trade, dividend_reinvestment, ...
    shares : float
        Signed; added to the journal's position, or, for ``ignore``, to what is set aside.
    before_shares : float
        What the journal held (for ``ignore``: set aside) when it was decided; refused if that changed meanwhile.
    price : float or None
        Cost, USD a share.
    who, reason : str
    difference_id : int or None
        The journalled difference that it settles.
    """

    con_id: int
    symbol: str
    kind: str
    shares: float
    before_shares: float
    price: float | None = None
    who: str = ""
    reason: str = ""
    difference_id: int | None = None


@dataclass(frozen=True, slots=True)
class DifferenceRow(Row):
    """One difference that a reconciliation found; shares, or ``None`` where it is about an order."""

    kind: str
    symbol: str
    con_id: int
    journal_shares: float | None = None
    gateway_shares: float | None = None
    explanation: str = ""
    ref: str = ""


@dataclass(frozen=True, slots=True)
class Reconciliation(Row):
    """One comparison of journal and gateway.

    Attributes
    ----------
    trigger : str
        start, reconnect, periodic, operator, close.
    complete : bool
        Every query was answered to its end.
    differences : tuple of DifferenceRow
    """

    trigger: str
    complete: bool
    differences: tuple[DifferenceRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Halt(Row):
    """The halt level that an operator, a limit or a watchdog set; the latest row counts."""

    level: str
    who: str
    reason: str = ""

    def _check(self) -> None:
        self._one_of("level", HALT_LEVELS)
