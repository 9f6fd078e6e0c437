"""One round of reconciliation: ask the gateway, book what is missing, compare, tell the gate. The thin edge."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from ares7.errors import Ares7Error, MissingData
from live.client.messages import Connected, Message, Restored, State, StateChanged
from live.client.order_messages import CompletedOrder, Execution, OpenOrder
from live.reconcile.differences import differences, missing_fills, rivals
from live.reconcile.gate import Answer, Gate
from live.reconcile.views import Difference, GatewayBook, Hint, JournalBook, PositionLike

CASH_TAGS = ("CashBalance", "TotalCashBalance")


class GatewaySide(Protocol):
    """What is asked of the gateway (`live.client.client.Client`). Each answer is complete, or raises."""

    def snapshot(self) -> Any:
        """Account values, with ``values`` by (tag, currency)."""

    def positions(self) -> Sequence[PositionLike]:
        """Positions of the account."""

    def open_orders(self) -> Sequence[OpenOrder]:
        """Working orders of every client."""

    def executions(self) -> Sequence[Execution]:
        """Today's executions."""

    def completed_orders(self) -> Sequence[CompletedOrder]:
        """Today's orders that are done."""


class JournalSide(Protocol):
    """What is asked of the journal."""

    def book(self, told: GatewayBook) -> JournalBook:
        """What the journal says is there, now, as far as it can matter for what the gateway told."""

    def take(self, execution: Execution) -> None:
        """Book an execution of ours; one that is booked already changes nothing."""

    def compared(self, trigger: str, found: Sequence[Difference], *, complete: bool) -> None:
        """Write a comparison."""


def ask(gateway: GatewaySide, gate: Gate, now: Callable[[], dt.datetime]) -> GatewayBook:
    """Ask all five questions; the gate hears of each that was answered to its end.

    Positions are asked after executions: a fill between the two shows as a position without an execution, and is gone
    in the next round; the other way round it would show as an execution that the position contradicts.

    Raises
    ------
    Ares7Error
        The first one that was not answered.
    """
    values: Mapping[tuple[str, str], str] = gateway.snapshot().values
    if not values:
        raise MissingData("the gateway has told no account values; nothing is compared without them")
    gate.answered(Answer.ACCOUNT)
    open_orders = tuple(gateway.open_orders())
    gate.answered(Answer.OPEN_ORDERS)
    completed = tuple(gateway.completed_orders())
    gate.answered(Answer.COMPLETED)
    executions = tuple(gateway.executions())
    gate.answered(Answer.EXECUTIONS)
    positions = tuple(gateway.positions())
    gate.answered(Answer.POSITIONS)
    return GatewayBook(positions, open_orders, executions, completed, _money(values), now())


def _money(values: Mapping[tuple[str, str], str]) -> dict[str, float]:
    """Cash by currency; the first of the known tags that the gateway tells for it."""
    out: dict[str, float] = {}
    for tag in CASH_TAGS:
        for (name, currency), text in values.items():
            if name == tag and currency not in out:
                out[currency] = float(text)
    return out


class Reconciler:
    """Reconciles at the start, after every interruption, and now and then.

    Parameters
    ----------
    gateway : GatewaySide
    journal : JournalSide
    now : callable
        UTC.
    hints : callable, optional
        Prices and dividends by contract, for the contracts that differ.
    pause : callable, optional
        Lets time pass, and messages arrive, before a second look: what only lagged is no difference.

    Attributes
    ----------
    gate : Gate
    told : GatewayBook or None
        What the gateway said in the latest comparison.
    """

    def __init__(
        self,
        gateway: GatewaySide,
        journal: JournalSide,
        now: Callable[[], dt.datetime],
        hints: Callable[[Sequence[int]], Mapping[int, Hint]] | None = None,
        pause: Callable[[], None] | None = None,
    ) -> None:
        self.gate = Gate()
        self._gateway, self._journal, self._now, self._hints = gateway, journal, now, hints
        self._pause = pause
        self.told: GatewayBook | None = None
        self._compared: dt.datetime | None = None

    def interrupted(self, reason: str) -> None:
        """Shut the gate: the connection was lost, so what was known may be old."""
        self.gate.shut(reason)

    def heard(self, message: Message) -> None:
        """Shut the gate when a message of the connection says that something may have been missed.

        Give it to `live.store.IBStore.listen`.
        """
        match message:
            case StateChanged() if message.state is not State.READY:
                self.interrupted(f"the connection is {message.state}: {message.reason}")
            case Connected():
                self.interrupted(f"connected again (connection {message.generation}), and not compared yet")
            case Restored():
                self.interrupted("connectivity with the servers is back, and not compared yet")

    def due(self, every: dt.timedelta) -> bool:
        """Whether the gate is shut or the last comparison is older than ``every``."""
        late = self._compared is None or self._now() - self._compared >= every
        return late or bool(self.gate.why_shut)

    def round(self, reason: str) -> tuple[Difference, ...]:
        """Ask, book, compare.

        Parameters
        ----------
        reason : str
            start, reconnect, periodic, operator, close: what the journal keeps with the comparison.

        Returns
        -------
        tuple of Difference
            Also kept in ``gate.differences``.

        Raises
        ------
        Ares7Error
            A question was not answered, or a fill could not be booked; the gate is shut.
        """
        self.gate.shut(f"{reason}: comparison in progress")
        try:
            gateway, journal, found = self._compare()
        except Ares7Error as error:
            self.gate.shut(f"{reason}: {error}")
            raise
        except BaseException as error:
            self.gate.shut(f"{reason}: {type(error).__name__}")
            raise
        self.gate.compared(found, journal, rivals(journal, gateway))
        self._compared = self._now()
        self._journal.compared(reason, found, complete=not self.gate.outstanding)
        return self.gate.differences

    def _compare(self) -> tuple[GatewayBook, JournalBook, list[Difference]]:
        """Compare, and look again before shares count as different: a fill may fall between two answers."""
        gateway, journal, found = self._look()
        if any(d.shares for d in found):
            if self._pause is not None:
                self._pause()
            gateway, journal, found = self._look()
        if self._hints is not None and found:
            wanted = sorted({d.con_id for d in found if d.con_id})
            found = differences(journal, gateway, self._hints(wanted))
        self.told = gateway
        return gateway, journal, found

    def _look(self) -> tuple[GatewayBook, JournalBook, list[Difference]]:
        gateway = ask(self._gateway, self.gate, self._now)
        for execution in missing_fills(self._journal.book(gateway), gateway):
            self._journal.take(execution)
        journal = self._journal.book(gateway)
        return gateway, journal, differences(journal, gateway)
