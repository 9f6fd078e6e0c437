"""The conformance scenario through ib_insync or ib_async; prints what the library saw as one JSON object.

Run by `tests.double.test_conformance` in an environment that has the library: ``LIBRARY HOST PORT``. A line
``ADVANCE n`` asks the test to let n virtual seconds pass; it answers with a line.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import logging
import sys

asyncio.set_event_loop(asyncio.new_event_loop())
library = importlib.import_module(sys.argv[1])
UNSET = 1e300


class Problems(logging.Handler):
    """Messages that the library could not decode."""

    def __init__(self):
        super().__init__(logging.ERROR)
        self.found = []

    def emit(self, record):
        self.found.append(record.getMessage())


def plain(value):
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, int | float):
        return None if abs(value) > UNSET or value == 2147483647 else float(value)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, list):
        return [f"{v.tag}={v.value}" if hasattr(v, "tag") else str(v) for v in value]
    return str(value)


def fields(thing, names):
    return {name: plain(getattr(thing, name)) for name in names.split()}


def main():
    problems = Problems()
    logging.getLogger(f"{sys.argv[1]}.Decoder").addHandler(problems)
    ib = library.IB()
    ib.TimezoneTWS = "US/Eastern"
    ib.client.MaxRequests = 0
    seen = {"events": [], "problems": problems.found}
    names = json.loads(sys.stdin.readline())
    listen(ib, seen["events"], names)
    ib.connect(sys.argv[2], int(sys.argv[3]), clientId=7, timeout=5)
    seen["version"] = ib.client.serverVersion()
    seen["accounts"] = ib.managedAccounts()
    scenario(ib, seen, names)
    ib.disconnect()
    sys.stdout.write("RESULT " + json.dumps(seen) + "\n")


def listen(ib, events, names):
    """Record order messages as the decoder hands them over."""
    wrapper = ib.wrapper

    def hook(name, describe):
        original = getattr(wrapper, name)

        def heard(*args):
            events.append([name, describe(*args)])
            original(*args)

        setattr(wrapper, name, heard)

    hook(
        "openOrder",
        lambda order_id, contract, order, state: {
            **fields(contract, names["contract"]),
            **fields(order, names["order"]),
            **fields(state, names["state"]),
        },
    )
    hook("orderStatus", lambda *args: [plain(value) for value in args])
    hook(
        "execDetails",
        lambda request, contract, done: {
            **fields(contract, names["contract"]),
            **fields(done, names["execution"]),
            "time": done.time.isoformat(),
        },
    )
    hook(
        "commissionReport",
        lambda report: [report.execId, plain(report.commission), report.currency, plain(report.realizedPNL)],
    )
    hook(
        "completedOrder",
        lambda contract, order, state: {
            **fields(contract, names["contract"]),
            **fields(order, names["completed"]),
            **fields(state, names["completed_state"]),
        },
    )
    hook("error", lambda request, code, text, *rest: [code, text])


def scenario(ib, seen, names):
    stock = library.Stock("AAPL", "SMART", "USD")
    (details,) = ib.reqContractDetails(stock)
    seen["details"] = fields(details, names["details"]) | fields(details.contract, names["contract"])
    stock = details.contract
    index = library.Index("SPX", "CBOE", "USD")
    seen["index"] = [fields(d.contract, names["contract"]) for d in ib.reqContractDetails(index)]
    seen["unknown"] = len(ib.reqContractDetails(library.Stock("NOPE", "SMART", "USD")))
    for size, key in (("1 day", "daily"), ("1 hour", "hourly")):
        bars = ib.reqHistoricalData(stock, "", "3 D", size, "TRADES", True, formatDate=2)
        seen[key] = [bar_values(bar) for bar in bars]
    bars = ib.reqRealTimeBars(stock, 5, "TRADES", False)
    ticker = ib.reqMktData(stock)
    step(ib, 10)
    seen["five"] = [
        [bar.time.timestamp(), bar.open_, bar.high, bar.low, bar.close, bar.volume, bar.wap, float(bar.count)]
        for bar in bars
    ]
    seen["quote"] = [ticker.bid, ticker.ask, ticker.last, ticker.close, ticker.high, ticker.low, ticker.open]
    ib.cancelRealTimeBars(bars)
    ib.cancelMktData(stock)
    orders(ib, stock)
    seen["executions"] = sorted(f.execution.execId for f in ib.reqExecutions())
    seen["open"] = len(ib.reqAllOpenOrders())
    ib.reqCompletedOrders(False)
    seen["positions"] = [
        [p.account, p.contract.symbol, float(p.position), float(p.avgCost)] for p in ib.reqPositions()
    ]
    seen["values"] = sorted(
        [v.tag, v.value, v.currency] for v in ib.accountValues() if v.tag in names["tags"]
    )
    seen["portfolio"] = [
        [
            p.contract.symbol,
            float(p.position),
            float(p.marketPrice),
            float(p.averageCost),
            float(p.realizedPNL),
        ]
        for p in ib.portfolio()
    ]
    seen["summary"] = sorted(
        [v.tag, v.value, v.currency] for v in ib.accountSummary() if v.tag in names["tags"]
    )
    seen["time"] = int(ib.reqCurrentTime().timestamp())


def bar_values(bar):
    when = bar.date
    stamp = when.timestamp() if hasattr(when, "timestamp") else str(when).replace("-", "")
    return [
        stamp,
        *map(float, (bar.open, bar.high, bar.low, bar.close, bar.volume, bar.average, bar.barCount)),
    ]


def orders(ib, stock):
    common = {"account": "DU1234567", "tif": "DAY", "outsideRth": False}
    buy = library.Order(
        orderId=101, action="BUY", totalQuantity=9, orderType="MKT", orderRef="A7-20240122-1", **common
    )
    limit = library.Order(
        orderId=102,
        action="SELL",
        totalQuantity=4,
        orderType="LMT",
        lmtPrice=150.25,
        orderRef="A7-2",
        **common,
    )
    stop = library.Order(
        orderId=103,
        action="SELL",
        totalQuantity=4,
        orderType="STP",
        auxPrice=90.5,
        ocaGroup="g",
        ocaType=1,
        **common,
    )
    sell = library.Order(
        orderId=104, action="SELL", totalQuantity=3, orderType="MKT", algoStrategy="Adaptive",
        algoParams=[library.TagValue("adaptivePriority", "Normal")], orderRef="A7-4", **common
    )  # fmt: skip
    for order in (buy, limit, stop, sell):
        ib.placeOrder(stock, order)
        ib.sleep(0.2)
    ib.cancelOrder(limit)
    ib.sleep(0.2)


def step(ib, seconds):
    # The gateway must have what was asked for before its clock moves.
    ib.sleep(0.3)
    sys.stdout.write(f"ADVANCE {seconds}\n")
    sys.stdout.flush()
    sys.stdin.readline()
    ib.sleep(0.3)


main()
