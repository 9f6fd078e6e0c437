"""What the verbs of production do between the command line and the files.

Strategies are handed in by ``run.py``; this package imports none of them.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ares7.config import Config
    from feeds.engines import Chosen
    from live.daily.overlay_job import Job, Made

Choose = Callable[[str, dict[str, Any]], "Chosen"]


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a verb.

    Attributes
    ----------
    args : Namespace
    config : Config
    choose : callable
        Strategy by name and parameters.
    root : Path
        Folder of the project.
    """

    args: argparse.Namespace
    config: Config
    choose: Choose
    root: Path


@dataclass(frozen=True, slots=True)
class Done:
    """What a verb did: the JSON answer, the lines for a person, the exit code."""

    content: dict[str, Any]
    lines: tuple[str, ...]
    code: int = 0


def add_verbs(verb: Any, verbs: Any, source: argparse.ArgumentParser, call: Callable[..., int]) -> Any:
    """Add ``daily`` and the steps of ``overlay`` to the command line.

    Parameters
    ----------
    verb : callable
        ``verb(name, run, *parents, within, text)`` of ``run.py``.
    verbs
        Subparsers of the command line.
    source : ArgumentParser
        Options that name the data and the strategy.
    call : callable
        What dispatches to ``args.act``.

    Returns
    -------
    Subparsers of ``overlay``, for further actions.
    """
    dated = argparse.ArgumentParser(add_help=False)
    dated.add_argument(
        "--date", metavar="DATE", help="session, YYYY-MM-DD; default: the latest that has closed"
    )
    dated.add_argument(
        "--demo",
        action="store_true",
        help="random sample overlays, under names of their own; never to be traded",
    )
    overlay = verbs.add_parser("overlay", help="steps of the daily job, one at a time").add_subparsers(
        dest="action", required=True, metavar="ACTION"
    )
    actions = {"wavelet": engine, "pead": engine, "buyback": engine, "combine": combine, "apply": apply}
    texts = {
        name: f"Tilts of the {name} overlay on a session." for name, act in actions.items() if act is engine
    }
    for name, act in actions.items():
        made = verb(name, call, source, dated, within=overlay, text=texts.get(name, act.__doc__))
        made.set_defaults(act=act, plain=False)
        if act is not engine:
            made.add_argument(
                "--plain", action="store_true", help="the original formula: no cap, no demeaning, no clip"
            )
    made = verb("stats", call, within=overlay, text=stats.__doc__)
    made.add_argument(
        "--last", type=int, default=7, metavar="DAYS", help="calendar days, for example 7 or 30"
    )
    made.add_argument("--date", metavar="DATE", help="last day; default: the latest session that has closed")
    made.set_defaults(act=stats)
    verb("daily", call, source, dated, text=daily.__doc__).set_defaults(act=daily)
    return overlay


def _day(call: Call) -> Any:
    from live.daily.acting_session import parse_day

    return None if call.args.date is None else parse_day(call.args.date)


def _terminated(number: int, frame: Any) -> None:
    raise SystemExit(128 + number)


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """What systemd or a person stops still writes its last line and gives its lock back."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminated)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def daily(call: Call) -> Done:
    """Tilts, blend and final weights of the latest session: everything or nothing."""
    from live.daily import job
    from live.machine import utc_now

    with ended_by_sigterm():
        done = job.daily(call.config, call.choose, call.root, utc_now, _day(call), demo=call.args.demo)
    if done.content["skipped"]:
        return Done(done.content, (f"skipped: {done.content['reason']}",))
    lines = (
        f"session {done.content['session']}, effective {done.content['effective']}, mode {done.content['mode']}",
        *done.content["files"].values(),
    )
    return Done(done.content, lines, done.code)


def _single(call: Call, step: Callable[[Job], Made]) -> Done:
    """Run one step and publish its file."""
    from live.daily.acting_session import acting_step
    from live.daily.job import overlaid_choice
    from live.daily.lock import exclusive
    from live.daily.outputs import Outputs
    from live.daily.overlay_job import Job
    from live.machine import utc_now

    args, config, now = call.args, call.config, utc_now()
    acting = acting_step(_day(call), now, config.data.calendar)
    chosen, overlay = overlaid_choice(config, call.choose)
    outputs = Outputs(config.daily.outputs)
    job = Job(config, chosen, overlay, acting, outputs, call.root, args.plain, args.demo)
    job.listeners.append(lambda text: print(text, file=sys.stderr))  # noqa: T201 - the person who typed the step
    with exclusive(outputs.folder, f"{now:%Y-%m-%d %H:%M:%S %Z}"):
        outputs.recover()
        try:
            made = step(job)
            files = [str(path) for path in outputs.publish()]
        finally:
            outputs.discard()
    content = {"file": files[0], **made.sidecar}
    return Done(content, (f"wrote {files[0]}",))


def engine(call: Call) -> Done:
    """Tilts of one overlay on a session."""
    from live.daily.overlay_steps import engine_step

    return _single(call, lambda job: engine_step(job, call.args.action))


def combine(call: Call) -> Done:
    """Blend of the overlays' files of a session."""
    from live.daily.job import logged_combine
    from live.machine import utc_now

    return _single(call, lambda job: logged_combine(job, utc_now))


def apply(call: Call) -> Done:
    """Final weights of a session: the blend applied to the base weights."""
    from live.daily.overlay_apply import apply_step, base_of

    return _single(call, lambda job: apply_step(job, base_of(job)))


def stats(call: Call) -> Done:
    """What the files of the last days hold, and which sessions lack them; exit 1 if any is not as it should be."""
    from live.daily.overlay_stats import lines_of, overlay_stats
    from live.machine import utc_now

    found = overlay_stats(call.config, call.args.last, utc_now(), _day(call))
    return Done(found, lines_of(found), int(not found["good"]))
