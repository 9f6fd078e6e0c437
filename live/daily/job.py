"""The daily job: wavelet, PEAD, combine, apply; all of it or nothing, and what to do when an input is not there."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ares7 import sessions
from ares7.config import Config
from ares7.errors import Ares7Error, ConfigError, DataError
from ares7.overlay.params import OverlayParams
from feeds.engines import Chosen
from feeds.study import require_margin
from live.daily.acting_session import Acting, NoSession, acting
from live.daily.base_weights import Base, takes_overlays
from live.daily.lock import exclusive
from live.daily.log import COMBINER, JOB, Clock, JobLog, alert, logged
from live.daily.outputs import Outputs, read_sidecar
from live.daily.overlay_apply import apply_step, base_of
from live.daily.overlay_files import Named, blend_name, read_tilts, tilt_name
from live.daily.overlay_job import Job, Made
from live.daily.overlay_steps import borrowed_blend, combine_step, engine_step

DEMO_SAYS = "DEMO: random sample overlays of a fixed seed, never to be traded"
Choose = Callable[[str, dict[str, Any]], Chosen]
"""Strategy by name and parameters."""


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


def overlaid_choice(config: Config, choose: Choose) -> tuple[Chosen, OverlayParams]:
    """Strategy with the engines of the daily job, where it takes overlays; and the settings of the engines.

    Raises
    ------
    ConfigError
        ``strategy.overlays`` names other engines than the job runs, or none of these has a weight.
    """
    engines, named = config.daily.engines, config.strategy.overlays
    if named and set(named) != set(engines):
        raise ConfigError(
            f"strategy.overlays {list(named)} and daily.engines {list(engines)} differ, so that the job would trade "
            "another book than the backtest; set one to the other"
        )
    own = config.strategy
    chosen = choose(own.name, own.params)
    if takes_overlays(chosen.strategy):
        acting = config.model_copy(update={"strategy": own.model_copy(update={"overlays": engines})})
        params = acting.strategy_params
        wanted = params["overlay"]
        # The book keeps its gross; what the files are rescaled to is decided when the blend is applied.
        chosen = choose(own.name, params | {"overlay": wanted | {"normalize": "base_gross"}})
        overlay = chosen.settings.overlay.model_copy(update={"normalize": wanted["normalize"]})  # type: ignore[attr-defined]
    else:
        settings = config.overlay.model_dump() | {"engines": engines, "lam": own.overlay_lambda}
        overlay = OverlayParams.model_validate(settings)
    if not any(getattr(overlay.weights, name) > 0 for name in engines):
        raise ConfigError(f"every engine of daily.engines {list(engines)} has weight 0; set overlay.weights")
    require_margin(config, chosen.settings)
    return chosen, overlay


def daily(
    config: Config, choose: Choose, root: Path, clock: Clock, day: np.datetime64 | None, *, demo: bool = False
) -> Finished:
    """Run the job of one session, or find that there is none.

    Parameters
    ----------
    config : Config
    choose : callable
    root : Path
        Folder of the project.
    clock : callable
        Present moment.
    day : datetime64[D] or None
        ``--date``.
    demo : bool
        Random overlays, under names that no reader of production files takes.

    Raises
    ------
    CheckFailed
        Another job is running.
    Ares7Error
        The job refuses; an alert was appended and nothing was replaced.
    """
    log = JobLog(config.daily.logs, JOB, clock, echo=True)
    what = f"daily {day if day is not None else 'latest session'} pid {os.getpid()}"
    with logged(log, f"{what}; {DEMO_SAYS}" if demo else what) as code, _alerts(config, clock, day):
        found = acting(day, clock(), config.data.calendar)
        if isinstance(found, NoSession):
            return _skipped(config, log, found)
        with _alerts(config, clock, found.as_of):
            outputs = Outputs(config.daily.outputs)
            with exclusive(outputs.folder, f"{clock():%Y-%m-%d %H:%M:%S %Z}"):
                try:
                    chosen, overlay = overlaid_choice(config, choose)
                    job = Job(config, chosen, overlay, found, outputs, root, demo=demo)
                    job = replace(job, accept_undated=config.daily.accept_undated, listeners=[log.line])
                    finished = _run(job, log, clock)
                finally:
                    outputs.discard()
        code[0] = finished.code
    return finished


def _skipped(config: Config, log: JobLog, found: NoSession) -> Finished:
    reason = f"{found.day} is no session of {config.data.calendar}; the session before is {found.before}"
    log.line(f"SKIPPED {reason}")
    return Finished({"skipped": True, "reason": reason, "log": str(log.path)}, 0)


@contextmanager
def _alerts(config: Config, clock: Clock, session: np.datetime64 | None) -> Iterator[None]:
    """Append an alert about whatever stops the job, once."""
    try:
        yield
    except Exception as error:
        if not getattr(error, "alerted", False):
            kind = type(error).__name__ if isinstance(error, Ares7Error) else "UnexpectedError"
            code = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", kind).lower()
            alert(
                config.daily.logs, clock, session=session, severity="critical", code=code, message=str(error)
            )
            error.alerted = True  # type: ignore[attr-defined]
        raise


def _run(job: Job, log: JobLog, clock: Clock) -> Finished:
    _open(job, log, clock)
    failure: DataError | None = None
    made: list[Made] = []
    try:
        made = _overlays(job, log, clock)
    except DataError as error:
        job.outputs.discard()
        if job.config.daily.on_stale == "refuse":
            raise
        failure = error
        log.line(f"FALLBACK {job.config.daily.on_stale}: {error}")
    with log.step("apply"):
        base = base_of(job, overlays=failure is None)
        mode = None
        if failure is not None:
            mode, made = _fallback(job, base, failure)
        made = [*made, apply_step(job, base, mode)]
    with log.step("publish"):
        files = job.outputs.publish()
    if failure is not None:
        message = f"{mode} weights of {job.acting.as_of}: {failure}"
        code = f"fallback-{mode}".replace("_", "-")
        alert(
            job.config.daily.logs,
            clock,
            session=job.acting.as_of,
            severity="error",
            code=code,
            message=message,
        )
    return Finished(_content(job, made, files, log.path), int(failure is not None))


def _open(job: Job, log: JobLog, clock: Clock) -> None:
    """Say what the job acts on; finish what a killed one had left."""
    acting = job.acting
    log.line(f"Session: {acting.as_of}, effective {acting.effective}")
    if clock() >= sessions.session_open(acting.effective, job.config.data.calendar):
        log.line(f"WARNING the open of {acting.effective}, on which these weights were to trade, has passed")
    for name in job.outputs.recover():
        log.line(f"Recovered: {name}, which a killed job had left to publish")
    for name in job.engines:
        _say_if_older(job, log, tilt_name(name, demo=job.demo))
    panel = job.market.panel
    if panel is not None and panel.provenance.get("synthetic"):
        log.line("SYNTHETIC market: these weights are of no real security")


def _say_if_older(job: Job, log: JobLog, name: str) -> None:
    """Warn where a file that is named the latest is about to be one of an earlier session."""
    try:
        found = read_sidecar(job.outputs.find(name))
    except DataError:
        return
    if found and str(found.get("as_of")) > str(job.acting.as_of):
        log.line(
            f"WARNING {name} is of {found['as_of']} and will be of {job.acting.as_of}; run that session again"
        )


def _overlays(job: Job, log: JobLog, clock: Clock) -> list[Made]:
    made = []
    for name in job.engines:
        with log.step(name):
            made.append(engine_step(job, name))
    with log.step("combine"):
        made.append(logged_combine(job, clock))
    return made


def logged_combine(job: Job, clock: Clock) -> Made:
    """Combine, with a log of its own beside the job's."""
    log = JobLog(job.config.daily.logs, COMBINER, clock)
    what = f"combine {job.acting.as_of}"
    with logged(log, f"{what}; {DEMO_SAYS}" if job.demo else what):
        weights = ", ".join(f"{name} {getattr(job.overlay.weights, name)}" for name in job.engines)
        log.line(f"Weights: {weights}{' (plain)' if job.plain else ''}")
        job.listeners.append(log.line)
        try:
            return combine_step(job)
        finally:
            job.listeners.pop()


