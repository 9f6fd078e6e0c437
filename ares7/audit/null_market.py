"""D4: the whole pipeline on markets in which nothing can be foretold.

On null panels (`ares7.audit.null_panel`) gains less expected gains are a martingale with symmetric increments, whatever
is chosen and however exposure is timed, if decisions and fills use nothing that comes later. Signs, not a regression:
the intercept of a regression on market, bonds and cash is positive for an honest book that holds less stock while
volatility is high (Moreira and Muir, "Volatility-Managed Portfolios", Journal of Finance 72(4), 2017). Here the
exposures are those known when each return begins, so that all three are accounted for without any estimate.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from ares7.arrays import Float1D, Float2D
from ares7.audit.comparison import Raised, decided
from ares7.audit.finding import Finding, Severity, found
from ares7.audit.null_panel import FEWEST_RETURNS, NullMarket, NullModel, draw, null_model
from ares7.audit.subject import Subject
from ares7.costs import BpsCosts
from ares7.metrics import SESSIONS_PER_YEAR, ZERO_SD

DRAWS = 8
FAILURE_T = 4.0
"""Either sign. Chance without foresight: 6e-5 if t is normal, 1e-4 for exposure against all of the past (simulated)."""
WARNING_T = 3.0


@dataclass(frozen=True, slots=True)
class NullGains:
    """What a book earned on one null market; first axis: from close to open, from open to close.

    Attributes
    ----------
    selection : (S - 1,) fraction of the NAV before
        Beyond premium, funds' means and the market's surprises at the exposure when each began.
    exposure : (2, S - 1)
        Beta of the book when the night and the day began.
    surprise : (2, S - 1) fraction
        Of the market.
    """

    selection: Float1D
    exposure: Float2D
    surprise: Float2D

    def timing(self, usual: Float1D) -> Float1D:
        """(S - 1,) what exposures other than the (2,) usual ones earned of the market's surprises."""
        return np.asarray(((self.exposure - usual[:, None]) * self.surprise).sum(axis=0))


def gains(subject: Subject, model: NullModel, market: NullMarket) -> NullGains | Raised:
    """Trade a subject's strategy on a null market, free of costs, interest and financing.

    Returns
    -------
    NullGains or Raised
        Raised where ``weights`` gives no answer there, or the account is ruined.
    """
    free: dict[str, Any] = {"cash_rate": 0.0, "financing_bps": 0.0 if subject.account.margin else None}
    there = replace(
        subject,
        panel=market.panel,
        costs=BpsCosts(bps=0.0),
        account=subject.account.model_copy(update=free),
    )
    targets = decided(there, market.panel)
    if isinstance(targets, Raised):
        return targets
    run = there.simulated(targets)
    if not (run.nav > 0).all():
        return Raised("the value of the account is not positive", refused=True)
    bars, rows = there.bars, slice(there.bars.first + 1, there.bars.stop)
    fills = run.ledger.fills
    shares = np.zeros(bars.bar.shape)
    np.add.at(shares, (np.searchsorted(run.dates, fills.date), fills.symbol), fills.quantity)
    shares = np.cumsum(shares, axis=0)
    moves = model.traded[rows]
    held = np.array([shares[:-1] * bars.prices["close"][:-1], shares[1:] * bars.prices["open"][1:]]) * moves
    before = run.nav[:-1]
    expected = held[0] @ model.expected[0] + held[1] @ model.expected[1]
    exposure = held @ model.beta / before
    surprise = market.surprise[:, rows]
    beyond = (run.nav[1:] - before - expected) / before
    return NullGains(beyond - (exposure * surprise).sum(axis=0), exposure, surprise)


def pooled_t(series: Iterable[Float1D]) -> tuple[float, float]:
    """Sum over root of the sum of squares, of all series together, and their mean a year.

    Normal in the limit for martingale differences of any changing size: Hall and Heyde, "Martingale Limit Theory and
    Its Application", 1980, chapter 3.
    """
    every = np.concatenate(list(series))
    root = math.sqrt(float(every @ every))
    t = float(every.sum()) / root if root > ZERO_SD * math.sqrt(len(every)) else 0.0
    return t, float(every.mean()) * SESSIONS_PER_YEAR


class NullMarkets:
    """D4: on markets without foreseeable moves a book earns what its exposures do, no more and no less.

    Parameters
    ----------
    draws : int
        Markets, two at least.
    """

    id: ClassVar[str] = "D4"
    title: ClassVar[str] = "Null markets"

    def __init__(self, draws: int = DRAWS) -> None:
        self.draws = draws

    def run(self, subject: Subject) -> Iterable[Finding]:
        """Decide, trade and account on null markets."""
        sessions = len(subject.dates) - 1
        if sessions * self.draws < FEWEST_RETURNS:
            return [
                found(
                    self, Severity.SKIPPED, f"{sessions} returns on each of {self.draws} markets are too few"
                )
            ]
        model = null_model(subject.panel)
        outcomes: list[NullGains] = []
        for number in range(self.draws):
            rng = np.random.default_rng([subject.seed, 4, number])
            got = gains(subject, model, draw(model, rng))
            if isinstance(got, Raised):
                return [
                    found(
                        self,
                        Severity.SKIPPED,
                        f"null market {number + 1} of {self.draws} gives no result: {got.message}",
                    )
                ]
            outcomes.append(got)
        return [self._judged(outcomes)]

    def _judged(self, outcomes: list[NullGains]) -> Finding:
        picked, selection = pooled_t([o.selection for o in outcomes])
        timed, timing = pooled_t(_timing(outcomes))
        evidence: dict[str, Any] = {
            "draws": len(outcomes),
            "sessions": len(outcomes[0].selection),
            "selection_t": picked,
            "selection_alpha": selection,
            "timing_t": timed,
            "timing_alpha": timing,
        }
        told = (
            f"on {len(outcomes)} markets without foreseeable moves, free of costs, choosing names earns "
            f"{selection:+.2%} a year (t {picked:.1f}) and timing the market {timing:+.2%} (t {timed:.1f})"
        )
        worst = max(abs(picked), abs(timed))
        if worst <= WARNING_T:
            return found(self, Severity.PASS, told, **evidence)
        source = "tomorrow's market" if abs(timed) > abs(picked) else "tomorrow's prices"
        remedy = (
            f"{source} reach the decision or the fill: run D1, D5 and D14, and look at what they leave out "
            "(the account's lag, the engine, state kept between calls)"
        )
        severity = Severity.FAILURE if worst > FAILURE_T else Severity.WARNING
        return found(
            self,
            severity,
            f"{told}: without seeing what comes nobody wins or loses there",
            remedy,
            **evidence,
        )


def _timing(outcomes: list[NullGains]) -> list[Float1D]:
    """Each draw's timing beside the mean exposures of the other draws, which know nothing of its signs."""
    means = np.array([o.exposure.mean(axis=1) for o in outcomes])
    others = (means.sum(axis=0) - means) / max(len(outcomes) - 1, 1)
    return [o.timing(usual) for o, usual in zip(outcomes, others, strict=True)]
