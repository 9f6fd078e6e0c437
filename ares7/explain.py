"""Takes target weights apart: which sleeve, tilt, scale and rule made how much of each (issue of the same name).

The parts of a name's weight are computed one by one, by the functions that made the weight, never as what is left
over; they add up to it within 1e-12. The same record is written by a backtest and by live trading.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ares7.arrays import Float1D
from ares7.book import Plan, assemble, frozen, planned, tradable, untilted_rows
from ares7.errors import MissingData
from ares7.explain_overlay import OverlayReading, overlay_reading
from ares7.explain_signals import RegimeReading, ScalerReading, ScalerSeries, regime_reading, scaler_series
from ares7.overlay.params import OverlayParams
from ares7.overlay.tilting import due
from ares7.panel import Panel
from ares7.params import BookParams, RegimeParams
from ares7.risk import RiskParams, model_returns
from ares7.signals.regime import UNKNOWN, Regime
from ares7.stages import Memo, Remembered


@dataclass(frozen=True, slots=True)
class SleeveReading:
    """One sleeve at a decision.

    Attributes
    ----------
    name : str
    mix : float
        Fraction of the book in it.
    computed : datetime64[D] or None
        Month end at which it was computed; None before the first.
    weights : (N,) fraction of the sleeve
    contribution : (N,) fraction of NAV
        ``gross * mix * weights``.
    """

    name: str
    mix: float
    computed: np.datetime64 | None
    weights: Float1D
    contribution: Float1D


@dataclass(frozen=True, slots=True)
class Dissection:
    """The target row of one session, taken apart.

    Attributes
    ----------
    session : datetime64[D]
    decided : datetime64[D] or None
        The latest decision up to and including the session; None before the first, when nothing is held.
    reasons : tuple of str
        Why that session decides: start, month_end, regime, overlay, risk_scale; other for a mask of another kind.
    symbols : tuple of N str
    gross : float
    regime : RegimeReading or None
    sleeves : tuple of SleeveReading
    overlay : OverlayReading or None
    scalers : tuple of ScalerReading
    scale : float
        Risk scale of the stock block.
    parts : mapping of str to (N,) fraction of NAV
        ``sleeve NAME``, ``left universe``, ``overlay ENGINE``, ``overlay cap``, ``overlay long-only``,
        ``overlay gross``, ``risk scale``; they add up to ``target``.
    target : (N,) fraction of NAV
    """

    session: np.datetime64
    decided: np.datetime64 | None
    reasons: tuple[str, ...]
    symbols: tuple[str, ...]
    gross: float
    regime: RegimeReading | None
    sleeves: tuple[SleeveReading, ...]
    overlay: OverlayReading | None
    scalers: tuple[ScalerReading, ...]
    scale: float
    parts: Mapping[str, Float1D]
    target: Float1D

    @property
    def total(self) -> Float1D:
        """(N,) sum of the parts."""
        return np.asarray(np.sum([np.zeros(len(self.symbols)), *self.parts.values()], axis=0))

    def of(self, symbol: str) -> dict[str, Any]:
        """Record of one name, of plain values.

        Raises
        ------
        MissingData
            The panel does not have it.
        """
        if symbol not in self.symbols:
            raise MissingData(
                f"{symbol} is not in the panel of {self.session}; it has {len(self.symbols)} names"
            )
        at = self.symbols.index(symbol)
        return {
            "symbol": symbol,
            "target_weight": float(self.target[at]),
            "parts": {name: float(part[at]) for name, part in self.parts.items() if part[at] != 0},
            "sleeves": {s.name: float(s.weights[at]) for s in self.sleeves},
            "tilts": {} if self.overlay is None else self.overlay.of(at),
        }

    def summary(self) -> dict[str, Any]:
        """Return what holds for every name, as plain values: regime, sleeves, overlays, scalers."""
        return {
            "session": str(self.session),
            "decided": None if self.decided is None else str(self.decided),
            "reasons": list(self.reasons),
            "gross": self.gross,
            "regime": None if self.regime is None else self.regime.to_dict(),
            "sleeves": [
                {
                    "name": s.name,
                    "mix": s.mix,
                    "computed": None if s.computed is None else str(s.computed),
                    "names": int(np.count_nonzero(s.weights)),
                }
                for s in self.sleeves
            ],
            "overlay": None if self.overlay is None else self.overlay.to_dict(),
            "scalers": [s.to_dict() for s in self.scalers],
            "scale": self.scale,
            "parts": {name: float(part.sum()) for name, part in self.parts.items()},
            "invested": float(self.target.sum()),
            "cash": float(1.0 - self.target.sum()),
        }


class Explainer:
    """Takes the target rows of one strategy on one panel apart.

    Parameters
    ----------
    panel : Panel
    strategy : type
        A strategy class. With a ``plan`` its parts are known; with ``weights`` alone its rows are a single sleeve,
        ``targets``.
    settings : BookParams

    Attributes
    ----------
    plan : Plan
    weights : (T, N) fraction of NAV
        As the strategy gives them.
    """

    def __init__(
        self, panel: Panel, strategy: type[Any], settings: BookParams, memo: Memo | None = None
    ) -> None:
        self._panel, self._strategy, self._settings = panel, strategy, settings
        self._memo: Memo = memo or Remembered()
        self.plan: Plan = self._planned(settings)
        self.weights = assemble(panel, self.plan).weights
        self._decided = np.flatnonzero(self.plan.decide)
        self._alive = tradable(panel)
        self._untilted = untilted_rows(panel, self.plan) if self.plan.tilt is not None else None
        self._scalers: tuple[ScalerSeries, ...] = self._read_scalers()

    def _planned(self, settings: BookParams) -> Plan:
        if self._strategy.plan is None:
            return planned(self._panel, self._strategy.weights(self._panel, settings))
        plan: Plan = self._strategy.plan(self._panel, settings, self._memo)
        return plan

    def row_of(self, session: Any) -> int:
        """Row of a session.

        Raises
        ------
        MissingData
            It is no session of the panel.
        """
        dates, day = self._panel.dates, np.datetime64(session, "D")
        row = int(np.searchsorted(dates, day))
        if row == len(dates) or dates[row] != day:
            near = f"{dates[max(row - 1, 0)]}" if len(dates) else "none"
            raise MissingData(f"{day} is no session of this panel; the one before is {near}")
        return row

    def at(self, row: int) -> Dissection:
        """Take the target row of one session apart (negative rows count from the end)."""
        panel, plan = self._panel, self.plan
        row = row % len(panel.dates)
        number = int(np.searchsorted(self._decided, row, side="right")) - 1
        width = len(panel.symbols)
        if number < 0:
            nothing = np.zeros(width)
            return Dissection(
                panel.dates[row], None, (), panel.symbols, plan.gross, None, (), None, (), 1.0, {}, nothing
            )
        decided = int(self._decided[number])
        sleeves = tuple(self._sleeve(name, decided, number) for name in plan.sleeves)
        parts: dict[str, Float1D] = {f"sleeve {s.name}": s.contribution for s in sleeves}
        alive = self._alive[decided]
        whole = np.asarray(np.sum([np.zeros(width), *parts.values()], axis=0))
        parts["left universe"] = np.where(alive, 0.0, -whole)
        overlay = self._overlay(decided, number)
        if overlay is not None:
            parts |= overlay.parts
        scale = 1.0 if plan.scale is None else float(plan.scale[decided])
        book = np.asarray(np.sum(list(parts.values()), axis=0))
        parts["risk scale"] = np.where(panel.is_stock, book * (scale - 1.0), 0.0)
        return Dissection(
            session=panel.dates[row],
            decided=panel.dates[decided],
            reasons=self._reasons(decided),
            symbols=panel.symbols,
            gross=plan.gross,
            regime=self._regime(decided),
            sleeves=sleeves,
            overlay=overlay,
            scalers=tuple(series.at(decided) for series in self._scalers),
            scale=scale,
            parts={name: part for name, part in parts.items() if name.startswith("sleeve") or part.any()},
            target=self.weights[row],
        )

    def _sleeve(self, name: str, decided: int, number: int) -> SleeveReading:
        sleeve, mix = self.plan.sleeves[name], float(self.plan.mix[name][number])
        at = int(np.searchsorted(sleeve.rows, decided, side="right")) - 1
        inside = frozen(sleeve, np.array([decided], dtype=np.int64))[0]
        computed = self._panel.dates[sleeve.rows[at]] if at >= 0 else None
        return SleeveReading(name, mix, computed, inside, self.plan.gross * (mix * inside))

    def _overlay(self, decided: int, number: int) -> OverlayReading | None:
        settings = getattr(self._settings, "overlay", None)
        if self._untilted is None or not isinstance(settings, OverlayParams) or not settings.acting:
            return None
        base = self._untilted[number] * self._panel.is_stock
        return overlay_reading(self._panel, base, decided, settings, self._memo)

    def _regime(self, decided: int) -> RegimeReading | None:
        labels, params = self.plan.regime, getattr(self._settings, "regime", None)
        if labels is None or not isinstance(params, RegimeParams):
            return None
        names = [
            "UNKNOWN" if int(v) == UNKNOWN else Regime(int(v)).name
            for v in (labels.raw[decided], labels.held[decided])
        ]
        return regime_reading(self._panel, decided, params, names[0], names[1])

    def _read_scalers(self) -> tuple[ScalerSeries, ...]:
        risk = getattr(self._settings, "risk", None)
        if self.plan.scale is None or not isinstance(risk, RiskParams):
            return ()
        return scaler_series(self._panel, self._model_curve(risk) if risk.reads_curve else None, risk)

    def _model_curve(self, risk: RiskParams) -> Float1D:
        """(T,) returns of the unscaled book, which the scalers read (rulings 10)."""
        unscaled = self._planned(self._settings.model_copy(update={"risk": RiskParams()}))
        return model_returns(self._panel, assemble(self._panel, unscaled).weights, risk.cost_bps)

    def _reasons(self, decided: int) -> tuple[str, ...]:
        """Rules by which a session decides (rulings 2)."""
        panel, plan = self._panel, self.plan
        overlay = getattr(self._settings, "overlay", None)
        dates = due(panel, overlay) if isinstance(overlay, OverlayParams) else None

        def changed(series: Any) -> bool:
            return series is not None and decided > 0 and bool(series[decided] != series[decided - 1])

        found = {
            "start": decided == panel.start_row,
            "month_end": bool(panel.month_end[decided]),
            "regime": changed(None if plan.regime is None else plan.regime.held),
            "overlay": dates is not None and bool(dates[decided]),
            "risk_scale": changed(plan.scale),
        }
        return tuple(name for name, holds in found.items() if holds) or ("other",)
