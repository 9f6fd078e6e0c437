"""Item 1 of the audit: planted causality bugs are caught and named, our own strategies pass."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from ares7.audit.causality import ExposureOfThePast, FuturePerturbation, PrefixInvariance
from ares7.audit.comparison import decided
from ares7.audit.finding import Severity
from ares7.book import Targets
from ares7.errors import MissingData
from strategies import equal_weight, low_volatility, template
from tests.audit import leaky, leaky_inputs
from tests.audit.planting import SMALL, at_month_ends, failures, findings_of, move, panel_of_leaks, subject_of
from tests.contracts.panels import market, with_fields

PLANTED = {**leaky.PLANTED, **leaky_inputs.PLANTED}
CAUSAL_IDS = ("D1", "D5", "D12")


def decide_as(weights, settings=SMALL):
    """A strategy from a plain function of the panel to a (T, N) score."""
    return lambda panel, given: at_month_ends(panel, weights(panel), given)


def past_momentum(panel):
    return move(panel.fields["close"], 60)


def test_at_least_twenty_five_different_bugs_are_planted():
    assert len(PLANTED) >= 25


@cache
def told_about(name):
    """Failures of prefixes and other futures about a planted bug."""
    planted = PLANTED[name]
    subject = subject_of(planted.weights, planted.settings, name=name)
    return subject, failures(findings_of(subject, ("D1", "D5")))


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_bug_is_caught_and_the_input_is_named(name):
    subject, told = told_about(name)
    assert told
    assert set().union(*(f.evidence["fields"] for f in told)) == PLANTED[name].fields
    for finding in told:
        assert all(field in finding.message for field in finding.evidence["fields"])
        assert finding.evidence["symbol"] in subject.panel.symbols
        assert finding.remedy
        assert "\n" not in finding.message


@pytest.mark.parametrize("name", PLANTED)
def test_the_date_and_the_symbol_that_are_named_really_leak(name):
    subject, told = told_about(name)
    for finding in failures(told, "D1"):
        panel = subject.panel
        until, row = (
            int(np.searchsorted(panel.dates, np.datetime64(finding.evidence[key])))
            for key in ("data_until", "first_date")
        )
        assert panel.start_row <= row <= until
        prefix = decided(subject, panel.upto(until))
        column = panel.symbols.index(finding.evidence["symbol"])
        gap = abs(prefix.weights[row, column] - subject.targets.weights[row, column])
        assert gap > 1e-9 or prefix.decide[row] != subject.targets.decide[row]
        same = slice(panel.start_row, row)
        np.testing.assert_allclose(prefix.weights[same], subject.targets.weights[same], rtol=0, atol=1e-12)


def test_the_same_seed_gives_the_same_findings():
    planted = PLANTED["tilt_before_its_event"]
    subject = subject_of(planted.weights, planted.settings)
    assert [f.to_dict() for f in findings_of(subject)] == [f.to_dict() for f in findings_of(subject)]


def test_checks_work_alone_and_give_what_they_give_together():
    planted = PLANTED["prices_of_tomorrow"]
    subject = subject_of(planted.weights, planted.settings)
    together = {f.check: f.to_dict() for f in findings_of(subject)}
    for check in (PrefixInvariance(), ExposureOfThePast()):
        assert [f.to_dict() for f in check.run(subject)] == [together[check.id]]


def test_one_check_serves_many_subjects():
    check = PrefixInvariance()
    planted = PLANTED["prices_of_tomorrow"]
    honest = subject_of(template.weights, planted.settings)
    assert failures(check.run(subject_of(planted.weights, planted.settings)))
    assert not failures(check.run(honest))


def test_a_leak_is_dated_at_the_first_decision_that_reads_later_rows():
    """From row 420 on the strategy ranks by tomorrow: bisection finds the first month end after it."""

    def from_then_on(panel, settings):
        close = panel.fields["close"]
        score = move(close, 60)
        score[420:] = np.concatenate([close[421:] / close[420:-1], np.ones_like(close[:1])])[
            : len(score) - 420
        ]
        return at_month_ends(panel, score[: len(close)], settings)

    subject = subject_of(from_then_on)
    panel = subject.panel
    ends = np.flatnonzero(panel.month_end)
    (finding,) = failures(findings_of(subject, ("D1",)))
    assert finding.evidence["first_date"] == str(panel.dates[ends[ends >= 420][0]])
    assert finding.evidence["fields"] == ["close"]
    assert 1 <= finding.evidence["leaking_dates"] < finding.evidence["sampled_dates"]


def test_the_number_of_dates_and_the_largest_difference_are_told():
    planted = PLANTED["delisted_names_dropped"]
    finding = failures(findings_of(subject_of(planted.weights, planted.settings), ("D1",)))[0]
    evidence = finding.evidence
    assert 12 <= evidence["leaking_dates"] <= evidence["sampled_dates"]
    assert 0 < evidence["largest_weight_difference"] < 1
    assert f"{evidence['leaking_dates']} of {evidence['sampled_dates']} dates" in finding.message


def test_what_happens_before_the_start_session_is_nobodys_business():
    def careless(panel, settings):
        targets = equal_weight.weights(panel, settings)
        weights = targets.weights.copy()
        weights[: panel.start_row] = float(len(panel.dates))
        return replace(targets, weights=weights)

    assert not failures(findings_of(subject_of(careless, equal_weight.Params()), CAUSAL_IDS))


def test_a_decision_mask_that_leaks_is_found_though_the_weights_do_not():
    def decides_at_the_last_row(panel, settings):
        targets = equal_weight.weights(panel, settings)
        decide = targets.decide.copy()
        decide[-1] = True
        return replace(targets, decide=decide)

    (finding,) = failures(findings_of(subject_of(decides_at_the_last_row, equal_weight.Params()), ("D1",)))
    assert finding.evidence["differs_in"] == "decide"
    assert finding.evidence["fields"] == ["the number of rows"]
    assert finding.evidence["largest_weight_difference"] == 0


def test_rounding_is_no_leak_and_a_negligible_difference_warns():
    def rounded(relative):
        def weights(panel, settings):
            targets = equal_weight.weights(panel, settings)
            return replace(targets, weights=targets.weights * (1.0 + relative * len(panel.dates)))

        return findings_of(subject_of(weights, equal_weight.Params()), ("D1",))

    assert [f.severity for f in rounded(1e-16)] == [Severity.PASS]
    assert [f.severity for f in rounded(1e-12)] == [Severity.WARNING]
    assert [f.severity for f in rounded(1e-8)] == [Severity.FAILURE]


def test_code_that_raises_on_a_prefix_is_a_finding_not_a_traceback():
    def needs_all(panel, settings):
        if len(panel.dates) < 500:
            raise ValueError("too short\nsecond line")
        return equal_weight.weights(panel, settings)

    findings = findings_of(subject_of(needs_all, equal_weight.Params()))
    (finding,) = failures(findings, "D1")
    assert finding.message.startswith("weights raises on data up to ")
    assert "ValueError: too short" in finding.message
    assert "\n" not in finding.message
    assert failures(findings, "D19")


def test_code_that_raises_on_another_future_is_a_finding():
    known = panel_of_leaks().series["vix"][-1]

    def remembers_the_end(panel, settings):
        if len(panel.dates) == 620 and panel.series["vix"][-1] != known:
            raise KeyError("vix")
        return equal_weight.weights(panel, settings)

    (finding,) = failures(findings_of(subject_of(remembers_the_end, equal_weight.Params()), ("D5",)))
    assert finding.message.startswith("weights raises when everything after ")

    def remembers_the_window(panel, settings):
        if panel.series["vix"].max() > 1.5 * panel_of_leaks().series["vix"].max():
            raise KeyError("vix")
        return equal_weight.weights(panel, settings)

    (finding,) = failures(findings_of(subject_of(remembers_the_window, equal_weight.Params()), ("D5",)))
    assert finding.evidence["fields"] == ["vix"]
    assert finding.message.startswith("weights raises when vix after ")


def test_a_refusal_of_holes_in_the_future_is_no_leak():
    def refuses_holes(panel, settings):
        inside = panel.bar[:, panel.is_stock]
        if (~inside).mean() > 0.25:
            raise MissingData("too many holes")
        return equal_weight.weights(panel, settings)

    findings = findings_of(subject_of(refuses_holes, equal_weight.Params()), ("D5",))
    assert not failures(findings)
    assert findings[0].evidence["refused"] > 0


@pytest.mark.parametrize("wrong", [None, "rows", "columns"])
def test_an_answer_of_another_shape_is_a_finding_and_the_rest_is_skipped(wrong):
    def misshapen(panel, settings):
        given = equal_weight.weights(panel, settings)
        if wrong is None:
            return given.weights
        cut = given.weights[1:] if wrong == "rows" else given.weights[:, 1:]
        return Targets(cut, given.decide, given.on_switch)

    findings = findings_of(subject_of(misshapen, equal_weight.Params()))
    assert [f.severity for f in findings] == [Severity.FAILURE] + [Severity.SKIPPED] * 6
    assert "gives" in findings[0].message


def test_a_strategy_that_raises_on_everything_is_one_failure_and_skips():
    def broken(panel, settings):
        raise ZeroDivisionError("division by zero")

    findings = findings_of(subject_of(broken))
    assert [f.severity for f in findings] == [Severity.FAILURE] + [Severity.SKIPPED] * 6
    assert "ZeroDivisionError: division by zero" in findings[0].message


def test_a_strategy_that_answers_the_same_question_twice_differently_is_named_so():
    rng = np.random.default_rng(1)

    def noisy(panel, settings):
        return at_month_ends(panel, rng.standard_normal(panel.shape), settings)

    findings = findings_of(subject_of(noisy))
    assert "two calls on the same data differ" in findings[0].message
    assert [f.severity for f in findings] == [Severity.FAILURE] + [Severity.SKIPPED] * 6


def test_d12_names_the_constant_of_an_ex_post_scaling():
    planted = PLANTED["volatility_scaled_ex_post"]
    (finding,) = failures(findings_of(subject_of(planted.weights, planted.settings), ("D12",)))
    assert "one number that was fitted on later data" in finding.message
    assert finding.evidence["factor"] != 1
    assert finding.evidence["exposure_then"] == pytest.approx(
        finding.evidence["exposure"] * finding.evidence["factor"]
    )


def test_d12_tells_a_leak_in_some_sessions_from_a_constant():
    planted = PLANTED["drawdown_guard_that_knows_tomorrow"]
    (finding,) = failures(findings_of(subject_of(planted.weights, planted.settings), ("D12",)))
    assert finding.evidence["factor"] is None
    assert finding.evidence["exposure"] != finding.evidence["exposure_then"]


def test_d12_reads_the_risk_scale_too():
    def scaled(panel, settings):
        targets = equal_weight.weights(panel, settings)
        scale = np.where(np.arange(len(panel.dates)) < len(panel.dates) - 1, 1.0, 0.5)
        return replace(targets, scale=scale)

    assert failures(findings_of(subject_of(scaled, equal_weight.Params()), ("D12",)))


def test_d12_passes_where_a_leak_leaves_the_exposure_alone():
    planted = PLANTED["prices_of_tomorrow"]
    findings = findings_of(subject_of(planted.weights, planted.settings), ("D12",))
    assert [f.severity for f in findings] == [Severity.PASS]


def test_d5_names_each_input_in_a_finding_of_its_own():
    planted = PLANTED["beta_of_the_whole_sample"]
    told = failures(findings_of(subject_of(planted.weights, planted.settings), ("D5",)))
    assert [f.evidence["fields"] for f in told] == [["close"], ["index"]]


def test_d5_finds_what_only_two_inputs_together_change():
    """Next month's volume counts only while next month's VIX is not what it is."""
    known = panel_of_leaks().series["vix"]

    def conspires(panel, settings):
        same = np.array_equal(panel.series["vix"], known[: len(panel.dates)])
        volume = np.nan_to_num(panel.fields["volume"])
        return at_month_ends(panel, move(panel.fields["close"], 60) + (0 if same else volume[-1]), settings)

    assert failures(findings_of(subject_of(conspires), ("D5",)))


def test_d5_is_skipped_without_a_later_row():
    panel = market(1, 300, 298).upto(299)
    one = subject_of(equal_weight.weights, equal_weight.Params(), panel.starting(panel.dates[-1]))
    assert [f.severity for f in FuturePerturbation().run(one)] == [Severity.SKIPPED]


def test_a_panel_without_fundamentals_events_volume_or_series_is_enough():
    panel = panel_of_leaks()
    panel = replace(panel, fields={k: panel.fields[k] for k in ("open", "high", "low", "close")}, series={})
    findings = findings_of(subject_of(decide_as(past_momentum), panel=panel))
    assert not failures(findings)
    assert next(f for f in findings if f.check == "D5").evidence["fields"] == ["prices", "membership"]


def test_any_field_that_the_panel_has_is_perturbed():
    panel = with_fields(panel_of_leaks(), short_interest=np.random.default_rng(0).random((620, 46)))
    whole = decide_as(lambda p: np.broadcast_to(np.nanmean(p.fields["short_interest"], axis=0), p.shape))
    told = failures(findings_of(subject_of(whole, panel=panel), ("D1", "D5")))
    assert [f.evidence["fields"] for f in told] == [["short_interest"], ["short_interest"]]


def test_nothing_of_the_panel_is_changed():
    panel = panel_of_leaks()
    before = {name: values.copy() for name, values in panel.fields.items()}
    findings_of(subject_of(low_volatility.weights, low_volatility.Params(beta_window=63)))
    for name, values in before.items():
        assert np.array_equal(values, panel.fields[name], equal_nan=True)
