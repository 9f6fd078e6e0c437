"""How much was invested, in how many names, and under which regime."""

from __future__ import annotations

from typing import Any

from analyzers.equity import EquityFigures, aligned
from ares7.activity import exposure, switches_per_year, time_in_regime


class Exposure(EquityFigures):
    """`ares7.activity.exposure`, with time in regime where labels are given.

    Parameters
    ----------
    labels : Dated, optional
        Held regime label (int) known at the close of every session of the run.
    """

    params = (("labels", None),)

    def figures(self) -> dict[str, Any]:
        """Return ``mean_gross mean_cash mean_names``; with labels also the two on regimes."""
        equity = self.equity
        result = exposure(equity.nav, equity.cash, equity.gross, equity.names)
        if self.p.labels is not None:
            labels = aligned(self.p.labels, equity.dates[equity.bars], "labels")
            result["time_in_regime"] = time_in_regime(labels)
            result["switches_per_year"] = switches_per_year(labels)
        return result
