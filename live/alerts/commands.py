"""What ``alerts`` does: list, acknowledge, test."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ares7.errors import Ares7Error, ConfigError
from live.commands import Call, Done
from live.journal_choice import KnownJournals
from live.machine import utc_now, who

if TYPE_CHECKING:
    from live.alerts.record import AlertRecord

SHOWN = 20


def add_alerts_verbs(verb: Any, call: Callable[..., int]) -> None:
    """Add ``alerts``, ``alerts test`` and ``alerts ack`` to the command line.

    Parameters
    ----------
    verb : callable
        ``verb(name, run, *parents, within, text)`` of ``run.py``.
    call : callable
        What dispatches to ``args.act`` with the configuration.
    """
    made = verb("alerts", call, text=alerts.__doc__)
    # No parsers of their own: those would take options that are given before the action for not given.
    made.add_argument("action", nargs="?", choices=("test", "ack"), help="default: list them")
    made.add_argument("id", nargs="?", type=int, metavar="ID", help="ack: number of the alert")
    made.add_argument("--note", default="", metavar="TEXT", help="ack: kept with it")
    made.add_argument("--all", action="store_true", help="also those that are over or acknowledged")
    made.set_defaults(act=alerts)


def alerts(call: Call) -> Done:
    """Open alerts, newest first; 'ack ID' says that you have seen one, 'test' sends a test to every target."""
    args = call.args
    if (args.action == "ack") != (args.id is not None):
        raise ConfigError("an alert is acknowledged by its number: python run.py alerts ack 12")
    if args.action is not None and args.all:
        raise ConfigError("--all belongs to the list; leave it out")
    return {"test": tested, "ack": acknowledge, None: listed}[args.action](call)


def say(text: str) -> None:
    """Show a line to a person."""
    sys.stderr.write(text + "\n")


def line_of(alert: AlertRecord) -> str:
    """Return one line about an alert."""
    state = f", acknowledged by {alert.acked_by}" if alert.acked_at else ", over" if alert.ended_at else ""
    times = f" x{alert.count:,}" if alert.count > 1 else ""
    mode = f" {alert.mode}" if alert.mode else ""
    return (
        f"{alert.id:>5} {alert.opened_at:%Y-%m-%d %H:%M} {alert.severity:<8}{mode} {alert.code}{times}{state}: "
        f"{alert.message}"
    )


def listed(call: Call) -> Done:
    """Alerts that nobody acknowledged, newest first; --all for every one."""
    from live.alerts.outbox import FILE, Outbox

    folder = call.config.halt.folder
    if not (folder / FILE).exists():
        return Done({"alerts": []}, (f"no alert yet in {folder}; python run.py monitor takes them in",))
    outbox = Outbox(folder, utc_now())
    try:
        found = outbox.alerts(every=call.args.all)
    finally:
        outbox.close()
    newest = list(reversed(found))
    lines = [line_of(alert) for alert in (newest if call.args.all else newest[:SHOWN])]
    if len(newest) > len(lines):
        lines.append(f"and {len(newest) - len(lines)} more")
    return Done({"alerts": [alert.to_dict() for alert in newest]}, tuple(lines or ["no open alert"]))


def acknowledge(call: Call) -> Done:
    """Say that somebody has seen an alert: nobody is told of it again; also in the journal that it came from."""
    from live.alerts.outbox import Outbox

    args, folder = call.args, call.config.halt.folder
    outbox = Outbox(folder, utc_now())
    try:
        new = outbox.ack(args.id, who(), args.note, utc_now())
        numbers = outbox.journal_ids(args.id)
    finally:
        outbox.close()
    problems = _in_journals(call, numbers)
    content = {"alert": args.id, "new": new, "problems": problems}
    first = f"alert {args.id} is acknowledged" if new else f"alert {args.id} was acknowledged before"
    return Done(content, (first, *problems))


def _in_journals(call: Call, numbers: list[tuple[str, int]]) -> list[str]:
    """Acknowledge the rows of journals; what cannot be written is told: the outbox holds."""
    known = KnownJournals.of(call.config)
    problems = []
    for mode in sorted({mode for mode, _ in numbers}):
        try:
            _ack_rows(
                known.url(mode), mode, [number for its, number in numbers if its == mode], call.args.note
            )
        except Ares7Error as error:
            problems.append(f"not acknowledged in the journal: {error}")
    return problems


def _ack_rows(url: str, mode: str, numbers: list[int], note: str) -> None:
    from live.journal.operator_journal import OperatorJournal

    with OperatorJournal.open(url, mode) as journal:
        for number in numbers:
            journal.ack(number, who(), note)


def tested(call: Call) -> Done:
    """Send a test to every target; says which were reached, exit 1 if one was not."""
    from live.alerts.courier import Courier
    from live.alerts.record import Notice
    from live.alerts.targets import targets_of

    rules = call.config.alerts
    courier = Courier(
        targets_of(rules.targets, os.environ, say),
        rules.timeout_s,
    )
    text = f"A test by {who()}. Nothing happened."
    for number, target in enumerate(courier.targets):
        courier.send(Notice(number, 0, "test", target.stage, "info", "ARES7 test", text), target)
    found: dict[str, str] = {}
    while courier.flying:
        found |= {result.target: result.error for result in courier.results(0.05)}
    lines = [
        f"{label}: {f'not reached: {error}' if error else 'reached'}"
        for label, error in sorted(found.items())
    ]
    if not found:
        names = ", ".join(rules.targets)
        lines = [f"nobody can be told: set {names} to URLs of apprise (docs/monitoring.md)"]
    return Done({"targets": found}, tuple(lines), int(not found or any(found.values())))
