"""Options of ``run.py paper --simulated``. Imports nothing heavy: ``--help`` reads it."""

from __future__ import annotations

import argparse

from ares7.errors import ConfigError

GATEWAYS = ("host", "port", "client_id", "account", "clock")
OWN = ("first", "prices")


def add_arguments(made: argparse.ArgumentParser) -> None:
    """Add the options of a simulated account to the verb ``paper``."""
    made.add_argument(
        "--simulated",
        action="store_true",
        help="no gateway: bars of the data folder, fills of Backtrader's own broker, state in the journal",
    )
    made.add_argument(
        "--from",
        dest="first",
        metavar="DATE",
        help="simulated: first session of a new account; default: the newest of the data folder",
    )
    made.add_argument(
        "--prices",
        choices=("traded", "total_return"),
        help="simulated: what trades are made at; total_return is for comparisons with a backtest; default: traded",
    )


def check_arguments(args: argparse.Namespace) -> None:
    """Refuse options that do not go together.

    Raises
    ------
    ConfigError
        A simulated account with options of a gateway, or the other way round.
    """
    wrong = [name for name in (GATEWAYS if args.simulated else OWN) if getattr(args, name) is not None]
    if not wrong:
        return
    named = ", ".join(
        {"client_id": "--client-id", "first": "--from"}.get(name, f"--{name}") for name in wrong
    )
    if args.simulated:
        raise ConfigError(f"--simulated has no gateway and no account id; leave {named} out")
    raise ConfigError(f"{named} is for a simulated account; add --simulated, or leave it out")
