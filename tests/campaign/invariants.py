"""What must hold at the end of every day. Pure: journal rows, gateway book and ledger in, findings out."""

from __future__ import annotations

import collections
import datetime as dt
import math
from dataclasses import dataclass

from live.halt.level import HaltLevel

ONCE = "no order executes twice"
FILLS = "no fill is lost"
BOOKS = "journal = gateway book"
LIMITS = "no position beyond its limit"
HALTS = "halt stops every later order"
SHARES, PRICE, USD = 1e-6, 1e-6, 0.011
ROUNDING = 1e-4
"""Relative: the runner's NAV and the gateway's may differ by a fee that is on its way."""
OURS = "A7-"
FLATTENING = "flatten"


@dataclass(frozen=True)
class Finding:
    """An invariant that did not hold, where, and for what."""

    invariant: str
    about: str
    text: str

    def __str__(self):
        return f"{self.invariant}: {self.about}: {self.text}"


def _by_ref(book):
    orders = collections.defaultdict(list)
    for order in book.orders:
        if order.ref.startswith(OURS):
            orders[order.ref].append(order)
    return orders


def _root(execution):
    root, _, revision = execution.exec_id.rpartition(".")
    return root, int(revision)


def _side(execution):
    return "BUY" if execution.side == "BOT" else "SELL"


def _ours(book, account):
    return [execution for execution in book.executions if execution.account == account]


def once(journal, book, sent, ledger, account):
    """No reference was sent twice, lives twice, or executed more than its quantity; each was journalled first."""
    known = {order.ref: order for order in journal.orders}
    for ref, count in collections.Counter(sent).items():
        if count > 1:
            yield Finding(ONCE, ref, f"was written to the socket {count} times")
        if ref not in known:
            yield Finding(ONCE, ref, "was written to the socket and is in no journal")
    for ref, orders in _by_ref(book).items():
        allowed = 1 + ledger.twins[ref]
        if len({order.perm_id for order in orders}) > allowed:
            yield Finding(ONCE, ref, f"lives at the gateway as {[order.perm_id for order in orders]}")
        limit = allowed * known[ref].quantity if ref in known else 0.0
        executed = math.fsum(e.shares for e in _ours(book, account) if e.ref == ref)
        if executed > limit + SHARES:
            yield Finding(ONCE, ref, f"executed {executed:g} of {limit:g} shares")


def fills(journal, book, sent, ledger, account, *, at_start=False):
    """Every execution of the account is in the journal with the same shares, price and fee, and no other is.

    A start books what is ours; fees and trades by hand come with the first round.
    """
    written = {fill.root: fill for fill in journal.fills}
    told = set()
    for execution in _ours(book, account):
        root, revision = _root(execution)
        told.add(root)
        fill = written.get(root)
        if fill is None:
            by_hand = not execution.ref.startswith(OURS)
            if root not in ledger.untold and not (at_start and by_hand):
                yield Finding(
                    FILLS,
                    execution.ref or root,
                    f"{execution.shares:g} {execution.symbol} at {execution.price:g}: not journalled",
                )
            continue
        theirs = (revision, execution.ref, execution.symbol, _side(execution))
        same = (fill.revision, fill.ref, fill.symbol, fill.side) == theirs
        if (
            not same
            or abs(fill.shares - execution.shares) > SHARES
            or abs(fill.price - execution.price) > PRICE
        ):
            yield Finding(FILLS, execution.ref or root, f"the gateway has {execution}, the journal {fill}")
        fee = journal.fees.get(root)
        if root in ledger.unpaid or at_start:
            continue
        if fee is None or abs(fee - execution.fee) > USD:
            yield Finding(FILLS, execution.ref or root, f"fee {execution.fee:g} is journalled as {fee}")
    for root in written.keys() - told:
        yield Finding(FILLS, written[root].ref or root, "is in the journal and not at the gateway")


def positions(journal, book, sent, ledger, account):
    """Shares of the journal, and what was set aside, are the gateway's."""
    held, missing = book.positions[account], collections.defaultdict(float, ledger.drift)
    for symbol in sorted({*held, *journal.positions, *journal.aside, *missing, *ledger.own}):
        theirs = held.get(symbol, 0.0)
        aside = journal.aside.get(symbol, 0.0) + ledger.own[symbol]
        ours = journal.positions.get(symbol, 0.0) + aside + missing[symbol]
        if abs(theirs - ours) > SHARES:
            yield Finding(
                BOOKS, symbol, f"the gateway holds {theirs:g} shares, the journal accounts for {ours:g}"
            )


