"""Overlays inside a strategy: a plan is tilted before the risk scale applies."""

from __future__ import annotations

from dataclasses import replace
from typing import Self

import numpy as np
from pydantic import model_validator

from ares7.arrays import Bool1D, Float2D
from ares7.book import Plan, Sleeve, decision_mask, sleeve_plan, untilted_rows
from ares7.overlay.application import applied
from ares7.overlay.engines import blended, engine, latest, overlay_dates
from ares7.overlay.params import OverlayParams
from ares7.panel import Panel
from ares7.params import BookParams
from ares7.stages import Memo


class OverlaidParams(BookParams):
    """Parameters of a strategy whose stocks can be tilted by overlays."""

    overlay: OverlayParams = OverlayParams()
    """Set by strategy.overlays, strategy.overlay_lambda and the section overlay of the configuration."""

    @model_validator(mode="after")
    def _keeps_its_gross(self) -> Self:
        if self.overlay.acting and self.overlay.normalize != "base_gross":
            raise ValueError(
                f"overlay.normalize {self.overlay.normalize} is for files; a strategy's rows keep their gross: "
                "set base_gross"
            )
        return self

    @property
    def warmup(self) -> int:
        """The book's rows, or those of the overlays where they need more."""
        return max(super().warmup, self.overlay.memory)

    @property
    def requires(self) -> frozenset[str]:
        """What the overlays read."""
        return super().requires | self.overlay.requires


def due(panel: Panel, overlay: OverlayParams) -> Bool1D | None:
    """(T,) bool: sessions on which an overlay decides; None where none acts."""
    return overlay_dates(panel, overlay.when) if overlay.acting else None


def overlaid(panel: Panel, plan: Plan, overlay: OverlayParams, memo: Memo) -> Plan:
    """Tilt the stock block of a plan; funds and cash stay (rulings 21).

    Decisions between overlay dates apply the blend of the last one.
    """
    if not overlay.acting:
        return plan
    rows = np.flatnonzero(plan.decide).astype(np.int64)
    tilt = latest(memo(blended, panel, overlay), rows)
    return replace(plan, tilt=_factor(untilted_rows(panel, plan) * panel.is_stock, tilt, overlay))


def _factor(base: Float2D, tilt: Float2D, overlay: OverlayParams) -> Float2D:
    tilted, _ = applied(base, tilt, lam=overlay.lam, cap=overlay.cap)
    return np.divide(tilted, base, out=np.ones(base.shape), where=base > 0)


def single_sleeve_plan(panel: Panel, name: str, sleeve: Sleeve, params: OverlaidParams, memo: Memo) -> Plan:
    """Plan of a book that is one sleeve all the time, decided at month ends and overlay dates."""
    decide = decision_mask(panel, overlays=due(panel, params.overlay))
    return overlaid(panel, sleeve_plan(name, sleeve, params.gross, decide), params.overlay, memo)


def silent_engines(panel: Panel, overlay: OverlayParams) -> list[str]:
    """One line for each acting engine that has no tilt at its first overlay date from the start session on."""
    lines = []
    for name in overlay.acting:
        tilts = engine(name)(panel, overlay)
        inside = tilts.rows >= panel.start_row
        speaks = np.flatnonzero(tilts.values[inside].any(axis=1))
        if inside.any() and (len(speaks) == 0 or speaks[0] > 0):
            since = (
                f"before {panel.dates[tilts.rows[inside][speaks[0]]]}" if len(speaks) else "in this period"
            )
            lines.append(f"the {name} overlay tilts nothing {since}: its inputs do not reach further")
    return lines
