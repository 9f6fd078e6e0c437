"""How much of an account a strategy may use: all of it, a fraction, or so many dollars (rulings 29)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ares7.arrays import Float1D
from ares7.config import LiveConfig
from ares7.orders import net_asset_value
from ares7.proposal import Share


class Capital:
    """Takes out what the operator set aside, and sizes the book.

    Parameters
    ----------
    config : LiveConfig
        ``capital_usd`` is the most that the book is sized for, ``capital_fraction`` the part of the account; what the
        account holds beyond that stays cash.
    contracts : sequence of N int or None
        Contract of each column.
    aside : callable
        Shares by contract that are in the account and not the strategy's (`JournalReader.ignored`).
    """

    def __init__(
        self,
        config: LiveConfig,
        contracts: Sequence[int | None],
        aside: Callable[[], Mapping[int, float]],
    ) -> None:
        self._usd, self._fraction = config.capital_usd, config.capital_fraction
        self._contracts, self._aside = contracts, aside

    def share(self, held: Float1D, close: Float1D, cash: float) -> Share:
        """Return the strategy's part of an account.

        Parameters
        ----------
        held : (N,) shares
            All that the account holds.
        close : (N,) USD
        cash : USD
        """
        aside = self._aside()
        own = held - np.array([aside.get(contract or 0, 0.0) for contract in self._contracts])
        whole = net_asset_value(cash, own, close)
        nav = self.sized(whole)
        return Share(own, nav, cash - (whole - nav), whole)

    def sized(self, whole: float) -> float:
        """USD that the book is sized for, of an account worth ``whole``."""
        if self._usd is not None:
            return min(self._usd, whole)
        return whole * self._fraction if self._fraction != 1.0 else whole
