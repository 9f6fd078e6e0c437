"""Tables of the two long order messages, and of the order that a client sends.

Names are those of the public client libraries. The counts are 128 fields for an open order at version 157, 131 at
162 to 169, 136 at 170 to 176, 135 later; 96 for a completed order before 170, 101 at 170 to 176, 100 later.
"""

from __future__ import annotations

from live.double.codec import UNSET_DOUBLE as D
from live.double.codec import UNSET_INTEGER as I
from live.double.layout import Layout

_CONTRACT = (
    "conId symbol secType expiry= strike=0 right=? multiplier= exchange currency localSymbol tradingClass"
)

OPEN_ORDER = Layout(f"""
=5 orderId
{_CONTRACT}
action totalQuantity orderType lmtPrice=0.0 auxPrice=0.0 tif ocaGroup= account openClose= origin=0 orderRef=
clientId permId outsideRth=0 hidden=0 discretionaryAmt=0 goodAfterTime= sharesAllocation=
faGroup= faMethod= faPercentage=
@lt177 faProfile=
modelCode= goodTillDate= rule80A= percentOffset= settlingFirm= shortSaleSlot=0 designatedLocation= exemptCode=-1
auctionStrategy=0 startingPrice= stockRefPrice= delta= stockRangeLower= stockRangeUpper=
displaySize={I} blockOrder=0 sweepToFill=0 allOrNone=0 minQty= ocaType=3 eTradeOnly=0 firmQuoteOnly=0
nbboPriceCap= parentId=0 triggerMethod=0 volatility= volatilityType=0
deltaNeutralOrderType=None deltaNeutralAuxPrice=
deltaNeutralConId=0 deltaNeutralSettlingFirm= deltaNeutralClearingAccount= deltaNeutralClearingIntent=
deltaNeutralOpenClose=? deltaNeutralShortSale=0 deltaNeutralShortSaleSlot=0 deltaNeutralDesignatedLocation=
continuousUpdate=0 referencePriceType=0 trailStopPrice= trailingPercent= basisPoints= basisPointsType=
comboLegsDescrip= comboLegs=0 orderComboLegs=0 smartComboRoutingParams=0
scaleInitLevelSize={I} scaleSubsLevelSize={I} scalePriceIncrement= hedgeType=
optOutSmartRouting=0 clearingAccount= clearingIntent=IB notHeld=0 deltaNeutralContract=0
algoStrategy=
?algoStrategy algoParams[2]
solicited=0 whatIf=0 status
initMarginBefore={D} maintMarginBefore={D} equityWithLoanBefore={D}
initMarginChange={D} maintMarginChange={D} equityWithLoanChange={D}
initMarginAfter={D} maintMarginAfter={D} equityWithLoanAfter={D}
commission= minCommission= maxCommission= commissionCurrency= warningText=
randomizeSize=0 randomizePrice=0 conditions=0
adjustedOrderType=None triggerPrice={D} adjustedTrailStopPrice={D} lmtPriceOffset={D} adjustedStopPrice={D}
adjustedStopLimitPrice={D} adjustedTrailingAmount={D} adjustableTrailingUnit=0
softDollarTierName= softDollarTierValue= softDollarTierDisplayName=
cashQty=0 dontUseAutoPriceForHedge=1 isOmsContainer=0 discretionaryUpToLimitPrice=0 usePriceMgmtAlgo=0
@ge159 duration=
@ge160 postToAts=
@ge162 autoCancelParent=0
@ge170 minTradeQty= minCompeteSize=100 competeAgainstBestOffset=0.02 midOffsetAtWhole= midOffsetAtHalf=
""")

