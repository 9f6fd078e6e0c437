"""The audit in a report and on the terminal: worst first, as found, and a failing one marks the whole page."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ares7.audit.runner import Audit
from ares7.screen_audit import show_audit
from ares7.tearsheet import build_report
from tests.report.example_audit import COSTS, FAILING, PASSING, PREFIX, audited
from tests.report.page_text import own_text, tables, visible

MARK = '<div class="watermark failed"'


@pytest.fixture(scope="module")
def failing(tmp_path_factory):
    return audited(tmp_path_factory.mktemp("failing"), *FAILING)


@pytest.fixture(scope="module")
def page(failing) -> str:
    return (failing / "report.html").read_text(encoding="utf-8")


def audit_tables(page):
    return [rows for rows in tables(page) if rows[0][0] == "check"]


def test_it_is_rebuilt_to_the_same_bytes(failing, page):
    assert build_report(failing) == page


def test_every_finding_stands_in_the_page_the_worst_first_and_those_that_pass_are_folded(page, failing):
    found = json.loads((failing / "metrics.json").read_text())["audit"]["findings"]
    order = ["failure", "warning", "skipped", "pass"]
    expected = sorted(found, key=lambda f: order.index(f["severity"]))
    loud, passed = audit_tables(page)
    assert len(loud) - 1 == sum(f["severity"] != "pass" for f in found)
    for row, finding in zip([*loud[1:], *passed[1:]], expected, strict=True):
        assert row[0] == f"{finding['severity']} {finding['check']} | {finding['title']}"
        assert row[1].startswith(finding["message"])
        assert row[2:] == ([] if finding["severity"] == "pass" else [finding["remedy"]])
    before = own_text(page).split('<details class="passed"><summary>2 findings pass</summary>')[0]
    assert COSTS.message not in before
    assert PREFIX.message in before


def test_the_evidence_begins_with_when_which_name_and_which_input(page):
    shown = own_text(page).split(PREFIX.message)[1].split("</details>")[0]
    assert shown.startswith("<details><summary>evidence</summary>")
    names = [part.split("</dt>")[0] for part in shown.split("<dt>")[1:]]
    assert names == ["first date", "symbol", "fields", "leaking dates"]
    for value in ("2011-02-04", "S172", "close, index", "37"):
        assert f"<dd>{value}</dd>" in shown
    assert "<dt>raw / fees usd</dt><dd>1,234.5</dd>" in own_text(page)


def test_a_check_counts_once_in_the_headline_whatever_it_found(page):
    told = visible(page)
    assert "6 checks, 2 failed: prefix invariance (D1), future perturbation (D5)." in told
    assert "1 warns: Extra lag (D2). 1 could not be made." in told


def test_a_failure_marks_title_stamps_and_the_whole_page(page):
    assert "<title>AUDIT FAILED: regime_ensemble, " in page
    assert "<li>AUDIT FAILED</li>" in page
    assert MARK in page


def test_without_a_failure_nothing_is_marked_and_nothing_is_open(tmp_path):
    page = (audited(tmp_path, *PASSING) / "report.html").read_text(encoding="utf-8")
    assert "2 checks, none failed." in visible(page)
    assert len(audit_tables(page)) == 1
    assert "AUDIT FAILED" not in visible(page)
    assert "<title>regime_ensemble, " in page
    assert MARK not in page


def test_a_backtest_shows_an_audit_that_it_holds_and_no_section_without_one(failing, tmp_path, changed):
    page = (audited(tmp_path, *FAILING, kind="backtest") / "report.html").read_text(encoding="utf-8")
    assert len(audit_tables(page)) == 2
    plain = build_report(changed(failing, audit=None))
    assert audit_tables(plain) == []
    assert "<h2>Audit</h2>" not in plain
    assert MARK not in plain


def test_hostile_findings_are_shown_and_not_run(tmp_path):
    evil = "</table><img src=x onerror=alert(1)>"
    hostile = replace(PREFIX, check=evil, title=evil, message=evil, remedy=evil, evidence={evil: evil})
    page = own_text((audited(tmp_path, hostile) / "report.html").read_text(encoding="utf-8"))
    assert "<img" not in page
    # Headline, its id, check, title, message, name and value of the evidence, remedy.
    assert page.count("&lt;/table&gt;&lt;img src=x onerror=alert(1)&gt;") == 8


def test_the_terminal_shows_failures_and_their_remedy_first_and_folds_long_messages(capsys):
    long = replace(PREFIX, message="a word " * 40)
    show_audit(Audit("mine", (*FAILING, long)).to_dict())
    shown = capsys.readouterr().out
    assert "audit of mine: 4 failed, 1 warned, 1 skipped, 2 passed" in shown
    places = [shown.index(word) for word in ("FAILURE", "-> compute row t", "WARNING", "skipped │", "pass ")]
    assert places == sorted(places)
    assert max(line.count("a word") for line in shown.splitlines()) == 14
    assert shown.count("FAILURE") == 4


def test_the_terminal_says_so_when_everything_passes(capsys):
    show_audit(Audit("mine", PASSING).to_dict())
    shown = capsys.readouterr().out
    assert "audit of mine: 2 passed" in shown
    assert shown.count("checked") == 1
