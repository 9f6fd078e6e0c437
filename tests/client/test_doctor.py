"""Doctor places nothing, and says of each thing that would stop live trading what it is and what to do."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json

import pytest

from live.client.contracts import Wanted
from live.client.doctor import diagnose, show
from live.client.doctor_checks import FAILED, OK, WARNED, time_zone
from live.client.messages import AccountKind, Connected, Quote
from live.client.options import Options
from tests.client.conftest import ACCOUNT, FAST, another_gateway
from tests.client.test_connection import free_port

NOW = dt.datetime(2024, 1, 5, 15, tzinfo=dt.UTC)
LOOKING = Options(**{**FAST, "max_skew_s": 5.0})


def look(gateway, port=None, **change):
    change = {"symbols": ["AAPL", ("SPX", "IND")], "options": LOOKING, "clock": lambda: NOW, **change}
    return diagnose(gateway.host, port or gateway.port, **change)


def lines(report):
    return {line.check: line for line in report.lines}


def test_a_healthy_gateway_is_all_ok(gateway):
    report = look(gateway)
    assert [line.check for line in report.lines if line.level != OK] == []
    assert report.exit_code == 0
    found = lines(report)
    assert ACCOUNT in found["account"].text
    assert "paper money" in found["account"].text
    assert found["money"].text == "net liquidation 1000000.00 USD"
    assert found["calendar"].text.endswith("half days included")
    assert "open now: 2024-01-05" in found["next session"].text


def test_doctor_sends_no_order_and_no_cancellation(gateway):
    look(gateway)
    sent = {entry.name for entry in gateway.recorder.entries if entry.way == "in"}
    assert sent.isdisjoint({"placeOrder", "cancelOrder", "reqGlobalCancel", "reqAutoOpenOrders"})


def test_the_report_is_json_and_a_table(gateway, capsys):
    report = look(gateway)
    content = json.loads(json.dumps(report.to_dict()))
    assert content["exit_code"] == 0
    assert {"check", "level", "text", "remedy"} == set(content["checks"][0])
    show(report)
    printed = capsys.readouterr().out
    assert all(line.check in printed for line in report.lines)


# What is wrong, the line that says so, its exit code, and a word of the remedy.
@pytest.mark.parametrize(
    ("knobs", "check", "code", "word"),
    [
        ({"hang_up": True}, "connection", 3, "Trusted IPs"),
        ({"silent_handshake": True}, "connection", 3, "Accept incoming connection"),
        ({"clients_in_use": (9,)}, "connection", 2, "stop it"),
        ({"read_only": True}, "orders allowed", 2, "Read-Only API"),
        ({"clock_skew": 60.0}, "clock", 3, "set-ntp"),
        ({"market_data": "none"}, "market data", 2, "Market Data Subscriptions"),
        ({"market_data": "competing"}, "market data", 2, "log out"),
        ({"unanswered": ("reqPositions",)}, "synchronisation", 3, "positions"),
    ],
)
def test_what_would_stop_live_trading_fails_with_its_remedy(gateway, knobs, check, code, word):
    gateway.set(**knobs)
    report = look(gateway)
    line = lines(report)[check]
    assert line.level == FAILED
    assert word in line.text + line.remedy
    assert report.exit_code == code


def test_nobody_listening_is_exit_code_three(gateway):
    report = look(gateway, port=free_port())
    assert report.exit_code == 3
    assert "nothing listens" in lines(report)["connection"].text


def test_an_impossible_port_is_exit_code_two(gateway):
    assert look(gateway, port=70000).exit_code == 2


def test_a_wrong_account_is_exit_code_two(gateway):
    report = look(gateway, account="DU9999999")
    assert report.exit_code == 2
    assert "is not among the accounts" in lines(report)["account"].text


@pytest.mark.parametrize(
    ("symbol", "word"), [("NOPE", "correct the symbol"), (Wanted("AAPL"), "primary exchange")]
)
def test_an_unknown_or_ambiguous_contract_is_exit_code_two(gateway, symbol, word):
    gateway.add_listing("AAPL", exchange="MEXI")
    report = look(gateway, symbols=[symbol])
    line = lines(report)["contracts"]
    assert line.level == FAILED
    assert word in line.remedy
    assert report.exit_code == 2


def test_data_that_is_only_delayed_is_no_permission(gateway):
    gateway.set(market_data="delayed")
    report = look(gateway)
    assert "Delayed market data is available" in lines(report)["market data"].text
    assert report.exit_code == 2


def test_delayed_quotes_that_come_all_the_same_are_a_warning(gateway, monkeypatch):
    delayed = Quote(1, None, None, 180.0, None, delayed=True)
    monkeypatch.setattr("live.client.client.Client.quote", lambda *_: delayed)
    report = look(gateway)
    assert lines(report)["market data"].level == WARNED
    assert report.exit_code == 0


def test_a_gateway_in_another_time_zone_is_found(gateway):
    other = LOOKING.model_copy(update={"time_zone": "Europe/London"})
    line = lines(look(gateway, options=other))["time zone"]
    assert line.level == WARNED
    assert "-5 h from Europe/London" in line.text


def test_a_gateway_in_another_time_zone_that_sends_no_zone_is_exit_code_two(history):
    other = LOOKING.model_copy(update={"time_zone": "Europe/London"})
    with another_gateway(history, version=173) as gateway:
        report = look(gateway, options=other)
    assert lines(report)["time zone"].level == FAILED
    assert "set time_zone" in lines(report)["time zone"].remedy
    assert report.exit_code == 2


def test_a_real_account_on_a_port_of_paper_accounts_is_a_warning(history, monkeypatch):
    with another_gateway(history, accounts={"U1234567": 1.0}) as gateway:
        monkeypatch.setattr("live.client.sync.PAPER_PORTS", (gateway.port,))
        report = look(gateway)
    assert lines(report)["port"].level == WARNED
    assert "a paper account" in lines(report)["port"].text
    assert "real money" in lines(report)["account"].text


def connected(**change):
    found = Connected("DU1", AccountKind.PAPER, ("DU1",), 173, 1, 1, False, 0.0, "20240105 10:00:00 EST")
    return dataclasses.replace(found, **change)


def test_a_wrong_zone_is_a_failure_only_for_gateways_that_send_times_without_one():
    assert time_zone(connected(), "America/New_York", NOW).level == OK
    assert time_zone(connected(), "Europe/London", NOW).level == FAILED
    assert time_zone(connected(server_version=174), "Europe/London", NOW).level == WARNED
    assert time_zone(connected(time_text="whenever"), "Europe/London", NOW).level == WARNED
    # A zone of three quarters of an hour, and a clock that is some minutes off.
    india = connected(time_text="20240105 20:30:10 IST")
    assert time_zone(india, "Asia/Kolkata", NOW).level == OK
    off = connected(time_text="20240105 10:04:00 EST", skew_s=240.0)
    assert time_zone(off, "America/New_York", NOW).level == OK


def test_a_port_of_real_money_with_a_paper_account_is_a_warning(gateway, monkeypatch):
    monkeypatch.setattr("live.client.sync.REAL_PORTS", (gateway.port,))
    report = look(gateway)
    line = lines(report)["port"]
    assert line.level == WARNED
    assert "real money" in line.text
    assert report.exit_code == 0


def test_working_orders_are_pointed_out(gateway, connect):
    from live.client.messages import OrderTicket

    client = connect()
    facts = client.qualify(["AAPL"]).facts["AAPL"]
    ticket = OrderTicket("A7-1", facts.con_id, "AAPL", "BUY", 1, "LMT", "DAY", limit_price=1.0)
    client.place(ticket, lambda *_: None)
    client.open_orders()
    assert lines(look(gateway))["orders"].level == WARNED


def test_an_account_in_another_currency_is_a_failure_and_a_broken_farm_a_warning():
    from types import MappingProxyType

    from live.client.book import Snapshot
    from live.client.doctor_checks import about_state
    from live.client.messages import FarmState, State

    values = MappingProxyType({("NetLiquidation", "EUR"): "5.0"})
    snapshot = Snapshot(1, State.READY, "DU1", values, MappingProxyType({}), MappingProxyType({}))
    broken = FarmState("usfarm", "market", "broken", "")
    found = {line.check: line for line in about_state(snapshot, [broken])}
    assert found["money"].level == FAILED
    assert "EUR" in found["money"].text
    assert found["farms"].level == WARNED


def test_an_installation_with_both_libraries_is_exit_code_two(gateway, monkeypatch):
    monkeypatch.setattr("live.client.seam.installed_version", lambda name: "1.0")
    report = look(gateway)
    assert report.exit_code == 2
    assert "are both installed" in lines(report)["connection"].text


def test_several_accounts_are_told(history):
    with another_gateway(history, accounts={"DU1": 1.0, "DU2": 1.0}) as gateway:
        report = look(gateway, account="DU2")
        assert "DU2, paper money, one of 2" in lines(report)["account"].text
