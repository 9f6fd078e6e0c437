"""What the limits would have refused in a backtest: the same verdicts on the orders of its ledger, after the fact.

The run itself is not touched: its orders, fills and equity are those of a run without limits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ares7.arrays import Float1D, Int1D
from ares7.ledger import Fills, OrderKind, Orders
from ares7.limits.check import Limits
from ares7.limits.facts import name_facts
from ares7.limits.view import AccountView, ProposedOrder, Verdict, Working
from ares7.panel import Panel

SHOWN = 20
"""Refusals that are kept one by one."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An order that a limit refuses: when it was decided, what, and the verdict."""

    date: str
    symbol: str
    quantity: float
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Replay:
    """Verdicts of a run.

    Attributes
    ----------
    asked : int
        Orders judged; exits at a delisting are none.
    reducing : int
        Of those, orders that only reduce exposure.
    refusals : tuple of Refusal
    """

    asked: int
    reducing: int
    refusals: tuple[Refusal, ...]

    @property
    def by_code(self) -> dict[str, int]:
        """Refusals by limit, the most frequent first."""
        return dict(Counter(refusal.verdict.code for refusal in self.refusals).most_common())

    def figures(self) -> dict[str, Any]:
        """Section ``limits`` of metrics.json."""
        return {
            "orders": self.asked,
            "reducing": self.reducing,
            "would_refuse": len(self.refusals),
            "by_limit": self.by_code,
            "refusals": [
                {
                    "date": refusal.date,
                    "symbol": refusal.symbol,
                    "quantity": refusal.quantity,
                    "limit": refusal.verdict.code,
                    "reason": refusal.verdict.reason,
                }
                for refusal in self.refusals[:SHOWN]
            ],
        }

    def warning(self) -> str:
        """One line for the report, empty without a refusal."""
        if not self.refusals:
            return ""
        codes = ", ".join(f"{code} {count}" for code, count in self.by_code.items())
        return (
            f"limits: {len(self.refusals)} of {self.asked} orders would be refused live ({codes}); the first: "
            f"{self.refusals[0].date}, {self.refusals[0].verdict.reason}"
        )


@dataclass(slots=True)
class _Tape:
    """What was held and what was working at the close of a session; sessions are asked for in order."""

    fills: Fills
    orders: Orders
    held: Float1D
    done: int = 0

    def positions(self, day: np.datetime64) -> dict[str, float]:
        """Signed shares at the close of a session."""
        until = int(np.searchsorted(self.fills.date, day, side="right"))
        np.add.at(self.held, self.fills.symbol[self.done : until], self.fills.quantity[self.done : until])
        self.done = until
        return {self.fills.symbols[i]: float(self.held[i]) for i in np.flatnonzero(self.held).tolist()}

    def working(self, day: np.datetime64) -> dict[str, Working]:
        """Shares of earlier orders that were not over at the close of a session."""
        orders, out = self.orders, dict[str, Working]()
        open_then = (orders.decided < day) & (np.isnat(orders.resolved) | (orders.resolved > day))
        for i in np.flatnonzero(open_then).tolist():
            symbol, quantity = orders.symbols[orders.symbol[i]], float(orders.quantity[i])
            known = out.get(symbol, Working())
            out[symbol] = Working(known.buys + max(quantity, 0.0), known.sells + max(-quantity, 0.0))
        return out


def replay(
    limits: Limits,
    panel: Panel,
    nav: Float1D,
    cash: Float1D,
    fills: Fills,
    orders: Orders,
    sectors: Mapping[str, str] | None = None,
) -> Replay:
    """Judge every order of a finished run as live trading would have.

    Parameters
    ----------
    limits : Limits
    panel : Panel
        That of the run, warm-up included.
    nav, cash : (S,) USD
        At the closes from the panel's start session on.
    fills : Fills
        In time order.
    orders : Orders
    sectors : mapping of symbol to str, optional

    Returns
    -------
    Replay
    """
    tape = _Tape(fills, orders, np.zeros(len(panel.symbols)))
    peaks = np.maximum.accumulate(nav)
    asked = reducing = 0
    refusals: list[Refusal] = []
    for day, numbers in _by_decision(orders):
        row = int(np.searchsorted(panel.dates, day))
        at = row - panel.start_row
        positions, working = tape.positions(day), tape.working(day)
        symbols = {*positions, *working, *(orders.symbols[i] for i in orders.symbol[numbers].tolist())}
        of = np.array([symbol in symbols for symbol in panel.symbols])
        view = AccountView(
            nav=float(nav[at]),
            cash=float(cash[at]),
            names=name_facts(
                panel, row, volume_sessions=limits.params.volume_sessions, sectors=sectors, of=of
            ),
            positions=positions,
            working=working,
            previous_nav=float(nav[max(at - 1, 0)]),
            peak_nav=float(peaks[at]),
        )
        batch = [
            ProposedOrder(orders.symbols[orders.symbol[i]], float(orders.quantity[i]))
            for i in numbers.tolist()
        ]
        for order, verdict in zip(batch, limits.check_batch(batch, view), strict=True):
            asked += 1
            reducing += verdict.code == "reduces"
            if not verdict.allowed:
                refusals.append(Refusal(str(day), order.symbol, order.quantity, verdict))
    return Replay(asked, reducing, tuple(refusals))


def _by_decision(orders: Orders) -> Iterator[tuple[np.datetime64, Int1D]]:
    """Sessions with orders, and the numbers of those in the order of submission; delisting exits left out."""
    kept = np.flatnonzero(orders.kind != OrderKind.DELISTING)
    days = orders.decided[kept]
    for day in np.unique(days):
        yield day, kept[days == day]
