"""The steps of the daily job: tilts of each engine, their blend, its application to base weights.

Each reads the files of the steps before it and stages its own (`live.outputs`); what publishes them is elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ares7.arrays import Float1D
from ares7.config import Config
from ares7.errors import ConfigError, MissingData
from ares7.overlay.application import applied, demeaned, scaled_to
from ares7.overlay.engines import Tilts, engine, latest
from ares7.overlay.params import OverlayParams
from ares7.panel import Panel
from ares7.provenance import code_digest, versions
from ares7.stages import Remembered
from feeds.engines import Chosen
from live.acting_session import Acting
from live.base_weights import Base, Untilted, file_base, require_dated, strategy_base, takes_overlays
from live.daily_log import JobLog
from live.market import Market, load_market, started
from live.outputs import Outputs, csv_bytes
from live.overlay_files import (
    WEIGHTS_COLUMNS,
    Named,
    blend_name,
    read_tilts,
    tilt_name,
    weights_name,
)

DEMO_SEED = 20240229
LABELS = {"wavelet": "Wavelet", "pead": "PEAD", "buyback": "Buyback"}


@dataclass(frozen=True)
class Job:
    """One call: what is to be done, with what, and where it is written and told.

    Attributes
    ----------
    config : Config
    chosen : Chosen
        The strategy, with the overlays of the job where it takes any.
    overlay : OverlayParams
        Engines and settings of the job.
    acting : Acting
    outputs : Outputs
    log : JobLog or None
        None for a single step.
    root : Path
        Folder of the project.
    plain, demo : bool
    accept_undated : bool
        A base that does not say its date is taken for the session's.
    """

    config: Config
    chosen: Chosen
    overlay: OverlayParams
    acting: Acting
    outputs: Outputs
    root: Path
    log: JobLog | None = None
    plain: bool = False
    demo: bool = False
    accept_undated: bool = True

    @cached_property
    def market(self) -> Market:
        """Data up to the session, loaded once."""
        return load_market(self.config, self.acting)

    @cached_property
    def memo(self) -> Remembered:
        """Stages that were computed, for all steps."""
        return Remembered()

    @property
    def engines(self) -> tuple[str, ...]:
        """Engines with a weight."""
        return tuple(name for name in self.overlay.engines if getattr(self.overlay.weights, name) > 0)

    def say(self, text: str) -> None:
        """Write a line to the log, where there is one."""
        if self.log is not None:
            self.log.line(text)

    def again(self, *step: str) -> str:
        """Remedy of a file that is missing or of another session."""
        demo = " --demo" if self.demo else ""
        return (
            f"run 'python run.py overlay {' '.join(step)} --date {self.acting.as_of}{demo}' or "
            f"'python run.py daily --date {self.acting.as_of}{demo}'"
        )

    def sidecar(self, kind: str, mode: str, **content: Any) -> dict[str, Any]:
        """Fields that every sidecar has, and ``content``. No clock: the same inputs give the same bytes."""
        return {
            "kind": kind,
            "as_of": self.acting.as_of,
            "effective": self.acting.effective,
            "mode": "demo" if self.demo else mode,
            "plain": self.plain,
            "config_hash": self.config.digest(),
            "versions": versions() | {"code": code_digest(self.root)},
            "warnings": [],
            **content,
        }


@dataclass(frozen=True, slots=True)
class Made:
    """What a step staged.

    Attributes
    ----------
    name : str
        Of the CSV.
    sidecar : mapping
    """

    name: str
    sidecar: Mapping[str, Any]

    @property
    def statistics(self) -> Mapping[str, Any]:
        """Of its sidecar."""
        found: Mapping[str, Any] = self.sidecar["statistics"]
        return found


def statistics(values: Float1D) -> dict[str, float | int | None]:
    """Count, extremes, mean, standard deviation (ddof 0) and sum of absolute values; null of nothing."""
    if len(values) == 0:
        return {"symbols": 0, "min": None, "max": None, "mean": None, "std": None, "sum_abs": 0.0}
    found = {"min": values.min(), "max": values.max(), "mean": values.mean(), "std": values.std()}
    sums = {"sum_abs": float(np.abs(values).sum())}
    return {"symbols": len(values), **{k: float(v) for k, v in found.items()}, **sums}


def shown_range(found: Mapping[str, Any]) -> str:
    """``[smallest, largest]`` for a log."""
    if not found["symbols"]:
        return "[none]"
    return f"[{found['min']:+.6f}, {found['max']:+.6f}]"


def _provenance(panel: Panel) -> dict[str, Any]:
    known = panel.provenance
    return {name: known.get(name) for name in ("files", "panel_sha256", "synthetic", "universe")}


def engine_step(job: Job, name: str) -> Made:
    """Stage the tilts of one engine as they stand on the session: those of the latest overlay date.

    Raises
    ------
    MissingData, StaleData, DataError
        An input of the engine cannot be used, or is too short.
    """
    params = getattr(job.overlay, name)
    needs = frozenset() if job.demo else OverlayParams(engines=(name,), weights={name: 1.0}).requires
    panel = job.market.require(needs)
    if len(panel.dates) < params.lookback and not job.demo:
        raise MissingData(
            f"the {name} overlay reads {params.lookback} sessions; the data has {len(panel.dates)} up to "
            f"{panel.dates[-1]}; add older data"
        )
    tilts = _demo_tilts(panel, name, params.budget) if job.demo else job.memo(engine(name), panel, job.overlay)
    row = len(panel.dates) - 1
    at = int(np.searchsorted(tilts.rows, row, side="right")) - 1
    if at < 0:
        raise MissingData(f"no overlay date ({job.overlay.when}) up to {panel.dates[-1]}; add older data")
    day = int(tilts.rows[at])
    names = np.flatnonzero((panel.bar & panel.member & panel.is_stock)[day])
    values = latest(tilts, np.array([row]))[0, names] + 0.0
    found = statistics(values)
    warnings = [] if found["sum_abs"] else [f"the {name} overlay tilts no name on {panel.dates[day]}"]
    columns = {
        "date": [str(job.acting.as_of)] * len(names),
        "symbol": [panel.symbols[k] for k in names],
        f"tilt_{name}": values.tolist(),
    }
    sidecar = job.sidecar(
        name,
        "normal",
        overlay_session=panel.dates[day],
        engine={"name": name, "when": job.overlay.when, "params": params.model_dump(mode="json")},
        inputs=_provenance(panel),
        synthetic=bool(panel.provenance.get("synthetic")),
        statistics=found,
        warnings=warnings,
    )
    job.say(f"{LABELS[name]} tilt range: {shown_range(found)}")
    return _staged(job, tilt_name(name, demo=job.demo), columns, sidecar)


def _demo_tilts(panel: Panel, name: str, budget: float) -> Tilts:
    """Random tilts of a fixed seed, of the size that the engine's would have."""
    row = len(panel.dates) - 1
    among = (panel.bar & panel.member & panel.is_stock)[row:]
    draws = np.random.default_rng([DEMO_SEED, *LABELS[name].encode()]).standard_normal(among.shape)
    tilt = scaled_to(demeaned(np.where(among, draws, 0.0), among), budget, at_most=False)
    return Tilts(np.array([row], dtype=np.int64), tilt)


