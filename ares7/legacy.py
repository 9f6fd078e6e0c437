"""The published engine, bias by bias: what each look-ahead alone does to a result, and all of them together.

A plain vectorised book, as the original was, whose every mistake is a switch. With all switches off it decides at
the close, holds from the next session on and pays for what it trades. It exists for comparison alone: nothing else
calls it, and a run with a switch on is stamped (docs/strategies.md, section "What was published").
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from ares7.arrays import Bool1D, Float1D, Float2D, Int1D
from ares7.errors import LookaheadError, MissingData
from ares7.legacy_books import (
    Announcements,
    cross_z,
    drifted,
    earned,
    momentum,
    monthly,
    quality_leg,
    ranks_trailing,
    ranks_within_day,
    restarted,
    tape_of,
    tilted,
)
from ares7.metrics import SESSIONS_PER_YEAR
from ares7.panel import Panel
from ares7.signals.regime import Regime, raw_labels

Made = TypeVar("Made")


class Biases(BaseModel):
    """The published behaviours, all off: with any of them on a result sees the future, or pays too little."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    same_day_weights: bool = False
    """Weights made from a day's returns earn that day's returns, daily."""
    quality_unread: bool = False
    """The quality leg is shorter momentum: fundamentals are handed over and never read."""
    same_day_vix: bool = False
    """The regime of a close, VIX included, decides which book earned that day."""
    own_equity_regime: bool = False
    """The trend legs of the regime look at the strategy's own base portfolio instead of the index."""
    latest_fundamentals: bool = False
    """Each company's latest figures serve for all years."""
    restated_fundamentals: bool = False
    """Figures are dated by the end of their period, as most recent (MR*) rows are."""
    within_day_pead: bool = False
    """Announcements are ranked among those of the same day, and tilt the book on that day."""
    ex_post_volatility: bool = False
    """Returns are scaled to a volatility by that of the whole sample."""
    free_switches: bool = False
    """A change of regime exchanges the whole book at no cost."""
    assumed_costs: bool = False
    """A yearly rate is assumed instead of paying for what is traded."""
    windows_rerun: bool = False
    """The engine starts anew in each window, so that its first year there is equal weight."""

    @property
    def on(self) -> tuple[str, ...]:
        """Names of the switches that are on."""
        return tuple(name for name, value in self if value)


