"""What the verbs of the account do: ``status positions orders flows reconcile adopt explain``, and ``drift``.

All but ``reconcile`` and ``adopt`` read files alone: they work while the gateway or the runner is gone.
"""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ares7.errors import Ares7Error, ConfigError, ServiceUnavailable
from live.commands import Call, Done
from live.drift_commands import add_drift_verb
from live.journal_choice import KnownJournals, journal_options, reading, url_and_mode
from live.machine import utc_now, who

if TYPE_CHECKING:
    from live.client.client import Client
    from live.reconcile.ownership import Acceptance
    from live.reconcile.rounds import Reconciler
    from live.reconcile.views import Difference

OPERATOR_CLIENT_OFFSET = 2000
"""A command has a client id of its own, beside the runner's."""


def add_account_verbs(verb: Any, source: argparse.ArgumentParser, call: Callable[..., int]) -> None:
    """Add the verbs to the command line.

    Parameters
    ----------
    verb : callable
        ``verb(name, run, *parents, within, text)`` of ``run.py``.
    source : ArgumentParser
        Options that name the data and the strategy.
    call : callable
        What dispatches to ``args.act`` with the configuration.
    """
    kept = journal_options()
    place = argparse.ArgumentParser(add_help=False)
    place.add_argument("--host", metavar="HOST", help="default: live.host")
    place.add_argument("--port", type=int, help="default: live.port")
    verb("status", call, kept, text=status.__doc__).set_defaults(act=status)
    verb("positions", call, kept, text=positions.__doc__).set_defaults(act=positions)
    made = verb("orders", call, kept, text=orders.__doc__)
    made.add_argument("--date", metavar="DATE", help="session of the decision; default: the latest one")
    made.set_defaults(act=orders)
    made = verb("flows", call, kept, text=flows.__doc__)
    made.add_argument("--name", nargs=2, metavar=("ID", "KIND"), help="say what an unknown flow was")
    made.add_argument("--text", default="", metavar="TEXT", help="kept with the name")
    made.set_defaults(act=flows)
    made = verb("reconcile", call, kept, place, text=reconcile.__doc__)
    made.add_argument(
        "--accept",
        nargs="+",
        metavar="SYMBOL",
        default=[],
        help="take these differences over; 'all' for every one",
    )
    made.set_defaults(act=reconcile)
    made = verb("adopt", call, kept, place, text=adopt.__doc__)
    made.add_argument("symbols", nargs="*", metavar="SYMBOL", help="holdings that are meant")
    made.add_argument("--all", action="store_true", help="every foreign holding")
    made.add_argument("--ignore", action="store_true", help="keep them for yourself: they are never traded")
    made.set_defaults(act=adopt)
    made = verb("explain", call, source, kept, text=explain.__doc__)
    made.add_argument("--date", required=True, metavar="DATE", help="session, YYYY-MM-DD")
    made.add_argument("--symbol", metavar="SYMBOL", help="one name in full")
    made.add_argument("--run", metavar="RUN", help="a run folder in place of the journal")
    made.set_defaults(act=explain)
    add_drift_verb(verb, source, call)


def status(call: Call) -> Done:
    """What holds now, without the gateway: halt, journal, value, orders, differences, alerts."""
    from live.halt.journal_source import journals_of
    from live.halt_commands import halt_lines

    halted, lines = halt_lines(call.config.halt, journals_of(call.config.live.journal))
    try:
        found, more = _standing(call)
    except ServiceUnavailable as error:
        # What can be known without the database is told all the same.
        content = {"halt": halted, "journal": None, "error": str(error)}
        return Done(content, (*lines, *_alive(call), f"the journal cannot be read: {error}"), error.exit_code)
    return Done({"halt": halted, **found}, (*lines, *more))


def _standing(call: Call) -> tuple[dict[str, Any], tuple[str, ...]]:
    from live.account_view import status_of

    known = KnownJournals.of(call.config)
    if call.args.journal is None and call.args.mode is None and not known.modes():
        return {"journal": None}, (f"no journal in {known} yet",)
    with reading(call) as journal:
        return status_of(journal)


def _alive(call: Call) -> tuple[str, ...]:
    """Return the runner's own sign of life, which lies in a file."""
    from live.heartbeat import life_of, read_beat

    try:
        beat = read_beat(call.config.halt.folder)
    except Ares7Error as error:
        return (str(error),)
    if beat is None:
        return ("no runner has given a sign of life here",)
    return (
        f"runner: {beat.state} at {beat.time:%Y-%m-%d %H:%M:%S} UTC, process {beat.pid} ({life_of(beat)})",
    )


def positions(call: Call) -> Done:
    """What is ours by the journal, and what was set aside."""
    from live.account_view import positions_of

    with reading(call) as journal:
        found = positions_of(journal)
    lines = [f"{p['symbol']:<8} {p['shares']:>12g}" for p in found["positions"]]
    aside = [f"{a['symbol']:<8} {a['shares']:>12g}  yours, never traded" for a in found["ignored"]]
    return Done(found, tuple([*lines, *aside] or ["nothing is held"]))


