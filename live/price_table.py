"""Opens and closes of a panel in the prices that an account trades at: traded ones, or total-return ones."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ares7.arrays import Dates, Float1D, Float2D
from ares7.errors import DataError, MissingData
from ares7.panel import Panel
from live.book_history import known_closes
from live.journal.reader import JournalReader

Basis = Literal["traded", "total_return"]
SAME = 0.002
"""Fraction: the closes of two vendors agree to this; total-return closes lie further away after a dividend or two."""


@dataclass(frozen=True, slots=True, eq=False)
class PriceTable:
    """Prices of all names of a panel; (T, N) USD a share, NaN where a name did not trade."""

    dates: Dates
    symbols: tuple[str, ...]
    open: Float2D
    close: Float2D

    @classmethod
    def of(cls, panel: Panel, basis: Basis) -> PriceTable:
        """Return the prices of a panel in one basis; those of a backtest are total-return ones."""
        close = panel.fields["close"]
        if basis == "total_return":
            return cls(panel.dates, panel.symbols, panel.fields["open"], close)
        price = panel.fields["price"]
        return cls(panel.dates, panel.symbols, panel.fields["open"] * (price / close), price)

    def require(self, dates: Dates) -> None:
        """Refuse sessions that the table has no row of.

        Raises
        ------
        MissingData
        """
        absent = np.setdiff1d(dates, self.dates)
        if len(absent):
            raise MissingData(
                f"the data have no prices of {absent[0]} ({self.dates[0]} to {self.dates[-1]}); download newer ones, "
                "or end earlier with --to"
            )

    def closes(self, symbols: Sequence[str], dates: Dates) -> Float2D:
        """(T, N) closes of some names; the last known one where there is none, NaN for a name without any."""
        column = {symbol: i for i, symbol in enumerate(self.symbols)}

        def known(symbol: str) -> tuple[Dates, Float1D]:
            values = self.close[:, column[symbol]] if symbol in column else np.full(len(self.dates), np.nan)
            there = np.isfinite(values)
            return self.dates[there], values[there]

        return known_closes(symbols, dates, known)

    def opens(self, symbols: Sequence[str], dates: Dates) -> Float2D:
        """(T, N) opens of some names; NaN where there is none."""
        column = {symbol: i for i, symbol in enumerate(self.symbols)}
        rows = np.searchsorted(self.dates, dates)
        out = np.full((len(dates), len(symbols)), np.nan)
        for i, symbol in enumerate(symbols):
            if symbol in column:
                out[:, i] = self.open[rows, column[symbol]]
        return out


def basis_of(panel: Panel, journals: Iterable[JournalReader]) -> Basis:
    """Return the prices that journals were written in, by those that their decisions were sized with.

    Raises
    ------
    DataError
        They are neither: the data are those of another market, or were adjusted since.
    """
    column = {symbol: i for i, symbol in enumerate(panel.symbols)}
    gaps: dict[Basis, list[float]] = {"traded": [], "total_return": []}
    for journal in journals:
        session = {rebalance.rebalance_id: rebalance.session for rebalance in journal.rebalances()}
        for decision in journal.decisions():
            row = int(np.searchsorted(panel.dates, np.datetime64(session[decision.rebalance_id], "D")))
            if not decision.price or decision.symbol not in column or row >= len(panel.dates):
                continue
            for basis, field in (("traded", "price"), ("total_return", "close")):
                gaps[basis].append(  # type: ignore[index]
                    abs(float(panel.fields[field][row, column[decision.symbol]]) / decision.price - 1.0)
                )
    off = {basis: float(np.nanmedian(found)) if found else 0.0 for basis, found in gaps.items()}
    nearest: Basis = "traded" if off["traded"] <= off["total_return"] else "total_return"
    if not off[nearest] <= SAME:
        raise DataError(
            f"the data have other closes than the journal's decisions were sized with ({off[nearest]:.1%} apart); name "
            "the data that the account traded on with --data, or the prices with --prices"
        )
    return nearest
