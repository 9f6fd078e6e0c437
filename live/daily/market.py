"""What is known at the close of a session: the panel up to it, or why an input of it cannot be used."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ares7.config import Config
from ares7.errors import ConfigError, MissingData, StaleData
from ares7.panel import Panel
from feeds.findings import Finding, raise_errors
from feeds.load import load_with_findings
from live.daily.acting_session import Acting

MIN_SHARE = 0.5
"""Share of the stocks with a bar in the session before that must have one in this one."""


@dataclass(frozen=True, slots=True)
class Market:
    """Data of one session.

    Attributes
    ----------
    panel : Panel or None
        Rows up to the session, or fewer where the prices end before it; None where there are no prices at all.
    findings : list of Finding
        What is wrong with the files.
    acting : Acting
    """

    panel: Panel | None
    findings: list[Finding]
    acting: Acting

    def require(self, needs: frozenset[str]) -> Panel:
        """Return the panel, whose last row is the session, if nothing is wrong with what is needed of it.

        Parameters
        ----------
        needs : frozenset of str
            Inputs beyond prices (`ares7.params.BookParams.requires`).

        Raises
        ------
        MissingData, StaleData, DataError
            An input is not there, ends too early, or holds an error up to the session.
        """
        raise_errors(self.findings, needs, None, self.acting.as_of)
        panel = self.panel
        if panel is None:
            raise_errors(self.findings, needs)
            raise MissingData(
                f"no prices up to session {self.acting.as_of}; run 'python run.py data check DIR'"
            )
        last = panel.dates[-1]
        if last != self.acting.as_of:
            raise StaleData(
                f"prices are stale: they end on {last}, and the session is {self.acting.as_of}; load the prices of "
                f"{self.acting.as_of}, or use --date {last}"
            )
        _require_complete(panel)
        return panel


def _require_complete(panel: Panel) -> None:
    """Refuse a session of which only some prices are there, as a broken download leaves it."""
    bars = (panel.bar & panel.is_stock)[-2:].sum(axis=1).tolist()
    if bars[-1] < MIN_SHARE * bars[0]:
        raise StaleData(
            f"prices of {panel.dates[-1]} are not complete: {bars[-1]} stocks have a bar, and {bars[0]} had one in the "
            "session before; load the whole session"
        )


def load_market(config: Config, acting: Acting) -> Market:
    """Load the data folder; nothing after the session is kept."""
    panel, findings = load_with_findings(config.data, allow_restated=config.allow_lookahead)
    if panel is not None:
        stop = int(np.searchsorted(panel.dates, acting.as_of, side="right"))
        panel = panel.rows(0, stop) if stop else None
    return Market(panel, findings, acting)


def started(panel: Panel, config: Config, warmup: int, name: str) -> Panel:
    """Set the first decision session as a backtest of the same configuration does.

    Raises
    ------
    ConfigError
        The session lies in the warm-up, or before ``period.start``.
    """
    dates, begin = panel.dates, config.period.start
    row = warmup - 1
    if begin is not None:
        row = max(row, int(np.searchsorted(dates, np.datetime64(begin, "D"))))
    if row >= len(dates):
        raise ConfigError(
            f"session {dates[-1]} is row {len(dates)} of the data (from {dates[0]}); {name} needs {warmup} rows"
            f"{f' and starts on {begin}' if begin else ''}; add older data, or name a later --date"
        )
    return panel.starting(dates[row])
