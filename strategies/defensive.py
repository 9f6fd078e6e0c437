"""Defensive: a trend-gated, inverse-volatility basket of bond and gold funds, or the SPY/TLT switch."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import Field, field_validator

from ares7.arrays import Bool1D, Bool2D, Float2D, Int1D
from ares7.book import Sleeve, Targets, month_end_rows, single_sleeve
from ares7.errors import MissingData
from ares7.panel import Panel
from ares7.params import BookParams
from ares7.risk import MEMORY, model_returns, trailing_drawdown
from ares7.signals.cross_section import normalised
from ares7.signals.volatility import risk_at
from ares7.signals.windows import mean_at
from ares7.stages import stage
from strategies.base import PortfolioStrategy


class Params(BookParams):
    """Basket and switch settings (rulings 20)."""

    mode: Literal["basket", "switch"] = "basket"
    assets: tuple[str, ...] = Field(default=("TLT", "IEF", "SHY", "GLD"), min_length=1)
    cash_symbol: str | None = "BIL"
    """Takes the weight of gated assets; null leaves it in cash."""
    vol_window: int = Field(default=63, ge=5, le=252)
    trend_window: int = Field(default=200, ge=2, le=1000)
    equity: str = "SPY"
    bond: str = "TLT"
    fall_window: int = Field(default=60, ge=1, le=252)
    fall_limit: float = Field(default=-0.05, lt=0)
    drawdown_limit: float = Field(default=-0.10, lt=0)
    risk_off_equity: float = Field(default=0.7, ge=0, le=1)

    @field_validator("assets")
    @classmethod
    def _distinct(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            raise ValueError("each asset may be named once")
        return value

    @property
    def lookback(self) -> int:
        """The longest window; the switch reads a curve of 252 sessions."""
        basket = max(self.vol_window + 1, self.trend_window)
        return max(self.trend_window, self.fall_window + 1, MEMORY + 1) if self.mode == "switch" else basket

    @property
    def requires(self) -> frozenset[str]:
        """Only funds."""
        return frozenset({"etfs"})


def _column(panel: Panel, symbol: str) -> int:
    if symbol not in panel.symbols:
        raise MissingData(
            f"defensive sleeve: {symbol!r} is not in the panel; add it to data.etfs and to the market file"
        )
    return panel.symbols.index(symbol)


def trend_gate(close: Float2D, rows: Int1D, window: int) -> Bool2D:
    """(R, N) bool: the close is strictly above its own average at that row; false where either is missing."""
    return np.greater(close[rows], mean_at(close, rows, window))


def _basket(panel: Panel, params: Params) -> Sleeve:
    rows = month_end_rows(panel, params.vol_window + 1)
    columns = np.array([_column(panel, symbol) for symbol in params.assets])
    close = np.ascontiguousarray(panel.fields["close"][:, columns])
    volatility = risk_at(close, None, rows, params.vol_window, params.vol_window).volatility
    usable = np.isfinite(close[rows]) & np.greater(volatility, 0)
    share = normalised(np.divide(1.0, volatility, out=np.zeros(volatility.shape), where=usable))
    gates = trend_gate(close, rows, params.trend_window)
    book = np.zeros((len(rows), panel.shape[1]))
    book[:, columns] = np.where(gates, share, 0.0)
    if params.cash_symbol is not None:
        parked = _column(panel, params.cash_symbol)
        gated = np.where(gates, 0.0, share).sum(axis=1)
        book[:, parked] += gated * np.isfinite(panel.fields["close"][rows, parked])
    return Sleeve(rows, book)


def risk_on(panel: Panel, params: Params) -> Bool1D:
    """(T,) bool of the SPY/TLT switch: trend, 60-session fall and drawdown of the unswitched book.

    A missing comparison is false, so the first rows are risk-off.
    """
    column = _column(panel, params.equity)
    close = panel.fields["close"][:, column]
    fall = np.full(len(close), np.nan)
    earlier = close[: max(len(close) - params.fall_window, 0)]
    fall[params.fall_window :] = close[params.fall_window :] / earlier - 1.0
    unswitched = np.zeros(panel.shape)
    unswitched[:, column] = params.gross * np.isfinite(close)
    drawdown = trailing_drawdown(model_returns(panel, unswitched, cost_bps=0.0))
    calm = np.zeros(len(close), dtype=bool)
    np.greater(fall, params.fall_limit, out=calm, where=np.isfinite(fall))
    trend = trend_gate(close[:, None], np.arange(len(close)), params.trend_window)[:, 0]
    return trend & calm & (drawdown > params.drawdown_limit)


def _switch(panel: Panel, params: Params) -> Sleeve:
    rows = month_end_rows(panel)
    on = risk_on(panel, params)[rows]
    book = np.zeros((len(rows), panel.shape[1]))
    equity, bond = _column(panel, params.equity), _column(panel, params.bond)
    book[:, equity] = np.where(on, 1.0, params.risk_off_equity) * panel.bar[rows, equity]
    book[:, bond] += np.where(on, 0.0, 1.0 - params.risk_off_equity) * panel.bar[rows, bond]
    return Sleeve(rows, book)


@stage(*Params.model_fields)
def sleeve(panel: Panel, params: Params) -> Sleeve:
    """Weights inside the sleeve at each month end; what is missing to 1 is cash."""
    return _basket(panel, params) if params.mode == "basket" else _switch(panel, params)


def weights(panel: Panel, params: Params) -> Targets:
    """Target rows of the defensive book.

    Returns
    -------
    Targets
        ``weights`` (T, N) fraction of NAV; row t uses data up to and including close t.
    """
    return single_sleeve(panel, "defensive", sleeve(panel, params), params.gross)


def diagnostics(panel: Panel, params: Params) -> dict[str, Any]:
    """Share of the basket that near-cash funds take (rulings 20), for the report's notes."""
    if params.mode != "basket":
        return {}
    book = sleeve(panel, params)
    columns = [panel.symbols.index(s) for s in ("SHY", "BIL") if s in panel.symbols]
    inside = book.rows >= panel.start_row
    total = book.weights[inside].sum()
    if total == 0 or not columns:
        return {}
    share = float(book.weights[inside][:, columns].sum() / total)
    return {"notes": [f"SHY and BIL are {share:.0%} of the defensive basket: it is close to cash."]}


class Defensive(PortfolioStrategy):
    """Event-driven defensive book."""

    Params = Params
    weights = staticmethod(weights)
    diagnostics = staticmethod(diagnostics)
