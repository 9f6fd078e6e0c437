"""Bars reach a strategy finished, a whole session at once, on prices that fit together."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import replace

import backtrader as bt
import numpy as np
import pytest

from ares7.errors import ConfigError, MissingData, StaleData
from live.barrier import SessionBarrier
from live.client.history import DailyBars
from live.client.messages import Bar, State
from live.double.history import from_closes
from live.double.knobs import Knobs
from live.growing_bars import GrowingBars
from live.history_cache import HistoryCache
from tests.bridge.stepping import run_bridge

UTC = dt.UTC


def row(history, date):
    return int(np.searchsorted(history.dates, np.datetime64(date)))


class Sees(bt.Strategy):
    """Keeps the date and close of every feed at each step, and which are stale."""

    def __init__(self):
        self.seen = []

    def prenext(self):
        self.next()

    def next(self):
        state = {d._name: (str(d.datetime.date(0)), d.close[0]) for d in self.datas if len(d)}
        self.seen.append((state, [d._name for d in self.datas if d.stale]))


def run(gateway, connect, history, symbols, last, **options):
    feed = options.pop("feed", None)
    store = connect(gateway, until=history.dates[last].astype(object), **options)
    return run_bridge(store, gateway, Sees, symbols, feed=feed)


# The barrier


def test_a_strategy_is_called_once_a_session_with_every_feed_of_that_session(gateway, connect, history):
    outcome = run(gateway, connect, history, ["AAPL", "BRK-B", "MSFT"], 15)
    assert len(outcome.strategy.seen) == 11
    for i, (state, stale) in enumerate(outcome.strategy.seen, 5):
        day = str(history.dates[i])
        assert state == {n: (day, history.close[j, i]) for j, n in enumerate(["AAPL", "BRK-B", "MSFT"])}
        assert stale == []


def test_a_name_without_a_bar_is_waited_for_and_then_marked_stale(gateway, connect, history):
    gateway.call(lambda g: g.market.history.close.__setitem__((2, 8), np.nan))
    outcome = run(gateway, connect, history, ["AAPL", "MSFT"], 12, bar_patience_s=1200.0)
    assert [stale for _, stale in outcome.strategy.seen] == [[], [], [], ["MSFT"], [], [], [], []]
    assert outcome.strategy.seen[3][0]["MSFT"] == (str(history.dates[7]), history.close[2, 7])
    assert any("without ['MSFT']" in note for note in outcome.strategy.notes)


def test_a_missing_bar_stops_the_run_where_that_is_asked_for(gateway, connect, history):
    gateway.call(lambda g: g.market.history.close.__setitem__((2, 8), np.nan))
    with pytest.raises(StaleData, match=rf"{history.dates[8]}.*MSFT.*on_missing"):
        run(gateway, connect, history, ["AAPL", "MSFT"], 12, bar_patience_s=1200.0, on_missing="abort")


def test_a_bar_that_comes_late_is_waited_for(gateway, connect, history):
    """The double has no bar of MSFT until half an hour after the close."""
    late, closes = history.close[2, 8], gateway.call(lambda g: g.market.history.close)
    closes[2, 8] = np.nan
    store = connect(gateway, until=history.dates[9].astype(object), bar_retry_s=60.0)
    data = [store.getdata(symbol=name) for name in ("AAPL", "MSFT")]
    store.start()
    for _ in range(3):
        gateway.end_session(25)
        store.pump()
    assert [len(d._queue) for d in data] == [3, 3]
    gateway.end_session(25)
    store.pump()
    assert [len(d._queue) for d in data] == [3, 3]
    closes[2, 8] = late
    store.pump()
    assert [len(d._queue) for d in data] == [3, 3]
    gateway.advance(61)
    store.pump()
    assert [len(d._queue) for d in data] == [4, 4]
    assert data[1]._queue[-1][0].close == late


def test_half_days_and_holidays_come_from_the_calendar(double, connect):
    history = from_closes("2023-11-17", {"AAPL": [100.0 + i for i in range(12)]})
    gateway = double(history, start="2023-11-20 10:00")
    store = connect(gateway, until=dt.date(2023, 11, 27))
    outcome = run_bridge(store, gateway, Sees, ["AAPL"])
    days = [state["AAPL"][0] for state, _ in outcome.strategy.seen]
    # Thanksgiving is the 23rd, and the 24th ends at 13:00.
    assert days == ["2023-11-20", "2023-11-21", "2023-11-22", "2023-11-24", "2023-11-27"]
    assert gateway.now <= "2023-11-27 16:30:00"


def test_the_bar_of_a_half_day_is_published_in_the_afternoon(double, connect):
    history = from_closes("2023-11-17", {"AAPL": [100.0 + i for i in range(12)]})
    gateway = double(history, start="2023-11-24 12:00")
    store = connect(gateway)
    data = store.getdata(symbol="AAPL")
    store.start()
    gateway.advance_to("2023-11-24 13:15")
    store.pump()
    assert len(data._queue) == 0
    gateway.advance_to("2023-11-24 13:21")
    store.pump()
    assert [bar.session for bar, _ in data._queue] == [dt.date(2023, 11, 24)]


def test_the_bar_of_today_is_not_delivered_before_its_session_is_over(gateway, connect, history):
    store = connect(gateway)
    data = store.getdata(symbol="AAPL", backfill=3)
    store.start()
    assert [bar.session for bar in data._history] == [d.astype(object) for d in history.dates[2:5]]
    for clock in ("15:59", "16:00", "16:19"):
        gateway.advance_to(f"{history.dates[5]} {clock}")
        store.pump()
        assert len(data._queue) == 0
    gateway.advance_to(f"{history.dates[5]} 16:20")
    store.pump()
    assert [bar.close for bar, _ in data._queue] == [history.close[0, 5]]


def test_sessions_that_were_missed_are_caught_up_one_by_one(gateway, connect, history):
    store = connect(gateway)
    data = store.getdata(symbol="AAPL", backfill=1)
    store.start()
    for _ in range(4):
        gateway.end_session(25)
    for _ in range(6):
        store.pump()
    assert [bar.session for bar, _ in data._queue] == [d.astype(object) for d in history.dates[5:9]]


def test_indices_are_feeds_and_the_vix_is_waited_for_until_it_has_settled(gateway, connect, history):
    store = connect(gateway, bar_delay_s=0.0, bar_retry_s=30.0)
    feeds = [store.getdata(symbol="AAPL")]
    feeds += [store.getdata(symbol=name, kind="IND") for name in ("SPX", "VIX")]
    store.start()
    day = history.dates[5]
    gateway.advance_to(f"{day} 16:05")
    store.pump()
    assert [len(d._queue) for d in feeds] == [0, 0, 0]
    gateway.advance_to(f"{day} 16:16")
    store.pump()
    assert [d._queue[0][0].close for d in feeds] == [history.close[i, 5] for i in (0, 3, 4)]


def test_a_price_that_is_none_is_no_bar():
    closes = dt.datetime(2024, 1, 3, 21, tzinfo=UTC)
    barrier = SessionBarrier(frozenset({"A"}), dt.date(2024, 1, 3), closes, closes + dt.timedelta(hours=1))
    good = Bar(dt.date(2024, 1, 3), None, 1.0, 1.0, 1.0, 1.0, 0.0)
    for close in (0.0, -1.0, float("nan"), float("inf")):
        assert not barrier.offer("A", replace(good, close=close), closes)
    assert not barrier.offer("B", good, closes)
    assert not barrier.offer("A", replace(good, session=dt.date(2024, 1, 2)), closes)
    assert not barrier.offer("A", good, closes - dt.timedelta(seconds=1))
    assert barrier.offer("A", good, closes)


def test_a_session_whose_bars_cannot_be_asked_for_is_asked_for_again(gateway, connect, history):
    store = connect(gateway)
    data = store.getdata(symbol="AAPL")
    store.start()
    gateway.arm(on="reqHistoricalData", do="error", code=162, text="internal error")
    gateway.end_session(25)
    store.pump()
    assert len(data._queue) == 0
    assert any("no bar of" in note for note, _, _ in store.get_notifications())
    gateway.advance(61)
    store.pump()
    assert len(data._queue) == 1


# Adjusted prices


def paying(history, day, ratio):
    """The same history with a dividend: adjusted prices before ``day`` are lower."""
    adjusted = np.ones_like(history.ratio)
    adjusted[0, :day] = ratio
    return replace(history, ratio=adjusted)


def test_prices_before_a_dividend_are_rescaled_and_the_latest_is_always_the_traded_one(
    double, connect, history
):
    history = paying(history, 9, 0.98)
    gateway = double(history, start=f"{history.dates[5]} 10:00")
    seen = []

    class Window(bt.Strategy):
        def next(self):
            seen.append(list(self.data.close.get(size=len(self))))

    store = connect(gateway, until=history.dates[12].astype(object))
    outcome = run_bridge(store, gateway, Window, ["AAPL"], feed={"adjusted": True, "backfill": 3})
    closes = history.close[0]
    for i, window in enumerate(seen):
        last = 2 + i
        scale = np.where((np.arange(2, last + 1) < 9) & (last >= 9), 0.98, 1.0)
        assert window == pytest.approx(closes[2 : last + 1] * scale, rel=1e-6)
        assert window[-1] == closes[last]
    assert any("times 0.98" in note for note in outcome.strategy.notes)


def test_a_close_that_is_corrected_later_rescales_nothing(gateway, connect, history):
    closes, seen = gateway.call(lambda g: g.market.history.close), []

    class Corrects(bt.Strategy):
        def next(self):
            seen.append(list(self.data.close.get(size=len(self))))
            if len(self) == 3:
                closes[0, 7] += 0.05

    before = history.close[0].copy()
    store = connect(gateway, until=history.dates[12].astype(object))
    outcome = run_bridge(store, gateway, Corrects, ["AAPL"])
    assert seen[-1] == before[5:13].tolist()
    assert any(f"close of {history.dates[7]} was corrected" in note for note in outcome.strategy.notes)


def test_unadjusted_prices_ignore_a_dividend(double, connect, history):
    history = paying(history, 9, 0.98)
    gateway = double(history, start=f"{history.dates[5]} 10:00")
    outcome = run(gateway, connect, history, ["AAPL"], 12, feed={"backfill": 3})
    assert [state["AAPL"][1] for state, _ in outcome.strategy.seen] == history.close[0, 2:13].tolist()
    assert not any("times" in note for note in outcome.strategy.notes)


def test_a_dividend_is_in_the_cash_and_not_in_the_position(double, connect, history):
    history = paying(history, 9, 0.98)

    class Holds(bt.Strategy):
        def next(self):
            if len(self) == 1:
                self.buy(size=100)

    gateway = double(history, Knobs(dividends=True), start=f"{history.dates[5]} 10:00")
    store = connect(gateway, until=history.dates[14].astype(object))
    outcome = run_bridge(store, gateway, Holds, ["AAPL"])
    assert outcome.cash == pytest.approx(gateway.book().cash[gateway.account], abs=0.0101)
    assert any("without a trade" in note for note in outcome.strategy.notes)


def test_a_split_rescales_the_bars_before_it(gateway, connect, history):
    seen = []

    class Splits(bt.Strategy):
        def next(self):
            seen.append((self.data.close.get(size=len(self)), self.data.volume.get(size=len(self))))
            if len(self) == 4:
                gateway.split("AAPL", 4.0)

    store = connect(gateway, until=history.dates[12].astype(object))
    run_bridge(store, gateway, Splits, ["AAPL"])
    closes, volumes = seen[-1]
    assert list(closes) == pytest.approx(history.close[0, 5:13] / 4.0)
    assert list(volumes) == pytest.approx([4e6] * 8)


# The cache


def bars_for(count=5):
    dates = np.arange("2024-01-02", "2024-01-10", dtype="datetime64[D]")[:count]
    values = [np.linspace(1.0, 2.0, count) + i for i in range(5)]
    return DailyBars(11, "AAPL", "TRADES", dates, *values)


def test_history_is_stored_for_its_session_and_read_back_the_same(tmp_path, gateway, connect):
    facts = facts_of(gateway, connect)
    cache, day = HistoryCache(tmp_path / "history"), dt.date(2024, 1, 8)
    bars = replace(bars_for(), con_id=facts.con_id)
    cache.write(bars, day, 5)
    found = cache.read(facts, "TRADES", day, 5)
    assert found.dates.tolist() == bars.dates.tolist()
    assert all(np.array_equal(getattr(found, c), getattr(bars, c)) for c in ("open", "close", "volume"))
    assert cache.read(facts, "TRADES", dt.date(2024, 1, 9), 5) is None
    assert cache.read(facts, "ADJUSTED_LAST", day, 5) is None
    assert cache.read(facts, "TRADES", day, 6) is None
    assert [path.suffix for path in (tmp_path / "history").iterdir()] == [".npz"]


def facts_of(gateway, connect, symbol="AAPL"):
    store = connect(gateway)
    data = store.getdata(symbol=symbol)
    store.start()
    return data.facts


@pytest.mark.parametrize("damage", ["cut", "changed", "text"])
def test_history_that_was_damaged_is_not_used(tmp_path, gateway, connect, damage):
    facts = facts_of(gateway, connect)
    cache, day = HistoryCache(tmp_path), dt.date(2024, 1, 8)
    bars = replace(bars_for(), con_id=facts.con_id)
    cache.write(bars, day, 5)
    (path,) = tmp_path.iterdir()
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-40])
    elif damage == "text":
        path.write_text("no archive")
    else:
        with np.load(path) as file:
            columns = {name: file[name] for name in file.files}
        columns["close"] = columns["close"] + 0.01
        np.savez(path, **columns)
    assert cache.read(facts, "TRADES", day, 5) is None


def test_history_that_cannot_be_stored_is_a_clear_error(tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(ConfigError, match=r"data\.cache"):
        HistoryCache(tmp_path / "taken").write(bars_for(), dt.date(2024, 1, 8), 5)


def test_a_restart_on_the_same_session_does_not_ask_again(tmp_path, gateway, connect, history):
    def started(client_id):
        store = connect(gateway, client_id, cache=tmp_path)
        data = store.getdata(symbol="AAPL", backfill=3)
        store.start()
        return [bar.close for bar in data._history]

    first = started(7)
    assert first == history.close[0, 2:5].tolist()
    asked = gateway.recorder.count("reqHistoricalData")
    assert started(8) == first
    assert gateway.recorder.count("reqHistoricalData") == asked
    gateway.end_session(25)
    assert started(9) == history.close[0, 3:6].tolist()
    assert gateway.recorder.count("reqHistoricalData") == asked + 1


def test_a_name_without_history_stops_the_start(gateway, connect, history):
    gateway.add_listing("NEWCO", exchange="NYSE")
    store = connect(gateway)
    store.getdata(symbol="NEWCO", backfill=3)
    with pytest.raises(MissingData, match="NEWCO"):
        store.start()


# Intraday


def live_feed(gateway, connect, **feed):
    store, cerebro = connect(gateway), bt.Cerebro()
    data = store.getdata(symbol="AAPL", **feed)
    cerebro.adddata(data)
    store.getbroker().start()
    data._start()
    # A subscription is not answered: it has arrived once a later question is.
    store.client.server_time()
    return store, data


def drain(store, data):
    out, idle = [], 0
    while idle < 3:
        store.begin_round()
        store.client.server_time()
        if data.load():
            out.append((str(data.datetime.datetime(0))[11:19], data.close[0]))
        else:
            idle += 1
    return out


def wait_for(store, condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        store.pump(0.01)


def reconnect(store, gateway):
    gateway.drop()
    ready = lambda: store.client.connected.generation == 2 and store.client.state is State.READY
    wait_for(store, ready)
    store.client.server_time()
    store.pump()


def test_five_second_bars_arrive_one_by_one_stamped_with_their_end(gateway, connect):
    store, data = live_feed(gateway, connect, source="five_seconds")
    assert (data._timeframe, data._compression) == (bt.TimeFrame.Seconds, 5)
    gateway.advance(15)
    times = [at for at, _ in drain(store, data)]
    assert times == ["15:00:05", "15:00:10", "15:00:15"]
    assert data.is_current


def test_five_second_bars_go_on_after_a_reconnection_and_none_comes_twice(gateway, connect):
    store, data = live_feed(gateway, connect, source="five_seconds")
    gateway.advance(10)
    before = drain(store, data)
    reconnect(store, gateway)
    wait_for(store, lambda: gateway.recorder.count("reqRealTimeBars") == 2)
    gateway.advance(10)
    after = drain(store, data)
    assert len(before) == 2
    assert [at for at, _ in after] == ["15:00:15", "15:00:20"]


def test_minute_bars_are_delivered_when_they_are_finished_and_not_while_they_grow(gateway, connect):
    store, data = live_feed(gateway, connect, source="keep_up_to_date")
    gateway.advance(50)
    assert drain(store, data) == []
    gateway.advance(17)
    assert [at for at, _ in drain(store, data)] == ["15:01:00"]
    gateway.advance(120)
    assert [at for at, _ in drain(store, data)] == ["15:02:00", "15:03:00"]


def test_the_last_minute_of_a_session_is_finished_by_the_clock(gateway, connect, history):
    store, data = live_feed(gateway, connect, source="keep_up_to_date", compression=5)
    gateway.advance_to(f"{history.dates[5]} 15:58")
    drain(store, data)
    gateway.advance_to(f"{history.dates[5]} 16:01")
    assert [at for at, _ in drain(store, data)] == ["21:00:00"]


def test_a_feed_without_permission_says_so(gateway, connect):
    store, data = live_feed(gateway, connect, source="five_seconds")
    gateway.set(market_data="none")
    gateway.drop()
    wait_for(store, lambda: data._laststatus == data.NOTSUBSCRIBED)


def test_a_lost_connection_shows_on_every_feed_until_it_is_back(gateway, connect):
    store, data = live_feed(gateway, connect)
    reconnect(store, gateway)
    states = [status for status, _, _ in data.get_notifications()]
    assert states == [data.LIVE, data.CONNBROKEN, data.LIVE]


def test_a_bar_that_is_not_later_than_the_latest_is_dropped(gateway, connect):
    data = connect(gateway).getdata(symbol="AAPL", source="five_seconds")
    start = dt.datetime(2024, 1, 3, 15, tzinfo=UTC)
    bars = [Bar(start.date(), start + dt.timedelta(seconds=5 * i), 1.0, 1.0, 1.0, 1.0, 0.0) for i in range(3)]
    for i in (0, 1, 1, 0, 2):
        data.push(bars[i])
    assert [bar for bar, _ in data._queue] == bars


def test_a_growing_bar_that_goes_back_in_time_is_ignored():
    bars = GrowingBars(dt.timedelta(minutes=1), dt.timedelta(seconds=5))

    def bar(minute, close):
        start = dt.datetime(2024, 1, 3, 15, minute, tzinfo=UTC)
        return Bar(start.date(), start, 1.0, 1.0, 1.0, close, 0.0)

    assert bars.offer(bar(1, 1.0)) == []
    assert bars.offer(bar(1, 2.0)) == []
    assert bars.offer(bar(0, 9.0)) == []
    assert bars.offer(bar(2, 3.0)) == [bar(1, 2.0)]
    assert bars.offer(bar(1, 9.0)) == []
    assert bars.expire(dt.datetime(2024, 1, 3, 15, 3, 4, tzinfo=UTC)) == []
    assert bars.expire(dt.datetime(2024, 1, 3, 15, 3, 5, tzinfo=UTC)) == [bar(2, 3.0)]
    assert bars.offer(bar(2, 9.0)) == []
