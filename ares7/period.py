"""The period of a run: inside the data, after the warm-up."""

from __future__ import annotations

import numpy as np

from ares7.config import PeriodConfig
from ares7.errors import ConfigError
from ares7.panel import Panel


def choose_period(panel: Panel, period: PeriodConfig, warmup: int, name: str) -> Panel:
    """Cut a panel at the period's end and mark its first decision session.

    Parameters
    ----------
    panel : Panel
        All data.
    period : PeriodConfig
        Dates that are no sessions mean the first session after the start and the last one before the end.
    warmup : int
        Sessions, the first decision's own included, that the strategy reads.
    name : str
        Of the strategy, for messages.

    Returns
    -------
    Panel
        With ``start`` set; rows before it are warm-up.

    Raises
    ------
    ConfigError
        The period reaches beyond the data, leaves too few sessions for the warm-up, or is empty.
    """
    dates = panel.dates
    first, last = dates[0], dates[-1]
    begin = None if period.start is None else np.datetime64(period.start, "D")
    end = last if period.end is None else np.datetime64(period.end, "D")
    if end > last:
        raise ConfigError(
            f"period.end {end} is after the last session of the data, {last}; shorten the period or add data"
        )
    if begin is not None and begin < first:
        raise ConfigError(
            f"period.start {begin} is before the first session of the data, {first}; shorten the period or add data"
        )
    if len(dates) < warmup + 1:
        raise ConfigError(
            f"{name} needs {warmup} sessions of warm-up and one to trade; the data has {len(dates)} "
            f"({first} to {last}); add data or shorten the strategy's windows"
        )
    row = warmup - 1 if begin is None else int(np.searchsorted(dates, begin))
    if row < warmup - 1:
        raise ConfigError(
            f"period.start {begin} leaves {row + 1} sessions of warm-up; {name} needs {warmup}; "
            f"start on {dates[warmup - 1]} or later, or add older data"
        )
    stop = int(np.searchsorted(dates, end, side="right"))
    if stop - row < 2:
        raise ConfigError(
            f"period {begin or dates[min(row, len(dates) - 1)]} to {end} has fewer than two sessions; lengthen it"
        )
    return panel.rows(0, stop).starting(dates[row])
