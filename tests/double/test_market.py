"""Contracts, history, bars and quotes, as a real client receives them on the virtual clock."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import numpy as np
import pytest

from ares7.errors import MissingData
from live.double.clock import Calendar, Clock
from live.double.history import from_closes, from_folder
from live.double.knobs import Knobs
from live.double.market import Market, con_id
from tests.double.client import connected, index, order, settle, stock, until

DATA = os.environ.get("ARES7_DATA")


def bars(ib, contract=None, duration="5 D", size="1 day", what="TRADES", end="", keep=False, date=1):
    return ib.reqHistoricalData(contract or stock(), end, duration, size, what, True, date, keep)


# The clock.


def test_timers_run_in_their_order_and_see_their_own_time():
    clock, seen = Clock(0.0), []
    clock.at(5.0, lambda: seen.append(clock.now))
    clock.at(3.0, lambda: clock.at(4.0, lambda: seen.append(clock.now)))
    clock.at(3.5, lambda: seen.append(clock.now)).cancel()
    clock.advance(10.0)
    assert (seen, clock.now) == ([4.0, 5.0], 10.0)


def test_the_clock_stops_at_openings_and_closes_half_days_included(start):
    market = from_closes("2024-11-25", {"AAPL": [100.0] * 10})
    control = start(market=market, start="2024-11-27 20:00")
    assert control.next_session() == "2024-11-29"
    assert control.now == "2024-11-29 09:30:00"
    control.end_session()
    assert control.now == "2024-11-29 13:00:00"
    assert control.next_session() == "2024-12-02"
    control.advance_to("2025-03-09 12:00")
    control.next_session()
    assert control.now == "2025-03-10 09:30:00"


def test_a_clock_with_a_speed_runs_by_itself(start):
    control = start(speed=3600.0, start="2024-01-22 09:00")
    with connected(control) as ib:
        first = ib.reqCurrentTime()
        ib.sleep(0.5)
        assert 900 < (ib.reqCurrentTime() - first).total_seconds() < 7200


# Contracts.


def test_a_contract_has_one_number_in_every_run_and_any_company():
    closes = {"AAPL": [1.0] * 3, "MSFT": [1.0] * 3}
    calendar = Calendar(dt.date(2024, 1, 1), dt.date(2024, 2, 1))
    both, alone = (
        Market(from_closes("2024-01-02", some), calendar, Clock(0.0))
        for some in (closes, {"MSFT": closes["MSFT"]})
    )
    assert both.named("MSFT").con_id == alone.named("MSFT").con_id == con_id("MSFT", "STK", "USD")


def test_contracts_are_found_by_symbol_class_number_and_exchange(gateway):
    with connected(gateway) as ib:
        (apple,) = ib.qualifyContracts(stock("AAPL"))
        (berkshire,) = ib.qualifyContracts(stock("BRK B"))
        assert (apple.primaryExchange, berkshire.localSymbol) == ("NYSE", "BRK B")
        by_number = stock("")
        by_number.conId = apple.conId
        assert ib.qualifyContracts(by_number)[0].symbol == "AAPL"
        (spx,) = ib.reqContractDetails(index("SPX"))
        assert (spx.contract.secType, spx.contract.exchange) == ("IND", "CBOE")
        there = stock("AAPL")
        there.primaryExchange = "NASDAQ"
        assert ib.qualifyContracts(there)[0].conId == apple.conId
        for wrong in (stock("BRK-B"), stock("NOPE"), stock("SPX"), index("AAPL")):
            assert ib.reqContractDetails(wrong) == []
            assert ib.errors[-1][1] == 200


def test_a_symbol_can_be_ambiguous_or_in_another_currency(gateway):
    gateway.add_listing("AAPL", currency="CAD", exchange="TSE")
    with connected(gateway) as ib:
        anywhere = stock()
        anywhere.currency = ""
        assert len(ib.reqContractDetails(anywhere)) == 2
        assert len(ib.reqContractDetails(stock())) == 1


def test_contract_details_carry_the_calendar_of_the_coming_days(start):
    market = from_closes("2024-11-25", {"AAPL": [100.0] * 10})
    control = start(market=market, start="2024-11-27 08:00")
    with connected(control) as ib:
        (details,) = ib.reqContractDetails(stock())
        assert details.timeZoneId == "US/Eastern"
        assert details.liquidHours.split(";") == [
            "20241127:0930-20241127:1600",
            "20241128:CLOSED",
            "20241129:0930-20241129:1300",
            "20241130:CLOSED",
            "20241201:CLOSED",
            "20241202:0930-20241202:1600",
        ]
        assert details.tradingHours.split(";")[2] == "20241129:0400-20241129:1700"
        assert details.minTick == 0.01


# Bars.


def test_history_ends_with_today_s_unfinished_bar_while_the_exchange_is_open(start):
    control = start(start="2024-01-22 09:00")
    with connected(control) as ib:
        assert [b.date.day for b in bars(ib)] == [12, 16, 17, 18, 19]
        control.advance_to("2024-01-22 12:30")
        unfinished = bars(ib)[-1]
        assert unfinished.date.isoformat() == "2024-01-22"
        assert (unfinished.open, unfinished.close) == (112.0, 112.38)
        assert unfinished.volume < 1_000_000
        control.end_session()
        final = bars(ib)[-1]
        assert (final.open, final.high, final.low, final.close, final.volume) == (
            112,
            113,
            112,
            113,
            1_000_000,
        )


def test_the_vix_is_not_final_before_a_quarter_past_four(gateway):
    with connected(gateway) as ib:
        gateway.end_session()
        assert bars(ib, index("SPX"))[-1].close == 4813.0
        assert bars(ib, index("VIX"))[-1].volume < 1_000_000
        gateway.advance(15 * 60)
        last = bars(ib, index("VIX"))[-1]
        assert (last.close, last.volume) == (14.3, 1_000_000)


@pytest.mark.parametrize(
    ("duration", "count"), [("1 D", 1), ("10 D", 10), ("1 W", 5), ("1 M", 14), ("3 Y", 14), ("365 D", 14)]
)
def test_durations_count_sessions_in_days_and_calendar_time_in_other_units(gateway, duration, count):
    with connected(gateway) as ib:
        assert len(bars(ib, duration=duration)) == count


@pytest.mark.parametrize(
    "end", ["20240119 23:59:59 US/Eastern", "20240120-04:59:59", "20240119 23:59:59", "20240119"]
)
def test_history_can_end_earlier(gateway, end):
    with connected(gateway) as ib:
        found = bars(ib, duration="2 D", end=end)
        assert [b.date.isoformat() for b in found] == ["2024-01-18", "2024-01-19"]


def test_adjusted_bars_end_at_the_traded_price_of_now(start, tmp_path):
    control = start(market=folder_history(tmp_path), start="2024-01-10 09:00")
    with connected(control) as ib:
        traded, adjusted = bars(ib), bars(ib, what="ADJUSTED_LAST")
        assert adjusted[-1].close == traded[-1].close
        # A dividend of 2 % went ex on the fifth session.
        assert adjusted[0].close == pytest.approx(traded[0].close * 0.98)
        control.set(adjusted="file")
        assert bars(ib, what="ADJUSTED_LAST")[-1].close == pytest.approx(traded[-1].close * 0.5)


def folder_history(folder, basis="traded"):
    """Ten sessions of a stock that pays 2 % on the fifth, in a file whose adjustment goes on later."""
    import pandas as pd

    from ares7.sessions import sessions

    dates = sessions(np.datetime64("2024-01-02"), np.datetime64("2024-01-16"))[:10]
    close = np.array([100.0, 101, 102, 103, 102, 103, 104, 105, 106, 107])
    frame = pd.DataFrame({"date": dates, "symbol": "PAYS", "close": close, "volume": 1e6})
    frame["open"], frame["high"], frame["low"] = close - 0.5, close + 1, close - 1
    frame["adj_close"] = close * np.where(np.arange(10) < 4, 0.49, 0.5)
    other = frame.assign(symbol="AAPL")
    pd.concat([frame, other]).to_csv(folder / "prices.csv", index=False)
    return from_folder(folder, basis=basis)


def test_total_return_prices_are_what_trades_are_made_at_if_so_asked(tmp_path):
    history = folder_history(tmp_path, "total_return")
    assert history.close[0, 0] == 49.0
    assert history.open[0, 0] == 99.5 * 49.0 / 100.0
    assert (history.ratio == 1.0).all()


def test_dividends_are_paid_on_the_ex_date_to_who_held_the_night_before(start, tmp_path):
    control = start(Knobs(dividends=True), market=folder_history(tmp_path), start="2024-01-05 10:00")
    control.set_position("PAYS", 100, cost=50.0)
    before = control.book().cash["DU1234567"]
    control.next_session()
    assert control.book().cash["DU1234567"] - before == pytest.approx(100 * 103.0 * 0.02)
    control.next_session()
    assert control.book().cash["DU1234567"] - before == pytest.approx(100 * 103.0 * 0.02)


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"duration": "366 D"}, 321),
        ({"duration": "soon"}, 321),
        ({"duration": "90000 S", "size": "5 secs"}, 321),
        ({"size": "7 days"}, 321),
        ({"what": "RUMOURS"}, 321),
        ({"what": "ADJUSTED_LAST", "end": "20240119"}, 321),
        ({"end": "yesterday"}, 321),
        ({"end": "20240101"}, 162),
        ({"contract": stock("NOPE")}, 200),
        ({"contract": index("VIX"), "what": "ADJUSTED_LAST"}, 162),
    ],
)
def test_a_wrong_request_for_bars_gets_its_code(gateway, asked, code):
    with connected(gateway) as ib:
        assert not bars(ib, **asked)
        assert ib.errors[-1][1] == code


def test_intraday_bars_follow_the_path_of_the_day(gateway):
    with connected(gateway) as ib:
        gateway.end_session()
        hours = bars(ib, duration="1 D", size="1 hour", date=2)
        assert len(hours) == 7
        assert (hours[0].open, hours[-1].close) == (112.0, 113.0)
        assert max(b.high for b in hours) == 113.0
        assert str(hours[0].date) == "2024-01-22 14:30:00+00:00"
        assert sum(b.volume for b in hours) == pytest.approx(1_000_000, rel=1e-5)


def test_real_time_bars_come_every_five_seconds_of_the_session(gateway):
    with connected(gateway) as ib:
        live = ib.reqRealTimeBars(stock(), 5, "TRADES", False)
        settle(ib)
        gateway.advance_to("2024-01-22 10:01:02")
        until(ib, lambda: len(live) == 12)
        assert [b.time.second for b in live] == list(range(0, 60, 5))
        ib.cancelRealTimeBars(live)
        settle(ib)
        gateway.advance(60)
        settle(ib)
        assert len(live) == 12


def test_kept_up_bars_move_with_the_session_and_end_at_the_close(gateway):
    with connected(gateway) as ib:
        live = bars(ib, keep=True)
        gateway.advance_to("2024-01-22 14:00")
        until(ib, lambda: live[-1].close > 112.5)
        gateway.end_session()
        until(ib, lambda: live[-1].volume == 1_000_000)
        assert live[-1].close == 113.0
        gateway.next_session()
        gateway.advance(3600)
        until(ib, lambda: live[-1].date.isoformat() == "2024-01-23")
        ib.cancelHistoricalData(live)
        settle(ib)
        assert ib.errors[-1][1] == 162


def test_a_name_that_is_gone_has_history_and_no_trading(start):
    market = from_closes("2024-01-02", {"GONE": [10.0] * 12 + [np.nan] * 8})
    control = start(market=market, start="2024-01-25 10:00")
    with connected(control) as ib:
        assert bars(ib, stock("GONE"))[-1].date.isoformat() == "2024-01-18"
        ticker = ib.reqMktData(stock("GONE"))
        settle(ib)
        assert ticker.last == 10.0
        assert not ticker.bid > 0


def test_the_first_bar_of_a_contract_can_be_asked(gateway):
    with connected(gateway) as ib:
        assert str(ib.reqHeadTimeStamp(stock(), "TRADES", True))[:10] == "2024-01-02"


# Quotes.


def test_quotes_follow_the_price_and_have_a_spread_around_it(start):
    control = start(spread_ticks=1)
    with connected(control) as ib:
        ticker = ib.reqMktData(stock())
        settle(ib)
        assert (ticker.bid, ticker.last, ticker.ask) == (111.99, 112.0, 112.01)
        assert (ticker.open, ticker.close) == (112.0, 112.0)
        control.advance_to("2024-01-22 13:00")
        until(ib, lambda: ticker.last > 112.5)
        assert ticker.high == ticker.last
        control.end_session()
        until(ib, lambda: ticker.last == 113.0 and ticker.bid == -1.0)
        ib.cancelMktData(stock())


def test_a_snapshot_ends(gateway):
    with connected(gateway) as ib:
        (ticker,) = ib.reqTickers(stock())
        assert ticker.last == 112.0


def test_a_cancellation_of_no_subscription_is_told(gateway):
    with connected(gateway) as ib:
        ib.client.cancelMktData(99)
        ib.client.cancelHistoricalData(98)
        ib.client.cancelRealTimeBars(97)
        settle(ib)
        assert ib.errors == [(99, 300), (98, 366), (97, 300)]


# Files.


def test_a_folder_that_is_not_there_or_empty_says_so(tmp_path):
    with pytest.raises(MissingData, match="does not exist"):
        from_folder(tmp_path / "none")
    with pytest.raises(MissingData, match="no prices"):
        from_folder(tmp_path)


@pytest.mark.real_data
@pytest.mark.skipif(DATA is None, reason="ARES7_DATA names no real data folder")
def test_total_return_prices_are_the_bits_of_the_panel():
    from ares7.config import DataConfig
    from feeds.load import load_panel

    history = from_folder(Path(DATA), basis="total_return")
    panel = load_panel(DataConfig(path=Path(DATA), cache=None))
    rows = np.searchsorted(history.dates, panel.dates)
    for name in ("open", "close"):
        for column, symbol in enumerate(panel.symbols):
            mine = getattr(history, name)[history.symbols.index(symbol), rows]
            assert np.array_equal(mine, panel.fields[name][:, column], equal_nan=True), symbol


@pytest.mark.real_data
@pytest.mark.skipif(DATA is None, reason="ARES7_DATA names no real data folder")
def test_opening_orders_on_real_history_fill_at_the_open_of_the_file(start):
    history = from_folder(Path(DATA))
    control = start(market=history, start="2020-03-13 18:00")
    names = ["AAPL", "BRK-B", "JPM"]
    with connected(control) as ib:
        trades = [
            ib.placeOrder(stock(name.replace("-", " ")), order(tif="OPG", quantity=7)) for name in names
        ]
        control.wait_for("placeOrder", 3)
        control.next_session()
        until(ib, lambda: all(trade.isDone() for trade in trades))
        column = history.dates.tolist().index(dt.date(2020, 3, 16))
        opens = [history.open[history.symbols.index(name), column] for name in names]
        assert [trade.orderStatus.avgFillPrice for trade in trades] == opens
        control.end_session(15)
        assert bars(ib, index("VIX"))[-1].close == pytest.approx(82.69)
        assert bars(ib, index("SPX"))[-1].close == pytest.approx(2386.13, abs=0.005)
