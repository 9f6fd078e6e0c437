"""What the trading verbs do between the command line and the gateway: ``gateway``, ``doctor``, ``live``, ``paper``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ares7.errors import ConfigError
from live.commands import Call, Done, ended_by_sigterm

if TYPE_CHECKING:
    from ares7.config import LiveConfig
    from live.client.options import Options
    from live.client.order_messages import OrderTicket
    from live.interlock import Verb
    from live.run_settings import Place, Summary

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
    from live.double.arguments import add_arguments
    from live.simulated.arguments import add_arguments as add_simulated

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
    for name, act in (("live", live), ("paper", paper)):
        made = verb(name, call, source, place, text=act.__doc__)
        made.add_argument("--sessions", type=int, metavar="N", help="end after so many sessions")
        made.add_argument("--now", action="store_true", help="a first start decides on its first session")
        made.add_argument("--once", action="store_true", help="one session and out, for cron")
        made.set_defaults(act=act)
        if act is live:
            made.add_argument(
                "--shadow", action="store_true", help="show the orders and send none: the default"
            )
            made.add_argument("--arm", action="store_true", help="send them")
        else:
            add_simulated(made)


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


def _options(live: LiveConfig) -> Options:
    from live.client.options import Options

    options = Options(library=live.library, time_zone=live.time_zone)
    return options.for_double() if live.clock == "gateway" else options


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
    """Run the configured strategy on a gateway: shadow shows its orders and sends none; --arm sends."""
    if call.args.shadow and call.args.arm:
        raise ConfigError("--shadow and --arm contradict each other; leave one of them out")
    return _run(call, "live", armed=call.args.arm)


def paper(call: Call) -> Done:
    """Run the configured strategy on a paper account: of IB, or without a gateway (--simulated)."""
    from live.simulated.arguments import check_arguments

    check_arguments(call.args)
    if call.args.simulated:
        from live.simulated.command import run_simulated

        return run_simulated(call)
    return _run(call, "paper", armed=True)


def _run(call: Call, verb: Verb, *, armed: bool) -> Done:
    from ares7.config import load_config
    from live.interlock import Wish
    from live.runner import Runner

    if call.args.sessions is not None and call.args.sessions < 1:
        raise ConfigError(f"--sessions {call.args.sessions} must be at least 1")
    # What is typed in the file counts for real orders, not what --set or --account say.
    typed = load_config(Path(call.args.config)).live
    shown: list[str] = []
    runner = Runner(
        call.config,
        call.choose(call.config.strategy.name, call.config.strategy_params),
        _place(call, armed=armed),
        Wish(verb, armed, typed.mode, typed.account),
        lambda text: _tell(text, shown),
        sessions=1 if call.args.once else call.args.sessions,
        start_now=call.args.now or call.config.live.start == "now",
    )
    with ended_by_sigterm():
        done = runner.run()
    return _answer(done, runner.store.desk.shadow_orders, shown)


def _place(call: Call, *, armed: bool) -> Place:
    from live.run_settings import Place
    from live.store_options import StoreOptions

    given = _settings(call)
    return Place(
        given.host,
        given.port,
        given.client_id if armed else given.client_id + SHADOW_CLIENT_OFFSET,
        given.account,
        StoreOptions(
            calendar=call.config.data.calendar,
            clock=given.clock,
            on_missing=given.on_missing,
            bar_delay_s=given.bar_delay_s,
            bar_patience_s=given.bar_patience_s,
        ),
        _options(given),
        call.config.halt.folder,
    )


def _answer(done: Summary, tickets: list[OrderTicket], shown: list[str]) -> Done:
    orders = [
        {
            "ref": t.ref,
            "side": t.side,
            "quantity": t.quantity,
            "symbol": t.symbol,
            "type": t.order_type,
            "tif": t.tif,
        }
        for t in tickets
    ]
    sent = done.orders if done.mode.sends else 0
    content = {
        "mode": str(done.mode),
        "sessions": done.sessions,
        "orders": orders,
        "sent": sent,
        "filled": done.filled,
        "differences": done.differences,
        "notes": shown,
    }
    line = f"{len(orders)} orders shown, none sent"
    if done.mode.sends:
        line = f"{done.sessions} sessions, {sent} orders in the journal, {done.filled} filled, "
        line += f"{done.differences} differences"
    return Done(content, (line,), int(done.differences > 0))


def _tell(text: str, shown: list[str]) -> None:
    shown.append(text)
    sys.stderr.write(text + "\n")
