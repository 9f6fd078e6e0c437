"""What must not matter, and what a row must be: warm-up, order of symbols, units of price, missing values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ares7.audit.causality import causality_checks
from ares7.audit.finding import Severity
from ares7.audit.invariance import Permutation, Scale, WarmUp
from ares7.audit.missing import MissingValues
from ares7.book import Sleeve, month_end_rows, single_sleeve
from ares7.errors import MissingData
from ares7.signals.cross_section import best_first
from strategies import equal_weight, fixed_mix, low_volatility, template
from tests.audit.planting import Windows, at_month_ends, move, panel_of_leaks, subject_of
from tests.contracts.panels import market

EQUAL = equal_weight.Params()


def only(check, weights, settings=EQUAL, panel=None, **account):
    (finding,) = check.run(subject_of(weights, settings, panel, **account))
    assert finding.check == check.id
    return finding


def held(weights_of):
    """A strategy that writes its month-end rows itself, past every safeguard of `assemble`."""

    def weights(panel, settings):
        targets = equal_weight.weights(panel, settings)
        return replace(targets, weights=np.ascontiguousarray(weights_of(panel, targets.weights.copy())))

    return weights


def test_every_check_has_an_id_of_its_own_and_a_title():
    checks = causality_checks()
    assert [c.id for c in checks] == ["D1", "D5", "D12", "D19", "D20", "D21", "D22"]
    assert len({c.title for c in checks}) == len(checks)


# D19


def test_d19_a_warmup_that_is_too_short_is_found_and_the_right_one_told():
    settings = Windows(rows=60)

    def reads_more(panel, given):
        return at_month_ends(panel, move(panel.fields["close"], 150), given)

    finding = only(WarmUp(), reads_more, settings)
    assert finding.severity is Severity.FAILURE
    assert finding.evidence["warmup"] == settings.warmup
    # The month end may lie up to 22 rows back, and its signal reads 151 rows.
    assert 151 <= finding.evidence["enough_rows"] <= 151 + 22
    assert str(finding.evidence["enough_rows"]) in finding.remedy
    enough = Windows(rows=151)
    assert only(WarmUp(), reads_more, enough).severity is Severity.PASS


def test_d19_memory_of_everything_is_never_enough():
    def expanding(panel, settings):
        moves = np.nan_to_num(move(panel.fields["close"], 1))
        return at_month_ends(
            panel, np.cumsum(moves, axis=0) / np.arange(1, len(moves) + 1)[:, None], settings
        )

    finding = only(WarmUp(), expanding, Windows(rows=60))
    assert finding.severity is Severity.FAILURE
    assert finding.evidence["differing_dates"] > 1


def test_d19_running_sums_differ_by_rounding_which_passes_and_is_told():
    def running(panel, settings):
        targets = equal_weight.weights(panel, settings)
        total = np.cumsum(np.full(len(panel.dates), 0.1))
        return replace(targets, weights=targets.weights * (1.0 + 1e-3 * (total - total))[:, None])

    assert only(WarmUp(), running).severity is Severity.PASS


def test_d19_code_that_raises_on_a_short_past_is_a_finding():
    def needs_more(panel, settings):
        if len(panel.dates) < 100:
            raise IndexError("index 99 is out of bounds")
        return equal_weight.weights(panel, settings)

    finding = only(WarmUp(), needs_more)
    assert finding.severity is Severity.FAILURE
    assert "raises on the last 24 rows" in finding.message


def test_d19_does_not_blame_the_warmup_for_a_leak_of_the_future():
    def tomorrow(panel, settings):
        close = panel.fields["close"]
        later = np.concatenate([close[1:], close[-1:]])
        return at_month_ends(panel, later / close, settings)

    assert only(WarmUp(), tomorrow, Windows(rows=30)).severity is Severity.PASS


class LongWindow(equal_weight.Params):
    @property
    def lookback(self) -> int:
        return 900


def test_d19_is_skipped_where_the_panel_is_shorter_than_the_warmup():
    finding = only(WarmUp(), equal_weight.weights, LongWindow())
    assert finding.severity is Severity.SKIPPED
    assert "923" in finding.message


# D20


def test_d20_ties_by_the_place_of_the_column_warn_and_ties_by_symbol_pass():
    def counted(panel, settings):
        return at_month_ends(panel, np.where(panel.bar, 1.0, np.nan), settings)

    def by_symbol(panel, settings):
        rows = month_end_rows(panel)
        usable = (panel.bar & panel.member & panel.is_stock)[rows]
        weights = np.zeros(usable.shape)
        for i in range(len(rows)):
            weights[i, best_first(np.zeros(panel.shape[1]), usable[i], panel.symbol_rank)[:8]] = 1 / 8
        return single_sleeve(panel, "first", Sleeve(rows, weights), settings.gross)

    finding = only(Permutation(), counted)
    assert finding.severity is Severity.WARNING
    assert "symbol_rank" in finding.remedy
    assert only(Permutation(), by_symbol).severity is Severity.PASS


def test_d20_a_hard_coded_column_fails():
    def third_column(panel, weights):
        weights[:, 3] = 0.0
        return weights

    finding = only(Permutation(), held(third_column))
    assert finding.severity is Severity.FAILURE
    assert "panel.symbols" in finding.remedy


def test_d20_weights_that_land_in_the_wrong_columns_fail():
    finding = only(Permutation(), held(lambda panel, weights: np.roll(weights, 1, axis=1)))
    assert finding.severity is Severity.FAILURE


@pytest.mark.parametrize("severity", [Severity.WARNING, Severity.FAILURE])
def test_d20_tells_ties_from_places_without_funds(severity):
    panel = panel_of_leaks()
    panel = panel.columns(np.flatnonzero(panel.is_stock))

    def counted(panel, settings):
        return at_month_ends(panel, np.where(panel.bar, np.arange(40) < 20, np.nan) * 1.0, settings)

    def ties(panel, settings):
        # Two names at the margin are equal.
        score = np.floor(np.argsort(np.argsort(panel.symbol_rank)) / 3.0)
        return at_month_ends(panel, np.where(panel.bar, score, np.nan), settings)

    weights = ties if severity is Severity.WARNING else counted
    assert only(Permutation(), weights, panel=panel).severity is severity


def test_d20_is_skipped_with_one_symbol():
    panel = panel_of_leaks()
    assert only(Permutation(), equal_weight.weights, panel=panel.columns([0])).severity is Severity.SKIPPED


def test_d20_code_that_raises_is_a_finding():
    def sorted_only(panel, settings):
        if list(panel.symbols) != sorted(panel.symbols):
            raise RuntimeError("unsorted")
        return equal_weight.weights(panel, settings)

    finding = only(Permutation(), sorted_only)
    assert finding.severity is Severity.FAILURE
    assert "RuntimeError: unsorted" in finding.message


# D21


@pytest.mark.parametrize(
    ("field", "severity"),
    [("close", Severity.FAILURE), ("price", Severity.FAILURE), ("index", Severity.FAILURE)],
)
def test_d21_levels_of_prices_and_index_fail(field, severity):
    if field != "index":
        limit = float(np.nanmedian(panel_of_leaks().fields[field][300]))
    else:
        limit = float(panel_of_leaks().series["index"][400])

    def against_a_limit(panel, settings):
        values = panel.fields.get(field, panel.series["index"][:, None])
        usable = panel.bar & (values < limit)
        return at_month_ends(panel, np.where(usable, move(panel.fields["close"], 20), np.nan), settings)

    finding = only(Scale(), against_a_limit, Windows(rows=30))
    assert finding.severity is severity
    assert finding.evidence["rows"] > 0


def test_d21_turnover_in_usd_is_unchanged_by_a_split_and_passes():
    def turnover(panel, settings):
        return at_month_ends(panel, panel.fields["price"] * panel.fields["volume"], settings)

    assert only(Scale(), turnover).severity is Severity.PASS


def test_d21_turnover_in_total_return_prices_warns_because_dividends_rescale_them():
    def turnover(panel, settings):
        return at_month_ends(panel, panel.fields["close"] * panel.fields["volume"], settings)

    finding = only(Scale(), turnover)
    assert finding.severity is Severity.WARNING
    assert "dividend" in finding.message


def test_d21_rounding_of_logarithms_passes():
    def logarithms(panel, settings):
        logs = np.log(panel.fields["close"])
        score = np.full(logs.shape, np.nan)
        score[20:] = logs[20:] - logs[:-20]
        return at_month_ends(panel, score, settings)

    assert only(Scale(), logarithms).severity is Severity.PASS


def test_d21_a_price_weighted_book_fails_though_one_factor_for_all_changes_nothing():
    def by_price(panel, weights):
        prices = np.where(weights > 0, np.nan_to_num(panel.fields["close"]), 0.0)
        return prices / np.maximum(prices.sum(axis=1, keepdims=True), 1e-9) * 0.98

    finding = only(Scale(), held(by_price))
    assert finding.severity is Severity.FAILURE
    assert "each name" in finding.message


# D22


def test_d22_not_a_number_fails():
    def leaves_nan(panel, weights):
        return np.where(panel.bar | (weights == 0), weights, np.nan)

    finding = only(MissingValues(), held(leaves_nan))
    assert finding.severity is Severity.FAILURE
    assert "is not a number" in finding.message


def test_d22_nan_that_only_holes_bring_out_fails():
    def by_the_sum_of_three_stocks(panel, weights):
        total = panel.fields["roe"][:, panel.is_stock][:, :3].sum(axis=1)
        return weights * np.where(np.isfinite(total), 1.0, np.nan)[:, None]

    panel = panel_of_leaks()
    whole = panel.fields["roe"].copy()
    whole[:] = 0.1
    finding = only(
        MissingValues(),
        held(by_the_sum_of_three_stocks),
        panel=replace(panel, fields={**panel.fields, "roe": whole}),
    )
    assert finding.severity is Severity.FAILURE
    assert (
        "where every fifth stock has no bar" in finding.message or "where bars have holes" in finding.message
    )


def test_d22_a_negative_weight_fails_without_margin_and_passes_with_it():
    def short(panel, weights):
        weights[:, 3] = -weights[:, 3]
        return weights

    finding = only(MissingValues(), held(short))
    assert finding.severity is Severity.FAILURE
    assert "is negative" in finding.message
    passed = only(MissingValues(), held(short), margin=True, financing_bps=100)
    assert passed.severity is Severity.PASS


def test_d22_more_than_gross_fails():
    finding = only(MissingValues(), held(lambda panel, weights: weights * 1.01))
    assert finding.severity is Severity.FAILURE
    assert "sums to 0.9898, more than gross 0.98" in finding.message


def test_d22_a_weight_before_the_first_bar_fails_and_names_symbol_and_date():
    def early(panel, weights):
        column = panel.symbols.index("S03")  # listed 300 sessions before the end
        weights *= 0.9
        weights[:, column] = np.where(weights.any(axis=1), 1e-3, 0.0)
        return weights

    finding = only(MissingValues(), held(early), panel=market(4, 620, 300))
    assert finding.severity is Severity.FAILURE
    assert finding.evidence["symbol"] == "S03"
    assert finding.evidence["first_date"] == str(market(4, 620, 300).dates[300])
    assert "first bar" in finding.message


def test_d22_a_name_that_stopped_trading_warns():
    def stubborn(panel, weights):
        rows = np.flatnonzero(panel.bar.any(axis=0) & ~panel.bar[-30:].any(axis=0))
        seen = np.logical_or.accumulate(panel.bar, axis=0)
        weights *= 0.9
        weights[:, rows] = np.where(weights.any(axis=1)[:, None] & seen[:, rows], 1e-3, 0.0)
        return weights

    finding = only(MissingValues(), held(stubborn))
    assert finding.severity is Severity.WARNING
    assert "tradable" in finding.remedy


def test_d22_a_refusal_with_a_clear_error_is_allowed_and_a_crash_is_not():
    complete = np.isfinite(panel_of_leaks().fields["close"]).mean()

    def strict(error):
        def weights(panel, settings):
            if np.isfinite(panel.fields["close"]).mean() < complete:
                raise error("a name has no bar")
            return equal_weight.weights(panel, settings)

        return weights

    assert only(MissingValues(), strict(MissingData)).severity is Severity.PASS
    finding = only(MissingValues(), strict(KeyError))
    assert finding.severity is Severity.FAILURE
    assert "KeyError" in finding.message


@pytest.mark.parametrize(
    ("weights", "settings"),
    [
        (equal_weight.weights, EQUAL),
        (template.weights, template.Params(period=60)),
        (low_volatility.weights, low_volatility.Params(beta_window=63)),
        (fixed_mix.weights, fixed_mix.Params()),
    ],
)
def test_what_is_sound_passes_all_four(weights, settings):
    for check in (WarmUp(), Permutation(), Scale(), MissingValues()):
        assert only(check, weights, settings).severity is Severity.PASS
