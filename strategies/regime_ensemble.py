"""The ARES7 regime ensemble: sleeves blended by regime, as weights, then the risk scalers."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from ares7.arrays import Float1D, Label1D
from ares7.book import (
    Plan,
    RegimeLabels,
    Sleeve,
    Targets,
    assemble,
    decision_mask,
    month_end_rows,
    sleeve_plan,
)
from ares7.errors import MissingData
from ares7.grid import Grid
from ares7.overlay.tilting import OverlaidParams, due, overlaid
from ares7.panel import Panel
from ares7.params import BookParams, RegimeParams
from ares7.risk import RiskParams, combined_scale, model_returns
from ares7.signals.regime import Regime
from ares7.stages import Memo, Remembered, compute, stage
from strategies import defensive, low_volatility, quality_momentum
from strategies.base import PortfolioStrategy
from strategies.defensive import Params as DefensiveParams
from strategies.low_volatility import SleeveParams as LowVolatilityParams
from strategies.quality_momentum import TiltParams

SLEEVES = ("quality_momentum", "low_volatility", "defensive")
TOLERANCE = 1e-9


class Mix(BaseModel):
    """Fractions of the book in one regime; what is missing to 1 is cash."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    quality_momentum: float = Field(default=0.0, ge=0, le=1)
    low_volatility: float = Field(default=0.0, ge=0, le=1)
    defensive: float = Field(default=0.0, ge=0, le=1)

    @model_validator(mode="after")
    def _at_most_one(self) -> Mix:
        total = self.quality_momentum + self.low_volatility + self.defensive
        if total > 1 + TOLERANCE:
            raise ValueError(f"the sleeves of one regime sum to {total:g}; at most 1 is possible")
        return self


PRESETS: dict[str, dict[Regime, Mix]] = {
    "phase3": {
        Regime.BULL: Mix(quality_momentum=0.7, low_volatility=0.3),
        Regime.BEAR: Mix(low_volatility=1.0),
        Regime.HIGH_VOL: Mix(low_volatility=0.5),
        Regime.NEUTRAL: Mix(low_volatility=0.5),
    },
    "phase4": {
        Regime.BULL: Mix(quality_momentum=0.7, low_volatility=0.3),
        Regime.BEAR: Mix(low_volatility=0.5, defensive=0.5),
        Regime.HIGH_VOL: Mix(defensive=0.8, low_volatility=0.2),
        Regime.NEUTRAL: Mix(low_volatility=0.5),
    },
}
"""Roadmap phases 3 and 4 (rulings 14)."""


class Params(OverlaidParams):
    """Regime thresholds, sleeves, mixes, overlays and risk scalers."""

    preset: Literal["phase3", "phase4"] = "phase4"
    mixes: dict[Literal["BULL", "BEAR", "HIGH_VOL", "NEUTRAL"], Mix] = Field(default_factory=dict)
    """Overrides of the preset, regime by regime."""
    cash_symbol: str | None = None
    """A fund, for example BIL, that holds the cash sleeve; null leaves it as cash."""
    regime: RegimeParams = RegimeParams()
    quality_momentum: TiltParams = TiltParams()
    low_volatility: LowVolatilityParams = LowVolatilityParams()
    defensive: DefensiveParams = DefensiveParams()
    risk: RiskParams = RiskParams()

    @field_validator("mixes")
    @classmethod
    def _bull_only(cls, value: dict[str, Mix]) -> dict[str, Mix]:
        for name, mix in value.items():
            if name != "BULL" and mix.quality_momentum > 0:
                raise ValueError(f"{name}: quality_momentum acts in BULL only (docs/strategies.md)")
        return value

    @model_validator(mode="after")
    def _one_gross(self) -> Params:
        for name in SLEEVES:
            if getattr(self, name).gross not in (self.gross, BookParams().gross):
                raise ValueError(f"{name}.gross has no effect inside the ensemble; set strategy.params.gross")
        return self

    def mix(self, regime: Regime) -> Mix:
        """Mix of one regime: the override if there is one, else the preset's."""
        for name, mix in self.mixes.items():
            if name == regime.name:
                return mix
        return PRESETS[self.preset][regime]

    @property
    def used(self) -> tuple[str, ...]:
        """Sleeves with a weight in some regime."""
        return tuple(s for s in SLEEVES if any(getattr(self.mix(r), s) > 0 for r in Regime))

    @property
    def lookback(self) -> int:
        """The longest of the regime's and the used sleeves' windows."""
        return max([self.regime.lookback, *(int(getattr(self, s).lookback) for s in self.used)])

    @property
    def curve_cost_bps(self) -> float:
        """What the model curve is charged."""
        return self.risk.cost_bps

    @property
    def warmup(self) -> int:
        """276 by default; a minimum hold and scalers remember more (rulings 32)."""
        return super().warmup + self.regime.hold_memory + self.risk.warmup

    @property
    def requires(self) -> frozenset[str]:
        """Index, VIX and what the used sleeves read."""
        needs = frozenset({"index", "vix"}).union(*(getattr(self, s).requires for s in self.used))
        needs |= super().requires
        return needs | {"etfs"} if self.cash_symbol else needs


