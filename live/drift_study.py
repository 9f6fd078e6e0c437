"""Gathers what `live.drift` compares: the books of journals and of a backtest, over the sessions they share."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import replace
from typing import Any

import numpy as np

from ares7.arrays import Dates
from ares7.config import Config, build_config
from ares7.errors import ConfigError, MissingData
from ares7.runs import Run, load_run
from ares7.tearsheet_data import read_columns, read_equity
from feeds.load import load_panel
from live.book_history import of_journal, of_run, traded_names, unsent
from live.drift import BookHistory
from live.drift_report import Side, compared
from live.flows import flow_series
from live.journal.reader import JournalReader
from live.journal.rows import JournalOrder
from live.journal.wire_rows import EXCHANGE
from live.model_book import SHADOW, decided_names, of_shadow, splits_of
from live.price_table import Basis, PriceTable, basis_of
from live.shortfall import OrderRecord, bps, by_session


class Study:
    """An account beside a shadow run or another account, and beside a backtest.

    Parameters
    ----------
    config : Config
        Its data give the prices, its costs are charged to a shadow run.
    live : JournalReader
        The account.
    other : JournalReader or None
    run : str or None
        A run folder of a backtest.
    prices : {"traded", "total_return"}, optional
        At which the account trades; found by its decisions otherwise.

    Raises
    ------
    ConfigError
        There is no such run, or it is of another strategy or no backtest.
    DataError
        The data cannot be read, or are not those that the account traded on.
    """

    def __init__(
        self,
        config: Config,
        live: JournalReader,
        other: JournalReader | None,
        run: str | None,
        *,
        prices: Basis | None = None,
    ) -> None:
        self._config, self._live, self._other = config, live, other
        self._run = None if run is None else _backtest(load_run(run, config.runs.folder))
        journals = [live] if other is None else [live, other]
        self._require_one_strategy(journals)
        panel = load_panel(config.data)
        self._basis = prices or basis_of(panel, journals)
        self._table = PriceTable.of(panel, self._basis)

    def _require_one_strategy(self, journals: list[JournalReader]) -> None:
        names = {str(journal): runs[-1].strategy for journal in journals if (runs := journal.runs())}
        if self._run is not None:
            names[f"run {self._run.folder.name}"] = str(self._run.config["strategy"]["name"])
        if len(set(names.values())) > 1:
            told = "; ".join(f"{where}: {name}" for where, name in names.items())
            raise ConfigError(f"these are of different strategies ({told}); compare runs of one strategy")

    def record(self, first: dt.date | None, last: dt.date | None, tolerance_bps: float) -> dict[str, Any]:
        """Compare over the sessions in common.

        Parameters
        ----------
        first, last : date or None
            Bounds of the sessions; the comparison begins at the close before the first.
        tolerance_bps : float
            See `live.drift_report.compared`.

        Raises
        ------
        MissingData
            There are no two sessions in common, or prices are missing.
        """
        dates = self._sessions(first, last)
        names = self._names()
        self._table.require(dates)
        close = self._table.closes(names, dates)
        sides = [self._account(self._live, dates, names, close)]
        if self._other is not None:
            sides.append(self._beside(sides[0], names, close))
        pairs = [(sides[0], sides[1])] if len(sides) > 1 else []
        if self._run is not None:
            backtest = self._tested(self._run, sides[0], dates, names)
            pairs += [(side, backtest) for side in sides]
        return {
            "mode": self._live.mode,
            "prices": self._basis,
            "comparisons": [compared(one, two, tolerance_bps) for one, two in pairs],
            "not_filled": self._not_filled(dates),
            "shortfall": self._shortfall(dates),
        }

    # Sessions and names

    def _sessions(self, first: dt.date | None, last: dt.date | None) -> Dates:
        known = {str(self._live): _closes(self._live)}
        if self._other is not None:
            known[str(self._other)] = _closes(self._other)
        if self._run is not None:
            days = read_equity(self._run.folder, required=("nav",))[0]
            known[f"run {self._run.folder.name}"] = {day.item() for day in days}
        common = sorted(set.intersection(*known.values()))
        inside = [day for day in common if (first is None or day >= first) and (last is None or day <= last)]
        before = [day for day in common if inside and day < inside[0]]
        compared_days = [*before[-1:], *inside]
        if len(compared_days) < 2:
            told = "; ".join(f"{where}: {_span(found)}" for where, found in known.items())
            within = (
                "" if first is None and last is None else f" between {first or '...'} and {last or '...'}"
            )
            raise MissingData(
                f"there are no two sessions in common{within} ({told}); let both run over the same sessions, or make "
                "the backtest over those of the account"
            )
        return np.array(compared_days, dtype="datetime64[D]")

    def _names(self) -> list[str]:
        names = set(traded_names(self._live))
        if self._other is not None:
            names |= set(traded_names(self._other))
            if self._other.mode == SHADOW:
                names |= decided_names(self._other)
        if self._run is not None:
            names |= set(read_columns(self._run.folder / "trades.csv", ("symbol",))["symbol"])
        return sorted(names)

    # Books

    def _account(self, journal: JournalReader, dates: Dates, names: list[str], close: Any) -> Side:
        days = [day.item() for day in dates]
        flows = [flow for flow in journal.flows() if days[0] < flow.session <= days[-1]]
        return Side(journal.mode, of_journal(journal, dates, names, close), flow_series(flows, days))

    def _beside(self, live: Side, names: list[str], close: Any) -> Side:
        other, dates = self._other, live.book.dates
        assert other is not None  # noqa: S101 - for the types
        if other.mode != SHADOW:
            return self._account(other, dates, names, close)
        opens = self._table.opens(names, dates)
        book = of_shadow(other, live.book, opens, self._config.costs, splits_of(self._live, live.book))
        return Side(SHADOW, book, live.external, "its decisions, filled in full at the next open")

    def _tested(self, run: Run, live: Side, dates: Dates, names: list[str]) -> Side:
        own = build_config(dict(run.config), run.folder, f"run folder {run.folder}: config.yaml")
        table = PriceTable.of(load_panel(own.data), "total_return")
        table.require(dates)
        book = of_run(run, dates, names, table.closes(names, dates))
        scale = float(live.book.nav[0] / book.nav[0])
        note = (
            ""
            if math.isclose(scale, 1.0, rel_tol=1e-12)
            else f"scaled by {scale:.6g} to the NAV of the account"
        )
        return Side(run.folder.name, _scaled(book, scale), np.zeros(len(dates)), note)

    # Orders

    def _not_filled(self, dates: Dates) -> list[dict[str, Any]]:
        """Orders of the compared sessions that were not filled in full, and decisions that became no order."""
        found = [
            {
                "session": str(order.intent.session),
                "ref": order.intent.ref,
                "symbol": order.intent.symbol,
                "decided": float(order.intent.sign * order.intent.quantity),
                "left": order.intent.sign * (order.intent.quantity - order.filled),
                "stage": order.stage,
                "reason": order.reason,
            }
            for order in self._orders(dates)
            if order.is_done and order.filled < order.intent.quantity
        ]
        found += [
            {
                "session": str(never.session),
                "ref": None,
                "symbol": never.symbol,
                "decided": never.shares,
                "left": never.shares,
                "stage": "not sent",
                "reason": never.reason,
            }
            for never in unsent(self._live)
            if dates[0] <= np.datetime64(never.session, "D") < dates[-1]
        ]
        return sorted(found, key=lambda row: (row["session"], row["symbol"]))

    def _orders(self, dates: Dates) -> list[JournalOrder]:
        """Orders that could fill in the compared sessions: decided from the close before them on."""
        return [
            order
            for order in self._live.orders()
            if dates[0] <= np.datetime64(order.intent.session, "D") < dates[-1] and order.stage != "shown"
        ]

    def _shortfall(self, dates: Dates) -> dict[str, Any]:
        """Implementation shortfall of those orders against their decision prices."""
        orders = [order for order in self._orders(dates) if order.intent.decision_price is not None]
        sessions = by_session(OrderRecord.of(o, self._arrival(o), self._end(o)) for o in orders)
        found: dict[str, Any] = {
            "orders": len(orders),
            "notional_usd": math.fsum(order.notional_usd for day in sessions for order in day.orders),
        }
        for part in ("delay_usd", "execution_usd", "fees_usd", "opportunity_usd", "total_usd"):
            values = [day.total(part) for day in sessions]
            known = [value for value in values if value is not None]
            found[part] = math.fsum(known) if len(known) == len(values) else None
        return found | {"total_bps": bps(found["total_usd"], found["notional_usd"])}

    def _arrival(self, order: JournalOrder) -> float | None:
        """Open of the session after the decision, for an opening order."""
        row = int(np.searchsorted(self._table.dates, np.datetime64(order.intent.session, "D"), side="right"))
        if order.intent.tif != "OPG" or row >= len(self._table.dates):
            return None
        return _price(self._table.opens([order.intent.symbol], self._table.dates[row : row + 1]))

    def _end(self, order: JournalOrder) -> float | None:
        """Close of the session in which the order ended."""
        if not order.is_done or order.stage_at is None:
            return None
        day = np.array([order.stage_at.astimezone(EXCHANGE).date()], dtype="datetime64[D]")
        return _price(self._table.closes([order.intent.symbol], day))


def _price(found: Any) -> float | None:
    return float(found[0, 0]) if np.isfinite(found[0, 0]) else None


def _closes(journal: JournalReader) -> set[dt.date]:
    return {nav.session for nav in journal.navs("close")}


def _span(days: set[dt.date]) -> str:
    return f"{min(days)} to {max(days)}" if days else "no session yet"


def _backtest(run: Run) -> Run:
    kind = str(run.metrics.get("kind") or "backtest")
    if kind != "backtest":
        raise ConfigError(
            f"run {run.folder.name} is a {kind}, which holds no book; name a run of run.py backtest"
        )
    return run


def _scaled(book: BookHistory, scale: float) -> BookHistory:
    """Return a book of another size."""
    if scale == 1.0:
        return book
    names = ("shares", "traded", "paid", "unfilled", "fees", "flows", "nav")
    return replace(book, **{name: getattr(book, name) * scale for name in names})
