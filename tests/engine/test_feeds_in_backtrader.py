"""Our feeds in an ordinary Cerebro: an ordinary strategy sees and does exactly what it does on PandasData."""

import datetime as dt

import backtrader as bt
import numpy as np
import pandas as pd
import pytest

from ares7.book import regime_labels
from ares7.errors import ConfigError, MissingData
from ares7.params import RegimeParams
from ares7.signals.regime import Regime
from feeds.panel_feed import FUNDAMENTAL_LINES, ArrayData, fundamental_feed, market_feed, price_feed
from feeds.regime_indicator import RegimeIndicator
from tests.engine.diary import first_difference, keep, told
from tests.engine.panels import market

FROM, TO = dt.datetime.fromisoformat("2019-06-03"), dt.datetime.fromisoformat("2020-01-31")


class SmaCross(bt.Strategy):
    """Backtrader's own first example, word for word."""

    params = dict(pfast=10, pslow=30)  # noqa: C408, RUF012

    def __init__(self):
        sma1 = bt.ind.SMA(period=self.p.pfast)
        sma2 = bt.ind.SMA(period=self.p.pslow)
        self.crossover = bt.ind.CrossOver(sma1, sma2)

    def next(self):
        if not self.position:
            if self.crossover > 0:
                self.buy()
        elif self.crossover < 0:
            self.close()


@pytest.fixture(scope="module")
def panel():
    return market(sessions=330, stocks=6, start=0)


def pandas_feed(panel, symbol, **kwargs):
    column = panel.symbols.index(symbol)
    there = panel.bar[:, column]
    names = ("open", "high", "low", "close", "volume")
    frame = pd.DataFrame(
        {name: panel.fields[name][there, column] for name in names},
        index=pd.DatetimeIndex(panel.dates[there].astype("datetime64[ns]")),
    )
    return bt.feeds.PandasData(dataname=frame, name=symbol, **kwargs)


def cerebro(feeds, cash=1e5, **kwargs):
    engine = bt.Cerebro(stdstats=False, **kwargs)
    for feed in feeds:
        engine.adddata(feed)
    engine.broker.setcash(cash)
    engine.broker.setcommission(commission=0.001)
    engine.addstrategy(SmaCross)
    engine.addsizer(bt.sizers.FixedSize, stake=100)
    return keep(engine)


def both(panel, symbols=("S01",), feed=None, prepare=None, **kwargs):
    """What is told on our feeds and on PandasData."""
    out = []
    for make in (price_feed, pandas_feed):
        engine = cerebro([make(panel, symbol, **(feed or {})) for symbol in symbols], **kwargs)
        if prepare is not None:
            prepare(engine)
        out.append(told(engine.run()[0]))
    return out


@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"runonce": False},
        {"preload": False},
        {"preload": False, "runonce": False},
        {"exactbars": True},
        {"exactbars": -1},
        {"exactbars": -2},
        {"lookahead": 3},
        {"cheat_on_open": True},
        {"oldsync": True},
        {"tradehistory": True},
        {"quicknotify": True},
    ],
    ids=str,
)
def test_every_way_of_running(panel, kwargs):
    # Backtrader itself cannot do two of these with a feed that starts late.
    late = "oldsync" not in kwargs and kwargs.get("exactbars") is not True
    ours, theirs = both(panel, ("S01", "S00", "S02") if late else ("S01", "S03"), **kwargs)
    assert first_difference(ours, theirs) is None
    assert sum(event[0] == "trade" for event in ours if isinstance(event, tuple)) > 3


@pytest.mark.parametrize("runonce", [True, False])
@pytest.mark.parametrize(
    "feed",
    [
        {"fromdate": FROM},
        {"todate": TO},
        {"fromdate": FROM, "todate": TO},
        {"tz": "US/Eastern"},
        {"tzinput": "Europe/Berlin"},
        {"tz": "Asia/Tokyo", "tzinput": "US/Eastern"},
        {"sessionend": dt.time(17, 30)},
    ],
    ids=str,
)
def test_dates_and_time_zones(panel, feed, runonce):
    ours, theirs = both(panel, feed=feed, runonce=runonce)
    assert first_difference(ours, theirs) is None