@stage("cash_symbol")
def parked_cash(panel: Panel, params: Params) -> Sleeve:
    """Return the sleeve of one fund in place of cash."""
    symbol = params.cash_symbol
    if symbol not in panel.symbols:
        raise MissingData(
            f"strategy.params.cash_symbol {symbol!r} is not in the panel; add it to data.etfs or set it to null"
        )
    rows = month_end_rows(panel)
    book = np.zeros((len(rows), panel.shape[1]))
    column = panel.symbols.index(symbol)
    book[:, column] = panel.bar[rows, column]
    return Sleeve(rows, book)


def sleeves(panel: Panel, params: Params, memo: Memo = compute) -> dict[str, Sleeve]:
    """Return the frozen sleeves that some regime uses, cash included where a fund holds it."""
    makers: dict[str, Callable[[], Sleeve]] = {
        "quality_momentum": lambda: memo(quality_momentum.tilted, panel, params.quality_momentum),
        "low_volatility": lambda: memo(low_volatility.sleeve, panel, params.low_volatility),
        "defensive": lambda: memo(
            defensive.sleeve, panel, params.defensive.model_copy(update={"gross": params.gross})
        ),
    }
    out = {name: makers[name]() for name in params.used}
    if params.cash_symbol is not None:
        out["parked_cash"] = memo(parked_cash, panel, params)
    return out


def mixes(held: Label1D, params: Params) -> dict[str, Float1D]:
    """Return the fraction of the book in each sleeve, one value a held label."""
    used = params.used
    by_label = np.array([[getattr(params.mix(r), name) for r in Regime] for name in used])
    out = dict(zip(used, by_label[:, held], strict=True))
    if params.cash_symbol is not None:
        out["parked_cash"] = np.maximum(1.0 - np.sum(list(out.values()), axis=0), 0.0)
    return out


BOOK = ("gross", "preset", "mixes", "cash_symbol", "regime", "overlay", *SLEEVES)
"""Everything that the unscaled book reads."""


def _book(panel: Panel, params: Params, memo: Memo, scale: Float1D | None = None) -> Plan:
    labels = memo(quality_momentum.labels, panel, params.regime)
    if scale is None:
        decide = quality_momentum.decided(panel, params.regime, params.overlay, memo)
    else:
        decide = decision_mask(panel, labels.held, scale, due(panel, params.overlay))
    mix = mixes(labels.held[decide], params)
    untilted = Plan(sleeves(panel, params, memo), mix, params.gross, decide, labels, scale)
    return overlaid(panel, untilted, params.overlay, memo)


