"""Live against shadow against backtest: how far two books of the same strategy have drifted apart, and why.

The difference between the changes of two NAVs is taken apart session by session and name by name. For one name, with
shares h, close c and signed trades q worth v, the value of a book changes by ``h' * dc + q * c - v`` and by what is no
trade. Subtracting the same line of the other book, term by term, gives the causes. Only what the books themselves do
not explain is a remainder, and it is shown as ``unexplained``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ares7.arrays import Dates, Float1D, Float2D
from ares7.errors import DataError

SHARES_TINY = 1e-9
CAUSES = (
    "prices",
    "fills",
    "fees",
    "rounding",
    "missing_orders",
    "corporate_actions",
    "flows",
    "unexplained",
)


@dataclass(frozen=True, slots=True, eq=False)
class BookHistory:
    """What one book held and did.

    Attributes
    ----------
    dates : (T,) datetime64[D]
        Row 0 is where the comparison begins: its trades and flows lie before it.
    symbols : tuple of N str
    shares : (T, N)
        Held at the close, signed.
    close : (T, N) USD a share
        With which the book is valued; finite where shares are held or traded.
    traded : (T, N)
        Signed shares traded in the session.
    paid : (T, N) USD
        Signed value of those trades: positive for purchases.
    unfilled : (T, N)
        Signed shares of orders of the session that were not filled.
    fees, flows, nav : (T,) USD
        Fees positive; flows positive came in; NAV at the close.
    """

    dates: Dates
    symbols: tuple[str, ...]
    shares: Float2D
    close: Float2D
    traded: Float2D
    paid: Float2D
    unfilled: Float2D
    fees: Float1D
    flows: Float1D
    nav: Float1D

    def __post_init__(self) -> None:
        shape = (len(self.dates), len(self.symbols))
        for name in ("shares", "close", "traded", "paid", "unfilled"):
            if getattr(self, name).shape != shape:
                raise DataError(
                    f"book history: {name} has shape {getattr(self, name).shape}; expected {shape}"
                )
        for name in ("fees", "flows", "nav"):
            if not np.isfinite(getattr(self, name)).all() or getattr(self, name).shape != shape[:1]:
                raise DataError(f"book history: {name} must hold {shape[0]} numbers")
        moved = np.zeros(shape, dtype=bool)
        moved[1:] = self.shares[:-1] != 0
        if not np.isfinite(self.close[(self.shares != 0) | (self.traded != 0) | moved]).all():
            raise DataError(
                "book history: a name is held or traded in a session without a close; fill none in: leave "
                "the last known price where it did not trade"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Drift:
    """Why one NAV moved differently from another.

    Attributes
    ----------
    dates : (T - 1,) datetime64[D]
    symbols : tuple of N str
    by_cause : dict of str to (T - 1,) USD
        One of `CAUSES` each; positive is in favour of the first book.
    by_name : dict of str to (T - 1, N) USD
        The causes that have a name.
    total : (T - 1,) USD
        Change of the first NAV minus change of the second, session by session.
    """

    dates: Dates
    symbols: tuple[str, ...]
    by_cause: dict[str, Float1D]
    by_name: dict[str, Float2D]
    total: Float1D

    def to_dict(self) -> dict[str, Any]:
        """Sums over all sessions, and the five names that drifted furthest."""
        names = np.sum([part.sum(axis=0) for part in self.by_name.values()], axis=0)
        furthest = np.argsort(-np.abs(names), kind="stable")[:5]
        return {
            "from": str(self.dates[0]) if len(self.dates) else None,
            "to": str(self.dates[-1]) if len(self.dates) else None,
            "total_usd": math.fsum(self.total),
            "causes_usd": {name: math.fsum(part) for name, part in self.by_cause.items()},
            "names_usd": {self.symbols[i]: float(names[i]) for i in furthest if names[i] != 0},
        }


def drift(first: BookHistory, second: BookHistory) -> Drift:
    """Take the difference between two books apart.

    * ``prices``: the second book's shares and trades, valued at the closes of the first instead of its own.
    * ``fills``: what both traded, at different prices.
    * ``missing_orders``: shares that the first book lacks because its orders were not filled (or refused).
    * ``rounding``: every other difference in shares: whole shares of a different NAV, minimum trade.
    * ``corporate_actions``: shares that came or went without a trade, at the close of their session.
    * ``fees``, ``flows``: their differences.
    * ``unexplained``: NAV that does not follow from the book itself, for example accrued dividends.

    Parameters
    ----------
    first, second : BookHistory
        Of the same sessions and symbols; for example live and shadow, or shadow and backtest.

    Returns
    -------
    Drift
        The causes add up to ``total`` in every session.

    Raises
    ------
    DataError
        Sessions or symbols differ.
    """
    if not np.array_equal(first.dates, second.dates) or first.symbols != second.symbols:
        raise DataError(
            "two books of different sessions or symbols cannot be compared; cut both to what they share"
        )
    a, b = _steps(first, second.close), _steps(second, first.close)
    both = (first.traded[1:] != 0) & (second.traded[1:] != 0)
    missing, rounding = _split(first, second)
    gap = missing + rounding
    change = gap[1:] - gap[:-1]
    # Trades that one book did and the other did not are valued from the price of the one that did.
    price = np.where(first.traded[1:] != 0, a.price, b.price)
    by_name = {
        "prices": second.shares[:-1] * (a.move - b.move) + second.traded[1:] * (a.close - b.close),
        "fills": np.where(both, -second.traded[1:] * (a.price - b.price), 0.0) - (a.turned - b.turned),
    }
    extra = first.traded[1:] - second.traded[1:]
    # A gap also changes by shares that came without a trade; those are no matter of trades.
    share = np.divide(missing[1:] - missing[:-1], change, out=np.zeros(change.shape), where=change != 0) * (
        np.abs(change - extra) < SHARES_TINY
    )
    traded_gap = extra * (a.close - price)
    by_name["missing_orders"] = missing[:-1] * a.move + share * traded_gap
    by_name["rounding"] = rounding[:-1] * a.move + (1.0 - share) * traded_gap
    by_name["corporate_actions"] = a.given - b.given
    causes = {name: part.sum(axis=1) for name, part in by_name.items()}
    causes["fees"] = second.fees[1:] - first.fees[1:]
    causes["flows"] = first.flows[1:] - second.flows[1:]
    total = np.diff(first.nav) - np.diff(second.nav)
    own = a.explained - b.explained
    causes["unexplained"] = total - own
    return Drift(first.dates[1:], first.symbols, {name: causes[name] for name in CAUSES}, by_name, total)


@dataclass(frozen=True, slots=True, eq=False)
class _Steps:
    """One book, session by session from the second row on; (T - 1, N) unless stated.

    ``move`` is the change of the close; ``price`` the average price of the trades; ``turned`` what was paid for
    trades that net to no shares; ``given`` the value of shares that came without a trade; ``explained`` (T - 1,) the
    change of NAV that follows.
    """

    close: Float2D
    move: Float2D
    price: Float2D
    turned: Float2D
    given: Float2D
    explained: Float1D


def _steps(book: BookHistory, other: Float2D) -> _Steps:
    # Where a book has no close it holds nothing; the other's close says what it misses.
    close = np.nan_to_num(np.where(np.isfinite(book.close), book.close, other), nan=0.0)
    move = close[1:] - close[:-1]
    traded, paid = book.traded[1:], book.paid[1:]
    price = np.divide(paid, traded, out=np.zeros(traded.shape), where=traded != 0)
    turned = np.where(traded == 0, paid, 0.0)
    given = (book.shares[1:] - book.shares[:-1] - traded) * close[1:]
    own = book.shares[:-1] * move + traded * close[1:] - paid + given
    explained = own.sum(axis=1) - book.fees[1:] + book.flows[1:]
    return _Steps(close[1:], move, price, turned, given, explained)


def _split(first: BookHistory, second: BookHistory) -> tuple[Float2D, Float2D]:
    """(T, N) gap in shares that unfilled orders of the first book make, and the rest of the gap.

    What was not filled stays missing until the next order in the name, and never counts for more than the gap.
    """
    gap = first.shares - second.shares
    lacking = np.zeros(gap.shape)
    open_gap = np.zeros(gap.shape[1])
    for row in range(len(gap)):
        touched = (first.unfilled[row] != 0) | (first.traded[row] != 0)
        open_gap = np.where(touched, -first.unfilled[row], open_gap)
        same = np.sign(open_gap) == np.sign(gap[row])
        lacking[row] = np.where(same, np.sign(gap[row]) * np.minimum(np.abs(open_gap), np.abs(gap[row])), 0.0)
    return lacking, gap - lacking
