"""D8 and D14: the account adds up, and was traded at prices that could be had.

Every check compares the run's own record (orders, fills, cash, NAV) with what the target rows, the bars and the
declared costs say it must be. Prices are total-return USD (rulings 1), volumes shares as traded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from ares7.activity import HALF_CENT, cost_reconciliation, turnover_one_way_annual
from ares7.arrays import AnyArray, Bool1D, Float1D, Float2D, Int1D
from ares7.audit.finding import Check, Finding, Severity, found
from ares7.audit.subject import Subject
from ares7.book import FRESH_SESSIONS, delayed
from ares7.costs import CostModel
from ares7.ledger import Fills, OrderKind, Orders
from ares7.metrics import SESSIONS_PER_YEAR
from ares7.orders import decide_orders
from ares7.participation import session_rows

EXACT = 1e-9
"""Relative difference that rounding can make between two ways of adding up one account."""
TURNOVER_SHARE, TURNOVER_A_YEAR = 0.05, 0.05
"""Implied and traded turnover may differ by this share of it, or by so much a year: refusals and late fills."""


def _summed(amounts: Float1D, rows: Int1D, sessions: int) -> Float1D:
    inside = rows >= 0
    return np.asarray(np.bincount(rows[inside], weights=amounts[inside], minlength=sessions), np.float64)


def _acted_on(subject: Subject) -> tuple[Float2D, Bool1D]:
    """(S, N) rows and (S,) mask of the run, moved by the account's own lag."""
    first = subject.panel.start_row
    targets = delayed(subject.targets, subject.account.exec_lag - 1, first)
    return targets.weights[first:], targets.decide[first:]


def recorded(check: Check, subject: Subject) -> tuple[Fills, Orders] | Finding:
    """Return fills and orders of the run, or why there are none to look at."""
    ledger = subject.run.ledger
    if ledger is None:
        return found(check, Severity.SKIPPED, "the run kept no orders and fills")
    fills = ledger.fills
    if not len(fills.price):
        return found(check, Severity.SKIPPED, "the run has no fill")
    return fills, ledger.orders


