"""What a strategy wants to send after a session when it trades live, and who may say how much of it leaves."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Protocol

from ares7.arrays import Bool1D, Float1D
from ares7.book import Targets
from ares7.orders import Basket
from ares7.panel import Panel


@dataclass(frozen=True, slots=True)
class Share:
    """The part of an account that a strategy may use.

    Attributes
    ----------
    held : (N,) shares
        Positions that are the strategy's.
    nav : USD
        What its book is sized for.
    cash : USD
        Of ``nav``, what is not in positions.
    whole : USD
        Value of the account without what is not the strategy's; ``nav`` is at most that.
    """

    held: Float1D
    nav: float
    cash: float
    whole: float


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a strategy wants to send after a session.

    Attributes
    ----------
    panel : Panel
        Up to the session.
    targets : Targets
        Of its last row.
    share : Share
        Of the account.
    working : (N,) shares
        What working orders may still trade (signed).
    close : (N,) USD
    bar : (N,) bool
    basket : Basket
        Orders that bring ``share.held + working`` to the targets.
    """

    panel: Panel
    targets: Targets
    share: Share
    working: Float1D
    close: Float1D
    bar: Bool1D
    basket: Basket

    @property
    def session(self) -> dt.date:
        """Session that decided."""
        day: dt.date = self.panel.dates[-1].item()
        return day


class Carrier(Protocol):
    """Who carries decisions out (`live.conductor.Conductor`)."""

    def due(self, panel: Panel, targets: Targets) -> bool:
        """Whether the latest session decides: it does itself, or an earlier one that was missed did."""

    def share(self, held: Float1D, close: Float1D, cash: float) -> Share:
        """Return the strategy's part of an account with these positions and this cash."""

    def admitted(self, proposal: Proposal) -> Basket:
        """Return the orders of a proposal that may be sent now."""

    def remainder(self, proposal: Proposal) -> Basket:
        """Return orders for what an earlier rebalance still lacks; the proposal's own basket is empty."""

    def carried_out(self) -> None:
        """Every order of the latest proposal was handed over."""
