"""Returns of a strategy's target rows on a synthetic market, and what was to be expected of them.

The account is the engine's with fractional shares and without costs: orders sized at close t, filled at open t+1
or at the name's next bar, cancelled by the next decision, marked at the last close, a name closed at its last close
in its fifth session without a bar. Only the refusal of orders for lack of cash is left out. Prices are total return.
"""

from dataclasses import dataclass

import numpy as np

from feeds.synthetic_prices import OVERNIGHT_SHARE

GONE = 5


@dataclass(frozen=True)
class Outcome:
    """One strategy on one market, from the session after its first decision on.

    ``returns`` (D,) daily; ``held`` (D, N) fraction of the NAV at the close before: positions that earn the
    session, known at that close (on a day of fills, the position before counts for the overnight share of the
    return and the one after for the rest); ``rows`` (D,) rows of the market.
    """

    returns: np.ndarray
    held: np.ndarray
    rows: np.ndarray


def hold(panel, targets):
    """Account for target rows. See the module."""
    close, opening = panel.fields["close"], panel.fields["open"]
    count, names = close.shape
    bar = np.isfinite(close)
    last = np.zeros(names)
    age = np.zeros(names, dtype=int)
    shares, waiting, cash = np.zeros(names), np.zeros(names), 1.0
    nav = np.ones(count)
    held = np.zeros((count, names))
    for t in range(panel.start_row, count):
        filled = np.where(bar[t], waiting, 0.0)
        cash -= float((filled * np.where(bar[t], opening[t], 0.0)).sum())
        held[t] = (shares + (1.0 - OVERNIGHT_SHARE) * filled) * last / nav[t - 1]
        shares, waiting = shares + filled, waiting - filled
        last = np.where(bar[t], close[t], last)
        age = np.where(bar[t], 0, age + 1)
        gone = age == GONE
        cash += float((shares * last)[gone].sum())
        shares, waiting = np.where(gone, 0.0, shares), np.where(gone, 0.0, waiting)
        nav[t] = cash + float((shares * last).sum())
        if targets.decide[t]:
            wanted = np.divide(targets.weights[t] * nav[t], last, out=np.zeros(names), where=bar[t])
            waiting = np.where(bar[t], wanted - shares, 0.0)
    rows = np.arange(panel.start_row + 1, count)
    return Outcome(nav[rows] / nav[rows - 1] - 1.0, held[rows], rows)


def regression_alpha(returns, factors):
    """Intercept a year of an ordinary regression of daily returns on factors, (D, K)."""
    design = np.column_stack([np.ones(len(returns)), factors])
    return 252.0 * np.linalg.lstsq(design, returns, rcond=None)[0][0]
