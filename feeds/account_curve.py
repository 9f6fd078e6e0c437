"""Value of an account at every close, computed for many sessions at once when somebody asks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ares7.arrays import Dates, Float1D, Float2D
from ares7.signals.windows import column_sums

_AHEAD, _MOST = 24, 256


class History(NamedTuple):
    """(S,) arrays, one value a session close: dates, USD, USD, fraction of NAV, number of positions."""

    dates: Dates
    nav: Float1D
    cash: Float1D
    gross: Float1D
    names: Float1D


class AccountCurve:
    """What is held from which session on, and what that is worth at each close.

    Most sessions trade nothing, and hardly anybody reads the value in between: sessions are valued together, at
    the latest when 256 have gathered.

    Parameters
    ----------
    close : (S, N) USD, finite
        Prices as engines show them.
    """

    def __init__(self, close: Float2D) -> None:
        self._close = close
        self._record = np.zeros((4, len(close)))
        self._valued = 0
        # What is held in the sessions that are not valued yet: from which row on, USD, (N,) shares.
        self._since: list[int] = []
        self._cash: list[float] = []
        self._held: list[Float1D] = []

    def put(self, row: int, nav: float, cash: float, gross: float, names: int) -> None:
        """Write down a session that somebody else has valued; sessions are put one after the other."""
        self._record[:, row] = nav, cash, gross, names
        self._valued = row + 1

    def change(self, row: int, cash: float, held: Float1D) -> None:
        """Tell what is held from the close of session ``row`` on: USD of cash and (N,) shares."""
        if row <= self._valued:
            # What was valued ahead is not so.
            self._valued = row
            self._keep(0)
        elif row >= self._valued + _MOST:
            self._value(row)
        self._since.append(row)
        self._cash.append(cash)
        self._held.append(held.copy())

    def nav(self, row: int) -> float:
        """NAV in USD at the close of session ``row``, the latest one."""
        if row >= self._valued:
            # Whoever asks once asks again; what did not change in this session mostly rests for weeks.
            ahead = 1 if self._since[-1] == row else _AHEAD
            self._value(min(row + ahead, len(self._close)))
        return float(self._record[0, row])

    def until(self, stop: int, dates: Dates) -> History:
        """Return the first ``stop`` sessions, whose dates come first in ``dates``."""
        if stop > self._valued:
            self._value(stop)
        nav, cash, gross, names = self._record[:, :stop]
        return History(dates[:stop], nav, cash, gross, names)

    def _value(self, stop: int) -> None:
        """Value the sessions before ``stop``, adding in column order as `ares7.orders.net_asset_value` does."""
        block = slice(self._valued, stop)
        sessions = np.diff([self._valued, *self._since[1:], stop])
        names = np.repeat(np.count_nonzero(self._held, axis=1), sessions)
        held, cash = np.repeat(self._held, sessions, axis=0), np.repeat(self._cash, sessions)
        terms = np.empty((held.shape[1] + 1, len(cash)))
        terms[0] = cash
        np.multiply(held.T, self._close[block].T, out=terms[1:])
        nav = column_sums(terms)
        gross = column_sums(np.abs(terms[1:], out=terms[1:]))
        self._record[:, block] = nav, cash, gross / nav, names
        self._valued = stop
        self._keep(1)

    def _keep(self, last: int) -> None:
        gone = len(self._since) - last
        del self._since[:gone], self._cash[:gone], self._held[:gone]
