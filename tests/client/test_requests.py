"""What is asked of the gateway is answered with frozen values, or with one clear error, in time."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from ares7.errors import ConfigError, MissingData, ServiceUnavailable
from live.client.contracts import Wanted
from live.client.failures import NoAnswer, Refused
from live.client.messages import AccountKind, BarUpdate, FarmState, State, SubscriptionFailed
from live.client.options import HistoryPacing
from tests.client.conftest import ACCOUNT, another_gateway, messages, wait_until


def test_start_tells_account_kind_version_and_clock(connect):
    found = connect().connected
    assert (found.account, found.kind, found.accounts) == (ACCOUNT, AccountKind.PAPER, (ACCOUNT,))
    assert found.server_version in (176, 178)
    assert found.time_text.startswith("20240105 10:00:00")
    assert not found.read_only


def test_starting_again_returns_the_same_and_stopping_again_does_nothing(connect):
    client = connect()
    assert client.start() is client.connected
    assert client.stop()
    assert client.stop()
    assert client.state is State.STOPPED


def test_a_client_that_was_stopped_can_be_started_again(connect):
    client = connect()
    client.stop()
    assert client.start().account == ACCOUNT
    assert client.qualify(["AAPL"]).facts


def test_the_account_of_the_snapshot_has_values_positions_and_orders(connect, gateway):
    gateway.set_position("AAPL", 25.0, cost=100.0)
    snapshot = connect().snapshot()
    assert snapshot.account == ACCOUNT
    assert float(snapshot.values["NetLiquidation", "USD"]) > 0
    (row,) = snapshot.positions.values()
    assert (row.symbol, row.shares, row.average_cost) == ("AAPL", 25.0, 100.0)
    with pytest.raises(TypeError):
        snapshot.positions[1] = row


def test_account_values_can_be_asked_for(connect, gateway):
    client = connect()
    before = float(client.account_values()["TotalCashValue", "USD"])
    gateway.deposit(500.0)
    assert float(client.account_values()["TotalCashValue", "USD"]) == before + 500.0


def test_a_position_that_is_closed_leaves_the_snapshot(connect, gateway):
    gateway.set_position("AAPL", 25.0)
    client = connect()
    assert len(client.snapshot().positions) == 1
    gateway.set_position("AAPL", 0.0)
    assert wait_until(lambda: not client.snapshot().positions)
    assert client.positions() == ()


def test_messages_are_numbered_without_a_gap_and_the_snapshot_names_the_last_it_holds(connect):
    client = connect()
    numbers = [envelope.seq for envelope in client.poll()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert client.snapshot().seq >= numbers[-1]


def test_messages_are_stamped_by_the_clock_that_was_given(connect):
    moment = dt.datetime(2024, 1, 5, 15, tzinfo=dt.UTC)
    client = connect(clock=lambda: moment)
    assert {envelope.received for envelope in client.poll()} == {moment}


def test_farms_are_known_from_the_start(connect):
    client = connect()
    assert {(farm.kind, farm.status) for farm in client.farms()} >= {("market", "ok"), ("history", "ok")}
    assert len(messages(client, FarmState, count=3)) == 3


# Contracts


def test_contracts_are_found_with_their_rules(connect):
    found = connect().qualify(["AAPL", ("SPX", "IND")])
    assert found.problems == {}
    share, index = found.facts["AAPL"], found.facts["SPX"]
    assert (share.kind, share.currency, share.exchange, share.min_tick) == ("STK", "USD", "SMART", 0.01)
    assert (index.kind, index.exchange) == ("IND", "CBOE")
    assert "20240105:0930-20240105:1600" in share.liquid_hours


@pytest.mark.parametrize("written", ["BRK-B", "BRK.B", "BRK B"])
def test_a_share_class_is_found_however_it_is_written(connect, written):
    facts = connect().qualify([written]).facts[written]
    assert (facts.symbol, facts.ib_symbol) == ("BRK-B", "BRK B")


def test_an_unknown_symbol_costs_only_itself(connect):
    found = connect().qualify(["AAPL", "NOPE", "MSFT"])
    assert set(found.facts) == {"AAPL", "MSFT"}
    problem = found.problems["NOPE"]
    assert problem.reason == "unknown"
    assert "correct the symbol" in problem.text


def test_a_symbol_of_two_listings_is_ambiguous_until_one_is_named(connect, gateway):
    gateway.add_listing("AAPL", exchange="MEXI")
    client = connect()
    problem = client.qualify(["AAPL"]).problems["AAPL"]
    assert problem.reason == "ambiguous"
    assert "MEXI" in problem.text


def test_a_listing_in_another_currency_only_is_refused(connect, gateway):
    gateway.add_listing("VOD", currency="GBP", exchange="LSE")
    problem = connect().qualify([Wanted("VOD")]).problems["VOD"]
    assert problem.reason in ("currency", "unknown")


@pytest.mark.parametrize("query", [("AAPL", "FUT"), ("", "STK"), ("Ä", "STK")])
def test_a_query_that_makes_no_sense_is_refused_before_it_is_sent(connect, query):
    with pytest.raises(ConfigError):
        connect().qualify([query])


def test_a_contract_query_that_is_not_answered_is_a_problem_in_time(connect, gateway):
    client = connect(request_timeout_s=0.2)
    gateway.set(unanswered=("reqContractDetails",))
    assert client.qualify(["AAPL"]).problems["AAPL"].reason == "no answer"


# History and quotes


def test_daily_bars_are_the_last_ones_as_arrays(connect):
    client = connect()
    bars = client.daily_bars(client.qualify(["AAPL"]).facts["AAPL"], 3)
    assert bars.dates.astype(str).tolist() == ["2024-01-03", "2024-01-04", "2024-01-05"]
    assert bars.close.dtype == np.float64
    assert bars.close.tolist() == [181.0, 182.0, 182.0]


def test_bars_can_end_in_the_past(connect):
    client = connect()
    end = dt.datetime(2024, 1, 4, 23, tzinfo=dt.UTC)
    bars = client.daily_bars(client.qualify(["AAPL"]).facts["AAPL"], 2, end=end)
    assert bars.dates.astype(str).tolist() == ["2024-01-03", "2024-01-04"]


def test_many_histories_come_together_and_one_that_fails_costs_only_itself(connect, gateway):
    client = connect()
    facts = client.qualify(["AAPL", "MSFT", ("SPX", "IND")]).facts
    gateway.arm(on="reqHistoricalData", nth=2, do="error", code=162, text="HMDS query returned no data: x")
    found = client.daily_bars_of(facts.values(), 2)
    kinds = sorted(type(answer).__name__ for answer in found.values())
    assert kinds == ["DailyBars", "DailyBars", "MissingData"]


def test_a_pacing_violation_is_asked_again(connect, gateway):
    client = connect()
    facts = client.qualify(["AAPL"]).facts["AAPL"]
    text = "Historical Market Data Service error message:API pacing violation"
    gateway.arm(on="reqHistoricalData", do="error", code=162, text=text)
    assert len(client.daily_bars(facts, 3).dates) == 3


def test_history_that_ib_does_not_have_is_missing_data(connect, gateway):
    client = connect()
    facts = client.qualify(["AAPL"]).facts["AAPL"]
    gateway.arm(on="reqHistoricalData", do="error", code=162, text="HMDS query returned no data: AAPL@SMART")
    with pytest.raises(MissingData, match="IB has no TRADES bars of AAPL"):
        client.daily_bars(facts, 3)


def test_history_that_is_not_answered_ends_in_time_and_is_cancelled(connect, gateway):
    client = connect(history_timeout_s=0.2)
    facts = client.qualify(["AAPL"]).facts["AAPL"]
    gateway.set(unanswered=("reqHistoricalData",))
    with pytest.raises(NoAnswer, match=r"did not answer within 0\.2 s"):
        client.daily_bars(facts, 3)
    assert wait_until(lambda: gateway.recorder.named("cancelHistoricalData"))


@pytest.mark.parametrize(
    ("sessions", "what", "end"), [(0, "TRADES", False), (5, "NONSENSE", False), (5, "ADJUSTED_LAST", True)]
)
def test_a_history_request_that_makes_no_sense_is_refused(connect, sessions, what, end):
    client = connect()
    facts = client.qualify(["AAPL"]).facts["AAPL"]
    with pytest.raises(ConfigError):
        client.daily_bars(
            facts, sessions, what=what, end=dt.datetime(2024, 1, 4, tzinfo=dt.UTC) if end else None
        )


def test_a_quote_has_bid_ask_and_last(connect):
    client = connect()
    quote = client.quote(client.qualify(["AAPL"]).facts["AAPL"])
    assert quote.bid < quote.last < quote.ask
    assert not quote.delayed


@pytest.mark.parametrize(
    ("market_data", "code", "words"),
    [("none", 354, "Market Data Subscriptions"), ("competing", 10197, "log out of the other")],
)
def test_a_quote_without_permission_names_the_remedy(connect, gateway, market_data, code, words):
    gateway.set(market_data=market_data)
    client = connect()
    facts = client.qualify(["AAPL"]).facts["AAPL"]
    with pytest.raises(Refused, match=words) as caught:
        client.quote(facts)
    assert caught.value.code == code


def test_a_delayed_quote_says_so(connect, gateway):
    gateway.set(market_data="delayed")
    client = connect()
    client.market_data_type(3)
    assert client.quote(client.qualify(["AAPL"]).facts["AAPL"]).delayed


def test_an_unknown_market_data_type_is_refused(connect):
    with pytest.raises(ConfigError, match="market data type 7"):
        connect().market_data_type(7)


# Live bars


def test_a_daily_bar_grows_under_one_subscription(connect, gateway):
    client = connect()
    facts = client.qualify(["AAPL"]).facts["AAPL"]
    number = client.keep_up_to_date(facts)
    gateway.end_session()
    update = messages(client, BarUpdate)[-1]
    assert (update.subscription, update.con_id) == (number, facts.con_id)
    assert update.bar.session == dt.date(2024, 1, 5)
    assert update.bar.start is None


def test_five_second_bars_carry_their_utc_start(connect, gateway):
    client = connect()
    number = client.five_second_bars(client.qualify(["AAPL"]).facts["AAPL"])
    client.server_time()
    gateway.advance(10)
    first, second = messages(client, BarUpdate, count=2)
    assert first.subscription == number
    assert first.bar.start.utcoffset() == dt.timedelta(0)
    assert second.bar.start - first.bar.start == dt.timedelta(seconds=5)


def test_no_bar_comes_after_unsubscribing(connect, gateway):
    client = connect()
    number = client.five_second_bars(client.qualify(["AAPL"]).facts["AAPL"])
    client.unsubscribe(number)
    client.unsubscribe(number)
    client.server_time()
    client.poll()
    gateway.advance(30)
    client.server_time()
    assert [e for e in client.poll() if isinstance(e.message, BarUpdate)] == []


def test_bars_go_on_after_a_reconnection_under_the_same_number(connect, gateway):
    client = connect()
    number = client.five_second_bars(client.qualify(["AAPL"]).facts["AAPL"])
    gateway.drop()
    assert wait_until(lambda: client.connected.generation == 2 and client.state is State.READY)
    client.server_time()
    client.poll()
    gateway.advance(10)
    assert messages(client, BarUpdate)[0].subscription == number


def test_a_subscription_that_the_gateway_ends_is_reported(connect, gateway):
    client = connect()
    facts = client.qualify(["AAPL"]).facts["AAPL"]
    gateway.arm(on="reqRealTimeBars", do="error", code=420, text="Invalid Real-time Query")
    number = client.five_second_bars(facts)
    (failed,) = messages(client, SubscriptionFailed)
    assert (failed.subscription, failed.con_id, failed.code) == (number, facts.con_id, 420)


# Time-outs


@pytest.mark.parametrize(
    ("request_name", "ask"),
    [
        ("reqAccountUpdates", "account_values"),
        ("reqPositions", "positions"),
        ("reqAllOpenOrders", "open_orders"),
        ("reqCompletedOrders", "completed_orders"),
        ("reqExecutions", "executions"),
        ("reqCurrentTime", "server_time"),
    ],
)
def test_a_query_that_is_not_answered_ends_in_its_time(connect, gateway, request_name, ask):
    client = connect(request_timeout_s=0.3)
    gateway.set(unanswered=(request_name,))
    with pytest.raises(NoAnswer, match=r"did not answer within 0.3 s"):
        getattr(client, ask)()
    gateway.set(unanswered=())
    getattr(client, ask)()


def test_nothing_can_be_asked_before_the_start_or_after_the_stop(connect):
    client = connect(start=False)
    with pytest.raises(ServiceUnavailable, match="call start first"):
        client.positions()
    client.start()
    client.stop()
    with pytest.raises(ServiceUnavailable, match="call start first"):
        client.server_time()


def test_of_several_accounts_only_the_configured_one_is_seen(history):
    import random

    from live.client.client import Client
    from tests.client.conftest import options

    accounts = {"DU1111111": 1000.0, "DU2222222": 2000.0}
    with another_gateway(history, accounts=accounts) as gateway:
        gateway.set_position("AAPL", 5.0, account="DU1111111")
        gateway.set_position("MSFT", 7.0, account="DU2222222")
        with Client(
            gateway.host, gateway.port, 7, "DU2222222", options=options(), rng=random.Random(1)
        ) as client:
            assert [row.symbol for row in client.positions()] == ["MSFT"]
            snapshot = client.snapshot()
            assert [row.symbol for row in snapshot.positions.values()] == ["MSFT"]
            seen = {getattr(e.message, "account", "DU2222222") for e in client.poll()}
            assert seen == {"DU2222222"}


def test_a_subscription_that_is_refused_after_a_reconnection_is_reported_once_and_stops_nothing(
    connect, gateway
):
    client = connect()
    facts = client.qualify(["AAPL"]).facts["AAPL"]
    number = client.keep_up_to_date(facts)
    gateway.arm(on="reqHistoricalData", do="error", code=162, text="No market data permissions")
    gateway.drop()
    assert wait_until(lambda: client.connected.generation == 2 and client.state is State.READY)
    client.server_time()
    failed = [e.message for e in client.poll() if isinstance(e.message, SubscriptionFailed)]
    assert [(message.subscription, message.code) for message in failed] == [(number, 162)]


def test_a_subscription_that_is_not_answered_after_a_reconnection_stops_nothing(connect, gateway):
    client = connect(history_timeout_s=0.2)
    facts = client.qualify(["AAPL"]).facts["AAPL"]
    client.keep_up_to_date(facts)
    gateway.set(unanswered=("reqHistoricalData",))
    gateway.drop()
    assert len(messages(client, SubscriptionFailed)) == 1
    assert client.connected.generation == 2
    assert client.state is State.READY


def test_more_small_bars_than_ib_takes_in_ten_minutes_are_refused_at_once(connect):
    pacing = HistoryPacing(identical_s=0.0, per_ten_minutes=2)
    client = connect(history=pacing)
    facts = client.qualify(["AAPL", "MSFT", "BRK-B"]).facts
    client.five_second_bars(facts["AAPL"])
    client.five_second_bars(facts["MSFT"])
    with pytest.raises(NoAnswer, match=r"takes 2 requests for bars of 30 s or less in ten minutes"):
        client.five_second_bars(facts["BRK-B"])


def test_many_subscriptions_are_opened_again_side_by_side(connect, gateway):
    # On a busy machine an answer may be late, and the client connects once more: it opens all of them again.
    slow = {"request_timeout_s": 10.0, "history_timeout_s": 10.0, "connect_timeout_s": 10.0}
    client = connect(history=HistoryPacing(identical_s=0.0, per_ten_minutes=100), **slow)
    facts = client.qualify(["AAPL", "MSFT", "BRK-B"]).facts
    numbers = {client.keep_up_to_date(found) for found in facts.values()}
    numbers |= {client.five_second_bars(found) for found in facts.values()}
    # A subscription to 5-second bars has no answer: only a later one says that the gateway has read it.
    client.server_time()
    gateway.drop()
    assert wait_until(lambda: client.connected.generation >= 2 and client.state is State.READY)
    assert wait_until(lambda: len(gateway.recorder.named("reqRealTimeBars")) >= 6, 30.0)
    assert wait_until(lambda: len(gateway.recorder.named("reqHistoricalData")) >= 6, 30.0)
    client.server_time()
    client.poll()
    gateway.end_session()
    client.server_time()
    heard = {e.message.subscription for e in client.poll() if isinstance(e.message, BarUpdate)}
    assert heard == numbers
