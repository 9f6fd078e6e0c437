"""How much of a result is luck, and what the roadmap hoped for: sections shared by all reports.

Figures come from ``metrics.json``; none is computed here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ares7.tearsheet_format import (
    ABSENT,
    Markup,
    count,
    figures,
    percent,
    probability,
    ratio,
    section,
    table,
    text,
)

Metrics = Mapping[str, Any]

SURE = 0.95
"""A deflated Sharpe ratio from here on is unlikely to be luck."""
PHASES = {
    "phase3": ("Phase 3", "the published ensemble, run as it is"),
    "phase4": ("Phase 4", "the published ensemble, run as it is"),
    "phase5": ("Phase 5", "the grid"),
    "phase6": ("Phase 6", "the walk-forward"),
    "goal": ("Goal", "where the roadmap wants to end"),
}
WHAT: dict[str, tuple[str, Callable[[object], str]]] = {
    "sharpe": ("Sharpe ratio", ratio),
    "max_drawdown": ("deepest drawdown", percent),
    "oos_min_sharpe": ("lowest out-of-sample Sharpe ratio", ratio),
    "degradation": ("degradation", percent),
}
DEFLATION: tuple[tuple[str, str, Callable[[object], str], str], ...] = (
    (
        "sharpe",
        "Sharpe ratio",
        ratio,
        "Over the whole run, a year. Active returns are its own minus the baseline’s, session by session.",
    ),
    (
        "sd_of_trial_sharpes",
        "Spread of the trials",
        probability,
        "Standard deviation of all trials’ Sharpe ratios: the wider they lie, the better the luckiest one looks.",
    ),
    (
        "threshold",
        "Best of {distinct} without skill",
        ratio,
        "The Sharpe ratio to expect of the luckiest of that many trials if none had any skill.",
    ),
    (
        "threshold_effective",
        "Best of {effective} without skill",
        ratio,
        "The same if trials that move alike count once.",
    ),
    (
        "psr",
        "Probabilistic Sharpe ratio (PSR)",
        probability,
        "Probability that the true Sharpe ratio is above 0, as if this had been the only trial.",
    ),
    (
        "dsr",
        "Deflated Sharpe ratio (DSR), {distinct} trials",
        probability,
        "Probability that it is above that of the luckiest of all trials. For active returns it is the verdict.",
    ),
    (
        "dsr_effective",
        "Deflated Sharpe ratio, {effective} effective trials",
        probability,
        "The same over clusters of trials that move alike: the lenient reading.",
    ),
    (
        "min_track_record_sessions",
        "Minimum track record",
        count,
        "Sessions after which PSR would reach .95 at this Sharpe ratio; a dash: none would do, it is not above 0.",
    ),
)
"""Rows of the table of statistics: key, name with the counts of trials, format, how to read it."""


def part(metrics: Metrics, *names: str) -> Metrics:
    """Return a section of nested metrics; empty when it is absent."""
    value: Any = metrics
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def trials_text(trials: Metrics) -> str:
    """How many trials were counted, in words."""
    distinct, effective = trials.get("distinct"), trials.get("effective")
    like = "" if effective is None else f", about {count(effective)} of them unlike each other"
    runs = trials.get("count")
    times = f", evaluated {count(runs)} times" if isinstance(runs, int) and runs != distinct else ""
    return f"{count(distinct)} distinct trials on this market so far{times}{like}"


def verdict(found: Metrics) -> str:
    """Say what the deflated Sharpe ratio of active returns means; empty without one."""
    active, trials = part(found, "active"), part(found, "trials")
    dsr, sharpe, lenient = (active.get(key) for key in ("dsr", "sharpe", "dsr_effective"))
    if not isinstance(dsr, int | float):
        return ""
    if isinstance(sharpe, int | float) and sharpe <= 0:
        judged = (
            f"It adds nothing to the baseline: the Sharpe ratio of its active returns is {ratio(sharpe)}."
        )
    elif dsr >= SURE:
        judged = f"What it adds to the baseline is unlikely to be luck (the line is {SURE})."
    else:
        judged = f"What it adds to the baseline cannot be told from luck (the line is {SURE})."
    few = (
        f" The lenient count, {count(trials.get('effective'))} effective, gives {probability(lenient)}."
        if isinstance(lenient, int | float)
        else ""
    )
    return (
        f"Deflated Sharpe ratio of active returns, all {count(trials.get('distinct'))} trials counted: "
        f"{probability(dsr)}. {judged}{few}"
    )


def backtest_luck(metrics: Metrics) -> Markup:
    """Trials counted beside a backtest's Sharpe ratio, and what they leave of it; empty where none is known."""
    trials, luck = part(metrics, "trials"), part(metrics, "luck")
    if not trials and not luck:
        return Markup("")
    rows = [
        [name, *(show(luck.get(prefix + key)) for prefix in ("", "active_"))]
        for key, name, show in (
            ("psr", "Probabilistic Sharpe ratio (PSR)", probability),
            ("dsr", "Deflated Sharpe ratio (DSR), all trials", probability),
            ("dsr_effective", "Deflated Sharpe ratio, effective trials", probability),
            ("threshold", "Sharpe ratio of the best without skill", ratio),
        )
    ]
    counted = f"{trials_text(trials)}. " if trials else ""
    reading = (
        f"{counted}PSR: probability that the true Sharpe ratio is above 0. DSR: that it is above what the best of "
        "all trials would show without skill. Active returns are those minus the baseline’s; their DSR over all "
        "trials is the verdict, the one over effective trials is lenient."
    )
    said = Markup(f'<p class="note">{text(reading)}</p>')
    return section("How much of it is luck", said, table(["", "total", "active"], rows) if luck else "")


