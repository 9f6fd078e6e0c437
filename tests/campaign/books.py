"""Both sides of the comparison as plain rows: what the journal holds, and what reached the gateway's socket."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from live.double.recorder import ORDER_REF
from live.journal.place import default_url
from live.journal.reader import JournalReader
from tests.campaign.child import CLIENT_ID

PLACE = "placeOrder"


@dataclass(frozen=True)
class OrderRow:
    """An order of the journal."""

    ref: str
    symbol: str
    side: str
    quantity: float
    session: dt.date
    purpose: str = "rebalance"
    stage: str = "filled"
    done: bool = True


@dataclass(frozen=True)
class FillRow:
    """An execution in its latest revision."""

    root: str
    revision: int
    ref: str
    symbol: str
    side: str
    shares: float
    price: float

    @property
    def signed(self):
        return self.shares if self.side == "BUY" else -self.shares


@dataclass(frozen=True)
class JournalRows:
    """What one journal says at one moment; shares by symbol, fees by root of the execution."""

    orders: tuple[OrderRow, ...] = ()
    fills: tuple[FillRow, ...] = ()
    fees: dict = field(default_factory=dict)
    positions: dict = field(default_factory=dict)
    aside: dict = field(default_factory=dict)
    cash: dict = field(default_factory=dict)
    """USD at the close, by session."""
    rebalances: int = 0
    limited: int = 0
    """Orders that a limit kept back."""


def journal_of(folder):
    """A reader of the runner's journal; opens it for every question, so that it holds nothing open in between."""
    return JournalReader.open(default_url(folder, "paper"), "paper")


def read_journal(folder):
    """Everything that is compared."""
    with journal_of(folder) as journal:
        working = {order.intent.ref for order in journal.working()}
        orders = tuple(_order(order, working) for order in journal.orders())
        symbols = {row.con_id: row.symbol for row in journal.adjustments()}
        return JournalRows(
            orders,
            tuple(
                FillRow(f.root, f.revision, f.ref, f.symbol, f.side, f.shares, f.price)
                for f in journal.fills()
            ),
            {root: fee.amount for root, fee in journal.fees().items()},
            {held.symbol: held.shares for held in journal.positions().values()},
            {symbols[con_id]: shares for con_id, shares in journal.ignored().items()},
            {nav.session: nav.cash_usd for nav in journal.navs()},
            len(journal.rebalances()),
            sum(row.outcome == "limited" for row in journal.decisions()),
        )


def _order(order, working):
    intent = order.intent
    return OrderRow(
        intent.ref,
        intent.symbol,
        intent.side,
        intent.quantity,
        intent.session,
        intent.purpose,
        order.stage,
        intent.ref not in working,
    )


class Sends:
    """References of the orders that came to the gateway's socket, in order, also of those that a fault lost there."""

    def __init__(self):
        self.refs = []

    def take(self, control):
        """Read the messages since the last time, and let the gateway forget them."""

        def new(gateway):
            entries = gateway.recorder.entries
            found = [e.fields[ORDER_REF] for e in entries if e.name == PLACE and e.client == CLIENT_ID]
            entries.clear()
            return found

        self.refs += control.call(new)
        return len(self.refs)
