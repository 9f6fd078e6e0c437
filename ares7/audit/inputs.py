"""D6: every declared input matters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from ares7.arrays import Bool2D, Float1D, Float2D, Int1D
from ares7.audit.comparison import ROUNDING, Difference, Outcome, Raised, compare, decided, part
from ares7.audit.finding import Check, Finding, Severity, found
from ares7.audit.lags import LEAST_Z, sharpe_fall_z
from ares7.audit.perturbation import PRICES
from ares7.audit.subject import Subject
from ares7.book import Targets
from ares7.metrics import returns_from_nav, sharpe
from ares7.panel import Panel

FUNDAMENTALS = {
    "profitability": ("roe",),
    "margin": ("ebitda_margin", "operating_margin"),
    "leverage": ("debt_to_equity", "liabilities_to_equity"),
}
"""Fields that stand for one figure: the second is read where the first is missing (rulings 17)."""
ANNOUNCED = {
    "surprises": (
        "earnings",
        ("surprise_sue", "surprise_price_scaled", "surprise_consensus", "surprise_legacy_seq"),
    ),
    "buybacks": ("buybacks", ("buyback",)),
}
"""What ``requires`` calls the announcements that the loader reads, and the fields that one of them fills."""
WEIGHT_NAMES = {
    "fundamentals": ("quality", "fundamentals"),
    "earnings": ("earnings", "pead", "surprise"),
    "buybacks": ("buyback",),
}
"""Parameters ``<name>_weight`` that say that an input counts; every input and field has its own name, too."""
BLOCK = 63
"""Sessions that stay together when an input is put in another order."""
FEWEST_NAMES = 20
"""An input that fewer names have, in the median decision, is too thin to be blamed on the code."""
MOST_FALL = 0.5


@dataclass(frozen=True, slots=True)
class Input:
    """Something a strategy may read, by the name that findings give it.

    Attributes
    ----------
    name : str
    needs : str
        What ``requires`` calls it.
    fields, series : tuple of str
    """

    name: str
    needs: str
    fields: tuple[str, ...] = ()
    series: tuple[str, ...] = ()


def event_fields(panel: Panel) -> tuple[str, ...]:
    """Fields that hold figures which become known on some session: all but prices and volume."""
    return tuple(name for name in panel.fields if name not in (*PRICES, "volume"))


def lasts_one_session(values: Float2D) -> bool:
    """Whether a field holds events, each in the row of its own session, and not figures that stay until the next.

    Parameters
    ----------
    values : (T, N)
        NaN where there is none.
    """
    there = np.isfinite(values[:-1])
    return bool(2 * (there & np.isfinite(values[1:])).sum() < there.sum())


def groups_of_events(panel: Panel, fields: Iterable[str]) -> list[tuple[str, ...]]:
    """Those of the fields that hold events, those filled by the same announcements together."""
    known = {name: kind for kind, (_, names) in ANNOUNCED.items() for name in names}
    sparse = [name for name in fields if name in known or lasts_one_session(panel.fields[name])]
    kinds = dict.fromkeys(known.get(name, name) for name in sparse)
    return [tuple(name for name in sparse if known.get(name, name) == kind) for kind in kinds]


def new_values(panel: Panel, fields: Iterable[str]) -> Bool2D:
    """(T, N) bool: a stock's new value of one of the fields becomes visible in that session."""
    out = np.zeros(panel.shape, dtype=bool)
    for name in fields:
        values = panel.fields[name]
        out[1:] |= np.isfinite(values[1:]) & (values[1:] != values[:-1])
    return out & panel.is_stock


def panel_inputs(panel: Panel) -> list[Input]:
    """Inputs beyond stock prices that the panel holds."""
    out = [Input(name, name, series=(name,)) for name in ("index", "vix") if name in panel.series]
    slots = {slot: tuple(f for f in fields if f in panel.fields) for slot, fields in FUNDAMENTALS.items()}
    out += [Input(slot, "fundamentals", fields) for slot, fields in slots.items() if fields]
    for kind, (needs, names) in ANNOUNCED.items():
        if there := tuple(name for name in names if name in panel.fields):
            out.append(Input(kind, needs, there))
    known = {field for given in out for field in given.fields}
    out += [Input(name, "earnings", (name,)) for name in event_fields(panel) if name not in known]
    if not panel.is_stock.all():
        out.append(Input("etfs", "etfs"))
    return out


