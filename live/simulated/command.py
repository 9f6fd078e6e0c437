"""What ``run.py paper --simulated`` does between the command line and the runner."""

from __future__ import annotations

import sys

from ares7.errors import ConfigError
from live.commands import Call, Done, ended_by_sigterm
from live.explain import session_of
from live.simulated.runner import Errand, SimulatedRunner, SimulatedSummary

INTERRUPTED = "the journal holds every session that was acted on; run the same command again to go on"


def run_simulated(call: Call) -> Done:
    """Act on the sessions that are due, and show what was done.

    Raises
    ------
    Ares7Error
    """
    args = call.args
    if args.sessions is not None and args.sessions < 1:
        raise ConfigError(f"--sessions {args.sessions} must be at least 1")
    errand = Errand(
        sessions=1 if args.once else args.sessions,
        once=args.once,
        first=None if args.first is None else session_of(args.first),
        start_now=args.now or call.config.live.start == "now",
        basis=args.prices or "traded",
    )
    shown: list[str] = []

    def tell(text: str) -> None:
        shown.append(text)
        sys.stderr.write(text + "\n")

    chosen = call.choose(call.config.strategy.name, call.config.strategy_params)
    try:
        with ended_by_sigterm():
            done = SimulatedRunner(call.config, chosen, errand, tell).run()
    except KeyboardInterrupt:
        raise KeyboardInterrupt(INTERRUPTED) from None
    return _answer(done, shown)


def _answer(done: SimulatedSummary, shown: list[str]) -> Done:
    content = {
        "mode": "simulated",
        "sessions": done.sessions,
        "session": None if done.session is None else str(done.session),
        "nav_usd": done.nav_usd,
        "orders": done.orders,
        "filled": done.filled,
        "notes": [*shown, *([done.note] if done.note else [])],
    }
    if done.note:
        return Done(content, (f"nothing to do: {done.note}",))
    value = "" if done.nav_usd is None else f", NAV {done.nav_usd:,.2f} USD at the close of {done.session}"
    line = f"{done.sessions} sessions, {done.orders} orders in the journal, {done.filled} filled{value}"
    return Done(content, (line,))
