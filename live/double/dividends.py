"""Dividends that the adjusted prices of the data imply, paid in cash on the ex-date."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from live.double.clock import Session

if TYPE_CHECKING:
    from live.double.server import Gateway

SMALLEST = 2e-4
"""Fraction of the price; less is the rounding of adjusted prices."""


def pay_dividends(gateway: Gateway, session: Session) -> None:
    """Credit, at the open of an ex-date, ``close * (1 - ratio before / ratio after)`` a share held."""
    market, history = gateway.market, gateway.market.history
    row = market.row(session.date)
    if row is None or row == 0:
        return
    for account in gateway.engine.accounts.values():
        for held in list(account.holdings.values()):
            column = held.listing.column
            before, after = history.ratio[column, row - 1], history.ratio[column, row]
            part = 1.0 - before / after
            if held.quantity == 0 or not math.isfinite(part) or part < SMALLEST:
                continue
            amount = history.close[column, row - 1] / market.split[column] * part
            gateway.actions.dividend(held.listing.symbol, float(amount), account=account.name)
