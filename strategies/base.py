"""The Backtrader side of every strategy: target row -> order stage -> orders."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar

import backtrader as bt
import numpy as np

from ares7.arrays import Bool1D, Float1D, Int1D
from ares7.book import Plan, Targets
from ares7.config import AccountConfig
from ares7.errors import ConfigError
from ares7.grid import Grid
from ares7.ledger import OrderKind
from ares7.orders import Basket, decide_orders, net_asset_value, retry_orders
from ares7.panel import Panel
from ares7.params import BookParams
from ares7.proposal import Proposal, Share

NO_ORDERS = Basket(np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0))


def _with_children(analyzers: Iterable[Any]) -> Iterator[Any]:
    for analyzer in analyzers:
        yield analyzer
        yield from _with_children(analyzer._children)


def _acts_on_bars(analyzer: Any) -> bool:
    """Whether an analyzer or one of its children does anything on a bar."""
    hooks = ("next", "prenext", "nextstart", "_next", "_prenext", "_nextstart")
    return any(
        any(getattr(type(a), hook) is not getattr(bt.Analyzer, hook) for hook in hooks)
        and not getattr(a, "reads_history", False)
        for a in _with_children([analyzer])
    )


class PortfolioStrategy(bt.Strategy):
    """Trades the target rows of a pure ``weights`` function.

    A subclass names ``Params`` and ``weights`` and nothing else. It is added to a Cerebro whose feeds come from
    a panel (`feeds.cerebro.ares7_cerebro`)::

        cerebro.addstrategy(EqualWeight, settings=EqualWeight.Params(gross=0.95))

    Parameters
    ----------
    settings : Params, optional
        The strategy's parameters; defaults otherwise.
    account : AccountConfig, optional
        Whole or fractional shares, smallest trade.
    targets : Targets, optional
        Already computed target rows of the feeds' panel; computed at the start otherwise.
    single_orders : bool
        Use ordinary ``buy`` and ``sell``, as any broker understands them, instead of one basket a session.
    """

    params: Any = (("settings", None), ("account", None), ("targets", None), ("single_orders", False))

    Params: ClassVar[type[BookParams]] = BookParams
    weights: ClassVar[Callable[..., Targets]]
    plan: ClassVar[Callable[..., Plan] | None] = None
    """Optional ``plan(panel, params, memo)``, of which ``weights`` is the written-out form: lets a search compute
    each stage once (`ares7.stages`)."""
    sleeve_plans: ClassVar[Callable[..., Any] | None] = None
    """Optional ``sleeve_plans(panel, params, memo)``: each sleeve as a book of its own, and the regime's labels."""
    allowed_sleeves: ClassVar[Callable[..., tuple[str, ...]] | None] = None
    """Sleeves that may act in a regime; beside ``sleeve_plans``."""
    grids: ClassVar[Mapping[str, Grid]] = {}
    """Named grids of parameters; the first one is what ``run.py grid`` runs by default."""
    phases: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Changes of the parameters that make each published phase, for the table of targets."""
    diagnostics: ClassVar[Callable[..., dict[str, Any]]] = staticmethod(lambda panel, params: {})

    def start(self) -> None:
        """Compute the target rows and find out how to trade; called by Cerebro."""
        feed = self.datas[0]
        self._live: Any = getattr(feed, "live_panel", None)
        self._settings = self.p.settings if self.p.settings is not None else self.Params()
        self._account: AccountConfig = self.p.account or AccountConfig()
        self._refused: list[Any] = []
        self._retried: set[int] = set()
        if self._live is not None:
            self._start_live()
            return
        if not hasattr(feed, "engine_bars"):
            raise ConfigError(
                f"{type(self).__name__} needs aligned feeds of one panel; make the Cerebro with ares7_cerebro(panel)"
            )
        self._bars = feed.engine_bars
        self._panel: Panel = self._bars.panel
        self._targets: Targets = self.p.targets or type(self).weights(self._panel, self._settings)
        self._decide = self._targets.decide[self._bars.first : self._bars.stop].tolist()
        self._use_baskets = (
            getattr(self.broker, "takes_baskets", False)
            and not self.p.single_orders
            and not self._someone_listens()
        )
        self._lean = self._use_baskets and not self._oldsync and self._nobody_needs_notify()
        self._awake = [a for a in self.analyzers if _acts_on_bars(a)]
        self._close, self._bar = self._bars.prices["close"], self._bars.bar
        self._whole = self._account.shares == "whole"
        self._row = -1
        self._today = self.lines.lines[0]
        self._rows = {day: row for row, day in enumerate(self._bars.ordinals.tolist())}
        self._feeds = {feed.column: feed for feed in self.datas if hasattr(feed, "engine_bars")}

    def _start_live(self) -> None:
        """Trade on a gateway: feeds name the columns, and the panel grows by a row a session."""
        self._use_baskets = self._lean = False
        self._whole, self._awake = True, []
        column = {symbol: i for i, symbol in enumerate(self._live.roster.symbols)}
        self._feeds = {column[feed._name]: feed for feed in self.datas if feed._name in column}
        self.decided: Targets | None = None
        """Target rows of the latest session, live only; its last row is the session's own."""

    def _live_session(self) -> None:
        """Decide on the latest session as a backtest does, from the rows that live trading holds (C3)."""
        panel, carrier = self._live.panel(), self._live.carrier
        self.decided = targets = type(self).weights(panel, self._settings)
        decides = bool(targets.decide[-1]) if carrier is None else carrier.due(panel, targets)
        if not decides and carrier is None:
            return
        share, working, close, bar = self._live_account(len(panel.symbols))
        basket = NO_ORDERS
        if decides:
            basket = decide_orders(
                targets.weights[-1],
                # What works may still fill: an order is for the difference to both (R4).
                share.held + working,
                close,
                bar,
                share.nav,
                whole=True,
                min_trade_nav=self._account.min_trade_nav,
            )
        if carrier is not None:
            proposal = Proposal(panel, targets, share, working, close, bar, basket)
            basket = carrier.admitted(proposal) if decides else carrier.remainder(proposal)
        kind = OrderKind.DECISION if decides else OrderKind.RETRY
        self._submit_singly(basket, kind, bool(targets.on_switch[-1]))
        if carrier is not None:
            carrier.carried_out()

    def _live_account(self, symbols: int) -> tuple[Share, Float1D, Float1D, Bool1D]:
        """The strategy's share of the account, (N,) shares of working orders, (N,) closes, (N,) bars."""
        held, working = np.zeros(symbols), np.zeros(symbols)
        for column, feed in self._feeds.items():
            held[column] = self.broker.getposition(feed).size
            working[column] = self.broker.open_shares(feed)
        close, bar = self._live.prices(held)
        cash, carrier = self.broker.getcash(), self._live.carrier
        if carrier is not None:
            return carrier.share(held, close, cash), working, close, bar
        nav = net_asset_value(cash, held, close)
        return Share(held, nav, cash, nav), working, close, bar

    def _someone_listens(self) -> bool:
        """Whether something attached needs real order or trade notifications, which baskets do not make."""
        own = type(self)
        if (
            own.notify_order is not bt.Strategy.notify_order
            or own.notify_trade is not bt.Strategy.notify_trade
        ):
            return True
        # Observers read the strategy's pending notifications; a second strategy shares the account.
        if self.getobservers() or len(self.cerebro.runningstrats) > 1:
            return True
        return any(
            type(a).notify_order is not bt.Analyzer.notify_order
            or type(a).notify_trade is not bt.Analyzer.notify_trade
            for a in _with_children(self.analyzers)
            if not getattr(a, "reads_ledger", False)
        )

    def _nobody_needs_notify(self) -> bool:
        """Whether Backtrader's notifications a bar would reach no code: it trades baskets and owns no indicators."""
        own, plain = type(self), bt.Strategy
        quiet = own.notify_cashvalue is plain.notify_cashvalue and own.notify_fund is plain.notify_fund
        deaf = all(
            type(a).notify_cashvalue is bt.Analyzer.notify_cashvalue
            and type(a).notify_fund is bt.Analyzer.notify_fund
            for a in _with_children(self.analyzers)
        )
        return quiet and deaf and not self.getindicators() and not self._slave_analyzers

    def _oncepost(self, dt: float) -> None:
        """Do one bar; without listeners only what is left of Backtrader's own bar."""
        if not self._lean:
            super()._oncepost(dt)
            return
        today = self._today
        # `LineBuffer.forward`, written out.
        today.array.append(dt)
        today._idx += 1
        today.lencount += 1
        self.next()
        for analyzer in self._awake:
            analyzer._next()

    def _getminperstatus(self) -> int:
        # Feeds are aligned and finite from the first session on: next() runs on every bar.
        self._minperstatus: int = -1
        return self._minperstatus

    @property
    def row(self) -> int:
        """Row of the panel that ``next`` is looking at."""
        return int(self._bars.first + self._row)

    def next(self) -> None:
        """Trade where the mask says so; retry refused buys otherwise (rulings 2 and 4)."""
        if self._live is not None:
            if self._live.is_new_session():
                self._live_session()
            return
        row = self._rows.get(self._today[0], self._row)
        if row == self._row:
            return  # another feed has a bar where the panel has no session
        self._row = row
        if self._decide[row]:
            self._decision()
        elif self.broker.refused if self._use_baskets else self._refused:
            self._retry()
        self._refused.clear()

    def _decision(self) -> None:
        close, bar, held, row = self._close[self._row], self._bar[self._row], self._held(), self.row
        basket = decide_orders(
            self._targets.weights[row],
            held,
            close,
            bar,
            net_asset_value(self.broker.getcash(), held, close),
            whole=self._whole,
            min_trade_nav=self._account.min_trade_nav,
        )
        on_switch = bool(self._targets.on_switch[row])
        if self._use_baskets:
            self.broker.cancel_waiting()
            self.broker.submit_basket(basket, on_switch=on_switch)
            return
        for order in [o for o in self.broker.get_orders_open() if o.alive() and o.owner is self]:
            self.cancel(order)
        self._submit_singly(basket, OrderKind.DECISION, on_switch)

    def _retry(self) -> None:
        symbol, missing = self.broker.refused_buys() if self._use_baskets else self._refused_buys()
        close, bar = self._close[self._row], self._bar[self._row]
        basket = retry_orders(
            symbol,
            missing,
            close,
            bar,
            self.broker.getcash(),
            self._fees(symbol, missing, close),
            whole=self._whole,
        )
        if self._use_baskets:
            self.broker.submit_basket(basket, kind=OrderKind.RETRY)
            return
        self._retried.update(self._submit_singly(basket, OrderKind.RETRY))

    def _refused_buys(self) -> tuple[Int1D, Float1D]:
        """Columns and shares of single orders refused in this session."""
        symbol = np.array([order.data.column for order in self._refused], dtype=np.int64)
        return symbol, np.array([abs(order.created.size) for order in self._refused], dtype=np.float64)

    def _fees(self, symbol: Int1D, shares: Float1D, close: Float1D) -> Float1D:
        """(K,) USD by the commission scheme of whichever broker trades."""
        broker, feeds = self.broker, self._feeds
        return np.array(
            [
                broker.getcommissioninfo(feeds[column]).getcommission(size, close[column])
                for column, size in zip(symbol.tolist(), shares.tolist(), strict=True)
            ]
        )

    def _submit_singly(self, basket: Basket, kind: OrderKind, on_switch: bool = False) -> list[int]:
        references = []
        for column, quantity in zip(basket.symbol.tolist(), basket.quantity.tolist(), strict=True):
            trade = self.buy if quantity > 0 else self.sell
            references.append(
                trade(data=self._feeds[column], size=abs(quantity), kind=kind, on_switch=on_switch).ref
            )
        return references

    def _held(self) -> Float1D:
        """(N,) shares."""
        if self._use_baskets:
            held: Float1D = self.broker.held
            return held
        held = np.zeros(len(self._panel.symbols))
        for column, feed in self._feeds.items():
            if len(feed):
                held[column] = self.broker.getposition(feed).size
        return held

    def _addnotification(self, order: Any, quicknotify: bool = False) -> None:
        """Remember refused buys for one retry, so that a subclass may have a ``notify_order`` of its own."""
        refused = order.status in (bt.Order.Margin, bt.Order.Rejected)
        if refused and order.isbuy() and order.ref not in self._retried:
            self._refused.append(order)
        super()._addnotification(order, quicknotify=quicknotify)
