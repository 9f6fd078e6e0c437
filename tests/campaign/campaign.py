"""A campaign: legs one after another, each on an account of its own, until enough decisions were carried out."""

from __future__ import annotations

from dataclasses import dataclass

from tests.campaign.churn import ChurnParams
from tests.campaign.episode import HANGS, Episode
from tests.campaign.figures import Figures
from tests.campaign.invariants import Finding
from tests.campaign.legs import STARTS, StepPlanner, TroublePlanner, make_market, nights, standing
from tests.campaign.process import Hung

NIGHTS, STEPS, TROUBLE = "nights", "steps", "trouble"
HALF_DAY = STARTS[2]


@dataclass(frozen=True)
class Sizes:
    """How long the legs are.

    Attributes
    ----------
    nights : int
        Days with a reset every night.
    every : int
        One moment of so many is a death in the leg ``steps``; 1 takes all.
    days : int
        Of one leg of ``trouble``.
    """

    nights: int = 30
    every: int = 1
    days: int = 40


class Campaign:
    """Runs legs and adds up their figures.

    Parameters
    ----------
    seed : int
    folder : Path
        Empty.
    sizes : Sizes
    tell : callable
        Shows a line about each leg.
    """

    def __init__(self, seed, folder, sizes=None, tell=lambda line: None):
        self.seed, self.folder, self.sizes, self.tell = seed, folder, sizes or Sizes(), tell
        market = folder / "market"
        market.mkdir(parents=True)
        self._market, self._history = market, make_market(market)
        self.figures = Figures()

    def run(self, rebalances):
        """All legs, then trouble until there were so many decisions."""
        self.leg(NIGHTS)
        self.leg(STEPS)
        number, made = 1, 1
        # A leg without a decision is one of a runner that will not start, and so will the next one be.
        while self.figures.rebalances < rebalances and made:
            made = self.leg(f"{TROUBLE}-{number}").rebalances
            number += 1
        return self.figures

    def leg(self, name):
        """One leg; the same for a seed, whatever was run before."""
        kind, _, number = name.partition("-")
        seed = self.seed * 1000 + int(number or 0)
        churn = ChurnParams(seed=seed, quiet=0.05 if kind == TROUBLE else 0.0)
        if kind == STEPS:
            # Few orders a day, and the same number every day: each has its own steps.
            churn = ChurnParams(seed=seed, quiet=0.0, fewest=2, most=2, gross=0.4)
        first = STARTS[int(number) % len(STARTS)] if number else {STEPS: STARTS[0]}.get(kind, HALF_DAY)
        planner = {NIGHTS: lambda: nights, STEPS: lambda: StepPlanner(self.sizes.every)}.get(
            kind, lambda: TroublePlanner(seed, name)
        )()
        days = {NIGHTS: self.sizes.nights, TROUBLE: self.sizes.days}.get(kind, 10**6)
        figures = Figures()
        with standing(self._history, self._market, self.folder / name, first, churn) as (control, start):
            episode = Episode(control, start, planner, figures, name, self.seed)
            try:
                episode.run(days)
            except Hung as error:
                figures.findings.append((name, Finding(HANGS, name, str(error))))
        self.figures.add(figures)
        self.tell(f"{name}: {figures.rebalances} rebalances, {len(figures.findings)} findings")
        return figures
