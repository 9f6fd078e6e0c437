"""What the page shows, read by one thread: the latest look, and since when there is no newer one."""

from __future__ import annotations

import datetime as dt
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ares7.errors import Ares7Error
from live.alerts.outbox import FILE
from live.alerts.record import AlertRecord
from live.machine import utc_now
from live.monitor.series import Series, series_of, series_of_run
from live.monitor.snapshot import Snapshot, snapshot_of, snapshot_of_run
from live.monitor.surroundings import surroundings_of

if TYPE_CHECKING:
    from ares7.arrays import Float1D
    from ares7.config import Config
    from ares7.runs import Run
    from live.journal.reader import JournalReader

LISTED = 40
"""Rows of a table of orders, fills, trades and alerts."""
INTERVAL_S = 2.0


@dataclass(frozen=True, slots=True)
class AlertLine:
    """An alert: when it began, severity, code, message, and by whom it was acknowledged; empty for nobody."""

    at: dt.datetime | None
    severity: str
    code: str
    message: str
    acked: str = ""
    over: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """One look.

    Attributes
    ----------
    snapshot : Snapshot or None
        None before the first look that succeeded.
    series : Series or None
    baseline : (T,) USD or None
        Of a run.
    baseline_name : str
    orders, fills : tuple of rows of a table
        Latest first.
    alerts : tuple of AlertLine
        Latest first.
    problem : str
        Why there is no newer look; empty if this one is the newest.
    version : int
        Another one when the curves are others.
    """

    snapshot: Snapshot | None = None
    series: Series | None = None
    baseline: Float1D | None = None
    baseline_name: str = ""
    orders: tuple[tuple[str, ...], ...] = ()
    fills: tuple[tuple[str, ...], ...] = ()
    alerts: tuple[AlertLine, ...] = ()
    problem: str = ""
    version: int = 0


class Looker:
    """Looks again and again in a thread of its own; requests get the latest view and wait for nothing."""

    def __init__(self, look: Callable[[View], View], *, once: bool = False) -> None:
        self.latest = View()
        self._look, self._once = look, once
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._repeat, name="dashboard-look", daemon=True)
        self.step()

    def step(self) -> None:
        """Look once; a look that fails keeps what was seen before."""
        try:
            self.latest = replace(self._look(self.latest), problem="")
        except Ares7Error as error:
            self.latest = replace(self.latest, problem=str(error))
        except (ArithmeticError, LookupError, TypeError, ValueError, OSError) as error:
            self.latest = replace(self.latest, problem=f"the figures cannot be made: {error}")

    def start(self) -> None:
        """Begin."""
        if not self._once:
            self._thread.start()

    def close(self) -> None:
        """End."""
        self._stop.set()

    def _repeat(self) -> None:
        while not self._stop.wait(INTERVAL_S):
            self.step()


def look_at_run(run: Run) -> Looker:
    """Return the end of a run folder; it does not change."""
    from ares7.tearsheet_data import read_columns, read_report_data

    snapshot, series, data = snapshot_of_run(run, utc_now()), series_of_run(run), read_report_data(run)
    names = ("date", "symbol", "side", "quantity", "price", "fee")
    columns = read_columns(run.folder / "trades.csv", names)
    traded = list(zip(*(columns[name] for name in names), strict=True))[-LISTED:][::-1]
    view = View(
        snapshot,
        series,
        data.baseline_nav,
        data.names[1],
        fills=tuple(traded),
        version=1,
    )
    return Looker(lambda _: view, once=True)


def look_at_journal(config: Config, url: str, mode: str) -> Looker:
    """Return the looks at a journal."""
    from live.monitor.place import JournalPlace

    place = JournalPlace(url, mode)

    def look(before: View) -> View:
        # A connection of SQLite belongs to the thread that made it: every look has its own.
        try:
            return _of_journal(config, place.opened(), mode, before)
        finally:
            place.close()

    return Looker(look)


def _of_journal(config: Config, journal: JournalReader, mode: str, before: View) -> View:
    now = utc_now()
    series, version = before.series, before.version
    known = before.snapshot
    fills = before.fills
    if series is None or known is None or journal.last_written() != known.freshness.journal_at:
        series, fills, version = series_of(journal), _fills(journal), version + 1
    around = surroundings_of(config, now, journal, mode)
    return View(
        snapshot_of(journal, now, around, series=series, calendar=config.data.calendar),
        series,
        orders=_orders(journal),
        fills=fills,
        alerts=_alerts(journal, config.halt.folder / FILE),
        version=version,
    )


def _orders(journal: JournalReader) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (
            str(order.intent.session),
            order.intent.symbol,
            order.intent.side,
            f"{order.intent.quantity:g}",
            f"{order.filled:g}",
            order.stage,
        )
        for order in journal.orders_of_now()[-LISTED:][::-1]
    )


def _fills(journal: JournalReader) -> tuple[tuple[str, ...], ...]:
    fees = journal.fees()
    found = journal.fills()[-LISTED:][::-1]
    return tuple(
        (
            str(fill.session),
            fill.symbol,
            fill.side,
            f"{fill.shares:g}",
            f"{fill.price:g}",
            f"{fees[fill.root].amount:g}" if fill.root in fees else "",
        )
        for fill in found
    )


def _alerts(journal: JournalReader, outbox: Path) -> tuple[AlertLine, ...]:
    """Alerts of the monitor, and those of the journal that it has not taken yet."""
    lines, taken = _told(outbox, journal.mode) if outbox.exists() else ([], set())
    acked = journal.acknowledged()
    lines += [
        AlertLine(a.at, a.severity, a.code, a.message, acked.get(a.id or 0, ("", ""))[0])
        for a in journal.alerts()
        if a.id not in taken
    ]
    never = dt.datetime.min.replace(tzinfo=dt.UTC)
    return tuple(sorted(lines, key=lambda line: line.at or never, reverse=True)[:LISTED])


def _told(outbox: Path, mode: str) -> tuple[list[AlertLine], set[int]]:
    try:
        base = sqlite3.connect(f"{outbox.resolve().as_uri()}?mode=ro", uri=True, timeout=1.0)
        try:
            base.row_factory = sqlite3.Row
            rows = base.execute("SELECT * FROM alerts WHERE mode IN (?, '') ORDER BY id", (mode,)).fetchall()
            ids = base.execute(
                "SELECT journal_id FROM events WHERE mode = ? AND journal_id IS NOT NULL", (mode,)
            ).fetchall()
        finally:
            base.close()
    except sqlite3.Error:
        # The journal's own alerts are shown then.
        return [], set()
    found = [AlertRecord.of(row) for row in rows]
    lines = [
        AlertLine(
            a.opened_at,
            a.severity,
            a.code,
            a.message,
            (a.acked_by or "yes") if a.acked_at else "",
            a.ended_at is not None,
        )
        for a in found
    ]
    return lines, {row["journal_id"] for row in ids}
