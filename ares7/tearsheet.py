"""The report of a run: one HTML file that needs no network, rebuilt from nothing but the run's own folder."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ares7 import metrics, tearsheet_charts
from ares7.arrays import Float1D
from ares7.errors import ConfigError
from ares7.tearsheet_charts import Figure, compact
from ares7.tearsheet_data import ReportData, read_report_data
from ares7.tearsheet_format import text
from ares7.tearsheet_page import body

REPORT = "report.html"


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
    data = read_report_data(run_folder)
    figures, arrays = _figures(data)
    # "<" is written as an escape: no string from data can end the script element.
    payload = json.dumps({"figures": figures, "series": arrays}, allow_nan=False).replace("<", "\\u003c")
    return _document(data, body(data, tuple(figures)), payload, plotly)


def _figures(data: ReportData) -> tuple[dict[str, Figure], dict[str, list[Any]]]:
    figures = {
        "growth": tearsheet_charts.growth(data),
        "sleeves": tearsheet_charts.sleeves(data),
        "turnover": tearsheet_charts.turnover(data),
    }
    arrays = tearsheet_charts.arrays(data)
    arrays["drawdown"] = compact(-metrics.drawdown_series(data.nav))
    arrays["baseline_drawdown"] = compact(-metrics.drawdown_series(data.baseline_nav))
    arrays["month"], arrays["month_turnover"] = _monthly_turnover(data)
    rolling = _rolling_sharpe(data, data.nav)
    if np.isfinite(rolling).any():
        figures["rolling-sharpe"] = tearsheet_charts.rolling_sharpe(data)
        arrays["rolling"] = compact(rolling)
        arrays["baseline_rolling"] = compact(_rolling_sharpe(data, data.baseline_nav))
    return figures, arrays


def _rolling_sharpe(data: ReportData, nav: Float1D) -> Float1D:
    """(T,) rolling Sharpe ratio; row t uses the returns up to close t."""
    rolling = metrics.rolling_sharpe(metrics.returns_from_nav(nav), data.rolling_sessions, data.risk_free)
    return np.append(np.nan, rolling)


def _monthly_turnover(data: ReportData) -> tuple[list[str], list[float | None]]:
    """Months, and the one-way turnover in each: sum of |notional| / 2 over the previous close's NAV."""
    before = np.append(data.nav[0], data.nav[:-1])
    months, row = np.unique(data.dates.astype("datetime64[M]"), return_inverse=True)
    return months.astype(str).tolist(), compact(np.bincount(row, data.traded / 2 / before).astype(np.float64))


def _document(data: ReportData, body: str, payload: str, plotly: str) -> str:
    """Assemble the page. The policy lets it run these two scripts and fetch nothing at all."""
    here = Path(__file__).parent
    style = (here / "tearsheet_page.css").read_text(encoding="utf-8")
    script = (here / "tearsheet_page.js").read_text(encoding="utf-8")
    allowed = " ".join(_source_hash(code) for code in (plotly, script))
    policy = f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:"
    strategy, _ = data.names
    made = text(data.run.provenance.get("stamp", ""))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{text(strategy)}, {data.dates[0]} to {data.dates[-1]}</title>
<link rel="icon" href="data:,">
<style>
{style}</style>
</head>
<body>
<main>{body}<footer>ARES7 on Backtrader. Run of {made}. Past results, simulated; not advice.</footer></main>
<script type="application/json" id="report-data">{payload}</script>
<script>{plotly}</script>
<script>{script}</script>
</body>
</html>
"""


def _source_hash(code: str) -> str:
    """Content-Security-Policy source that allows exactly this script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'"
