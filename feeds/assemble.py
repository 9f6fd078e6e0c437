"""Build a Panel from files: read every input, check it, place it on the exchange sessions.

Nothing here stops at the first problem: what is wrong is returned as findings beside the panel, in which the
bad rows are absent. `feeds.load` decides which findings stop a run, `feeds.check` lists them all.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ares7 import sessions
from ares7.arrays import Bool2D, Dates, Float1D, Float2D
from ares7.config import DataConfig
from ares7.errors import ConfigError, DataError, MissingData
from ares7.panel import Panel
from feeds.findings import Finding, Input
from feeds.market import check_funds, read_market, role_series
from feeds.membership import (
    Membership,
    find_membership,
    member_mask,
    read_membership,
    universe_findings,
    without_prices,
)
from feeds.price_rows import PriceRows, place_on_grid, read_rows, rows_from_frame
from feeds.prices import check_rows, gaps, plausible
from feeds.tables import SUFFIXES, find_table

T = TypeVar("T")

MARKET_INPUTS: tuple[Input, ...] = ("etfs", "index", "vix")
CANONICAL = ("prices", "market", "fundamentals", "fundamentals_annual", "earnings", "symbols")


@dataclass(slots=True)
class Inputs:
    """What could be read. What could not is None, with an error among the findings."""

    prices: PriceRows | None = None
    market: PriceRows | None = None
    membership: Membership | None = None
    findings: list[Finding] = field(default_factory=list)

    def attempt(self, names: tuple[Input, ...], read: Callable[[], T]) -> T | None:
        """Run a reader; a `DataError` becomes a finding for each of the inputs it was to give."""
        try:
            return read()
        except DataError as error:
            for name in names:
                self.findings.append(Finding("error", name, "unreadable", str(error), kind=type(error)))
            return None


def input_files(config: DataConfig, folder: Path) -> list[Path]:
    """Return every file that a panel of ``folder`` depends on, sorted.

    Parameters
    ----------
    folder : Path
        Folder in the canonical layout, or a vendor's file or folder.
    """
    files = {path for path in (config.index_file, config.vix_file, config.fundamentals_file) if path}
    if folder.is_file():
        files.add(folder)
    elif config.layout != "canonical":
        files.update(folder.iterdir())
    else:
        files.update(folder / f"{stem}{suffix}" for stem in CANONICAL for suffix in SUFFIXES)
        files.update(folder.glob("membership*"))
        files.add(folder / "provenance.json")
    return sorted(path for path in files if path.is_file())


def read_source(folder: Path) -> dict[str, Any]:
    """Contents of ``provenance.json``, which says for example that a folder is synthetic; empty without it.

    Raises
    ------
    DataError
        The file is no JSON object.
    """
    path = folder / "provenance.json"
    if not path.is_file():
        return {}
    try:
        source = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is no readable JSON ({error}); correct or remove it") from None
    if not isinstance(source, dict):
        raise DataError(f"{path} must hold a JSON object, not {type(source).__name__}; correct or remove it")
    return source


def read_inputs(config: DataConfig, folder: Path) -> Inputs:
    """Read prices, market and membership.

    Raises
    ------
    ConfigError
        pyarrow is not installed, or the universe asks for a membership file that is not there.
    """
    inputs = Inputs()
    if config.layout == "canonical":
        _read_canonical(inputs, folder)
    else:
        from feeds.vendors import read_vendor

        given = inputs.attempt(("prices",), lambda: read_vendor(config))
        if given is not None:
            prices, market, findings = given
            inputs.findings += findings
            inputs.prices = rows_from_frame(prices, str(folder))
            inputs.market = None if market is None else rows_from_frame(market, f"{folder} (market)")
    _read_members(inputs, config, folder)
    return inputs


def _read_canonical(inputs: Inputs, folder: Path) -> None:
    def prices() -> PriceRows:
        return read_rows(_named(folder, "prices"))

    def market() -> PriceRows:
        return read_market(_named(folder, "market"))

    inputs.prices = inputs.attempt(("prices",), prices)
    inputs.market = inputs.attempt(MARKET_INPUTS, market)


def _named(folder: Path, stem: str) -> Path:
    path = find_table(folder, stem)
    if path is None:
        raise MissingData(
            f"{folder} has no {stem}.parquet or {stem}.csv; add it, or set data.layout if these are vendor files"
        )
    return path


def _read_members(inputs: Inputs, config: DataConfig, folder: Path) -> None:
    if config.universe not in ("auto", "members"):
        return

    def membership() -> tuple[Membership, list[Finding]] | None:
        path = find_membership(folder) if folder.is_dir() else None
        if path is not None:
            return read_membership(path)
        if config.universe == "members":
            raise MissingData(f"{folder} has no membership file, which data.universe: members needs; add one")
        return None

    read = inputs.attempt(("membership",), membership)
    if read is not None:
        inputs.membership = read[0]
        inputs.findings += read[1]


def known_sessions(config: DataConfig, tables: list[PriceRows], today: np.datetime64) -> Dates:
    """Exchange sessions that cover every plausible date of some tables; empty when there is none."""
    days = [table.days[plausible(table, today)] for table in tables]
    together = np.concatenate([np.zeros(0, dtype="datetime64[D]"), *days])
    if len(together) == 0:
        return together
    return sessions.sessions(together.min(), together.max(), config.calendar)


@dataclass(slots=True)
class Assembled:
    """A panel, or None where the prices give none, and everything that is wrong with the files."""

    panel: Panel | None
    findings: list[Finding]


def assemble(
    config: DataConfig, folder: Path, today: np.datetime64, allow_restated: bool = False
) -> Assembled:
    """Read a folder and build its panel.

    Parameters
    ----------
    config : DataConfig
    folder : Path
        Folder in the canonical layout, or a vendor's file or folder.
    today : datetime64[D]
        Rows after it are errors, unless the folder says that it is synthetic.
    allow_restated : bool
        Accept restated fundamentals (rulings 26).

    Raises
    ------
    ConfigError
        A setting that no data can satisfy.
    """
    inputs = read_inputs(config, folder)
    source = inputs.attempt(("prices",), lambda: read_source(folder)) or {}
    if source.get("synthetic"):
        today = np.datetime64("9999-12-31", "D")
    tables = [table for table in (inputs.prices, inputs.market) if table is not None]
    known = known_sessions(config, tables, today)
    stocks = _stocks(inputs, config, known, today)
    funds = None
    if inputs.market is not None:
        funds, findings = check_funds(inputs.market, config, known, today)
        inputs.findings += findings
    if stocks is None:
        return Assembled(None, inputs.findings)
    dates = known[(known >= stocks.days.min()) & (known <= stocks.days.max())]
    panel = _panel(config, inputs, stocks, funds, dates)
    series = _series(config, inputs, dates, known, today)
    fields, provenance = _fundamentals(config, inputs, folder, panel, allow_restated)
    panel = replace(panel, fields={**panel.fields, **fields}, series=series)
    return Assembled(_stamped(panel, config, inputs, source, provenance), inputs.findings)
