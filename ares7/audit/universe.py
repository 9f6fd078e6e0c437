"""D10: which names were allowed in, and which are missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import numpy as np

from ares7.audit.finding import Check, Finding, Severity, found
from ares7.audit.subject import Subject
from ares7.book import FRESH_SESSIONS
from ares7.config import DataConfig
from ares7.metrics import SESSIONS_PER_YEAR
from ares7.panel import Panel

YEARS_WITHOUT_LEAVER = 5.0
MISSING_WEIGHT = 0.01
FUNDS = frozenset(
    (
        *DataConfig().etfs,
        "AGG",
        "DIA",
        "EEM",
        "EFA",
        "HYG",
        "IWM",
        "LQD",
        "MDY",
        "QQQ",
        "RSP",
        "TIP",
        "VNQ",
        "VTI",
    )
)
"""Tickers of funds that are often found among stock prices."""


class UniverseAudit:
    """D10: the universe as it was, with those that left it."""

    id: ClassVar[str] = "D10"
    title: ClassVar[str] = "Universe and survivorship"

    def run(self, subject: Subject) -> Iterable[Finding]:
        """Look for the history of membership, names that left, weight without a price and funds among stocks."""
        panel = subject.panel
        if not panel.is_stock.any():
            return [found(self, Severity.SKIPPED, "the panel has no stock")]
        holds_stocks = bool((subject.targets.weights[:, panel.is_stock] != 0).any())
        out = [*self._missing_weight(subject), *self._funds(subject)]
        out += self._history(subject) if holds_stocks else ()
        if out:
            return out
        if not holds_stocks:
            return [
                found(
                    self, Severity.SKIPPED, "the strategy holds no stock: nothing was chosen from a universe"
                )
            ]
        numbers = universe_numbers(panel)
        message = (
            f"membership has a history; of {numbers['names']} stocks {numbers['without_price_at_start']} have no "
            f"price at the start and {numbers['left']} leave"
        )
        return [found(self, Severity.PASS, message, **numbers)]

    def _history(self, subject: Subject) -> Iterator[Finding]:
        panel, numbers = subject.panel, universe_numbers(subject.panel)
        remedy = "use point-in-time membership with the prices of names that left (data.universe: members)"
        selection = (
            f"{numbers['names']} stocks, {numbers['without_price_at_start']} of them without a price at the start, "
            f"{numbers['alive_at_start']} alive then and {numbers['alive_at_end']} at the end"
        )
        if not panel.member[panel.start_row :, panel.is_stock].size or not numbers["membership_changes"]:
            message = f"no membership history: {selection}; names chosen for what they became overstate every return"
            yield found(self, Severity.WARNING, message, remedy, **numbers)
        if not numbers["left"] and numbers["years"] > YEARS_WITHOUT_LEAVER:
            message = f"survivorship: no stock leaves in {numbers['years']:.1f} years ({selection})"
            yield found(self, Severity.WARNING, message, remedy, **numbers)
        absent = panel.provenance.get("warnings", {}).get("membership/member-without-prices", 0)
        if absent:
            message = f"survivorship: {absent} members of the period have no prices; {selection}"
            yield found(self, Severity.WARNING, message, remedy, members_without_prices=absent, **numbers)

    def _missing_weight(self, subject: Subject) -> Iterator[Finding]:
        panel, targets = subject.panel, subject.targets
        rows = np.flatnonzero(targets.decide)
        rows = rows[rows >= panel.start_row]
        weights = np.abs(targets.weights[rows])
        missing = np.where(panel.bar[rows], 0.0, weights)
        share = float(missing.sum() / weights.sum()) if weights.sum() > 0 else 0.0
        if share > MISSING_WEIGHT:
            at, column = (int(i) for i in np.argwhere(missing > 0)[0])
            day, symbol = str(panel.dates[rows[at]]), panel.symbols[column]
            message = (
                f"{share:.1%} of decided weight is in names without a price that day, first {symbol} on {day}"
            )
            remedy = "give names without a bar no weight: the order cannot be filled"
            numbers = {"first_date": day, "symbol": symbol, "share": share}
            yield found(self, Severity.WARNING, message, remedy, **numbers)

    def _funds(self, subject: Subject) -> Iterator[Finding]:
        panel = subject.panel
        listed = frozenset() if subject.config is None else frozenset(subject.config.data.etfs)
        stocks = [panel.symbols[i] for i in np.flatnonzero(panel.is_stock)]
        wrong = sorted(set(stocks) & listed)
        remedy = "name the funds in data.etfs: a stock universe never holds one (rulings 16)"
        if wrong:
            message = f"{', '.join(wrong)} counted as stock although data.etfs names them"
            yield found(self, Severity.FAILURE, message, remedy, symbols=wrong)
        likely = sorted(set(stocks) & FUNDS - listed)
        held = [s for s in likely if (subject.targets.weights[:, panel.symbols.index(s)] != 0).any()]
        if held:
            message = f"{', '.join(held)} counted as stock and held: by the ticker a fund"
            yield found(self, Severity.WARNING, message, remedy, symbols=held)


def universe_numbers(panel: Panel) -> dict[str, Any]:
    """Counts of stocks over the period of the run: by prices, and leavers by membership too."""
    first = panel.start_row
    bar, member = panel.bar[first:, panel.is_stock], panel.member[first:, panel.is_stock]
    span = min(FRESH_SESSIONS, len(bar))
    start, end = bar[:span].any(axis=0), bar[-span:].any(axis=0)
    gone = bar.any(axis=0) & ~end
    expelled = (member[:-1] & ~member[1:]).any(axis=0) & ~member[-1]
    return {
        "names": int(bar.shape[1]),
        "years": round(len(bar) / SESSIONS_PER_YEAR, 2),
        "without_price_at_start": int((~start & bar.any(axis=0)).sum()),
        "alive_at_start": int(start.sum()),
        "alive_at_end": int(end.sum()),
        "left": int((gone | expelled).sum()),
        "joined": int((~start & end).sum()),
        "membership_changes": int((member[1:] != member[:-1]).sum()),
    }


def universe_checks() -> tuple[Check, ...]:
    """Return the checks of this module and of `sources`, in the order in which they are shown."""
    from ares7.audit.sources import Provenance, RestatedFundamentals, Timestamps

    return (UniverseAudit(), Provenance(), Timestamps(), RestatedFundamentals())
