"""The conformance scenario through the official client (ibapi 9.81.1); see `insync_client` for the protocol.

The official package is only for development: its licence does not allow shipping it.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import sys
import threading
import time
from zoneinfo import ZoneInfo

from ibapi.client import EClient
from ibapi.contract import Contract
from ibapi.execution import ExecutionFilter
from ibapi.order import Order
from ibapi.tag_value import TagValue
from ibapi.wrapper import EWrapper

UNSET = 1e300
TICKS = {1: 0, 2: 1, 4: 2, 9: 3, 6: 4, 7: 5, 14: 6}


def plain(value):
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, int | float):
        return None if abs(value) > UNSET or value == 2147483647 else float(value)
    if value is None:
        return ""
    if isinstance(value, list):
        return [f"{v.tag}={v.value}" for v in value]
    return str(value)


def fields(thing, names):
    found = {name: plain(getattr(thing, name)) for name in names.split()}
    if found.get("algoParams") == "":
        found["algoParams"] = []
    return found


class App(EWrapper, EClient):
    def __init__(self, names):
        EClient.__init__(self, self)
        self.names = names
        self.events, self.seen = [], {"details": [], "index": [], "bars": {}, "five": [], "quote": [0.0] * 7}
        self.ended, self.values, self.summary, self.held = set(), {}, [], {}
        self.shown, self.completing = {}, False

    def wait(self, key, seconds=5.0):
        for _ in range(int(seconds / 0.01)):
            if key in self.ended:
                return
            time.sleep(0.01)
        raise TimeoutError(key)

    def nextValidId(self, orderId):
        self.ended.add("ready")

    def managedAccounts(self, accountsList):
        self.seen["accounts"] = [a for a in accountsList.split(",") if a]

    def error(self, reqId, errorCode, errorString):
        self.events.append(["error", [errorCode, errorString]])
        self.ended.add(("error", reqId))

    def contractDetails(self, reqId, details):
        both = fields(details, self.names["details"]) | fields(details.contract, self.names["contract"])
        self.seen["details" if reqId == 1 else "index"].append(both)

    def contractDetailsEnd(self, reqId):
        self.ended.add(("details", reqId))

    def historicalData(self, reqId, bar):
        when = float(bar.date) if len(bar.date) > 8 else bar.date
        numbers = map(float, (bar.open, bar.high, bar.low, bar.close, bar.volume, bar.average, bar.barCount))
        self.seen["bars"].setdefault(reqId, []).append([when, *numbers])

    def historicalDataEnd(self, reqId, start, end):
        self.ended.add(("bars", reqId))

    def realtimeBar(self, reqId, time, open_, high, low, close, volume, wap, count):
        self.seen["five"].append([float(time), open_, high, low, close, float(volume), wap, float(count)])

    def tickPrice(self, reqId, tickType, price, attrib):
        if tickType in TICKS:
            self.seen["quote"][TICKS[tickType]] = price

    def openOrder(self, orderId, contract, order, state):
        self.events.append(
            [
                "openOrder",
                {
                    **fields(contract, self.names["contract"]),
                    **fields(order, self.names["order"]),
                    **fields(state, self.names["state"]),
                },
            ]
        )

    def openOrderEnd(self):
        self.ended.add("open")

    def orderStatus(self, *args):
        self.events.append(["orderStatus", [plain(value) for value in args]])

    def execDetails(self, reqId, contract, execution):
        when = dt.datetime.fromisoformat(execution.time.replace("  ", "T"))
        when = when.replace(tzinfo=ZoneInfo("US/Eastern")).astimezone(dt.UTC)
        self.events.append(
            [
                "execDetails",
                {
                    **fields(contract, self.names["contract"]),
                    **fields(execution, self.names["execution"]),
                    "time": when.isoformat(),
                },
            ]
        )
        if reqId != -1:
            self.shown.setdefault("executions", []).append(execution.execId)

    def execDetailsEnd(self, reqId):
        self.ended.add(("executions", reqId))

    def commissionReport(self, report):
        # The other libraries set a missing profit to 0 themselves, after their decoder.
        self.events.append(
            [
                "commissionReport",
                [report.execId, plain(report.commission), report.currency, plain(report.realizedPNL)],
            ]
        )

    def completedOrder(self, contract, order, state):
        self.events.append(
            [
                "completedOrder",
                {
                    **fields(contract, self.names["contract"]),
                    **fields(order, self.names["completed"]),
                    **fields(state, self.names["completed_state"]),
                },
            ]
        )

    def completedOrdersEnd(self):
        self.ended.add("completed")

    def position(self, account, contract, position, avgCost):
        self.held[contract.symbol] = [account, contract.symbol, float(position), avgCost]

    def positionEnd(self):
        self.ended.add("positions")

    def updateAccountValue(self, key, val, currency, accountName):
        self.values[key, currency] = [key, val, currency]

    def updatePortfolio(self, contract, position, price, value, cost, unrealized, realized, accountName):
        self.seen["portfolio"] = [[contract.symbol, float(position), price, cost, realized]]

    def accountDownloadEnd(self, accountName):
        self.ended.add("account")

    def accountSummary(self, reqId, account, tag, value, currency):
        self.summary.append([tag, value, currency])

    def accountSummaryEnd(self, reqId):
        self.ended.add("summary")

    def currentTime(self, time):
        self.seen["time"] = time
        self.ended.add("time")


def contract(symbol, kind="STK", exchange="SMART"):
    made = Contract()
    made.symbol, made.secType, made.exchange, made.currency = symbol, kind, exchange, "USD"
    return made


def order(order_id, action, quantity, kind, **values):
    made = Order()
    made.orderId, made.action, made.totalQuantity, made.orderType = order_id, action, quantity, kind
    made.account, made.tif = "DU1234567", "DAY"
    for name, value in values.items():
        setattr(made, name, value)
    return made


def main():
    problems = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: problems.append(record.getMessage())
    logging.getLogger("ibapi").addHandler(handler)
    app = App(json.loads(sys.stdin.readline()))
    app.connect(sys.argv[2], int(sys.argv[3]), 7)
    reader = threading.Thread(target=app.run, daemon=True)
    reader.start()
    app.wait("ready")
    scenario(app)
    seen = app.seen
    seen["version"] = app.serverVersion()
    seen["daily"], seen["hourly"] = seen["bars"][4], seen["bars"][5]
    del seen["bars"]
    seen["details"], seen["index"] = seen["details"][0], [fields_of(d, app) for d in seen["index"]]
    seen["events"], seen["problems"] = app.events, [p for p in problems if "diff len" in p]
    seen["executions"] = sorted(app.shown["executions"])
    seen["positions"] = list(app.held.values())
    seen["values"] = sorted(v for v in app.values.values() if v[0] in app.names["tags"])
    seen["summary"] = sorted(v for v in app.summary if v[0] in app.names["tags"])
    app.disconnect()
    sys.stdout.write("RESULT " + json.dumps(seen) + "\n")


def fields_of(details, app):
    return {name: details[name] for name in app.names["contract"].split()}


def scenario(app):
    # What the other libraries ask for when they connect.
    app.reqPositions()
    app.wait("positions")
    app.reqAccountUpdates(True, "DU1234567")
    app.wait("account")
    stock = contract("AAPL")
    app.reqContractDetails(1, stock)
    app.wait(("details", 1))
    app.reqContractDetails(2, contract("SPX", "IND", "CBOE"))
    app.wait(("details", 2))
    app.reqContractDetails(3, contract("NOPE"))
    app.wait(("error", 3))
    app.seen["unknown"] = 0
    app.reqHistoricalData(4, stock, "", "3 D", "1 day", "TRADES", 1, 2, False, [])
    app.wait(("bars", 4))
    app.reqHistoricalData(5, stock, "", "3 D", "1 hour", "TRADES", 1, 2, False, [])
    app.wait(("bars", 5))
    app.reqRealTimeBars(6, stock, 5, "TRADES", False, [])
    app.reqMktData(7, stock, "", False, False, [])
    time.sleep(0.3)
    sys.stdout.write("ADVANCE 10\n")
    sys.stdout.flush()
    sys.stdin.readline()
    time.sleep(0.3)
    app.cancelRealTimeBars(6)
    app.cancelMktData(7)
    orders(app, stock)
    app.reqExecutions(8, ExecutionFilter())
    app.wait(("executions", 8))
    app.ended.discard("open")
    before = len(app.events)
    app.reqAllOpenOrders()
    app.wait("open")
    app.seen["open"] = sum(event[0] == "openOrder" for event in app.events[before:])
    app.reqCompletedOrders(False)
    app.wait("completed")
    app.reqAccountSummary(9, "All", "NetLiquidation,TotalCashValue,BuyingPower")
    app.wait("summary")
    app.reqCurrentTime()
    app.wait("time")


def orders(app, stock):
    for made in (
        order(101, "BUY", 9, "MKT", orderRef="A7-20240122-1"),
        order(102, "SELL", 4, "LMT", lmtPrice=150.25, orderRef="A7-2"),
        order(103, "SELL", 4, "STP", auxPrice=90.5, ocaGroup="g", ocaType=1),
        order(
            104, "SELL", 3, "MKT", algoStrategy="Adaptive", algoParams=[TagValue("adaptivePriority", "Normal")],
            orderRef="A7-4",
        ),
    ):  # fmt: skip
        app.placeOrder(made.orderId, stock, made)
        time.sleep(0.2)
    app.cancelOrder(102)
    time.sleep(0.2)


main()
