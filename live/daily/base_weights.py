"""Base weights of a session: the configured strategy's before overlays, or a file of the user's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from ares7.arrays import Bool1D, Float1D
from ares7.book import Targets, assemble
from ares7.errors import ConfigError
from ares7.overlay.engines import Tilts, blended
from ares7.overlay.params import OverlayParams
from ares7.panel import Panel
from ares7.stages import Memo, Remembered, Stage, Value
from feeds.backtest import own_code, usable_targets
from feeds.engines import Chosen
from live.daily.acting_session import Acting
from live.daily.overlay_files import read_base


@dataclass(frozen=True, slots=True)
class Base:
    """Base weights.

    Attributes
    ----------
    symbols : tuple of B str
    weights : (B,) fraction of NAV
    stock : (B,) bool
        False for funds and for names outside the universe, which overlays leave alone.
    dated : bool
    source : mapping
        For the sidecar: where the weights come from.
    warnings : tuple of str
    """

    symbols: tuple[str, ...]
    weights: Float1D
    stock: Bool1D
    dated: bool
    source: Mapping[str, Any]
    warnings: tuple[str, ...] = ()


class Untilted(Remembered):
    """Memo in which no overlay tilts: for base weights when an input of the overlays is not there.

    The decisions stay those of the book with overlays; a risk scale is that of the curve without them.
    """

    def __call__(self, stage: Stage[Value], panel: Panel, params: BaseModel) -> Value:
        """Compute or remember; the blend of the overlays is nothing."""
        if stage is blended:
            nothing = Tilts(np.zeros(0, dtype=np.int64), np.zeros((0, panel.shape[1])))
            return nothing  # type: ignore[return-value]
        return super().__call__(stage, panel, params)


def takes_overlays(strategy: type[Any]) -> bool:
    """Whether overlays can tilt a strategy's plan: then its base weights are the plan without the tilt."""
    return getattr(strategy, "plan", None) is not None and "overlay" in strategy.Params.model_fields


def needs_without_overlays(chosen: Chosen) -> frozenset[str]:
    """Inputs beyond prices that the base weights of a strategy read."""
    settings = chosen.settings
    if takes_overlays(chosen.strategy):
        settings = settings.model_copy(update={"overlay": OverlayParams()})
    return settings.requires


def strategy_base(panel: Panel, chosen: Chosen, memo: Memo) -> Base:
    """Target row of the panel's last session as it stands before overlays.

    Parameters
    ----------
    panel : Panel
        Up to the session, with its start set.
    chosen : Chosen
        Where it takes overlays, with those of the job: their dates are decisions.
    memo : Memo

    Raises
    ------
    ConfigError, DataError
        The strategy fails, or an input that it reads is not usable.
    """
    targets = usable_targets(panel, _untilted_targets(panel, chosen, memo), chosen.settings, chosen.name)
    row = targets.weights[-1]
    held = np.flatnonzero(row > 0)
    decided = panel.dates[np.flatnonzero(targets.decide)[-1]] if targets.decide.any() else None
    return Base(
        symbols=tuple(panel.symbols[k] for k in held),
        weights=row[held],
        stock=panel.is_stock[held],
        dated=True,
        source={
            "strategy": chosen.name,
            "params": chosen.settings.model_dump(mode="json"),
            "decided": decided,
        },
        warnings=() if len(held) else ("the base holds nothing: all cash",),
    )


def _untilted_targets(panel: Panel, chosen: Chosen, memo: Memo) -> Targets:
    if not takes_overlays(chosen.strategy):
        targets: Targets = own_code(chosen.name, chosen.strategy.weights, panel, chosen.settings)
        return targets
    plan = own_code(chosen.name, chosen.strategy.plan, panel, chosen.settings, memo)
    return assemble(panel, replace(plan, tilt=None))


def file_base(
    path: Path, acting: Acting, panel: Panel | None, funds: tuple[str, ...], *, plain: bool = False
) -> Base:
    """Weights of a file; what no overlay can know of is left as it is.

    Parameters
    ----------
    path : Path
    acting : Acting
    panel : Panel or None
        Whose symbols make the universe; None where none could be loaded.
    funds : tuple of str
        ``data.etfs``.
    plain : bool
        See `live.daily.overlay_files.read_base`.

    Raises
    ------
    DataError
        See `live.daily.overlay_files.read_base`.
    """
    read = read_base(path, acting, plain=plain)
    known = set(read.symbols) if panel is None else {*panel.symbols, *funds}
    strange = sorted(set(read.symbols) - known)
    warnings = []
    if strange:
        shown = ", ".join(strange[:5])
        warnings.append(
            f"{len(strange)} names of the base are not in the universe and keep their weight ({shown})"
        )
    if read.as_of is None:
        warnings.append(f"{path.name} does not say its date: it is taken for that of {acting.as_of}")
    return Base(
        symbols=read.symbols,
        weights=read.values,
        stock=np.array([s in known and s not in funds for s in read.symbols], dtype=bool),
        dated=read.as_of is not None,
        source={"file": path.name, "sha256": read.sha256},
        warnings=tuple(warnings),
    )


def require_dated(base: Base, path: Path, accept: bool) -> None:
    """Refuse a base that does not say its date, unless the configuration accepts it.

    Raises
    ------
    ConfigError
    """
    if not base.dated and not accept:
        raise ConfigError(
            f"base weights {path} do not say their date, so that stale ones cannot be told from fresh ones; add a "
            "column date, or set daily.accept_undated: true"
        )
