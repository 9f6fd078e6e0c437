"""What is alarming about a snapshot: pure functions of it and of the thresholds.

What the runner, the watchdog and the daily job say is not said again here: their rows and lines are events of their
own (`live.alerts.sources`). Money in and out trips nothing: the loss of a day is `live.flows.trading_return`, the
drawdown that of the time-weighted curve (rulings 29).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from ares7.alerts_config import AlertsConfig
from live.alerts.event import Event, lasting_alert, single_alert
from live.journal.wire_rows import EXCHANGE
from live.monitor.snapshot import Snapshot
from live.monitor.surroundings import Surroundings, is_halted

RECOVERED = 0.9
"""A drawdown is over below this part of its limit, so that one that wavers about the limit is told once."""
RISEN = 0.1
"""A low Sharpe ratio is over this much above its limit."""
SENDS = ("paper", "real", "simulated")
"""Modes whose runner must close every session."""


def figures_events(snapshot: Snapshot, rules: AlertsConfig) -> list[Event]:
    """Return what the figures of an account say: loss, drawdown, Sharpe ratio, regime, what cannot be computed."""
    found = [*_losses(snapshot, rules), *_regime_changes(snapshot)]
    found += [*_drawdown(snapshot, rules), *_sharpe(snapshot, rules), *_unknown(snapshot)]
    return found


def _losses(snapshot: Snapshot, rules: AlertsConfig) -> Iterable[Event]:
    limit = rules.daily_loss
    for day in snapshot.money.recent if snapshot.money is not None else ():
        if limit is not None and day.value < -limit:
            yield single_alert(
                "daily-loss",
                "error",
                f"the session of {day.session} returned {day.value:+.2%}, money in and out taken away; the limit is "
                f"{-limit:.2%}",
                day.at or snapshot.at,
                session=day.session,
                mode=snapshot.mode,
            )


def _regime_changes(snapshot: Snapshot) -> Iterable[Event]:
    for change in snapshot.regime.changes if snapshot.regime is not None else ():
        yield single_alert(
            "regime-change",
            "info",
            f"the regime is {change.after} from the close of {change.session} on; it was {change.before}",
            change.at or snapshot.at,
            session=change.session,
            mode=snapshot.mode,
        )


def _drawdown(snapshot: Snapshot, rules: AlertsConfig) -> Iterable[Event]:
    money, limit = snapshot.money, rules.drawdown
    if money is None or limit is None or money.drawdown is None or money.drawdown <= RECOVERED * limit:
        return
    yield lasting_alert(
        "drawdown",
        "error",
        f"{-money.drawdown:.2%} from the highest close, money in and out taken away; the limit is {-limit:.2%}",
        snapshot.at,
        mode=snapshot.mode,
        session=money.session,
        fires=money.drawdown > limit,
    )


def _sharpe(snapshot: Snapshot, rules: AlertsConfig) -> Iterable[Event]:
    money, limit = snapshot.money, rules.rolling_sharpe
    if (
        money is None
        or limit is None
        or money.rolling_sharpe is None
        or money.rolling_sharpe >= limit + RISEN
    ):
        return
    yield lasting_alert(
        "low-sharpe",
        "warning",
        f"the Sharpe ratio of the latest {money.rolling_sessions} sessions is {money.rolling_sharpe:.2f}; the limit is "
        f"{limit:.2f}",
        snapshot.at,
        mode=snapshot.mode,
        session=money.session,
        fires=money.rolling_sharpe < limit,
    )


def _unknown(snapshot: Snapshot) -> Iterable[Event]:
    if snapshot.problems:
        yield lasting_alert(
            "figures-unknown",
            "error",
            f"figures cannot be computed: {snapshot.problems[0]}",
            snapshot.at,
            mode=snapshot.mode,
        )


def freshness_events(snapshot: Snapshot, ages: tuple[int, int]) -> list[Event]:
    """Return what is too old.

    Parameters
    ----------
    snapshot : Snapshot
    ages : (int, int)
        Days that the latest filing and the latest announcement may be old.
    """
    return [
        *_late(snapshot),
        *_old_data(snapshot, dict(zip(("fundamentals", "earnings"), ages, strict=True))),
    ]


def _late(snapshot: Snapshot) -> Iterable[Event]:
    expected, money = snapshot.freshness.expected_session, snapshot.money
    if expected is None or snapshot.mode not in SENDS or not snapshot.armed or money is None:
        return
    if money.session < expected:
        yield lasting_alert(
            "session-missing",
            "error",
            f"the journal has no close of {expected}; its latest is that of {money.session}; look at the runner",
            snapshot.at,
            mode=snapshot.mode,
            session=expected,
        )


def _old_data(snapshot: Snapshot, ages: dict[str, int]) -> Iterable[Event]:
    for table, day in snapshot.freshness.data_days.items():
        age = (snapshot.at.astimezone(EXCHANGE).date() - day).days
        if age > ages[table]:
            yield lasting_alert(
                "data-old",
                "warning",
                f"the latest row of {table} is of {day}, {age} days ago; at most {ages[table]} are allowed; update it",
                snapshot.at,
                mode=snapshot.mode,
                what=table,
            )


def runner_events(around: Surroundings, mode: str, now: dt.datetime) -> list[Event]:
    """Return what is wrong with the runner now, in the words of the watchdog, and who halts trading."""
    found = []
    if around.trouble is not None:
        since = now if around.beat is None else around.beat.time
        found.append(lasting_alert(around.trouble.code, "error", around.trouble.message, since, mode=""))
    if is_halted(around) and around.halt_readable:
        severity = "warning" if around.halt_level == "BLOCK_NEW" else "error"
        found.append(
            lasting_alert(
                "halt",
                severity,
                f"{around.halt_level}, set by {around.halt_who} ({around.halt_source}): {around.halt_why}",
                now,
                mode=mode,
                what=around.halt_level,
            )
        )
    return found


def unusable(mode: str, why: str, now: dt.datetime) -> Event:
    """Return the event of a journal whose rows make no figures."""
    return lasting_alert("figures-unknown", "error", f"figures cannot be computed: {why}", now, mode=mode)


def unreadable(mode: str, why: str, now: dt.datetime) -> Event:
    """Return the event of a journal that has been out of reach for too long."""
    return lasting_alert("journal-unreadable", "error", f"the monitor cannot read it: {why}", now, mode=mode)
