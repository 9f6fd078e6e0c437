"""Risk scalers: exposure of the stock block in [0, 1], from the model curve and VIX (rulings 10, 15)."""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ares7.arrays import Bool1D, Float1D, Float2D
from ares7.book import MONTH_SESSIONS
from ares7.panel import Panel
from ares7.signals.windows import spanning_returns, trailing_mean, trailing_std

MEMORY = 252
"""Sessions over which peaks and the breaker's state are recomputed (rulings 10 and 15)."""


class RiskParams(BaseModel):
    """Scalers, all off by default: on real data each lowered the Sharpe ratio (rulings 15).

    Thresholds are inclusive: drawdowns with ``<=``, VIX levels with ``>=``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    vol_target: float | None = Field(default=None, gt=0, le=1)
    """Annual volatility; 0.12 is ARES7's."""
    vol_window: int = Field(default=60, ge=2)
    drawdown_ladder: bool = False
    ladder: tuple[tuple[float, float], ...] = ((-0.05, 0.9), (-0.08, 0.7), (-0.10, 0.5), (-0.15, 0.3))
    """(drawdown, scale), shallowest first."""
    breaker: bool = False
    breaker_trip: float = Field(default=-0.06, lt=0, gt=-1)
    breaker_reset: float = Field(default=-0.03, le=0, gt=-1)
    breaker_scale: float = Field(default=0.4, ge=0, le=1)
    breaker_cooldown: int = Field(default=20, ge=0, le=MEMORY)
    """Sessions that the breaker stays tripped at least."""
    vix_guard: bool = False
    vix_levels: tuple[tuple[float, float], ...] = ((25.0, 0.75), (30.0, 0.50), (35.0, 0.25))
    """(VIX, scale), lowest first."""
    vix_spike: bool = False
    vix_spike_z: float = Field(default=2.0, gt=0)
    vix_spike_scale: float = Field(default=0.5, ge=0, le=1)
    vix_spike_window: int = Field(default=63, ge=2)
    vix_spike_min: int = Field(default=31, ge=2)
    cost_bps: float = Field(default=10.0, ge=0)
    """Charged to the model curve on changes of target weights."""
    step: float = Field(default=0.1, gt=0, le=1)

    @model_validator(mode="after")
    def _ordered(self) -> RiskParams:
        if any(a[0] <= b[0] for a, b in zip(self.ladder, self.ladder[1:], strict=False)):
            raise ValueError("ladder must go from the shallowest drawdown to the deepest")
        if any(a[0] >= b[0] for a, b in zip(self.vix_levels, self.vix_levels[1:], strict=False)):
            raise ValueError("vix_levels must go from the lowest VIX to the highest")
        if any(not 0 <= scale <= 1 for _, scale in self.ladder + self.vix_levels):
            raise ValueError("scales must lie in [0, 1]; more exposure needs gross > 1 and margin")
        if abs(1.0 / self.step - round(1.0 / self.step)) > 1e-9:
            raise ValueError(
                f"step {self.step:g} does not divide 1: full exposure could never be reached again"
            )
        if self.breaker_reset < self.breaker_trip:
            raise ValueError("breaker_reset must not lie below breaker_trip")
        return self

    @property
    def enabled(self) -> bool:
        """Some scaler is on."""
        return self.reads_curve or self.reads_vix

    @property
    def reads_vix(self) -> bool:
        """Some scaler reads VIX."""
        return self.vix_guard or self.vix_spike

    @property
    def reads_curve(self) -> bool:
        """Some scaler reads the model curve."""
        return self.vol_target is not None or self.drawdown_ladder or self.breaker

    @property
    def warmup(self) -> int:
        """Rows of the model curve and of VIX that row t needs, beyond what the targets need."""
        curve = MEMORY if self.drawdown_ladder or self.breaker else 0
        vol = self.vol_window if self.vol_target is not None else 0
        spike = self.vix_spike_window if self.vix_spike else 0
        breaker = MEMORY if self.breaker else 0
        # The scale is read at the latest decision, up to a month back, like the targets of its first return.
        return max(curve + breaker, vol, spike) + MONTH_SESSIONS if self.enabled else 0


def model_returns(panel: Panel, weights: Float2D, cost_bps: float) -> Float1D:
    """Return of the target book itself, net of costs at target weights (rulings 10).

    Parameters
    ----------
    panel : Panel
    weights : (T, N) fraction of NAV
        Unscaled target rows.
    cost_bps : float
        One way, on the change of target weights, charged on the session after the decision.

    Returns
    -------
    (T,) fraction
        Row t earns ``weights[t - 1]`` over close t-1 to close t. Row 0 is 0.
    """
    moves = spanning_returns(panel.fields["close"])
    out = np.zeros(len(panel.dates))
    out[1:] = (weights[:-1] * np.nan_to_num(moves[1:], nan=0.0)).sum(axis=1)
    change = np.abs(weights[1:] - weights[:-1]).sum(axis=1) * (cost_bps / 1e4)
    out[2:] -= change[:-1]
    return out


