"""Tables of the replies other than orders, and of the requests. See `live.double.layout` for the marks."""

from __future__ import annotations

from live.double.codec import UNSET_DOUBLE as D
from live.double.layout import Layout

_CONTRACT = (
    "conId symbol secType expiry= strike=0 right= multiplier= exchange currency localSymbol tradingClass"
)

CONTRACT_DETAILS = Layout("""
=10
@lt164 =8
reqId symbol secType expiry= strike=0 right= exchange currency localSymbol marketName tradingClass conId minTick
@lt164 mdSizeMultiplier=100
multiplier= orderTypes validExchanges priceMagnifier=1 underConId=0 longName primaryExchange contractMonth=
industry= category= subcategory= timeZoneId tradingHours liquidHours evRule= evMultiplier=0 secIds=0
aggGroup=1 underSymbol= underSecType= marketRuleIds=26 realExpirationDate= stockType
@eq163 suggestedSizeIncrement=100
@ge164 minSize=1 sizeIncrement=1 suggestedSizeIncrement=100
""")
EXECUTION = Layout("""
=11 reqId orderId
conId symbol secType expiry= strike=0.0 right= multiplier= exchange currency localSymbol tradingClass
execId time account executionExchange side shares price permId clientId liquidation=0 cumQty avgPrice orderRef=
evRule= evMultiplier= modelCode= lastLiquidity=2
@ge178 pendingPriceRevision=0
""")
ORDER_STATUS = Layout("""
=3 orderId status filled remaining avgFillPrice permId parentId=0 lastFillPrice=0 clientId whyHeld= mktCapPrice=0
""")
COMMISSION = Layout(f"=59 =1 execId commission currency=USD realizedPNL={D} yield={D} yieldRedemptionDate=")
POSITION = Layout(f"=61 =3 account {_CONTRACT} position avgCost")
PORTFOLIO = Layout("""
=7 =8 conId symbol secType expiry= strike=0 right=0 multiplier= primaryExchange currency localSymbol tradingClass
position marketPrice marketValue averageCost unrealizedPNL realizedPNL account
""")
ERROR = Layout("""
=4 =2 reqId code text
@ge166 advancedJson=
""")
HISTORY_UPDATE = Layout("=90 reqId barCount date open close high low average volume")
REAL_TIME_BAR = Layout("=50 =3 reqId time open high low close volume average barCount")

_C12 = "conId symbol secType expiry strike right multiplier exchange primaryExchange currency localSymbol tradingClass"
REQUESTS: dict[int, tuple[str, Layout]] = {
    number: (name, Layout("id " + table))
    for number, name, table in (
        (
            1,
            "reqMktData",
            f"version reqId {_C12} deltaNeutral genericTicks snapshot regulatorySnapshot options",
        ),
        (2, "cancelMktData", "version reqId"),
        (4, "cancelOrder", "version orderId\n@ge169 manualTime"),
        (5, "reqOpenOrders", "version"),
        (6, "reqAccountUpdates", "version subscribe account"),
        (7, "reqExecutions", "version reqId clientId account time symbol secType exchange side"),
        (8, "reqIds", "version count"),
        (
            9,
            "reqContractDetails",
            f"version reqId {_C12} includeExpired secIdType secId\n@ge176 issuerId",
        ),
        (14, "setServerLogLevel", "version level"),
        (15, "reqAutoOpenOrders", "version bind"),
        (16, "reqAllOpenOrders", "version"),
        (17, "reqManagedAccts", "version"),
        (
            20,
            "reqHistoricalData",
            f"reqId {_C12} includeExpired end barSize duration useRTH what formatDate keepUpToDate options",
        ),
        (25, "cancelHistoricalData", "version reqId"),
        (49, "reqCurrentTime", "version"),
        (50, "reqRealTimeBars", f"version reqId {_C12} barSize what useRTH options"),
        (51, "cancelRealTimeBars", "version reqId"),
        (58, "reqGlobalCancel", "version"),
        (59, "reqMarketDataType", "version type"),
        (61, "reqPositions", "version"),
        (62, "reqAccountSummary", "version reqId group tags"),
        (63, "cancelAccountSummary", "version reqId"),
        (64, "cancelPositions", "version"),
        (71, "startApi", "version clientId capabilities"),
        (76, "reqAccountUpdatesMulti", "version reqId account model ledger"),
        (77, "cancelAccountUpdatesMulti", "version reqId"),
        (87, "reqHeadTimeStamp", f"reqId {_C12} includeExpired useRTH what formatDate"),
        (90, "cancelHeadTimeStamp", "reqId"),
        (91, "reqMarketRule", "ruleId"),
        (99, "reqCompletedOrders", "apiOnly"),
    )
}
"""Requests by message id: name and table, the id being the first field. Orders are in `order_layouts`."""
