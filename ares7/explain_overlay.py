"""Takes the overlays' part of a weight apart: by engine, then by each rule that changes the blend (rulings 21)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ares7.arrays import Float1D
from ares7.overlay.application import applied, neutral_capped
from ares7.overlay.engines import engine
from ares7.overlay.params import OverlayParams
from ares7.panel import Panel
from ares7.stages import Memo


@dataclass(frozen=True, slots=True)
class OverlayReading:
    """Overlays at one decision.

    Attributes
    ----------
    dated : datetime64[D] or None
        The latest overlay date; None before the first, when nothing is tilted.
    lam, cap : float
    block : float
        Gross of the stock block, fraction of NAV.
    weights : mapping of engine to float
        In the blend.
    tilts : mapping of engine to (N,) fraction of the stock block
    applied : (N,) fraction of the stock block
        After lambda, restriction, cap and neutrality.
    parts : mapping of str to (N,) fraction of NAV
        By engine, then what the cap, the bound at 0 and the return to the block's gross change.
    """

    dated: np.datetime64 | None
    lam: float
    cap: float
    block: float
    weights: Mapping[str, float]
    tilts: Mapping[str, Float1D]
    applied: Float1D
    parts: Mapping[str, Float1D]

    def of(self, at: int) -> dict[str, float]:
        """Tilts of one column by engine, and the one that was applied; fractions of the stock block."""
        return {name: float(tilt[at]) for name, tilt in self.tilts.items()} | {
            "applied": float(self.applied[at])
        }

    def to_dict(self) -> dict[str, Any]:
        """Return what holds for every name."""
        return {
            "date": None if self.dated is None else str(self.dated),
            "lambda": self.lam,
            "cap": self.cap,
            "block": self.block,
            "weights": dict(self.weights),
            "largest_tilt": float(np.abs(self.applied).max(initial=0.0)),
        }


def overlay_reading(
    panel: Panel, base: Float1D, decided: int, overlay: OverlayParams, memo: Memo
) -> OverlayReading:
    """Take the tilt of one decision apart.

    Parameters
    ----------
    panel : Panel
    base : (N,) fraction of NAV
        The stock block before overlays.
    decided : int
        Row of the decision.
    overlay : OverlayParams
        With at least one acting engine.
    memo : Memo
        Where the engines' tilts are taken from.

    Returns
    -------
    OverlayReading
        ``base`` plus the parts is the tilted block.
    """
    held, block = base > 0, float(base.sum())
    weights: dict[str, float] = {name: float(getattr(overlay.weights, name)) for name in overlay.acting}
    tilts: dict[str, Float1D] = {}
    dated = None
    for name in overlay.acting:
        found = memo(engine(name), panel, overlay)
        at = int(np.searchsorted(found.rows, decided, side="right")) - 1
        tilts[name] = found.values[at] if at >= 0 else np.zeros(len(base))
        dated = panel.dates[found.rows[at]] if at >= 0 else dated
    blend = np.zeros(len(base))
    for name in overlay.acting:
        blend += weights[name] * tilts[name]
    # Rows of one date, as the functions that tilt a whole history take them.
    wanted = overlay.lam * blend
    tilted, given = (part[0] for part in applied(base[None], blend[None], lam=overlay.lam, cap=overlay.cap))
    capped = neutral_capped(wanted[None], held[None], overlay.cap)[0] * block
    bounded = np.maximum(base + capped, 0.0)
    parts = {
        f"overlay {name}": np.where(held, overlay.lam * weights[name] * tilts[name] * block, 0.0)
        for name in overlay.acting
    }
    parts["overlay cap"] = np.where(held, capped - wanted * block, 0.0)
    parts["overlay long-only"] = bounded - (base + capped)
    parts["overlay gross"] = tilted - bounded
    return OverlayReading(dated, overlay.lam, overlay.cap, block, weights, tilts, given, parts)