def trailing_drawdown(returns: Float1D, memory: int = MEMORY) -> Float1D:
    """Drawdown of a curve against the highest of its last ``memory`` values, each from its own rows.

    Parameters
    ----------
    returns : (T,) fraction
    memory : int

    Returns
    -------
    (T,) in (-1, 0]
    """
    count = len(returns)
    padded = np.concatenate([np.zeros(memory - 1), returns])
    value, peak = np.ones(count), np.ones(count)
    for k in range(1, memory):
        value = value * (1.0 + padded[k : k + count])
        peak = np.maximum(peak, value)
    return value / peak - 1.0


def vol_target_scale(returns: Float1D, target: float, window: int = 60, cap: float = 1.0) -> Float1D:
    """``min(target / annual volatility of the last window returns, cap)``; 1 until the window is full.

    Row t includes return t and applies from t+1, so the window excludes the day it acts on.
    """
    volatility = trailing_std(returns, window) * np.sqrt(252.0)
    out = np.ones(len(returns))
    known = np.isfinite(volatility)
    flat = known & (volatility <= 0)
    out[flat] = cap
    moving = known & (volatility > 0)
    out[moving] = np.minimum(target / volatility[moving], cap)
    return out


def ladder_scale(drawdown: Float1D, ladder: tuple[tuple[float, float], ...]) -> Float1D:
    """Scale of the deepest step that the drawdown has reached (``<=``); 1 above the first."""
    out = np.ones(len(drawdown))
    for threshold, scale in ladder:
        out[drawdown <= threshold] = scale
    return out


def breaker_state(drawdown: Float1D, params: RiskParams) -> Bool1D:
    """Whether the circuit breaker is tripped, recomputed from the last 252 drawdowns (rulings 15).

    It trips at ``drawdown <= breaker_trip`` and is released when the drawdown is above ``breaker_reset`` and
    ``breaker_cooldown`` sessions have passed since it tripped.
    """
    count = len(drawdown)
    padded = np.concatenate([np.zeros(MEMORY - 1), drawdown])
    tripped, since = np.zeros(count, dtype=bool), np.zeros(count, dtype=np.int64)
    for k in range(MEMORY):
        now = padded[k : k + count]
        since = np.where(tripped, since + 1, 0)
        released = tripped & (now > params.breaker_reset) & (since >= params.breaker_cooldown)
        tripped = (tripped & ~released) | (now <= params.breaker_trip)
        since = np.where(tripped & ~released, since, 0)
    return tripped


def vix_scale(vix: Float1D, params: RiskParams) -> Float1D:
    """VIX guard: scale of the highest level reached (``>=``), times the spike factor."""
    out = np.ones(len(vix))
    if params.vix_guard:
        for level, scale in params.vix_levels:
            out[vix >= level] = scale
    if params.vix_spike:
        mean = _partial_mean(vix, params.vix_spike_window, params.vix_spike_min)
        spread = trailing_std(vix, params.vix_spike_window, params.vix_spike_min)
        known = np.isfinite(mean) & np.isfinite(spread) & (spread > 1e-12)
        z = np.zeros(len(vix))
        z[known] = (vix[known] - mean[known]) / spread[known]
        out[z >= params.vix_spike_z] *= params.vix_spike_scale
    return out


def _partial_mean(x: Float1D, width: int, min_values: int) -> Float1D:
    padded = np.concatenate([np.full(width - 1, np.nan), x])
    there = np.isfinite(padded)
    count = trailing_mean(there.astype(np.float64), width)[width - 1 :] * width
    total = trailing_mean(np.where(there, padded, 0.0), width)[width - 1 :] * width
    return np.where(count >= min_values, total / np.maximum(count, 1), np.nan)


def floor_to_step(scale: Float1D, step: float) -> Float1D:
    """Floor to a multiple of ``step``; a value within 1e-9 below a multiple counts as that multiple."""
    return np.round(np.floor(scale / step + 1e-9) * step, 12)


def combined_scale(returns: Float1D, vix: Float1D | None, params: RiskParams) -> Float1D:
    """Minimum of the enabled scalers, floored to steps (rulings 15).

    Parameters
    ----------
    returns : (T,) fraction
        `model_returns` of the unscaled book, after overlays; not read unless ``params.reads_curve``.
    vix : (T,) or None
        Needed where ``params.reads_vix``.
    params : RiskParams

    Returns
    -------
    (T,) in [0, 1]
        Known at close t.
    """
    scale = np.ones(len(returns))
    if params.vol_target is not None:
        scale = np.minimum(scale, vol_target_scale(returns, params.vol_target, params.vol_window))
    if params.drawdown_ladder or params.breaker:
        scale = np.minimum(scale, drawdown_scale(trailing_drawdown(returns), params))
    if vix is not None and params.reads_vix:
        scale = np.minimum(scale, vix_scale(vix, params))
    return floor_to_step(scale, params.step)


def drawdown_scale(drawdown: Float1D, params: RiskParams) -> Float1D:
    """Ladder times breaker: the breaker multiplies the ladder."""
    scale = ladder_scale(drawdown, params.ladder) if params.drawdown_ladder else np.ones(len(drawdown))
    if params.breaker:
        scale = np.where(breaker_state(drawdown, params), scale * params.breaker_scale, scale)
    return scale
