"""An account of 100,000 USD with every fact known, for the tests of the limits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ares7.limits import AccountView, LimitParams, Name, ProposedOrder, Verdict, Working

NAN = float("nan")
OFF = LimitParams.model_validate(
    {
        **{name: None for name in LimitParams.model_fields if name.startswith(("max_", "price_"))},
        "allow_short": True,
    }
)
"""Every limit off."""
STOCK = Name(close=100.0, age_sessions=0.0, volume=1000.0, sector="Energy")
FUND = replace(STOCK, sector="", fund=True)
VIEW = AccountView(
    nav=100_000.0,
    cash=100_000.0,
    names={"A": STOCK, "B": STOCK, "C": replace(STOCK, sector="Health Care"), "F": FUND},
    previous_nav=100_000.0,
    peak_nav=100_000.0,
)


def only(**limits: Any) -> LimitParams:
    """Every limit off but the given ones."""
    return LimitParams.model_validate(OFF.model_dump() | limits)


def order(quantity: float, symbol: str = "A", **given: Any) -> ProposedOrder:
    return ProposedOrder(symbol, quantity, **given)


def view(**changes: Any) -> AccountView:
    return replace(VIEW, **changes)


def named(symbol: str = "A", **changes: Any) -> AccountView:
    """The account with other facts of one name."""
    return view(names={**VIEW.names, symbol: replace(VIEW.names[symbol], **changes)})


__all__ = [
    "FUND",
    "NAN",
    "OFF",
    "STOCK",
    "VIEW",
    "Name",
    "Verdict",
    "Working",
    "named",
    "only",
    "order",
    "view",
]
