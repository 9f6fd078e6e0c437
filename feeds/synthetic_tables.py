"""The synthetic market as tables in the canonical layout, and the writing of one table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ares7.arrays import AnyArray, Dates, Float1D
from feeds.filings import FIELDS
from feeds.membership import OPEN_END, Membership
from feeds.synthetic_accounts import TIMES, Accounts
from feeds.synthetic_universe import SECTORS, Universe

if TYPE_CHECKING:
    from feeds.synthetic import SyntheticMarket

BAR_COLUMNS = ("open", "high", "low", "close", "adj_close")
QUARTERLY = (
    *("symbol", "report_period", "filing_date", "lag_days", "late_filing"),
    *("revenue", "gross_profit", "operating_income", "net_income"),
    *("total_assets", "equity", "long_term_debt", "current_liabilities", "cash", "shares_outstanding"),
    *("revenue_ttm", "gross_profit_ttm", "operating_income_ttm", "net_income_ttm"),
    *("revenue_fy", "net_income_fy", "roe", "operating_margin", "gross_margin", "gross_margin_fy"),
    *("debt_to_equity", "liabilities_to_equity", "source"),
)
ANNUAL = (
    *("symbol", "report_period", "filing_date", "filing_date_estimated", "fiscal_year"),
    *("revenue", "gross_profit", "operating_income", "depreciation", "net_income"),
    *("total_assets", "total_liabilities", "equity", "long_term_debt", "short_term_debt", "cash"),
    *("ebitda", "total_debt", "roe", "ebitda_margin", "debt_to_equity"),
)
FLOWS = ("revenue", "gross_profit", "operating_income", "net_income", "depreciation")
SIZED = (
    *FLOWS,
    *(f"{name}_ttm" for name in FLOWS),
    *("total_assets", "equity", "long_term_debt", "short_term_debt", "current_liabilities", "cash"),
)
EARNINGS_YIELD = 0.055
"""Expected net income of the first year over the first market value."""


def tables(
    universe: Universe, accounts: Accounts, dates: Dates, splits: pd.DataFrame, shares: Float1D
) -> dict[str, pd.DataFrame]:
    """Build every table but the prices.

    Parameters
    ----------
    splits : DataFrame
        ``name``, ``date``, ``ratio``.
    shares : (N,)
        Shares outstanding in split-adjusted units; constant, nothing is issued.
    """
    symbol = np.array(universe.names, dtype=object)
    size = _size(accounts, shares)
    filings = accounts.filings.copy()
    filings["symbol"] = symbol[filings["name"]]
    filings["source"] = "synthetic"
    for column in SIZED:
        filings[column] = np.round(filings[column] * size[filings["name"]])
    filings["shares_outstanding"] = np.round(_reported_shares(filings, splits, shares))
    return {
        "fundamentals": _quarterly(filings[~filings["annual"]]),
        "fundamentals_annual": _annual(filings[filings["annual"]]),
        "earnings": _earnings(accounts.events, symbol, size / shares),
        "symbols": _symbols(universe, dates),
        "membership": _membership(universe, symbol, dates),
        "splits": pd.DataFrame(
            {"symbol": symbol[splits["name"]], "date": splits["date"], "ratio": splits["ratio"]}
        ),
    }


def _size(accounts: Accounts, shares: Float1D) -> Float1D:
    """USD for one unit of the accounts: the first market value, at 60 USD a share, earns `EARNINGS_YIELD`."""
    return shares * 60.0 * EARNINGS_YIELD / 0.09


def _reported_shares(filings: pd.DataFrame, splits: pd.DataFrame, shares: Float1D) -> Float1D:
    """Shares as they were on the filing date, in the units of that day."""
    reported = shares[filings["name"]].copy()
    names, filed = filings["name"].to_numpy(), filings["filing_date"].to_numpy()
    for name, date, ratio in splits.itertuples(index=False):
        reported[(names == name) & (filed < date)] /= ratio
    return reported


def _quarterly(filings: pd.DataFrame) -> pd.DataFrame:
    whole_year = filings["fiscal"] == 3
    filings = filings.assign(
        revenue_fy=filings["revenue_ttm"].where(whole_year),
        net_income_fy=filings["net_income_ttm"].where(whole_year),
        gross_margin_fy=filings["gross_margin"].where(whole_year),
    )
    return filings[list(QUARTERLY)].reset_index(drop=True)


def _annual(filings: pd.DataFrame) -> pd.DataFrame:
    filings = filings.assign(**{name: filings[f"{name}_ttm"] for name in FLOWS})
    filings = filings.assign(
        fiscal_year=filings["report_period"].dt.year.astype(np.float64),
        ebitda=filings["operating_income"] + filings["depreciation"],
        total_debt=filings["long_term_debt"] + filings["short_term_debt"],
        total_liabilities=filings["total_assets"] - filings["equity"],
    )
    return filings[list(ANNUAL)].reset_index(drop=True)


def _earnings(events: pd.DataFrame, symbol: AnyArray, per_share: Float1D) -> pd.DataFrame:
    actual = np.round(events["earnings"].to_numpy() * per_share[events["name"]], 4)
    estimate = np.round(events["estimate"].to_numpy() * per_share[events["name"]], 4)
    size = np.abs(estimate)
    surprise = np.full(len(events), np.nan)
    np.divide(100.0 * (actual - estimate), size, out=surprise, where=size > 0)
    table = pd.DataFrame(
        {
            "symbol": symbol[events["name"]],
            "announce_date": events["announce_date"],
            "announce_time_et": events["session"].map(TIMES),
            "session": events["session"],
            "fiscal_quarter_end": events["fiscal_quarter_end"],
            "eps_estimate": estimate,
            "eps_actual": actual,
            "surprise_pct": np.round(surprise, 2),
            "source": "synthetic",
        }
    )
    return table.sort_values(["symbol", "announce_date"], kind="stable").reset_index(drop=True)


def _symbols(universe: Universe, dates: Dates) -> pd.DataFrame:
    alive = universe.last == len(dates) - 1
    return pd.DataFrame(
        {
            "symbol": list(universe.names),
            "name": [f"Synthetic company {name}" for name in universe.names],
            "gics_sector": np.array(SECTORS, dtype=object)[universe.sector],
            "first_date": dates[universe.first],
            "last_date": dates[universe.last],
            "n_days": universe.bar.sum(axis=0),
            "price_source": "synthetic",
            "status": np.where(alive, "active", "delisted").astype(object),
        }
    )


def _membership(universe: Universe, symbol: AnyArray, dates: Dates) -> pd.DataFrame:
    name, start, end = np.array(universe.members, dtype=np.int64).T
    return pd.DataFrame(
        {
            "symbol": symbol[name],
            "original_ticker": symbol[name],
            "start_date": dates[start],
            "end_date": np.where(end < 0, np.datetime64("NaT", "D"), dates[end]),
        }
    )


def filings(frames: Mapping[str, pd.DataFrame], symbols: tuple[str, ...]) -> pd.DataFrame:
    """Filings of some symbols from both tables, as `feeds.filings` reads them; unreliable dates dropped."""
    parts = []
    for name, flag in (("fundamentals", "late_filing"), ("fundamentals_annual", "filing_date_estimated")):
        table = frames[name]
        table = table[~table[flag] & table["symbol"].isin(symbols)]
        columns = ["symbol", "report_period", "filing_date", "equity", "revenue", *FIELDS]
        parts.append(table.reindex(columns=columns).assign(annual=name == "fundamentals_annual"))
    return pd.concat(parts, ignore_index=True).assign(lastupdated=np.datetime64("NaT", "s"))


def membership(frames: Mapping[str, pd.DataFrame]) -> Membership:
    """Index membership as `feeds.membership` reads it."""
    table = frames["membership"]
    last = table["end_date"].to_numpy().astype("datetime64[D]")
    return Membership(
        source="synthetic",
        symbols=table["symbol"].to_numpy(dtype=object),
        first=table["start_date"].to_numpy().astype("datetime64[D]"),
        last=np.where(np.isnat(last), OPEN_END, last),
    )


def canonical(market: SyntheticMarket) -> dict[str, Mapping[str, Any]]:
    """Every table of the canonical layout by file stem, as columns."""
    stocks = _long(market, np.flatnonzero(market.is_stock))
    funds = _long(market, np.flatnonzero(~market.is_stock))
    blocks = [
        _series_bars(market.dates, symbol, x) for symbol, x in (("SPX", market.index), ("VIX", market.vix))
    ]
    both = {key: np.concatenate([funds[key], *(block[key] for block in blocks)]) for key in funds}
    frames: dict[str, Mapping[str, Any]] = {
        name: {str(c): table[c].to_numpy() for c in table} for name, table in market.tables.items()
    }
    return {"prices": stocks, "market": both, **frames}


def _long(market: SyntheticMarket, columns: AnyArray) -> dict[str, AnyArray]:
    """Bars of some columns in long form, by symbol, then date."""
    name, row = np.nonzero(np.isfinite(market.close[:, columns]).T)
    cells = row, columns[name]
    symbols = np.array(market.symbols, dtype=object)
    out: dict[str, AnyArray] = {"date": market.dates[row], "symbol": symbols[columns[name]]}
    out |= {key: getattr(market, key)[cells] for key in BAR_COLUMNS}
    out["volume"] = market.volume[cells].astype(np.int64)
    return out


def _series_bars(dates: Dates, symbol: str, close: Float1D) -> dict[str, AnyArray]:
    """Index bars that open at the close before; only the close carries information."""
    opening = np.concatenate([close[:1], close[:-1]])
    return {
        "date": dates,
        "symbol": np.full(len(dates), symbol, dtype=object),
        "open": opening,
        "high": np.maximum(opening, close),
        "low": np.minimum(opening, close),
        "close": close,
        "adj_close": close,
        "volume": np.zeros(len(dates), dtype=np.int64),
    }


def write_table(columns: Mapping[str, Any], path: Path) -> None:
    """Write columns as Parquet (dates as naive timestamps) or CSV (ISO dates), by the path's suffix."""
    import pyarrow as pa

    csv = path.suffix == ".csv"
    arrays = {}
    for name, values in columns.items():
        if values.dtype.kind == "M":
            days = values.astype("datetime64[D]")
            arrays[name] = pa.array(days if csv else days.astype("datetime64[ms]"))
        elif values.dtype.kind == "O":
            codes, words = pd.factorize(values)
            arrays[name] = pa.DictionaryArray.from_arrays(codes, pa.array(words)).cast(pa.string())
        else:
            # NaN is a missing value in a file; the reader turns it back.
            arrays[name] = pa.array(values, from_pandas=True)
    table = pa.table(arrays)
    if csv:
        from pyarrow import csv as arrow_csv

        with path.open("wb") as file:
            # The library quotes its own header, and readers are faster without any quote.
            file.write((",".join(arrays) + "\n").encode())
            options = arrow_csv.WriteOptions(include_header=False, quoting_style="none")
            arrow_csv.write_csv(table, file, options)
    else:
        from pyarrow import parquet

        parquet.write_table(table, path, compression="zstd")
