"""What a broker does with a basket: Backtrader's two cash checks and next-open fills, order by order.

The rule is Backtrader's own (rulings 4). Submission check, at the start of the next session and at the price of
the decision: orders run through the cash in submission order; an order that leaves it negative is refused and
its cash is *not* given back, so every later order, sales too, is refused while the running cash stays negative.
Execution check, at the fill price: a buy that would make the cash negative is refused and costs nothing.
Both are done in one vector step while the running cash never turns negative, else by the scalar rule.
The order of the floating-point operations is Backtrader's, so that both round alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ares7.arrays import Bool1D, Float1D, Int1D
from ares7.costs import CostModel


@dataclass(slots=True)
class Account:
    """Cash and positions, changed in place by `execute`.

    Attributes
    ----------
    cash : USD
    held : (N,) shares
    cost_price : (N,) USD a share
        Average price paid; 0 where nothing is held.
    margin : bool
        Cash may turn negative; nothing is refused.
    """

    cash: float
    held: Float1D
    cost_price: Float1D
    margin: bool = False


def _running(cash: float, flows: Float1D, fees: Float1D) -> Float1D:
    """(K,) cash after each order: the flow first, then the fee."""
    steps = np.empty(2 * len(flows) + 1)
    steps[0], steps[1::2] = cash, flows
    np.negative(fees, out=steps[2::2])
    return np.asarray(np.add.accumulate(steps)[2::2])


def accepted(account: Account, quantity: Float1D, price: Float1D, costs: CostModel) -> Bool1D:
    """Submission check.

    Parameters
    ----------
    account : Account
        As it stands at the start of the session.
    quantity : (K,) signed shares, in submission order
    price : (K,) USD
        Price at the decision.
    costs : CostModel

    Returns
    -------
    (K,) bool
    """
    if account.margin:
        return np.ones(len(quantity), dtype=bool)
    # Refused or not, an order's cash is never given back: the scalar rule is a running sum as well.
    return _running(account.cash, -quantity * price, costs.fees(quantity, price)) >= 0.0


def execute(
    account: Account, symbol: Int1D, quantity: Float1D, price: Float1D, costs: CostModel
) -> tuple[Bool1D, Float1D]:
    """Fill accepted orders at ``price``; refuse buys that the cash does not cover.

    Parameters
    ----------
    account : Account
        Changed in place.
    symbol : (K,) int64
        Each column at most once.
    quantity : (K,) signed shares
    price : (K,) USD
    costs : CostModel

    Returns
    -------
    filled : (K,) bool
    fees : (K,) USD
        0 where refused.
    """
    fees = costs.fees(quantity, price)
    given, paid, selling = -quantity, account.cost_price[symbol], quantity < 0
    flows = given * price
    # A sale returns what was paid plus the profit, as Backtrader books it.
    np.copyto(flows, given * paid + given * (price - paid), where=selling)
    cash = _running(account.cash, flows, fees)
    if account.margin or not len(cash) or cash.min() >= 0.0:
        filled = np.ones(len(cash), dtype=bool)
        account.cash = float(cash[-1]) if len(cash) else account.cash
        _book(account, symbol, quantity, price)
        return filled, fees
    filled = _fill_in_turn(account, flows, fees, selling)
    _book(account, symbol[filled], quantity[filled], price[filled])
    return filled, np.where(filled, fees, 0.0)


def _fill_in_turn(account: Account, flows: Float1D, fees: Float1D, selling: Bool1D) -> Bool1D:
    """(K,) bool: filled; the scalar rule, with the cash of `account` changed in place."""
    filled, running = np.ones(len(flows), dtype=bool), account.cash
    for k in range(len(flows)):
        after = running + flows[k] - fees[k]
        if after < 0.0 and not selling[k]:
            filled[k] = False
        else:
            running = after
    account.cash = float(running)
    return filled


def _book(account: Account, symbol: Int1D, quantity: Float1D, price: Float1D) -> None:
    before, average = account.held[symbol], account.cost_price[symbol]
    after, cost = before + quantity, average * before + quantity * price
    # The average changes with what is bought: a first purchase costs its price, what is sold leaves it alone.
    buying, gone = quantity > 0, after == 0.0
    np.divide(cost, after, out=average, where=buying > gone)
    np.copyto(average, price, where=buying & (before == 0.0))
    np.copyto(average, 0.0, where=gone)
    account.held[symbol], account.cost_price[symbol] = after, average
