"""What a book held and did, session by session: of a journal and of a backtest, for `live.drift`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ares7.arrays import Dates, Float1D, Float2D
from ares7.errors import DataError, MissingData
from ares7.runs import Run
from ares7.tearsheet_data import read_columns, read_equity
from live.drift import SHARES_TINY, BookHistory
from live.flows import flow_series
from live.journal.reader import JournalReader
from live.journal.rows import FLOW_KINDS, IGNORE, Fill, JournalOrder
from live.journal.wire_rows import EXCHANGE

SENDABLE = ("order", "limited")
"""Outcomes of decisions that want an order."""
FORBIDDEN = (
    "refused right before it would have been sent (halt, frozen name or limit); the runner's lines say why"
)


def of_journal(journal: JournalReader, dates: Dates, symbols: Sequence[str], close: Float2D) -> BookHistory:
    """Return the book of a journal over sessions whose closing value it has.

    A fee that is not known yet counts as nothing, and shows as ``unexplained`` where the NAV has it.

    Parameters
    ----------
    journal : JournalReader
    dates : (T,) datetime64[D]
        Consecutive sessions.
    symbols : sequence of N str
        Everything that was held or traded in them.
    close : (T, N) USD a share
        Traded closes.

    Raises
    ------
    MissingData
        A session has no closing value.
    DataError
        Something else than ``symbols`` was held or traded.
    """
    days = [day.item() for day in dates]
    made = _Making(dates, tuple(symbols))
    refs = journal.refs()
    fees = {root: fee.amount for root, fee in journal.fees().items() if fee.currency == "USD"}
    by_ref: dict[str, list[Fill]] = {}
    for fill in journal.fills():
        if fill.ref in refs:
            by_ref.setdefault(fill.ref, []).append(fill)
            made.trade(fill.session, fill.symbol, fill.signed_shares, fill.price, fees.get(fill.root, 0.0))
    for row in journal.adjustments():
        if row.kind != IGNORE and row.at is not None and row.shares:
            made.give(row.at.astimezone(EXCHANGE).date(), row.symbol, row.shares)
    orders = journal.orders()
    for order in orders:
        _note_unfilled(made, order, by_ref.get(order.intent.ref, ()))
    for never in unsent(journal, orders):
        # It would have traded in the session after.
        made.lack(never.session + dt.timedelta(days=1), never.symbol, never.shares)
    value = {nav.session: nav.nav_usd for nav in journal.navs("close")}
    missing = [day for day in days if day not in value]
    if missing:
        raise MissingData(
            f"{journal} has no closing value of {missing[0]}; compare sessions that were traded to their end"
        )
    flows = [flow for flow in journal.flows() if days and days[0] < flow.session <= days[-1]]
    moved = flow_series(flows, days, frozenset(FLOW_KINDS))
    return made.history(close, moved, np.array([value[day] for day in days]))


def _note_unfilled(made: _Making, order: JournalOrder, fills: Sequence[Fill]) -> None:
    """Note what is missing of an order when it could first fill, after each of its fills, and at its end."""
    intent = order.intent
    if order.stage == "shown":
        return
    days = {intent.session + dt.timedelta(days=1), *(fill.session for fill in fills)}
    if order.is_done and order.stage_at is not None:
        days.add(order.stage_at.astimezone(EXCHANGE).date())
    # By the row of the comparison: several days may be one.
    for day in {made.row_of(day): day for day in sorted(days)}.values():
        left = intent.quantity - sum(fill.shares for fill in fills if fill.session <= day)
        if left > SHARES_TINY:
            made.lack(day, intent.symbol, intent.sign * left)


@dataclass(frozen=True, slots=True)
class Unsent:
    """What was decided and never became an order.

    Attributes
    ----------
    session : date
        Of the decision.
    symbol : str
    shares : float
        Signed.
    reason : str
    """

    session: dt.date
    symbol: str
    shares: float
    reason: str


def unsent(journal: JournalReader, orders: Sequence[JournalOrder] | None = None) -> list[Unsent]:
    """Return what the limits kept back, and what something forbade right before it would have been sent.

    Parameters
    ----------
    journal : JournalReader
        Of a mode that sends; a shadow run has none.
    orders : sequence of JournalOrder, optional
        All of the journal, if they were read already.
    """
    if journal.mode == "shadow":
        return []
    ordered = {
        (order.intent.rebalance_id, order.intent.con_id)
        for order in (journal.orders() if orders is None else orders)
    }
    session = {rebalance.rebalance_id: rebalance.session for rebalance in journal.rebalances()}
    return [
        Unsent(
            session[d.rebalance_id],
            d.symbol,
            d.target_shares - d.held_shares - d.working_shares,
            d.reason or FORBIDDEN,
        )
        for d in journal.decisions()
        if d.outcome in SENDABLE and (d.rebalance_id, d.con_id) not in ordered
    ]


def of_run(
    run: Run, dates: Dates, symbols: Sequence[str], close: Float2D, flows: Float1D | None = None
) -> BookHistory:
    """Return the book of a backtest over some of its sessions.

    Parameters
    ----------
    run : Run
    dates : (T,) datetime64[D]
        Sessions of the run.
    symbols : sequence of N str
        Everything that it held or traded in them.
    close : (T, N) USD a share
        Total-return closes, in which it trades. They equal traded closes after the last dividend only: compare recent
        sessions on data that was downloaded after them, or the price difference appears as ``prices`` and
        ``rounding``.
    flows : (T,) USD, optional
        What was paid in at the start of each session; a backtest has none.

    Raises
    ------
    MissingData
        A date is no session of the run.
    DataError
        A file is missing or damaged, or something else than ``symbols`` was traded.
    """
    known, curves = read_equity(run.folder, required=("nav",))
    rows = np.searchsorted(known, dates)
    if len(dates) and (rows.max() >= len(known) or not np.array_equal(known[rows], dates)):
        raise MissingData(f"run {run.folder.name} has not all of the sessions {dates[0]} to {dates[-1]}")
    made = _Making(dates, tuple(symbols))
    t = read_columns(run.folder / "trades.csv", ("date", "symbol", "side", "quantity", "price", "fee"))
    for day, symbol, side, quantity, price, fee in zip(
        t["date"], t["symbol"], t["side"], t["quantity"], t["price"], t["fee"], strict=True
    ):
        signed = float(quantity) if side == "BUY" else -float(quantity)
        made.trade(dt.date.fromisoformat(day), symbol, signed, float(price), float(fee))
    moved = np.zeros(len(dates)) if flows is None else flows
    return made.history(close, moved, curves["nav"][rows])


class _Making:
    """Collects trades and gifts of shares into arrays; what lies before the first session is held at its close."""

    def __init__(self, dates: Dates, symbols: tuple[str, ...]) -> None:
        shape = (len(dates), len(symbols))
        self._dates, self._symbols = dates, symbols
        self._column = {symbol: i for i, symbol in enumerate(symbols)}
        self._traded, self._paid, self._given, self._lacking = (np.zeros(shape) for _ in range(4))
        self._fees = np.zeros(len(dates))
        self._others: dict[str, float] = {}

    def row_of(self, day: dt.date) -> int:
        """Session in which a day counts; the number of sessions after the last one."""
        return int(np.searchsorted(self._dates, np.datetime64(day, "D")))

    def _place(self, day: dt.date, symbol: str, shares: float) -> tuple[int, int] | None:
        """Row and column; None after the last session, and for other names before the comparison begins."""
        row = self.row_of(day)
        if row == len(self._dates):
            return None
        if symbol in self._column:
            return row, self._column[symbol]
        if row > 0:
            raise DataError(f"{symbol} was traded on {day} and is not among the compared names; add it")
        self._others[symbol] = self._others.get(symbol, 0.0) + shares
        return None

    def trade(self, day: dt.date, symbol: str, shares: float, price: float, fee: float) -> None:
        at = self._place(day, symbol, shares)
        if at is not None:
            self._traded[at] += shares
            self._paid[at] += shares * price
            self._fees[at[0]] += fee

    def give(self, day: dt.date, symbol: str, shares: float) -> None:
        at = self._place(day, symbol, shares)
        if at is not None:
            self._given[at] += shares

    def lack(self, day: dt.date, symbol: str, shares: float) -> None:
        at = self._place(day, symbol, 0.0)
        if at is not None and day >= self._dates[0].item():
            self._lacking[at] += shares

    def history(self, close: Float2D, flows: Float1D, nav: Float1D) -> BookHistory:
        held = [symbol for symbol, shares in self._others.items() if abs(shares) > SHARES_TINY]
        if held:
            raise DataError(
                f"{held[0]} is held since before {self._dates[0]} and is not among the compared names"
            )
        shares: Float2D = np.cumsum(self._traded + self._given, axis=0)
        # Sums of fractions of shares: 0.1 + 0.2 - 0.3 shares are none.
        shares[np.abs(shares) < SHARES_TINY] = 0.0
        # The first session is where the comparison begins; what was traded up to it is in its shares.
        self._traded[0], self._paid[0], self._fees[0] = 0.0, 0.0, 0.0
        return BookHistory(
            self._dates,
            self._symbols,
            shares,
            close,
            self._traded,
            self._paid,
            self._lacking,
            self._fees,
            flows,
            nav,
        )


def traded_names(journal: JournalReader) -> list[str]:
    """Every name that the journal ever held or traded, sorted."""
    refs = journal.refs()
    names = {fill.symbol for fill in journal.fills() if fill.ref in refs}
    return sorted(names | {row.symbol for row in journal.adjustments() if row.kind != IGNORE})


def known_closes(
    symbols: Iterable[str], dates: Dates, ask: Callable[[str], tuple[Dates, Float1D]]
) -> Float2D:
    """(T, N) closes of names from one series each; between two bars the last known one, NaN before the first.

    Parameters
    ----------
    symbols : iterable of N str
    dates : (T,) datetime64[D]
    ask : callable
        Gives dates and closes of a name.
    """
    columns = []
    for symbol in symbols:
        days, values = ask(symbol)
        at = np.searchsorted(days, dates, side="right") - 1
        columns.append(np.where(at >= 0, values[np.maximum(at, 0)] if len(values) else np.nan, np.nan))
    return np.column_stack(columns) if columns else np.zeros((len(dates), 0))
