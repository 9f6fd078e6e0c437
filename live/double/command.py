"""``run.py gateway``: a simulated paper account on real or synthetic history, for any TWS client on this machine."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ares7.errors import ConfigError
from live.double import scenario as scenarios
from live.double.arguments import PAPER_ACCOUNT
from live.double.clock import local
from live.double.history import History, from_config
from live.double.server import HOST, Gateway
from live.double.settings import Settings

if TYPE_CHECKING:
    from ares7.config import DataConfig

INTERRUPTED = 130
REPLAY_SESSIONS = 252
"""Without a start, so many sessions of the history are still to come."""


def run_gateway(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM.

    Prints one line once clients can connect: host, port, account, scenario, virtual time; with ``--json`` one JSON
    object.

    Returns
    -------
    int
        130 after Ctrl-C, 0 after SIGTERM.

    Raises
    ------
    ConfigError, DataError, ServiceUnavailable
        A wrong option; unusable data; the port is in use.
    """
    scenario = scenarios.load(args.scenario)
    data = _data(args)
    history = from_config(data, args.prices)
    settings = _settings(args, history, data.calendar)
    gateway = Gateway(history, settings, scenario.knobs.model_copy(), scenario.script)
    try:
        return asyncio.run(_serve(gateway, args, scenario.name))
    except KeyboardInterrupt:
        return INTERRUPTED


def _data(args: argparse.Namespace) -> DataConfig:
    """The configured data, or the folder of ``--data`` instead of it."""
    from ares7.config import DataConfig, load_config

    data = DataConfig()
    if getattr(args, "config", None) is not None:
        data = load_config(Path(args.config), tuple(args.set)).data
    if args.data is None:
        return data
    return data.model_copy(update={"path": Path(args.data).expanduser(), "layout": "canonical"})


def _settings(args: argparse.Namespace, history: History, calendar: str) -> Settings:
    if not 0 <= args.port <= 65535:
        raise ConfigError(f"--port {args.port} is no port; give 1 to 65535, or 0 for any")
    if not 0 < args.speed <= 100_000:
        raise ConfigError(f"--speed {args.speed} must be above 0 and at most 100000")
    if not args.cash > 0:
        raise ConfigError(f"--cash {args.cash} must be above 0")
    if not args.account or not args.account.isalnum():
        raise ConfigError(
            f"--account {args.account!r} must be letters and digits, for example {PAPER_ACCOUNT}"
        )
    start = args.start or str(history.dates[max(1, len(history.dates) - REPLAY_SESSIONS)])
    return Settings(
        start=start,
        speed=args.speed,
        accounts={args.account: args.cash},
        port=args.port,
        record=Path(args.record) if args.record else None,
        keep_record=False,
        calendar=calendar,
    )


async def _serve(gateway: Gateway, args: argparse.Namespace, scenario: str) -> int:
    loop, stop, code = asyncio.get_running_loop(), asyncio.Event(), [0]

    def end(with_code: int) -> None:
        code[0] = with_code
        stop.set()

    async with gateway:
        for number, with_code in ((signal.SIGINT, INTERRUPTED), (signal.SIGTERM, 0)):
            # Windows has no signal handlers in event loops; there Ctrl-C ends the loop.
            with contextlib.suppress(NotImplementedError):
                loop.add_signal_handler(number, end, with_code)
        _announce(gateway, args, scenario)
        await gateway.until_broken(stop)
    return code[0]


def _announce(gateway: Gateway, args: argparse.Namespace, scenario: str) -> None:
    account, now = next(iter(gateway.engine.accounts)), f"{local(gateway.clock.now):%Y-%m-%d %H:%M:%S}"
    if getattr(args, "json", False):
        line = json.dumps(
            {
                "host": HOST,
                "port": gateway.port,
                "account": account,
                "scenario": scenario,
                "now": now,
                "speed": args.speed,
                "synthetic": gateway.market.history.synthetic,
            }
        )
    else:
        line = (
            f"gateway double on {HOST}:{gateway.port}, account {account}, scenario {scenario}, {now} New York, "
            f"speed {args.speed:g}{', SYNTHETIC prices' if gateway.market.history.synthetic else ''}; Ctrl-C ends it"
        )
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