COMPLETED_ORDER = Layout(f"""
=101
{_CONTRACT}
action totalQuantity=0 orderType lmtPrice=0.0 auxPrice=0.0 tif ocaGroup= account openClose= origin=0 orderRef= permId
outsideRth=0 hidden=0 discretionaryAmt=0 goodAfterTime= faGroup= faMethod= faPercentage=
@lt177 faProfile=
modelCode= goodTillDate= rule80A= percentOffset= settlingFirm= shortSaleSlot=0 designatedLocation= exemptCode=-1
startingPrice= stockRefPrice= delta= stockRangeLower= stockRangeUpper=
displaySize={I} sweepToFill=0 allOrNone=0 minQty= ocaType=3 triggerMethod=0 volatility= volatilityType=0
deltaNeutralOrderType=None deltaNeutralAuxPrice=
deltaNeutralConId=0 deltaNeutralShortSale=0 deltaNeutralShortSaleSlot=0 deltaNeutralDesignatedLocation=
continuousUpdate=0 referencePriceType=0 trailStopPrice= trailingPercent=
comboLegsDescrip= comboLegs=0 orderComboLegs=0 smartComboRoutingParams=0
scaleInitLevelSize={I} scaleSubsLevelSize={I} scalePriceIncrement= hedgeType=
clearingAccount= clearingIntent=IB notHeld=0 deltaNeutralContract=0
algoStrategy=
?algoStrategy algoParams[2]
solicited=0 status randomizeSize=0 randomizePrice=0 conditions=0
adjustedTrailStopPrice={D} lmtPriceOffset={D} cashQty=0 dontUseAutoPriceForHedge=1 isOmsContainer=0
autoCancelDate= filledQuantity refFuturesConId={I} autoCancelParent=0
shareholder=Not_an_insider_or_substantial_shareholder imbalanceOnly=0 routeMarketableToBbo=0
parentPermId=9223372036854775807 completedTime completedStatus
@ge170 minTradeQty= minCompeteSize= competeAgainstBestOffset= midOffsetAtWhole= midOffsetAtHalf=
""")

PLACE_ORDER = Layout("""
id orderId
conId symbol secType expiry strike right multiplier exchange primaryExchange currency localSymbol tradingClass
secIdType secId action totalQuantity orderType lmtPrice auxPrice tif ocaGroup account openClose origin orderRef
transmit parentId blockOrder sweepToFill displaySize triggerMethod outsideRth hidden
sharesAllocation discretionaryAmt goodAfterTime goodTillDate faGroup faMethod faPercentage
@lt177 faProfile
modelCode
shortSaleSlot designatedLocation exemptCode ocaType rule80A settlingFirm allOrNone minQty percentOffset eTradeOnly
firmQuoteOnly nbboPriceCap auctionStrategy startingPrice stockRefPrice delta stockRangeLower stockRangeUpper
overridePercentageConstraints volatility volatilityType deltaNeutralOrderType deltaNeutralAuxPrice
?deltaNeutralOrderType deltaNeutralConId deltaNeutralSettlingFirm deltaNeutralClearingAccount
?deltaNeutralOrderType deltaNeutralClearingIntent deltaNeutralOpenClose deltaNeutralShortSale
?deltaNeutralOrderType deltaNeutralShortSaleSlot deltaNeutralDesignatedLocation
continuousUpdate referencePriceType trailStopPrice trailingPercent
scaleInitLevelSize scaleSubsLevelSize scalePriceIncrement
?scalePriceIncrement scalePriceAdjustValue scalePriceAdjustInterval scaleProfitOffset scaleAutoReset
?scalePriceIncrement scaleInitPosition scaleInitFillQty scaleRandomPercent
scaleTable activeStartTime activeStopTime hedgeType
?hedgeType hedgeParam
optOutSmartRouting clearingAccount clearingIntent notHeld deltaNeutralContract
?deltaNeutralContract dncConId dncDelta dncPrice
algoStrategy
?algoStrategy algoParams[2]
algoId whatIf orderMiscOptions solicited randomizeSize randomizePrice
""")
"""What follows depends on pegs and conditions, which the double refuses; nothing after it is read."""
