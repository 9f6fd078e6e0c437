"""D15 and D16: how much money the strategy can trade, and at what costs it still pays."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from ares7.arrays import Float1D
from ares7.audit.execution import EXACT, recorded
from ares7.audit.finding import Finding, Severity, found
from ares7.audit.subject import Subject
from ares7.costs import BpsCosts
from ares7.ledger import Fills
from ares7.metrics import sharpe, sharpe_standard_error
from ares7.participation import MOST_OF_VOLUME, NOTIONAL_ABOVE, VolumeShares, volume_shares

SCENARIOS_BPS = (5.0, 10.0, 15.0, 20.0)
MATERIAL = 0.1
"""Active Sharpe ratio that is more than the baseline's own costs make."""


class Participation:
    """D15: how much of a session's volume each fill takes."""

    id: ClassVar[str] = "D15"
    title: ClassVar[str] = "Share of the volume"

    def run(self, subject: Subject) -> Iterable[Finding]:
        """Shares bought and sold, as traded, over the volume of the session of the fill."""
        record = recorded(self, subject)
        if isinstance(record, Finding):
            return [record]
        measured = volume_shares(subject.panel, *record)
        if measured is None:
            return [found(self, Severity.SKIPPED, "the panel has no volume")]
        if not len(measured.fill):
            return [found(self, Severity.SKIPPED, "no fill is in a session with a known volume")]
        return [self._measured(record[0], measured)]

    def _measured(self, fills: Fills, measured: VolumeShares) -> Finding:
        fill, share = measured.fill, measured.share
        notional = fills.notional[fill]
        above = float(notional[share > MOST_OF_VOLUME].sum() / notional.sum())
        silent = np.isinf(share)
        worst = int(np.argmax(np.where(silent, 0.0, share)))
        median, high = (float(np.quantile(share, q, method="lower")) for q in (0.5, 0.99))
        evidence = {
            "median": median if np.isfinite(median) else None,
            "quantile_99": high if np.isfinite(high) else None,
            "worst": float(share[worst]) if np.isfinite(share[worst]) else None,
            "worst_date": str(fills.date[fill[worst]]),
            "worst_symbol": fills.symbols[fills.symbol[fill[worst]]],
            "notional_above_limit": above,
            "fills_without_volume": int(silent.sum()),
        }
        message = (
            f"fills take {median:.3%} of the session's volume in the median, {high:.3%} at the 99th percentile, at "
            f"most {share[worst]:.3%} ({evidence['worst_symbol']} on {evidence['worst_date']}); {above:.1%} of "
            f"notional takes more than {MOST_OF_VOLUME:.0%}"
        )
        if silent.any():
            first = int(fill[int(np.argmax(silent))])
            evidence |= {"first_date": str(fills.date[first]), "symbol": fills.symbols[fills.symbol[first]]}
            message += (
                f"; {int(silent.sum())} fills are in sessions in which nothing was traded, the first "
                f"{evidence['symbol']} on {evidence['first_date']}"
            )
        if above > NOTIONAL_ABOVE or silent.any():
            remedy = (
                "trade less money, fewer or larger names, or charge for the impact: such fills move the price"
            )
            return found(self, Severity.WARNING, message, remedy, **evidence)
        return found(self, Severity.PASS, message, **evidence)


class CostScenarios:
    """D16: what is left at other costs."""

    id: ClassVar[str] = "D16"
    title: ClassVar[str] = "Sharpe ratio by costs"

    def run(self, subject: Subject) -> Iterable[Finding]:
        """Trade the same rows at 5, 10, 15 and 20 bps one way; the baseline stays at the configured costs."""
        own = {bps: _returns(subject, bps) for bps in SCENARIOS_BPS}
        active = {bps: series - subject.baseline_returns for bps, series in own.items()}
        ratio, active_ratio = ({bps: sharpe(x) for bps, x in each.items()} for each in (own, active))
        dead = any(np.isnan(series).any() for series in own.values())
        if np.isnan(list(ratio.values())).all() and not dead:
            return [found(self, Severity.SKIPPED, "the returns do not vary")]
        # A strategy that is its own baseline differs by the costs alone.
        compared = bool(np.any(np.abs(subject.returns - subject.baseline_returns) > EXACT))
        row = ", ".join(
            f"{ratio[bps]:.2f}"
            + (f" (active {active_ratio[bps]:.2f})" if compared else "")
            + f" at {bps:g} bps"
            for bps in SCENARIOS_BPS
        )
        message, evidence = f"Sharpe ratio {row}", _scenario_evidence(ratio, active_ratio)
        low, high = SCENARIOS_BPS[0], SCENARIOS_BPS[-1]
        reasons = []
        if compared and _lost(active[low], active[high]):
            reasons.append(f"the advantage over the baseline is gone between {low:g} and {high:g} bps")
        if _lost(own[low], own[high]):
            reasons.append(f"the profit is gone between {low:g} and {high:g} bps")
        if reasons:
            remedy = "trade less often (regime.min_hold, slower signals, a no-trade band), or know your costs exactly"
            return [found(self, Severity.WARNING, f"{message}: {'; '.join(reasons)}", remedy, **evidence)]
        return [found(self, Severity.PASS, message, **evidence)]


def _returns(subject: Subject, bps: float) -> Float1D:
    """(R,) returns at these costs; NaN from the session on in which nothing is left."""
    nav = subject.simulated(costs=BpsCosts(bps=bps)).nav
    nav = np.where(np.logical_and.accumulate(nav > 0), nav, np.nan)
    return np.asarray(nav[1:] / nav[:-1] - 1.0)


def _lost(cheap: Float1D, dear: Float1D) -> bool:
    """Whether higher costs take all of what was there; within one standard error of zero nothing was."""
    if np.isnan(dear).any():
        return True
    there, left = sharpe(cheap), sharpe(dear)
    return there > max(sharpe_standard_error(cheap), MATERIAL) and not left > 0.0


def _scenario_evidence(own: Mapping[float, float], active: Mapping[float, float]) -> dict[str, Any]:
    named = {f"sharpe_{bps:g}_bps": value for bps, value in own.items()}
    named |= {f"active_sharpe_{bps:g}_bps": value for bps, value in active.items()}
    return {name: float(value) if np.isfinite(value) else None for name, value in named.items()}
