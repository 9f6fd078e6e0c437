"""One look at an account or at a run: every figure that a person on call asks for, in one frozen value.

::

    with JournalReader.open(url, "paper") as journal:
        snapshot = snapshot_of(journal, utc_now(), surroundings_of(config, utc_now(), journal, "paper"))
    snapshot = snapshot_of_run(load_run("RUN1", Path("runs")), utc_now())
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from ares7 import metrics
from ares7.activity import turnover_one_way_annual
from ares7.errors import DataError
from ares7.runs import Run
from live.account_view import figures_from
from live.flows import EXTERNAL, trading_return
from live.journal import rows
from live.journal.place import masked
from live.journal.reader import JournalReader
from live.journal.wire_rows import EXCHANGE
from live.monitor.series import Read, Series, series_of, series_of_run, sleeves_of
from live.monitor.surroundings import NOTHING_KNOWN, Surroundings, missing_sessions
from live.monitor.values import (
    Book,
    DayReturn,
    Freshness,
    Holding,
    Money,
    OpenAlert,
    RegimeChange,
    RegimeState,
    RunnerState,
    Trading,
)
from live.shortfall import OrderRecord, by_session

RECENT = 10
"""Sessions and changes of regime that a snapshot names one by one."""
RUN_FIGURES = ("total_return", "cagr", "sharpe", "volatility", "max_drawdown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The state of an account, or of the end of a run.

    Attributes
    ----------
    source : str
        Where it was read, without a password.
    at : datetime
        When, UTC.
    mode : str
        shadow, paper, real, simulated; ``backtest`` for a run folder.
    account : str
        First and last two characters; empty for a run.
    strategy : str
    armed : bool or None
        The latest run sends orders.
    money, regime
        None before the first close, and before the first decision.
    book, trading, freshness, runner
    reconciled_at : datetime or None
    differences : tuple of str
        Kind and symbol of what the latest comparison with the gateway found.
    alerts : tuple of OpenAlert
        Of the journal, oldest first.
    problems : tuple of str
        Why figures are not known.
    """

    source: str
    at: dt.datetime
    mode: str
    account: str = ""
    strategy: str = ""
    armed: bool | None = None
    money: Money | None = None
    regime: RegimeState | None = None
    book: Book = field(default_factory=Book)
    trading: Trading = field(default_factory=Trading)
    freshness: Freshness = field(default_factory=Freshness)
    runner: RunnerState = field(default_factory=RunnerState)
    reconciled_at: dt.datetime | None = None
    differences: tuple[str, ...] = ()
    alerts: tuple[OpenAlert, ...] = ()
    problems: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values for `ares7.run_files.to_json`: times in ISO form, what is no number as None."""
        found = asdict(self)
        for holding, made in zip(self.book.holdings, found["book"]["holdings"], strict=True):
            made["missing_shares"] = holding.missing_shares
        return dict(_plain(found))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def snapshot_of(
    journal: JournalReader,
    now: dt.datetime,
    around: Surroundings = NOTHING_KNOWN,
    *,
    series: Series | None = None,
    calendar: str | None = None,
) -> Snapshot:
    """Return the state of an account.

    Parameters
    ----------
    journal : JournalReader
    now : datetime
        UTC.
    around : Surroundings
        What is not in the journal (`live.monitor.surroundings.surroundings_of`).
    series : Series, optional
        Of the same journal, if it was made already.
    calendar : str, optional
        Looks for sessions without a close; loading it takes a fraction of a second once.

    Raises
    ------
    JournalUnavailable, JournalDamaged
    """
    if series is None or series.read is None:
        series = series_of(journal)
    read = series.read or Read((), (), ())
    runs, decided = journal.runs(), journal.latest_rebalance()
    decisions = [] if decided is None else journal.decisions(decided.rebalance_id)
    compared = journal.latest_reconciliation()
    trading, problems = _trading(journal, series)
    money, more = _money(journal, series, read)
    return Snapshot(
        source=str(journal),
        at=now,
        mode=journal.mode,
        account=masked(journal.account),
        strategy=runs[-1].strategy if runs else "",
        armed=runs[-1].armed if runs else None,
        money=money,
        regime=_regime(read.regimes),
        book=_book(journal, series, decided, decisions),
        trading=trading,
        freshness=_freshness(journal, series, around, now, decisions, calendar),
        runner=_runner(journal, around, now),
        reconciled_at=None if compared is None else compared.at,
        differences=() if compared is None else tuple(f"{d.kind} {d.symbol}" for d in compared.differences),
        alerts=tuple(
            OpenAlert(a.id or 0, a.at, a.severity, a.code, a.message) for a in journal.alerts(open_only=True)
        ),
        problems=(*more, *problems),
    )


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _money(journal: JournalReader, series: Series, read: Read) -> tuple[Money | None, tuple[str, ...]]:
    if not len(series):
        return None, ()
    navs, flows = read.navs, read.flows
    problems = [series.problem] if series.problem else []
    figures: dict[str, Any] = {}
    if not problems:
        try:
            figures = figures_from(navs, flows) or {}
        except DataError as error:
            problems.append(str(error))
    last = navs[-1]
    names = ("total_return", "cagr", "sharpe", "volatility", "max_drawdown", "drawdown", "earned_usd")
    money = Money(
        last.session,
        last.nav_usd,
        last.cash_usd,
        _number(_return(navs[-2], last, flows, EXTERNAL)) if len(navs) > 1 else None,
        **{name: _number(figures.get(name, math.nan)) for name in names},
        rolling_sharpe=_number(series.rolling_sharpe[-1]),
        rolling_sessions=series.rolling_sessions,
        flows_usd=figures.get("flows_usd", {}),
        recent=_recent(journal, navs, flows),
    )
    return money, tuple(problems)


def _return(
    before: rows.Nav, now: rows.Nav, flows: Sequence[rows.CashFlow], kinds: frozenset[str] | None = None
) -> float:
    """As the day report computes it."""
    between = [f for f in flows if before.session < f.session <= now.session]
    return trading_return(
        before.nav_usd, now.nav_usd, [f for f in between if kinds is None or f.kind in kinds]
    )


def _recent(
    journal: JournalReader, navs: Sequence[rows.Nav], flows: Sequence[rows.CashFlow]
) -> tuple[DayReturn, ...]:
    latest = journal.latest_nav()
    seen = navs[-RECENT - 1 :]
    if latest is not None and latest.session > seen[-1].session:
        # A session that has no close yet is judged by what was seen last.
        seen = [*seen, latest]
    return tuple(
        DayReturn(now.session, _return(before, now, flows), now.at) for before, now in pairwise(seen)
    )


def _regime(found: Sequence[rows.RegimeRow]) -> RegimeState | None:
    if not found:
        return None
    by_day = {row.session: row for row in found}
    ordered = [by_day[day] for day in sorted(by_day)]
    changes = [
        RegimeChange(now.session, before.held, now.held, now.at)
        for before, now in pairwise(ordered)
        if before.held != now.held
    ]
    last = ordered[-1]
    return RegimeState(last.session, last.raw, last.held, last.inputs, tuple(changes[-RECENT:]))


def _book(
    journal: JournalReader, series: Series, decided: rows.Rebalance | None, decisions: list[rows.Decision]
) -> Book:
    held = {position.symbol: position.shares for position in journal.positions().values()}
    wanted = {decision.symbol: decision for decision in decisions}
    capital = None if decided is None else decided.capital_usd
    return Book(
        _number(series.gross[-1]) if len(series) else None,
        _number(series.net[-1]) if len(series) else None,
        {} if decided is None else sleeves_of(decided.detail),
        None if decided is None else decided.session,
        tuple(
            _holding(name, held.get(name, 0.0), wanted.get(name), capital)
            for name in sorted({*held, *wanted})
        ),
    )


def _holding(symbol: str, shares: float, wanted: rows.Decision | None, capital: float | None) -> Holding:
    if wanted is None:
        return Holding(symbol, shares)
    weight = shares * wanted.price / capital if wanted.price is not None and capital else None
    return Holding(symbol, shares, wanted.target_shares, wanted.price, weight, wanted.target_weight)


def _trading(journal: JournalReader, series: Series) -> tuple[Trading, tuple[str, ...]]:
    every = journal.orders_of_now()
    orders = [order for order in every if order.intent.session == every[-1].intent.session]
    shortfall, problems = _shortfall(orders)
    size = len(series)
    return Trading(
        float(series.traded_usd[-1]) if size else 0.0,
        float(series.fees_usd[-1]) if size else 0.0,
        int(series.fees_unknown[-1]) if size else 0,
        _number(series.turnover[-1]) if size else None,
        _number(turnover_one_way_annual(series.traded_usd, series.nav_usd)),
        math.fsum(series.fees_usd),
        shortfall,
        sum(not order.is_done for order in every),
        sum(order.stage == "rejected" for order in orders),
        sum(order.filled >= order.intent.quantity for order in orders),
        len(orders),
    ), problems


def _shortfall(orders: list[rows.JournalOrder]) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
    records = [
        OrderRecord.of(order)
        for order in orders
        if order.intent.decision_price is not None and order.stage != "shown"
    ]
    try:
        found = by_session(records)
    except DataError as error:
        return None, (str(error),)
    return (found[-1].to_dict() if found else None), ()


def _freshness(
    journal: JournalReader,
    series: Series,
    around: Surroundings,
    now: dt.datetime,
    decisions: list[rows.Decision],
    calendar: str | None,
) -> Freshness:
    written = journal.last_written()
    return Freshness(
        around.expected_session,
        () if calendar is None else missing_sessions(series.sessions, calendar),
        tuple(decision.symbol for decision in decisions if decision.outcome == "no_bar"),
        dict(around.data_days),
        written,
        None if written is None else (now - written).total_seconds(),
    )


def _runner(journal: JournalReader, around: Surroundings, now: dt.datetime) -> RunnerState:
    midnight = now.astimezone(EXCHANGE).replace(hour=0, minute=0, second=0, microsecond=0)
    kinds = journal.wire_kinds(midnight.astimezone(dt.UTC))
    beat, trouble = around.beat, around.trouble
    return RunnerState(
        None if beat is None else beat.time,
        None if beat is None else (now - beat.time).total_seconds(),
        "" if beat is None else beat.state,
        None if beat is None else beat.pid,
        "" if trouble is None else trouble.code,
        "" if trouble is None else trouble.message,
        kinds.get("restored", 0),
        kinds.get("outage", 0),
        kinds.get("disconnected", 0),
        around.halt_level,
        around.halt_source,
        around.halt_who,
        around.halt_why,
        around.halt_readable,
    )


def snapshot_of_run(run: Run, now: dt.datetime) -> Snapshot:
    """Return the state at the end of a run folder; its figures are those of its report.

    Raises
    ------
    DataError
        A file is missing or damaged.
    """
    from live.monitor.run_folder import holdings_of, regime_of

    series = series_of_run(run)
    rate = float((run.config.get("metrics") or {}).get("risk_free", 0.0))
    figures = metrics.performance(series.sessions, series.nav_usd, rate)
    known: dict[str, Any] = {name: _number(figures[name]) for name in RUN_FIGURES}
    days: list[dt.date] = series.sessions.tolist()
    decided, holdings = holdings_of(run.folder)
    money = Money(
        days[-1],
        float(series.nav_usd[-1]),
        _number(series.cash_usd[-1]),
        _number(series.returns[-1]),
        **known,
        drawdown=_number(series.drawdown[-1]),
        rolling_sharpe=_number(series.rolling_sharpe[-1]),
        rolling_sessions=series.rolling_sessions,
        earned_usd=float(series.nav_usd[-1] - series.nav_usd[0]),
        recent=tuple(
            DayReturn(day, float(value))
            for day, value in zip(days[-RECENT:], series.returns[-RECENT:], strict=True)
        ),
    )
    sleeves = {name: float(np.asarray(values)[-1]) for name, values in series.sleeves.items()}
    return Snapshot(
        source=str(run.folder),
        at=now,
        mode="backtest",
        strategy=str(run.metrics.get("strategy") or ""),
        money=money,
        regime=regime_of(run.folder, RECENT),
        book=Book(_number(series.gross[-1]), _number(series.net[-1]), sleeves, decided, holdings),
        trading=Trading(
            float(series.traded_usd[-1]),
            float(series.fees_usd[-1]),
            0,
            _number(series.turnover[-1]),
            _number(turnover_one_way_annual(series.traded_usd, series.nav_usd)),
            math.fsum(series.fees_usd),
        ),
    )
