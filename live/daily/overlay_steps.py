"""The steps before the base weights: tilts of each engine, and their blend.

Each reads the files of the steps before it and stages its own (`live.daily.outputs`); what publishes them is elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ares7.arrays import Float1D
from ares7.errors import MissingData
from ares7.overlay.application import demeaned, scaled_to
from ares7.overlay.engines import Tilts, engine, latest
from ares7.overlay.params import OverlayParams
from ares7.panel import Panel
from live.daily.overlay_files import Named, blend_name, read_tilts, tilt_name
from live.daily.overlay_job import Job, Made, shown_range, staged, statistics

DEMO_SEED = 20240229
LABELS = {"wavelet": "Wavelet", "pead": "PEAD", "buyback": "Buyback"}


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
    needs = frozenset() if job.demo else engine_needs(name)
    panel = job.market.require(needs)
    if len(panel.dates) < params.lookback and not job.demo:
        raise MissingData(
            f"the {name} overlay reads {params.lookback} sessions; the data has {len(panel.dates)} up to "
            f"{panel.dates[-1]}; add older data"
        )
    tilts = (
        _demo_tilts(panel, name, params.budget) if job.demo else job.memo(engine(name), panel, job.overlay)
    )
    row = len(panel.dates) - 1
    at = int(np.searchsorted(tilts.rows, row, side="right")) - 1
    if at < 0:
        raise MissingData(f"no overlay date ({job.overlay.when}) up to {panel.dates[-1]}; add older data")
    day = int(tilts.rows[at])
    names = np.flatnonzero((panel.bar & panel.member & panel.is_stock)[day])
    if len(names) == 0:
        raise MissingData(
            f"no stock of the universe has a price on {panel.dates[day]}; check data.universe and the membership file"
        )
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
    return staged(job, tilt_name(name, demo=job.demo), columns, sidecar)


def engine_needs(name: str) -> frozenset[str]:
    """Inputs beyond prices of one engine."""
    return OverlayParams.model_validate({"engines": [name], "weights": {name: 1.0}}).requires


def _demo_tilts(panel: Panel, name: str, budget: float) -> Tilts:
    """Random tilts of a fixed seed, of the size that the engine's would have."""
    row = len(panel.dates) - 1
    among = (panel.bar & panel.member & panel.is_stock)[row:]
    draws = np.random.default_rng([DEMO_SEED, *LABELS[name].encode()]).standard_normal(among.shape)
    tilt = scaled_to(demeaned(np.where(among, draws, 0.0), among), budget, at_most=False)
    return Tilts(np.array([row], dtype=np.int64), tilt)


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
        warnings=[
            f"{name} file does not say its date: it is taken for that of the session" for name in undated
        ],
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
    return np.asarray(total if job.plain else total + 0.0)


def _staged_blend(job: Job, symbols: Sequence[str], tilt: Float1D, sidecar: Mapping[str, Any]) -> Made:
    found = sidecar["statistics"]
    name = blend_name(job.acting.stamp, demo=job.demo)
    day = str(job.acting.as_of)
    columns = {"date": [day] * len(symbols), "symbol": list(symbols), "tilt_final": tilt.tolist()}
    made = staged(job, name, columns, sidecar)
    job.say(f"Final tilt range: {shown_range(found)}")
    job.say(f"Final tilt std: {found['std'] or 0.0:.8f}")
    job.say(f"Final tilt mean: {round(found['mean'] or 0.0, 8) + 0.0:.8f}")
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
