"""Has the past changed? Bars that are there are asked for again, and a difference gets its name.

==========  ======================================================================================================
split       every close is the old one times the same ratio, and volumes are divided by it
dividend    closes are the same, and every adjusted close is the old one times the same ratio
revision    anything else: a corrected price or volume, a bar that came or went, a rescaling without volume (spin-off)
==========  ======================================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
import pandas as pd

from ares7.arrays import Bool1D, Float1D
from feeds.fetch.source import PRICES

SPLIT_VOLUME = 0.05
"""How far volumes of a split may lie from the ratio: vendors round them to shares, or to lots."""
_KEY = ["symbol", "date"]


@dataclass(frozen=True, slots=True)
class Change:
    """What has changed in a symbol's past.

    Attributes
    ----------
    symbol : str
    kind : {"split", "dividend", "revision"}
    text : str
    """

    symbol: str
    kind: Literal["split", "dividend", "revision"]
    text: str


def changes(old: pd.DataFrame, new: pd.DataFrame, tolerance: float, volume_tolerance: float) -> list[Change]:
    """Compare bars that are there with the same ones asked for again.

    Parameters
    ----------
    old : DataFrame
        Canonical bars, as in the folder.
    new : DataFrame
        The same columns, as fetched; for each symbol from the first day that was asked for.
    tolerance, volume_tolerance : float
        Relative differences below are none.

    Returns
    -------
    list of Change
        At most one a symbol, by symbol.
    """
    if old.empty or new.empty:
        return []
    begins = new.groupby("symbol")["date"].min()
    ends = old.groupby("symbol")["date"].max()
    old = old[old["date"] >= old["symbol"].map(begins)]
    new = new[new["date"] <= new["symbol"].map(ends)]
    both = old.merge(new, on=_KEY, how="outer", suffixes=("_old", "_new"), indicator=True)
    different = (both["_merge"] != "both").to_numpy() | _different(both, tolerance, volume_tolerance)
    found = []
    for symbol in sorted(set(both.loc[different, "symbol"])):
        rows = (both["symbol"] == symbol).to_numpy()
        found.append(_named(str(symbol), both[rows], different[rows], tolerance))
    return found


def _different(both: pd.DataFrame, tolerance: float, volume_tolerance: float) -> Bool1D:
    found = np.zeros(len(both), dtype=bool)
    for name in (*PRICES, "volume"):
        limit = volume_tolerance if name == "volume" else tolerance
        before, after = _pair(both, name)
        with np.errstate(invalid="ignore"):
            off = np.abs(after - before) > limit * np.maximum(np.abs(before), np.abs(after))
        found |= off | (np.isnan(before) != np.isnan(after))
    return found


def _pair(both: pd.DataFrame, name: str) -> tuple[Float1D, Float1D]:
    return (
        both[f"{name}_old"].to_numpy(dtype=np.float64),
        both[f"{name}_new"].to_numpy(dtype=np.float64),
    )


def _named(symbol: str, rows: pd.DataFrame, different: Bool1D, tolerance: float) -> Change:
    first = f"{rows.loc[different, 'date'].min():%Y-%m-%d}"
    whole = (rows["_merge"] == "both").all()
    if whole:
        close, adjusted, volume = (_ratios(rows, name) for name in ("close", "adj_close", "volume"))
        ratio, turnover = float(np.median(close)), float(np.nanmedian(volume)) if len(volume) else np.nan
        if _constant(close, tolerance) and abs(ratio - 1) > tolerance:
            if abs(turnover * ratio - 1) <= SPLIT_VOLUME:
                return Change(
                    symbol, "split", f"{_fraction(ratio)}, closes times {ratio:.6g}, volumes divided"
                )
            text = (
                f"closes times {ratio:.6g} and volumes not divided: a spin-off, or a rescaling by the vendor"
            )
            return Change(symbol, "revision", text)
        steady = _constant(close, tolerance) and _constant(adjusted, tolerance)
        if steady and abs(float(np.median(adjusted)) - 1) > tolerance:
            text = f"adjusted closes times {float(np.median(adjusted)):.6g}"
            return Change(symbol, "dividend", text)
    gone, come = ((rows["_merge"] == side).sum() for side in ("left_only", "right_only"))
    what = f"{int(different.sum())} bars differ from {first} on"
    if gone or come:
        what += f", {gone} of them gone and {come} new"
    elif len(worst := _largest(rows)):
        what += f"; {worst}"
    return Change(symbol, "revision", what)


def _ratios(rows: pd.DataFrame, name: str) -> Float1D:
    """New over old, where both are there and not 0."""
    before, after = _pair(rows, name)
    known = np.isfinite(before) & np.isfinite(after) & (before != 0)
    ratios: Float1D = after[known] / before[known]
    return ratios


def _constant(ratios: Float1D, tolerance: float) -> bool:
    return len(ratios) > 0 and float(np.ptp(ratios)) <= 4 * tolerance * float(np.abs(ratios).max())


def _fraction(ratio: float) -> str:
    """``4:1`` for closes times 0.25."""
    simple = Fraction(ratio).limit_denominator(50)
    return f"{simple.denominator}:{simple.numerator}"


def _largest(rows: pd.DataFrame) -> str:
    best, text = 0.0, ""
    for name in (*PRICES, "volume"):
        before, after = _pair(rows, name)
        with np.errstate(invalid="ignore", divide="ignore"):
            move = np.nan_to_num(np.abs(after / before - 1), nan=0.0, posinf=np.inf)
        if len(move) and move.max() > best:
            at = int(move.argmax())
            best, text = float(move[at]), f"the largest is {name} {before[at]:g}, now {after[at]:g}"
    return text
