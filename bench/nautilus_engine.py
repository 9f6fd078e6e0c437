"""nautilus_trader: bars of all symbols through its simulated exchange, market orders at the deciding close."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig, RiskEngineConfig
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.data import Bar, BarType
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import Equity
from nautilus_trader.model.objects import Money, Price, Quantity
from nautilus_trader.persistence.wranglers import BarDataWrangler
from nautilus_trader.trading.strategy import Strategy

from bench.job import CASH, COST, Job, frames

VENUE = Venue("XNYS")


class MonthEnd(Strategy):  # type: ignore[misc]
    """Trade the table once the session's last bar has arrived, sales first."""

    def __init__(self, job: Job, bar_types: list[Any]) -> None:
        super().__init__()
        self.bar_types = bar_types
        self.column = {bar_type: i for i, bar_type in enumerate(bar_types)}
        self.ids = [bar_type.instrument_id for bar_type in bar_types]
        self.decisions = dict(zip(job.rows.tolist(), job.targets, strict=True))
        self.close, self.held = np.zeros(len(bar_types)), np.zeros(len(bar_types))
        self.by_id = {instrument: i for i, instrument in enumerate(self.ids)}
        self.equity: list[float] = []

    def on_start(self) -> None:
        """Ask for every symbol's bars."""
        for bar_type in self.bar_types:
            self.subscribe_bars(bar_type)

    def on_bar(self, bar: Bar) -> None:
        """Note the close; after the session's last symbol value the book and decide."""
        i = self.column[bar.bar_type]
        self.close[i] = bar.close.as_double()
        if i + 1 < len(self.bar_types):
            return
        cash = self.portfolio.account(VENUE).balance_total(USD).as_double()
        value = cash + float(self.held @ self.close)
        target = self.decisions.get(len(self.equity))
        self.equity.append(value)
        if target is None:
            return
        change = np.floor(target * value / self.close) - self.held
        for k in np.argsort(change, kind="stable"):
            if change[k] != 0:
                side = OrderSide.BUY if change[k] > 0 else OrderSide.SELL
                quantity = Quantity.from_int(int(abs(change[k])))
                self.submit_order(self.order_factory.market(self.ids[k], side, quantity))

    def on_order_filled(self, event: Any) -> None:
        """Keep the shares held."""
        shares = event.last_qty.as_double()
        self.held[self.by_id[event.instrument_id]] += shares if event.order_side == OrderSide.BUY else -shares


def _instrument(symbol: str) -> Any:
    return Equity(
        instrument_id=InstrumentId(Symbol(symbol), VENUE),
        raw_symbol=Symbol(symbol),
        currency=USD,
        price_precision=2,
        price_increment=Price.from_str("0.01"),
        lot_size=Quantity.from_int(1),
        ts_event=0,
        ts_init=0,
        maker_fee=Decimal(str(COST)),
        taker_fee=Decimal(str(COST)),
    )


def prepare(job: Job) -> Any:
    """Return the run, from one DataFrame a symbol."""
    data = frames(job)

    def run() -> Any:
        # Sales pay for purchases of the same close; the pre-trade check does not know that yet.
        config = BacktestEngineConfig(
            logging=LoggingConfig(bypass_logging=True), risk_engine=RiskEngineConfig(bypass=True)
        )
        engine = BacktestEngine(config=config)
        balance = [Money(CASH, USD)]
        engine.add_venue(VENUE, OmsType.NETTING, AccountType.CASH, balance, base_currency=USD)
        bar_types, bars = [], []
        for symbol, frame in data.items():
            instrument = _instrument(symbol)
            engine.add_instrument(instrument)
            bar_types.append(BarType.from_str(f"{instrument.id}-1-DAY-LAST-EXTERNAL"))
            bars.append(BarDataWrangler(bar_types[-1], instrument).process(frame))
        # Every symbol has every session, so that this is the order of time.
        engine.add_data([bar for session in zip(*bars, strict=True) for bar in session])
        strategy = MonthEnd(job, bar_types)
        engine.add_strategy(strategy)
        engine.run()
        equity = np.array(strategy.equity)
        engine.dispose()
        return equity

    return run
