"""The limits themselves: each one looks at an order that adds exposure, and passes only what it can prove harmless."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from ares7.limits.book import ProjectedBook, order_price
from ares7.limits.params import LimitParams
from ares7.limits.view import REDUCES, WITHIN, AccountView, Name, ProposedOrder, Verdict, reduces_exposure


class _Case(NamedTuple):
    """An order beside everything that a limit reads."""

    order: ProposedOrder
    name: Name
    book: ProjectedBook
    price: float
    notional: float


class _Finding(NamedTuple):
    """A number beside its limit; None for the limit is one that is off."""

    code: str
    value: float
    limit: float | None
    what: str
    remedy: str


_Rule = Callable[[LimitParams, _Case], _Finding]


def _ratio(part: float, whole: float) -> float:
    """``part / whole``, NaN unless the whole is a positive number."""
    return part / whole if whole > 0 and math.isfinite(whole) else math.nan


def _price_age(limits: LimitParams, case: _Case) -> _Finding:
    return _Finding(
        "stale_price",
        case.name.age_sessions,
        limits.max_price_age_sessions,
        "age of its last close in sessions",
        "wait for its bar of the latest session, or raise limits.max_price_age_sessions",
    )


def _collar(limits: LimitParams, case: _Case) -> _Finding:
    """Of limit price and quote, the one that is further from the close; a market order without a quote has none."""
    given = [price for price in (case.order.limit_price, case.order.quote) if price is not None]
    moves = [abs(_ratio(price, case.name.close) - 1.0) for price in given]
    # max() would lose a NaN that does not come first.
    value = math.nan if any(math.isnan(move) for move in moves) else max(moves, default=0.0)
    return _Finding(
        "price_collar",
        value,
        limits.price_collar,
        "distance of its price from the last close",
        "find out whether a split, news or a wrong price is the cause, then correct it or raise limits.price_collar",
    )


def _notional(limits: LimitParams, case: _Case) -> _Finding:
    key = "max_fund_order_usd" if case.name.fund else "max_order_usd"
    return _Finding(
        "order_notional",
        case.notional,
        getattr(limits, key),
        "notional in USD",
        f"send less at once, or raise limits.{key}",
    )


def _volume(limits: LimitParams, case: _Case) -> _Finding:
    return _Finding(
        "volume_share",
        _ratio(abs(case.order.quantity), case.name.volume),
        limits.max_volume_share,
        "share of its mean daily volume",
        "spread it over sessions, or raise limits.max_volume_share",
    )


def _short(limits: LimitParams, case: _Case) -> _Finding:
    furthest = case.book.furthest(case.order)
    # A purchase shorts nothing; max() would lose a NaN.
    short = furthest if math.isnan(furthest) else max(-furthest if case.order.quantity < 0 else 0.0, 0.0)
    return _Finding(
        "short_sale",
        short,
        None if limits.allow_short else 0.0,
        "shares short after it and every working sale",
        "sell at most what is held and not being sold already, or set limits.allow_short: true",
    )


def _weight(limits: LimitParams, case: _Case) -> _Finding:
    key = "max_fund_weight" if case.name.fund else "max_weight"
    # A purchase below the close is worth the close afterwards.
    worst = abs(case.book.furthest(case.order)) * max(case.price, case.name.close)
    return _Finding(
        "weight",
        _ratio(worst, case.book.view.nav),
        getattr(limits, key),
        "weight after it and every working order on its side",
        f"order less, or raise limits.{key}",
    )


def _sector(limits: LimitParams, case: _Case) -> _Finding:
    known = case.name.fund or bool(case.name.sector)
    weight = _ratio(case.book.after(case.order)[2], case.book.view.nav)
    return _Finding(
        "sector_weight",
        0.0 if case.name.fund else weight if known else math.nan,
        limits.max_sector_weight,
        f"weight of sector {case.name.sector or '(not known)'} after it",
        "order less, name the sector in the symbols table, or raise limits.max_sector_weight",
    )


def _gross(limits: LimitParams, case: _Case) -> _Finding:
    return _Finding(
        "gross",
        _ratio(case.book.after(case.order)[0], case.book.view.nav),
        limits.max_gross,
        "gross exposure of the account after it",
        "order less, or raise limits.max_gross",
    )


def _net(limits: LimitParams, case: _Case) -> _Finding:
    return _Finding(
        "net",
        _ratio(abs(case.book.after(case.order)[1]), case.book.view.nav),
        limits.max_net,
        "net exposure of the account after it",
        "order less, or raise limits.max_net",
    )


def _turnover(limits: LimitParams, case: _Case) -> _Finding:
    return _Finding(
        "turnover",
        _ratio((case.book.traded_usd + case.notional) / 2.0, case.book.view.nav),
        limits.max_turnover,
        "one-way turnover of the rebalance with it",
        "find out why so much is traded, or raise limits.max_turnover",
    )


def _orders(limits: LimitParams, case: _Case) -> _Finding:
    return _Finding(
        "orders_a_day",
        float(case.book.orders + 1),
        limits.max_orders_a_day,
        "orders of the session with it",
        "find out why there are so many, or raise limits.max_orders_a_day",
    )


def _cash(limits: LimitParams, case: _Case) -> _Finding:
    book = case.book
    spent = book.buys_usd + case.notional if case.order.quantity > 0 else 0.0
    use = limits.max_cash_use
    available = book.view.cash + book.sales_usd
    return _Finding(
        "buying_power",
        spent,
        None if use is None else use * available,
        "cost of it and every working purchase in USD",
        "order less, or raise limits.max_cash_use if the account may borrow",
    )


def _daily_loss(limits: LimitParams, case: _Case) -> _Finding:
    view = case.book.view
    return _Finding(
        "daily_loss",
        1.0 - _ratio(view.nav, view.previous_nav),
        limits.max_daily_loss,
        "loss of the account since the previous close",
        "wait for the next session, or raise limits.max_daily_loss",
    )


def _drawdown(limits: LimitParams, case: _Case) -> _Finding:
    view = case.book.view
    return _Finding(
        "drawdown",
        1.0 - _ratio(view.nav, view.peak_nav),
        limits.max_drawdown,
        "loss of the account since its highest close",
        "review the strategy, then raise limits.max_drawdown if it shall go on",
    )


RULES: tuple[_Rule, ...] = (
    _price_age,
    _collar,
    _notional,
    _volume,
    _short,
    _weight,
    _sector,
    _gross,
    _net,
    _turnover,
    _orders,
    _cash,
    _daily_loss,
    _drawdown,
)
"""In the order in which they are asked; the first that refuses is named."""


class Limits:
    """Says of an order whether it may be sent. Pure: it keeps nothing between calls.

    An order that only reduces exposure (`ares7.limits.view.reduces_exposure`) is always allowed. Any other is refused
    by the first limit that it would break, and by a limit that cannot be computed, because something is NaN or
    missing.

    Parameters
    ----------
    params : LimitParams
    """

    def __init__(self, params: LimitParams) -> None:
        self.params = params

    def check(self, order: ProposedOrder, view: AccountView) -> Verdict:
        """Judge one order.

        Parameters
        ----------
        order : ProposedOrder
        view : AccountView
            Before the order.

        Returns
        -------
        Verdict
        """
        return self._judge(order, ProjectedBook(view))

    def check_batch(self, orders: Iterable[ProposedOrder], view: AccountView) -> list[Verdict]:
        """Judge orders that leave one after the other; each is seen beside those before it that were allowed.

        Parameters
        ----------
        orders : iterable of ProposedOrder
            In the order of sending, sales first.
        view : AccountView
            Before the first.

        Returns
        -------
        list of Verdict
        """
        return list(self._judged(orders, ProjectedBook(view)))

    def _judged(self, orders: Iterable[ProposedOrder], book: ProjectedBook) -> Iterator[Verdict]:
        for order in orders:
            verdict = self._judge(order, book)
            if verdict.allowed:
                book.add(order)
            yield verdict

    def _judge(self, order: ProposedOrder, book: ProjectedBook) -> Verdict:
        quantity, symbol = order.quantity, order.symbol
        if not math.isfinite(quantity) or quantity == 0:
            return Verdict(
                False, "quantity", f"order of {quantity} {symbol}: not a number of shares", value=quantity
            )
        if reduces_exposure(quantity, book.position(symbol), book.working(symbol)):
            return REDUCES
        name = book.name(symbol)
        price = order_price(order, name)
        known = math.isfinite(price) and price > 0 and math.isfinite(name.close) and name.close > 0
        if not known:
            reason = (
                f"order of {quantity:g} {symbol}: its price is not known (last close {name.close:g}, order {price:g}); "
                "wait for its bar, or look at its data"
            )
            return Verdict(False, "price", reason, value=price)
        case = _Case(order, name, book, price, abs(quantity) * price)
        for rule in RULES:
            found = rule(self.params, case)
            if found.limit is not None and not _holds(found.value, found.limit):
                return _refusal(order, found)
        return WITHIN


def _holds(value: float, limit: float) -> bool:
    """Whether a number is within its limit; what is not finite never is."""
    return math.isfinite(value) and math.isfinite(limit) and value <= limit


def _refusal(order: ProposedOrder, found: _Finding) -> Verdict:
    limit = math.nan if found.limit is None else float(found.limit)
    value = f"is {found.value:.6g}" if math.isfinite(found.value) else "is not known"
    most = f"at most {limit:.6g} is allowed" if math.isfinite(limit) else "what is allowed is not known"
    reason = f"order of {order.quantity:g} {order.symbol}: {found.what} {value}, {most}; {found.remedy}"
    return Verdict(False, found.code, reason, limit, found.value)