@stage(*BOOK, "curve_cost_bps", uses=())
def curve(panel: Panel, params: Params, memo: Memo) -> Float1D:
    """(T,) returns of the unscaled book itself, which the risk scalers read (rulings 10)."""
    targets = assemble(panel, _book(panel, params, memo))
    return model_returns(panel, targets.weights, params.curve_cost_bps)


def plan(panel: Panel, params: Params, memo: Memo = compute) -> Plan:
    """Blend weights, not returns: the regime mix daily, sleeves frozen between month ends, overlays, then scalers."""
    risk = params.risk
    if not risk.enabled:
        return _book(panel, params, memo)
    returns = memo(curve, panel, params) if risk.reads_curve else np.zeros(len(panel.dates))
    vix = panel.signal("vix") if risk.reads_vix else None
    return _book(panel, params, memo, combined_scale(returns, vix, risk))


def sleeve_plans(panel: Panel, params: Params, memo: Memo = compute) -> tuple[dict[str, Plan], RegimeLabels]:
    """Return each used sleeve as a book of its own, decided at month ends without overlays, and the regime's labels."""
    decide = decision_mask(panel)
    books = {
        name: sleeve_plan(name, sleeve, params.gross, decide)
        for name, sleeve in sleeves(panel, params.model_copy(update={"cash_symbol": None}), memo).items()
    }
    return books, memo(quality_momentum.labels, panel, params.regime)


def allowed_sleeves(regime: Regime) -> tuple[str, ...]:
    """Sleeves that may act in a regime: quality-momentum in BULL only."""
    return SLEEVES if regime == Regime.BULL else SLEEVES[1:]


def weights(panel: Panel, params: Params) -> Targets:
    """Target rows of `plan`.

    Returns
    -------
    Targets
        ``weights`` (T, N) fraction of NAV; row t uses data up to and including close t.
    """
    return assemble(panel, plan(panel, params, Remembered()))


def diagnostics(panel: Panel, params: Params) -> dict[str, Any]:
    """Coverage and notes of the sleeves that are used."""
    out: dict[str, Any] = {"notes": [], "warnings": []}
    parts = []
    if "quality_momentum" in params.used:
        parts.append(quality_momentum.diagnostics(panel, params.quality_momentum))
    if "defensive" in params.used:
        parts.append(defensive.diagnostics(panel, params.defensive))
    for part in parts:
        for key, value in part.items():
            out[key] = out[key] + value if key in ("notes", "warnings") else value
    return out


def weights729() -> Grid:
    """Return the roadmap's grid of regime weights, 3^6 points: each regime's pair is rescaled to sum to 1.

    After that 504 of them differ: 8 mixes in BULL, 7 in BEAR, 9 in HIGH_VOL.
    """
    axes = {
        "mixes.BULL.quality_momentum": (0.6, 0.7, 0.8),
        "mixes.BULL.low_volatility": (0.2, 0.3, 0.4),
        "mixes.BEAR.low_volatility": (0.4, 0.5, 0.6),
        "mixes.BEAR.defensive": (0.4, 0.5, 0.6),
        "mixes.HIGH_VOL.defensive": (0.7, 0.8, 0.9),
        "mixes.HIGH_VOL.low_volatility": (0.1, 0.2, 0.3),
    }
    return Grid("weights729", axes, ("mixes.BULL", "mixes.BEAR", "mixes.HIGH_VOL"))


class RegimeEnsemble(PortfolioStrategy):
    """Event-driven regime ensemble."""

    Params = Params
    phases = MappingProxyType({name: {"preset": name, "mixes": {}} for name in PRESETS})
    grids = MappingProxyType({"weights729": weights729(), "qm45": quality_momentum.qm45("quality_momentum.")})
    plan = staticmethod(plan)
    sleeve_plans = staticmethod(sleeve_plans)
    allowed_sleeves = staticmethod(allowed_sleeves)
    weights = staticmethod(weights)
    diagnostics = staticmethod(diagnostics)
