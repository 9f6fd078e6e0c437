"""The ARES7 regime ensemble: sleeves blended by regime, as weights, then the risk scalers."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from ares7.arrays import Float1D
from ares7.book import Sleeve, Targets, assemble, decision_mask, month_end_rows
from ares7.errors import MissingData
from ares7.panel import Panel
from ares7.params import BookParams, RegimeParams
from ares7.risk import RiskParams, risk_scale
from ares7.signals.regime import Regime
from strategies import defensive, low_volatility, quality_momentum
from strategies.base import PortfolioStrategy
from strategies.defensive import Params as DefensiveParams
from strategies.low_volatility import Params as LowVolatilityParams
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


class Params(BookParams):
    """Regime thresholds, sleeves, mixes and risk scalers."""

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
    def warmup(self) -> int:
        """276 by default; a minimum hold and scalers remember more (rulings 32)."""
        return super().warmup + self.regime.hold_memory + self.risk.warmup

    @property
    def requires(self) -> frozenset[str]:
        """Index, VIX and what the used sleeves read."""
        needs = frozenset({"index", "vix"}).union(*(getattr(self, s).requires for s in self.used))
        return needs | {"etfs"} if self.cash_symbol else needs


def _parked(panel: Panel, symbol: str) -> Sleeve:
    if symbol not in panel.symbols:
        raise MissingData(
            f"strategy.params.cash_symbol {symbol!r} is not in the panel; add it to data.etfs or set it to null"
        )
    rows = month_end_rows(panel)
    book = np.zeros((len(rows), panel.shape[1]))
    column = panel.symbols.index(symbol)
    book[:, column] = panel.bar[rows, column]
    return Sleeve(rows, book)


def sleeves(panel: Panel, params: Params) -> dict[str, Sleeve]:
    """Return the frozen sleeves that some regime uses, cash included where a fund holds it."""
    makers = {
        "quality_momentum": lambda: quality_momentum.sleeves(panel, params.quality_momentum)[0],
        "low_volatility": lambda: low_volatility.sleeve(panel, params.low_volatility),
        "defensive": lambda: defensive.sleeve(
            panel, params.defensive.model_copy(update={"gross": params.gross})
        ),
    }
    out = {name: makers[name]() for name in params.used}
    if params.cash_symbol is not None:
        out["parked_cash"] = _parked(panel, params.cash_symbol)
    return out


def mixes(held: np.ndarray, params: Params) -> dict[str, Float1D]:
    """(T,) fraction of the book in each sleeve, by held label."""
    by_label = {r: params.mix(r) for r in Regime}
    out = {}
    for name in params.used:
        table = np.array([getattr(by_label[Regime(i)], name) for i in range(len(Regime))])
        out[name] = table[held]
    if params.cash_symbol is not None:
        out["parked_cash"] = np.maximum(1.0 - np.sum(list(out.values()), axis=0), 0.0)
    return out


def weights(panel: Panel, params: Params) -> Targets:
    """Target rows of the ensemble.

    The regime mix is read daily, sleeves are recomputed at month ends, weights and not returns are blended;
    the risk scale is the minimum of the enabled scalers over the unscaled book's model curve.

    Returns
    -------
    Targets
        ``weights`` (T, N) fraction of NAV; row t uses data up to and including close t.
    """
    regime = quality_momentum.labels(panel, params.regime)
    parts, mix = sleeves(panel, params), mixes(regime.held, params)
    unscaled = assemble(
        panel, parts, mix, gross=params.gross, decide=decision_mask(panel, regime.held), regime=regime
    )
    if not params.risk.enabled:
        return unscaled
    scale = risk_scale(panel, unscaled.weights, params.risk)
    decide = decision_mask(panel, regime.held, scale)
    return assemble(panel, parts, mix, gross=params.gross, decide=decide, regime=regime, scale=scale)


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


class RegimeEnsemble(PortfolioStrategy):
    """Event-driven regime ensemble."""

    Params = Params
    weights = staticmethod(weights)
    diagnostics = staticmethod(diagnostics)
