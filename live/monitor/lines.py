"""A snapshot as lines for a person."""

from __future__ import annotations

from live.monitor.snapshot import Snapshot


def lines_of(found: Snapshot) -> list[str]:
    """Return what a person on call reads first."""
    title = f"{found.source}: {found.mode}"
    if found.account:
        title += f", account {found.account}"
    lines = [f"{title}, {found.strategy or 'no run yet'}", *_money(found), *_book(found), *_trading(found)]
    if found.mode != "backtest":
        lines += _runner(found)
    lines += [f"not known: {problem}" for problem in found.problems]
    return lines


def _percent(value: float | None, digits: int = 2) -> str:
    return "not known" if value is None else f"{value:+.{digits}%}"


def _money(found: Snapshot) -> list[str]:
    money = found.money
    if money is None:
        return ["no closing value yet"]
    sharpe = "not known" if money.rolling_sharpe is None else f"{money.rolling_sharpe:.2f}"
    down = "not known" if money.drawdown is None else f"{money.drawdown:.2%}"
    lines = [
        f"NAV {money.nav_usd:,.2f} USD (close of {money.session}), {_percent(money.daily_return)} on the day, "
        f"{_percent(money.total_return)} in all, without deposits and withdrawals",
        f"drawdown {down}, Sharpe ratio of {money.rolling_sessions} sessions {sharpe}",
    ]
    if found.regime is not None:
        inputs = ", ".join(
            f"{name} {value:,.2f}" for name, value in found.regime.inputs.items() if isinstance(value, float)
        )
        lines.append(
            f"regime {found.regime.held} (close of {found.regime.session}){f': {inputs}' if inputs else ''}"
        )
    return lines


def _book(found: Snapshot) -> list[str]:
    book = found.book
    away = [holding for holding in book.holdings if abs(holding.missing_shares) >= 1]
    sleeves = ", ".join(f"{name} {weight:.1%}" for name, weight in book.sleeves.items())
    lines = [
        f"gross {_percent(book.gross, 1)}, net {_percent(book.net, 1)}{f'; {sleeves}' if sleeves else ''}"
    ]
    if found.mode != "backtest":
        held = sum(holding.shares != 0 for holding in book.holdings)
        lines.append(f"{held} positions, {len(away)} away from the target of {book.decided or 'no decision'}")
    return lines


def _trading(found: Snapshot) -> list[str]:
    trading = found.trading
    lines = [
        f"traded {trading.traded_usd:,.0f} USD in the latest session, fees {trading.fees_usd:,.2f} USD, turnover "
        f"{_percent(trading.turnover_annual, 0)} a year"
    ]
    if trading.sent:
        lines.append(
            f"orders of the latest decision: {trading.sent}, {trading.filled} filled, {trading.rejected} rejected; "
            f"{trading.working} working"
        )
    return lines


def _runner(found: Snapshot) -> list[str]:
    runner, fresh = found.runner, found.freshness
    lines = [
        f"halt: {runner.halt_level}{f', set by {runner.halt_who}: {runner.halt_why}' * bool(runner.halt_who)}"
    ]
    if runner.beat_at is not None:
        lines.append(
            f"runner: {runner.state}, last sign of life {runner.beat_age_s:,.0f} s ago; {runner.drops} drops, "
            f"{runner.reconnects} reconnects, {runner.outages} outages today"
        )
    if runner.trouble:
        lines.append(f"runner: {runner.trouble_text}")
    if fresh.journal_age_s is not None:
        lines.append(f"latest row of the journal {fresh.journal_age_s:,.0f} s ago")
    if fresh.missing_sessions:
        lines.append(f"sessions without a close: {', '.join(map(str, fresh.missing_sessions[-5:]))}")
    lines += [f"latest row of {table}: {day}" for table, day in fresh.data_days.items()]
    if found.differences:
        lines.append(f"differs from the gateway: {', '.join(found.differences[:5])}")
    return lines
