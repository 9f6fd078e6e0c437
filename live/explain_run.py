"""Explains a session of a backtest from its run folder: the strategy is computed again and compared with the files."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ares7.config import Config, build_config
from ares7.costs import BpsCosts
from ares7.errors import ConfigError, DataError, MissingData
from ares7.explain import Explainer
from ares7.explain_sizing import sizing
from ares7.panel import Panel
from ares7.risk import RiskParams
from ares7.runs import Run
from ares7.signals.windows import latest_bar
from ares7.tearsheet_data import read_columns, read_equity
from feeds.study import load_both
from live.explain import largest
from live.shortfall import OrderRecord, shortfall

if TYPE_CHECKING:
    from feeds.engines import Chosen

SAME = 1e-12
"""Fraction of NAV: targets of the same data and code agree to this."""


class RunExplainer:
    """One backtest, taken apart session by session.

    Parameters
    ----------
    run : Run
    choose : callable
        Strategy by name and parameters.

    Raises
    ------
    ConfigError
        The run is no backtest, or trades later than the next open.
    DataError
        Its data cannot be loaded any more, or a file is missing.
    """

    def __init__(self, run: Run, choose: Callable[[str, dict[str, Any]], Chosen]) -> None:
        self.run = run
        self.config: Config = build_config(
            dict(run.config), run.folder, f"run folder {run.folder}: config.yaml"
        )
        if self.config.account.exec_lag != 1:
            raise ConfigError(
                f"run {run.folder.name} trades {self.config.account.exec_lag} sessions after its decision; only runs "
                "with account.exec_lag 1 are explained"
            )
        chosen = _charged(choose(self.config.strategy.name, self.config.strategy_params), self.config)
        self.panel: Panel = load_both(self.config, chosen, choose(self.config.baseline, {}))
        self.explainer = Explainer(self.panel, chosen.strategy, chosen.settings)
        self._dates, curves = read_equity(run.folder, required=("nav",))
        self._nav = curves["nav"]
        self._orders = read_columns(
            run.folder / "orders.csv",
            ("date", "symbol", "side", "quantity", "close", "kind", "status", "resolved", "order_ref"),
        )
        self._trades = read_columns(
            run.folder / "trades.csv", ("date", "symbol", "side", "quantity", "price", "fee", "order_ref")
        )
        self._written = _target_weights(run)

    def explain(self, session: dt.date, symbol: str | None = None) -> dict[str, Any]:
        """Return the record of a session: the name that is asked for, or those that matter most.

        Raises
        ------
        MissingData
            The session or the symbol is not in the run.
        DataError
            The data or the code has changed since: the targets are not those of the run any more.
        """
        row = self.explainer.row_of(session)
        at = int(np.searchsorted(self._dates, np.datetime64(session, "D")))
        if at == len(self._dates) or self._dates[at] != np.datetime64(session, "D"):
            raise MissingData(
                f"{session} is not in run {self.run.folder.name}: {self._dates[0]} to {self._dates[-1]}"
            )
        taken = self.explainer.at(row)
        self._require_same(taken.target, at)
        wanted = taken.symbols if symbol is None else (symbol,)
        held = self._held(str(session))
        concerned = {s for s in wanted if symbol is not None or held.get(s) or taken.of(s)["target_weight"]}
        names = [
            self._name(taken.of(name), row, float(self._nav[at]), held.get(name, 0.0), str(session))
            for name in wanted
            if name in concerned
        ]
        return {
            "run": self.run.folder.name,
            **taken.summary(),
            "nav_usd": float(self._nav[at]),
            "names": names if symbol else largest(names),
        }

    def _require_same(self, target: np.ndarray[Any, np.dtype[np.float64]], at: int) -> None:
        wrong = [
            symbol
            for symbol, weight in zip(self.panel.symbols, target.tolist(), strict=True)
            if abs(self._written.get(symbol, np.zeros(at + 1))[at] - weight) > SAME
        ]
        if wrong:
            raise DataError(
                f"run {self.run.folder.name}: the targets of {self._dates[at]} come out differently now ({wrong[0]} "
                f"and {len(wrong) - 1} others): data or code have changed since; run the backtest again"
            )

    def _held(self, session: str) -> dict[str, float]:
        """Shares at the close of a session, from the trades up to it."""
        held: dict[str, float] = {}
        t = self._trades
        for day, symbol, side, quantity in zip(t["date"], t["symbol"], t["side"], t["quantity"], strict=True):
            if day <= session:
                held[symbol] = held.get(symbol, 0.0) + _signed(side, quantity)
        return held

    def _name(self, name: dict[str, Any], row: int, nav: float, held: float, session: str) -> dict[str, Any]:
        column = self.panel.symbols.index(name["symbol"])
        close = self.panel.fields["close"][: row + 1, column]
        last = int(latest_bar(np.isfinite(close[:, None]))[-1, 0])
        name["orders"] = self._orders_of(name["symbol"], session)
        decides = bool(self.explainer.plan.decide[row])
        if last >= 0 and (name["orders"] or decides):
            name["sizing"] = sizing(
                name["target_weight"],
                nav,
                float(close[last]),
                held,
                bar=last == row,
                whole=self.config.account.shares == "whole",
                min_trade_nav=self.config.account.min_trade_nav,
            ).to_dict()
        return name

    def _orders_of(self, symbol: str, session: str) -> list[dict[str, Any]]:
        o = self._orders
        found = [
            i
            for i, (day, name) in enumerate(zip(o["date"], o["symbol"], strict=True))
            if (day, name) == (session, symbol)
        ]
        return [self._order(i) for i in found]

    def _order(self, number: int) -> dict[str, Any]:
        o, t = self._orders, self._trades
        ref = o["order_ref"][number]
        fills = [i for i, mine in enumerate(t["order_ref"]) if mine == ref]
        quantity = _signed(o["side"][number], o["quantity"][number])
        filled = sum(_signed(t["side"][i], t["quantity"][i]) for i in fills)
        paid = sum(_signed(t["side"][i], t["quantity"][i]) * float(t["price"][i]) for i in fills)
        day, symbol = o["resolved"][number], o["symbol"][number]
        record = OrderRecord(
            ref,
            dt.date.fromisoformat(o["date"][number]),
            symbol,
            quantity,
            float(o["close"][number]),
            filled,
            paid / filled if filled else None,
            sum(float(t["fee"][i]) for i in fills),
            self._price("open", symbol, day),
            self._price("close", symbol, day),
            o["status"][number].lower(),
        )
        return {**shortfall(record).to_dict(), "kind": o["kind"][number].lower(), "resolved": day or None}

    def _price(self, field: str, symbol: str, day: str) -> float | None:
        """Price of a session in total-return units, as the run trades; None without a bar."""
        if not day:
            return None
        value = float(self.panel.fields[field][self.explainer.row_of(day), self.panel.symbols.index(symbol)])
        return value if np.isfinite(value) else None


def _charged(chosen: Chosen, config: Config) -> Chosen:
    """Charge the model curve what the run charged it; the caller's configuration may have other costs."""
    risk = getattr(chosen.settings, "risk", None)
    if not isinstance(risk, RiskParams) or "cost_bps" in config.strategy.params.get("risk", {}):
        return chosen
    bps = config.costs.bps if isinstance(config.costs, BpsCosts) else RiskParams().cost_bps
    own = chosen.settings.model_copy(update={"risk": risk.model_copy(update={"cost_bps": bps})})
    return replace(chosen, settings=own)


def _signed(side: str, quantity: str) -> float:
    return float(quantity) if side == "BUY" else -float(quantity)


def _target_weights(run: Run) -> dict[str, np.ndarray[Any, np.dtype[np.float64]]]:
    import pyarrow.parquet as parquet

    path = run.folder / "target_weights.parquet"
    try:
        table = parquet.read_table(path)
    except (OSError, ValueError) as error:
        raise DataError(
            f"run folder {run.folder}: {path.name} cannot be read ({error}); run it again"
        ) from None
    return {name: table.column(name).to_numpy() for name in table.column_names if name != "date"}