def targets(metrics: Metrics) -> Markup:
    """The roadmap's numbers beside honest ones; empty where the run has none."""
    rows = [row for row in metrics.get("targets") or [] if isinstance(row, Mapping)]
    if not rows:
        return Markup("")
    head = ["", "target", "measured", "interval", "met"]
    note = (
        "Nothing is tuned towards a target. Met judges the figure, not its interval. A dash: this run does not "
        "measure it."
    )
    lines = [_target(row) for row in rows]
    return section("Targets of the roadmap", table(head, lines, "reading"), note=note)


def _target(row: Metrics) -> list[object]:
    what, show = WHAT.get(str(row.get("what")), (str(row.get("what")), ratio))
    phase, measured_on = PHASES.get(str(row.get("phase")), (str(row.get("phase")), ""))
    met = {"True": text("yes"), "False": Markup('<span class="flag">no</span>')}
    low, high = row.get("low"), row.get("high")
    known = isinstance(low, int | float) and isinstance(high, int | float)
    return [
        _read(f"{phase}: {what}", measured_on),
        f"{row.get('relation')} {show(row.get('target'))}",
        show(row.get("figure")),
        f"{show(low)} to {show(high)}" if known else ABSENT,
        met.get(str(row.get("met")), ABSENT),
    ]


def statistics(found: Metrics, title: str, *, note: str) -> Markup:
    """Every statistic of a search with one sentence on how to read it; empty without statistics."""
    if not found:
        return Markup("")
    total, active = part(found, "total"), part(found, "active")
    counts = {name: count(part(found, "trials").get(name)) for name in ("distinct", "effective")}
    rows: list[list[object]] = [
        [_read(name.format(**counts), reading), show(total.get(key)), show(active.get(key))]
        for key, name, show, reading in DEFLATION
    ]
    rows += [
        [_read(name, reading), *(show(part(kind, "pbo").get(key)) for kind in (total, active))]
        for key, name, show, reading in _overfitting(part(active, "pbo") or part(total, "pbo"))
    ]
    tests = part(found, "superiority")
    if tests:
        rows += [[_read(name, reading), ABSENT, shown] for name, shown, reading in _superiority(tests)]
    else:
        nothing = "Not given: there is no baseline to test against, or a point equals it."
        rows.append([_read("Tests against the baseline", nothing), ABSENT, ABSENT])
    head = ["", "total", "active"]
    return section(title, table(head, rows, "reading"), _intervals(part(found, "intervals")), note=note)


def _read(name: str, reading: str) -> Markup:
    return Markup(f"{text(name)}<br><small>{text(reading)}</small>")


def _overfitting(pbo: Metrics) -> list[tuple[str, str, Callable[[object], str], str]]:
    if not pbo:
        reading = "Not given: the grid has too few points for a rank to mean anything."
        return [("value", "Probability of backtest overfitting (PBO)", probability, reading)]
    splits = count(pbo.get("splits"))
    return [
        (
            "value",
            "Probability of backtest overfitting (PBO)",
            probability,
            f"How often, over {splits} splits, the best point of one half is not above the median of the other; "
            "without skill about .5.",
        ),
        (
            "slope",
            "Slope of the other half on the best half",
            ratio,
            "Below 0: the better the best point of one half looked, the worse it did in the other.",
        ),
        (
            "loss_probability",
            "Probability of loss",
            probability,
            "How often the best point of one half lost in the other; for active returns: lost to the baseline.",
        ),
    ]


def _superiority(tests: Metrics) -> list[tuple[str, object, str]]:
    spa = part(tests, "spa")
    span = f"{probability(spa.get('lower'))} to {probability(spa.get('upper'))}"
    return [
        (
            "Superior predictive ability (SPA), p",
            Markup(f"{text(probability(spa.get('consistent')))}<br><small>{text(span)}</small>"),
            "Hansen’s test that no point beats the baseline; below .05 some point does. Small: its two bounds.",
        ),
        (
            "Reality check, p",
            probability(tests.get("reality_check")),
            "White’s older test of the same; poor points in the grid push it up.",
        ),
        (
            "Romano-Wolf, p of this point",
            probability(tests.get("romano_wolf")),
            "The chance of a lead over the baseline this large by luck, all points having been looked at. "
            f"Below .05: {count(tests.get('better_at_5_percent'))} points.",
        ),
    ]


def _intervals(spans: Metrics) -> Markup:
    shown: dict[str, object] = {}
    for key, name, show in (
        ("sharpe", "Sharpe ratio", ratio),
        ("max_drawdown", "Deepest drawdown", percent),
        ("cagr", "Growth a year", percent),
    ):
        span = part(spans, key)
        if span:
            shown[name] = f"{show(span.get('low'))} to {show(span.get('high'))}"
    if not shown:
        return Markup("")
    level = percent(spans.get("level"), 0) if "level" in spans else ""
    return Markup(f"<h3>Intervals {text(level)}, stationary bootstrap</h3>{figures(shown)}")
