"""What the regime and the risk scalers read at one session, and what they made of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ares7.arrays import Float1D
from ares7.panel import Panel
from ares7.params import RegimeParams
from ares7.risk import (
    RiskParams,
    breaker_state,
    combined_scale,
    ladder_scale,
    trailing_drawdown,
    vix_scale,
    vol_target_scale,
)
from ares7.signals.windows import trailing_mean, trailing_std


@dataclass(frozen=True, slots=True)
class RegimeReading:
    """Inputs of the regime at one close, and the label.

    Attributes
    ----------
    raw, held : str
        Label as classified, and after the minimum hold.
    index, average : float
        Index close and the mean of its latest ``sma`` closes; NaN while that window is not full.
    return_short, return_long : float
        Of the index over ``short`` and ``long`` sessions; NaN without that history.
    vix : float
    sma, short, long : int
        Sessions.
    vix_bull, vix_high : float
        Thresholds.
    """

    raw: str
    held: str
    index: float
    average: float
    return_short: float
    return_long: float
    vix: float
    sma: int
    short: int
    long: int
    vix_bull: float
    vix_high: float

    @property
    def why(self) -> str:
        """The rule that gave the raw label (rulings 12), with its figures."""
        if self.vix >= self.vix_high:
            return f"VIX {self.vix:.2f} is at or above {self.vix_high:g}"
        if not np.isfinite([self.average, self.return_short, self.return_long, self.vix]).all():
            return f"fewer than {self.long + 1} index closes, or no VIX"
        rising = [r > 0 for r in (self.return_short, self.return_long)]
        above = self.index > self.average
        text = (
            f"index {self.index:.2f} {'above' if above else 'not above'} its {self.sma}-session mean "
            f"{self.average:.2f}, {self.short}-session return {self.return_short:+.2%}, {self.long}-session return "
            f"{self.return_long:+.2%}, VIX {self.vix:.2f}"
        )
        if above and all(rising):
            return f"{text}; {'below' if self.vix < self.vix_bull else 'not below'} {self.vix_bull:g}"
        return text

    def to_dict(self) -> dict[str, Any]:
        """Plain values, NaN as None."""
        plain = {
            k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in asdict(self).items()
        }
        return plain | {"why": self.why}


def regime_reading(panel: Panel, row: int, params: RegimeParams, raw: str, held: str) -> RegimeReading:
    """Read the inputs of the regime at one row, by the windows that `ares7.signals.regime` reads."""
    index, vix = panel.signal("index"), panel.signal("vix")
    window = index[max(0, row - params.sma + 1) : row + 1]
    average = float(trailing_mean(window, params.sma)[-1])

    def moved(period: int) -> float:
        return float(index[row] / index[row - period] - 1.0) if row >= period else float("nan")

    return RegimeReading(
        raw=raw,
        held=held,
        index=float(index[row]),
        average=average,
        return_short=moved(params.short),
        return_long=moved(params.long),
        vix=float(vix[row]),
        sma=params.sma,
        short=params.short,
        long=params.long,
        vix_bull=params.vix_bull,
        vix_high=params.vix_high,
    )


@dataclass(frozen=True, slots=True)
class ScalerReading:
    """One risk scaler at one close.

    Attributes
    ----------
    name : str
        vol_target, drawdown_ladder, breaker, vix, or combined.
    value : float
        What it read: annual volatility, drawdown (negative), VIX; NaN before its window is full. For ``combined``
        the smallest scale before it is floored to a step.
    scale : float
        What it made of it; 1 for full exposure.
    """

    name: str
    value: float
    scale: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values, NaN as None."""
        return {
            "name": self.name,
            "value": self.value if np.isfinite(self.value) else None,
            "scale": self.scale,
        }


@dataclass(frozen=True, slots=True)
class ScalerSeries:
    """One risk scaler at every close: (T,) what it read and (T,) what it made of it; see `ScalerReading`."""

    name: str
    value: Float1D
    scale: Float1D

    def at(self, row: int) -> ScalerReading:
        """Read one close."""
        return ScalerReading(self.name, float(self.value[row]), float(self.scale[row]))


def scaler_series(panel: Panel, curve: Float1D | None, params: RiskParams) -> tuple[ScalerSeries, ...]:
    """Read each enabled scaler; the last series is their combination (rulings 15).

    Parameters
    ----------
    panel : Panel
    curve : (T,) fraction or None
        Returns of the unscaled book; needed where ``params.reads_curve``.
    params : RiskParams
    """
    returns = np.zeros(len(panel.dates)) if curve is None else curve
    out = []
    if params.vol_target is not None:
        volatility = trailing_std(returns, params.vol_window) * np.sqrt(252.0)
        scale = vol_target_scale(returns, params.vol_target, params.vol_window)
        out.append(ScalerSeries("vol_target", volatility, scale))
    if params.drawdown_ladder or params.breaker:
        drawdown = trailing_drawdown(returns)
        if params.drawdown_ladder:
            out.append(ScalerSeries("drawdown_ladder", drawdown, ladder_scale(drawdown, params.ladder)))
        if params.breaker:
            scale = np.where(breaker_state(drawdown, params), params.breaker_scale, 1.0)
            out.append(ScalerSeries("breaker", drawdown, scale))
    vix = panel.signal("vix") if params.reads_vix else None
    if vix is not None:
        out.append(ScalerSeries("vix", vix, vix_scale(vix, params)))
    return (
        *out,
        ScalerSeries("combined", _smallest(out, len(returns)), combined_scale(returns, vix, params)),
    )


def _smallest(series: list[ScalerSeries], count: int) -> Float1D:
    """(T,) smallest scale before flooring; breaker and ladder multiply, as `ares7.risk.drawdown_scale` has it."""
    drawdown, smallest = np.ones(count), np.ones(count)
    for one in series:
        if one.name in ("drawdown_ladder", "breaker"):
            drawdown = drawdown * one.scale
        else:
            smallest = np.minimum(smallest, one.scale)
    return np.minimum(smallest, drawdown)
