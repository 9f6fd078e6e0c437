"""The report as text: complete, self-contained, honest about what is missing."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ares7 import activity, metrics
from ares7.errors import ConfigError, DataError
from ares7.limitations import NOT_MODELLED
from ares7.runs import write_run
from ares7.tearsheet import build_report, write_report
from ares7.tearsheet_contamination import touched
from tests.report.example_run import example_run
from tests.report.page_text import own_text, payload, references, visible

STAMP = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
STYLE = (Path(__file__).parents[2] / "ares7" / "tearsheet_page.css").read_text()


@pytest.fixture(scope="module")
def result():
    return example_run(sessions=4024, names=12)


@pytest.fixture(scope="module")
def run(result, tmp_path_factory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs"), result, stamp=STAMP)


@pytest.fixture(scope="module")
def page(run) -> str:
    return build_report(run)


def written(tmp_path, result, **changes) -> str:
    figures = {**result.metrics, **changes}
    return build_report(write_run(tmp_path, dataclasses.replace(result, metrics=figures), stamp=STAMP))


def test_it_is_rebuilt_from_the_run_folder_alone_and_always_alike(run, page):
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    assert write_report(run) == run / "report.html"
    assert (run / "report.html").read_text(encoding="utf-8") == page == build_report(run)
    (run / "report.html").unlink()
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def test_it_names_no_address_and_forbids_every_request(page):
    own = own_text(page)
    assert "http" not in own.replace("http-equiv", "")
    assert re.search(r"default-src 'none'; script-src 'sha256-\S+' 'sha256-\S+';", own)
    assert not re.search(r"<(link|img|iframe|script)[^>]+(src|href)=(?!\"data:,\")", own)


def test_every_chart_finds_its_arrays_and_every_colour_is_defined_for_both_themes(page):
    found = payload(page)
    assert set(found["figures"]) == {"growth", "rolling-sharpe", "sleeves", "turnover"}
    assert references(found["figures"], "series") <= set(found["series"])
    light, dark = STYLE.split("@media screen and (prefers-color-scheme: dark)")
    for name in references(found["figures"], "css") | set(
        re.findall(r"var\(--([\w-]+)\)", own_text(page))
    ) - {"size"}:
        assert f"--{name}:" in light, name
        assert f"--{name}:" in dark, name
    for name in found["figures"]:
        assert f'id="{name}"' in page


def test_nothing_is_downsampled(page, result):
    series = payload(page)["series"]
    for name in ("date", "nav", "baseline", "drawdown", "rolling", "regime", "sleeve_0", "fees_so_far"):
        assert len(series[name]) == len(result.dates), name
    np.testing.assert_allclose(series["nav"], result.nav, rtol=1e-6)


def test_drawdown_turnover_and_fees_are_the_figures_of_the_run(page, result):
    series = payload(page)["series"]
    assert -min(series["drawdown"]) == pytest.approx(metrics.max_drawdown(result.nav), rel=1e-6)
    assert series["fees_so_far"][-1] == pytest.approx(result.fills.fee.sum(), rel=1e-6)
    notional = activity.by_session(result.fills, result.fills.notional, result.dates)
    annual = activity.turnover_one_way_annual(notional, result.nav)
    assert sum(series["month_turnover"]) * 252 / (len(result.dates) - 1) == pytest.approx(annual, rel=1e-5)


def test_the_last_rolling_sharpe_is_the_sharpe_of_the_last_252_returns(page, result):
    last = metrics.sharpe(metrics.returns_from_nav(result.nav)[-252:])
    assert payload(page)["series"]["rolling"][-1] == pytest.approx(last, rel=1e-6)
    assert payload(page)["series"]["rolling"][251] is None
    assert payload(page)["series"]["rolling"][252] is not None


def test_it_says_what_was_measured_on_which_window_after_how_many_trials(page):
    words = visible(page)
    assert "4 Jan 2010 to 5 Jun 2025, 4,024 sessions, against equal_weight." in words
    assert "Decided at the close, traded at the next open. Trials on this data so far: 1." in words


def test_the_sharpe_ratio_stands_beside_its_error_and_the_baseline(page, result):
    own, other = result.metrics["performance"], result.metrics["baseline_performance"]
    row = f"Sharpe ratio {own['sharpe']:.2f} ± {own['sharpe_se']:.2f} {other['sharpe']:.2f} ± {other['sharpe_se']:.2f}"
    assert row in visible(page)


def test_windows_show_day_counts_and_whether_they_beat_the_baseline(page):
    words = visible(page)
    assert re.search(r"OOS1 1 Jan 2020 – 31 Dec 2021 523 [\d.−]+ ± [\d.]+ [\d.−]+ (yes|no)", words)
    assert re.search(r"OOS3 1 Jan 2025 – 31 Dec 2025 cut short by the data 112 ", words)
    assert "Degradation" in words


def test_a_window_that_lacks_sessions_says_how_many_it_should_have(tmp_path, result):
    windows = [{**result.metrics["windows"][2], "expected_sessions": 250}]
    assert "cut short by the data 112 of 250" in visible(written(tmp_path, result, windows=windows))


def test_a_window_that_the_data_do_not_reach_says_so(tmp_path):
    early = example_run(sessions=600, names=3)
    assert "the data do not reach this window" in visible(written(tmp_path, early))


TOUCHED = {
    "name": "OOS1",
    "start": "2020-01-01",
    "end": "2021-12-31",
    "run": "grid-x-1",
    "reason": "grid oos",
}


def test_a_window_that_a_selection_has_touched_is_marked_with_run_and_reason(tmp_path, result):
    page = written(tmp_path, result, touched=[TOUCHED, {**TOUCHED, "run": "grid-y-2"}])
    words = visible(page)
    assert "OOS1 1 Jan 2020 – 31 Dec 2021 selection-contaminated 523" in words
    assert re.search(r"OOS2 1 Jan 2022 – 31 Dec 2024 [\d]", words)
    assert "Selection-contaminated OOS1: grid-x-1: grid oos OOS1: grid-y-2: grid oos" in words
    assert 'title="grid-x-1: grid oos, and 1 more"' in page


@pytest.mark.parametrize(
    ("start", "end", "marked"),
    [
        ("2021-12-31", "2023-01-01", ["OOS1", "OOS2"]),
        ("2018-01-01", "2019-12-31", []),
        ("2030-01-01", "2031-01-01", []),
        (None, None, ["OOS1"]),
    ],
)
def test_a_window_is_touched_by_what_shares_a_day_with_it_whatever_its_name(result, start, end, marked):
    windows = {**result.metrics, "touched": [{**TOUCHED, "start": start, "end": end}]}
    assert list(touched(windows)) == marked


def test_many_reasons_are_folded(tmp_path, result):
    page = written(tmp_path, result, touched=[{**TOUCHED, "run": f"grid-{i}"} for i in range(9)])
    assert "<summary>3 more</summary>" in page
    assert all(f"grid-{i}: grid oos" in page for i in range(9))


def test_trials_stand_beside_what_they_leave_of_the_sharpe_ratio(tmp_path, result):
    luck = {"psr": 0.991, "dsr": 0.62, "dsr_effective": 0.83, "active_dsr": 0.17, "threshold": 0.9}
    trials = {"count": 1516, "distinct": 507, "effective": 2}
    words = visible(written(tmp_path, result, trials=trials, luck=luck))
    assert "507 distinct trials on this market so far, evaluated 1,516 times, about 2 of them unlike" in words
    assert "Probabilistic Sharpe ratio (PSR) 0.991 –" in words
    assert "Deflated Sharpe ratio (DSR), all trials 0.620 0.170" in words
    assert "Deflated Sharpe ratio, effective trials 0.830 –" in words
    assert "Sharpe ratio of the best without skill 0.90 –" in words


def test_without_trials_nothing_is_said_of_luck_targets_or_touched_windows(page):
    words = visible(page)
    for absent in ("luck", "Targets", "contaminated"):
        assert absent not in words


def test_targets_are_shown_where_the_run_has_some(tmp_path, result):
    row = {"phase": "phase3", "what": "sharpe", "relation": "at least", "target": 3.3}
    rows = [{**row, "figure": 0.82, "low": 0.3, "high": 1.36, "met": False}]
    words = visible(written(tmp_path, result, targets=rows))
    assert (
        "Phase 3: Sharpe ratio the published ensemble, run as it is at least 3.30 0.82 0.30 to 1.36 no"
        in words
    )


def test_stamps_are_badges_and_the_gravest_is_a_watermark(tmp_path, result):
    page = written(tmp_path, result, stamps=["LOOKAHEAD", "ZERO COSTS"], synthetic=True)
    assert "<li>SYNTHETIC</li><li>LOOKAHEAD</li><li>ZERO COSTS</li>" in page
    assert '<div class="watermark" aria-hidden="true"><span>LOOKAHEAD</span></div>' in page
    assert "traded at the next open" not in page
    page = written(tmp_path, result, stamps=["ZERO COSTS"], synthetic=True)
    assert '<div class="watermark" aria-hidden="true"><span>SYNTHETIC</span></div>' in page


def test_a_run_on_real_data_has_no_watermark(tmp_path, result):
    page = written(tmp_path, result, stamps=[], synthetic=False)
    assert 'class="watermark"' not in page
    assert 'class="stamps"' not in page


def test_warnings_notes_thin_coverage_and_refusals_are_shown(page, result):
    words = visible(page)
    for text in (*result.metrics["warnings"], *result.metrics["notes"]):
        assert text in words
    assert '<td class="flag">23 %</td>' in page
    refusal = result.metrics["orders"]["refusals"][-1]
    assert f"{refusal['date']} {refusal['symbol']}" in words


def test_long_lists_are_folded_and_complete(tmp_path, result):
    page = written(tmp_path, result, warnings=[f"warning number {i}" for i in range(40)])
    assert "<summary>28 more</summary>" in page
    assert all(f"warning number {i}" in page for i in range(40))


def test_fees_that_do_not_reconcile_are_flagged(tmp_path, result):
    assert "agrees to the cent" in visible(written(tmp_path, result))
    costs = {**result.metrics["costs"], "reconciles": False}
    assert '<span class="flag">differs</span>' in written(tmp_path, result, costs=costs)


def test_everything_that_was_not_modelled_is_listed(page):
    assert all(item in visible(page).replace("&#x27;", "'") for item in NOT_MODELLED)


def test_provenance_is_shown_in_full(page, result):
    words = visible(page)
    for value in (
        result.digest,
        result.provenance["git_commit"],
        result.provenance["data"]["panel_sha256"],
        "1.9.78.123",
    ):
        assert value in words


def test_every_string_from_data_is_escaped(tmp_path, result):
    evil = "</script><img src=x onerror=alert(1)>"
    hostile = dataclasses.replace(
        result,
        strategy=evil,
        provenance={evil: evil, "list": [evil]},
        sleeves={evil: result.sleeves["cash"]},
        metrics={
            **result.metrics,
            "strategy": evil,
            "baseline": evil,
            "stamps": [evil],
            "warnings": [evil],
            "notes": [evil],
            "windows": [{**result.metrics["windows"][0], "name": evil}],
            "attribution": {evil: {"sessions": 1, "contribution": 0.1}},
            "coverage": {evil: 0.4},
            "rounding": {evil: evil},
            "orders": {"submitted": 1, "refusals": [{evil: evil}]},
            "touched": [{"name": evil, "start": evil, "end": evil, "run": evil, "reason": evil}],
            "targets": [{"phase": evil, "what": evil, "relation": evil}],
        },
    )
    page = own_text(build_report(write_run(tmp_path, hostile, stamp=STAMP)))
    assert "<img" not in page
    assert page.count("</script>") == 3
    assert page.count("&lt;img") >= 15


@pytest.mark.parametrize(
    "absent", ["performance", "costs", "windows", "attribution", "orders", "coverage", "exposure"]
)
def test_an_absent_section_leaves_the_rest(tmp_path, result, absent):
    page = written(tmp_path, result, **{absent: None})
    assert "What was not modelled" in visible(page)


def test_figures_that_do_not_exist_are_dashes(tmp_path):
    page = build_report(write_run(tmp_path, example_run(sessions=1), stamp=STAMP))
    assert re.search(r"Sharpe ratio – equal_weight –", visible(page))
    assert "nan" not in visible(page).lower().split()
    assert "None" not in visible(page)
    assert "fewer than 252 returns" in visible(page)


@pytest.mark.parametrize(
    ("file", "edit", "message"),
    [
        ("equity.csv", None, "equity.csv is missing"),
        ("equity.csv", lambda s: "", "equity.csv has no column 'date'"),
        ("equity.csv", lambda s: s.splitlines()[0], "equity.csv holds no session"),
        ("equity.csv", lambda s: s.replace("nav", "vna", 1), "equity.csv has no column 'nav'"),
        (
            "equity.csv",
            lambda s: s.replace("2010-01-05,", "2010-01-05,x", 1),
            "equity.csv, column nav: could not",
        ),
        ("equity.csv", lambda s: s.replace("2010-01-04", "yesterday", 1), "equity.csv, column date: Error"),
        ("sleeves.csv", lambda s: s + "2030-01-01,1\n", "line 4026 has another number of values"),
        (
            "regime.csv",
            lambda s: s.replace("2010-01-04", "2010-01-03", 1),
            "regime.csv and equity.csv differ",
        ),
        ("trades.csv", lambda s: s + "2035-01-01,S001,BUY,1.0,1.0,0.1,x\n", "trades.csv has a date"),
        ("metrics.json", lambda s: "{}x", "metrics.json cannot be read"),
    ],
)
def test_a_damaged_run_folder_gives_one_error_that_names_the_file(tmp_path, result, file, edit, message):
    folder = write_run(tmp_path, result, stamp=STAMP)
    path = folder / file
    if edit is None:
        path.unlink()
    else:
        path.write_text(edit(path.read_text()))
    with pytest.raises(DataError, match=message):
        write_report(folder)
    assert not list(folder.glob("report*"))


def test_without_plotly_the_error_names_the_command_that_installs_it(monkeypatch, run):
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    with pytest.raises(ConfigError, match=r'pip install "plotly'):
        build_report(run)


def test_importing_the_report_does_not_import_plotly_or_pandas():
    code = "import sys, ares7.tearsheet, ares7.runs; sys.exit(bool({'plotly', 'pandas'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_sixteen_years_build_in_well_under_two_seconds(run):
    build_report(run)
    began = time.perf_counter()
    build_report(run)
    assert time.perf_counter() - began < 1.5


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", [0, 1])
@pytest.mark.parametrize("background", ["paper", "panel"])
@pytest.mark.parametrize("ink", ["ink", "muted", "alarm"])
def test_text_has_the_contrast_that_wcag_aa_asks_for(theme, background, ink):
    block = STYLE.split("@media screen and (prefers-color-scheme: dark)")[theme]
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
    light, dark = sorted((luminance(colours[background]), luminance(colours[ink])), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5