def orders(call: Call) -> Done:
    """Orders of a decision session, and how far each has come."""
    from live.account_view import orders_of
    from live.explain import session_of

    day = None if call.args.date is None else session_of(call.args.date)
    with reading(call) as journal:
        found, lines = orders_of(journal, day)
    return Done(found, lines)


def flows(call: Call) -> Done:
    """Money in and out, and what it was: deposit, withdrawal, dividend, interest, fee, tax, corporate_action."""
    from live.account_view import flows_of
    from live.flows import named
    from live.journal.operator_journal import OperatorJournal

    if call.args.name is None:
        with reading(call) as journal:
            return Done(*flows_of(journal))
    number, kind = call.args.name
    with OperatorJournal.open(*url_and_mode(call)) as written:
        found = [flow for flow in written.flows() if str(flow.id) == number]
        if not found:
            raise ConfigError(f"there is no flow {number}; run.py flows lists them")
        written.flow(named(found[0], kind, call.args.text))
        return Done(*flows_of(written))


@contextmanager
def _connected(call: Call, account: str) -> Iterator[Client]:
    """A connection that sends no orders, beside the runner's own."""
    from live.client.client import Client
    from live.client.options import Options

    live, args = call.config.live, call.args
    options = Options(library=live.library, time_zone=live.time_zone, read_only=True)
    if live.clock == "gateway":
        options = options.for_double()
    host, port = args.host or live.host, args.port or live.port
    client = Client(host, port, live.client_id + OPERATOR_CLIENT_OFFSET, account, options=options)
    try:
        client.start()
        yield client
    finally:
        client.stop()


Decide = Callable[[Sequence["Difference"]], "list[Acceptance]"]


def _compare(call: Call, decide: Decide) -> tuple[list[Difference], list[Acceptance], Reconciler]:
    """Compare with the gateway, take over what the operator decided, compare again."""
    from live.journal.operator_journal import OperatorJournal
    from live.reconcile.hints import PriceHints
    from live.reconcile.journal_side import JournalAdapter, adjustments_of
    from live.reconcile.rounds import Reconciler

    with OperatorJournal.open(*url_and_mode(call)) as journal, _connected(call, journal.account) as client:
        system = call.config.live.clock == "system"
        now: Callable[[], dt.datetime] = utc_now if system else client.server_time
        mine = Reconciler(client, JournalAdapter(journal), now, PriceHints(journal, client))
        decisions = decide(mine.round("operator"))
        if decisions:
            journal.adopt(*adjustments_of(decisions, journal, who(), now()))
            mine.round("operator")
        return list(mine.gate.differences), decisions, mine


def reconcile(call: Call) -> Done:
    """Compare the journal with the gateway, and take over what is accepted; exit 1 while something differs."""
    from live.reconcile.ownership import accepted

    wanted = call.args.accept
    found, taken, mine = _compare(call, lambda differs: accepted(differs, wanted) if wanted else [])
    return _compared(found, taken, mine)


def adopt(call: Call) -> Done:
    """Say whose foreign holdings are: the strategy's, which may sell them then, or yours (--ignore)."""
    from live.reconcile.ownership import ALL, adopted, ignored

    args = call.args
    wanted = [ALL] if args.all or (args.ignore and not args.symbols) else args.symbols
    if not wanted:
        raise ConfigError(
            "name the symbols that the strategy may trade, or --all, or --ignore to keep them yourself"
        )
    act = ignored if args.ignore else adopted
    found, taken, mine = _compare(call, lambda differs: act(differs, wanted))
    return _compared(found, taken, mine)


def _compared(found: list[Difference], taken: list[Acceptance], mine: Reconciler) -> Done:
    from dataclasses import asdict

    content = {
        "accepted": [asdict(one) for one in taken],
        "differences": [asdict(one) for one in found],
        "gate": mine.gate.why_shut or "open",
    }
    lines = [f"{one.action}: {one.kind} {one.symbol} {one.shares:+g}" for one in taken]
    lines += [f"{one.kind}: {one.explanation}" for one in found]
    if mine.gate.why_shut:
        lines.append(f"nothing may be traded: {mine.gate.why_shut}")
    elif not found:
        lines.append("journal and gateway agree")
    return Done(content, tuple(lines), int(bool(found) or bool(mine.gate.why_shut)))


def explain(call: Call) -> Done:
    """Take the targets and orders of a session apart, from the journal or from a run folder (--run)."""
    from live.explain import lines_of, session_of

    args = call.args
    day = session_of(args.date)
    if args.run is not None:
        from ares7.runs import load_run
        from live.explain_run import RunExplainer

        run = load_run(args.run, call.config.runs.folder)
        record = RunExplainer(run, call.choose).explain(day, args.symbol)
    else:
        from live.explain_journal import explain_session

        with reading(call) as journal:
            record = explain_session(journal, day, args.symbol)
    return Done(record, tuple(lines_of(record)))
