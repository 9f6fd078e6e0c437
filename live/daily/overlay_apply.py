"""The last step: base weights, and the blend applied to them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ares7.arrays import Float1D
from ares7.errors import ConfigError
from ares7.overlay.application import applied
from live.daily.base_weights import (
    Base,
    Untilted,
    file_base,
    needs_without_overlays,
    require_dated,
    strategy_base,
)
from live.daily.market import started
from live.daily.overlay_files import WEIGHTS_COLUMNS, blend_name, read_tilts, weights_name
from live.daily.overlay_job import Job, Made, shown_range, staged, statistics


def base_of(job: Job, *, overlays: bool = True) -> Base:
    """Base weights of the session, from the strategy or the user's file.

    Parameters
    ----------
    overlays : bool
        Whether the inputs of the overlays can be used.

    Raises
    ------
    ConfigError, DataError
        There are none that may be used.
    """
    config, chosen = job.config, job.chosen
    if isinstance(config.daily.base, Path):
        panel = None if job.plain else job.market.panel
        base = file_base(config.daily.base, job.acting, panel, config.data.etfs, plain=job.plain)
        require_dated(base, config.daily.base, job.accept_undated)
        return base
    panel = job.market.require(needs_without_overlays(chosen))
    panel = started(panel, config, chosen.settings.warmup, chosen.name)
    # Only a risk scale reads the tilted book; without one no input of the overlays is needed here.
    scaled = getattr(getattr(chosen.settings, "risk", None), "enabled", False)
    return strategy_base(panel, chosen, job.memo if scaled and overlays and not job.demo else Untilted())


def apply_step(job: Job, base: Base, mode: str | None = None) -> Made:
    """Stage the final weights: the blend of the session applied to base weights.

    Parameters
    ----------
    mode : str, optional
        How the job came to the blend, where it was not by this session's inputs.

    Raises
    ------
    MissingData, StaleData, DataError
        The blend cannot be used.
    ConfigError
        The weights would sum to more than the account.
    """
    path = job.outputs.find(blend_name(job.acting.stamp, demo=job.demo))
    blend = read_tilts(path, ("tilt_final",), job.acting, job.again("combine"))
    of = blend.by_symbol
    tilt = np.array([of.get(symbol, 0.0) for symbol in base.symbols])
    ignored = sorted(set(blend.symbols) - set(base.symbols))
    if ignored:
        job.say(f"Ignored: {len(ignored)} overlay symbols without a base weight ({', '.join(ignored[:5])})")
    order = list(range(len(tilt))) if job.plain else np.argsort(base.symbols, kind="stable").tolist()
    weights, used, warnings = _plain(job, base, tilt) if job.plain else _tilted(job, base, tilt)
    day = str(job.acting.as_of)
    numbers = [values[order].tolist() for values in (base.weights, used, weights)]
    named = ([day] * len(order), [base.symbols[k] for k in order], *numbers)
    columns = dict(zip(WEIGHTS_COLUMNS, named, strict=True))
    if not blend.sidecar:
        warnings.append(f"{path.name} has no sidecar: nothing vouches for what it holds")
    mode = mode or str(blend.sidecar.get("mode", "undated" if blend.as_of is None else "normal"))
    found = statistics(used) | {"gross_base": float(base.weights.sum()), "gross": float(weights.sum())}
    sidecar = job.sidecar(
        "weights",
        "undated" if mode == "normal" and not base.dated else mode,
        overlay_session=blend.sidecar.get("overlay_session"),
        engine={"lambda": job.overlay.lam, "cap": job.overlay.cap, "normalize": job.overlay.normalize},
        inputs={path.name: blend.sha256, "base": base.source},
        synthetic=bool(blend.sidecar.get("synthetic")),
        statistics=found | {"turnover": float(np.abs(weights - base.weights).sum() / 2)},
        warnings=[*base.warnings, *warnings],
    )
    job.say(f"Applied tilt range: {shown_range(found)}")
    job.say(f"Gross: base {found['gross_base']:.6f}, final {found['gross']:.6f}")
    made = staged(job, weights_name(job.acting.stamp, demo=job.demo), columns, sidecar)
    job.say(f"Final weights: {job.outputs.folder / made.name}")
    return made


def _tilted(job: Job, base: Base, tilt: Float1D) -> tuple[Float1D, Float1D, list[str]]:
    """Rulings 21 on the stock block; funds and strange names stay."""
    overlay, stock = job.overlay, base.stock
    block, used = applied(
        np.where(stock, base.weights, 0.0)[None],
        np.where(stock, tilt, 0.0)[None],
        lam=overlay.lam,
        cap=overlay.cap,
        normalize=overlay.normalize,
    )
    weights = np.where(stock, block[0], base.weights)
    if weights.sum() > max(1.0, base.weights.sum()) + 1e-6:
        raise ConfigError(
            f"the final weights sum to {weights.sum():.6f}, above 1: overlay.normalize {overlay.normalize} rescales "
            f"the stocks and leaves {base.weights[~stock].sum():.6f} in others; set overlay.normalize: base_gross"
        )
    held = stock & (base.weights > 0)
    over = int((np.abs(overlay.lam * tilt[held]) > overlay.cap).sum())
    warnings = []
    if over * 2 > held.sum():
        warnings.append(
            f"tilts too large: lambda {overlay.lam} times the tilt exceeds overlay.cap {overlay.cap} for {over} of "
            f"{int(held.sum())} names, so that the cap decides and not the overlay; lower strategy.overlay_lambda"
        )
    sold = int(((weights <= 0) & held).sum())
    if sold:
        job.say(f"Clipped: {sold} names are tilted to 0")
    return weights, used[0] + 0.0, warnings


def _plain(job: Job, base: Base, tilt: Float1D) -> tuple[Float1D, Float1D, list[str]]:
    """The formula of the original: no cap, no demeaning, no clip; rescaled to 1."""
    weights = base.weights + job.overlay.lam * tilt
    total = weights.sum()
    warnings = []
    if total != 0:
        weights = weights / total
    else:
        warnings.append("the weights sum to 0 and are not rescaled; lower strategy.overlay_lambda")
    negative = int((weights < 0).sum())
    if negative:
        warnings.append(
            f"tilts too large: {negative} final weights are negative, which --plain does not clip; lower "
            "strategy.overlay_lambda, or leave --plain out"
        )
    return weights, tilt, warnings