@pytest.mark.parametrize("runonce", [True, False])
@pytest.mark.parametrize("way", ["resampledata", "replaydata"])
@pytest.mark.parametrize("frame", [bt.TimeFrame.Weeks, bt.TimeFrame.Months], ids=["weeks", "months"])
def test_resampled_and_replayed(panel, way, frame, runonce):
    def beside(engine):
        getattr(engine, way)(engine.datas[0], timeframe=frame)

    ours, theirs = both(panel, prepare=beside, runonce=runonce)
    assert first_difference(ours, theirs) is None


@pytest.mark.parametrize("runonce", [True, False])
def test_resampled_alone(panel, runonce):
    out = []
    for make in (price_feed, pandas_feed):
        engine = cerebro([], runonce=runonce)
        engine.resampledata(make(panel, "S01"), timeframe=bt.TimeFrame.Weeks)
        out.append(told(engine.run()[0]))
    assert first_difference(*out) is None
    assert len(out[0]) > 60


def test_a_filter_sees_every_bar(panel):
    def odd_days(data):
        if data.datetime.date(0).day % 2:
            data.backwards()
            return True
        return False

    ours, theirs = both(panel, prepare=lambda engine: engine.datas[0].addfilter(odd_days))
    assert first_difference(ours, theirs) is None


def test_a_feed_can_be_run_again(panel):
    engine = cerebro([price_feed(panel, "S01")])
    first = told(engine.run()[0])
    assert first_difference(first, told(engine.run()[0])) is None
    assert first_difference(first, told(engine.run(runonce=False)[0])) is None


def test_a_feed_shows_only_real_bars(panel):
    engine = cerebro([price_feed(panel, "S00")])
    strategy = engine.run()[0]
    column = panel.symbols.index("S00")
    there = panel.bar[:, column]
    assert 0 < there.sum() < len(there)
    assert len(strategy) == there.sum()
    assert list(strategy.data.close.array) == panel.fields["close"][there, column].tolist()


class Notes(bt.Strategy):
    """Writes down lines by name."""

    params = (("names", ()),)

    def __init__(self):
        self.seen = []

    def next(self):
        values = [getattr(self.data, name)[0] for name in self.p.names]
        self.seen.append((self.data.datetime.date(0).toordinal(), *values))


def noted(feed, names, **kwargs):
    engine = bt.Cerebro(stdstats=False, **kwargs)
    engine.adddata(feed)
    engine.addstrategy(Notes, names=names)
    return np.array(engine.run()[0].seen)


@pytest.mark.parametrize("runonce", [True, False])
def test_fundamentals_are_lines(panel, runonce):
    seen = noted(fundamental_feed(panel, "S02"), ("close", *FUNDAMENTAL_LINES), runonce=runonce)
    column = panel.symbols.index("S02")
    there = panel.bar[:, column]
    expected = [panel.fields[name][there, column] for name in ("close", *FUNDAMENTAL_LINES)]
    np.testing.assert_array_equal(seen[:, 1:].T, expected)
    assert (seen[:, 0] - seen[0, 0]).tolist() == (panel.dates[there] - panel.dates[there][0]).astype(
        int
    ).tolist()


@pytest.mark.parametrize("runonce", [True, False])
def test_vix_and_regime_are_lines(panel, runonce):
    labels = regime_labels(panel, **RegimeParams().model_dump()).held
    seen = noted(market_feed(panel, labels), ("close", "vix", "regime"), runonce=runonce)
    expected = [panel.series["index"], panel.series["vix"], labels]
    np.testing.assert_array_equal(seen[:, 1:].T, expected)


