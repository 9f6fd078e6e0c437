"""The report as one HTML document: what a page holds, and the frame that lets it fetch nothing."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ares7.tearsheet_audit import WATERMARK, failed, repeated_mark
from ares7.tearsheet_charts import Figure
from ares7.tearsheet_format import Markup, count, text

GRAVEST = (WATERMARK, "LOOKAHEAD")
"""Stamps that go before any other as the watermark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A report before it is framed.

    Attributes
    ----------
    title : str
        Of the browser's window.
    made : str
        When the run was made, ISO.
    body : Markup
    figures : mapping of element id to figure
        As in `ares7.tearsheet_charts`.
    series : mapping of name to array
        What the figures refer to.
    further : mapping
        Other JSON values that the page's script reads: ``points`` (sort keys), ``slices`` (heat maps).
    """

    title: str
    made: str
    body: str
    figures: Mapping[str, Figure]
    series: Mapping[str, list[Any]]
    further: Mapping[str, Any] = field(default_factory=dict)


def header(metrics: Mapping[str, Any], title: str, lede: str) -> Markup:
    """Title, what was measured, and the stamps of the run; the gravest stamp is also a watermark.

    That of an audit that failed is repeated over the whole report, on paper too.
    """
    stamped = stamps(metrics)
    listed = "".join(f"<li>{text(stamp)}</li>" for stamp in stamped)
    ribbon = f'<ul class="stamps">{listed}</ul>' if stamped else ""
    gravest = next((stamp for stamp in GRAVEST if stamp in stamped), stamped[0] if stamped else None)
    mark = (
        ""
        if gravest is None
        else f'<div class="watermark" aria-hidden="true"><span>{text(gravest)}</span></div>'
    )
    if gravest == WATERMARK:
        mark = repeated_mark()
    return Markup(f'{mark}<header><h1>{text(title)}</h1><p class="lede">{text(lede)}</p>{ribbon}</header>')


def stamps(metrics: Mapping[str, Any]) -> list[str]:
    """Stamps of a run; synthetic data and an audit that failed are always among them."""
    found = [str(stamp) for stamp in metrics.get("stamps") or []]
    if failed(metrics) and WATERMARK not in found:
        found.append(WATERMARK)
    return ["SYNTHETIC", *found] if metrics.get("synthetic") and "SYNTHETIC" not in found else found


def tried(provenance: Mapping[str, Any]) -> str:
    """Sentence on the trials that a run's provenance counts; empty where it counts none."""
    trials = provenance.get("trials")
    if isinstance(trials, Mapping):
        trials = trials.get("distinct")
    return f" Trials on this data so far: {count(trials)}." if isinstance(trials, int) else ""


def document(page: Page, plotly: str) -> str:
    """Assemble the page. The policy lets it run these two scripts and fetch nothing at all."""
    here = Path(__file__).parent
    style = (here / "tearsheet_page.css").read_text(encoding="utf-8")
    script = (here / "tearsheet_page.js").read_text(encoding="utf-8")
    content = {"figures": page.figures, "series": page.series, **page.further}
    # "<" is written as an escape: no string from data can end the script element.
    payload = json.dumps(content, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    allowed = " ".join(_source_hash(code) for code in (plotly, script))
    foot = f"ARES7 on Backtrader. Run of {text(page.made)}. Past results, simulated; not advice."
    policy = f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{text(page.title)}</title>
<link rel="icon" href="data:,">
<style>
{style}</style>
</head>
<body>
<main>{page.body}<footer>{foot}</footer></main>
<script type="application/json" id="report-data">{payload}</script>
<script>{plotly}</script>
<script>{script}</script>
</body>
</html>
"""


def _source_hash(code: str) -> str:
    """Content-Security-Policy source that allows exactly this script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'"
