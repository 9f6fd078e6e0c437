"""What the campaign itself did to the account, so that only the rest is held against the runner."""

from __future__ import annotations

import collections
from dataclasses import dataclass, field


@dataclass
class Halt:
    """A halt that was tripped after ``since`` orders had come to the gateway, and lifted after ``until`` of them."""

    level: str
    way: str
    since: int
    until: int | None = None


@dataclass
class Ledger:
    """Deeds of the campaign on one account.

    Attributes
    ----------
    cash_start, cash_moved : float
        USD; what was paid in or out since.
    drift : dict of symbol to float
        Shares that came or went behind the runner's back, until the operator accepts them.
    own : Counter of str
        Shares by which names that the operator keeps for himself changed later.
    strange : set of str
        Names whose position is not of the runner's making alone, until they are flat.
    shorts : set of str
        Names that were short at some time: a purchase may have reduced that.
    twins : Counter of str
        References of which the gateway made a second incarnation.
    unpaid : set of str
        Executions, by root, whose fee the gateway has not told.
    feeless : set of str
        Executions, by root, of an earlier day whose fee no runner heard: the gateway does not tell it later.
    untold : set of str
        Executions, by root, of a day on which no runner lived: the gateway does not tell them later.
    halts : list of Halt
    marks : dict of session to (USD, dict of symbol to USD)
        Equity of the account by the gateway, and closes, when the session decided.
    """

    cash_start: float = 0.0
    cash_moved: float = 0.0
    drift: dict = field(default_factory=lambda: collections.defaultdict(float))
    own: collections.Counter = field(default_factory=collections.Counter)
    strange: set = field(default_factory=set)
    shorts: set = field(default_factory=set)
    twins: collections.Counter = field(default_factory=collections.Counter)
    unpaid: set = field(default_factory=set)
    feeless: set = field(default_factory=set)
    untold: set = field(default_factory=set)
    halts: list = field(default_factory=list)
    marks: dict = field(default_factory=dict)

    def drifts(self, symbol, shares):
        """Shares of a name changed, and the runner did not do it."""
        self.drift[symbol] += shares
        self.strange.add(symbol)

    def accepted(self, aside):
        """The operator took everything over; a name that was set aside before may change at will, and is not asked."""
        self.own.update(
            {symbol: shares for symbol, shares in self.drift.items() if symbol in aside and shares}
        )
        self.drift.clear()

    def held(self, positions):
        """Note who is short; names without a position are the runner's own again."""
        self.shorts |= {symbol for symbol, shares in positions.items() if shares < 0}
        self.strange &= set(positions) | set(self.drift)