def _staged(job: Job, name: str, columns: Mapping[str, Sequence[Any]], sidecar: Mapping[str, Any]) -> Made:
    for text in sidecar["warnings"]:
        job.say(f"WARNING {text}")
    job.outputs.stage(name, csv_bytes(columns), sidecar)
    return Made(name, sidecar)


def combine_step(job: Job) -> Made:
    """Stage the blend of the engines' files: their outer merge on the symbol, weighted; missing counts as 0.

    Raises
    ------
    MissingData, StaleData, DataError
        A file cannot be used.
    """
    read = {}
    for name in job.engines:
        path = job.outputs.find(tilt_name(name, demo=job.demo))
        read[name] = read_tilts(path, (f"tilt_{name}", "tilt"), job.acting, job.again(name))
        job.say(f"{LABELS[name]} file: {path.name}, {len(read[name].symbols)} symbols")
        job.say(f"{LABELS[name]} tilt range: {shown_range(statistics(read[name].values))}")
    symbols = sorted({symbol for file in read.values() for symbol in file.symbols})
    total = _blend(job, read, symbols)
    found = statistics(total)
    undated = [LABELS[name] for name, file in read.items() if file.as_of is None]
    told = [file.sidecar for file in read.values()]
    sessions = sorted({str(t["overlay_session"]) for t in told if t.get("overlay_session")})
    sidecar = job.sidecar(
        "blend",
        "undated" if undated else "normal",
        overlay_session=sessions[-1] if sessions else None,
        engine={"weights": {name: getattr(job.overlay.weights, name) for name in read}},
        inputs={tilt_name(name, demo=job.demo): file.sha256 for name, file in read.items()},
        synthetic=any(t.get("synthetic") for t in told),
        statistics=found,
        warnings=[f"{name} file does not say its date: it is taken for that of the session" for name in undated],
    )
    return _staged_blend(job, symbols, total, sidecar)


