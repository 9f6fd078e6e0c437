"""One event-driven backtest over a panel: a strategy class is handed in, what it did comes out."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ares7.book import Targets, delayed
from ares7.config import AccountConfig
from ares7.costs import CostModel
from ares7.errors import Ares7Error, ConfigError
from ares7.overlay.params import OverlayParams
from ares7.overlay.tilting import silent_engines
from ares7.panel import Panel
from ares7.params import BookParams
from feeds.cerebro import PanelCerebro, ares7_cerebro
from feeds.target_cache import target_entry


@dataclass(frozen=True, slots=True)
class Backtest:
    """A finished run.

    Attributes
    ----------
    targets : Targets
        Rows of the whole panel, warm-up included.
    strategy : backtrader.Strategy
        With its analyzers.
    cerebro : PanelCerebro
        With its broker.
    """

    targets: Targets
    strategy: Any
    cerebro: PanelCerebro


def own_code(name: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function of the user's strategy; whatever it raises becomes one error with file and line.

    Raises
    ------
    ConfigError
    """
    try:
        return function(*arguments)
    except Ares7Error:
        raise
    except Exception as error:  # the user's own code may fail in any way
        place = traceback.extract_tb(error.__traceback__)[-1]
        raise ConfigError(
            f"strategy {name} failed at {place.filename}:{place.lineno}: {type(error).__name__}: "
            f"{' '.join(str(error).split())}; correct the strategy"
        ) from error


def computed_targets(
    panel: Panel, strategy: type[Any], settings: BookParams, name: str, cache: Path | None = None
) -> Targets:
    """Call a strategy's ``weights`` and check what it gives, or take what an earlier run has stored.

    Parameters
    ----------
    panel, strategy, settings
    name : str
        For messages.
    cache : Path, optional
        ``data.cache``, where `feeds.target_cache` may keep them; without it they are computed.

    Raises
    ------
    ConfigError
        Naming file and line where the code fails, or what is wrong with the targets.
    """
    entry = target_entry(cache, panel, strategy, settings)
    stored = entry.targets() if entry else None
    if stored is not None:
        return stored
    targets = usable_targets(panel, own_code(name, strategy.weights, panel, settings), settings, name)
    if entry:
        entry.keep_targets(targets)
    return targets


def computed_diagnostics(
    panel: Panel, strategy: type[Any], settings: BookParams, name: str, cache: Path | None = None
) -> dict[str, Any]:
    """Call a strategy's ``diagnostics``, or take what an earlier run has stored beside its targets.

    Raises
    ------
    ConfigError
        Naming file and line where the code fails.
    """
    entry = target_entry(cache, panel, strategy, settings)
    found = entry.diagnostics() if entry else None
    if found is None:
        found = own_code(name, strategy.diagnostics, panel, settings)
        overlay = getattr(settings, "overlay", None)
        silent = silent_engines(panel, overlay) if isinstance(overlay, OverlayParams) else []
        if silent:
            found = found | {"notes": [*found.get("notes", []), *silent]}
        if entry:
            entry.keep_diagnostics(found)
    return found


def usable_targets(panel: Panel, targets: Any, settings: BookParams, name: str) -> Targets:
    """Return what ``weights`` gives, or refuse it if it is no target rows of this panel within ``gross``.

    Raises
    ------
    ConfigError
    """
    if not isinstance(targets, Targets):
        raise ConfigError(f"strategy {name}: weights must return Targets, not {type(targets).__name__}")
    rows, mask = np.shape(targets.weights), np.shape(targets.decide)
    if rows != panel.shape or mask != panel.shape[:1]:
        raise ConfigError(
            f"strategy {name}: weights has shape {rows} and decide {mask}; expected {panel.shape} and "
            f"{panel.shape[:1]}, one row a session and one column a symbol of the panel"
        )
    unusable = ~(np.isfinite(targets.weights) & (targets.weights >= 0))
    if unusable.any():
        row, column = np.argwhere(unusable)[0]
        raise ConfigError(
            f"strategy {name}: the weight of {panel.symbols[column]} on {panel.dates[row]} is "
            f"{targets.weights[row, column]}; weights must be numbers of at least 0, and 0 where nothing is known"
        )
    total = targets.weights.sum(axis=1)
    if total.max(initial=0.0) > settings.gross + 1e-9:
        row = int(total.argmax())
        raise ConfigError(
            f"strategy {name}: the weights on {panel.dates[row]} sum to {total[row]:.6g}, above gross "
            f"{settings.gross}; scale them down, or set strategy.params.gross"
        )
    return targets


def require_affordable(panel: Panel, targets: Targets, account: AccountConfig, name: str) -> None:
    """Refuse an account that cannot buy one share of anything that the strategy ever wants.

    Raises
    ------
    ConfigError
        Also when the strategy never wants anything.
    """
    rows = np.flatnonzero(targets.decide)
    wanted = targets.weights[rows]
    if not (wanted > 0).any():
        raise ConfigError(
            f"strategy {name} wants nothing on any of its {len(rows)} decision days from {panel.dates[rows[0]]}; "
            "check the universe, the period and the strategy's parameters"
        )
    if account.shares == "fractional":
        return
    least = np.inf
    for row, weights in zip(rows, wanted, strict=True):
        price = panel.fields["close"][row]
        priced = (weights > 0) & np.isfinite(price)
        least = min(least, (price[priced] / weights[priced]).min(initial=np.inf))
        if least <= account.cash:
            return
    raise ConfigError(
        f"account.cash {account.cash:,.0f} buys not one whole share of anything that {name} wants; "
        f"it takes at least {least:,.0f}, or account.shares: fractional"
    )


def run_backtest(
    panel: Panel,
    strategy: type[Any],
    settings: BookParams,
    *,
    account: AccountConfig,
    costs: CostModel,
    analyzers: Callable[[PanelCerebro, Targets], None] | None = None,
    on_step: Callable[[int], None] | None = None,
    name: str = "strategy",
    cache: Path | None = None,
) -> Backtest:
    """Run a strategy from ``panel.start`` to the panel's last session.

    Parameters
    ----------
    panel : Panel
    strategy : class
        A ``PortfolioStrategy``: ``weights(panel, settings)`` and the Backtrader side.
    settings : BookParams
    account, costs
    analyzers : callable, optional
        Adds analyzers to the Cerebro, given the target rows.
    on_step : callable, optional
        Called with the number of sessions done.
    name : str
        For messages.
    cache : Path, optional
        ``data.cache``, whose stored targets are used and which keeps new ones.

    Raises
    ------
    ConfigError
        The strategy's own code fails or gives no usable targets; the account cannot trade what it wants.
    """
    targets = computed_targets(panel, strategy, settings, name, cache)
    targets = delayed(targets, account.exec_lag - 1, panel.start_row)
    require_affordable(panel, targets, account, name)
    cerebro = ares7_cerebro(panel, costs=costs, account=account)
    cerebro.addstrategy(strategy, settings=settings, account=account, targets=targets)
    if analyzers is not None:
        analyzers(cerebro, targets)
    if on_step is not None:
        cerebro.on_step(on_step)
    return Backtest(targets, cerebro.run()[0], cerebro)