class CostReconciliation:
    """D8: the declared costs were charged on every fill, and paid; the fills are those the target rows ask for."""

    id: ClassVar[str] = "D8"
    title: ClassVar[str] = "Costs and account reconcile"

    def run(self, subject: Subject) -> Iterable[Finding]:
        """Compare fees with the declared model, cash and NAV with the fills, fills with the target rows."""
        record = recorded(self, subject)
        if isinstance(record, Finding):
            return [record]
        declared = subject.costs if subject.config is None else subject.config.costs
        return [
            self._fees(declared, *record),
            self._balance(subject, record[0]),
            self._turnover(subject, record[0]),
        ]

    def _fees(self, declared: CostModel, fills: Fills, orders: Orders) -> Finding:
        total = cost_reconciliation(fills, declared)
        groups = _by_kind(fills, orders, declared)
        wrong = {name: pair for name, pair in groups.items() if abs(pair[0] - pair[1]) >= HALF_CENT}
        evidence = {name: total[name] for name in ("fills", "fees_usd", "expected_fees_usd", "fees_bps")}
        evidence |= {"model": declared.model}
        if not wrong and total["reconciles"]:
            if declared.is_zero:
                message = f"paying nothing: {total['fills']} fills of {total['traded_notional_usd']:,.0f} USD are free"
                remedy = "set costs; 10 bps one way is the default for US large caps"
                return found(self, Severity.WARNING, message, remedy, **evidence)
            message = (
                f"{total['fills']} fills paid {total['fees_usd']:,.2f} USD, {total['fees_bps']:.2f} bps of "
                f"traded notional, as costs ({declared.model}) ask, to the cent"
            )
            return found(self, Severity.PASS, message, **evidence)
        detail = "; ".join(
            f"{name} paid {paid:,.2f} of {asked:,.2f}" for name, (paid, asked) in wrong.items()
        )
        asked = total["expected_fees_usd"]
        ratio = f", {total['fees_usd'] / asked:.3g} times that" if asked else ""
        message = (
            f"fees are {total['fees_usd']:,.2f} USD, {total['fees_bps']:.3g} bps of traded notional; the declared "
            f"costs ({declared.model}) ask {asked:,.2f}{ratio} (USD: {detail})"
        )
        remedy = "charge the declared costs on every fill: buys, sales, regime switches and exits alike"
        first = _first_wrong(fills, declared)
        return found(self, Severity.FAILURE, message, remedy, groups=sorted(wrong), **first, **evidence)

    def _balance(self, subject: Subject, fills: Fills) -> Finding:
        """Cash and NAV of every session follow from the fills, the fees, the interest and the closes."""
        run, bars, account = subject.run, subject.bars, subject.account
        rows = session_rows(run.dates, fills.date)
        flow = _summed(-fills.quantity * fills.price - fills.fee, rows, len(run.dates))
        before = np.append(account.cash, run.cash[:-1])
        rate = np.where(before >= 0, account.cash_rate, (account.financing_bps or 0.0) / 1e4)
        cash_gap = run.cash - (before * (1.0 + rate / SESSIONS_PER_YEAR) + flow)
        shares = np.zeros(bars.bar.shape)
        np.add.at(shares, (rows[rows >= 0], fills.symbol[rows >= 0]), fills.quantity[rows >= 0])
        value = np.einsum("sn,sn->s", np.cumsum(shares, axis=0), bars.prices["close"])
        for name, gap, cause in (
            ("cash", cash_gap, "the session's fills, fees and interest"),
            ("NAV", run.nav - (run.cash + value), "cash and the shares bought so far"),
        ):
            wrong = np.flatnonzero(~(np.abs(gap) <= EXACT * np.abs(run.nav)))
            if len(wrong):
                at = int(wrong[0])
                message = (
                    f"{name} of {run.dates[at]} is {gap[at]:,.2f} USD more than {cause} give; "
                    f"{len(wrong)} of {len(gap)} sessions differ"
                )
                remedy = "book every change of a position as a fill at a price, and every fee against cash"
                numbers: dict[str, Any] = {"first_date": str(run.dates[at]), "difference_usd": float(gap[at])}
                return found(self, Severity.FAILURE, message, remedy, sessions=len(wrong), **numbers)
        message = f"cash and NAV of {len(run.dates)} sessions follow from the fills, fees and closes"
        return found(self, Severity.PASS, message, sessions=len(run.dates))

    def _turnover(self, subject: Subject, fills: Fills) -> Finding:
        """What the target rows ask for, drift between decisions included, against what was filled."""
        nav = subject.run.nav
        asked = turnover_one_way_annual(_implied_notional(subject), nav)
        rows = session_rows(subject.run.dates, fills.date)
        traded = turnover_one_way_annual(_summed(fills.notional, rows, len(nav)), nav)
        evidence: dict[str, Any] = {"implied_turnover": asked, "traded_turnover": traded}
        message = f"turnover one way is {traded:.2f} a year; the target rows ask for {asked:.2f}"
        if abs(traded - asked) > max(TURNOVER_SHARE * asked, TURNOVER_A_YEAR):
            remedy = "trade every decided row and nothing else: free or missing rebalancing, or many refused orders"
            return found(self, Severity.WARNING, message, remedy, **evidence)
        return found(self, Severity.PASS, message, **evidence)


def _by_kind(fills: Fills, orders: Orders, declared: CostModel) -> dict[str, tuple[float, float]]:
    """Fees paid and fees due, USD, of the fills of each kind."""
    exits = orders.kind[fills.order] == OrderKind.DELISTING
    switch = orders.on_switch[fills.order]
    due = declared.fees(fills.quantity, fills.price)
    kinds = {
        "buys": fills.quantity > 0,
        "sales": (fills.quantity < 0) & ~exits,
        "regime switches": switch,
        "other decisions": ~switch & ~exits,
        "delisting exits": exits,
    }
    return {name: (float(fills.fee[of].sum()), float(due[of].sum())) for name, of in kinds.items()}


