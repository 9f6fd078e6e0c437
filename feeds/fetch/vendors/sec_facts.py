"""Company facts of the SEC as rows of figures: what was known of a period on the day of each filing.

The SEC's file holds every figure that a company ever tagged, each with the day on which it was filed. Filing by
filing, the figures known so far are brought up to date, and each period that a filing speaks of gives a row if the row
differs from the one before: the first time a period is reported, and whenever a later filing restates it.

A flow (income, revenue) is of twelve months: the fiscal year where it is reported, else four quarters in a row. A
quarter that is not reported by itself, as the fourth, is the difference of what was reported from the start of the
year.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ares7.errors import DataError
from feeds.fetch.answers import CHANGED
from feeds.fetch.source import Note

FORMS = ("10-K", "10-Q", "10-KT", "10-QT", "20-F", "40-F")
"""Annual and quarterly reports; amendments (``/A``) as well. Other forms repeat figures without being reports."""
LATE_DAYS = 150
"""A period that is first reported later than this comes from the comparison of a later report."""
QUARTER, YEAR = (80, 100), (350, 380)
"""Days of a period of 12 to 14, and of 52 or 53 weeks."""
SLACK = dt.timedelta(days=4)
"""Fiscal calendars of 52 weeks shift by a few days."""
FLOWS: dict[str, tuple[str, ...]] = {
    "income": ("NetIncomeLoss", "ProfitLoss", "NetIncomeLossAvailableToCommonStockholdersBasic"),
    "revenue": (
        "RevenueFromContractWithCustomerExcludingAssessedTax",
        "Revenues",
        "SalesRevenueNet",
        "RevenueFromContractWithCustomerIncludingAssessedTax",
        "SalesRevenueGoodsNet",
        "RevenuesNetOfInterestExpense",
    ),
    "operating": ("OperatingIncomeLoss",),
    "depreciation": (
        "DepreciationDepletionAndAmortization",
        "DepreciationAndAmortization",
        "DepreciationAmortizationAndAccretionNet",
    ),
}
"""Tags of each flow, the preferred one first; one tag gives all of the twelve months."""
STOCKS: dict[str, tuple[str, ...]] = {
    "equity": (
        "StockholdersEquity",
        "StockholdersEquityIncludingPortionAttributableToNoncontrollingInterest",
    ),
    "liabilities": ("Liabilities",),
    "total": ("LiabilitiesAndStockholdersEquity", "Assets"),
    "debt": ("LongTermDebt", "LongTermDebtAndCapitalLeaseObligationsIncludingCurrentMaturities"),
    "debt_noncurrent": ("LongTermDebtNoncurrent", "LongTermDebtAndCapitalLeaseObligations"),
    "debt_current": ("LongTermDebtCurrent", "LongTermDebtAndCapitalLeaseObligationsCurrent"),
}
Flow = dict[tuple[dt.date, dt.date], float]
Stock = dict[dt.date, float]


@dataclass(frozen=True, slots=True)
class Fact:
    """One figure of one filing; ``start`` is None for a balance."""

    tag: str
    start: dt.date | None
    end: dt.date
    value: float
    filed: dt.date


@dataclass(slots=True)
class Known:
    """Figures by tag and period, as known so far."""

    flows: dict[str, Flow] = field(default_factory=dict)
    stocks: dict[str, Stock] = field(default_factory=dict)

    def learn(self, fact: Fact) -> None:
        """A later filing takes the place of an earlier one."""
        if fact.start is None:
            self.stocks.setdefault(fact.tag, {})[fact.end] = fact.value
        else:
            self.flows.setdefault(fact.tag, {})[fact.start, fact.end] = fact.value

    def flow(self, name: str, end: dt.date) -> float:
        """Twelve months up to ``end``; NaN if they are not all known."""
        for tag in FLOWS[name]:
            found = twelve_months(self.flows.get(tag, {}), end)
            if found is not None:
                return found
        return np.nan

    def stock(self, name: str, end: dt.date) -> float:
        """Balance at ``end``; NaN if it is not known."""
        for tag in STOCKS[name]:
            found = self.stocks.get(tag, {}).get(end)
            if found is not None:
                return found
        return np.nan


def twelve_months(flow: Flow, end: dt.date) -> float | None:
    """The year up to ``end``: as reported, else four quarters in a row."""
    for (start, stop), value in flow.items():
        if stop == end and YEAR[0] <= (stop - start).days <= YEAR[1]:
            return value
    total, day = 0.0, end
    for _ in range(4):
        found = quarter(flow, day)
        if found is None:
            return None
        value, start = found
        total += value
        day = _end_before(flow, start)
    return total


def quarter(flow: Flow, end: dt.date) -> tuple[float, dt.date] | None:
    """Value and first day of the quarter up to ``end``: as reported, else a difference."""
    spans = [(start, value) for (start, stop), value in flow.items() if stop == end]
    for start, value in spans:
        if QUARTER[0] <= (end - start).days <= QUARTER[1]:
            return value, start
    for start, value in spans:
        if (end - start).days <= QUARTER[1]:
            continue
        for (begin, stop), part in flow.items():
            if begin == start and QUARTER[0] <= (end - stop).days <= QUARTER[1]:
                return value - part, stop + dt.timedelta(days=1)
        rest = _without_three_quarters(flow, start, end)
        if rest is not None:
            return value - rest[0], rest[1]
    return None


def _without_three_quarters(flow: Flow, start: dt.date, end: dt.date) -> tuple[float, dt.date] | None:
    """Sum of the quarters of a year before its last one, and the first day after them."""
    if not YEAR[0] <= (end - start).days <= YEAR[1]:
        return None
    total, day = 0.0, start
    for _ in range(3):
        for (begin, stop), value in flow.items():
            if abs(begin - day) <= SLACK and QUARTER[0] <= (stop - begin).days <= QUARTER[1]:
                total, day = total + value, stop + dt.timedelta(days=1)
                break
        else:
            return None
    return (total, day) if QUARTER[0] <= (end - day).days <= QUARTER[1] else None


def _end_before(flow: Flow, start: dt.date) -> dt.date:
    """End of the period before one that begins on ``start``."""
    day = start - dt.timedelta(days=1)
    near = [stop for _, stop in flow if abs(stop - day) <= SLACK]
    return min(near, key=lambda stop: abs(stop - day)) if near else day


def facts_of(told: Mapping[str, Any], where: str) -> tuple[list[Fact], list[str]]:
    """Figures in USD of the tags that are used, by filing day, and the tags that are told in other units only.

    Raises
    ------
    DataError
        The file is no company facts.
    """
    try:
        named = told["facts"].get("us-gaap", {})
    except (KeyError, AttributeError):
        raise DataError(f"{where} holds no company facts; {CHANGED}") from None
    facts, others = [], []
    for tag in sorted({tag for tags in (*FLOWS.values(), *STOCKS.values()) for tag in tags}):
        units = named.get(tag, {}).get("units", {})
        if units and "USD" not in units:
            others.append(f"{tag} in {', '.join(sorted(units))}")
        for fact in units.get("USD", ()):
            if str(fact.get("form", "")).removesuffix("/A") in FORMS:
                facts.append(_fact(tag, fact, where))
    return sorted(facts, key=lambda fact: (fact.filed, fact.tag)), others


def _fact(tag: str, told: Mapping[str, Any], where: str) -> Fact:
    try:
        start = told.get("start")
        value = told["val"]
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"val is {value!r}")
        return Fact(
            tag,
            dt.date.fromisoformat(start) if start is not None else None,
            dt.date.fromisoformat(told["end"]),
            float(value),
            dt.date.fromisoformat(told["filed"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{where}: a fact of {tag} cannot be read ({error!r}); {CHANGED}") from None


def rows_of(symbol: str, facts: Iterable[Fact]) -> tuple[list[dict[str, Any]], list[Note]]:
    """One row a period and filing that says something new about it.

    Parameters
    ----------
    symbol : str
    facts : iterable of Fact
        By rising filing day.
    """
    known, early = Known(), 0
    last: dict[dt.date, dict[str, float | None]] = {}
    late: dict[dt.date, bool] = {}
    rows: list[dict[str, Any]] = []
    by_day: dict[dt.date, list[Fact]] = {}
    for fact in facts:
        if fact.filed < fact.end:
            early += 1
            continue
        by_day.setdefault(fact.filed, []).append(fact)
    for filed, filing in by_day.items():
        for fact in filing:
            known.learn(fact)
        for end in sorted({fact.end for fact in filing}):
            figures = _figures(known, end)
            if figures is None or figures == last.get(end):
                continue
            late.setdefault(end, (filed - end).days > LATE_DAYS)
            last[end] = figures
            rows.append(
                {
                    "symbol": symbol,
                    "report_period": end,
                    "filing_date": filed,
                    **{name: np.nan if value is None else value for name, value in figures.items()},
                    "late_filing": late[end],
                    "dimension": "ART",
                }
            )
    notes = []
    if early:
        text = f"{early} figures are dated before the end of their period and were left out"
        notes.append(Note("filed-before-period-end", symbol, text))
    return rows, notes


def _figures(known: Known, end: dt.date) -> dict[str, float | None] | None:
    """Ratios and equity at the end of a period; None where no ratio is known."""
    income, revenue = known.flow("income", end), known.flow("revenue", end)
    operating, depreciation = known.flow("operating", end), known.flow("depreciation", end)
    equity = known.stock("equity", end)
    found = {
        "roe": _over(income, equity),
        "ebitda_margin": _over(operating + depreciation, revenue),
        "operating_margin": _over(operating, revenue),
        "debt_to_equity": _over(_debt(known, end), equity),
        "liabilities_to_equity": _over(_liabilities(known, end), equity),
    }
    if all(value is None for value in found.values()):
        return None
    return found | {"equity": None if np.isnan(equity) else equity}


def _debt(known: Known, end: dt.date) -> float:
    """Long-term debt with its current part; a company that tags no part of it has no figure, not none."""
    whole = known.stock("debt", end)
    if not np.isnan(whole):
        return whole
    current = known.stock("debt_current", end)
    return known.stock("debt_noncurrent", end) + (0.0 if np.isnan(current) else current)


def _liabilities(known: Known, end: dt.date) -> float:
    told = known.stock("liabilities", end)
    if not np.isnan(told):
        return told
    # Minority interests are no liability: the equity that includes them is taken off, where it is told.
    with_minorities = known.stocks.get(STOCKS["equity"][1], {}).get(end)
    equity = known.stock("equity", end) if with_minorities is None else with_minorities
    return known.stock("total", end) - equity


def _over(above: float, below: float) -> float | None:
    """A ratio; None where it is not known."""
    if np.isnan(above) or np.isnan(below) or below == 0:
        return None
    return float(above / below)
