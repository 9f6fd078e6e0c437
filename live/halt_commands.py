"""What ``halt``, ``resume`` and ``watchdog`` do. None of them needs anything that could hang: files come first."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ares7.errors import Ares7Error, ConfigError
from live.commands import Call, Done, ended_by_sigterm
from live.halt.file_source import FILE, HaltFile
from live.halt.journal_source import ClosedJournal, HaltJournal, Journals, journals_of, sqlite_journals
from live.halt.level import HaltLevel, HaltRecord
from live.halt.switch import HaltStanding, HaltSwitch
from live.machine import utc_now, who

if TYPE_CHECKING:
    from ares7.halt_config import HaltConfig


def add_halt_verbs(verb: Any, call: Callable[..., int]) -> None:
    """Add ``halt``, ``resume`` and ``watchdog`` to the command line.

    Parameters
    ----------
    verb : callable
        ``verb(name, run, *parents, within, text)`` of ``run.py``.
    call : callable
        What dispatches to ``args.act`` with the configuration.
    """
    reason = argparse.ArgumentParser(add_help=False)
    reason.add_argument("--reason", default="", metavar="TEXT", help="kept with the halt")
    made = verb("halt", call, reason, text=halt.__doc__)
    which = made.add_mutually_exclusive_group()
    names = [level.name for level in HaltLevel if level is not HaltLevel.NONE]
    which.add_argument("--level", metavar="NAME", help=f"{', '.join(names)}; default HALT")
    which.add_argument(
        "--flatten", action="store_true", help="level FLATTEN: the runner closes what its journal bought"
    )
    made.set_defaults(act=halt)
    made = verb("resume", call, reason, text=resume.__doc__)
    made.set_defaults(act=resume)
    made = verb("watchdog", call, text=watchdog.__doc__)
    made.add_argument("--interval", type=float, default=30.0, metavar="S", help="seconds between two looks")
    made.add_argument("--once", action="store_true", help="look once; exit 1 if something is wrong")
    made.set_defaults(act=watchdog)


def standing(config: HaltConfig, journals: Journals = sqlite_journals) -> HaltStanding:
    """Return what the halt file and the journals say, and what a Redis key said last if one is configured.

    Signals are in the halt file once the runner has taken them.
    """
    from live.halt.redis_source import RememberedRedis

    sources: list[Any] = [HaltFile(config.folder, utc_now)]
    sources += [ClosedJournal(name, opened) for name, opened in journals(config.folder).items()]
    if config.redis is not None:
        sources.append(RememberedRedis(config.folder))
    return HaltSwitch(sources, lambda code, message: None, utc_now).standing()


def _in_journals(journals: Journals, folder: Path, act: Callable[[HaltJournal], None]) -> tuple[str, ...]:
    """Do something in every journal; returns what went wrong, one line each."""
    problems = []
    for name, opened in journals(folder).items():
        try:
            journal = opened()
            try:
                act(journal)
            finally:
                journal.close()
        except Ares7Error as error:
            problems.append(f"{name} was not written: {error}")
    return tuple(problems)


def _shown(found: HaltStanding) -> tuple[str, ...]:
    lines = [f"halt: {found.describe()}"]
    lines += [f"  {name}: {record.describe()}" for name, record in found.records.items()]
    return tuple(lines)


def halt_lines(
    config: HaltConfig, journals: Journals = sqlite_journals
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the level with who, when and why, for ``status``: JSON values, and lines for a person."""
    found = standing(config, journals)
    return found.to_dict(), _shown(found)


def halt(call: Call) -> Done:
    """Halt trading now, at a level that stays until 'resume'; needs neither gateway nor runner."""
    args, config = call.args, call.config.halt
    level = HaltLevel.FLATTEN if args.flatten else HaltLevel.parse(args.level or "HALT")
    if level is HaltLevel.NONE:
        raise ConfigError("--level NONE lifts a halt; run 'python run.py resume'")
    held = HaltFile(config.folder, utc_now).trip(level, who(), args.reason or "no reason given")

    def raise_level(journal: HaltJournal) -> None:
        latest = journal.latest_halt()
        if latest is None or HaltLevel.__members__.get(latest.level, HaltLevel.NONE) < held.level:
            journal.halt(held.level.name, held.who, held.why)

    # The file holds by now: a journal that hangs with its runner cannot prevent the halt.
    problems = _in_journals(journals_of(call.config.live.journal), config.folder, raise_level)
    content = {"asked": level.name, "file": str(config.folder / FILE), "problems": problems, **held.to_dict()}
    if held.level > level:
        return Done(content, (f"a higher level holds already: {held.describe()}", *problems))
    return Done(content, (f"halt: {held.describe()}", *_effect(level), *problems))


def _effect(level: HaltLevel) -> tuple[str, ...]:
    if level is HaltLevel.FLATTEN:
        return ("the runner closes positions; without a runner nothing closes them",)
    if level.cancels_working:
        return ("the runner cancels working orders; without a runner they keep working at the gateway",)
    return ()


def resume(call: Call) -> Done:
    """Lift the halt of the halt file and of the journals; exit 1 if another source still halts."""
    config, by, why = call.config.halt, who(), call.args.reason or "no reason given"
    journals = journals_of(call.config.live.journal)
    before: HaltRecord = HaltFile(config.folder, utc_now).resume(by, why)

    def lift(journal: HaltJournal) -> None:
        latest = journal.latest_halt()
        if latest is not None and latest.level != HaltLevel.NONE.name:
            journal.halt(HaltLevel.NONE.name, by, why)

    problems = _in_journals(journals, config.folder, lift)
    found = standing(config, journals)
    content = {"lifted": before.to_dict(), "problems": problems, **found.to_dict()}
    lines = [f"lifted: {before.describe()}", *_shown(found), *problems]
    if found.source == "redis":
        lines.append(f"set it there: SET {config.redis_key} NONE")
    return Done(content, tuple(lines), int(found.level > HaltLevel.NONE or bool(problems)))


def watchdog(call: Call) -> Done:
    """Tell when the runner is silent, frozen or gone, until Ctrl-C; runs on the machine of the runner."""
    from live.daily.log import alert
    from live.watchdog import Watchdog

    args, config = call.args, call.config
    if not args.interval > 0:
        raise ConfigError(f"--interval {args.interval} must be above 0")

    def alarm(code: str, message: str) -> None:
        severity = "info" if code == "runner-back" else "error"
        alert(config.daily.logs, utc_now, session=None, severity=severity, code=code, message=message)

    dog = Watchdog(config.halt, utc_now, alarm)
    if args.once:
        trouble = dog.look()
        if trouble is None:
            return Done({"trouble": None}, ("no trouble: the runner lives, or ended in order",))
        return Done({"trouble": trouble.code, "message": trouble.message}, (trouble.message,), 1)
    sys.stderr.write(f"watching {config.halt.folder} every {args.interval:g} s; Ctrl-C ends it\n")
    with ended_by_sigterm():
        _watch(dog.look, partial(time.sleep, args.interval))
    return Done({}, ())


def _watch(look: Callable[[], Any], pause: Callable[[], None]) -> None:
    try:
        while True:
            look()
            pause()
    except (KeyboardInterrupt, SystemExit):
        return
