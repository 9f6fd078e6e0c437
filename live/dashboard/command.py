"""What ``dashboard`` does between the command line and the page."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ares7.errors import ConfigError
from live.alerts.commands import say
from live.commands import Call, Done, ended_by_sigterm
from live.journal_choice import journal_options, url_and_mode


def add_dashboard_verb(verb: Any, call: Callable[..., int]) -> None:
    """Add ``dashboard`` to the command line; both as `live.monitor.commands.add_monitor_verbs`."""
    made = verb("dashboard", call, journal_options(), text=dashboard.__doc__)
    made.add_argument("--run", metavar="RUN", help="a run folder in place of a journal")
    made.add_argument("--port", type=int, default=8050, metavar="N", help="default: 8050")
    made.add_argument("--host", default="127.0.0.1", metavar="HOST", help="an address of this machine only")
    made.set_defaults(act=dashboard)


def dashboard(call: Call) -> Done:
    """Show an account or a run on a page of this machine, until Ctrl-C; nothing is written."""
    from live.dashboard.access import check_host, token_of

    args = call.args
    host, token = check_host(args.host), token_of(os.environ)
    if not 1024 <= args.port <= 65535:
        raise ConfigError(f"--port {args.port} must be between 1024 and 65535")
    if args.run is not None and (args.mode is not None or args.journal is not None):
        raise ConfigError("--run and a journal contradict each other; leave one of them out")
    try:
        import dash  # noqa: F401
    except ImportError:
        raise ConfigError(
            'the dashboard needs dash, which is not installed; run: pip install -e ".[dashboard]"'
        ) from None
    from live.dashboard.app import serve

    with ended_by_sigterm(), suppress(KeyboardInterrupt, SystemExit):
        serve(_looker(call), host, args.port, token, say)
    return Done({}, ())


def _looker(call: Call) -> Any:
    from live.dashboard.view import look_at_journal, look_at_run

    if call.args.run is not None:
        from ares7.runs import load_run

        return look_at_run(load_run(call.args.run, call.config.runs.folder))
    url, mode = url_and_mode(call)
    return look_at_journal(call.config, url, mode)
