"""What a person reads on the terminal: tables on stdout."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

ABSENT = "–"


def table(
    title: str,
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    captions: Iterable[str] = (),
    text_columns: int = 1,
) -> None:
    """Print a table; the first ``text_columns`` are left-aligned, the others right-aligned."""
    # Imported here: rich costs 40 ms and a script that reads --json does not need it.
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else 160, highlight=False)
    grid = Table(title=Text(title), title_justify="left", header_style="bold")
    for i, name in enumerate(header):
        grid.add_column(Text(name), justify="left" if i < text_columns else "right", overflow="fold")
    for row in rows:
        grid.add_row(*(Text(cell) for cell in row))
    console.print(grid)
    for line in captions:
        console.print(Text(line))


def percent(value: Any, digits: int = 1) -> str:
    """Fraction as a percentage."""
    return ABSENT if not _finite(value) else f"{value:.{digits}%}"


def number(value: Any, digits: int = 2) -> str:
    """Plain number with thousands separators."""
    return ABSENT if not _finite(value) else f"{value:,.{digits}f}"


def plus_minus(value: Any, error: Any, digits: int = 2) -> str:
    """Value and its standard error."""
    return ABSENT if not _finite(value) else f"{value:.{digits}f} ± {number(error, digits)}"


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")


def show(kind: str, metrics: Mapping[str, Any]) -> None:
    """Print the result of a verb that writes a run folder."""
    if kind == "backtest":
        show_backtest(metrics)
    elif kind == "check":
        from ares7.screen_audit import show_audit

        show_backtest(metrics)
        show_audit(metrics["audit"])
    elif kind == "ladder":
        from ares7.screen_audit import show_ladder

        show_ladder(metrics)
    elif kind.startswith("overlay"):
        from ares7.screen_overlay import SHOW_OVERLAY

        SHOW_OVERLAY[metrics["kind"]](metrics)
    else:
        from ares7.screen_search import SHOW

        SHOW[kind](metrics)


def show_backtest(metrics: Mapping[str, Any]) -> None:
    """Print the summary of a backtest from the content of its metrics.json."""
    own, base = metrics["performance"], metrics["baseline_performance"]

    def line(name: str, render: Any) -> tuple[str, str, str]:
        return name, render(own), render(base)

    rows = [
        line("Sharpe ± s.e.", lambda p: plus_minus(p["sharpe"], p["sharpe_se"])),
        line("CAGR", lambda p: percent(p["cagr"])),
        line("volatility", lambda p: percent(p["volatility"])),
        line("maximum drawdown", lambda p: percent(-p["max_drawdown"])),
        line("final NAV, USD", lambda p: number(p["final_nav"], 0)),
    ]
    stamps = "".join(f"  [{stamp}]" for stamp in metrics["stamps"])
    table(
        f"{metrics['strategy']}  {metrics['start']} to {metrics['end']}{stamps}",
        ("", metrics["strategy"], metrics["baseline"]),
        rows,
        captions=_trials(metrics),
    )
    windows = [
        (
            w["name"] + (" (cut short)" if w.get("cut_short") else ""),
            f"{w['start']} to {w['end']}",
            str(w["sessions"]),
            plus_minus(w["sharpe"], w["sharpe_se"]),
            number(w["baseline_sharpe"]),
            {True: "yes", False: "no"}.get(w["beats_baseline"], ABSENT),
        )
        for w in metrics["windows"]
    ]
    oos = metrics["oos"]
    table(
        "Out-of-sample windows",
        ("window", "dates", "sessions", "Sharpe ± s.e.", "baseline", "beats it"),
        windows,
        captions=[
            f"before the first window: Sharpe {number(oos['train_sharpe'])}; OOS minimum {number(oos['min_sharpe'])}, "
            f"mean {number(oos['mean_sharpe'])}, degradation {percent(oos['degradation'], 0)}"
        ],
    )
    _show_costs(metrics)


def _trials(metrics: Mapping[str, Any]) -> list[str]:
    """How many points were tried on this market, and what that leaves of the result."""
    trials, luck = metrics.get("trials"), metrics.get("luck")
    if not trials or not luck:
        return []
    lines = [
        f"{trials['distinct']:,} trials on this market, {trials['effective']:,} effective; deflated Sharpe ratio "
        f"{number(luck['dsr'])} of total, {number(luck['active_dsr'])} of active returns"
    ]
    if metrics.get("touched"):
        names = sorted({window["name"] for window in metrics["touched"]})
        lines.append(f"selection-contaminated windows: {', '.join(names)}")
    return lines


def _shortened(text: str, width: int = 150) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _show_costs(metrics: Mapping[str, Any]) -> None:
    costs, exposure, orders = metrics["costs"], metrics["exposure"], metrics["orders"]
    regimes = ", ".join(f"{k} {v:.0%}" for k, v in exposure.get("time_in_regime", {}).items()) or ABSENT
    rows = [
        ("turnover, one way, a year", number(costs["turnover_one_way"])),
        (
            "fees, USD (of it on regime switches)",
            f"{number(costs['fees_usd'], 0)} ({number(costs['switch_fees_usd'], 0)})",
        ),
        ("mean exposure / names", f"{percent(exposure['mean_gross'])} / {number(exposure['mean_names'], 0)}"),
        ("time in regime", regimes),
        ("regime switches a year", number(exposure.get("switches_per_year"), 1)),
        (
            "orders / refused / retried / delisting exits",
            " / ".join(f"{orders[key]:,}" for key in ("submitted", "refused", "retried", "delisting")),
        ),
    ]
    captions = [f"warning: {_shortened(w)}" for w in metrics["warnings"]] + [
        f"note: {n}" for n in metrics["notes"]
    ]
    table("Costs and exposure", ("", "value"), rows, captions=captions)
