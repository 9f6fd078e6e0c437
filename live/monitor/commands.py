"""What ``monitor`` does between the command line and the looks."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from ares7.errors import ConfigError
from live.alerts.commands import add_alerts_verbs, line_of, say
from live.commands import Call, Done, ended_by_sigterm
from live.journal_choice import journal_options, url_and_mode
from live.machine import utc_now

if TYPE_CHECKING:
    from live.alerts.dispatch import Dispatcher
    from live.alerts.outbox import Outbox
    from live.monitor.exposition import MetricsServer
    from live.monitor.snapshot import Snapshot
    from live.monitor.watch import Watch


def add_monitor_verbs(verb: Any, call: Callable[..., int]) -> None:
    """Add ``monitor`` and ``alerts`` to the command line.

    Parameters
    ----------
    verb : callable
        ``verb(name, run, *parents, within, text)`` of ``run.py``.
    call : callable
        What dispatches to ``args.act`` with the configuration.
    """
    kept = journal_options()
    made = verb("monitor", call, kept, text=monitor.__doc__)
    made.add_argument("--run", metavar="RUN", help="a run folder in place of a journal; tells nobody")
    made.add_argument(
        "--prometheus", metavar="HOST:PORT", help="serve metrics, for example on 127.0.0.1:9108"
    )
    made.add_argument("--interval", type=float, default=1.0, metavar="S", help="seconds between two looks")
    made.add_argument(
        "--once", action="store_true", help="look once; exit 1 while an error is not acknowledged"
    )
    made.set_defaults(act=monitor)
    add_alerts_verbs(verb, call)


def monitor(call: Call) -> Done:
    """Watch an account: figures, metrics for Prometheus, alerts to people, until Ctrl-C; trading is never touched."""
    args = call.args
    if not args.interval > 0:
        raise ConfigError(f"--interval {args.interval} must be above 0")
    if args.run is not None:
        if args.mode is not None or args.journal is not None:
            raise ConfigError("--run and a journal contradict each other; leave one of them out")
        return _of_run(call)
    # The handler comes first: a monitor that is stopped while it starts ends in order, too.
    with ended_by_sigterm(), _watching(call) as (watch, dispatcher, outbox):
        if args.once:
            return _once(call, watch, dispatcher, outbox)
        with _served(call, lambda: watch.latest, lambda: watch.counts):
            say(f"monitoring {watch.mode} every {args.interval:g} s; Ctrl-C ends it")
            _repeat(watch.look, args.interval)
    return Done({}, ())


@contextmanager
def _watching(call: Call) -> Iterator[tuple[Watch, Dispatcher, Outbox]]:
    from live.alerts.courier import Courier
    from live.alerts.dispatch import Dispatcher
    from live.alerts.outbox import Outbox
    from live.alerts.sole import sole
    from live.alerts.targets import targets_of
    from live.monitor.place import JournalPlace
    from live.monitor.watch import Watch

    config = call.config
    place = JournalPlace(*url_and_mode(call))
    with sole(config.halt.folder):
        courier = Courier(targets_of(config.alerts.targets, os.environ, say), config.alerts.timeout_s)
        outbox = Outbox(config.halt.folder, utc_now())
        dispatcher = Dispatcher(outbox, courier, config.alerts, say)
        watch = Watch(config, place, outbox, dispatcher, utc_now, say)
        try:
            yield watch, dispatcher, outbox
        finally:
            watch.close()


def _once(call: Call, watch: Watch, dispatcher: Dispatcher, outbox: Outbox) -> Done:
    with _served(call, lambda: watch.latest, lambda: watch.counts):
        watch.look()
        dispatcher.finish(utc_now, call.config.alerts.timeout_s + 1.0)
    alerts = outbox.alerts()
    found = watch.latest
    content = {
        "snapshot": None if found is None else found.to_dict(),
        "alerts": [alert.to_dict() for alert in alerts],
        "undelivered": dispatcher.undelivered,
    }
    from live.alerts.event import URGENT

    lines = [*_shown(found), *(line_of(alert) for alert in alerts)]
    return Done(
        content, tuple(lines), int(found is None or any(alert.severity in URGENT for alert in alerts))
    )


def _shown(found: Snapshot | None) -> list[str]:
    from live.monitor.lines import lines_of

    return ["the journal cannot be read"] if found is None else lines_of(found)


def _of_run(call: Call) -> Done:
    from ares7.runs import load_run
    from live.monitor.snapshot import snapshot_of_run

    found = snapshot_of_run(load_run(call.args.run, call.config.runs.folder), utc_now())
    if call.args.prometheus is not None and not call.args.once:
        with ended_by_sigterm(), _served(call, lambda: found, None):
            say(f"serving {found.source}; Ctrl-C ends it")
            _repeat(lambda: None, call.args.interval)
    return Done({"snapshot": found.to_dict()}, tuple(_shown(found)))


@contextmanager
def _served(
    call: Call,
    latest: Callable[[], Snapshot | None],
    alerts: Callable[[], tuple[dict[str, int], int]] | None,
) -> Iterator[MetricsServer | None]:
    if call.args.prometheus is None:
        yield None
        return
    from live.monitor.exposition import Exposition, MetricsServer

    server = MetricsServer(Exposition(latest, utc_now, alerts), call.args.prometheus)
    try:
        yield server
    finally:
        server.close()


def _repeat(look: Callable[[], None], interval_s: float) -> None:
    pause = threading.Event()
    with suppress(KeyboardInterrupt, SystemExit):
        while True:
            look()
            pause.wait(interval_s)
