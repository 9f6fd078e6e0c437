"""From the analyzers of a finished run to the figures that a run folder keeps."""

from __future__ import annotations

from typing import Any

import backtrader as bt

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
