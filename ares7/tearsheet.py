"""The report of a run: one HTML file that needs no network, rebuilt from nothing but the run's own folder."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from pathlib import Path

from ares7.errors import ConfigError, DataError
from ares7.runs import Run, read_run
from ares7.tearsheet_document import Page, document

REPORT = "report.html"
PAGES = {
    "backtest": "ares7.tearsheet_page",
    "check": "ares7.tearsheet_page",
    "grid": "ares7.tearsheet_grid",
    "walkforward": "ares7.tearsheet_walkforward",
    "optimize": "ares7.tearsheet_optimize",
    "ladder": "ares7.tearsheet_ladder",
    "overlay ablation": "ares7.tearsheet_overlay",
    "overlay optimize": "ares7.tearsheet_overlay_optimize",
}
"""Module whose function ``page`` draws the run of a verb; imported when there is such a run."""


def require_plotly() -> str:
    """Return plotly.js, or raise `ConfigError` with the command that installs it.

    Long work that ends in a report calls this before it begins.
    """
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        raise ConfigError(
            'the report needs plotly, which is not installed; run: pip install "plotly>=6.0", '
            "or do without the report by --set runs.report=false"
        ) from None
    return _source(get_plotlyjs)


@lru_cache(maxsize=1)
def _source(read: Callable[[], str]) -> str:
    """Read plotly.js, 5 MB, once: a run asks for it before it begins and again for the report."""
    return str(read())


def write_report(run_folder: Path) -> Path:
    """Write ``report.html`` into a run folder, replacing an older one in one step; returns its path.

    Raises
    ------
    DataError
        A file of the run folder is missing or damaged.
    ConfigError
        plotly is not installed.
    """
    page = build_report(run_folder)
    path = run_folder / REPORT
    partial = path.with_suffix(".partial")
    partial.write_text(page, encoding="utf-8", newline="\n")
    partial.replace(path)
    return path


def build_report(run_folder: Path) -> str:
    """Return the report of a run folder as one HTML document; the same folder gives the same text.

    Raises
    ------
    DataError, ConfigError
        As `write_report`.
    """
    plotly = require_plotly()
    return document(_page(read_run(run_folder)), plotly)


def _page(run: Run) -> Page:
    kind = str(run.metrics.get("kind") or "backtest")
    if kind not in PAGES:
        raise DataError(
            f"run folder {run.folder}: metrics.json is of the unknown kind {kind!r}; known are {', '.join(PAGES)}; "
            "make the report with the version that made the run"
        )
    page: Page = import_module(PAGES[kind]).page(run)
    return page
