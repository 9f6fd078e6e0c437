"""The failure table: each row, and what is done to the double so that a runner meets it.

A fault is made at one time of the day and lifted at another one, or at the latest on the next evening, when every
setting of the double is put back. ``make`` and ``lift`` are called with a `tests.campaign.trouble.Trouble`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

EVENING, NIGHT, PREOPEN, OPEN, NOON, CLOSE, BATCH = [
    "evening",
    "night",
    "preopen",
    "open",
    "noon",
    "close",
    "batch",
]
"""After the decision; past midnight; before the open; after it; at noon; after the close; between two orders."""
PHASES = (EVENING, NIGHT, PREOPEN, OPEN, NOON, CLOSE)
FALSE_CANCELS = (103, 104, 105, 161, 200, 201, 203, 321, 10147, 10148, 10197, 10311, 10329, 10349)
HARMLESS = (110, 399, 404, 434, 2109, 10167)
FARMS = (2103, 2104, 2105, 2106, 2107, 2108, 2119, 2157, 2158)
NO_DATA = (354, 10089, 10090, 10091, 10168, 10197)


@dataclass(frozen=True)
class Fault:
    """One way to make a row of the table happen.

    Attributes
    ----------
    name : str
    phase : str
        When it is made.
    make : callable
    until : str
        When it is lifted, if ``lift`` is given.
    lift : callable or None
    weight : float
        How often it is drawn beside the others.
    """

    name: str
    phase: str
    make: Callable
    until: str = ""
    lift: Callable | None = None
    weight: float = 1.0


@dataclass(frozen=True)
class Row:
    """A row of the failure table; ``why_not`` says why it cannot concern a runner on daily bars, or needs no deed."""

    failure: str
    faults: tuple[Fault, ...] = ()
    why_not: str = ""


def setting(name, phase, until, **knobs):
    """A fault that is a setting of the double."""
    return Fault(name, phase, lambda t: t.control.set(**knobs), until, lambda t: t.calm())


def lost(t):
    """Connectivity is lost, by one notice or many."""
    for _ in range(t.rng.choice((1, 30))):
        t.cut()


def back(t):
    """Connectivity is restored."""
    t.back()


def on_message(name, phase, **fault):
    """A fault on some message of the day; which one is drawn."""
    return Fault(name, phase, lambda t: t.control.arm(nth=t.rng.randint(1, 4), **fault))


def _notices(t, codes):
    for _ in range(t.rng.randint(1, 4)):
        t.control.notice(t.rng.choice(codes))


def _muted_fills(t):
    t.cut()
    t.control.set(mute_orders=True)


def _unmuted(t):
    t.control.set(mute_orders=False)
    t.back(t.rng.choice((1101, 1102)))


def _too_fast(t):
    t.control.notice(100, "Max rate of messages per second has been exceeded:max=50 rec=51 (1)")
    t.control.drop(reset=True)


def _ids_again(t):
    t.control.roll_back_ids(t.client, t.rng.randint(1, 6))
    t.control.drop()


def _error_on_live(codes):
    def make(t):
        order = t.a_live_order()
        if order is not None:
            t.control.error_on(order.ref, t.rng.choice(codes))

    return make


def _suspended(t):
    order = t.a_live_order()
    if order is not None:
        t.control.suspend(order.ref)
        t.suspended = order.ref


def _revived(t):
    if t.suspended:
        t.control.revive(t.suspended)


def _restart(t):
    t.control.notice(1100)
    t.control.restart(t.rng.choice((0.0, 0.05, 0.2)), rollback=t.rng.randrange(6))
    t.figures.resets += 1


def _cancel_crossed(t):
    """The orders are cancelled by a halt, and one of them fills while its cancellation is on its way."""
    t.control.set(cancel_delay=120.0)
    t.halt("CANCEL_WORKING")
    order = t.a_live_order()
    t.settle()
    if order is not None:
        t.control.fill(order.ref, t.price(order.symbol), max(1.0, order.quantity // 2))


def _filled_after_cancel(t):
    t.halt("CANCEL_WORKING")
    t.settle()
    order = t.a_cancelled_order()
    if order is not None:
        t.control.fill_after_cancel(order.ref, t.price(order.symbol))


def _cancel_answered_by(code):
    def make(t):
        t.control.arm(on="cancelOrder", do="error", code=code, nth=1, times=0)
        t.halt("CANCEL_WORKING")

    return make


TABLE = (
    Row(
        "the gateway restarts every day, IB's servers reset every night",
        (
            Fault("restart at night", NIGHT, _restart, weight=2),
            Fault("restart in the evening", EVENING, _restart),
            Fault("restart at noon", NOON, _restart),
            Fault("restart between two orders", BATCH, _restart),
            Fault("connection dropped between two orders", BATCH, lambda t: t.control.drop()),
            Fault("the connection is half open", NOON, lambda t: t.control.half_open(t.client)),
        ),
    ),
    Row(
        "1100: connectivity is lost, the socket stays",
        (
            Fault(
                "1100 in the evening",
                EVENING,
                lost,
                NIGHT,
                back,
            ),
            Fault(
                "1100 between two orders",
                BATCH,
                lost,
                EVENING,
                back,
            ),
            Fault(
                "1100 while bars are asked for",
                CLOSE,
                lost,
                BATCH,
                back,
            ),
        ),
    ),
    Row(
        "1101 and 1102: connectivity is back, data lost or kept",
        (
            Fault("storm, then 1101", OPEN, lambda t: t.control.storm(1100, 100, 1101)),
            Fault("storm, then 1102", NOON, lambda t: t.control.storm(1100, 100, 1102)),
        ),
    ),
    Row(
        "2103 to 2158, 2110: data farms and the server come and go",
        (
            Fault("farm notices", NOON, lambda t: _notices(t, FARMS)),
            Fault(
                "2110, then the farms are back",
                EVENING,
                lambda t: t.cut(2110),
                NIGHT,
                lambda t: _notices(t, (2104, 2106, 2158)),
            ),
        ),
    ),
    Row(
        "fills during a 1100 are never told",
        (
            Fault("fills are muted until 1102", PREOPEN, _muted_fills, NOON, _unmuted, 2),
            on_message("an execution is lost", PREOPEN, on="execDetails", do="swallow", times=2),
            on_message("executions come twice", PREOPEN, on="execDetails", do="duplicate", times=0),
            on_message("executions come late", PREOPEN, on="execDetails", do="delay", seconds=90.0, times=3),
            on_message("executions change places", PREOPEN, on="execDetails", do="reorder", times=3),
        ),
    ),
    Row(
        "an order is dropped in silence",
        (
            on_message("an order is swallowed", CLOSE, on="placeOrder", do="swallow"),
            on_message("orders are swallowed", CLOSE, on="placeOrder", do="swallow", times=2),
            on_message("an order arrives late", CLOSE, on="placeOrder", do="delay", seconds=40.0),
            on_message("an order arrives twice", CLOSE, on="placeOrder", do="duplicate"),
            on_message("orders change places", CLOSE, on="placeOrder", do="reorder"),
            on_message("the connection dies with an order", CLOSE, on="placeOrder", do="reset"),
            on_message("a status is lost", CLOSE, on="orderStatus", do="swallow", times=3),
            on_message("an open order is lost", CLOSE, on="openOrder", do="swallow", times=2),
        ),
    ),
    Row(
        "nextValidId falls: used order ids are given out again",
        (
            Fault("ids again in the evening", EVENING, _ids_again),
            Fault("ids again at noon", NOON, _ids_again),
        ),
    ),
    Row(
        "103: duplicate order id",
        (on_message("103", CLOSE, on="placeOrder", do="error", code=103, text="Duplicate order id"),),
    ),
    Row("one order becomes two", (Fault("a second incarnation", EVENING, lambda t: t.twin()),)),
    Row(
        "an error on an order that lives on: a false Cancelled",
        (
            Fault("false cancel", EVENING, _error_on_live(FALSE_CANCELS), weight=2),
            Fault("false cancel before the open", PREOPEN, _error_on_live(FALSE_CANCELS)),
            on_message(
                "error, and the order is there", CLOSE, on="placeOrder", do="error", code=201, also=True
            ),
        ),
    ),
    Row(
        "a fill crosses a cancellation",
        (
            Fault("filled while PendingCancel", EVENING, _cancel_crossed),
            Fault("filled after Cancelled", EVENING, _filled_after_cancel),
        ),
    ),
    Row(
        "10147, 10148 and 161: the answer to a cancellation is an error",
        tuple(Fault(f"{code} on cancel", EVENING, _cancel_answered_by(code)) for code in (10147, 10148, 161)),
    ),
    Row("partial fills", (setting("three parts", PREOPEN, NOON, partial_slices=3, slice_seconds=20.0),)),
    Row(
        "fees are late, missing, or earlier than their execution",
        (
            setting("late fees", PREOPEN, NOON, commission="late", commission_delay=600.0),
            setting("early fees", PREOPEN, NOON, commission="before"),
            setting("no fees", PREOPEN, NOON, commission="never"),
            on_message("a fee is lost", PREOPEN, on="commissionReport", do="swallow"),
        ),
    ),
    Row("the realised profit is unset on openings", why_not="the double does it on every purchase"),
    Row("an execution is corrected", (Fault("a correction", NOON, lambda t: t.correct(), weight=2),)),
    Row("no status for orders that fill at once", (setting("no status", PREOPEN, NOON, skip_status=True),)),
    Row(
        "positions drift: trades by hand, splits, transfers",
        (
            Fault("a trade by hand", NOON, lambda t: t.by_hand(), weight=2),
            Fault("a transfer", NOON, lambda t: t.transfer()),
            Fault("a split", EVENING, lambda t: t.split()),
            Fault("money comes or goes", NOON, lambda t: t.pay()),
        ),
    ),
    Row(
        "201 rejected, 202 cancelled, Inactive",
        (
            on_message("201 without an order", CLOSE, on="placeOrder", do="error", code=201),
            Fault("Inactive, then alive again", EVENING, _suspended, PREOPEN, _revived),
            Fault("Inactive for good", EVENING, _suspended),
            Fault("cancelled by the exchange", EVENING, lambda t: t.cancelled_by_exchange()),
        ),
    ),
    Row(
        "200 and 203: no such security, not allowed",
        (
            on_message("200 on an order", CLOSE, on="placeOrder", do="error", code=200),
            on_message("203 on an order", CLOSE, on="placeOrder", do="error", code=203),
            Fault(
                "200 at a start", NIGHT, lambda t: t.start_with(on="reqContractDetails", do="error", code=200)
            ),
        ),
    ),
    Row("321: the API is read-only", (setting("read-only", CLOSE, NIGHT, read_only=True),)),
    Row(
        "354, 10089, 10168, 10197: no market data, or another session has it",
        tuple(
            on_message(f"{code} on bars", CLOSE, on="reqHistoricalData", do="error", code=code, times=3)
            for code in NO_DATA
        ),
    ),
    Row(
        "162, 366, 420: history is refused",
        (
            on_message(
                "162, no data",
                CLOSE,
                on="reqHistoricalData",
                do="error",
                code=162,
                text="HMDS query returned no data",
            ),
            on_message(
                "162, pacing",
                CLOSE,
                on="reqHistoricalData",
                do="error",
                code=162,
                text="Historical data request pacing violation",
            ),
            on_message("366 on bars", CLOSE, on="reqHistoricalData", do="error", code=366),
            on_message("420 on bars", CLOSE, on="reqHistoricalData", do="error", code=420),
        ),
    ),
    Row(
        "100: too many messages, then a disconnect",
        (Fault("100", NOON, _too_fast), Fault("100 between two orders", BATCH, _too_fast)),
    ),
    Row(
        "auctions have a cut-off, and what misses it is refused",
        (
            setting("the auction is over", CLOSE, EVENING, opg_cutoff=1e6),
            Fault("a start after the cut-off", CLOSE, lambda t: t.die_at_decision(PREOPEN)),
            Fault("a start while the exchange is open", CLOSE, lambda t: t.die_at_decision(OPEN)),
        ),
    ),
    Row("half days and holidays", why_not="the calendar has them: the figures count how many were met"),
    Row(
        "399, 404, 110, 434: an order is commented on",
        (Fault("a comment", EVENING, _error_on_live(HARMLESS)),),
    ),
    Row(
        "10349 and dialogs: an order is held in silence",
        (
            Fault(
                "held until the morning",
                CLOSE,
                lambda t: t.control.set(hold_orders=True),
                PREOPEN,
                lambda t: t.release(),
            ),
            Fault("10349", EVENING, _error_on_live((10349,))),
        ),
    ),
    Row(
        "the adaptive algorithm",
        why_not="a runner on daily bars sends market orders alone, and names no algorithm",
    ),
    Row("fractions of a share", (Fault("a reinvested dividend", NOON, lambda t: t.fraction()),)),
    Row(
        "several accounts in one login",
        (Fault("trades in the other account", NOON, lambda t: t.other_account()),),
    ),
    Row("another currency", (Fault("a listing in EUR", NIGHT, lambda t: t.listed_in_euro()),)),
    Row(
        "executions are told for today only",
        (Fault("no runner for more than a day", EVENING, lambda t: t.die_for_long()),),
    ),
    Row("clocks differ", why_not="beside a double whose days last moments the runner takes the time from it"),
)


def drawable():
    """(row, fault) of everything that can be drawn."""
    return [(row.failure, fault) for row in TABLE for fault in row.faults]
