"""The legs of a campaign: nights with resets, a death at every step of the journal, and trouble of every kind."""

from __future__ import annotations

import random
from contextlib import contextmanager

from ares7.config import build_config
from ares7.costs import BpsCosts
from feeds.synthetic import generate, write
from live.double.control import running
from live.double.history import from_folder
from live.double.settings import Settings
from tests.campaign.child import Start
from tests.campaign.deaths import AFTER, BEFORE, COMMIT, WRITE, Death
from tests.campaign.episode import Plan
from tests.campaign.faults import BATCH, EVENING, PHASES, drawable

ACCOUNT, OTHER = "DU1234567", "DU7654321"
LIMITS = {"max_weight": 0.25, "max_order_usd": 300_000.0, "max_daily_loss": None, "max_drawdown": None}
NIGHTLY = "restart at night"
START = "start"
START_COMMITS = 14
"""More than a start makes before it waits for a session."""
LEVELS = ("BLOCK_NEW", "CANCEL_WORKING", "FLATTEN", "HALT")
STARTS = ("2024-01-16", "2024-03-11", "2024-06-10", "2024-08-19")
"""The third one meets a half day and three holidays."""
SYNTHETIC = {"symbols": 18, "start": "2023-01-03", "end": "2024-12-31"}


def make_market(folder):
    """Write a small market and return its history."""
    config = build_config(
        {"costs": {"model": "bps", "bps": 10}, "data": {"synthetic": SYNTHETIC}}, folder, "campaign"
    )
    write(generate(config.data.synthetic), folder, "parquet")
    return from_folder(folder, basis="total_return")


@contextmanager
def standing(history, market, folder, first, churn):
    """A double after a close, and how a runner on it is started."""
    accounts = {ACCOUNT: 1_000_000.0, OTHER: 500_000.0}
    settings = Settings(start=f"{first} 15:00", accounts=accounts, costs=BpsCosts(model="bps", bps=10))
    with running(history, settings) as control:
        control.end_session(25)
        folder.mkdir(parents=True, exist_ok=True)
        yield control, Start(control.host, control.port, ACCOUNT, market, folder, churn, LIMITS)


class Deck:
    """Draws every fault once before any comes again."""

    def __init__(self, rng):
        self._rng, self._left = rng, []

    def draw(self):
        if not self._left:
            self._left = drawable()
            self._rng.shuffle(self._left)
        return self._left.pop()


class TroublePlanner:
    """Faults from the deck, deaths, halts."""

    def __init__(self, seed, where):
        self._rng = random.Random(f"{seed} {where} plans")
        self._deck = Deck(self._rng)

    def __call__(self, episode, day):
        rng = self._rng
        plan = Plan([self._deck.draw() for _ in range(rng.choice((0, 1, 1, 2, 2, 3)))])
        if any(fault.phase == BATCH for _, fault in plan.faults):
            plan.pause_at = rng.randint(1, 6)
        if rng.random() < 0.35:
            self._add_death(plan, rng)
        if rng.random() < 0.07 and not episode.people.halted:
            phase = rng.choice((BATCH, BATCH, *PHASES))
            plan.pause_at = plan.pause_at or (rng.randint(1, 6) if phase == BATCH else 0)
            way = rng.choice(("file", "journal", "signal"))
            plan.halt = rng.choice(LEVELS[:2] if way == "signal" else LEVELS), way, phase
        return plan

    @staticmethod
    def _add_death(plan, rng):
        kind = rng.choice((COMMIT, COMMIT, COMMIT, WRITE, "random"))
        when = rng.choice((BEFORE, AFTER))
        if kind == "random":
            plan.kill_in = rng.choice(PHASES)
        else:
            plan.death = Death(kind, rng.randint(1, 110 if kind == COMMIT else 9), when)
        if rng.random() < 0.25:
            plan.start_death = Death(COMMIT, rng.randint(1, 8), rng.choice((BEFORE, AFTER)))


def nights(episode, day):
    """The gateway restarts every night, offers used ids again, and a 1100 comes at midnight."""
    row, fault = next((row, fault) for row, fault in drawable() if fault.name == NIGHTLY)
    return Plan([(row, fault)])


class StepPlanner:
    """On each day the runner dies at the next moment of its day, until there is none left.

    First before and after each commit of a day, from the evening on; then before and after the bytes of each order;
    then each commit of a start.

    Parameters
    ----------
    every : int
        Take one moment of so many, for a sample.
    """

    def __init__(self, every=1):
        self._every = every
        self._kinds = [(kind, when) for kind in (COMMIT, WRITE, START) for when in (BEFORE, AFTER)]
        self._number = 1
        self.over = False

    def __call__(self, episode, day):
        kind = self._kinds[0][0] if self._kinds else ""
        if (day > 1 and not episode.died) or (kind == START and self._number > START_COMMITS):
            # This moment did not come: the kind is through.
            self._kinds.pop(0)
            self._number = 1
        if not self._kinds:
            self.over = True
            return Plan()
        (kind, when), number = self._kinds[0], self._number
        self._number += self._every
        if kind == START:
            return Plan(kill_in=EVENING, start_death=Death(COMMIT, number, when))
        return Plan(death=Death(kind, number, when))
