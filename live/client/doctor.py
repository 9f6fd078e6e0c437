"""``run.py doctor``: a read-only look at the connection, and at everything that would stop live trading.

It connects as live trading does, with the same checks, asks questions, and places nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from typing import Any

from ares7.errors import Ares7Error
from live.client import doctor_checks as checks
from live.client.client import Client
from live.client.contracts import Wanted
from live.client.doctor_checks import FAILED, OK, Line
from live.client.failures import ClockSkew, NotSynchronised, WrongAccount
from live.client.options import Options
from live.machine import utc_now

STEPS = {WrongAccount: "account", NotSynchronised: "synchronisation", ClockSkew: "clock"}
DOCTOR_CLIENT_ID = 9
"""Not that of live trading, so that a look does not clash with a running program."""


class Report:
    """What was found, line by line, in the order of the checks.

    Attributes
    ----------
    host : str
    port : int
    lines : list of Line
    """

    def __init__(self, host: str, port: int, lines: list[Line]) -> None:
        self.host = host
        self.port = port
        self.lines = lines

    @property
    def exit_code(self) -> int:
        """0 without a failure; else the highest of the failures: 1 check, 2 setting, 3 service not there."""
        return max((line.exit_code for line in self.lines if line.level == FAILED), default=0)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "host": self.host,
            "port": self.port,
            "exit_code": self.exit_code,
            "checks": [line.to_dict() for line in self.lines],
        }


def diagnose(
    host: str,
    port: int,
    client_id: int = DOCTOR_CLIENT_ID,
    account: str = "",
    *,
    options: Options | None = None,
    clock: Callable[[], dt.datetime] = utc_now,
    symbols: Iterable[Wanted | tuple[str, str] | str] = ("SPY",),
    calendar: str = "XNYS",
) -> Report:
    """Connect, look, disconnect.

    Parameters
    ----------
    host, port, client_id, account
        As for `live.client.client.Client`.
    options : Options, optional
        As live trading would use them; the connection is read-only all the same.
    clock : callable, optional
        Our time.
    symbols : iterable
        Contracts to look up, as `Client.qualify` takes them. The first that is a stock is asked for prices.
    calendar : str
        Calendar of exchange_calendars that live trading follows.

    Returns
    -------
    Report
    """
    options = options or Options()
    lines: list[Line] = []
    try:
        # The clock is judged below; a difference should not hide everything else.
        looking = options.model_copy(update={"read_only": True, "max_skew_s": None})
        client = Client(host, port, client_id, account, options=looking, clock=clock)
    except Ares7Error as error:
        return Report(host, port, [checks.failure("settings", error)])
    try:
        connected = client.start()
    except Ares7Error as error:
        lines.append(checks.failure(STEPS.get(type(error), "connection"), error))
        client.stop()
        return Report(host, port, lines)
    try:
        lines.append(Line("connection", OK, f"{host}:{port}, client id {client_id}"))
        lines.append(checks.versions(client.library, connected.server_version))
        lines += checks.about_account(connected, port)
        lines += checks.about_state(client.snapshot(), client.farms())
        lines.append(checks.permission(connected))
        lines.append(checks.clock(connected.skew_s, options.max_skew_s))
        lines.append(checks.time_zone(connected, options.time_zone, clock()))
        lines += checks.about_contracts(client, list(symbols), calendar)
        lines.append(checks.next_session(clock(), calendar))
    except Ares7Error as error:
        lines.append(checks.failure("connection", error))
    finally:
        client.stop()
    return Report(host, port, lines)


def show(report: Report) -> None:
    """Print a report as a table, and the remedies below it."""
    from ares7.screen import table

    rows = [(str(line.level), line.check, line.text) for line in report.lines]
    remedies = [f"{line.check}: {line.remedy}" for line in report.lines if line.remedy]
    table(f"{report.host}:{report.port}", ("", "check", "found"), rows, captions=remedies, text_columns=3)
