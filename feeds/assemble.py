"""Build a Panel from files: read every input, check it, place it on the exchange sessions.

Nothing here stops at the first problem: what is wrong is returned as findings beside the panel, in which the
bad rows are absent. `feeds.load` decides which findings stop a run, `feeds.check` lists them all.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ares7 import sessions
from ares7.arrays import AnyArray, Bool1D, Bool2D, Dates, Float1D, Float2D
from ares7.config import DataConfig
from ares7.errors import MissingData
from ares7.panel import Panel
from feeds.cache import input_files
from feeds.findings import Finding, Input
from feeds.inputs import Inputs, read_inputs, read_source
from feeds.market import Role, check_funds, role_series
from feeds.membership import member_mask, universe_findings, without_prices
from feeds.price_rows import PriceRows, place_on_grid
from feeds.prices import check_rows, gaps, plausible
from feeds.tables import find_table

_Given = tuple[dict[str, Float2D], list[Finding], dict[str, Any]]
"""Fields, findings, and what provenance says of them."""


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
    inputs.findings += _told_by_source(source, folder)
    tables = [t for t in (inputs.prices, inputs.market, *inputs.closes.values()) if t is not None]
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
    fields, fundamentals = _fundamentals(config, inputs, folder, panel, allow_restated)
    told = {"fundamentals": fundamentals}
    if config.layout == "canonical":
        events, told_of = _events(config, inputs, folder, panel, today)
        fields, told = fields | events, told | told_of
    panel = replace(panel, fields={**panel.fields, **fields}, series=series)
    return Assembled(_stamped(panel, config, inputs, folder, source, told), inputs.findings)


def _told_by_source(source: dict[str, Any], folder: Path) -> list[Finding]:
    """What ``provenance.json`` of a fetched folder says of its prices that nobody sees in them."""
    fetched = source.get("fetch", {}).get("sources", {})
    names = [name for name, told in fetched.items() if told.get("adjustment", {}).get("adj_close") == "split"]
    if not names:
        return []
    text = (
        f"{folder}: the prices of {', '.join(names)} are without dividends, so that returns are price returns; fetch "
        "from a source that has dividends"
    )
    return [Finding("warning", "prices", "no-dividends", text)]


def _stocks(inputs: Inputs, config: DataConfig, known: Dates, today: np.datetime64) -> PriceRows | None:
    """Sound rows of the universe; None when there is none."""
    rows = inputs.prices
    if rows is None:
        return None
    if isinstance(config.universe, tuple):
        absent = sorted(set(config.universe) - set(rows.symbols))
        if absent:
            text = (
                f"{rows.source} has no rows for {absent[:10]}, which data.universe lists; add or unlist them"
            )
            finding = Finding("error", "prices", "missing-symbol", text, len(absent), kind=MissingData)
            inputs.findings.append(finding)
        rows = rows.only(set(config.universe))
    good, findings = check_rows(rows, "prices", known, today)
    inputs.findings += findings
    if len(good.days) == 0:
        text = f"{rows.source} has no sound row of the universe; correct the rows, or data.universe"
        inputs.findings.append(Finding("error", "prices", "no-prices", text, kind=MissingData))
        return None
    return good


def _panel(
    config: DataConfig, inputs: Inputs, stocks: PriceRows, funds: PriceRows | None, dates: Dates
) -> Panel:
    """Prices and membership on the grid, without series and fundamentals."""
    names = set(stocks.symbols)
    tables = [stocks]
    if funds is not None:
        both = sorted(names & set(funds.symbols))
        if both:
            text = f"{stocks.source} and {funds.source} both hold {both}; remove them from one of the files"
            inputs.findings.append(Finding("error", "etfs", "symbol-twice", text, len(both)))
        tables.append(funds.only(set(funds.symbols) - names))
    symbols = tuple(sorted({symbol for table in tables for symbol in table.symbols}))
    fields = place_on_grid(tables, dates, symbols)
    is_stock = np.array([symbol not in config.etfs for symbol in symbols], dtype=bool)
    bar = np.isfinite(fields["close"])
    _note_gaps(inputs, stocks, "prices", fields["close"], dates, symbols, is_stock)
    if funds is not None:
        _note_gaps(inputs, funds, "etfs", fields["close"], dates, symbols, ~is_stock)
    month_end, week_end = sessions.period_ends(dates, config.calendar)
    return Panel(
        dates=dates,
        symbols=symbols,
        fields=fields,
        series={},
        is_stock=is_stock,
        member=_member(inputs, dates, symbols, is_stock, bar),
        month_end=month_end,
        week_end=week_end,
    )


def _note_gaps(
    inputs: Inputs,
    rows: PriceRows,
    name: Input,
    close: Float2D,
    dates: Dates,
    symbols: tuple[str, ...],
    columns: Bool1D,
) -> None:
    close, names = close[:, columns], tuple(symbols[i] for i in np.flatnonzero(columns))
    inputs.findings += gaps(close, dates, names, rows.source, name)
    silent = [names[i] for i in np.flatnonzero(~np.isfinite(close).any(axis=0))]
    if silent:
        text = f"{rows.source}: {len(silent)} names have no bar in the period ({', '.join(silent[:5])}); drop them"
        inputs.findings.append(Finding("warning", name, "no-bar", text, len(silent)))


def _member(inputs: Inputs, dates: Dates, symbols: tuple[str, ...], is_stock: Bool1D, bar: Bool2D) -> Bool2D:
    member = np.ones((len(dates), len(symbols)), dtype=bool)
    source = "data.universe"
    if inputs.membership is not None:
        source = inputs.membership.source
        member = member_mask(inputs.membership, dates, symbols)
        member[:, ~is_stock] = True
        inputs.findings += without_prices(inputs.membership, dates, symbols)
    inputs.findings += universe_findings(member[:, is_stock], bar[:, is_stock], dates, source)
    return member


def _series(
    config: DataConfig, inputs: Inputs, dates: Dates, known: Dates, today: np.datetime64
) -> dict[str, Float1D]:
    series: dict[str, Float1D] = {}
    roles: tuple[tuple[Role, str, int], ...] = (
        ("index", config.index, 0),
        ("vix", config.vix, config.max_vix_gap_sessions),
    )
    for role, symbol, max_gap in roles:
        if role not in inputs.closes:
            continue
        values, findings = role_series(inputs.closes[role], symbol, role, dates, known, today, max_gap)
        inputs.findings += findings
        if values is not None:
            series[role] = values
    return series


def _fundamentals(
    config: DataConfig, inputs: Inputs, folder: Path, panel: Panel, allow_restated: bool
) -> tuple[dict[str, Float2D], dict[str, Any]]:
    from feeds.fundamentals import point_in_time_fields

    def read() -> tuple[dict[str, Float2D], list[Finding], dict[str, Any]]:
        where = folder if folder.is_dir() else None
        return point_in_time_fields(where, config, panel.dates, panel.symbols, allow_restated=allow_restated)

    given = inputs.attempt(("fundamentals",), read)
    if given is None:
        return {}, {}
    fields, findings, provenance = given
    inputs.findings += findings
    return fields, provenance


def _events(
    config: DataConfig, inputs: Inputs, folder: Path, panel: Panel, today: np.datetime64
) -> tuple[dict[str, Float2D], dict[str, Any]]:
    """Fields of announced earnings and buybacks, and what provenance says of them; none without the file."""
    from feeds.buybacks import buyback_fields, find_buybacks
    from feeds.surprises import surprise_fields

    def earnings() -> _Given:
        path = find_table(folder, "earnings")
        if path is not None:
            return surprise_fields(path, config, panel, today)
        text = f"{folder} has no earnings.parquet or earnings.csv; add it, or switch the earnings overlay off"
        return {}, [Finding("error", "earnings", "no-earnings", text, kind=MissingData)], {}

    def buybacks() -> _Given:
        # Few folders have them; the overlay that reads the field says so where it is not there.
        path = find_buybacks(folder)
        return ({}, [], {}) if path is None else buyback_fields(path, panel, today)

    fields: dict[str, Float2D] = {}
    told: dict[str, Any] = {}
    readers: tuple[tuple[Input, Callable[[], _Given]], ...]
    readers = (("earnings", earnings), ("buybacks", buybacks))
    for name, read in readers:
        given = inputs.attempt((name,), read)
        if given is not None:
            fields |= given[0]
            inputs.findings += given[1]
            told |= {name: given[2]} if given[2] else {}
    return fields, told


def _stamped(
    panel: Panel,
    config: DataConfig,
    inputs: Inputs,
    folder: Path,
    source: dict[str, Any],
    told: dict[str, Any],
) -> Panel:
    """Add where the data came from, what was counted, and the hash of the content.

    Nothing of it depends on where the folder lies, so that equal data give equal provenance.
    """
    warnings = Counter[str]()
    for finding in inputs.findings:
        if finding.severity == "warning":
            warnings[f"{finding.input}/{finding.code}"] += finding.count
    provenance = {
        "synthetic": bool(source.get("synthetic", False)),
        "source": source,
        "layout": config.layout,
        "calendar": config.calendar,
        "universe": "members" if inputs.membership is not None else config.universe,
        "files": {path.name: _file_hash(path) for path in input_files(config, folder)},
        **told,
        "warnings": dict(sorted(warnings.items())),
        "findings": [
            {
                "input": f.input,
                "code": f.code,
                "count": f.count,
                "message": f.message.replace(f"{folder}/", ""),
            }
            for f in inputs.findings
            if f.severity == "warning"
        ],
        "panel_sha256": content_hash(panel),
    }
    # Through JSON, so that a fresh panel carries what a cached one does.
    return replace(panel, provenance=json.loads(json.dumps(provenance, default=_plain)))


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.number | np.bool_) else str(value)


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content_hash(panel: Panel) -> str:
    """Hash everything in a panel that a strategy may read (sha256, hex)."""
    digest = hashlib.sha256(repr(panel.symbols).encode())
    arrays: dict[str, AnyArray] = {"dates": panel.dates.astype("datetime64[D]").view(np.int64)}
    arrays |= {f"field {name}": values for name, values in panel.fields.items()}
    arrays |= {f"series {name}": values for name, values in panel.series.items()}
    arrays |= {"is_stock": panel.is_stock, "member": panel.member}
    arrays |= {"month_end": panel.month_end, "week_end": panel.week_end}
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()
