"""What the trading verbs do between the command line and the gateway: ``gateway``, ``doctor``, ``live``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ares7.errors import ConfigError
from live.commands import Call, Done

if TYPE_CHECKING:
    from ares7.config import LiveConfig
    from live.client.options import Options
    from live.store import IBStore

SHADOW_CLIENT_OFFSET = 1000
"""A shadow run has a client id of its own, so that it never meets the orders of the one that trades."""


def add_trading_verbs(
    verb: Any, source: argparse.ArgumentParser, call: Callable[..., int], direct: Callable[..., int]
) -> None:
    """Add the verbs to the command line.

    Parameters
    ----------
    verb : callable
        ``verb(name, run, *parents, within, text)`` of ``run.py``.
    source : ArgumentParser
        Options that name the data and the strategy.
    call : callable
        What dispatches to ``args.act`` with the configuration.
    direct : callable
        What dispatches to ``args.act`` with the arguments alone.
    """
    from live.double.command import add_arguments

    place = argparse.ArgumentParser(add_help=False)
    place.add_argument("--host", metavar="HOST", help="default: live.host")
    place.add_argument("--port", type=int, help="default: live.port")
    place.add_argument("--client-id", type=int, metavar="N", help="default: live.client_id")
    place.add_argument("--account", metavar="ID", help="default: live.account")
    place.add_argument("--clock", choices=("system", "gateway"), help="gateway: only with the double")
    made = verb("gateway", direct, text=gateway.__doc__)
    add_arguments(made)
    made.set_defaults(act=gateway)
    verb("doctor", call, place, text=doctor.__doc__).set_defaults(act=doctor)
    made = verb("live", call, source, place, text=live.__doc__)
    made.add_argument(
        "--shadow", action="store_true", help="show the orders and send none; the only mode so far"
    )
    made.add_argument("--sessions", type=int, metavar="N", help="end after so many sessions")
    made.set_defaults(act=live)


def gateway(args: argparse.Namespace) -> int:
    """A simulated paper account on a TWS port of this machine, until Ctrl-C."""
    from live.double.command import run_gateway

    return run_gateway(args)


def _settings(call: Call) -> LiveConfig:
    given = {
        name: getattr(call.args, name, None) for name in ("host", "port", "client_id", "account", "clock")
    }
    changed = {name: value for name, value in given.items() if value is not None}
    return type(call.config.live).model_validate(call.config.live.model_dump() | changed)


def _options(live: LiveConfig, **changes: Any) -> Options:
    from live.client.options import Options

    # A double's days last seconds: its clock is right by definition.
    if live.clock == "gateway":
        changes["max_skew_s"] = None
    return Options(library=live.library, time_zone=live.time_zone, **changes)


def doctor(call: Call) -> Done:
    """Look at the gateway and say what would stop live trading; read-only, places nothing."""
    from live.client.doctor import diagnose, show

    live = _settings(call)
    own = {} if call.args.client_id is None else {"client_id": call.args.client_id}
    found = diagnose(
        live.host,
        live.port,
        account=live.account,
        options=_options(live),
        calendar=call.config.data.calendar,
        **own,
    )
    if not call.args.json:
        show(found)
    return Done(found.to_dict(), (), found.exit_code)


def live(call: Call) -> Done:
    """Run the configured strategy on the gateway's data; in shadow it shows its orders and sends none."""
    if not call.args.shadow:
        raise ConfigError("only shadow trading exists so far: run.py live --shadow")
    if call.args.sessions is not None and call.args.sessions < 1:
        raise ConfigError(f"--sessions {call.args.sessions} must be at least 1")
    from live.portfolio import Portfolio
    from live.store import IBStore
    from live.store_options import StoreOptions

    live_config = _settings(call)
    shown: list[str] = []
    store = IBStore(
        live_config.host,
        live_config.port,
        live_config.client_id + SHADOW_CLIENT_OFFSET,
        live_config.account,
        options=StoreOptions(
            calendar=call.config.data.calendar,
            clock=live_config.clock,
            on_missing=live_config.on_missing,
            bar_delay_s=live_config.bar_delay_s,
            bar_patience_s=live_config.bar_patience_s,
            shadow=True,
        ),
        client_options=_options(live_config, read_only=True),
    )
    chosen = call.choose(call.config.strategy.name, call.config.strategy_params)
    portfolio = Portfolio(call.config, chosen, store)
    portfolio.cerebro.addstorecb(lambda text, *_, **__: _tell(str(text), shown))
    try:
        portfolio.load(sessions=call.args.sessions)
        _tell(_greeting(store, portfolio), shown)
        portfolio.cerebro.run()
    finally:
        store.stop()
    orders = [
        {
            "ref": t.ref,
            "side": t.side,
            "quantity": t.quantity,
            "symbol": t.symbol,
            "type": t.order_type,
            "tif": t.tif,
        }
        for t in store.shadow_orders
    ]
    return Done({"orders": orders, "notes": shown, "sent": 0}, (f"{len(orders)} orders shown, none sent",))


def _tell(text: str, shown: list[str]) -> None:
    shown.append(text)
    sys.stderr.write(text + "\n")


def _greeting(store: IBStore, portfolio: Any) -> str:
    account = store.client.connected
    masked = account.account[:2] + "*" * max(len(account.account) - 4, 0) + account.account[-2:]
    return (
        f"shadow: account {masked} ({account.kind}), {len(portfolio.roster.symbols)} names, history to "
        f"{store.latest_session}; next decision after the close of the session that follows"
    )
