"""The simulated account at the close of a session, from the journal alone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from backtrader.position import Position

from live.journal.reader import JournalReader
from live.journal.rows import Fill, JournalOrder
from live.simulated.actions import Split, split_of

ACCOUNT = "SIMULATED"
MODE = "simulated"
HALTED = "halted"
"""How the reason of a cancellation begins that a halt asked for."""


@dataclass(frozen=True, slots=True)
class Traded:
    """The latest price of a holding that the data folder must still know.

    Attributes
    ----------
    symbol : str
    session : date
    price : float
        Of the fill, USD a share, adjusted for the splits that the journal knows.
    """

    symbol: str
    session: dt.date
    price: float

    def after(self, split: Split) -> Traded:
        """Return the same in shares of after a split."""
        return replace(self, price=split.price(self.price))


@dataclass(frozen=True, slots=True)
class Standing:
    """What is there once a session has been acted on.

    Attributes
    ----------
    session : date or None
        None before the first one.
    cash : float
        USD.
    positions : dict of contract id to backtrader.position.Position
        Average price included, to the last digit as a broker has it that never stopped.
    traded : dict of contract id to Traded
        The latest fill of each holding.
    waiting : tuple of JournalOrder
        Orders for the next open, in the order in which they were given.
    """

    session: dt.date | None
    cash: float
    positions: dict[int, Any]
    traded: dict[int, Traded]
    waiting: tuple[JournalOrder, ...]

    def checked(self, order: JournalOrder) -> bool:
        """Whether a waiting order was accepted by an earlier session already, and waits for a bar."""
        return self.session is not None and order.intent.session < self.session


def standing_of(journal: JournalReader, cash: float) -> Standing:
    """Return the account as of the latest session that was acted on to its end.

    What a process wrote of a later session before it died does not count: that session is acted on again, and
    everything that it writes is the same and is written once.

    Parameters
    ----------
    journal : JournalReader
    cash : float
        USD, of an account that has never traded.
    """
    close, begun = journal.latest_nav("close"), journal.latest_nav("start")
    if close is None:
        return Standing(None, cash if begun is None else begun.nav_usd, {}, {}, ())
    positions: dict[int, Any] = {}
    traded: dict[int, Traded] = {}
    for event in _events(journal, close.session):
        if isinstance(event, Fill):
            positions.setdefault(event.con_id, Position()).update(event.signed_shares, event.price)
            traded[event.con_id] = Traded(event.symbol, event.session, event.price)
            continue
        con_id, split = event
        divide(positions[con_id], split)
        traded[con_id] = traded[con_id].after(split)
    held = {con_id: position for con_id, position in positions.items() if position.size}
    return Standing(
        close.session,
        close.nav_usd if close.cash_usd is None else close.cash_usd,
        held,
        {con_id: traded[con_id] for con_id in held},
        tuple(_waiting(journal, close.session)),
    )


def divide(position: Any, split: Split) -> float:
    """Let a split change a position; return the fraction of a share that is paid out."""
    whole, fraction = split.shares(position.size)
    position.size, position.price = whole, split.price(position.price)
    return fraction


def _events(journal: JournalReader, last: dt.date) -> Iterator[Fill | tuple[int, Split]]:
    """Fills and splits up to a session; splits come before the fills of theirs."""
    splits = [(split, row.con_id) for row in journal.adjustments() if (split := split_of(row)) is not None]
    dated: list[tuple[dt.date, int, Fill | tuple[int, Split]]] = [
        (split.session, 0, (con_id, split)) for split, con_id in splits
    ]
    dated += [(fill.session, 1, fill) for fill in journal.fills()]
    for session, _, event in sorted(dated, key=lambda found: found[:2]):
        if session <= last:
            yield event


def _waiting(journal: JournalReader, last: dt.date) -> Iterator[JournalOrder]:
    filled = {fill.ref for fill in journal.fills() if fill.session <= last}
    for order in journal.orders():
        if order.intent.session > last or order.intent.ref in filled:
            continue
        if order.stage in ("cancelled", "rejected", "expired"):
            # Of the session that is acted on again: it ends in the same way again, unless a person asked for it.
            again = (
                order.stage_at is not None and ended_in(order) > last and not order.reason.startswith(HALTED)
            )
            if not again:
                continue
        yield order


def ended_in(order: JournalOrder) -> dt.date:
    """The session in which an order ended, by the journal's time of its latest stage."""
    from live.journal.wire_rows import EXCHANGE

    if order.stage_at is None:
        return order.intent.session
    return order.stage_at.astimezone(EXCHANGE).date()
