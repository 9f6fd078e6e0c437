"""Accounts: cash, positions with average cost, and the values that clients are shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from live.double.market import Listing, Market

SUMMARY_ONLY = "$LEDGER"


@dataclass(slots=True)
class Holding:
    """A position.

    Attributes
    ----------
    quantity : float
        Shares, negative when short.
    average_cost : float
        USD a share, commissions of the openings included, as the gateway reports it.
    realized : float
        USD since the start, commissions included.
    """

    listing: Listing
    quantity: float = 0.0
    average_cost: float = 0.0
    realized: float = 0.0


@dataclass(slots=True)
class Account:
    """One account's books.

    Attributes
    ----------
    cash : float
        USD.
    leverage : float
        Gross position allowed for each USD of equity.
    """

    name: str
    cash: float
    leverage: float = 2.0
    currency: str = "USD"
    holdings: dict[int, Holding] = field(default_factory=dict)

    def holding(self, listing: Listing) -> Holding:
        """The position in a contract; a new one is flat."""
        return self.holdings.setdefault(listing.con_id, Holding(listing))

    def trade(self, listing: Listing, quantity: float, price: float, fee: float) -> float | None:
        """Book a fill.

        Parameters
        ----------
        quantity : float
            Signed shares.
        fee : float
            USD.

        Returns
        -------
        float or None
            Realised profit of the part that closes a position, fee included; None when nothing is closed.
        """
        held = self.holding(listing)
        self.cash -= quantity * price + fee
        before = held.quantity
        if before == 0 or before * quantity > 0:
            total = abs(before) * held.average_cost + abs(quantity) * price
            cost = fee if quantity > 0 else -fee
            held.quantity = before + quantity
            held.average_cost = (total + cost) / abs(held.quantity)
            return None
        closed = min(abs(quantity), abs(before))
        sign = 1.0 if before > 0 else -1.0
        profit = sign * closed * (price - held.average_cost) - fee
        held.realized += profit
        held.quantity = before + quantity
        if held.quantity == 0:
            held.average_cost = 0.0
        elif held.quantity * before < 0:
            held.average_cost = price
        return profit

    def values(self, price_of: Callable[[Listing], float]) -> dict[str, float]:
        """Figures of the account in USD.

        Parameters
        ----------
        price_of : callable
            Price of a listing.
        """
        stock = gross = unrealized = realized = 0.0
        for held in self.holdings.values():
            realized += held.realized
            if held.quantity == 0:
                continue
            value = held.quantity * price_of(held.listing)
            stock += value
            gross += abs(value)
            unrealized += value - held.quantity * held.average_cost
        equity = self.cash + stock
        initial = gross / self.leverage
        return {
            "AccruedCash": 0.0,
            "AvailableFunds": equity - initial,
            "BuyingPower": max(0.0, (equity - initial) * self.leverage),
            "EquityWithLoanValue": equity,
            "ExcessLiquidity": equity - initial / 2,
            "FullInitMarginReq": initial,
            "FullMaintMarginReq": initial / 2,
            "GrossPositionValue": gross,
            "InitMarginReq": initial,
            "MaintMarginReq": initial / 2,
            "NetLiquidation": equity,
            "SettledCash": self.cash,
            "TotalCashValue": self.cash,
            "StockMarketValue": stock,
            "RealizedPnL": realized,
            "UnrealizedPnL": unrealized,
        }


LEDGER = ("CashBalance", "StockMarketValue", "NetLiquidationByCurrency", "RealizedPnL", "UnrealizedPnL")
NOT_IN_VALUES = ("StockMarketValue", "RealizedPnL", "UnrealizedPnL")


def rows(account: Account, market: Market) -> list[tuple[str, str, str]]:
    """(tag, value, currency) of everything that an account update carries, in the order it is sent."""
    figures = account.values(lambda listing: mark(market, account, listing))
    out = [
        ("AccountCode", account.name, ""),
        ("AccountReady", "true", ""),
        ("AccountType", "INDIVIDUAL", ""),
    ]
    out += [
        (tag, f"{value:.2f}", account.currency) for tag, value in figures.items() if tag not in NOT_IN_VALUES
    ]
    return out + ledger(account, figures)


def ledger(account: Account, figures: dict[str, float]) -> list[tuple[str, str, str]]:
    """(tag, value, currency) by currency: the base rows, then those of the one currency there is."""
    book = {
        "CashBalance": account.cash,
        "TotalCashBalance": account.cash,
        "StockMarketValue": figures["StockMarketValue"],
        "NetLiquidationByCurrency": figures["NetLiquidation"],
        "RealizedPnL": figures["RealizedPnL"],
        "UnrealizedPnL": figures["UnrealizedPnL"],
    }
    out = []
    for currency in ("BASE", account.currency):
        out += [("Currency", currency, currency), ("ExchangeRate", "1.00", currency)]
        out += [(tag, f"{value:.4f}", currency) for tag, value in book.items()]
    return out


def mark(market: Market, account: Account, listing: Listing) -> float:
    """Price that values a position: the last one, else its cost."""
    price = market.last(listing)
    return account.holding(listing).average_cost if price is None else price