def _first_wrong(fills: Fills, declared: CostModel) -> Mapping[str, Any]:
    gap = np.abs(fills.fee - declared.fees(fills.quantity, fills.price))
    at = int(np.argmax(gap > EXACT * np.maximum(1.0, fills.notional)))
    return {"first_date": str(fills.date[at]), "symbol": fills.symbols[fills.symbol[at]]}


def _implied_notional(subject: Subject) -> Float1D:
    """(S,) USD that decided rows alone would trade, every order filled at the next bar's open."""
    weights, decide = _acted_on(subject)
    bars, nav, account = subject.bars, subject.run.nav, subject.account
    close, opening = bars.prices["close"], bars.prices["open"]
    held, out = np.zeros(weights.shape[1]), np.zeros(len(nav))
    exits = bars.exits
    for s in sorted({*np.flatnonzero(decide).tolist(), *exits}):
        if s in exits:
            gone = exits[s]
            out[s] += held[gone] @ close[s, gone]
            held[gone] = 0.0
        if decide[s] and s + 1 < len(nav):
            basket = decide_orders(
                weights[s],
                held,
                close[s],
                bars.bar[s],
                float(nav[s]),
                whole=account.shares == "whole",
                min_trade_nav=account.min_trade_nav,
            )
            out[s + 1] += np.abs(basket.quantity) @ opening[s + 1, basket.symbol]
            held[basket.symbol] += basket.quantity
    return out


