"""What a trial ledger holds, as values: data sets, trials, their keys, and the columns they become."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ares7.errors import ConfigError
from ares7.metrics import ZERO_SD
from ares7.panel import Panel

_ENCODER = json.JSONEncoder(sort_keys=True, allow_nan=False, separators=(",", ":"))
_AS_IT_IS = frozenset({str, int, bool, type(None)})
_EXACT = 2.0**53
"""Whole floats below it are the same number as the integer, in every program that reads JSON."""


@dataclass(frozen=True, slots=True)
class DataSet:
    """What is searched: names, fields and dates of one market.

    Attributes
    ----------
    universe : str
        Kind of universe, ``members``, ``all`` or ``list``.
    symbols : tuple of str
        Stocks (funds where there are no stocks), in any order.
    fields : tuple of str
        Names of the fields and series read; for information, see the module.
    first, last : datetime64[D]
        First and last session of the period in question, inclusive.
    data_hash : str
        Hash of every number in the panel.
    market : str
        ``real``, or the name of a synthetic market; markets never share trials.

    Raises
    ------
    ConfigError
        No symbols, or dates in the wrong order.
    """

    universe: str
    symbols: tuple[str, ...]
    fields: tuple[str, ...]
    first: np.datetime64
    last: np.datetime64
    data_hash: str
    market: str = "real"

    def __post_init__(self) -> None:
        if not self.symbols:
            raise ConfigError("data set has no symbols; trials are counted by the names they were tried on")
        if not self.first <= self.last:
            raise ConfigError(f"data set runs from {self.first} to {self.last}; give the earlier date first")

    @property
    def universe_key(self) -> str:
        """Identify the universe."""
        return universe_key(self.symbols, self.universe)

    @property
    def fields_key(self) -> str:
        """Sorted names of the fields, with commas."""
        return ",".join(sorted(set(self.fields)))


@dataclass(frozen=True, slots=True)
class ReturnMoments:
    """Moments of the R returns of one trial, one a session, not annualised; NaN where not defined.

    ``sd`` has ddof 1; ``skew`` and ``kurtosis`` are m3 / m2^1.5 and m4 / m2^2, the latter 3 for a normal
    distribution.
    """

    mean: float = math.nan
    sd: float = math.nan
    skew: float = math.nan
    kurtosis: float = math.nan

    @property
    def sharpe(self) -> float:
        """Mean over sd, a session; NaN where the returns do not vary."""
        return float(self.mean / self.sd) if self.sd > ZERO_SD else math.nan


@dataclass(frozen=True, slots=True)
class Trial:
    """One parameter point evaluated on one range of dates.

    Attributes
    ----------
    strategy : str
    params : mapping or str
        JSON values, or their `canonical` text; two mappings that it writes alike are one point.
    settings_hash : str
        Hash of the engine's settings: costs, account.
    code_version : str
        Version of the program; a point computed by another version is another trial, the same point.
    first, last : datetime64[D]
        Sessions of the first and the last return.
    sessions : int
        Number of returns R, at least 1.
    total, active : ReturnMoments
        Of the returns, and of returns minus baseline.
    nav_ratio : float
        Last NAV over the NAV before the first return.
    max_drawdown : float
        Positive fraction.
    turnover : float
        One-way, a year.
    first_week : datetime64[D] or None
        Monday of the first week of ``weekly``; None without.
    weekly : (W,) float32
        Active return of each ISO week (`weekly`), weeks without a hole, fractions; may be empty.
    """

    strategy: str
    params: Mapping[str, Any] | str
    settings_hash: str
    code_version: str
    first: np.datetime64
    last: np.datetime64
    sessions: int
    total: ReturnMoments
    active: ReturnMoments = ReturnMoments()
    nav_ratio: float = math.nan
    max_drawdown: float = math.nan
    turnover: float = math.nan
    first_week: np.datetime64 | None = None
    weekly: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32), compare=False)


@dataclass(frozen=True, slots=True)
class Touch:
    """An out-of-sample window that a selection has used; ``start`` and ``end`` inclusive."""

    name: str
    start: np.datetime64
    end: np.datetime64
    run: str
    reason: str
    created: str


@dataclass(frozen=True, slots=True)
class Count:
    """Trials of one strategy and purpose on one universe, as `TrialLedger.counts` lists them.

    ``count`` is of trials, ``distinct`` of points (parameters and engine settings); ``first`` and ``last`` are
    the ISO dates they span, ``created`` the UTC time of the latest.
    """

    market: str
    universe_key: str
    strategy: str
    purpose: str
    count: int
    distinct: int
    first: str
    last: str
    created: str


def universe_key(symbols: Iterable[str], universe_name: str) -> str:
    """Return kind of universe and a hash of its set of symbols, whatever their order."""
    return f"{universe_name}-{_hash(json.dumps(sorted(set(symbols))))}"


def canonical(params: Mapping[str, Any]) -> str:
    """Write parameters as JSON in one way: keys sorted, whole floats as integers, -0 as 0.

    Raises
    ------
    ConfigError
        A value is not finite, or JSON does not know it.
    """
    try:
        return _ENCODER.encode(_plain(params))
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"trial parameters {params!r} cannot be recorded: {error}; give JSON values"
        ) from None


def params_hash(strategy: str, params: Mapping[str, Any] | str) -> str:
    """Identify a point: strategy and parameters, or their `canonical` text."""
    return _hash(f"{strategy}\n{_text(params)}")


def _text(params: Mapping[str, Any] | str) -> str:
    return params if isinstance(params, str) else canonical(params)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _plain(value: Any) -> Any:
    # By type first: a grid of 10^5 points has millions of values.
    if type(value) in _AS_IT_IS:
        return value
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < _EXACT else value
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def data_set_of(panel: Panel, first: np.datetime64, last: np.datetime64) -> DataSet:
    """Describe the stocks of a loaded panel (funds where it has none) between two sessions.

    Raises
    ------
    ConfigError
        The panel does not say what it holds: it was not made by the loader.
    """
    origin = panel.provenance
    if "panel_sha256" not in origin:
        raise ConfigError("panel has no panel_sha256 in its provenance; load it with feeds.load.load_panel")
    stocks = tuple(name for name, stock in zip(panel.symbols, panel.is_stock, strict=True) if stock)
    return DataSet(
        universe=kind if isinstance(kind := origin["universe"], str) else "list",
        symbols=stocks or panel.symbols,
        fields=tuple(sorted({*panel.fields, *panel.series})),
        first=first,
        last=last,
        data_hash=origin["panel_sha256"],
        market=_market(origin),
    )


def _market(origin: Mapping[str, Any]) -> str:
    if not origin["synthetic"]:
        return "real"
    source = origin["source"]
    return f"synthetic {source.get('digest') or _hash(json.dumps(source, sort_keys=True))}"


def point_columns(trial: Trial) -> tuple[str, str, str]:
    """Columns of a trial's point; `ConfigError` where the parameters are no JSON."""
    params = _text(trial.params)
    return _hash(f"{trial.strategy}\n{params}"), trial.strategy, params


