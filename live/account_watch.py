"""Compares cash and positions with the gateway's, and takes over what no execution explains.

Dividends, deposits, fees that were never reported, splits and trades by hand reach an account without an order of ours.
The gateway's figures are the truth; but they lag, so they count only once nothing has been traded for a while.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ares7.errors import Ares7Error, ConfigError
from live.client.client import Client
from live.client.messages import AccountValue, PositionRow
from live.holdings import Holdings
from live.order_book import OrderBook
from live.order_state import Change
from live.store_options import StoreOptions

CASH = ("TotalCashValue", "USD")
CENT = 0.00999
"""Smallest difference that is one: the gateway's cash is rounded to cents."""


@dataclass(slots=True)
class _Told:
    """What the gateway said of a figure; ``count`` orders it among executions."""

    count: int
    when: dt.datetime
    row: Any


@dataclass(slots=True)
class AccountWatch:
    """Watches one account.

    Parameters
    ----------
    client : Client
    holdings : Holdings
    book : OrderBook
    options : StoreOptions
    now : callable
    note : callable
        Tells the strategies what was taken over.
    """

    client: Client
    holdings: Holdings
    book: OrderBook
    options: StoreOptions
    now: Callable[[], dt.datetime]
    note: Callable[[str], None]
    _count: int = 0
    _cash: _Told | None = None
    _rows: dict[int, _Told] = field(default_factory=dict)
    _booked: dict[int, _Told] = field(default_factory=dict)
    _last: _Told | None = None
    _searched: set[int] = field(default_factory=set)
    _differs_since: dt.datetime | None = None

    def _told(self, row: Any = None) -> _Told:
        self._count += 1
        return _Told(self._count, self.now(), row)

    def booked(self, con_id: int | None = None) -> None:
        """Note that an execution (of a contract) or a fee was booked now."""
        self._last = self._told()
        if con_id is not None:
            self._booked[con_id] = self._last

    def on_value(self, value: AccountValue) -> None:
        """Take a figure of the account."""
        if (value.tag, value.currency) == CASH:
            self._cash = self._told(float(value.value))

    def on_position(self, row: PositionRow) -> None:
        """Take a position."""
        if row.shares == self.holdings.shares(row.con_id):
            self._rows.pop(row.con_id, None)
            self._searched.discard(row.con_id)
        else:
            self._rows[row.con_id] = self._told(row)

    def on_snapshot(self) -> None:
        """Take the whole account again: everything was read anew."""
        found = self.client.snapshot()
        if CASH in found.values:
            self._cash = self._told(float(found.values[CASH]))
        self._compare(found.positions.values())

    def settle(self, now: dt.datetime) -> list[Change]:
        """Look for executions that explain a difference, and take over what none explains."""
        changes = self._settle_positions(now)
        if not changes:
            self._settle_cash(now)
        return changes

    def _settle_positions(self, now: dt.datetime) -> list[Change]:
        due = [con_id for con_id, told in list(self._rows.items()) if self._differs(con_id, told, now)]
        unsearched = set(due) - self._searched
        if unsearched:
            return self._search(unsearched)
        for con_id in due:
            self._take_over(con_id)
        return []

    def _search(self, con_ids: set[int]) -> list[Change]:
        """Ask for positions and executions again: those of a trade by hand are told only when they are asked for."""
        try:
            rows, found = self.client.positions(), self.client.executions()
        except Ares7Error as error:
            self.note(f"positions and executions could not be asked for: {error}")
            return []
        self._searched |= con_ids
        self._compare(rows)
        return [change for execution in found for change in self.book.on_execution(execution)]

    def _compare(self, rows: Iterable[PositionRow]) -> None:
        told = set()
        for row in rows:
            told.add(row.con_id)
            self.on_position(row)
        for con_id in set(self.holdings.positions) - told:
            self.on_position(PositionRow(self.book.account, con_id, "", "STK", "USD", 0.0, 0.0))

    def _take_over(self, con_id: int) -> None:
        told, booked = self._rows[con_id], self._booked.get(con_id)
        self._searched.discard(con_id)
        if booked is not None and told.count < booked.count:
            # Older than what was booked since: it is asked for again.
            return
        del self._rows[con_id]
        row: PositionRow = told.row
        self.note(
            f"the gateway holds {row.shares:g} shares of {row.symbol or con_id}, we counted "
            f"{self.holdings.shares(con_id):g}, and no execution explains it (a split, a transfer?); the gateway's "
            "figure is taken over"
        )
        self.holdings.adopt_position(con_id, row.shares, row.average_cost)

    def _differs(self, con_id: int, told: _Told, now: dt.datetime) -> bool:
        """Whether a position has differed for long enough to do something about it."""
        if told.row.shares == self.holdings.shares(con_id):
            del self._rows[con_id]
            self._searched.discard(con_id)
            return False
        booked = self._booked.get(con_id)
        since = told.when if booked is None else max(told.when, booked.when)
        return now - since >= self.options.doubt

    def _settle_cash(self, now: dt.datetime) -> None:
        told, last = self._cash, self._last
        if told is None or abs(told.row - self.holdings.cash) < CENT:
            self._differs_since = None
            return
        since = self._differs_since = self._differs_since or now
        if last is not None:
            since = max(since, last.when)
        # A position that differs too is an execution that is still to be found.
        if (
            self._rows
            or (last is not None and told.count < last.count)
            or now - since < self.options.cash_settle
        ):
            return
        unpaid = self.book.unpaid_since()
        if unpaid is not None and now - unpaid < self.options.fee_patience:
            return
        moved = told.row - self.holdings.cash
        self.note(f"cash moved by {moved:.2f} USD without a trade; the gateway's figure is taken over")
        self.holdings.cash, self._differs_since = told.row, None
        self.book.absorb_fees()


def cash_of(values: Mapping[tuple[str, str], str]) -> float:
    """Cash of the account in USD.

    Raises
    ------
    ConfigError
        The account's base currency is another one.
    """
    for key in (CASH, ("CashBalance", "USD"), ("TotalCashBalance", "USD")):
        if key in values:
            return float(values[key])
    shown = sorted(currency for tag, currency in values if tag == "TotalCashValue")
    raise ConfigError(
        f"the account reports its cash in {shown or 'no currency'}; only USD accounts are supported"
    )