class FillsInsideTheBar:
    """D14: every fill is at the open of a session after the decision, inside that session's range."""

    id: ClassVar[str] = "D14"
    title: ClassVar[str] = "Fills at prices that could be had"

    def run(self, subject: Subject) -> Iterable[Finding]:
        """Compare each fill with the bar of its session, and with the session that decided it."""
        record = recorded(self, subject)
        if isinstance(record, Finding):
            return [record]
        fills, orders = record
        rows = session_rows(subject.run.dates, fills.date)
        exits = orders.kind[fills.order] == OrderKind.DELISTING
        failures = [*self._timing(subject, fills, orders, exits)]
        failures += self._places(subject, fills, orders, rows, exits)
        if failures:
            return failures
        outside = self._outside(subject, fills, rows, ~exits)
        if outside is not None:
            return [outside]
        message = (
            f"{int((~exits).sum())} fills at the open of a session after the decision, inside its range; "
            f"{int(exits.sum())} delisting exits at the last close"
        )
        return [found(self, Severity.PASS, message, fills=len(rows), delisting_exits=int(exits.sum()))]

    def _failure(self, fills: Fills, where: Bool1D, words: str, remedy: str) -> Finding:
        at = int(np.argmax(where))
        symbol, day = fills.symbols[fills.symbol[at]], str(fills.date[at])
        message = f"{int(where.sum())} of {len(where)} fills {words}; the first is {symbol} on {day}"
        numbers = {"fills": int(where.sum()), "symbol": symbol, "price": float(fills.price[at])}
        return found(self, Severity.FAILURE, message, remedy, first_date=day, **numbers)

    def _timing(self, subject: Subject, fills: Fills, orders: Orders, exits: Bool1D) -> Iterator[Finding]:
        remedy = "decide at the close, fill at the next open (C1): account.exec_lag 1 or more"
        if subject.account.exec_lag == 0:
            message = "account.exec_lag 0: every fill is at the open of the session whose close decides"
            yield found(self, Severity.FAILURE, message, remedy, first_date=str(fills.date[0]))
        early = (orders.decided[fills.order] >= fills.date) & ~exits
        if early.any():
            words = "are not after the session whose close decided them"
            yield self._failure(fills, early, words, remedy)
        _, decide = _acted_on(subject)
        decided = session_rows(subject.run.dates, orders.decided[fills.order])
        ordinary = orders.kind[fills.order] == OrderKind.DECISION
        unasked = ordinary & ~((decided >= 0) & decide[np.maximum(decided, 0)])
        if unasked.any():
            words = "come from orders of sessions on which the strategy decides nothing"
            yield self._failure(fills, unasked, words, "make orders where the decide mask is true only")

    def _places(
        self, subject: Subject, fills: Fills, orders: Orders, rows: Int1D, exits: Bool1D
    ) -> Iterator[Finding]:
        bars, known = subject.bars, rows >= 0
        if not known.all():
            yield self._failure(fills, ~known, "lie in no session of the run", "fill in sessions only")
        at = (np.maximum(rows, 0), fills.symbol)
        idle = known & ~exits & ~bars.bar[at]
        if idle.any():
            remedy = "let an order wait for the name's next bar; close a delisted name at its last price"
            yield self._failure(fills, idle, "are in sessions in which the name has no bar", remedy)
        gone = exits & known
        opening, last = bars.prices["open"][at], bars.prices["close"][at]
        wrong = known & ~exits & ~idle & ~_same(fills.price, opening)
        if wrong.any():
            yield self._failure(
                fills, wrong, _price_words(subject, fills, orders, at, wrong), "fill at the open"
            )
        late = gone & ((bars.gap[at] != FRESH_SESSIONS) | ~_same(fills.price, last))
        if late.any():
            words = f"are delisting exits other than at the last close, {FRESH_SESSIONS} sessions after it"
            yield self._failure(fills, late, words, "close a name at its last price once it is gone")

    def _outside(self, subject: Subject, fills: Fills, rows: Int1D, of: Bool1D) -> Finding | None:
        at = (rows, fills.symbol)
        low, high = (subject.bars.prices[name][at] for name in ("low", "high"))
        outside = of & ((fills.price < low * (1 - EXACT)) | (fills.price > high * (1 + EXACT)))
        if not outside.any():
            return None
        first = int(np.argmax(outside))
        symbol, day = fills.symbols[fills.symbol[first]], str(fills.date[first])
        count = int(outside.sum())
        message = f"{count} fills are at opens outside their own bar's range; the first is {symbol} on {day}"
        remedy = "the bars contradict themselves: compare them with a second source"
        return found(self, Severity.WARNING, message, remedy, first_date=day, symbol=symbol, fills=count)


def _same(a: Float1D, b: Float1D) -> Bool1D:
    return np.abs(a - b) <= EXACT * np.abs(b)


def _price_words(
    subject: Subject, fills: Fills, orders: Orders, at: tuple[AnyArray, AnyArray], wrong: Bool1D
) -> str:
    """Say which price it was that the fills got."""
    prices = {f"the session's {name}": subject.bars.prices[name][at] for name in ("close", "low", "high")}
    prices = {"the close that decided them": orders.close[fills.order]} | prices
    share = {name: float(_same(fills.price, price)[wrong].mean()) for name, price in prices.items()}
    best = max(share, key=lambda name: share[name])
    low, high = (subject.bars.prices[name][at] for name in ("low", "high"))
    outside = wrong & ((fills.price < low * (1 - EXACT)) | (fills.price > high * (1 + EXACT)))
    words = "are not at the open of their session"
    words += f" but at {best}" if share[best] > 0.5 else ""
    return f"{words}, {int(outside.sum())} of them outside its range" if outside.any() else words


def execution_checks() -> tuple[Check, ...]:
    """Return the checks of this module and of `capacity`, in the order in which they are shown."""
    from ares7.audit.capacity import CostScenarios, Participation

    return (CostReconciliation(), FillsInsideTheBar(), Participation(), CostScenarios())
