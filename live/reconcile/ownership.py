"""Whose shares are whose: what the operator adopts, ignores and accepts (rulings 28). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ares7.errors import ConfigError
from live.reconcile.views import Difference, Kind

ALL = "all"
NO_POSITION = (Kind.FOREIGN_ORDER, Kind.CURRENCY)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What the operator decided on one difference, as the journal keeps it.

    Attributes
    ----------
    action : {"accepted", "adopted", "ignored"}
    kind : Kind
    symbol : str
    con_id : int
    shares : float
        Signed; what the journal's position changes by, or, for what is ignored, what is set aside. 0 for orders.
    roots : tuple of str
        Executions by hand that count as explained from now on.
    key : str
        `Difference.key`, by which an order of somebody else is tolerated.
    explanation : str
    """

    action: str
    kind: Kind
    symbol: str
    con_id: int
    shares: float
    roots: tuple[str, ...]
    key: str
    explanation: str


def chosen(differences: Iterable[Difference], symbols: Sequence[str]) -> list[Difference]:
    """Differences of these symbols, or of all.

    Raises
    ------
    ConfigError
        A symbol does not differ.
    """
    found = list(differences)
    if ALL in (symbol.lower() for symbol in symbols):
        return found
    known = {d.symbol for d in found}
    wrong = [symbol for symbol in symbols if symbol not in known]
    if wrong:
        raise ConfigError(
            f"{', '.join(wrong)} does not differ between journal and gateway; what differs: "
            f"{', '.join(sorted(known)) or 'nothing'}"
        )
    return [d for d in found if d.symbol in symbols]


def accepted(differences: Iterable[Difference], symbols: Sequence[str]) -> list[Acceptance]:
    """Return what the journal must take over so that these differences are gone.

    Foreign holdings are no matter of acceptance: whose they are is decided by adopting or ignoring them. A fill of
    ours that is missing is booked, never accepted.

    Raises
    ------
    ConfigError
        A symbol does not differ, or is a foreign holding or a missing fill.
    """
    out = []
    named = ALL not in (symbol.lower() for symbol in symbols)
    for d in chosen(differences, symbols):
        refused = {
            Kind.UNKNOWN_POSITION: f"run.py adopt {d.symbol}, or run.py adopt --ignore, says whose they are",
            Kind.MISSING_FILL: "run.py reconcile books it from the gateway",
        }.get(d.kind)
        if refused is not None:
            if named:
                raise ConfigError(f"{d.symbol}: {d.kind} cannot be accepted; {refused}")
            continue
        out.append(_decision("accepted", d, d.shares))
    return out


def adopted(differences: Iterable[Difference], symbols: Sequence[str]) -> list[Acceptance]:
    """Return the foreign holdings that the strategy may trade from now on.

    Raises
    ------
    ConfigError
        A symbol is no foreign holding, or one of them cannot be traded.
    """
    foreign = _foreign(differences)
    out = [_decision("adopted", d, d.shares) for d in chosen(foreign, symbols)]
    other = {d.con_id for d in differences if d.kind is Kind.CURRENCY}
    wrong = [a.symbol for a in out if a.con_id in other]
    if wrong:
        raise ConfigError(f"{', '.join(wrong)} is not priced in USD and cannot be adopted; ignore it")
    return out


def ignored(differences: Iterable[Difference], symbols: Sequence[str]) -> list[Acceptance]:
    """Return the foreign holdings that stay the operator's own: never sold, never counted.

    Raises
    ------
    ConfigError
        A symbol is no foreign holding.
    """
    return [_decision("ignored", d, d.shares) for d in chosen(_foreign(differences), symbols)]


def _foreign(differences: Iterable[Difference]) -> list[Difference]:
    """Holdings that the journal has no shares of: unknown ones, and those that were bought by hand today."""
    bought = [
        d for d in differences if d.kind is Kind.MANUAL_TRADE and d.journal == 0 and d.gateway == d.shares
    ]
    return [*(d for d in differences if d.kind is Kind.UNKNOWN_POSITION), *bought]


def _decision(action: str, d: Difference, shares: float) -> Acceptance:
    moved = 0.0 if d.kind in NO_POSITION else shares
    return Acceptance(action, d.kind, d.symbol, d.con_id, moved, d.roots, d.key, d.explanation)


def require_sole_strategy(strategy: str, owners: Mapping[str, bool]) -> None:
    """Refuse a second strategy on an account.

    Parameters
    ----------
    strategy : str
        Name of the one that wants to trade.
    owners : mapping of str to bool
        Strategies that have traded on this account's journal, and whether they still hold shares or orders.

    Raises
    ------
    ConfigError
        Another one still holds something. One that holds nothing any more has ended.
    """
    others = sorted(name for name, holds in owners.items() if holds and name != strategy)
    if others:
        raise ConfigError(
            f"{', '.join(others)} trades on this account already and {strategy} may not: one strategy an account; "
            "give this one an account of its own, or let the other one sell everything first"
        )


def sellable(journal_shares: float, gateway_shares: float) -> float:
    """Shares that may be sold of one contract: ours by the journal, and there by the gateway; never negative.

    Parameters
    ----------
    journal_shares : float
        Bought by the journal's fills, adopted or accepted.
    gateway_shares : float
        Held by the account.
    """
    return max(0.0, min(journal_shares, gateway_shares))
