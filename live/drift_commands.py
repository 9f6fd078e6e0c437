"""``run.py drift``: an account against its shadow run, another account or a backtest, and why they differ."""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from ares7.errors import ConfigError
from live.commands import Call, Done
from live.journal_choice import MODES, KnownJournals, journal_options

if TYPE_CHECKING:
    from live.journal.reader import JournalReader

TOLERANCE_BPS = 1.0
WORST = 5


def add_drift_verb(verb: Any, source: argparse.ArgumentParser, call: Callable[..., int]) -> None:
    """Add ``drift`` to the command line.

    Parameters
    ----------
    verb : callable
        ``verb(name, run, *parents, within, text)`` of ``run.py``.
    source : ArgumentParser
        Options that name the data and the strategy.
    call : callable
        What dispatches to ``args.act`` with the configuration.
    """
    made = verb("drift", call, source, journal_options(), text=drift.__doc__)
    made.add_argument("--against", choices=MODES, help="the other journal; default: shadow, without --run")
    made.add_argument("--against-journal", metavar="URL", help="where that one lies; default: as the first")
    made.add_argument("--run", metavar="RUN", help="a backtest over the same sessions")
    made.add_argument(
        "--from", dest="first", metavar="DATE", help="first session; default: the first in common"
    )
    made.add_argument("--to", dest="last", metavar="DATE", help="last session; default: the last in common")
    made.add_argument(
        "--prices", choices=("traded", "total_return"), help="of the account; default: found by its decisions"
    )
    made.add_argument(
        "--tolerance",
        type=float,
        default=TOLERANCE_BPS,
        metavar="BPS",
        help=f"of NAV that may stay unexplained (default {TOLERANCE_BPS:g})",
    )
    made.add_argument(
        "--worst", type=int, default=WORST, metavar="N", help=f"sessions shown (default {WORST})"
    )
    made.set_defaults(act=drift)


def drift(call: Call) -> Done:
    """Why an account's value moved otherwise than its shadow run's or a backtest's; exit 1 if a part is unexplained."""
    from live.drift_report import lines_of, order_lines
    from live.drift_study import Study

    args = call.args
    if not args.tolerance >= 0:
        raise ConfigError(f"--tolerance {args.tolerance} must not be negative")
    first, last = _day(args.first, "--from"), _day(args.last, "--to")
    if first is not None and last is not None and first > last:
        raise ConfigError(f"--from {first} is after --to {last}")
    with ExitStack() as stack:
        live, other = _journals(call, stack)
        study = Study(call.config, live, other, args.run, prices=args.prices)
        record = study.record(first, last, args.tolerance)
    lines: list[str] = []
    for found in record["comparisons"]:
        lines += [*lines_of(found, max(args.worst, 0)), ""]
    lines += [
        *order_lines(record["not_filled"], record["shortfall"]),
        f"prices of the account: {record['prices']}",
    ]
    good = all(found["unexplained"]["good"] for found in record["comparisons"])
    return Done(record, tuple(lines), int(not good))


def _day(value: str | None, option: str) -> dt.date | None:
    try:
        return None if value is None else dt.date.fromisoformat(value)
    except ValueError:
        raise ConfigError(f"{option} {value} is no session; write it YYYY-MM-DD") from None


def _journals(call: Call, stack: ExitStack) -> tuple[JournalReader, JournalReader | None]:
    """Open the journal of the account, and the one to compare it with."""
    from live.journal.reader import JournalReader

    args, known = call.args, KnownJournals.of(call.config)
    if args.journal is not None and args.mode is None:
        raise ConfigError("--journal also needs --mode: every mode has a journal of its own")
    against = args.against or (None if args.run is not None else "shadow")
    if args.against_journal is not None and against is None:
        against = "shadow"
    mode = args.mode or _only_mode(known, against)
    if mode == against:
        raise ConfigError(f"--mode {mode} and --against {against} are one journal; name two")
    live = stack.enter_context(JournalReader.open(args.journal or known.url(mode), mode))
    if against is None:
        return live, None
    url = args.against_journal or _beside(args.journal) or known.url(against)
    return live, stack.enter_context(JournalReader.open(url, against))


def _beside(journal: str | None) -> str | None:
    """A PostgreSQL database holds the other modes too; a file does not."""
    return journal if journal is not None and not journal.startswith("sqlite") else None


def _only_mode(known: KnownJournals, against: str | None) -> str:
    found = [mode for mode in known.modes() if mode not in (against, "shadow")]
    if len(found) != 1:
        there = f"journals of {', '.join(found)}" if found else "no journal of an account that trades"
        raise ConfigError(f"{known} holds {there}; choose the account with --mode")
    return found[0]
