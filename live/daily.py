"""The daily job: wavelet, PEAD, combine, apply; all of it or nothing, and what to do when an input is not there."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ares7 import sessions
from ares7.errors import Ares7Error, CheckFailed, DataError
from live.acting_session import Acting
from live.daily_log import COMBINER, Clock, JobLog, alert, logged
from live.outputs import AGAIN
from live.overlay_files import Named, blend_name, read_tilts, tilt_name, weights_name
from live.overlay_steps import Job, Made, apply_step, base_of, borrowed_blend, combine_step, engine_step

DEMO_SAYS = "DEMO: the overlays are random numbers of a fixed seed; never trade these files"


@dataclass(frozen=True, slots=True)
class Finished:
    """What a daily job did.

    Attributes
    ----------
    content : dict
        For ``--json``.
    code : int
        0, or 1 where it had to fall back.
    """

    content: dict[str, Any]
    code: int


def run_daily(job: Job, clock: Clock) -> Finished:
    """Make and publish the files of one session; nothing is replaced unless every step succeeds.

    Parameters
    ----------
    job : Job
        With a log; the caller holds the lock.
    clock : callable

    Raises
    ------
    Ares7Error
        An input cannot be used and ``daily.on_stale`` is ``refuse``, or there are no base weights.
    """
    log = job.log
    assert log is not None
    _open(job, log, clock)
    failure = None
    try:
        made = _overlays(job, log, clock)
    except DataError as error:
        job.outputs.discard()
        if job.config.daily.on_stale == "refuse":
            raise
        failure = error
        log.line(f"FALLBACK {job.config.daily.on_stale}: {error}")
        made = []
    with log.step("apply"):
        base = base_of(job, overlays=failure is None)
        if failure is not None:
            made = _fallback(job, failure, base.symbols, base.stock)
        made = [*made, apply_step(job, base)]
    with log.step("publish"):
        files = job.outputs.publish()
    if failure is not None:
        mode = str(made[-1].sidecar["mode"])
        _alert(job, clock, "error", f"fallback-{mode.replace('_', '-')}", f"{mode} weights of {job.acting.as_of}: {failure}")
    return Finished(_content(job, made, [str(path) for path in files]), int(failure is not None))


def _open(job: Job, log: JobLog, clock: Clock) -> None:
    acting = job.acting
    log.line(f"Session: {acting.as_of}, effective {acting.effective}")
    if clock() >= sessions.session_open(acting.effective, job.config.data.calendar):
        log.line(f"WARNING the open of {acting.effective}, on which these weights were to trade, has passed")
    for name in job.outputs.recover():
        log.line(f"Recovered: {name}, which a killed job had left unpublished")
    panel = job.market.panel
    if panel is not None and panel.provenance.get("synthetic"):
        log.line("SYNTHETIC market: these weights are of no real security")


def _overlays(job: Job, log: JobLog, clock: Clock) -> list[Made]:
    made = []
    for name in job.engines:
        with log.step(name):
            made.append(engine_step(job, name))
    with log.step("combine"):
        blend = logged_combine(job, clock)
    for line in ("range", "mean"):
        log.line(_figure(blend, line))
    log.line(f"Symbols: {blend.statistics['symbols']}")
    log.line(f"Final overlay: {job.outputs.folder / blend.name}")
    return [*made, blend]


def _figure(blend: Made, which: str) -> str:
    found = blend.statistics
    if which == "mean":
        return f"Final tilt mean: {(found['mean'] or 0.0) + 0.0:.8f}"
    from live.overlay_steps import shown_range

    return f"Final tilt range: {shown_range(found)}"


def logged_combine(job: Job, clock: Clock) -> Made:
    """Combine, with a log of its own."""
    log = JobLog(job.config.daily.logs, COMBINER, clock)
    weights = ", ".join(f"{name} {getattr(job.overlay.weights, name)}" for name in job.engines)
    with logged(log, f"combine {job.acting.as_of}{' DEMO' if job.demo else ''}"):
        log.line(f"Weights: {weights}")
        return combine_step(replace_log(job, log))


def replace_log(job: Job, log: JobLog | None) -> Job:
    """Return the same job telling another log; what it has loaded is kept."""
    other = replace(job, log=log)
    for name in ("market", "memo"):
        other.__dict__[name] = getattr(job, name)
    return other
