"""What can change a position without an execution: tests on ratios and prices. Pure."""

from __future__ import annotations

import math
from fractions import Fraction

from live.reconcile.views import Hint

LARGEST_TERM = 10
"""Splits have small terms (3-for-2, 10-for-1), or one term of 1 (1-for-25)."""
LARGEST_MULTIPLE = 100
PRICE_SLACK = math.log(1.25)
"""How far price and ratio may disagree: the price also moves on the day of a split."""
SMALL_SHARE = 0.05
"""A dividend is less than this fraction of what it is paid on."""
DIVIDEND_SLACK = 0.5
"""How far reinvested shares may lie from dividend / price: reinvestment happens days later, net of tax."""


def split_ratio(before: float, after: float, hint: Hint) -> tuple[int, int] | None:
    """Return (new, old) of a split that turns one position into the other, or None.

    The ratio must be simple, and the price must have moved by about its inverse: half of the ratio's logarithm is
    the most that they may disagree, at most 25 %. Fractions of a share may have been paid out in cash.

    Parameters
    ----------
    before, after : float
        Signed shares.
    hint : Hint
        Without both prices nothing is a split.
    """
    if before == 0 or before * after <= 0 or before == after:
        return None
    move = _move(hint)
    if move is None:
        return None
    for ratio in _candidates(abs(before), abs(after)):
        size = math.log(ratio)
        if abs(move - size) <= min(PRICE_SLACK, abs(size) / 2):
            return ratio.numerator, ratio.denominator
    return None


def _price(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) and value > 0 else None


def _move(hint: Hint) -> float | None:
    """Logarithm of the price before over the price now."""
    before, now = _price(hint.price_before), _price(hint.price_now)
    return None if before is None or now is None else math.log(before / now)


def _candidates(before: float, after: float) -> list[Fraction]:
    """Simple ratios that give ``after`` exactly, simplest first, then those that do so rounded down."""
    simple = {
        Fraction(p, q) for p in range(1, LARGEST_TERM + 1) for q in range(1, LARGEST_TERM + 1) if p != q
    }
    simple |= {Fraction(n) for n in range(2, LARGEST_MULTIPLE + 1)}
    simple |= {1 / Fraction(n) for n in range(2, LARGEST_MULTIPLE + 1)}
    fitting = []
    for ratio in simple:
        made = before * ratio.numerator / ratio.denominator
        exact = math.isclose(made, after, rel_tol=1e-9)
        if exact or math.floor(made + 1e-9) == after:
            fitting.append((not exact, ratio.numerator + ratio.denominator, ratio))
    return [ratio for _, _, ratio in sorted(fitting)]


def dividend_reinvested(before: float, after: float, hint: Hint) -> bool:
    """Whether a long position grew by what a dividend buys.

    With a known dividend the growth must be about ``before * dividend / price``; without one it must be less than
    5 % and hold a fraction of a share, which no order of ours can buy.

    Parameters
    ----------
    before, after : float
        Signed shares.
    hint : Hint
    """
    grown = after - before
    if before <= 0 or grown <= 0 or grown >= SMALL_SHARE * before:
        return False
    price, dividend = _price(hint.price_now) or _price(hint.price_before), _price(hint.dividend_usd)
    if dividend is not None and price is not None:
        expected = before * dividend / price
        return abs(grown - expected) <= max(DIVIDEND_SLACK * expected, 1.0)
    return abs(grown - round(grown)) > 1e-4