def condition_columns(trial: Trial) -> tuple[str, str, str, str]:
    """Columns of a trial's conditions, after those of the data set; `ConfigError` where dates are reversed."""
    if not trial.first <= trial.last:
        raise ConfigError(
            f"trial of {trial.strategy} runs from {trial.first} to {trial.last}; give the earlier date first"
        )
    return iso(trial.first), iso(trial.last), trial.settings_hash, trial.code_version


def figure_columns(trial: Trial) -> tuple[int | float, ...]:
    """Columns of a trial's own figures; `ConfigError` without a return."""
    if trial.sessions < 1:
        raise ConfigError(f"trial of {trial.strategy} has {trial.sessions} returns; it needs at least one")
    account = (trial.nav_ratio, trial.max_drawdown, trial.turnover)
    # numpy scalars are no numbers to SQLite; NaN becomes NULL there.
    figures = map(float, (*_five(trial.total), *_five(trial.active), *account))
    return int(trial.sessions), *figures


def weekly_columns(trial: Trial) -> tuple[str, bytes] | None:
    """Columns of a trial's weekly returns, None without any; `ConfigError` where they start on no Monday."""
    if not len(trial.weekly):
        return None
    if trial.first_week is None or trial.first_week.astype("datetime64[D]").item().weekday():
        raise ConfigError(f"trial of {trial.strategy} has weeks from {trial.first_week}; give a Monday")
    return iso(trial.first_week), np.ascontiguousarray(trial.weekly, dtype="<f4").tobytes()


def _five(moments: ReturnMoments) -> tuple[float, ...]:
    return moments.sharpe, moments.mean, moments.sd, moments.skew, moments.kurtosis


def trial_of(row: Sequence[Any]) -> Trial:
    """Return a trial from its stored columns, in the order of `ares7.trials`; NULL becomes NaN."""
    _, strategy, params, first, last, settings, code, first_week, active, sessions, *figures = row
    numbers = [math.nan if figure is None else figure for figure in figures]
    weeks = None if first_week is None else np.frombuffer(active, dtype="<f4").astype(np.float32)
    return Trial(
        strategy=strategy,
        params=json.loads(params),
        settings_hash=settings,
        code_version=code,
        first=day(first),
        last=day(last),
        sessions=sessions,
        total=ReturnMoments(*numbers[1:5]),
        active=ReturnMoments(*numbers[6:10]),
        nav_ratio=numbers[10],
        max_drawdown=numbers[11],
        turnover=numbers[12],
        first_week=None if first_week is None else day(first_week),
        weekly=np.zeros(0, np.float32) if weeks is None else weeks,
    )


def iso(date: np.datetime64) -> str:
    """ISO text of a date."""
    return str(date.astype("datetime64[D]"))


def day(text: str) -> np.datetime64:
    """Return the date of an ISO text, datetime64[D]."""
    return np.datetime64(text, "D")


def utc(created: dt.datetime) -> str:
    """ISO text of a time in UTC, to the second; `ConfigError` without a time zone."""
    if created.tzinfo is None:
        raise ConfigError(f"trial time {created} has no time zone; give one in UTC")
    return f"{created.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
