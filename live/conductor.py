"""Carries out each decision at most once (C11, R4): admits its orders, journals them before they leave.

Between the strategy, which decides anew whenever it is asked, and the socket stand four questions, in this order:
was this rebalance carried out before, was this order of it sent before, do the limits allow it, and, right before the
write, is trading halted, the name frozen, or a limit reached by now.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping

import numpy as np

from ares7.arrays import Bool1D, Float1D
from ares7.book import Targets
from ares7.errors import CheckFailed
from ares7.explain import Dissection
from ares7.limits import AccountView, Name, ProposedOrder, Verdict, Working
from ares7.limits.facts import name_facts
from ares7.orders import Basket
from ares7.panel import Panel
from ares7.proposal import Proposal, Share
from live.client.order_messages import OrderTicket
from live.decision_record import decision_rows, rebalance_row, regime_rows
from live.flows import loss_bases
from live.journal import rows
from live.journal.identity import rebalance_id
from live.journal.writer import Journal
from live.mandate import Mandate, Market
from live.order_state import Stage
from live.pre_trade import Book, Day, PreTrade
from live.remainder import remainder

CARRIED_OUT = "done"
REBALANCE, REMAINDER, FLATTEN = "rebalance", "remainder", "flatten"


class Conductor:
    """Admits proposals and guards every write to the socket.

    Parameters
    ----------
    journal : Journal
    mandate : Mandate
    market : Market
    pre_trade : PreTrade
        Asked right before each write; its day is set here.
    alert : callable
        ``alert(severity, code, text)``.
    explain : callable
        ``explain(panel)``: the latest row taken apart (`ares7.explain.Dissection`), or why that cannot be done.
    """

    def __init__(
        self,
        journal: Journal,
        mandate: Mandate,
        market: Market,
        pre_trade: PreTrade,
        *,
        alert: Callable[[str, str, str], None],
        explain: Callable[[Panel], Dissection | str],
    ) -> None:
        self._journal, self._mandate, self._market = journal, mandate, market
        self._pre_trade, self._alert, self._explain = pre_trade, alert, explain
        self._prices: dict[int, float] = {}
        self._session: dt.date | None = None
        self._id, self._purpose = "", REBALANCE
        self._rest: dict[int, float] = {}
        # Of the capital that the latest decision was sized for, and what of the account's cash is not the strategy's.
        self._nav = self._elsewhere = 0.0

    # A decision

    def due(self, panel: Panel, targets: Targets) -> bool:
        """Whether the latest session decides.

        One that does not is decided on all the same if a decision was missed since the latest close that was acted on:
        the runner was down. The targets are then those of the missed session.
        """
        latest = self._journal.latest_nav("close")
        if latest is None or targets.decide[-1]:
            return bool(targets.decide[-1])
        missed = targets.decide & (panel.dates > np.datetime64(latest.session, "D"))
        return bool(missed.any())

    def share(self, held: Float1D, close: Float1D, cash: float) -> Share:
        """Return the strategy's part of the account (`live.capital.Capital.share`)."""
        self._market.money()
        return self._mandate.capital.share(held, close, cash)

    def admitted(self, proposal: Proposal) -> Basket:
        """Return the orders of a proposal that may be sent now; none if it was carried out before.

        A rebalance that was cut short is gone on with: a name for which an order was journalled is left alone,
        whether or not it reached the gateway.
        """
        session, mandate = proposal.session, self._mandate
        identity = rebalance_id(mandate.strategy, mandate.config_digest, self._journal.account, session)
        before = self._journal.rebalance(identity)
        if before is not None and before.outcome != "open":
            return _part(proposal.basket, np.zeros(len(proposal.basket.symbol), dtype=bool))
        basket = self._without_opposed(proposal)
        sent = self._journal.orders(rebalance_id=identity)
        names = self._names(proposal)
        view = self._view(proposal, names, sent)
        verdicts = mandate.limits.check_batch(_orders(proposal, basket), view)
        if before is None:
            taken = self._explain(proposal.panel)
            self._journal.begin_rebalance(
                rebalance_row(identity, proposal, mandate.strategy, mandate.config_digest, taken),
                *decision_rows(identity, proposal, basket, verdicts, mandate.contracts, taken),
                *regime_rows(proposal),
            )
        self._begin(proposal, identity, names, view, REBALANCE)
        self._alert_of(verdicts)
        started = {order.intent.con_id for order in sent}
        contracts = self._contracts(proposal, basket)
        keep = [v.allowed and c not in started for v, c in zip(verdicts, contracts, strict=True)]
        return self._kept(proposal, basket, keep)

    def _kept(self, proposal: Proposal, basket: Basket, keep: list[bool]) -> Basket:
        kept = _part(basket, np.array(keep, dtype=bool))
        self._rest = dict(zip(self._contracts(proposal, kept), kept.quantity.tolist(), strict=True))
        return kept

    def carried_out(self) -> None:
        """Write that every order of the rebalance was handed over: nothing of it is sent again.

        While some of them wait for the gateway (`rest`) it stays open.
        """
        if not self._id or self._rest:
            return
        self._journal.finish_rebalance(self._id, CARRIED_OUT)
        self._id = ""

    @property
    def rest(self) -> dict[int, float]:
        """Signed shares by contract that were admitted and could not be sent: the gateway was away, or not compared."""
        return dict(self._rest)

    def remainder(self, proposal: Proposal) -> Basket:
        """Return orders for what the latest rebalance still lacks, on a session without a decision of its own.

        Only its expired orders are completed (`live.remainder`), and those that an interruption kept from being sent;
        each at most once a session.
        """
        self._rest = {}
        rebalance = self._unfinished(proposal)
        if rebalance is None:
            return _part(proposal.basket, np.zeros(len(proposal.basket.symbol), dtype=bool))
        contracts, symbols = self._mandate.contracts, proposal.panel.symbols
        sent = self._journal.orders(rebalance_id=rebalance.rebalance_id)
        by_contract = [contracts.get(symbol, 0) for symbol in symbols]
        missing = remainder(
            self._journal.decisions(rebalance.rebalance_id),
            sent,
            dict(zip(by_contract, proposal.share.held.tolist(), strict=True)),
            dict(zip(by_contract, proposal.working.tolist(), strict=True)),
            self._market.expired,
            unsent=rebalance.outcome == "open",
        )
        today = {order.intent.con_id for order in sent if order.intent.session == proposal.session}
        columns = [
            i
            for i, con_id in enumerate(by_contract)
            if con_id in missing and con_id not in today and proposal.bar[i]
        ]
        columns.sort(key=lambda i: missing[by_contract[i]] > 0)  # sells first
        at = np.array(columns, dtype=np.int64)
        basket = Basket(at, np.array([missing[by_contract[i]] for i in columns]), proposal.close[at])
        names = self._names(proposal)
        view = self._view(proposal, names, sent)
        verdicts = self._mandate.limits.check_batch(_orders(proposal, basket), view)
        self._begin(proposal, rebalance.rebalance_id, names, view, REMAINDER)
        self._alert_of(verdicts)
        return self._kept(proposal, basket, [verdict.allowed for verdict in verdicts])

    def _unfinished(self, proposal: Proposal) -> rows.Rebalance | None:
        """Return the latest rebalance if it is ours, and recent enough to be completed."""
        mandate, begun = self._mandate, self._journal.latest_rebalance()
        if begun is None or begun.session >= proposal.session:
            return None
        if (begun.strategy, begun.config_digest) != (mandate.strategy, mandate.config_digest):
            return None
        passed = int((proposal.panel.dates > np.datetime64(begun.session, "D")).sum())
        return begun if passed <= mandate.remainder_sessions else None

    def _begin(
        self,
        proposal: Proposal,
        identity: str,
        names: Mapping[int, Name],
        view: AccountView,
        purpose: str,
    ) -> None:
        self._session, self._id, self._purpose = proposal.session, identity, purpose
        self._prices = {con_id: name.close for con_id, name in names.items()}
        self._nav, self._elsewhere = proposal.share.nav, proposal.share.whole - proposal.share.nav
        self._pre_trade.day = Day(names, view.previous_nav, view.peak_nav, view.orders_today, view.traded_usd)
        self._market.begin(proposal.session, identity)

    def _without_opposed(self, proposal: Proposal) -> Basket:
        """Ask for the cancellation of orders on the other side, and order only what is missing without them.

        What must wait for the cancellation is ordered with the remainder, or by the next decision.
        """
        basket = proposal.basket
        working = proposal.working[basket.symbol]
        opposed = working * basket.quantity < 0
        # While nothing of a decision leaves, it takes nothing back either: what flattens is on the other side.
        if self._pre_trade.decides():
            for con_id in self._contracts(proposal, _part(basket, opposed)):
                self._market.cancel(con_id)
        left = np.where(opposed, basket.quantity + working, basket.quantity)
        # With another sign it would add to an order whose cancellation may come too late.
        left = np.where(left * basket.quantity > 0, left, 0.0)
        return _part(Basket(basket.symbol, left, basket.close), left != 0)

    # Orders that belong to no decision of now

    def closing(self, session: dt.date) -> None:
        """Announce orders that flatten: they belong to no rebalance."""
        self._session, self._id, self._purpose = session, "", FLATTEN
        self._rest = {}

    @property
    def flattens(self) -> bool:
        """The orders that follow flatten, and belong to no rebalance."""
        return self._purpose == FLATTEN

    # Right before the socket

    def before_writing(self, ticket: OrderTicket, order_id: int) -> None:
        """Journal an order right before it is written to the socket, or prevent that.

        Raises
        ------
        CheckFailed
            Trading is halted, a limit is reached, the contract is frozen, or there is no rebalance that the order
            belongs to.
        AlreadyJournalled, JournalUnavailable
            It was sent before, or it is not on disk.
        """
        session = self._session
        if session is None or not (self._id or self.flattens):
            raise CheckFailed(
                f"order {ticket.ref} for {ticket.symbol} is not sent: it belongs to no rebalance"
            )
        reason = self._market.why_not(ticket)
        if not reason or self._market.is_open():
            # Sent, or refused for good.
            self._rest.pop(ticket.con_id, None)
        reason = reason or self._judged(ticket).reason
        if reason:
            raise CheckFailed(f"order {ticket.ref} for {ticket.symbol} is not sent: {reason}")
        self._journal.intent(
            rows.Intent.of(
                ticket,
                order_id,
                session=session,
                client_id=self._mandate.client_id,
                rebalance_id=self._id or None,
                decision_price=self._prices.get(ticket.con_id),
                purpose=self._purpose,
            )
        )
        self._require_still_allowed(ticket)
        self._pre_trade.sent(ticket)

    def _require_still_allowed(self, ticket: OrderTicket) -> None:
        """Ask about a halt once more: the journal may have taken seconds, or the process was stopped meanwhile."""
        reason = self._judged(ticket).reason if self._pre_trade.halt_changed() else ""
        if reason:
            self._journal.stage(ticket.ref, Stage.REJECTED.value, reason)
            raise CheckFailed(f"order {ticket.ref} for {ticket.symbol} is not sent: {reason}")

    def _judged(self, ticket: OrderTicket) -> Verdict:
        book, names = self._market.book(), self._pre_trade.day.names
        # What is not among the names of the strategy is no part of its exposure, and may have no price here.
        shares = {c: held for c, held in book.shares.items() if c in names or c == ticket.con_id}
        own = Book(self._nav, book.cash - self._elsewhere, shares, book.working)
        return self._pre_trade.judge(ticket, own, flattening=self.flattens)

    def _alert_of(self, verdicts: list[Verdict]) -> None:
        refused = [verdict.reason for verdict in verdicts if not verdict.allowed]
        if refused:
            text = f"the limits keep back {len(refused)} of {len(verdicts)} orders; the first: {refused[0]}"
            self._alert("warning", "limits-refused", text)

    # What the limits are asked about

    def _contracts(self, proposal: Proposal, basket: Basket) -> list[int]:
        return [self._mandate.contracts[proposal.panel.symbols[i]] for i in basket.symbol.tolist()]

    def _names(self, proposal: Proposal) -> dict[int, Name]:
        """By contract."""
        panel, mandate = proposal.panel, self._mandate
        facts = name_facts(
            panel,
            len(panel.dates) - 1,
            volume_sessions=mandate.limits.params.volume_sessions,
            sectors=mandate.sectors,
            prices="price",
        )
        return {
            mandate.contracts[symbol]: name for symbol, name in facts.items() if symbol in mandate.contracts
        }

    def _view(
        self, proposal: Proposal, names: Mapping[int, Name], sent: list[rows.JournalOrder]
    ) -> AccountView:
        panel, share, contracts = proposal.panel, proposal.share, self._mandate.contracts
        closes = [
            (row.session, row.nav_usd) for row in self._journal.navs() if row.session < proposal.session
        ]
        bases = loss_bases(closes, self._journal.flows(), proposal.session, share.whole)
        # Losses are fractions: those of the account hold for the part that is traded.
        part = share.nav / share.whole if share.whole else float("nan")
        symbols = [symbol for symbol in panel.symbols if symbol in contracts]
        held = dict(zip(panel.symbols, share.held.tolist(), strict=True))
        working = dict(zip(panel.symbols, proposal.working.tolist(), strict=True))
        return AccountView(
            nav=share.nav,
            cash=share.cash,
            names={symbol: names[contracts[symbol]] for symbol in symbols},
            positions=held,
            working={
                symbol: Working(max(shares, 0.0), max(-shares, 0.0)) for symbol, shares in working.items()
            },
            orders_today=len(self._journal.orders(session=proposal.session)),
            traded_usd=sum(
                (order.filled + order.remaining) * (order.intent.decision_price or 0.0) for order in sent
            ),
            previous_nav=bases.previous_nav * part,
            peak_nav=bases.peak_nav * part,
        )


def _orders(proposal: Proposal, basket: Basket) -> list[ProposedOrder]:
    pairs = zip(basket.symbol.tolist(), basket.quantity.tolist(), strict=True)
    return [ProposedOrder(proposal.panel.symbols[i], quantity) for i, quantity in pairs]


def _part(basket: Basket, keep: Bool1D) -> Basket:
    return Basket(basket.symbol[keep], basket.quantity[keep], basket.close[keep])
