"""Other futures: a panel whose rows after t are changed, in one input or in all, while rows up to t stay."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from ares7.arrays import AnyArray, Bool1D, Bool2D, Float1D, Float2D, Int1D
from ares7.panel import PRICE_FIELDS, Panel

PRICES = (*PRICE_FIELDS, "price")
"""Fields of one bar: they are changed together, so that a high stays a high."""
MEMBERSHIP = "membership"
DATES = "dates"
CALENDAR = ("month_end", "week_end")
LENGTH = "the number of rows"
"""What is left when no input's future matters, and the row differs all the same."""
GONE, HOLED = 3, 3
"""One stock in three has no bar after t, and the next one some."""
HOLE = 3
"""Sessions; a name without a bar for longer is no longer decided on."""


def input_groups(panel: Panel) -> dict[str, tuple[str, ...]]:
    """Return what is changed together, by the name that a finding gives it.

    The calendar is no group: exchange sessions and month ends are known ahead.
    """
    prices = tuple(name for name in PRICES if name in panel.fields)
    groups = {"prices": prices} if prices else {}
    others = [name for name in panel.fields if name not in prices]
    groups |= {name: (name,) for name in [*others, *panel.series]}
    groups[MEMBERSHIP] = (MEMBERSHIP,)
    return groups


def all_inputs(panel: Panel) -> tuple[str, ...]:
    """Every name that `scrambled` takes."""
    return tuple(name for group in input_groups(panel).values() for name in group)


def scrambled(
    panel: Panel, t: int, names: Iterable[str], rng: np.random.Generator, *, gaps: bool = False
) -> Panel:
    """Change the named inputs in every row after ``t``.

    Prices, volume and series are reordered in time and multiplied by positive factors of their own, a row and a
    name; other fields take values of other sessions and other stocks, so that each value remains one that the
    field really takes; stocks join and leave the universe.

    Parameters
    ----------
    panel : Panel
    t : int
        Last row that stays as it is.
    names : iterable of str
        Fields, series, or `MEMBERSHIP`.
    rng : numpy.random.Generator
    gaps : bool
        Stocks also lose bars and values after t: a third for good, a third now and then.

    Returns
    -------
    Panel
        Views of what is not changed.
    """
    chosen = frozenset(names)
    future, stocks = len(panel.dates) - t - 1, np.flatnonzero(panel.is_stock)
    order = rng.permutation(future)
    grow = rng.uniform(0.5, 2.0, (future, 1)), rng.uniform(0.5, 2.0, (1, len(panel.symbols)))
    holes = _holes(panel, future, rng) if gaps else None
    fields: dict[str, Float2D] = dict(panel.fields)
    for name in sorted(chosen & fields.keys()):
        later = fields[name][t + 1 :]
        if name in PRICES or name == "volume":
            other = later[order] * grow[0] * grow[1]
        else:
            other = _of_others(later, stocks, rng)
        if holes is not None:
            other[holes] = np.nan
        fields[name] = _joined(fields[name][: t + 1], other)
    series: dict[str, Float1D] = dict(panel.series)
    for name in sorted(chosen & series.keys()):
        series[name] = _joined(series[name][: t + 1], series[name][t + 1 :][order] * grow[0][:, 0])
    member = panel.member
    if MEMBERSHIP in chosen:
        member = _joined(member[: t + 1], _moved(member[t + 1 :], panel.is_stock, rng))
    return replace(panel, fields=fields, series=series, member=member)


def with_holes(panel: Panel, t: int, rng: np.random.Generator) -> Panel:
    """Remove values up to ``t`` that later rows have: what a back-fill would fill.

    Of each bar and each other field, a fifth of the stocks has nothing up to ``t``, and a fifth nothing in the
    last `HOLE` rows.
    """
    fields: dict[str, Float2D] = dict(panel.fields)
    for group in input_groups(panel).values():
        stocks = rng.permutation(np.flatnonzero(panel.is_stock))
        for name in sorted(fields.keys() & set(group)):
            past = fields[name][: t + 1].copy()
            past[:, stocks[::5]] = np.nan
            past[-HOLE:, stocks[1::5]] = np.nan
            fields[name] = _joined(past, fields[name][t + 1 :])
    return replace(panel, fields=fields)


def other_calendar(panel: Panel, t: int, name: str) -> list[Panel]:
    """Panels whose calendar differs after ``t``: other dates, or other marks of `CALENDAR`."""
    if name == DATES:
        later, last = panel.dates[t + 1 :], panel.dates[t]
        moved = (later + np.timedelta64(45, "D"), np.full(len(later), last))
        return [replace(panel, dates=np.concatenate([panel.dates[: t + 1], days])) for days in moved]
    marks = {
        "month_end": panel.month_end,
        "week_end": panel.week_end,
        name: _joined(getattr(panel, name)[: t + 1], ~getattr(panel, name)[t + 1 :]),
    }
    return [replace(panel, month_end=marks["month_end"], week_end=marks["week_end"])]


def scaled(panel: Panel, factors: Mapping[str, AnyArray | float]) -> Panel:
    """Multiply fields and series by a number, or by one a name."""
    fields = {k: v * factors[k] if k in factors else v for k, v in panel.fields.items()}
    series = {k: v * factors[k] if k in factors else v for k, v in panel.series.items()}
    return replace(panel, fields=fields, series=series)


def without_values(panel: Panel, missing: Bool2D) -> Panel:
    """Remove bars and values: every field is NaN where ``missing`` (T, N) is true."""
    return replace(panel, fields={k: np.where(missing, np.nan, v) for k, v in panel.fields.items()})


def _joined(past: AnyArray, later: AnyArray) -> AnyArray:
    out = np.concatenate([past, later])
    out.flags.writeable = False
    return out


def _of_others(later: Float2D, stocks: Int1D, rng: np.random.Generator) -> Float2D:
    """Values of other rows and other stocks, drawn with replacement: quantiles and means change too."""
    out = later[rng.integers(0, max(len(later), 1), len(later))]
    if len(stocks):
        out[:, stocks] = out[:, rng.choice(stocks, len(stocks))]
    return out


def _holes(panel: Panel, future: int, rng: np.random.Generator) -> Bool2D:
    holes = np.zeros((future, len(panel.symbols)), dtype=bool)
    stocks = rng.permutation(np.flatnonzero(panel.is_stock))
    holes[:, stocks[::GONE]] = True
    now_and_then = stocks[1::HOLED]
    holes[:, now_and_then] = rng.random((future, len(now_and_then))) < 0.3
    return holes


def _moved(member: Bool2D, is_stock: Bool1D, rng: np.random.Generator) -> Bool2D:
    """Half of the stocks change sides for good, the others now and then."""
    flip = rng.random(member.shape) < 0.1
    flip[:, rng.random(member.shape[1]) < 0.5] = True
    return np.asarray(member ^ (flip & is_stock))
