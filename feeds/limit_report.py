"""The limits beside a backtest: what they would have refused, for metrics.json and the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ares7.config import Config
from ares7.errors import MissingData
from ares7.limits import Limits
from ares7.panel import Panel
from feeds.engines import Outcome
from feeds.load import local_path
from feeds.tables import find_table, read_table

COLUMNS = ("gics_sector", "sector")


def read_sectors(folder: Path) -> dict[str, str]:
    """Sector of each symbol, from the symbols table of a data folder; names without one are left out.

    Raises
    ------
    MissingData
        There is no such table, or it has no column ``gics_sector`` or ``sector``.
    DataError
        It cannot be read.
    """
    path = find_table(folder, "symbols")
    if path is None:
        raise MissingData(
            f"limits.max_sector_weight is set and {folder} has no symbols table; add symbols.csv with columns symbol "
            "and sector, or set the limit to null"
        )
    frame = read_table(path, ["symbol"], text=COLUMNS)
    column = next((name for name in COLUMNS if name in frame.columns), None)
    if column is None:
        raise MissingData(
            f"limits.max_sector_weight is set and {path} has no column {' or '.join(COLUMNS)}; add one, or set the "
            "limit to null"
        )
    return {symbol: sector for symbol, sector in zip(frame["symbol"], frame[column], strict=True) if sector}


def sectors_of(config: Config) -> dict[str, str]:
    """Sectors for the limits of a configuration; empty while no limit reads them.

    Raises
    ------
    MissingData, DataError
        As `read_sectors`.
    """
    if config.limits.max_sector_weight is None or config.data.path is None:
        return {}
    return read_sectors(local_path(config.data))


def limit_report(config: Config, panel: Panel, outcome: Outcome) -> tuple[dict[str, Any], list[str]]:
    """Judge the orders of a finished run, if the configuration asks for it.

    Returns
    -------
    figures : dict
        Section ``limits`` of metrics.json; empty if it does not ask.
    warnings : list of str
    """
    if not config.limits.report_in_backtests:
        return {}, []
    from ares7.limits.replay import replay

    history = outcome.history
    found = replay(
        Limits(config.limits),
        panel,
        history.nav,
        history.cash,
        outcome.fills,
        outcome.orders,
        sectors_of(config),
    )
    return {"limits": found.figures()}, [found.warning()] if found.refusals else []
