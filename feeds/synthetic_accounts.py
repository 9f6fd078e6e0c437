"""Accounts of the synthetic companies: quarterly figures, filings, restatements, earnings announcements.

Net income follows a seasonal process, NI(q) = trend(q) * (1 + d(q)) with d(q) = .85 d(q-4) + .25 u(q), so that
the surprise u(q), drawn independently for each quarter, is what a seasonal difference of EPS measures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ares7.arrays import AnyArray, Bool1D, Dates, Float1D, Float2D
from ares7.signals.cross_section import leg, merge, standard_score
from feeds.asof import latest_visible
from feeds.synthetic_universe import Universe, stream

HISTORY_YEARS = 3
RESTATED_SHARE = 0.04
MISSING_SHARE = 0.03
LATE_FILING_SHARE = 0.004
SURPRISE_SCALE = 0.25
SEASONAL_MEMORY = 0.85
PIT_DELAY_DAYS = 90
MAX_AGE_DAYS = 500
ANNUAL_ONLY = ("ebitda_margin",)
ONE_FILE = (*ANNUAL_ONLY, "operating_margin", "liabilities_to_equity")
"""Ratios that only the annual, or only the quarterly file carries."""
SESSION_FLAGS = ("pre", "post", "intraday", "unknown")
TIMES = {"pre": "07:00", "post": "16:05", "intraday": "12:00", "unknown": ""}


@dataclass(frozen=True, slots=True)
class Accounts:
    """Filings and announcements of all companies, one row each.

    Attributes
    ----------
    filings : DataFrame
        ``name`` (column of the universe), ``annual`` (bool), dates, amounts in USD and ratios. A restatement is a
        second row for a period, filed later.
    events : DataFrame
        ``name``, ``announce_date``, ``session``, ``fiscal_quarter_end``, ``earnings`` and ``estimate`` (USD),
        ``surprise`` (standardised, N(0, 1)), ``effective`` (row of the effective session, T when after the end,
        -1 when before the start).
    """

    filings: pd.DataFrame
    events: pd.DataFrame


def draw_accounts(seed: int, universe: Universe, dates: Dates, known: Dates) -> Accounts:
    """Draw the accounts.

    Parameters
    ----------
    dates : (T,) datetime64[D]
        Sessions of the market.
    known : datetime64[D]
        Sessions from `HISTORY_YEARS` before the first to the last.
    """
    rng = stream(seed, "accounts")
    periods, fiscal = _periods(rng, len(universe.names), dates)
    figures, surprise, estimate = _figures(rng, periods.shape, fiscal)
    lag = _lags(rng, fiscal)
    filing = _roll(known, periods + lag)
    listed_from, listed_to = dates[universe.first], dates[universe.last]
    history = np.where(universe.first == 0, 9999, 450).astype("timedelta64[D]")
    index = np.arange(periods.shape[1])
    published = (
        (index >= 7)
        & (periods >= (listed_from - history)[:, None])
        & (filing <= listed_to[:, None])
        & (periods + lag <= known[-1])
    )
    rows = np.nonzero(published)
    flat = pd.DataFrame({name: values[rows] for name, values in figures.items()})
    flat.insert(0, "name", rows[0])
    flat.insert(1, "fiscal", fiscal[rows])
    flat.insert(2, "report_period", periods[rows])
    flat.insert(3, "filing_date", filing[rows])
    filings = _with_defects(rng, flat, known, listed_to)
    events = _announcements(rng, published, periods, lag, dates, known)
    events["earnings"] = figures["net_income"][rows]
    events["estimate"] = estimate[rows]
    events["surprise"] = surprise[rows]
    return Accounts(filings, events)


def _periods(rng: np.random.Generator, names: int, dates: Dates) -> tuple[Dates, AnyArray]:
    """Quarter ends (N, K) datetime64[D] and fiscal quarter 0..3 (N, K); most years end in December."""
    base = dates[0].astype("datetime64[Y]").astype("datetime64[M]") - np.timedelta64(
        12 * HISTORY_YEARS + 12, "M"
    )
    months = int((dates[-1].astype("datetime64[M]") - base).astype(np.int64))
    quarters = np.arange(months // 3 + 1)
    offset = rng.choice(3, size=names, p=(0.8, 0.1, 0.1))
    month = base + (3 * quarters + 3 + offset[:, None]).astype("timedelta64[M]")
    ends = month.astype("datetime64[D]") - np.timedelta64(1, "D")
    return ends, np.broadcast_to(quarters % 4, ends.shape)


def _lags(rng: np.random.Generator, fiscal: AnyArray) -> AnyArray:
    """Days from quarter end to filing, (N, K) timedelta64[D]: 25 to 71, longest for the annual report."""
    own = rng.integers(25, 51, size=(len(fiscal), 1))
    lag = own + rng.integers(0, 9, size=fiscal.shape) + np.where(fiscal == 3, 12, 0)
    late = rng.random(fiscal.shape) < LATE_FILING_SHARE
    lag = np.where(late, rng.integers(160, 260, size=fiscal.shape), lag)
    return lag.astype("timedelta64[D]")


def _roll(known: Dates, day: Dates) -> Dates:
    """Move each day to the session on or after it (the last one known where there is none)."""
    return known[np.minimum(np.searchsorted(known, day), len(known) - 1)]


def _figures(
    rng: np.random.Generator, shape: tuple[int, ...], fiscal: AnyArray
) -> tuple[dict[str, Float2D], Float2D, Float2D]:
    """Quarterly amounts (N, K) for companies of 1 USD annual revenue at first; surprise; expected net income."""
    names, quarters = shape
    season = 1.0 + np.take_along_axis(rng.uniform(-0.15, 0.15, (names, 4)), fiscal, axis=1)
    growth = 1.0 + np.clip(rng.normal(0.05, 0.03, (names, 1)), -0.02, 0.13)
    trend = 0.25 * season * growth ** (np.arange(quarters) / 4.0)
    revenue = trend * (1.0 + 0.02 * rng.standard_normal(shape))
    margin = np.clip(0.09 * np.exp(0.5 * rng.standard_normal((names, 1))), 0.02, 0.3)
    surprise = rng.standard_normal(shape)
    deviation = np.zeros(shape)
    start = rng.standard_normal((names, 4)) * SURPRISE_SCALE / np.sqrt(1.0 - SEASONAL_MEMORY**2)
    for k in range(quarters):
        before = deviation[:, k - 4] if k >= 4 else start[:, k]
        deviation[:, k] = SEASONAL_MEMORY * before + SURPRISE_SCALE * surprise[:, k]
    net_income = margin * trend * (1.0 + deviation)
    operating_income = net_income / 0.75 + 0.01 * trend
    assets = _year(revenue) * rng.uniform(0.8, 2.2, (names, 1))
    equity = assets * _equity_ratio(rng, shape)
    debt = (assets - equity) * rng.uniform(0.25, 0.6, (names, 1))
    figures = {
        "revenue": revenue,
        "gross_profit": operating_income + revenue * rng.uniform(0.1, 0.35, (names, 1)),
        "operating_income": operating_income,
        "net_income": net_income,
        "depreciation": revenue * rng.uniform(0.02, 0.08, (names, 1)),
        "total_assets": assets,
        "equity": equity,
        "long_term_debt": debt,
        "short_term_debt": debt * rng.uniform(0.0, 0.2, (names, 1)),
        "current_liabilities": (assets - equity) * 0.3,
        "cash": assets * rng.uniform(0.02, 0.2, (names, 1)),
    }
    for name in ("revenue", "gross_profit", "operating_income", "net_income", "depreciation"):
        figures[f"{name}_ttm"] = _year(figures[name])
    return figures, surprise, net_income - margin * trend * SURPRISE_SCALE * surprise


def _year(quarterly: Float2D) -> Float2D:
    """Sum of four consecutive quarters; the first three columns are scaled up from what is there."""
    total = np.cumsum(quarterly, axis=1)
    out = total * 4.0 / np.minimum(np.arange(1, quarterly.shape[1] + 1), 4)
    out[:, 4:] = total[:, 4:] - total[:, :-4]
    return out


def _equity_ratio(rng: np.random.Generator, shape: tuple[int, ...]) -> Float2D:
    """Equity over assets, (N, K): slow and mean-reverting; a few names buy back more than they have."""
    names, quarters = shape
    level = np.empty(shape)
    level[:, 0] = rng.standard_normal(names)
    shocks = np.sqrt(1.0 - 0.97**2) * rng.standard_normal(shape)
    for k in range(1, quarters):
        level[:, k] = 0.97 * level[:, k - 1] + shocks[:, k]
    ratio = np.clip(0.42 + 0.13 * level, 0.1, 0.85)
    for name in rng.permutation(names)[: max(1, round(0.03 * names))]:
        ratio[name, int(rng.integers(8, max(9, quarters * 3 // 4))) :] -= 0.6
    return ratio


def _with_defects(
    rng: np.random.Generator, flat: pd.DataFrame, known: Dates, listed_to: Dates
) -> pd.DataFrame:
    """Remove some values, append restatements and annual rows, then derive the ratios."""
    no_debt = rng.permutation(int(flat["name"].max()) + 1)[: max(1, len(listed_to) // 16)]
    for column in ("operating_income", "equity", "long_term_debt", "gross_profit", "cash"):
        gone = rng.random(len(flat)) < MISSING_SHARE
        if column == "long_term_debt":
            gone |= flat["name"].isin(no_debt).to_numpy()
        flat.loc[gone, column] = np.nan
        if f"{column}_ttm" in flat:
            flat.loc[gone, f"{column}_ttm"] = np.nan
    again = flat[rng.random(len(flat)) < RESTATED_SHARE].copy()
    change = rng.uniform(0.05, 0.25, len(again)) * rng.choice([-1.0, 1.0], len(again))
    for column in ("net_income", "operating_income"):
        again[f"{column}_ttm"] += again[column] * change
        again[column] *= 1.0 + change
    again["equity"] *= 1.0 + 0.3 * change
    again["filing_date"] = _roll(
        known, again["filing_date"].to_numpy() + rng.integers(40, 200, len(again)).astype("timedelta64[D]")
    )
    in_time = again["filing_date"].to_numpy() <= np.minimum(listed_to[again["name"]], known[-2])
    annual = flat[flat["fiscal"] == 3].copy()
    flat["annual"], again["annual"], annual["annual"] = False, False, True
    filings = pd.concat([flat, again[in_time], annual], ignore_index=True)
    filings["filing_date_estimated"] = filings["annual"] & (rng.random(len(filings)) < 0.06)
    return _ratios(filings.sort_values(["name", "report_period", "filing_date"], kind="stable"))


def _ratios(filings: pd.DataFrame) -> pd.DataFrame:
    """Add the ratios and the lag; ratios over equity are NaN where it is not positive."""
    lag = (filings["filing_date"] - filings["report_period"]).dt.days
    own = filings["equity"].where(filings["equity"] > 0)
    borrowed = filings["long_term_debt"]
    return filings.assign(
        lag_days=lag.astype(np.int32),
        late_filing=(lag > 150)
        & ~filings["annual"]
        & ~filings.duplicated(["name", "report_period", "annual"]),
        roe=filings["net_income_ttm"] / own,
        operating_margin=filings["operating_income_ttm"] / filings["revenue_ttm"],
        gross_margin=filings["gross_profit_ttm"] / filings["revenue_ttm"],
        ebitda_margin=(filings["operating_income_ttm"] + filings["depreciation_ttm"])
        / filings["revenue_ttm"],
        debt_to_equity=(borrowed + filings["short_term_debt"].where(filings["annual"], 0.0)) / own,
        liabilities_to_equity=(filings["total_assets"] - own) / own,
    ).reset_index(drop=True)


def _announcements(
    rng: np.random.Generator, published: AnyArray, periods: Dates, lag: AnyArray, dates: Dates, known: Dates
) -> pd.DataFrame:
    """One announcement for each filed quarter, 2 to 12 days before the filing; 1 % on a Saturday."""
    rows = np.nonzero(published)
    count = len(rows[0])
    day = periods[rows] + np.minimum(lag[rows], np.timedelta64(75, "D"))
    day = _roll(known, day - rng.integers(2, 13, count).astype("timedelta64[D]"))
    weekday = (day.astype(np.int64) + 3) % 7
    saturday = (rng.random(count) < 0.01) & (weekday >= 2) & (weekday <= 4)
    day = np.where(saturday, day + (5 - weekday).astype("timedelta64[D]"), day)
    day = np.minimum(day, known[-1])
    flag = rng.choice(len(SESSION_FLAGS), size=count, p=(0.5, 0.43, 0.02, 0.05))
    # Before or during the session acts on the day itself; after the close or unknown on the next (rulings 22).
    same_day = (flag == 0) | (flag == 2)
    effective = np.where(same_day, np.searchsorted(dates, day), np.searchsorted(dates, day, side="right"))
    return pd.DataFrame(
        {
            "name": rows[0],
            "announce_date": day,
            "session": np.array(SESSION_FLAGS, dtype=object)[flag],
            "fiscal_quarter_end": periods[rows],
            "effective": np.where(day < dates[0], -1, effective),
        }
    )


def visible_quality(accounts: Accounts, universe: Universe, dates: Dates, month_end: Bool1D) -> Float2D:
    """Quality score from the figures that are public with the default delay of 90 days.

    Parameters
    ----------
    dates : (T,) datetime64[D]
    month_end : (T,) bool

    Returns
    -------
    (T, N)
        Standardised score known at close t, renewed on the first row and at month ends; visibility, slots and
        standardisation as rulings 16 to 18; 0 where nothing is visible.
    """
    filings = accounts.filings
    used = filings[~filings["late_filing"] & ~filings["filing_date_estimated"]]
    symbol = np.array(universe.names, dtype=object)[used["name"]]
    hidden = {name: used[name].where(used["annual"] == (name in ANNUAL_ONLY)) for name in ONE_FILE}
    rows = used.assign(symbol=symbol, lastupdated=np.datetime64("NaT", "s"), **hidden)
    visible = latest_visible(rows, dates, universe.names, PIT_DELAY_DAYS, MAX_AGE_DAYS)
    renewals = np.flatnonzero(month_end | (np.arange(len(dates)) == 0))
    score = np.zeros((len(renewals), len(universe.names)))
    for k, row in enumerate(renewals):
        latest = {name: values[row] for name, values in visible.items()}
        score[k] = _quality_score(latest, universe.listed[row])
    return score[np.searchsorted(renewals, np.arange(len(dates)), side="right") - 1]


def _quality_score(latest: dict[str, Float1D], among: Bool1D) -> Float1D:
    minimum = min(20, max(2, int(among.sum()) // 4))
    z = {key: standard_score(values, among, min_names=minimum) for key, values in latest.items()}
    slots = (
        z["roe"],
        merge(z["ebitda_margin"], z["operating_margin"], minimum),
        merge(-z["debt_to_equity"], -z["liabilities_to_equity"], minimum),
    )
    return np.clip(leg(slots, among), -3.0, 3.0)
