"""The journal's side of a comparison: rows to what is compared, and decisions of the operator to rows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Protocol

from live.client.order_messages import Execution
from live.journal.reader import JournalReader
from live.journal.rows import ADOPT, IGNORE, SHARE_DIGITS, Adjustment, DifferenceRow, Fill, Reconciliation
from live.journal.wire_rows import fill_of
from live.reconcile.ownership import Acceptance
from live.reconcile.views import Difference, GatewayBook, JournalBook, Kind


class Writes(Protocol):
    """What a reconciliation writes (`live.journal.writer.Journal`)."""

    def fill(self, fill: Fill) -> bool:
        """Book an execution once."""

    def reconciled(self, reconciliation: Reconciliation) -> int:
        """Write a comparison."""


class JournalAdapter:
    """A journal as `live.reconcile.rounds.Reconciler` asks it.

    Parameters
    ----------
    journal : JournalReader
    writes : Writes, optional
        The same journal, if this process is its writer. Without it missing fills stay differences and comparisons
        are not written: for a command beside a running runner.
    """

    def __init__(self, journal: JournalReader, writes: Writes | None = None) -> None:
        self._journal, self._writes = journal, writes
        refs = journal.refs()
        self._symbols = {fill.con_id: fill.symbol for fill in journal.fills() if fill.ref in refs}
        self._written: tuple[DifferenceRow, ...] | None = None

    def book(self, told: GatewayBook) -> JournalBook:
        """Return what the journal says is there; executions as far as they are of sessions that the gateway told."""
        journal = self._journal
        refs = frozenset(journal.refs())
        sessions = {fill_of(execution).session for execution in told.executions}
        fills = [fill for session in sorted(sessions) for fill in journal.fills(session)]
        ours = [fill for fill in fills if fill.ref in refs]
        adjustments = journal.adjustments()
        self._symbols |= {fill.con_id: fill.symbol for fill in ours}
        positions = journal.positions()
        # What is set aside is no contract that the journal has held.
        taken = [row for row in adjustments if row.kind not in (IGNORE, Kind.FOREIGN_ORDER)]
        return JournalBook(
            positions={con_id: found.shares for con_id, found in positions.items()},
            symbols={**self._symbols, **{row.con_id: row.symbol for row in taken}},
            refs=refs,
            booked={fill.root: (fill.revision, fill.signed_shares) for fill in ours},
            decided=_decided(adjustments),
            tolerated=frozenset(row.reason for row in adjustments if row.kind == Kind.FOREIGN_ORDER),
            ignored=frozenset(row.con_id for row in adjustments if row.kind == IGNORE),
            settled=bool(adjustments or refs),
        )

    def take(self, execution: Execution) -> None:
        """Book an execution of ours."""
        if self._writes is not None:
            self._writes.fill(fill_of(execution))

    def compared(self, trigger: str, found: Sequence[Difference], *, complete: bool) -> None:
        """Write a comparison with its differences; a periodic one only where it found something else than before."""
        rows = tuple(_row(d) for d in found)
        if self._writes is None or (trigger == "periodic" and complete and rows == self._written):
            return
        self._writes.reconciled(Reconciliation(trigger, complete, rows))
        self._written = rows


def _decided(adjustments: Iterable[Adjustment]) -> dict[int, dt.datetime]:
    """When the operator decided last, by contract; tolerating an order decides nothing about executions."""
    return {
        row.con_id: row.at for row in adjustments if row.at is not None and row.kind != Kind.FOREIGN_ORDER
    }


def _row(d: Difference) -> DifferenceRow:
    about_order = d.kind is Kind.FOREIGN_ORDER
    return DifferenceRow(
        d.kind,
        d.symbol,
        d.con_id,
        None if about_order else d.journal,
        None if about_order else d.gateway,
        d.explanation,
        "+".join(d.refs)[:200],
    )


def adjustments_of(
    acceptances: Sequence[Acceptance], journal: JournalReader, who: str, at: dt.datetime
) -> list[Adjustment]:
    """Return the rows by which the journal takes over what the operator decided.

    Parameters
    ----------
    acceptances : sequence of Acceptance
        All of one comparison: several of one contract build on each other.
    journal : JournalReader
    who : str
    at : datetime
        When the comparison was made, by the clock of executions: those by hand up to then are explained.
    """
    held = {con_id: found.shares for con_id, found in journal.positions().items()}
    aside = journal.ignored()
    out = []
    for one in acceptances:
        ignores = one.action == "ignored"
        before = (aside if ignores else held).get(one.con_id, 0.0)
        kind = IGNORE if ignores else ADOPT if one.action == "adopted" else str(one.kind)
        reason = one.key if one.kind is Kind.FOREIGN_ORDER else one.explanation
        out.append(Adjustment(one.con_id, one.symbol, kind, one.shares, before, None, who, reason, at=at))
        (aside if ignores else held)[one.con_id] = round(before + one.shares, SHARE_DIGITS)
    return out


def owners_of(journal: JournalReader) -> dict[str, bool]:
    """Return the strategies that traded on this journal, and whether the latest of them still holds something.

    For `live.reconcile.ownership.require_sole_strategy`. What a journal holds belongs to the one that decided last.
    """
    traded = [rebalance.strategy for rebalance in journal.rebalances()]
    holds = bool(journal.positions()) or bool(journal.working())
    return {strategy: holds and strategy == traded[-1] for strategy in dict.fromkeys(traded)}
