"""The gate: what may be traded after the last comparison, and why the rest may not. A state machine without I/O."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from live.reconcile.views import Difference, JournalBook


class Answer(StrEnum):
    """What the gateway must have told to its end before anything is compared (R3)."""

    ACCOUNT = "account values"
    POSITIONS = "positions"
    OPEN_ORDERS = "open orders"
    EXECUTIONS = "executions"
    COMPLETED = "completed orders"


@dataclass(slots=True)
class Gate:
    """Says which contracts may be traded.

    Shut at the start, after every interruption and whenever a comparison could not be made; opened by a comparison
    of five complete answers; an open gate still refuses the contracts that differ. It opens again by itself when a
    difference is gone: accepted by the operator into the journal, undone by hand, or booked.

    Attributes
    ----------
    differences : tuple of Difference
        Of the latest comparison.
    comparisons : int
        How many were made.
    """

    differences: tuple[Difference, ...] = ()
    comparisons: int = 0
    _reason: str = "nothing was compared with the gateway yet"
    _answered: set[Answer] = field(default_factory=set)

    def shut(self, reason: str) -> None:
        """Refuse everything until the next comparison; earlier answers do not count any more."""
        self._reason = reason or "the gate was shut"
        self._answered.clear()

    def answered(self, answer: Answer) -> None:
        """Note that a query was answered to its end."""
        self._answered.add(answer)

    @property
    def outstanding(self) -> tuple[Answer, ...]:
        """Answers that are not there yet."""
        return tuple(answer for answer in Answer if answer not in self._answered)

    def compared(
        self, differences: Iterable[Difference], journal: JournalBook, rivals: Iterable[str] = ()
    ) -> None:
        """Take the result of a comparison.

        Parameters
        ----------
        differences : iterable of Difference
        journal : JournalBook
            That was compared.
        rivals : iterable of str
            References of another runner (`live.reconcile.differences.rivals`).
        """
        self.differences = tuple(differences)
        self.comparisons += 1
        others = tuple(rivals)
        if self.outstanding:
            self._reason = f"the gateway has not answered to the end: {', '.join(self.outstanding)}"
        elif others:
            self._reason = (
                f"orders of another runner are on this account ({', '.join(others[:3])}"
                f"{', ...' if len(others) > 3 else ''}): one strategy an account; stop the other one, or restore "
                "the journal that knows them"
            )
        elif not journal.settled and self.holdings:
            self._reason = (
                f"first start, and the account holds {', '.join(self.holdings)}: run.py adopt "
                "SYMBOL to let the strategy trade them, run.py adopt --ignore to keep them for yourself"
            )
        else:
            self._reason = ""

    @property
    def holdings(self) -> tuple[str, ...]:
        """Symbols whose position differs."""
        return tuple(dict.fromkeys(d.symbol for d in self.differences if d.shares))

    @property
    def why_shut(self) -> str:
        """Why nothing may be traded; empty if something may."""
        return self._reason

    def why_not(self, con_id: int) -> str:
        """Why a contract may not be traded; empty if it may. Asked before every order."""
        if self._reason:
            return self._reason
        found = [d for d in self.differences if d.con_id == con_id and d.stops_trading]
        return f"{found[0].kind}: {found[0].explanation}" if found else ""

    @property
    def frozen(self) -> dict[int, str]:
        """Contracts that may not be traded though the gate is open, and why."""
        return {d.con_id: self.why_not(d.con_id) for d in self.differences if d.stops_trading}
