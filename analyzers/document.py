"""From the analyzers of a finished run to the figures that a run folder keeps."""

from __future__ import annotations

from typing import Any

import backtrader as bt
import numpy as np

from ares7.metrics import performance


def figures(strategy: bt.Strategy, *, risk_free: float = 0.0) -> dict[str, Any]:
    """Figures of one run with `analyzers.add_default_analyzers`, by the sections of metrics.json.

    Parameters
    ----------
    strategy : bt.Strategy
        Finished.
    risk_free : float
        Annual rate.

    Returns
    -------
    dict
        ``performance costs exposure attribution windows oos orders``.
    """
    found = strategy.analyzers

    def analysis(name: str) -> dict[str, Any]:
        return dict(found.getbyname(name).get_analysis()) if name in found.getnames() else {}

    equity, oos = found.getbyname("equity"), analysis("out_of_sample")
    windows = oos.pop("windows")
    return {
        "performance": performance(equity.dates, equity.nav, risk_free),
        "costs": analysis("turnover"),
        "exposure": analysis("exposure"),
        "attribution": analysis("regime_attribution"),
        "windows": windows,
        "oos": oos,
        "orders": analysis("orders"),
    }


def rounding_loss(target: np.ndarray, gross: np.ndarray) -> dict[str, float]:
    """How far whole shares leave the book from its targets.

    Parameters
    ----------
    target, gross : (S,) fraction of NAV
        Sum of the target row and what was held, by session.
    """
    return {
        "mean_target_gross": float(target.mean()),
        "mean_held_gross": float(gross.mean()),
        "mean_gap": float(np.abs(target[:-1] - gross[1:]).mean()) if len(gross) > 1 else 0.0,
    }
