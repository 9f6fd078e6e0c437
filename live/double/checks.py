"""What is tested before an order is accepted, with the error codes of the gateway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from live.double.account import Account, mark
from live.double.clock import Clock, local
from live.double.knobs import Knobs
from live.double.market import TICK, Listing, Market
from live.double.orders import (
    AT_CLOSE,
    TIFS,
    TYPES,
    WITH_LIMIT,
    WITH_STOP,
    Order,
    Refused,
    conform,
    number,
)


def contract(market: Market, raw: Mapping[str, Any]) -> Listing:
    """The one listing that a request means.

    Raises
    ------
    Refused
        200, unknown or ambiguous.
    """
    found = market.find(dict(raw))
    if not found:
        raise Refused(200, "No security definition has been found for the request")
    if len(found) > 1:
        raise Refused(200, "The contract description specified for " + found[0].symbol + " is ambiguous.")
    return found[0]


def fields(raw: Mapping[str, Any], knobs: Knobs) -> None:
    """Test what an order's fields say by themselves.

    Raises
    ------
    Refused
        113, 321, 387, 434, 10243 and others.
    """
    kind, tif = conform(raw["orderType"]), raw["tif"] or "DAY"
    if raw["action"] not in ("BUY", "SELL", "SSHORT"):
        raise Refused(321, f"Error validating request.-'bN' : cause - Invalid side {raw['action']!r}")
    if kind not in TYPES:
        raise Refused(387, "Unsupported order type for this exchange and security type.")
    if tif not in TIFS or (kind in WITH_STOP and tif == "OPG"):
        raise Refused(201, f"Order rejected - reason:Invalid time in force {tif} for {kind}.", inactive=True)
    if kind in AT_CLOSE and tif != "DAY":
        raise Refused(113, "The Time-in-Force should be DAY for market on close orders.")
    if not raw["tif"] and not knobs.tif_preset:
        raise Refused(201, "Order rejected - reason:Missing time in force.", inactive=True)
    _quantity(raw["totalQuantity"])
    if kind in WITH_LIMIT:
        _price(raw["lmtPrice"], "limit")
    if kind in WITH_STOP:
        _price(raw["auxPrice"], "stop")
    if raw["algoStrategy"] and (kind not in ("MKT", "LMT") or tif == "OPG"):
        raise Refused(
            201, f"Order rejected - reason:The {raw['algoStrategy']} algo does not take {kind} {tif}."
        )


def _quantity(text: str) -> None:
    quantity = float(text or 0)
    if quantity <= 0:
        raise Refused(434, "The order size cannot be zero.")
    if quantity != int(quantity):
        raise Refused(
            10243,
            "Fractional-sized order cannot be placed via API. Please consult desktop version to place this order.",
        )


def _price(text: str, what: str) -> None:
    price = number(text)
    if price is None or price <= 0:
        raise Refused(321, f"Error validating request.-'bN' : cause - Missing {what} price")
    if abs(price / TICK - round(price / TICK)) > 1e-6:
        raise Refused(110, "The price does not conform to the minimum price variation for this contract.")


def account(names: list[str], wanted: str) -> str:
    """The account an order is for.

    Raises
    ------
    Refused
        321 for an account that is not managed, 435 without one when there are several.
    """
    if wanted:
        if wanted not in names:
            raise Refused(321, f"Error validating request.-'bN' : cause - Invalid account code '{wanted}'.")
        return wanted
    if len(names) > 1:
        raise Refused(435, "You must specify an account.")
    return names[0]


def modification(old: Order, raw: Mapping[str, Any], listing: Listing) -> None:
    """Test that a live order may become what the client sends under its id.

    Raises
    ------
    Refused
        103 or 104 when it is done, 105 when it is another order.
    """
    if old.status == "Filled":
        raise Refused(104, "Cannot modify a filled order.")
    if not old.live:
        raise Refused(103, "Duplicate order id")
    same = old.action == raw["action"] and old.listing is listing and old.kind == conform(raw["orderType"])
    if not same:
        raise Refused(105, "Order being modified does not match original order.")


def auction(order: Order, market: Market, clock: Clock, knobs: Knobs) -> None:
    """Refuse an order that comes too late for its auction.

    Raises
    ------
    Refused
        201, Inactive.
    """
    session = market.calendar.coming(clock.now)
    today = local(clock.now).date() == session.date
    if order.at_close and today and clock.now > session.closes - knobs.moc_cutoff:
        raise Refused(
            201, "Order rejected - reason:Exchange is closed for market on close orders.", inactive=True
        )
    if order.at_open and clock.now > session.opens - knobs.opg_cutoff:
        raise Refused(
            201, "Order rejected - reason:Orders for the opening auction are not accepted now.", inactive=True
        )


def funds(order: Order, owner: Account, market: Market, ahead: float, reserved: float, knobs: Knobs) -> float:
    """Refuse an order for which there is neither equity nor, where short sales are off, stock.

    Parameters
    ----------
    ahead : float
        Signed shares of the account's live orders on the same side of the same contract.
    reserved : float
        USD by which the account's live orders would change its gross position.

    Returns
    -------
    float
        USD by which this order would change the gross position; negative when it closes.

    Raises
    ------
    Refused
        201, Inactive.
    """
    before = owner.holding(order.listing).quantity + ahead
    after = before + order.sign * order.remaining
    if after < 0 and order.sign < 0 and not knobs.short_sales:
        raise Refused(201, "Order rejected - reason:The account does not hold enough shares.", inactive=True)
    price = order.limit or market.last(order.listing) or 0.0
    change = (abs(after) - abs(before)) * price
    if change <= 0:
        return change
    figures = owner.values(lambda listing: mark(market, owner, listing))
    equity, gross = figures["EquityWithLoanValue"], figures["GrossPositionValue"] + reserved + change
    if gross > owner.leverage * equity + 0.005:
        raise Refused(
            201,
            "Order rejected - reason:YOUR ORDER IS NOT ACCEPTED. IN ORDER TO OBTAIN THE DESIRED POSITION YOUR "
            f"EQUITY WITH LOAN VALUE [{equity:.2f} USD] MUST EXCEED THE INITIAL MARGIN "
            f"[{gross / owner.leverage:.2f} USD]",
            inactive=True,
        )
    return change
