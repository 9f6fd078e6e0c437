"""The verb ``data fetch``. It lies here because one of its sources is the gateway, which `feeds` does not know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from feeds.fetch.command import add_arguments
from live.commands import Call, Done


def add_fetch(verb: Any, within: Any, call: Callable[..., int]) -> None:
    """Add the verb to those of ``data``; ``call`` dispatches to ``args.act``."""
    made = verb("fetch", call, within=within, text=fetch.__doc__)
    add_arguments(made)
    made.set_defaults(act=fetch)


def fetch(call: Call) -> Done:
    """Fetch market data of a vendor into a data folder; called again, only what is missing."""
    from feeds.fetch.command import fetch_data
    from live.ib_bars import ib_source

    done = fetch_data(call.args, call.config, {"ib": ib_source})
    return Done(done.to_dict(), tuple(done.lines()))
