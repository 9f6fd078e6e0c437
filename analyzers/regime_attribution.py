"""Which regime earned the return."""

from __future__ import annotations

from typing import Any

from analyzers.equity import EquityFigures, aligned
from ares7.activity import regime_attribution
from ares7.errors import ConfigError


class RegimeAttribution(EquityFigures):
    """`ares7.activity.regime_attribution` of the run.

    Parameters
    ----------
    labels : Dated
        Held regime label (int) known at the close of every session of the run.

    Raises
    ------
    ConfigError
        Without labels.
    """

    params = (("labels", None),)

    def __init__(self) -> None:
        if self.p.labels is None:
            raise ConfigError(
                "analyzer RegimeAttribution has no labels; give labels={date: label} or leave it out"
            )
        super().__init__()

    def figures(self) -> dict[str, Any]:
        """Return the figures, by the keys of `regime_attribution`."""
        bars = self.equity.bars
        labels = aligned(self.p.labels, self.equity.dates[bars], "labels")
        return regime_attribution(self.equity.nav[bars], labels)
