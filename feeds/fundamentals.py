"""Fundamentals, point in time: which reported figure was known on which session.

Reads the canonical files and the configured one, checks them, and hands the filings to `feeds.asof`, which
decides what is visible when (rulings 17, 18, 23 and 26; contract C6).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from ares7.arrays import Bool1D, Dates, Float2D
from ares7.config import DataConfig
from ares7.errors import ConfigError, DataError, MissingData, RestatedData, StaleData
from ares7.sessions import today as utc_today
from feeds.asof import latest_visible
from feeds.filings import (
    DIMENSIONS,
    FIELDS,
    FLAGS,
    SLOTS,
    read_filings,
    read_sharadar_sf1,
    without_meaningless_ratios,
)
from feeds.findings import Finding
from feeds.tables import SUFFIXES, find_table, place

FILES = ("fundamentals", "fundamentals_annual")
"""Canonical file stems; for one field and period a row of the first wins over a row of the second."""


@dataclass
class _Reading:
    """What the files gave so far: accepted rows, findings, and counts per file."""

    today: np.datetime64
    frames: list[pd.DataFrame] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    restated: bool = False

    def add(
        self,
        severity: Literal["error", "warning"],
        code: str,
        message: str,
        count: int = 1,
        span: tuple[np.datetime64, np.datetime64] | tuple[None, None] = (None, None),
        kind: type[DataError] = DataError,
    ) -> None:
        """Record one finding on the input ``fundamentals``."""
        self.findings.append(Finding(severity, "fundamentals", code, message, count, span[0], span[1], kind))


def point_in_time_fields(
    folder: Path | None,
    config: DataConfig,
    dates: Dates,
    symbols: tuple[str, ...],
    *,
    allow_restated: bool = False,
    today: np.datetime64 | None = None,
) -> tuple[dict[str, Float2D], list[Finding], dict[str, Any]]:
    """Read every fundamentals file and place each figure on the sessions on which it was known.

    Parameters
    ----------
    folder : Path or None
        Canonical data folder; its ``fundamentals`` and ``fundamentals_annual`` (CSV or Parquet) are read.
    config : DataConfig
        ``pit_delay_days``, ``max_age_days``, ``max_fundamentals_age_days``, ``etfs`` and
        ``fundamentals_file`` with ``fundamentals_layout`` (None means the canonical columns).
    dates : (T,) datetime64[D]
        Exchange sessions without holes, strictly increasing.
    symbols : tuple of N str
        Column names; rows of other symbols are counted and left out.
    allow_restated : bool
        Accept Sharadar ``MR*`` rows and flag them (rulings 26).
    today : datetime64[D] or None
        Filings after it are errors; None means today in UTC.

    Returns
    -------
    fields : dict of str to (T, N) float64
        Each of `FIELDS`, as ratios (0.25 is 25 %), NaN where nothing is known; empty without a usable file.
        Row t may be used at close t.
    findings : list of Finding
        Errors and warnings on the input ``fundamentals``; a caller raises the errors with ``raise_errors``.
    provenance : dict
        ``files`` (rows read, dropped and used, per file), ``restated``, ``newest_filing``, and counts.

    Raises
    ------
    ConfigError
        Settings that contradict each other.
    """
    _check_settings(config)
    reading = _Reading(utc_today() if today is None else today)
    _read_files(reading, folder, config, allow_restated)
    provenance: dict[str, Any] = {"files": reading.files, "restated": reading.restated}
    if not reading.frames:
        if not reading.findings:
            _report_no_file(reading, folder)
        return {}, reading.findings, provenance
    rows = pd.concat(reading.frames, ignore_index=True)
    newest = rows["filing_date"].max().to_numpy().astype("datetime64[D]")
    _check_staleness(reading, newest, dates, config)
    listed = rows["symbol"].isin(symbols).to_numpy()
    rows = rows[listed].reset_index(drop=True)
    _check_duplicates(reading, rows, config)
    _check_off_session(reading, rows, dates)
    without = _check_symbols(reading, rows, symbols, config)
    fields = latest_visible(
        without_meaningless_ratios(rows), dates, symbols, config.pit_delay_days, config.max_age_days
    )
    if symbols:
        _check_slots(reading, fields, dates)
    provenance |= {
        "newest_filing": str(newest),
        "rows_of_other_symbols": int((~listed).sum()),
        "symbols_without_rows": without,
    }
    return fields, reading.findings, provenance


def _check_settings(config: DataConfig) -> None:
    if config.max_age_days <= config.pit_delay_days:
        raise ConfigError(
            f"data.max_age_days {config.max_age_days} must exceed data.pit_delay_days "
            f"{config.pit_delay_days}; otherwise every figure expires before it is visible"
        )
    if config.fundamentals_layout is not None and config.fundamentals_file is None:
        raise ConfigError(
            f"data.fundamentals_layout is {config.fundamentals_layout} and data.fundamentals_file is not "
            "set; name the file or remove the layout"
        )


def _read_files(reading: _Reading, folder: Path | None, config: DataConfig, allow_restated: bool) -> None:
    """Read the canonical files and the configured one; what cannot be read becomes an error finding."""
    sources: list[tuple[Path, str]] = []
    for stem in FILES if folder is not None else ():
        try:
            found = find_table(folder, stem) if folder is not None else None
        except DataError as error:
            reading.add("error", "unreadable", str(error), kind=type(error))
            continue
        if found is not None:
            sources.append((found, stem))
    if config.fundamentals_file is not None:
        sources.append((config.fundamentals_file, config.fundamentals_layout or FILES[0]))
    for path, layout in sources:
        try:
            rows = (
                read_sharadar_sf1(path)
                if layout == "sharadar_sf1"
                else read_filings(path, layout == FILES[1])
            )
        except DataError as error:
            reading.add("error", "unreadable", str(error), kind=type(error))
            continue
        _accept(reading, path, rows, allow_restated)


def _accept(reading: _Reading, path: Path, rows: pd.DataFrame, allow_restated: bool) -> None:
    """Check one file's rows, drop what rulings 18 drops, and add the rest to the reading."""
    counts: dict[str, Any] = {"rows": len(rows)}
    reading.files[path.name] = counts
    if not _dimension_accepted(reading, path, rows, allow_restated):
        counts["used"] = 0
        return
    broken = (rows["symbol"].eq("") | rows["report_period"].isna() | rows["filing_date"].isna()).to_numpy()
    if broken.any():
        first = int(np.flatnonzero(broken)[0])
        reading.add(
            "error",
            "missing-key",
            f"{path}: {broken.sum()} rows lack a symbol, a report period or a filing date, the first is "
            f"{place(first)}; complete or remove them",
            int(broken.sum()),
        )
    keep = ~broken
    for flag in FLAGS:
        flagged = rows[flag].to_numpy() & keep
        keep &= ~flagged
        counts[flag] = int(flagged.sum())
        if counts[flag]:
            reading.add(
                "warning",
                flag.replace("_", "-"),
                f"{path}: {counts[flag]} of {len(rows)} rows are marked {flag} and are not used",
                counts[flag],
            )
    keep &= ~_impossible_dates(reading, path, rows, keep)
    counts["used"] = int(keep.sum())
    if counts["used"]:
        reading.frames.append(rows[keep])
    elif not any(finding.severity == "error" for finding in reading.findings):
        reading.add(
            "error", "no-usable-row", f"{path}: none of {len(rows)} rows can be used; replace the file"
        )


