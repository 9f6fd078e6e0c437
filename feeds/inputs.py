"""Read the files of a data folder. What cannot be read becomes a finding, so that all are listed at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from ares7.config import DataConfig
from ares7.errors import DataError, MissingData
from feeds.findings import Finding, Input
from feeds.market import Role, read_market
from feeds.membership import Membership, find_membership, read_membership
from feeds.price_rows import NUMBERS, PriceRows, read_rows, rows_from_frame
from feeds.tables import find_table

T = TypeVar("T")


@dataclass(slots=True)
class Inputs:
    """What could be read. What could not is None, with an error among the findings."""

    prices: PriceRows | None = None
    market: PriceRows | None = None
    closes: dict[Role, PriceRows] = field(default_factory=dict)
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
    """Read prices, market, closes of index and VIX, and membership.

    Raises
    ------
    ConfigError
        A setting that no data can satisfy, or a library that is not installed.
    """
    inputs = Inputs()
    if config.layout == "canonical":
        inputs.prices = inputs.attempt(("prices",), lambda: read_rows(_named(folder, "prices")))
        market_names = _market_inputs(config)
        if market_names:
            inputs.market = inputs.attempt(market_names, lambda: read_market(_named(folder, "market")))
    else:
        _read_vendor(inputs, config)
    _read_closes(inputs, config)
    _read_members(inputs, config, folder)
    return inputs


def _market_inputs(config: DataConfig) -> tuple[Input, ...]:
    """Inputs that only the market file can give."""
    wanted: tuple[tuple[Input, bool], ...] = (
        ("etfs", bool(config.etfs)),
        ("index", config.index_file is None),
        ("vix", config.vix_file is None),
    )
    return tuple(name for name, needed in wanted if needed)


def _named(folder: Path, stem: str) -> Path:
    path = find_table(folder, stem)
    if path is None:
        raise MissingData(
            f"{folder} has no {stem}.parquet or {stem}.csv; add it, or set data.layout if these are vendor files"
        )
    return path


def _read_vendor(inputs: Inputs, config: DataConfig) -> None:
    from feeds.vendors import read_vendor

    given = inputs.attempt(("prices",), lambda: read_vendor(config))
    if given is None:
        return
    prices, market, findings = given
    inputs.findings += findings
    inputs.prices = rows_from_frame(prices, str(config.path))
    if market is not None:
        inputs.market = rows_from_frame(market, str(config.path))
        return
    for name in _market_inputs(config):
        remedy = "take them off data.etfs" if name == "etfs" else f"set data.{name}_file"
        text = f"{config.path} ({config.layout}) holds no bars for data.{name}; add them or {remedy}"
        inputs.findings.append(Finding("error", name, "no-market", text, kind=MissingData))


def _read_closes(inputs: Inputs, config: DataConfig) -> None:
    """Read index and VIX from files of their own, where the configuration names them."""
    files: tuple[tuple[Role, str, Path | None, Literal["canonical", "fred", "cboe"]], ...] = (
        ("index", config.index, config.index_file, "canonical"),
        ("vix", config.vix, config.vix_file, config.vix_layout or "canonical"),
    )
    for role, symbol, path, layout in files:
        if path is not None:
            rows = inputs.attempt((role,), partial(_close_rows, path, layout, symbol))
        else:
            rows = inputs.market
        if rows is not None:
            inputs.closes[role] = rows


def _close_rows(path: Path, layout: Literal["canonical", "fred", "cboe"], symbol: str) -> PriceRows:
    from feeds.vendors import read_close_series

    days, closes = read_close_series(path, layout)
    empty = np.full(len(days), np.nan)
    return PriceRows(
        source=str(path),
        days=days,
        codes=np.zeros(len(days), dtype=np.int64),
        symbols=(symbol,),
        values={name: closes if name == "close" else empty for name in NUMBERS},
        numbers=np.arange(len(days), dtype=np.int64),
    )


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
