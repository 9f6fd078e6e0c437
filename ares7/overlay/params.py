"""Settings of the overlays: which engines, how they are blended, how the blend is applied (rulings 21 and 22)."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Engine = Literal["wavelet", "pead", "buyback", "momentum", "macd"]
"""``momentum`` and ``macd`` are plain comparisons for ``wavelet``."""
Normalize = Literal["base_gross", "one", "none"]
OVERLAY_SESSIONS = {"session": 1, "week": 5, "month": 23}
"""The most sessions from one overlay date to the next, by how often they come."""


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Budgeted(_Settings):
    budget: float = Field(default=0.20, ge=0, le=2)
    """Sum of |tilt|, a fraction of the stock block."""
    cap: float | None = Field(default=None, gt=0, le=1)
    """Largest |tilt| of one name in this engine alone; null leaves the cap to the blend (rulings 21)."""


class ScoreParams(_Budgeted):
    """A cross-sectional score: z, winsor, demean, scaled to the budget."""

    winsor: float = Field(default=3.0, gt=0)
    """Standard scores are clipped here."""


class WaveletParams(ScoreParams):
    """Causal a trous Haar trend over noise (docs/strategies.md)."""

    levels: int = Field(default=6, ge=1, le=9)
    band: tuple[int, ...] = Field(default=(4, 5, 6), min_length=1)
    """Levels whose details make the trend: 4 to 6 are periods of 16 to 128 sessions."""
    noise: tuple[int, ...] = Field(default=(1, 2), min_length=1)
    """Levels whose energy divides it."""
    noise_window: int = Field(default=63, ge=2, le=504)
    feature: Literal["trend", "slope"] = "trend"
    filter: Literal["haar", "la8", "db4"] = "haar"
    """``la8`` and ``db4`` are one-sided MODWT filters and need the extra ``[wavelets]``."""
    energy_ratio: bool = False
    """Multiply by the band's share of all levels' energy."""

    @model_validator(mode="after")
    def _known_levels(self) -> Self:
        outside = [j for j in (*self.band, *self.noise) if not 1 <= j <= self.levels]
        if outside:
            raise ValueError(f"levels {outside} of band or noise lie outside 1..{self.levels}")
        return self

    @property
    def score_settings(self) -> dict[str, Any]:
        """Arguments of `ares7.signals.wavelet.trend_score`."""
        names = ("levels", "band", "noise", "feature", "filter", "energy_ratio")
        return {name: getattr(self, name) for name in names} | {"window": self.noise_window}

    @property
    def lookback(self) -> int:
        """Closes that a score reads."""
        from ares7.signals.wavelet import support

        return support(**self.score_settings)


class MomentumParams(ScoreParams):
    """Plain momentum: the mean of the standard scores of these returns."""

    periods: tuple[int, ...] = Field(default=(126, 252), min_length=1)

    @property
    def lookback(self) -> int:
        """The longest period and the close before it."""
        return max(self.periods) + 1


class MacdParams(ScoreParams):
    """Plain MACD: a fast less a slow exponential average of log prices, cut off after ``width`` closes."""

    fast: int = Field(default=12, ge=1)
    slow: int = Field(default=26, ge=2)
    width: int = Field(default=126, ge=3, le=1000)

    @property
    def lookback(self) -> int:
        """Closes that a score reads."""
        return self.width


class EventParams(_Budgeted):
    """Tilts after events ranked among those of the sessions before (rulings 22)."""

    window: int = Field(default=63, ge=1, le=504)
    """Sessions before the event whose events it is ranked among."""
    min_events: int = Field(default=20, ge=1)
    top: float = Field(default=0.8, ge=0.5, le=1)
    bottom: float | None = Field(default=0.2, ge=0, le=0.5)
    """null: no tilt away from the lowest."""
    tilt: float = Field(default=0.015, ge=0, le=1)
    """Of one name, a fraction of the stock block."""
    horizon: int = Field(default=21, ge=1, le=252)
    """Sessions that an event counts, the effective one included."""
    decay: Literal["flat", "linear"] = "flat"

    @property
    def lookback(self) -> int:
        """Rows of events that a tilt reads."""
        return self.horizon + self.window


class PeadParams(EventParams):
    """Post-earnings-announcement drift."""

    surprise: Literal["sue", "price_scaled", "consensus", "legacy_seq"] = "sue"
    """``legacy_seq`` is the original's sequential difference, for comparison."""


class BuybackParams(EventParams):
    """Announced buybacks: towards the largest, away from none. Weight 0 by default: no study found an effect."""

    bottom: float | None = Field(default=None, ge=0, le=0.5)


class EngineWeights(_Settings):
    """Weight of each engine in the blend; not rescaled when an engine is left out.

    0.54 and 0.46 are those of the original system. They came out of an optimiser that was fed random numbers and
    have no empirical content (docs/strategies.md).
    """

    wavelet: float = Field(default=0.54, ge=0, le=5)
    pead: float = Field(default=0.46, ge=0, le=5)
    buyback: float = Field(default=0.0, ge=0, le=5)
    momentum: float = Field(default=0.54, ge=0, le=5)
    macd: float = Field(default=0.54, ge=0, le=5)


class OverlaySettings(_Settings):
    """Everything about overlays but which of them are on."""

    weights: EngineWeights = EngineWeights()
    when: Literal["session", "week", "month"] = "week"
    """Overlay dates: every session, or the last one of the week or month. Each is a decision."""
    cap: float = Field(default=0.02, gt=0, le=1)
    """Largest |tilt| of one name after lambda, a fraction of the stock block."""
    normalize: Normalize = "base_gross"
    """What the tilted stock block is rescaled to; ``one`` and ``none`` are for files only."""
    wavelet: WaveletParams = WaveletParams()
    pead: PeadParams = PeadParams()
    buyback: BuybackParams = BuybackParams()
    momentum: MomentumParams = MomentumParams()
    macd: MacdParams = MacdParams()


class OverlayParams(OverlaySettings):
    """Overlays of a strategy; none by default."""

    engines: tuple[Engine, ...] = ()
    lam: float = Field(default=1.0, ge=0, le=10)
    """Lambda: 1 applies the blend in full, 0 is off."""

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len(set(self.engines)) != len(self.engines):
            raise ValueError(f"an overlay is named twice in {list(self.engines)}")
        return self

    @property
    def acting(self) -> tuple[Engine, ...]:
        """Engines that can change a weight."""
        if self.lam == 0:
            return ()
        return tuple(name for name in self.engines if getattr(self.weights, name) > 0)

    @property
    def lookback(self) -> int:
        """Rows that the acting engines read; 0 if there are none."""
        return max((getattr(self, name).lookback for name in self.acting), default=0)

    @property
    def memory(self) -> int:
        """Rows after which the blend of the latest overlay date is final; 0 if nothing acts."""
        return self.lookback + OVERLAY_SESSIONS[self.when] if self.acting else 0

    @property
    def requires(self) -> frozenset[str]:
        """Inputs beyond prices."""
        needs = {"pead": "earnings", "buyback": "buybacks"}
        return frozenset(needs[name] for name in self.acting if name in needs)