def _dimension_accepted(reading: _Reading, path: Path, rows: pd.DataFrame, allow_restated: bool) -> bool:
    found = sorted(set(rows["dimension"]))
    if found == [""]:
        # The canonical files need no dimension; the SF1 layout does.
        return True
    restated = [name for name in found if name.startswith("MR")]
    if restated and not allow_restated:
        reading.add(
            "error",
            "restated",
            f"{path}: dimension {', '.join(restated)} holds figures as restated later, by period end; "
            "download ARQ, ART or ARY, or set allow_lookahead: true to accept and watermark them",
            int(rows["dimension"].isin(restated).sum()),
            kind=RestatedData,
        )
        return False
    unknown = [name for name in found if name not in DIMENSIONS]
    if unknown or len(found) > 1:
        what = f"unknown dimension {unknown[0]!r}" if unknown else f"mixed dimensions {', '.join(found)}"
        reading.add(
            "error", "dimension", f"{path}: {what}; one file holds one of {', '.join(DIMENSIONS)}; split it"
        )
        return False
    if restated:
        reading.restated = True
        reading.add(
            "warning",
            "restated",
            f"{path}: dimension {restated[0]} holds restated figures, accepted on request",
        )
    return True


def _impossible_dates(reading: _Reading, path: Path, rows: pd.DataFrame, keep: Bool1D) -> Bool1D:
    filed = rows["filing_date"].to_numpy().astype("datetime64[D]")
    period = rows["report_period"].to_numpy().astype("datetime64[D]")
    early = (filed < period) & keep
    future = (filed > reading.today) & keep
    for bad, code, what in (
        (early, "filed-before-period-end", "are filed before their period ended"),
        (future, "filed-in-future", f"are filed after today ({reading.today})"),
    ):
        if bad.any():
            first = int(np.flatnonzero(bad)[0])
            reading.add(
                "error",
                code,
                f"{path}: {bad.sum()} rows {what}, the first is {place(first)} ({rows['symbol'][first]}, "
                f"period {period[first]}, filed {filed[first]}); correct or remove them",
                int(bad.sum()),
                (filed[bad].min(), max(filed[bad].max(), period[bad].max())),
            )
    return early | future