class LegacyParams(BaseModel):
    """Published parameters of the overlay and the regime."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    quality_weight: float = Field(default=0.6, ge=0, le=1)
    tilt: float = Field(default=0.04, ge=0, le=1)
    top_frac: float = Field(default=0.20, gt=0, le=0.5)
    bottom_frac: float = Field(default=0.20, gt=0, le=0.5)
    target_volatility: float = Field(default=0.12, gt=0)
    cost_bps: float = Field(default=10.0, ge=0)
    assumed_cost: float = Field(default=0.003, ge=0)
    """A year, where costs are assumed."""
    regime: bool = True
    """False: the overlay alone, as in the published grid."""
    outside: float = Field(default=0.5, ge=0, le=1)
    """Fraction of the equal-weight book held outside BULL: the published base had half of its volatility."""


class PublishedEngine:
    """The published engine on one panel; what several runs of it share is computed once.

    Parameters
    ----------
    panel : Panel
        Total-return closes; ``index`` and ``vix`` unless ``params.regime`` is off.
    params : LegacyParams, optional
    windows : tuple of (first, last) datetime64[D]
        In which ``windows_rerun`` starts anew.
    announcements : Announcements, optional
        Without them there is no drift overlay at all.
    """

    def __init__(
        self,
        panel: Panel,
        params: LegacyParams | None = None,
        *,
        windows: tuple[tuple[np.datetime64, np.datetime64], ...] = (),
        announcements: Announcements | None = None,
    ) -> None:
        self._panel, self._windows, self._announcements = panel, windows, announcements
        self._params = LegacyParams() if params is None else params
        self._tape = tape_of(panel)
        self._kept: dict[tuple[Any, ...], Any] = {}

    def returns(self, biases: Biases, *, allow_lookahead: bool = False) -> Float1D:
        """Daily returns from the panel's start session on.

        Parameters
        ----------
        biases : Biases
        allow_lookahead : bool
            Must be true where a switch is on.

        Returns
        -------
        (S - 1,) fractions
            Row i is earned from close i to close i + 1 of the sessions from the start session on.

        Raises
        ------
        LookaheadError
            A switch is on and ``allow_lookahead`` is not.
        MissingData
            The panel lacks a series.
        """
        if biases.on and not allow_lookahead:
            raise LookaheadError(
                f"legacy switches {', '.join(biases.on)} see the future or pay too little; they need "
                "allow_lookahead=True, and their results carry a stamp"
            )
        params = self._params
        out = self._overlay(biases) if not params.regime else self._switched(biases)
        out = out[self._panel.start_row + 1 :]
        if biases.assumed_costs:
            out = out - params.assumed_cost / SESSIONS_PER_YEAR
        if biases.ex_post_volatility:
            realised = float(np.std(out, ddof=1)) * np.sqrt(SESSIONS_PER_YEAR)
            out = out * (params.target_volatility / realised) if realised > 0 else out
        return np.array(out)

    def _once(self, make: Callable[[], Made], *key: Any) -> Made:
        """Keep what depends on nothing but the key."""
        if key not in self._kept:
            self._kept[key] = make()
        kept: Made = self._kept[key]
        return kept

    def _overlay(self, biases: Biases) -> Float1D:
        book, same_day, free = self._book(biases), biases.same_day_weights, biases.assumed_costs
        key = ("overlay", _book_key(biases), free)
        return self._once(lambda: earned(book, self._tape.moves, same_day, self._cost(free)), *key)

    def _plain(self, free: bool) -> Float1D:
        return self._once(
            lambda: earned(self._base(), self._tape.moves, False, self._cost(free)), "plain", free
        )

    def _cost(self, free: bool) -> float:
        return 0.0 if free else self._params.cost_bps / 1e4

    def _base(self) -> Float2D:
        outside = self._params.outside if self._params.regime else 1.0
        return self._once(lambda: outside * self._equal(False), "base")

    def _equal(self, daily: bool) -> Float2D:
        if daily:
            return self._tape.equal
        return self._once(lambda: monthly(self._panel, self._tape.equal), "equal")

    def _book(self, biases: Biases) -> Float2D:
        return self._once(lambda: self._made(biases), "book", _book_key(biases))

    def _made(self, biases: Biases) -> Float2D:
        """(T, N) overlay book: row t earns day t where weights are of the same day, else the day after."""
        source, tape, same_day = _source(biases), self._tape, biases.same_day_weights
        daily = self._once(lambda: self._daily(source), "tilted", source)
        book = daily if same_day else monthly(self._panel, daily)
        if self._announcements is not None:
            rank, first = self._ranks(biases.within_day_pead)
            # Row t of a book that lags earns the day after t: the announcement's own day is one row earlier.
            first = first - 1 if biases.within_day_pead and not same_day else first
            book = drifted(self._panel, tape, book, self._announcements, rank, first)
        if biases.windows_rerun:
            book = restarted(self._panel, book, self._equal(same_day), self._windows)
        return book

    def _daily(self, source: str) -> Float2D:
        """(T, N) weights made anew at every close."""
        tape, params = self._tape, self._params
        weight = params.quality_weight
        trend = self._once(lambda: cross_z(momentum(tape.moves, 126, 252), tape.listed), "trend")
        quality = cross_z(quality_leg(self._panel, tape, source), tape.listed)
        score = weight * quality + (1.0 - weight) * trend
        return tilted(score, tape, params.tilt, params.top_frac, params.bottom_frac)

    def _ranks(self, within_day: bool) -> tuple[Float1D, Int1D]:
        """Rank of each announcement, and the row of its day, or of the session after it by which it is known."""
        events = self._announcements
        if events is None:
            return np.empty(0), np.empty(0, dtype=np.int64)
        make = ranks_within_day if within_day else ranks_trailing
        rank = self._once(lambda: make(events), "ranks", within_day)
        return rank, events.row if within_day else events.row + 1

    def _switched(self, biases: Biases) -> Float1D:
        """Earn the overlay's return in BULL and the base's otherwise."""
        bull = self._bull(biases)
        used = bull if biases.same_day_vix else np.concatenate([[False], bull[:-1]])
        out = np.where(used, self._overlay(biases), self._plain(biases.assumed_costs))
        if not (biases.free_switches or biases.assumed_costs):
            gap = self._once(
                lambda: np.abs(self._book(biases) - self._base()).sum(axis=1), "gap", _book_key(biases)
            )
            # What is exchanged is what was to earn the day.
            paid = gap[1:] if biases.same_day_weights else gap[:-1]
            out[1:] -= np.where(used[1:] != used[:-1], paid, 0.0) * self._cost(False)
        return np.asarray(out)

    def _bull(self, biases: Biases) -> Bool1D:
        panel = self._panel
        for name in ("index", "vix"):
            if name not in panel.series:
                raise MissingData(
                    f"the published engine reads {name}, which the panel lacks; set regime to false"
                )
        if biases.own_equity_regime:
            price = np.asarray(100.0 * np.cumprod(1.0 + self._plain(biases.assumed_costs)))
        else:
            price = panel.series["index"]
        return np.asarray(raw_labels(price, panel.series["vix"]) == Regime.BULL)


def _source(biases: Biases) -> str:
    """Where the quality leg comes from; the switch that is named first wins."""
    names = ("quality_unread", "latest_fundamentals", "restated_fundamentals")
    return next((name for name in names if getattr(biases, name)), "filed")


def _book_key(biases: Biases) -> tuple[Any, ...]:
    """All that the overlay book depends on."""
    return _source(biases), biases.same_day_weights, biases.within_day_pead, biases.windows_rerun
