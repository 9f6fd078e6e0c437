"""Carries out each decision at most once (C11, R4): admits its orders, journals them before they leave.

Between the strategy, which decides anew whenever it is asked, and the socket stand four questions, in this order:
was this rebalance carried out before, was this order of it sent before, do the limits allow it, and, right before the
write, is trading halted or the name frozen.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ares7.arrays import Bool1D, Float1D
from ares7.book import Targets
from ares7.errors import CheckFailed
from ares7.explain import Dissection
from ares7.limits import AccountView, Limits, Name, ProposedOrder, Verdict, Working
from ares7.orders import Basket
from ares7.panel import Panel
from ares7.signals.regime import Regime
from live.client.order_messages import OrderTicket
from live.flows import loss_bases
from live.journal import rows
from live.journal.identity import rebalance_id
from live.journal.writer import Journal

VOLUME_SESSIONS = 20
SENT, CARRIED_OUT = "sent", "done"


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a strategy wants to send after a session.

    Attributes
    ----------
    panel : Panel
        Up to the session.
    targets : Targets
        Of its last row.
    held, working : (N,) shares
        Positions, and what working orders may still trade (signed).
    close : (N,) USD
    bar : (N,) bool
    nav, cash : USD
    basket : Basket
        Orders that bring ``held + working`` to the targets.
    """

    panel: Panel
    targets: Targets
    held: Float1D
    working: Float1D
    close: Float1D
    bar: Bool1D
    nav: float
    cash: float
    basket: Basket

    @property
    def session(self) -> dt.date:
        """Session that decided."""
        day: dt.date = self.panel.dates[-1].item()
        return day