def reordered(panel: Panel, inputs: Iterable[Input], rng: np.random.Generator) -> Panel:
    """Put inputs in another order: blocks of sessions change places, and stocks their values.

    What the funds' prices are multiplied by is a random walk: an order of their own they do not have.
    """
    fields, series = dict(panel.fields), dict(panel.series)
    rows, names = _blocks(len(panel.dates), rng), _other_names(panel, rng)
    for given in inputs:
        for name in given.fields:
            fields[name] = fields[name][rows][:, names]
        for name in given.series:
            values = series[name]
            level = np.nanmedian(values) if np.isfinite(values).any() else np.nan
            series[name] = np.where(np.isfinite(values), values, level)[rows]
        if given.needs == "etfs":
            fields |= _walking(panel, rng)
    return replace(panel, fields=fields, series=series)


def noisy(panel: Panel, inputs: Iterable[Input], rng: np.random.Generator) -> Panel:
    """Replace inputs by noise: an index that walks at random, a VIX from 8 to 80, normal figures around 0.

    Events stay on their sessions and change what they say: another event's figures, all of them together.
    """
    fields, series = dict(panel.fields), dict(panel.series)
    for given in inputs:
        events = groups_of_events(panel, given.fields)
        for group in events:
            fields |= _exchanged(panel, group, rng)
        held = set(given.fields).difference(*events)
        for name in (name for name in given.fields if name in held):
            spread = np.nanstd(fields[name]) if np.isfinite(fields[name]).any() else 1.0
            fields[name] = rng.normal(0.0, max(float(spread), 0.1), panel.shape)
        for name in given.series:
            count = len(panel.dates)
            walk = 100.0 * np.exp(np.cumsum(rng.normal(0.0, 0.02, count)))
            series[name] = rng.uniform(8.0, 80.0, count) if name == "vix" else walk
        if given.needs == "etfs":
            fields |= _walking(panel, rng)
    return replace(panel, fields=fields, series=series)


def _exchanged(panel: Panel, group: tuple[str, ...], rng: np.random.Generator) -> dict[str, Float2D]:
    """The fields of a group of events, each event with the figures of another one."""
    columns = [panel.fields[name] for name in group]
    cells = np.nonzero(np.any([np.isfinite(values) for values in columns], axis=0))
    order = rng.permutation(len(cells[0]))
    out = {name: values.copy() for name, values in zip(group, columns, strict=True)}
    for values in out.values():
        values[cells] = values[cells][order]
    return out