def _report_no_file(reading: _Reading, folder: Path | None) -> None:
    where = "data.path is not set" if folder is None else str(folder)
    names = ", ".join(f"{stem}{suffix}" for stem in FILES for suffix in SUFFIXES)
    reading.add(
        "error",
        "no-fundamentals",
        f"no fundamentals file ({where}; looked for {names}); add one or set data.fundamentals_file",
        kind=MissingData,
    )


def _check_staleness(reading: _Reading, newest: np.datetime64, dates: Dates, config: DataConfig) -> None:
    stale = dates[dates > newest + np.timedelta64(config.max_fundamentals_age_days, "D")]
    if len(stale):
        reading.add(
            "error",
            "stale-fundamentals",
            f"fundamentals ({', '.join(reading.files)}): the newest filing is of {newest}, which is "
            f"{(stale[-1] - newest).astype(int)} days before {stale[-1]}; the limit is "
            f"{config.max_fundamentals_age_days} days; add newer filings, end the period before {stale[0]}, "
            "or raise data.max_fundamentals_age_days",
            len(stale),
            (stale[0], stale[-1]),
            StaleData,
        )


def _check_symbols(
    reading: _Reading, rows: pd.DataFrame, symbols: tuple[str, ...], config: DataConfig
) -> int:
    """Return how many symbols, funds and index series aside, have no row at all."""
    stocks = set(symbols) - {*config.etfs, config.index, config.vix}
    without = sorted(stocks - set(rows["symbol"]))
    if without and len(without) == len(stocks):
        reading.add(
            "error",
            "no-known-symbol",
            f"fundamentals ({', '.join(reading.files)}): no row belongs to any of the {len(without)} symbols with "
            f"prices ({', '.join(without[:5])}); write the symbols as in the price files",
            kind=MissingData,
        )
    elif without:
        reading.add(
            "warning",
            "symbols-without-fundamentals",
            f"{len(without)} symbols have no fundamentals row ({', '.join(without[:5])}); "
            "their quality slots stay missing",
            len(without),
        )
    return len(without)


def _check_duplicates(reading: _Reading, rows: pd.DataFrame, config: DataConfig) -> None:
    """Two rows that nothing orders may repeat each other, but not disagree."""
    key = ["symbol", "annual", "report_period", "filing_date", "lastupdated"]
    repeated = rows[rows.duplicated(key, keep=False)]
    if repeated.empty:
        return
    differing = repeated.groupby(key, dropna=False)[[*FIELDS, "equity"]].nunique().gt(1)
    disagree = differing[differing.any(axis=1)]
    if disagree.empty:
        return
    symbol, _, period, filed, _ = disagree.index[0]
    names = [str(name) for name in disagree.columns[disagree.iloc[0].to_numpy()]]
    filings = disagree.index.get_level_values("filing_date").to_numpy().astype("datetime64[D]")
    reading.add(
        "error",
        "duplicate-row",
        f"fundamentals ({', '.join(sorted(set(repeated['file'])))}): {len(disagree)} filings are given twice "
        f"with different values, the first is {symbol}, period {period:%Y-%m-%d}, filed {filed:%Y-%m-%d}, "
        f"fields {', '.join(names)}; keep one row each, or tell them apart by lastupdated",
        len(disagree),
        (filings.min(), filings.max() + np.timedelta64(config.max_age_days, "D")),
    )


def _check_off_session(reading: _Reading, rows: pd.DataFrame, dates: Dates) -> None:
    filed = rows["filing_date"].to_numpy().astype("datetime64[D]")
    off = filed[(filed >= dates[0]) & (filed <= dates[-1]) & ~np.isin(filed, dates)]
    if len(off):
        reading.add(
            "warning",
            "filing-off-session",
            f"fundamentals: {len(off)} filings are dated on days that are no session (first {off.min()}); "
            "each becomes visible after its delay as usual",
            len(off),
            (off.min(), off.max()),
        )


def _check_slots(reading: _Reading, fields: dict[str, Float2D], dates: Dates) -> None:
    """A slot that no name has any more stops the run: the strategy would go on without its quality leg."""
    for slot, sources in SLOTS.items():
        covered = np.any([np.isfinite(fields[name]).any(axis=1) for name in sources], axis=0)
        if not covered.any():
            reading.add(
                "warning",
                "slot-never-covered",
                f"fundamentals: no name ever has a value for the quality slot {slot} "
                f"({' or '.join(sources)})",
            )
            continue
        after = np.arange(len(dates)) > int(np.argmax(covered))
        edges = np.flatnonzero(np.diff(np.concatenate(([False], ~covered & after, [False])).astype(np.int8)))
        for first, stop in edges.reshape(-1, 2):
            reading.add(
                "error",
                "slot-missing",
                f"fundamentals: the quality slot {slot} ({' or '.join(sources)}) is missing for every name "
                f"from {dates[first]} to {dates[stop - 1]} ({stop - first} sessions) after coverage began; "
                "add the filings, or end the period before",
                int(stop - first),
                (dates[first], dates[stop - 1]),
                MissingData,
            )
