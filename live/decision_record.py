"""What the journal keeps of a decision: the rebalance, a row for each name, the regime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ares7.explain import Dissection
from ares7.limits import Verdict
from ares7.orders import Basket
from ares7.proposal import Proposal
from ares7.signals.regime import Regime
from live.journal import rows

OPPOSED = "an order on the other side still worked; its cancellation was asked for"


def rebalance_row(
    identity: str, proposal: Proposal, strategy: str, digest: str, taken: Dissection | str
) -> rows.Rebalance:
    """Return the row of a rebalance; ``taken`` is the row of targets taken apart, or why that cannot be done."""
    share = proposal.share
    return rows.Rebalance(
        identity,
        proposal.session,
        strategy,
        digest,
        reason=_reason(proposal),
        nav_usd=share.whole,
        cash_usd=share.cash,
        capital_usd=share.nav,
        detail={"not_explained": taken} if isinstance(taken, str) else taken.summary(),
    )


def _reason(proposal: Proposal) -> str:
    panel, targets = proposal.panel, proposal.targets
    if not targets.decide[-1]:
        return "missed"
    if panel.start == panel.dates[-1]:
        return "start"
    if panel.month_end[-1]:
        return "month_end"
    return "regime" if targets.on_switch[-1] else "overlay_or_scale"


def decision_rows(
    identity: str,
    proposal: Proposal,
    sent: Basket,
    verdicts: Sequence[Verdict],
    contracts: Mapping[str, int],
    taken: Dissection | str,
) -> list[rows.Decision]:
    """Return a row for each name that is wanted, held or traded.

    Parameters
    ----------
    identity : str
    proposal : Proposal
    sent : Basket
        Orders that the limits were asked about: the proposal's, less what waits for a cancellation.
    verdicts : sequence of Verdict
        On ``sent``.
    contracts : mapping of symbol to contract id
    taken : Dissection or str
    """
    targets, share = proposal.targets.weights[-1], proposal.share
    wanted, change = np.zeros(len(targets)), np.zeros(len(targets))
    wanted[proposal.basket.symbol] = proposal.basket.quantity
    change[sent.symbol] = sent.quantity
    verdict = dict(zip(sent.symbol.tolist(), verdicts, strict=True))
    concerned = np.flatnonzero((targets > 0) | (share.held != 0) | (wanted != 0))
    out = []
    for i in concerned.tolist():
        symbol, found = proposal.panel.symbols[i], verdict.get(i)
        held, working = float(share.held[i]), float(proposal.working[i])
        outcome, reason = _outcome(found, opposed=bool(wanted[i] != change[i]))
        out.append(
            rows.Decision(
                identity,
                symbol,
                contracts[symbol],
                float(targets[i]),
                held + working + float(wanted[i]),
                held,
                working,
                float(change[i]),
                float(proposal.close[i]),
                outcome,
                reason,
                detail={} if isinstance(taken, str) else taken.of(symbol),
            )
        )
    return out


def _outcome(found: Verdict | None, *, opposed: bool) -> tuple[str, str]:
    if found is None:
        return ("opposed", OPPOSED) if opposed else ("hold", "")
    if not found.allowed:
        return "limited", found.reason
    return "order", OPPOSED if opposed else ""


def regime_rows(proposal: Proposal) -> list[rows.RegimeRow]:
    """Return the regime of the session; empty for a strategy that does not read it."""
    labels = proposal.targets.regime
    if labels is None:
        return []
    raw, held = Regime(int(labels.raw[-1])).name, Regime(int(labels.held[-1])).name
    inputs = {role: float(values[-1]) for role, values in proposal.panel.series.items()}
    return [rows.RegimeRow(proposal.session, raw, held, inputs)]