def cash(journal, book, sent, ledger, account):
    """Cash is what was there, less what was bought, less fees, plus what was paid in."""
    traded = [(-fill.signed * fill.price, fill.root) for fill in journal.fills]
    fees = dict(journal.fees)
    for execution in _ours(book, account):
        root, _ = _root(execution)
        if root in ledger.untold and root not in {fill.root for fill in journal.fills}:
            sign = -1.0 if _side(execution) == "BUY" else 1.0
            traded.append((sign * execution.shares * execution.price, root))
        if root in ledger.untold or root in ledger.unpaid:
            fees[root] = execution.fee
    paid = math.fsum(fees.get(root, 0.0) for _, root in traded)
    expected = ledger.cash_start + ledger.cash_moved + math.fsum(usd for usd, _ in traded) - paid
    if abs(expected - book.cash[account]) > USD:
        yield Finding(
            BOOKS, "cash", f"the gateway has {book.cash[account]:.2f} USD, the journal makes {expected:.2f}"
        )


def working(journal, book, sent, ledger, account):
    """What the journal believes to be working works, and the other way round; what was just sent may be on its way."""
    # An order that flattens is of the session to come.
    latest = max((o.session for o in journal.orders if o.purpose != FLATTENING), default=dt.date.min)
    live = {order.ref for order in book.working}
    for order in journal.orders:
        if order.ref in live and order.done:
            yield Finding(BOOKS, order.ref, f"works at the gateway and is {order.stage} in the journal")
        if order.session < latest and order.ref not in live and not order.done:
            yield Finding(BOOKS, order.ref, f"is over at the gateway and {order.stage} in the journal")


def limits(journal, book, sent, ledger, account, limit):
    """No purchase brought a name beyond its weight at the prices of its decision, and nothing is short."""
    held = book.positions[account]
    for symbol, shares in held.items():
        if shares < -SHARES and symbol not in ledger.strange:
            yield Finding(LIMITS, symbol, f"is short by {-shares:g} shares")
    latest = {order.symbol: order for order in journal.orders if order.side == "BUY"}
    for symbol, order in latest.items():
        if order.session not in ledger.marks or symbol in ledger.strange:
            continue
        equity, closes = ledger.marks[order.session]
        price = closes[symbol]
        weight = held.get(symbol, 0.0) * price / equity
        if not order.done:
            continue
        if weight > limit["max_weight"] * (1 + ROUNDING) and _was_bought(order, book):
            yield Finding(
                LIMITS, order.ref, f"{symbol} weighs {weight:.4f} of NAV at the prices of its decision"
            )
        if order.quantity * price > limit["max_order_usd"] * (1 + ROUNDING):
            yield Finding(LIMITS, order.ref, f"was for {order.quantity * price:.0f} USD")


def _was_bought(order, book):
    return any(theirs.ref == order.ref and theirs.filled > 0 for theirs in book.orders)


def halts(journal, book, sent, ledger, account):
    """What came to the socket under a halt is what the highest level in force lets pass."""
    known = {order.ref: order for order in journal.orders}
    for number, ref in enumerate(sent):
        force = [h for h in ledger.halts if h.since <= number and (h.until is None or number < h.until)]
        if not force:
            continue
        halt, order = max(force, key=lambda h: HaltLevel[h.level]), known.get(ref)
        reduces = order is not None and (order.side == "SELL" or order.symbol in ledger.shorts)
        closes = order is not None and order.purpose == FLATTENING
        if not {"BLOCK_NEW": reduces, "FLATTEN": closes}.get(halt.level, False):
            yield Finding(HALTS, ref, f"was sent under {halt.level} by {halt.way}")


def every(journal, book, sent, ledger, account, limit):
    """All findings of all invariants."""
    same = journal, book, sent, ledger, account
    return [*without_doubts(*same, limit), *working(*same)]


def without_doubts(journal, book, sent, ledger, account, limit):
    """What holds before orders that nobody has heard of were looked for twice."""
    same = journal, book, sent, ledger, account
    found = [*at_a_start(*same, limit), *fills(*same), *cash(*same)]
    return list(dict.fromkeys(found))


def at_a_start(journal, book, sent, ledger, account, limit):
    """What holds as soon as a runner has compared, before it has read fees and the fate of its orders."""
    same = journal, book, sent, ledger, account
    return [
        *once(*same),
        *fills(*same, at_start=True),
        *positions(*same),
        *limits(*same, limit),
        *halts(*same),
    ]