def _blocks(count: int, rng: np.random.Generator) -> Int1D:
    blocks = np.array_split(np.arange(count), max(count // BLOCK, 2))
    return np.concatenate([blocks[i] for i in rng.permutation(len(blocks))])


def _other_names(panel: Panel, rng: np.random.Generator) -> Int1D:
    columns, stocks = np.arange(len(panel.symbols)), np.flatnonzero(panel.is_stock)
    columns[stocks] = rng.permutation(stocks)
    return columns


def _walking(panel: Panel, rng: np.random.Generator) -> dict[str, Float2D]:
    funds = np.flatnonzero(~panel.is_stock)
    factor = np.ones(panel.shape)
    factor[:, funds] = np.exp(np.cumsum(rng.normal(0.0, 0.02, (len(panel.dates), len(funds))), axis=0))
    return {name: panel.fields[name] * factor for name in PRICES if name in panel.fields}


def _weather(panel: Panel) -> list[Panel]:
    """Panels of a long calm rise and of a long slump: an input may act in one state of the market only."""
    rows = np.arange(len(panel.dates))
    states = (
        {"index": np.power(1.0005, rows), "vix": np.full(len(rows), 12.0)},
        {"index": np.power(0.9995, rows), "vix": np.full(len(rows), 40.0)},
    )
    return [
        replace(panel, series={**panel.series, **{k: v for k, v in state.items() if k in panel.series}})
        for state in states
    ]


def named_weights(settings: Any, names: Iterable[str]) -> dict[str, float]:
    """Positive parameters ``<name>_weight`` or ``weights.<name>``, nested ones by their dotted place."""
    own = frozenset(names)
    wanted = {f"{name}_weight" for name in own}

    def walk(values: Mapping[str, Any], place: str) -> Iterator[tuple[str, float]]:
        for key, value in values.items():
            if isinstance(value, Mapping):
                yield from walk(value, f"{place}{key}.")
                continue
            named = key in wanted or (place.endswith("weights.") and key in own)
            if named and isinstance(value, int | float) and value > 0:
                yield place + key, float(value)

    return dict(walk(settings.model_dump(), ""))


class Ablation:
    """D6: an input that is replaced by another order of itself changes what is decided."""

    id: ClassVar[str] = "D6"
    title: ClassVar[str] = "Declared inputs are used"

    def run(self, subject: Subject) -> Iterable[Finding]:
        """Replace one input at a time; one finding for each input declared, and for those read undeclared."""
        known = panel_inputs(subject.panel)
        declared = [given for given in known if given.needs in subject.settings.requires]
        out = []
        for needs in dict.fromkeys(given.needs for given in declared):
            out.append(self._of(subject, needs, [given for given in declared if given.needs == needs]))
        absent = sorted(subject.settings.requires - {given.needs for given in known})
        if absent:
            message = f"the strategy declares {', '.join(absent)}, which the panel does not hold"
            out.append(found(self, Severity.SKIPPED, message, inputs=absent))
        # Event fields of other names have no word in ``requires``; funds may be traded like stocks.
        others = [given for given in known if given not in declared and _has_a_word(given)]
        out += self._undeclared(subject, others)
        return out or [found(self, Severity.SKIPPED, "the strategy declares no input beyond prices")]

    def _of(self, subject: Subject, needs: str, parts: list[Input]) -> Finding:
        used, without = [], {}
        for number, given in enumerate(parts):
            answer = decided(subject, reordered(subject.panel, [given], self._rng(subject, number)))
            if _differs(subject, answer):
                used.append(given)
            if not isinstance(answer, Raised):
                without[given.name] = returns_from_nav(subject.simulated(answer).nav)
        unused = [given for given in parts if given not in used]
        if not used and needs == "etfs" and _holds_funds(subject):
            message = "the book holds funds; their prices decide nothing"
            return found(self, Severity.PASS, message, input=needs)
        if not used:
            return self._without_effect(subject, needs, parts)
        return self._with_effect(subject, needs, unused, without)

    def _rng(self, subject: Subject, number: int) -> np.random.Generator:
        return np.random.default_rng([subject.seed, 6, number])

    def _without_effect(self, subject: Subject, needs: str, parts: list[Input]) -> Finding:
        """Say whether the input is never read, or has only been of no consequence here."""
        fields = [name for given in parts for name in given.fields]
        weights = named_weights(subject.settings, [*WEIGHT_NAMES.get(needs, (needs,)), *fields])
        evidence = {"input": needs, "fields": fields, "weights": weights}
        named = " and ".join(f"{name} is {value:g}" for name, value in weights.items())
        what = f"{needs} ({', '.join(fields)})" if fields else needs
        if self._read_elsewhere(subject, parts):
            message = f"{what} is read, but no decision of this period depends on it: the result says nothing about it"
            remedy = "choose a period in which it matters, or leave it out"
            return found(self, Severity.WARNING, message, remedy, **evidence)
        remedy = "read it, or take it out of requires and out of the description"
        if not weights:
            message = f"{what} is declared but unused: replacing it by noise changes no decision"
            return found(self, Severity.WARNING, message, remedy, **evidence)
        names = _median_names(subject, fields)
        if names is not None and names < FEWEST_NAMES:
            message = f"{what} changes no decision although {named}: only {names} names have it in the median decision"
            return found(self, Severity.WARNING, message, "supply more of it", names=names, **evidence)
        message = (
            f"{what} is declared but unused: replacing it by noise changes no decision, although {named}"
        )
        return found(self, Severity.FAILURE, message, remedy, **evidence)

    def _read_elsewhere(self, subject: Subject, parts: list[Input]) -> bool:
        """Whether noise in its place matters, as things are or in other states of the market."""
        for panel in [subject.panel, *_weather(subject.panel)]:
            before = subject.targets if panel is subject.panel else decided(subject, panel)
            after = decided(subject, noisy(panel, parts, self._rng(subject, 99)))
            if isinstance(after, Raised) and not isinstance(before, Raised):
                return True
            if isinstance(before, Raised) or isinstance(after, Raised):
                continue
            if matters(gap_to(subject, before, after)):
                return True
        return False

    def _with_effect(
        self, subject: Subject, needs: str, unused: list[Input], without: Mapping[str, Float1D]
    ) -> Finding:
        honest = subject.returns
        ratio, left = sharpe(honest), {name: sharpe(series) for name, series in without.items()}
        evidence: dict[str, Any] = {"input": needs, "sharpe": _number(ratio)}
        evidence |= {f"sharpe_without_{name}": _number(value) for name, value in left.items()}
        row = ", ".join(f"{value:.2f} with {name} in another order" for name, value in left.items())
        message = f"{needs} matters: Sharpe ratio {ratio:.2f}" + (f", {row}" if row else "")
        worst = min(left, key=lambda name: left[name], default="")
        if needs in WEIGHT_NAMES and worst and ratio - left[worst] > MOST_FALL:
            z = sharpe_fall_z(honest, without[worst], subject.seed)
            if z > LEAST_Z:
                message += f": the result rests on {worst} (fall {ratio - left[worst]:.2f}, z {z:.1f})"
                remedy = "so much from figures that are filed late is rare: check when they become visible"
                return found(self, Severity.WARNING, message, remedy, z=z, **evidence)
        thick = [g for g in unused if (_median_names(subject, g.fields) or 0) >= FEWEST_NAMES]
        weights = named_weights(subject.settings, WEIGHT_NAMES.get(needs, ()))
        if thick and weights:
            names = [field for given in thick for field in given.fields]
            message += f"; {', '.join(names)} never matters, although {', '.join(weights)} is positive"
            remedy = "read it, or say that the score does without it"
            return found(self, Severity.WARNING, message, remedy, unused=names, **evidence)
        return found(self, Severity.PASS, message, unused=[given.name for given in unused], **evidence)

    def _undeclared(self, subject: Subject, others: list[Input]) -> list[Finding]:
        if not others or not self._matter(subject, others):
            return []
        read = sorted({given.needs for given in others if self._matter(subject, [given])})
        message = f"{', '.join(read) or 'an input'} is read but not declared in requires"
        remedy = "declare it: only declared inputs stop a run when they are missing or stale (C7)"
        return [found(self, Severity.WARNING, message, remedy, inputs=read)]

    def _matter(self, subject: Subject, inputs: list[Input]) -> bool:
        return _differs(subject, decided(subject, reordered(subject.panel, inputs, self._rng(subject, 50))))


def _has_a_word(given: Input) -> bool:
    """Whether ``requires`` can name the input, and reading it without that is worth a line."""
    return given.needs != "etfs" and (given.needs != "earnings" or given.name in ANNOUNCED)


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def gap_to(subject: Subject, before: Targets, after: Targets) -> Outcome:
    """Compare two answers over the sessions of the run."""
    first, stop = subject.panel.start_row, len(subject.panel.dates)
    return compare(part(before, first, stop), part(after, first, stop), first)


def matters(outcome: Outcome) -> bool:
    """Whether two answers differ by more than rounding."""
    return isinstance(outcome, Difference) and (outcome.amount > ROUNDING or outcome.what != "weights")


def _differs(subject: Subject, answer: Targets | Raised) -> bool:
    """A strategy that refuses other values reads them."""
    return isinstance(answer, Raised) or matters(gap_to(subject, subject.targets, answer))


def _holds_funds(subject: Subject) -> bool:
    return bool((subject.targets.weights[:, ~subject.panel.is_stock] != 0).any())


def _median_names(subject: Subject, fields: Iterable[str]) -> int | None:
    """Stocks with a value of one of the fields, in the median decision; None without a field.

    An event counts for a quarter: whoever reads events remembers them.
    """
    panel, rows = subject.panel, np.flatnonzero(subject.targets.decide)
    there = [_lately(panel.fields[name], rows) & panel.is_stock for name in fields]
    return int(np.median(np.any(there, axis=0).sum(axis=1))) if there and len(rows) else None


def _lately(values: Float2D, rows: Int1D) -> Bool2D:
    """(R, N) bool: the name has a value in the row, or had an event in the `BLOCK` rows up to it."""
    there = np.isfinite(values)
    if not lasts_one_session(values):
        return np.asarray(there[rows])
    return np.array([there[max(0, row - BLOCK + 1) : row + 1].any(axis=0) for row in rows]).reshape(
        -1, there.shape[1]
    )


def input_checks() -> tuple[Check, ...]:
    """Return the checks of this module and of `events`, in the order in which they are shown."""
    from ares7.audit.events import EventAlignment

    return (Ablation(), EventAlignment())