def _fallback(job: Job, base: Base, failure: DataError) -> tuple[str, list[Made]]:
    """Blend of an earlier session, or none at all, in the place of the one that could not be made."""
    panel = job.market.panel
    synthetic = panel is not None and bool(panel.provenance.get("synthetic"))
    told: dict[str, Any] = {"warnings": [str(failure)], "synthetic": synthetic, "inputs": {}}
    if job.config.daily.on_stale == "base_only":
        symbols = sorted(symbol for symbol, stock in zip(base.symbols, base.stock, strict=True) if stock)
        made = borrowed_blend(job, symbols, np.zeros(len(symbols)), "base_only", overlay_session=None, **told)
        return "base_only", [made]
    good = _last_good(job)
    if good is None:
        limit = job.config.daily.last_good_sessions
        raise DataError(
            f"{failure}; and {job.outputs.folder} holds no good blend of the last {limit} sessions; correct the input, "
            "or set daily.on_stale: base_only"
        )
    job.say(f"Last good blend: {good.path.name}")
    if good.as_of == job.acting.as_of:
        return "last_good", []  # what an earlier run of this session has made stays as it is
    told |= {
        "inputs": {good.path.name: good.sha256},
        "overlay_session": good.sidecar.get("overlay_session"),
        "synthetic": bool(good.sidecar.get("synthetic")),
    }
    return "last_good", [borrowed_blend(job, good.symbols, good.values, "last_good", **told)]


def _last_good(job: Job) -> Named | None:
    """Newest whole blend that was made of its own session's inputs and is not too old."""
    day, calendar = job.acting.as_of, job.config.data.calendar
    for _ in range(job.config.daily.last_good_sessions + 1):
        at = Acting(day, sessions.next_session(day, calendar), job.acting.today)
        path = job.outputs.find(blend_name(at.stamp, demo=job.demo))
        try:
            found = read_tilts(path, ("tilt_final",), at, "")
        except DataError as error:
            job.say(f"No good blend of {day}: {error}")
        else:
            if found.sidecar.get("mode") == "normal" and not found.sidecar.get("plain"):
                return found
        day = sessions.session_before(day, calendar)
    return None


def _content(job: Job, made: list[Made], files: list[Path], log: Path) -> dict[str, Any]:
    final = made[-1].sidecar
    return {
        "skipped": False,
        "session": str(job.acting.as_of),
        "effective": str(job.acting.effective),
        "overlay_session": final.get("overlay_session"),
        "mode": final["mode"],
        "synthetic": final["synthetic"],
        "files": {path.name: str(path) for path in files},
        "statistics": {one.name: one.statistics for one in made},
        "warnings": [text for one in made for text in one.sidecar["warnings"]],
        "log": str(log),
    }
