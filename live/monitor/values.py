"""The parts of a snapshot. Fractions are of 1, money is USD, times are UTC; what is not known is None."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class DayReturn:
    """Return of one session with every event taken out (`live.flows.trading_return`), which alerts read.

    Attributes
    ----------
    session : date
    value : float
        Fraction; NaN where there was nothing to earn it on.
    at : datetime or None
        When its value was journalled.
    """

    session: dt.date
    value: float
    at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Money:
    """Value and return; the return is time-weighted (rulings 29).

    Attributes
    ----------
    session : date
        Of the latest close.
    nav_usd, cash_usd : float or None
        At that close.
    daily_return : float or None
        Fraction, as the day report's ``return``: deposits and withdrawals taken out.
    total_return, cagr, sharpe, volatility, max_drawdown, drawdown : float or None
        Of all closes, as ``status`` and the report show them; drawdowns are positive fractions.
    rolling_sharpe : float or None
        Annualised, of the latest ``rolling_sessions`` returns.
    rolling_sessions : int
    flows_usd : mapping of kind to USD
        Money in and out since the first close.
    earned_usd : float or None
        Change of value since the first close less what the owner moved.
    recent : tuple of DayReturn
        The latest sessions, oldest first; one without a close yet is the last.
    """

    session: dt.date
    nav_usd: float
    cash_usd: float | None = None
    daily_return: float | None = None
    total_return: float | None = None
    cagr: float | None = None
    sharpe: float | None = None
    volatility: float | None = None
    max_drawdown: float | None = None
    drawdown: float | None = None
    rolling_sharpe: float | None = None
    rolling_sessions: int = 252
    flows_usd: Mapping[str, float] = field(default_factory=dict)
    earned_usd: float | None = None
    recent: tuple[DayReturn, ...] = ()


@dataclass(frozen=True, slots=True)
class RegimeChange:
    """The held label of a session differs from the one before."""

    session: dt.date
    before: str
    after: str
    at: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class RegimeState:
    """Regime of the latest decision: session, label of the day, held label, inputs of the rule, latest changes."""

    session: dt.date
    raw: str
    held: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    changes: tuple[RegimeChange, ...] = ()


@dataclass(frozen=True, slots=True)
class Holding:
    """One name: what is held against what the latest decision wanted.

    Attributes
    ----------
    symbol : str
    shares, target_shares : float
        Signed.
    price : float or None
        USD a share, of the latest decision.
    weight, target_weight : float or None
        Fractions of the capital of the latest decision, at its price.
    """

    symbol: str
    shares: float
    target_shares: float = 0.0
    price: float | None = None
    weight: float | None = None
    target_weight: float = 0.0

    @property
    def missing_shares(self) -> float:
        """Target less held."""
        return self.target_shares - self.shares


@dataclass(frozen=True, slots=True)
class Book:
    """Exposure and positions.

    Attributes
    ----------
    gross, net : float or None
        Fractions of NAV at the latest close.
    sleeves : mapping of str to fraction
        Of the capital, as decided; of a run, of NAV as held.
    decided : date or None
        Session of the latest decision.
    holdings : tuple of Holding
        Every name that is held or wanted, by symbol.
    """

    gross: float | None = None
    net: float | None = None
    sleeves: Mapping[str, float] = field(default_factory=dict)
    decided: dt.date | None = None
    holdings: tuple[Holding, ...] = ()


@dataclass(frozen=True, slots=True)
class Trading:
    """Turnover and costs.

    Attributes
    ----------
    traded_usd, fees_usd : float
        Of the executions of the latest session; fees that are known.
    fees_unknown : int
        Executions of the latest session whose fee is not known.
    turnover : float or None
        One way, of the latest session: fraction of the value before.
    turnover_annual : float or None
        One way, a year, over all closes (rulings 8).
    fees_total_usd : float
        Since the first close.
    shortfall : mapping or None
        Of the latest decision session with orders: `live.shortfall.SessionShortfall.to_dict`.
    working, rejected, filled, sent : int
        Orders that work now; rejected, filled in full and all of the latest decision session.
    """

    traded_usd: float = 0.0
    fees_usd: float = 0.0
    fees_unknown: int = 0
    turnover: float | None = None
    turnover_annual: float | None = None
    fees_total_usd: float = 0.0
    shortfall: Mapping[str, Any] | None = None
    working: int = 0
    rejected: int = 0
    filled: int = 0
    sent: int = 0


@dataclass(frozen=True, slots=True)
class Freshness:
    """How old things are.

    Attributes
    ----------
    expected_session : date or None
        Latest session whose value must be there by now.
    missing_sessions : tuple of date
        Exchange sessions between the first and the last close that have none.
    missing_names : tuple of str
        Names of the latest decision that had no bar; empty if none is known.
    data_days : mapping of table to date
        Latest filing and announcement of the data folder.
    journal_at : datetime or None
        When the latest row was written.
    journal_age_s : float or None
        Seconds since then.
    """

    expected_session: dt.date | None = None
    missing_sessions: tuple[dt.date, ...] = ()
    missing_names: tuple[str, ...] = ()
    data_days: Mapping[str, dt.date] = field(default_factory=dict)
    journal_at: dt.datetime | None = None
    journal_age_s: float | None = None


@dataclass(frozen=True, slots=True)
class RunnerState:
    """The runner and its connection.

    Attributes
    ----------
    beat_at : datetime or None
        Last sign of life, by the machine's clock.
    beat_age_s : float or None
    state : str
        What it said it was doing.
    pid : int or None
    trouble : str
        The watchdog's code; empty if all is well or nothing is known.
    trouble_text : str
    reconnects, outages, drops : int
        Of the day in New York: the connection was restored, was away for long, was lost.
    halt_level, halt_source, halt_who, halt_why : str
    halt_readable : bool
    """

    beat_at: dt.datetime | None = None
    beat_age_s: float | None = None
    state: str = ""
    pid: int | None = None
    trouble: str = ""
    trouble_text: str = ""
    reconnects: int = 0
    outages: int = 0
    drops: int = 0
    halt_level: str = "NONE"
    halt_source: str = ""
    halt_who: str = ""
    halt_why: str = ""
    halt_readable: bool = True


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """An alert of the journal that nobody acknowledged; ``id`` is that of its row."""

    id: int
    at: dt.datetime | None
    severity: str
    code: str
    message: str