def _blend(job: Job, read: Mapping[str, Named], symbols: Sequence[str]) -> Float1D:
    total = None
    for name, file in read.items():
        of = file.by_symbol
        part = getattr(job.overlay.weights, name) * np.array([of.get(s, 0.0) for s in symbols])
        total = part if total is None else total + part
    if total is None:
        return np.zeros(len(symbols))
    return total if job.plain else total + 0.0


def _staged_blend(job: Job, symbols: Sequence[str], tilt: Float1D, sidecar: Mapping[str, Any]) -> Made:
    found = sidecar["statistics"]
    name = blend_name(job.acting.stamp, demo=job.demo)
    day = str(job.acting.as_of)
    columns = {"date": [day] * len(symbols), "symbol": list(symbols), "tilt_final": tilt.tolist()}
    made = _staged(job, name, columns, sidecar)
    job.say(f"Final tilt range: {shown_range(found)}")
    job.say(f"Final tilt std: {found['std'] or 0.0:.8f}")
    job.say(f"Final tilt mean: {(found['mean'] or 0.0) + 0.0:.8f}")
    job.say(f"Symbols: {found['symbols']}")
    job.say(f"Final overlay: {job.outputs.folder / name}")
    return made


def borrowed_blend(job: Job, symbols: Sequence[str], tilt: Float1D, mode: str, **told: Any) -> Made:
    """Stage a blend that today's inputs did not give: that of an earlier session, or no tilt at all."""
    sidecar = job.sidecar(
        "blend",
        mode,
        engine={"weights": {name: getattr(job.overlay.weights, name) for name in job.engines}},
        statistics=statistics(tilt),
        **told,
    )
    return _staged_blend(job, symbols, tilt, sidecar)


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
    config = job.config
    if isinstance(config.daily.base, Path):
        panel = None if job.plain else job.market.panel
        base = file_base(config.daily.base, job.acting, panel, config.data.etfs, plain=job.plain)
        require_dated(base, config.daily.base, job.accept_undated)
        return base
    settings = job.chosen.settings
    with_overlays = takes_overlays(job.chosen.strategy)
    needs = settings.requires - (job.overlay.requires if with_overlays else frozenset())
    needs |= _sleeve_needs(job.chosen)
    panel = started(job.market.require(needs), config, settings.warmup, job.chosen.name)
    unhindered = overlays and not job.demo
    return strategy_base(panel, job.chosen, job.memo if unhindered else Untilted())


def _sleeve_needs(chosen: Chosen) -> frozenset[str]:
    """What the strategy reads without overlays."""
    settings = chosen.settings
    if not takes_overlays(chosen.strategy):
        return settings.requires
    return settings.model_copy(update={"overlay": OverlayParams()}).requires


def apply_step(job: Job, base: Base) -> Made:
    """Stage the final weights: the blend of the session applied to base weights.

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
    rows = [
        (day, base.symbols[k], *(float(v[k]) for v in (base.weights, used, weights)))
        for k in order
    ]
    columns = dict(zip(WEIGHTS_COLUMNS, zip(*rows, strict=True) if rows else [()] * 5, strict=True))
    mode = blend.sidecar.get("mode", "normal" if blend.as_of is not None else "undated")
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
    made = _staged(job, weights_name(job.acting.stamp, demo=job.demo), columns, sidecar)
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
