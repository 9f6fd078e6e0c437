"""An analyzer that writes down everything a Backtrader run tells a strategy, field by field."""

import itertools

import backtrader as bt

ORDER_FIELDS = ("dt", "size", "price", "value", "comm", "pnl", "remsize")
TRADE_FIELDS = (
    "size",
    "price",
    "value",
    "commission",
    "pnl",
    "pnlcomm",
    "justopened",
    "isopen",
    "isclosed",
    "baropen",
    "dtopen",
    "barclose",
    "dtclose",
    "barlen",
)
ANALYZERS = (
    bt.analyzers.TradeAnalyzer,
    bt.analyzers.DrawDown,
    bt.analyzers.Transactions,
    bt.analyzers.TimeReturn,
    bt.analyzers.SQN,
)


class Diary(bt.Analyzer):
    """``events``: bars with every feed's values, NAV and cash; order and trade notifications."""

    def start(self):
        self.events = []
        self._numbers = {}

    def _number(self, item):
        # References count over the whole process; what matters is which notifications belong together.
        return self._numbers.setdefault((type(item).__name__ == "Trade", item.ref), len(self._numbers))

    def _bar(self, kind):
        strategy = self.strategy
        feeds = []
        for data in strategy.datas:
            if len(data):
                values = [getattr(data, name)[0] for name in ("open", "high", "low", "close", "volume")]
                feeds.append((len(data), data.datetime.datetime(0), *values))
        indicators = [
            repr(float(line[0]))
            for indicator in strategy.getindicators_lines()
            if len(indicator)
            for line in indicator.lines
        ]
        account = (repr(float(strategy.broker.getvalue())), repr(float(strategy.broker.getcash())))
        self.events.append((kind, len(strategy), strategy.datetime.datetime(0), account, feeds, indicators))

    def prenext(self):
        self._bar("prenext")

    def next(self):
        self._bar("next")

    def notify_order(self, order):
        created = (order.created.dt, order.created.size, order.created.price, order.created.pclose)
        executed = tuple(getattr(order.executed, name) for name in ORDER_FIELDS)
        name = order.data._name
        self.events.append(("order", self._number(order), name, order.getstatusname(), created, executed))

    def notify_trade(self, trade):
        fields = tuple(getattr(trade, name) for name in TRADE_FIELDS)
        self.events.append(("trade", self._number(trade), trade.data._name, fields))


class _EveryDay(bt.feed.DataBase):
    params = (("first", 0), ("last", 0))

    def start(self):
        super().start()
        self._day = self.p.first

    def _load(self):
        if self._day > self.p.last:
            return False
        self.lines.datetime[0] = self._day
        for name in ("open", "high", "low", "close"):
            getattr(self.lines, name)[0] = 50 + self._day % 13
        self.lines.volume[0] = self.lines.openinterest[0] = 0
        self._day += 1
        return True


def every_day(panel):
    """A feed of its own with a bar on every calendar day, from some days before the panel's start."""
    first, last = panel.dates[panel.start_row].item().toordinal() - 6, panel.dates[-1].item().toordinal()
    return _EveryDay(first=first, last=last, name="every day")


def keep(cerebro):
    """Attach the diary and Backtrader's analyzers."""
    for analyzer in (Diary, *ANALYZERS):
        cerebro.addanalyzer(analyzer)
    return cerebro


def told(strategy):
    """Everything that was written down, and the analyses of Backtrader's analyzers."""
    diary, *others = strategy.analyzers
    return [*diary.events, *(_plain(analyzer.get_analysis()) for analyzer in others)]


def _plain(analysis):
    if isinstance(analysis, dict):
        return {str(key): _plain(value) for key, value in analysis.items()}
    if isinstance(analysis, list | tuple):
        return [_plain(item) for item in analysis]
    return repr(float(analysis) if isinstance(analysis, float) else analysis)


def first_difference(one, other):
    """The first pair of entries that differ, or None; what an assertion shows."""
    for left, right in itertools.zip_longest(one, other):
        if left != right:
            return left, right
    return None