class Conductor:
    """Admits proposals and guards every write to the socket.

    Parameters
    ----------
    journal : Journal
    limits : Limits
    why_not : callable
        ``why_not(ticket)``: why an order may not leave at this moment (halt, frozen contract), or an empty text;
        asked right before each write.
    strategy, config_digest : str
    contracts : mapping of symbol to contract id
    client_id : int
    begin : callable
        ``begin(session, rebalance id)``: names the orders that follow.
    tell : callable
        Shows a line to a person.
    explain : callable
        ``explain(panel)``: the latest row taken apart (`ares7.explain.Dissection`), or why that cannot be done.
    """

    def __init__(
        self,
        journal: Journal,
        limits: Limits,
        why_not: Callable[[OrderTicket], str],
        *,
        strategy: str,
        config_digest: str,
        contracts: Mapping[str, int],
        client_id: int,
        begin: Callable[[dt.date, str], None],
        tell: Callable[[str], None],
        explain: Callable[[Panel], Dissection | str],
    ) -> None:
        self._journal, self._limits, self._why_not = journal, limits, why_not
        self._strategy, self._digest, self._client_id = strategy, config_digest, client_id
        self._contracts, self._begin, self._tell, self._explain = contracts, begin, tell, explain
        self._prices: dict[int, float] = {}
        self._session: dt.date | None = None
        self._id = ""

    def __call__(self, *parts: Any) -> Basket:
        """`admitted`, of the parts of a `Proposal` in their order."""
        return self.admitted(Proposal(*parts))

    def admitted(self, proposal: Proposal) -> Basket:
        """Return the orders of a proposal that may be sent now; none if it was carried out before.

        A rebalance that was cut short is gone on with: a name for which an order was journalled is left alone,
        whether or not it reached the gateway.
        """
        session = proposal.session
        identity = rebalance_id(self._strategy, self._digest, self._journal.account, session)
        taken = self._explain(proposal.panel)
        fresh = self._journal.begin_rebalance(self._row(identity, proposal, taken))
        before = None if fresh else self._journal.rebalance(identity)
        if before is not None and before.outcome != "open":
            return _part(proposal.basket, np.zeros(len(proposal.basket.symbol), dtype=bool))
        started = {order.intent.con_id for order in self._journal.orders(rebalance_id=identity)}
        verdicts = self._limits.check_batch(self._orders(proposal), self._view(proposal))
        names = [proposal.panel.symbols[i] for i in proposal.basket.symbol.tolist()]
        contracts = [self._contracts[name] for name in names]
        if fresh:
            self._journal.decision(self._decisions(identity, proposal, verdicts, taken))
            self._write_regime(proposal)
        self._session, self._id = session, identity
        self._prices = dict(zip(contracts, proposal.basket.close.tolist(), strict=True))
        self._begin(session, identity)
        self._tell_refusals(verdicts)
        keep = [v.allowed and c not in started for v, c in zip(verdicts, contracts, strict=True)]
        return _part(proposal.basket, np.array(keep, dtype=bool))

    def carried_out(self) -> None:
        """Write that every order of the rebalance was handed over: nothing of it is sent again."""
        if self._id:
            self._journal.finish_rebalance(self._id, CARRIED_OUT)
            self._id = ""

    def closing(self, session: dt.date, orders: Mapping[int, float]) -> None:
        """Announce orders that flatten: they belong to no rebalance.

        Parameters
        ----------
        session : date
        orders : mapping of contract id to USD
            Contracts that are closed, and their latest prices.
        """
        self._session, self._id, self._prices = session, "", dict(orders)

    @property
    def flattens(self) -> bool:
        """The orders that follow flatten, and belong to no rebalance."""
        return self._session is not None and not self._id

    def before_writing(self, ticket: OrderTicket, order_id: int) -> None:
        """Journal an order right before it is written to the socket, or prevent that.

        Raises
        ------
        CheckFailed
            Trading is halted, the contract is frozen, or there is no rebalance that the order belongs to.
        AlreadyJournalled, JournalUnavailable
            It was sent before, or it is not on disk.
        """
        reason = self._why_not(ticket)
        if not reason and self._session is None:
            reason = "it belongs to no rebalance"
        if reason or self._session is None:
            raise CheckFailed(f"order {ticket.ref} for {ticket.symbol} is not sent: {reason}")
        self._journal.intent(
            rows.Intent.of(
                ticket,
                order_id,
                session=self._session,
                client_id=self._client_id,
                rebalance_id=self._id or None,
                decision_price=self._prices.get(ticket.con_id),
                purpose="rebalance" if self._id else "flatten",
            )
        )

    def _tell_refusals(self, verdicts: list[Verdict]) -> None:
        refused = [verdict.reason for verdict in verdicts if not verdict.allowed]
        if refused:
            self._tell(
                f"the limits keep back {len(refused)} of {len(verdicts)} orders; the first: {refused[0]}"
            )

    # Rows

    def _row(self, identity: str, proposal: Proposal, taken: Dissection | str) -> rows.Rebalance:
        return rows.Rebalance(
            identity,
            proposal.session,
            self._strategy,
            self._digest,
            reason=_reason(proposal),
            nav_usd=proposal.nav,
            cash_usd=proposal.cash,
            detail={"not_explained": taken} if isinstance(taken, str) else taken.summary(),
        )

    def _decisions(
        self, identity: str, proposal: Proposal, verdicts: list[Verdict], taken: Dissection | str
    ) -> list[rows.Decision]:
        """A row for each name that is wanted, held or traded."""
        panel, targets = proposal.panel, proposal.targets.weights[-1]
        basket = proposal.basket
        change = np.zeros(len(targets))
        change[basket.symbol] = basket.quantity
        verdict = dict(zip(basket.symbol.tolist(), verdicts, strict=True))
        concerned = np.flatnonzero((targets > 0) | (proposal.held != 0) | (change != 0))
        out = []
        for i in concerned.tolist():
            found = verdict.get(i)
            outcome = "hold" if found is None else "order" if found.allowed else "limited"
            held, working = float(proposal.held[i]), float(proposal.working[i])
            out.append(
                rows.Decision(
                    identity,
                    panel.symbols[i],
                    self._contracts[panel.symbols[i]],
                    float(targets[i]),
                    held + working + float(change[i]),
                    held,
                    working,
                    float(change[i]),
                    float(proposal.close[i]),
                    outcome,
                    "" if found is None else found.reason,
                    detail={} if isinstance(taken, str) else taken.of(panel.symbols[i]),
                )
            )
        return out

    def _write_regime(self, proposal: Proposal) -> None:
        labels = proposal.targets.regime
        if labels is not None:
            raw, held = Regime(int(labels.raw[-1])).name, Regime(int(labels.held[-1])).name
            inputs = {role: float(values[-1]) for role, values in proposal.panel.series.items()}
            self._journal.regime(rows.RegimeRow(proposal.session, raw, held, inputs))

    # What the limits are asked about

    def _orders(self, proposal: Proposal) -> list[ProposedOrder]:
        basket = proposal.basket
        pairs = zip(basket.symbol.tolist(), basket.quantity.tolist(), strict=True)
        return [ProposedOrder(proposal.panel.symbols[i], quantity) for i, quantity in pairs]

    def _view(self, proposal: Proposal) -> AccountView:
        panel = proposal.panel
        volume = panel.fields["volume"][-VOLUME_SESSIONS:]
        known = np.isfinite(volume)
        mean = np.where(known, volume, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        names = {
            symbol: Name(
                float(proposal.close[i]),
                0.0 if proposal.bar[i] else 1.0,
                float(mean[i]) if known[:, i].any() else float("nan"),
                fund=not bool(panel.is_stock[i]),
            )
            for i, symbol in enumerate(panel.symbols)
        }
        closes = [
            (row.session, row.nav_usd) for row in self._journal.navs() if row.session < proposal.session
        ]
        bases = loss_bases(closes, self._journal.flows(), proposal.session, proposal.nav)
        return AccountView(
            nav=proposal.nav,
            cash=proposal.cash,
            names=names,
            positions=dict(zip(panel.symbols, proposal.held.tolist(), strict=True)),
            working={
                symbol: Working(max(shares, 0.0), max(-shares, 0.0))
                for symbol, shares in zip(panel.symbols, proposal.working.tolist(), strict=True)
            },
            previous_nav=bases.previous_nav,
            peak_nav=bases.peak_nav,
        )


def _part(basket: Basket, keep: Bool1D) -> Basket:
    return Basket(basket.symbol[keep], basket.quantity[keep], basket.close[keep])


def _reason(proposal: Proposal) -> str:
    panel, targets = proposal.panel, proposal.targets
    if panel.start == panel.dates[-1]:
        return "start"
    if panel.month_end[-1]:
        return "month_end"
    return "regime" if targets.on_switch[-1] else "overlay_or_scale"