class BullOnly(bt.Strategy):
    """An ordinary strategy that reads the regime beside the prices."""

    def __init__(self):
        self.stock, self.market = self.datas

    def next(self):
        wanted = 0.9 if self.market.regime[0] == Regime.BULL and self.market.vix[0] < 25 else 0.0
        self.order_target_percent(self.stock, target=wanted)


def test_an_ordinary_strategy_trades_on_the_regime(panel):
    labels = np.where(np.arange(330) % 40 < 20, Regime.BULL, Regime.BEAR)
    engine = bt.Cerebro(stdstats=False)
    engine.adddata(price_feed(panel, "SPY"))
    engine.adddata(market_feed(panel, labels))
    engine.addstrategy(BullOnly)
    engine.addanalyzer(bt.analyzers.Transactions)
    bought = engine.run()[0].analyzers[0].get_analysis()
    days = {day.date() for day in bought}
    fit = (labels == Regime.BULL) & (panel.series["vix"] < 25)
    changes = np.flatnonzero(fit[1:] != fit[:-1]) + 2
    assert {panel.dates[row].item() for row in changes if row < 330} <= days


class Labelled(bt.Strategy):
    params = (("settings", None), ("line", False))

    def __init__(self):
        vix = self.data0.vix if self.p.line else self.data1
        self.regime = RegimeIndicator(self.data0, vix, settings=self.p.settings)
        self.seen = []

    def next(self):
        self.seen.append((self.regime.raw[0], self.regime.held[0]))


@pytest.mark.parametrize("runonce", [True, False])
@pytest.mark.parametrize("line", [True, False], ids=["vix line", "vix feed"])
@pytest.mark.parametrize(
    "settings",
    [
        RegimeParams(),
        RegimeParams(min_hold=3),
        RegimeParams(sma=30, short=5, long=20, min_hold=2, vix_high=22),
    ],
    ids=str,
)
def test_the_indicator_equals_the_labels_bar_by_bar(panel, settings, line, runonce):
    labels = regime_labels(panel, **settings.model_dump())
    vix = ArrayData(
        columns=dict.fromkeys(("open", "high", "low", "close", "volume"), panel.series["vix"])
        | {"datetime": panel.dates.astype(np.int64).astype(float) + dt.date(1970, 1, 1).toordinal()}
    )
    engine = bt.Cerebro(stdstats=False, runonce=runonce)
    engine.adddata(market_feed(panel, labels.held))
    engine.adddata(vix)
    engine.addstrategy(Labelled, settings=settings, line=line)
    seen = np.array(engine.run()[0].seen)
    assert seen[:, 0].tolist() == labels.raw.tolist()
    assert seen[:, 1].tolist() == labels.held.tolist()


def test_the_market_visits_every_regime(panel):
    labels = regime_labels(panel, sma=30, short=5, long=20, vix_bull=25, vix_high=30, min_hold=0).raw
    assert set(labels.tolist()) == {int(r) for r in Regime}


def test_the_indicator_stops_at_a_missing_value(panel):
    columns = {
        "datetime": 737000.0 + np.arange(3),
        **dict.fromkeys(("open", "high", "low", "close", "volume"), np.array([20.0, np.nan, 20.0])),
    }
    engine = bt.Cerebro(stdstats=False)
    for _ in range(2):
        engine.adddata(ArrayData(columns=columns))
    engine.addstrategy(Labelled)
    with pytest.raises(MissingData, match="bar 2"):
        engine.run()


def test_an_unknown_symbol_and_a_missing_column_are_named(panel):
    with pytest.raises(ConfigError, match="XYZ"):
        price_feed(panel, "XYZ")
    engine = bt.Cerebro(stdstats=False)
    engine.adddata(ArrayData(columns={"datetime": np.array([737000.0]), "open": np.ones(1)}, name="half"))
    with pytest.raises(ConfigError, match=r"half.*close"):
        engine.run()
