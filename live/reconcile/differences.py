"""Finds and names differences between journal and gateway. Pure: nothing is asked, nothing is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from live.client.order_messages import Execution, OpenOrder
from live.reconcile.causes import dividend_reinvested, split_ratio
from live.reconcile.views import (
    Difference,
    GatewayBook,
    Hint,
    JournalBook,
    Kind,
    PositionLike,
    is_explained,
    is_ours,
    is_rival,
)

TINY = 1e-6
"""Shares: below it two positions are equal."""
NEVER = (-1, 0.0)
CENT = 0.00999
"""Smallest holding of money that counts: the gateway rounds to cents."""
BY_HAND = "accept it (run.py reconcile --accept {symbol}) or undo it by hand in TWS"


def latest_revisions(executions: Iterable[Execution]) -> dict[str, Execution]:
    """Return the executions by root, each in its highest revision, in time order."""
    found: dict[str, Execution] = {}
    for execution in executions:
        known = found.get(execution.root)
        if known is None or execution.revision > known.revision:
            found[execution.root] = execution
    return dict(sorted(found.items(), key=lambda item: (item[1].time_utc, item[0])))


def missing_fills(journal: JournalBook, gateway: GatewayBook) -> list[Execution]:
    """Executions of our orders that the journal lacks, or has in an earlier revision, in time order.

    Book them first (the one idempotent handler), read the journal again, then call `differences`.
    """
    return [
        execution
        for root, execution in latest_revisions(gateway.executions).items()
        if is_ours(execution.ref, journal) and journal.booked.get(root, NEVER)[0] < execution.revision
    ]


def rivals(journal: JournalBook, gateway: GatewayBook) -> tuple[str, ...]:
    """References of our form, working or executed, that this journal does not know.

    They come from a second runner on the account, or from a journal that was lost or replaced: one strategy an
    account (rulings 28), so nothing may be traded.
    """
    told = _told_refs(gateway)
    explained = {e.ref for e in gateway.executions if is_explained(e, journal)}
    return tuple(sorted(ref for ref in told - explained if is_rival(ref, journal)))


def _told_refs(gateway: GatewayBook) -> set[str]:
    """References of everything that works, was traded or was done."""
    orders = {order.ref for order in gateway.open_orders} | {order.ref for order in gateway.completed}
    return orders | {execution.ref for execution in gateway.executions}


def absent_orders(working: Iterable[str], gateway: GatewayBook) -> tuple[str, ...]:
    """References that the journal believes to be working and of which the gateway has no trace.

    Their intents were written and their sending is not proved. They are never sent again under the same reference;
    those of an earlier day may have been done on a day that the gateway no longer tells, so only positions answer.

    Parameters
    ----------
    working : iterable of str
    gateway : GatewayBook
        Complete answers.
    """
    return tuple(sorted(set(working) - _told_refs(gateway)))


def differences(
    journal: JournalBook, gateway: GatewayBook, hints: Mapping[int, Hint] | None = None
) -> list[Difference]:
    """Compare, and name what differs.

    Parameters
    ----------
    journal : JournalBook
        After `missing_fills` were booked; one that is still missing is a difference of its own.
    gateway : GatewayBook
        Complete answers; what is missing in it is closed, done or never was.
    hints : mapping of contract id to Hint, optional
        Prices and dividends; without them a split or a reinvestment cannot be told from other changes.

    Returns
    -------
    list of Difference
        Sorted by symbol, contract and kind. For every contract the ``shares`` of its differences add up to the
        gateway's position minus the journal's, holdings that are ignored aside. A foreign order has 0.
    """
    rows = {row.con_id: row for row in gateway.positions if row.kind != "CASH"}
    executed = latest_revisions(gateway.executions)
    missing = {execution.root for execution in missing_fills(journal, gateway)}
    contracts = sorted({*rows, *journal.positions, *(e.con_id for e in executed.values())})
    found: list[Difference] = []
    for con_id in contracts:
        mine = [e for e in executed.values() if e.con_id == con_id]
        found += _of_contract(
            journal, con_id, rows.get(con_id), mine, missing, (hints or {}).get(con_id, Hint())
        )
    orders = [_foreign(order) for order in gateway.open_orders if not is_ours(order.ref, journal)]
    found += [order for order in orders if order.key not in journal.tolerated]
    found += _money(gateway)
    return sorted(found, key=lambda d: (d.symbol, d.con_id, d.kind, d.refs))


def _of_contract(
    journal: JournalBook,
    con_id: int,
    row: PositionLike | None,
    executed: list[Execution],
    missing: set[str],
    hint: Hint,
) -> list[Difference]:
    """Differences of one contract: late fills first, then trades by hand, then what neither explains."""
    ours, theirs = journal.positions.get(con_id, 0.0), 0.0 if row is None else row.shares
    named = [row.symbol] if row is not None else [e.symbol for e in executed]
    symbol = journal.symbols.get(con_id) or (named[0] if named else str(con_id))
    if con_id in journal.ignored and theirs >= ours - TINY:
        # What the operator keeps for himself may change; what is ours must be there.
        return []
    made = _Made(con_id, symbol, ours, theirs)
    late = [e for e in executed if e.root in missing]
    if late:
        # A correction replaces shares that the journal has counted already.
        counted = sum(journal.booked.get(e.root, NEVER)[1] for e in late)
        made.add(Kind.MISSING_FILL, _signed(late) - counted, _of_fills(late, symbol), late)
    by_hand = [e for e in executed if not is_ours(e.ref, journal) and not is_explained(e, journal)]
    known = con_id in journal.symbols or con_id in journal.positions
    rest = theirs - ours - made.explained - _signed(by_hand)
    if by_hand and (known or abs(rest) <= TINY):
        made.add(Kind.MANUAL_TRADE, _signed(by_hand), _of_hand(by_hand, symbol, journal), by_hand)
    rest = theirs - ours - made.explained
    if abs(rest) > TINY and not _rounded(ours + made.explained, theirs):
        kind, text = _cause(ours + made.explained, theirs, symbol, hint, known=known)
        made.add(kind, rest, text, [] if known else by_hand)
    if row is not None and row.currency != "USD" and abs(theirs) > TINY:
        text = f"{theirs:g} of {symbol} are priced in {row.currency}; only USD is supported: "
        made.add(
            Kind.CURRENCY, 0.0, text + "keep it for yourself (run.py adopt --ignore) or close it by hand", []
        )
    return made.found


class _Made:
    """Differences of one contract, and how much of the change they explain."""

    def __init__(self, con_id: int, symbol: str, ours: float, theirs: float) -> None:
        self.found: list[Difference] = []
        self.explained = 0.0
        self._base = con_id, symbol, ours, theirs

    def add(self, kind: Kind, shares: float, text: str, executed: list[Execution]) -> None:
        con_id, symbol, ours, theirs = self._base
        roots = tuple(e.root for e in executed)
        refs = tuple(sorted({e.ref for e in executed if e.ref}))
        self.found.append(Difference(kind, symbol, con_id, ours, theirs, shares, text, roots, refs))
        self.explained += shares


def _signed(executed: Iterable[Execution]) -> float:
    return sum(e.shares if e.side == "BUY" else -e.shares for e in executed)


def _told(executed: list[Execution]) -> str:
    return ", ".join(f"{e.side} {e.shares:g} at {e.price:g} ({e.time_utc:%H:%M:%S} UTC)" for e in executed)


def _of_fills(executed: list[Execution], symbol: str) -> str:
    return f"executions of our orders in {symbol} are not booked: {_told(executed)}; reconcile books them"


def _of_hand(executed: list[Execution], symbol: str, journal: JournalBook) -> str:
    text = f"{symbol} was traded without an order of ours: {_told(executed)}; "
    if any(is_rival(e.ref, journal) for e in executed):
        text += "the reference is of another runner or of a lost journal; stop the other one, or "
    return text + BY_HAND.format(symbol=symbol)


def _rounded(ours: float, theirs: float) -> bool:
    """Older TWS versions tell whole shares of a position that has a fraction."""
    whole = theirs == round(theirs)
    return whole and ours != round(ours) and abs(theirs - ours) < 1 and ours * theirs >= 0


def _cause(ours: float, theirs: float, symbol: str, hint: Hint, *, known: bool) -> tuple[Kind, str]:
    """Kind and explanation of a change that no execution of today explains."""
    ratio = split_ratio(ours, theirs, hint)
    if ratio is not None:
        new, old = ratio
        return Kind.SPLIT, (
            f"{ours:g} shares of {symbol} became {theirs:g}, and the price went from {hint.price_before:g} to "
            f"{hint.price_now:g}: a {new}-for-{old} split; {BY_HAND.format(symbol=symbol)}"
        )
    if dividend_reinvested(ours, theirs, hint):
        return Kind.DIVIDEND_REINVESTMENT, (
            f"{theirs - ours:g} shares more of {symbol} without an execution: a dividend was reinvested; accept it "
            f"(run.py reconcile --accept {symbol}), and switch reinvestment off in the account"
        )
    if not known:
        return Kind.UNKNOWN_POSITION, (
            f"{theirs:g} shares of {symbol} that this journal has never held; run.py adopt {symbol} to let the "
            "strategy trade them, run.py adopt --ignore to keep them for yourself"
        )
    return Kind.UNEXPLAINED, (
        f"the journal has {ours:g} shares of {symbol}, the gateway {theirs:g}, and no execution of today, split or "
        f"reinvestment explains it (a transfer, or a trade of an earlier day?); {BY_HAND.format(symbol=symbol)}"
    )


def _foreign(order: OpenOrder) -> Difference:
    shares = order.quantity if order.side == "BUY" else -order.quantity
    text = (
        f"{order.side} {order.quantity:g} {order.symbol} ({order.order_type}, {order.tif}) is working and is not "
        "ours; cancel it in TWS, or wait until it is done and accept what it did"
    )
    return Difference(
        Kind.FOREIGN_ORDER,
        order.symbol,
        order.con_id,
        0.0,
        shares,
        0.0,
        text,
        (),
        (order.ref or f"perm {order.perm_id}",),
    )


def _money(gateway: GatewayBook) -> list[Difference]:
    return [
        Difference(
            Kind.CURRENCY,
            code,
            0,
            0.0,
            amount,
            0.0,
            f"the account holds {amount:.2f} {code}; it takes no part in the book: convert it by hand",
        )
        for code, amount in gateway.cash.items()
        if code not in ("USD", "BASE", "") and abs(amount) > CENT
    ]
