"""D6, D7: inputs that are declared and never read, and events that act before they are known, are named."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from pydantic import Field

from ares7.audit import events, inputs
from ares7.audit.events import EventAlignment
from ares7.audit.finding import Severity
from ares7.audit.inputs import Ablation, named_weights, panel_inputs
from ares7.audit.perturbation import PRICES
from ares7.audit.subject import Subject
from ares7.book import Sleeve, month_end_rows, single_sleeve
from ares7.config import AccountConfig
from ares7.costs import BpsCosts
from ares7.params import BookParams
from feeds.filings import SLOTS
from strategies import low_volatility, quality_momentum, regime_ensemble
from strategies.low_volatility import Params as LowVolatility
from strategies.quality_momentum import Params as QualityMomentum
from strategies.regime_ensemble import Params as Ensemble
from tests.contracts.panels import QUALITY, market, with_fields


class Declared(BookParams):
    """Declares whatever a test wants."""

    needs: frozenset[str] = frozenset()
    surprise_weight: float = Field(default=0.0, ge=0)

    @property
    def requires(self) -> frozenset[str]:
        return self.needs


class DeclaresVix(LowVolatility):
    @property
    def requires(self) -> frozenset[str]:
        return frozenset({"index", "vix"})


def subject(weights, settings, panel=None) -> Subject:
    panel = market() if panel is None else panel
    sessions = len(panel.dates) - panel.start_row
    return Subject(
        "planted", weights, settings, panel, AccountConfig(), BpsCosts(bps=10), np.linspace(1, 1.2, sessions)
    )


def ablation(weights, settings, panel=None):
    return {f.evidence.get("input"): f for f in Ablation().run(subject(weights, settings, panel))}


def top(panel, score, gross=0.98, rows=None):
    """The eight best of a (T, N) score, at month ends."""
    rows = month_end_rows(panel, 2) if rows is None else rows
    usable = np.isfinite(score[rows]) & (panel.bar & panel.member & panel.is_stock)[rows]
    order = np.argsort(np.where(usable, -score[rows], np.inf), axis=1, kind="stable")
    place = np.argsort(order, axis=1)
    return single_sleeve(panel, "top", Sleeve(rows, np.where(usable & (place < 8), 1 / 8, 0.0)), gross)


def test_the_slots_are_those_of_the_loader():
    assert inputs.FUNDAMENTALS == SLOTS


# D6


@pytest.mark.parametrize(
    ("module", "settings", "needs"),
    [
        (quality_momentum, QualityMomentum(), {"index", "vix", "fundamentals"}),
        (regime_ensemble, Ensemble(), {"index", "vix", "fundamentals", "etfs"}),
        (low_volatility, LowVolatility(), {"index"}),
    ],
)
def test_every_declared_input_of_a_shipped_strategy_matters(module, settings, needs):
    found = ablation(module.weights, settings)
    assert set(found) == needs
    assert {f.severity for f in found.values()} == {Severity.PASS}
    assert all("Sharpe ratio" in f.message for f in found.values())


def without_quality(panel, settings):
    """Quality-momentum that forgets its quality leg: every figure is the same."""
    same = {name: np.zeros(panel.shape) for name in QUALITY}
    return quality_momentum.weights(with_fields(panel, **same), settings)


def test_a_quality_leg_that_is_declared_and_never_read_fails():
    found = ablation(without_quality, QualityMomentum())["fundamentals"]
    assert found.severity is Severity.FAILURE
    assert "declared but unused" in found.message
    assert found.evidence["weights"] == {"quality_weight": 0.6}
    assert "quality_weight is 0.6" in found.message


def test_a_weight_inside_a_sleeve_counts_too():
    assert named_weights(Ensemble(), ["quality"]) == {"quality_momentum.quality_weight": 0.6}
    assert named_weights(QualityMomentum(quality_weight=0.0, momentum_weight=1.0), ["quality"]) == {}


def test_roe_that_is_never_read_while_the_rest_is_warns():
    def weights(panel, settings):
        return quality_momentum.weights(with_fields(panel, roe=np.zeros(panel.shape)), settings)

    found = ablation(weights, QualityMomentum())["fundamentals"]
    assert found.severity is Severity.WARNING
    assert "roe never matters" in found.message


def test_a_vix_that_is_handed_over_and_never_read_warns():
    found = ablation(low_volatility.weights, DeclaresVix())
    assert found["vix"].severity is Severity.WARNING
    assert "vix is declared but unused" in found["vix"].message
    assert found["index"].severity is Severity.PASS


def test_a_leg_that_waits_for_a_bull_market_is_read_but_untested():
    slump = market()
    bear = replace(
        slump,
        series={
            "index": 2000 * 0.999 ** np.arange(len(slump.dates)),
            "vix": np.linspace(26.0, 29.0, len(slump.dates)),
        },
    )
    found = ablation(quality_momentum.weights, QualityMomentum(), bear)["fundamentals"]
    assert found.severity is Severity.WARNING
    assert "is read, but no decision of this period depends on it" in found.message


def test_too_few_names_are_no_proof_against_the_code():
    few = market().columns(
        [i for i, s in enumerate(market().symbols) if s[0] != "S" or s < "S12" or s == "SPY"]
    )
    found = ablation(without_quality, QualityMomentum(), few)["fundamentals"]
    assert found.severity is Severity.WARNING


def test_funds_that_are_declared_and_neither_held_nor_read_warn():
    def weights(panel, settings):
        return top(panel, -np.log(panel.fields["close"]))

    found = ablation(weights, Declared(needs=frozenset({"etfs"})))["etfs"]
    assert found.severity is Severity.WARNING


def test_an_input_that_is_read_without_being_declared_warns():
    def weights(panel, settings):
        calm = np.where(panel.series["vix"] < 20, 1.0, -1.0)[:, None]
        return top(panel, calm * np.log(panel.fields["close"]))

    (found,) = Ablation().run(subject(weights, Declared()))
    assert found.severity is Severity.WARNING
    assert found.evidence["inputs"] == ["vix"]
    assert "not declared" in found.message


def test_an_input_that_the_panel_does_not_hold_is_skipped():
    panel = replace(market(), series={"index": market().series["index"]})
    found = Ablation().run(subject(low_volatility.weights, DeclaresVix(), panel))
    assert [f.severity for f in found] == [Severity.PASS, Severity.SKIPPED]


def test_a_result_that_rests_on_figures_of_the_future_is_flagged():
    """Figures that were corrected later know the return of the coming month."""
    close = market().fields["close"]
    coming = np.full(close.shape, np.nan)
    coming[:-21] = close[21:] / close[:-21] - 1.0
    panel = with_fields(market(), **dict.fromkeys(QUALITY, coming))

    def weights(given, settings):
        return top(given, given.fields["roe"])

    found = ablation(weights, Declared(needs=frozenset({"fundamentals"})), panel)["fundamentals"]
    assert found.severity is Severity.WARNING
    assert "the result rests on profitability" in found.message
    assert found.evidence["sharpe"] > found.evidence["sharpe_without_profitability"] + 0.5


def test_other_orders_keep_the_values_and_the_funds():
    panel = market()
    roe = next(given for given in panel_inputs(panel) if given.name == "profitability")
    other = inputs.reordered(panel, [roe], np.random.default_rng(1)).fields["roe"]
    known = panel.fields["roe"]
    assert sorted(other[np.isfinite(other)]) == sorted(known[np.isfinite(known)])
    assert not np.array_equal(other, known, equal_nan=True)


# D7


@cache
def with_surprises(every=3, seed=5):
    """Surprises on the session after each month end, and on others; NaN on all other sessions."""
    panel, rng = market(), np.random.default_rng(seed)
    surprise = np.full(panel.shape, np.nan)
    for row in np.flatnonzero(panel.month_end)[:-1]:
        names = rng.choice(np.flatnonzero(panel.is_stock), 12, replace=False)
        surprise[row + 1, names[:6]] = rng.normal(size=6)
        surprise[row - 4, names[6:]] = rng.normal(size=6)
    return with_fields(panel, surprise=surprise)


def latest(values, rows=21):
    """The latest finite value of the last ``rows`` sessions."""
    out = values.copy()
    for _ in range(rows):
        out[1:] = np.where(np.isfinite(out[1:]), out[1:], out[:-1])
    return out


def drift(panel, settings):
    """Buys what surprised within the last month."""
    return top(panel, latest(panel.fields["surprise"]))


@pytest.mark.parametrize("sessions", [1, 3])
def test_a_tilt_before_its_event_fails_and_names_it(sessions):
    def weights(panel, settings):
        early = np.full(panel.shape, np.nan)
        early[:-sessions] = panel.fields["surprise"][sessions:]
        return drift(with_fields(panel, surprise=early), settings)

    panel = with_surprises()
    (found,) = EventAlignment().run(subject(weights, Declared(), panel))
    assert found.severity is Severity.FAILURE
    assert found.evidence["fields"] == ["surprise"]
    column = panel.symbols.index(found.evidence["symbol"])
    row = int(np.searchsorted(panel.dates, np.datetime64(found.evidence["visible"])))
    assert np.isfinite(panel.fields["surprise"][row, column])
    assert found.evidence["first_date"] < found.evidence["visible"]


def test_a_drift_that_waits_for_its_event_passes():
    (found,) = EventAlignment().run(subject(drift, Declared(), with_surprises()))
    assert found.severity is Severity.PASS
    assert found.evidence["reacting"] > 0


def test_fundamentals_that_act_before_they_are_visible_fail():
    def weights(panel, settings):
        early = {name: np.roll(panel.fields[name], -5, axis=0) for name in QUALITY}
        return top(panel, with_fields(panel, **early).fields["roe"])

    roe = market().fields["roe"].copy()
    roe[:, market().is_stock] = np.roll(roe, 10, axis=0)[:, market().is_stock]
    (found,) = EventAlignment().run(subject(weights, Declared(), with_fields(market(), roe=roe)))
    assert found.severity is Severity.FAILURE
    assert found.evidence["fields"] == ["roe"]


def test_what_reads_no_event_is_skipped():
    (found,) = EventAlignment().run(subject(low_volatility.weights, LowVolatility()))
    assert found.severity is Severity.SKIPPED
    bare = replace(market(), fields={k: v for k, v in market().fields.items() if k in (*PRICES, "volume")})
    (found,) = EventAlignment().run(subject(low_volatility.weights, LowVolatility(), bare))
    assert "no field that comes from events" in found.message


def test_an_event_of_one_session_moves_as_a_whole():
    panel = with_surprises()
    row = int(np.flatnonzero(panel.month_end)[20])
    column = int(np.flatnonzero(np.isfinite(panel.fields["surprise"][row + 1]))[0])
    shift = events._Shift(row, np.array([column]), ("surprise",))
    moved = events._later(panel, shift).fields["surprise"][:, column]
    known = panel.fields["surprise"][:, column]
    assert np.isnan(moved[row + 1 : row + 1 + events.SHIFT]).all()
    assert moved[row + 1 + events.SHIFT] == known[row + 1]
    np.testing.assert_array_equal(moved[: row + 1], known[: row + 1])
