"""Prices around a difference, so that a split can be told from a transfer: the journal's before, the gateway's now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from ares7.errors import Ares7Error
from live.client.messages import ContractFacts
from live.journal.reader import JournalReader
from live.reconcile.views import Hint


class Prices(Protocol):
    """What is asked of the gateway (`live.client.client.Client`)."""

    def qualify(self, queries: Sequence[str]) -> Any:
        """Find contracts: ``facts`` by symbol."""

    def daily_bars_of(self, facts: Sequence[ContractFacts], sessions: int) -> Mapping[int, Any]:
        """Daily bars by contract id, or the exception of that contract."""


class PriceHints:
    """Finds prices of contracts that differ.

    The price before is that of the latest fill or decision in the journal, as it was traded then; the price now is the
    latest close of the gateway, after whatever happened. A contract without both gets no hint, and is no split.

    Parameters
    ----------
    journal : JournalReader
    gateway : Prices
    """

    def __init__(self, journal: JournalReader, gateway: Prices) -> None:
        self._journal, self._gateway = journal, gateway

    def __call__(self, con_ids: Sequence[int]) -> dict[int, Hint]:
        """Return hints by contract; what cannot be found out is left out, for a hint explains and decides nothing."""
        before = self._before(set(con_ids))
        names = [symbol for symbol, _ in before.values()]
        if not names:
            return {}
        try:
            facts = self._gateway.qualify(names).facts
            bars = self._gateway.daily_bars_of(list(facts.values()), 1)
        except Ares7Error:
            return {}
        found = {}
        for con_id, (_, price) in before.items():
            closes: Any = getattr(bars.get(con_id), "close", None)
            if closes is not None and len(closes):
                found[con_id] = Hint(price, float(closes[-1]))
        return found

    def _before(self, con_ids: set[int]) -> dict[int, tuple[str, float]]:
        """Symbol and latest known price by contract."""
        refs = self._journal.refs()
        told = [
            (fill.traded_at, fill.con_id, fill.symbol, fill.price)
            for fill in self._journal.fills()
            if fill.con_id in con_ids and fill.ref in refs
        ]
        told += [
            (decision.at, decision.con_id, decision.symbol, decision.price)
            for con_id in con_ids
            for decision in self._journal.decisions(symbol=self._symbol(con_id))
            if decision.at is not None and decision.price is not None and decision.con_id == con_id
        ]
        return {con_id: (symbol, price) for _, con_id, symbol, price in sorted(told)}

    def _symbol(self, con_id: int) -> str:
        held = self._journal.positions().get(con_id)
        return "" if held is None else held.symbol
