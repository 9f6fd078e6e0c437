"""A journal of four sessions, worked out by hand."""

import datetime as dt

import numpy as np

from live.journal.rows import Adjustment, CashFlow, Decision, Fee, Fill, Intent, Nav, Rebalance
from live.journal.writer import Journal

DATES = np.array(["2024-03-01", "2024-03-04", "2024-03-05", "2024-03-06"], dtype="datetime64[D]")
DAYS = [day.item() for day in DATES]
NAMES = ("AAPL", "TLT")
CON = {"AAPL": 1, "TLT": 2}
CLOSE = np.array([[100.0, 50.0], [101.0, 49.0], [103.0, 50.0], [102.0, 51.0]])
ACCOUNT = "DU1234567"


class Desk:
    """Writes a journal session by session, with a clock of its own."""

    def __init__(self, folder, mode="paper"):
        self.now = at(DAYS[0], 21)
        self.url = f"sqlite:///{folder / f'journal-{mode}.sqlite'}"
        self.journal = Journal.open(self.url, mode, ACCOUNT, clock=lambda: self.now)
        self.held = np.zeros(2)
        self.cash, self.count = 100_000.0, 0

    def decide(self, row, orders, rebalance="0a1b2c3d", refused=()):
        """Orders (symbol, signed shares) decided on the close of a session."""
        self.now, day = at(DAYS[row], 22), DAYS[row]
        self.journal.begin_rebalance(Rebalance(rebalance, day, "ensemble", "feedbeef", "month_end"))
        refs = {}
        for symbol, shares in orders:
            self.count += 1
            side = "BUY" if shares > 0 else "SELL"
            refs[symbol] = f"A7-{day:%Y%m%d}-{rebalance}-{CON[symbol]}-{side[0]}-{self.count}"
            price = float(CLOSE[row, NAMES.index(symbol)])
            self.journal.decision(
                [
                    Decision(
                        rebalance,
                        symbol,
                        CON[symbol],
                        0.5,
                        shares,
                        0.0,
                        0.0,
                        shares,
                        price,
                        "order",
                        "",
                        refs[symbol],
                    )
                ]
            )
            self.journal.intent(
                Intent(
                    refs[symbol],
                    CON[symbol],
                    symbol,
                    side,
                    abs(shares),
                    "MKT",
                    "OPG",
                    day,
                    self.count,
                    rebalance_id=rebalance,
                    decision_price=price,
                )
            )
        for symbol, outcome in refused:
            self.journal.decision(
                [
                    Decision(
                        rebalance,
                        symbol,
                        CON[symbol],
                        0.1,
                        1.0,
                        0.0,
                        0.0,
                        1.0,
                        50.0,
                        outcome,
                        "above the limit",
                    )
                ]
            )
        return refs

    def fill(self, row, ref, symbol, shares, price, fee=1.0):
        self.now = at(DAYS[row], 15)
        root = f"root{row}{ref}"
        side = "BUY" if shares > 0 else "SELL"
        self.journal.fill(
            Fill(root, 1, ref, CON[symbol], symbol, side, abs(shares), price, self.now, DAYS[row])
        )
        if fee is not None:
            self.journal.fee(Fee(root, 1, fee))
        self.held[NAMES.index(symbol)] += shares
        self.cash -= shares * price + (fee or 0.0)

    def end(self, row, ref, stage):
        self.now = at(DAYS[row], 20)
        self.journal.stage(ref, stage, "it was too late")

    def flow(self, row, amount, kind="deposit"):
        self.journal.flow(CashFlow(DAYS[row], kind, amount))
        self.cash += amount

    def give(self, row, symbol, shares, kind="dividend_reinvestment"):
        self.now = at(DAYS[row], 15)
        before = self.journal.positions().get(CON[symbol])
        held = 0.0 if before is None else before.shares
        self.journal.adopt(Adjustment(CON[symbol], symbol, kind, shares, held))
        self.held[NAMES.index(symbol)] += shares

    def close(self, row):
        self.now = at(DAYS[row], 21)
        nav = self.cash + float(self.held @ CLOSE[row])
        self.journal.nav(Nav(DAYS[row], "close", nav, self.cash))
        return nav


def at(day, hour):
    return dt.datetime(day.year, day.month, day.day, hour, tzinfo=dt.UTC)


def four_sessions(folder, mode="paper", filled=60):
    """Two rebalances: AAPL is filled in part, TLT in full; a deposit, a reinvested dividend."""
    desk = Desk(folder, mode)
    refs = desk.decide(0, [("AAPL", 100), ("TLT", 200)], refused=[("TLT", "limit")])
    desk.close(0)
    desk.fill(1, refs["AAPL"], "AAPL", filled, 100.5)
    desk.fill(1, refs["TLT"], "TLT", 200, 49.8, fee=2.0)
    desk.end(1, refs["AAPL"], "expired")
    desk.close(1)
    desk.flow(2, 5_000.0)
    desk.give(2, "TLT", 0.5)
    desk.close(2)
    desk.close(3)
    return desk
