"""D10, D11, D18: survivors, funds among stocks, unnamed sources, stale rows, wrong dates and restated figures."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import cache

import numpy as np
import pytest

from ares7.audit.execution import execution_checks
from ares7.audit.finding import Severity
from ares7.audit.inputs import input_checks
from ares7.audit.runner import audit
from ares7.audit.sources import Provenance, RestatedFundamentals, Timestamps
from ares7.audit.subject import Subject
from ares7.audit.universe import UniverseAudit, universe_checks, universe_numbers
from ares7.config import AccountConfig, Config, DataConfig, SyntheticConfig
from ares7.costs import BpsCosts
from feeds import synthetic
from strategies import registry
from tests.contracts.panels import DATA, FUNDS, QUALITY, market, names, real_sample, with_fields

SOURCE = {"synthetic": True, "source": {"generator": "tests"}}
FILES = {"files": {"prices.parquet": "ab", "market.parquet": "cd", "fundamentals.parquet": "ef"}}
EVENTS = {"earnings": {"announcements": 9}, "buybacks": {"announcements": 2}}
LOADED = {
    "synthetic": False,
    "source": {},
    **FILES,
    **EVENTS,
    "fundamentals": {"files": {"fundamentals.parquet": {}}},
}


def config(**data) -> Config:
    return Config(costs=BpsCosts(bps=10), data=DataConfig(**data))


@cache
def stamped():
    return replace(market(), provenance=SOURCE)


def subject(panel=None, name="quality_momentum", settings=None) -> Subject:
    strategy = registry.resolve(name)
    panel = stamped() if panel is None else panel
    chosen = registry.settings(strategy, {})
    baseline = np.linspace(1.0, 1.2, len(panel.dates) - panel.start_row)
    return Subject(
        name, strategy.weights, chosen, panel, AccountConfig(), BpsCosts(bps=10), baseline, settings
    )


def only(check, given: Subject, severity: Severity):
    found = [f for f in check.run(given) if f.severity is severity]
    assert len(found) == 1, found
    assert found[0].check == check.id
    assert found[0].remedy or severity in (Severity.PASS, Severity.SKIPPED)
    return found[0]


# Shipped strategies


def everything():
    return (*execution_checks(), *input_checks(), *universe_checks())


@pytest.mark.parametrize("name", names())
def test_shipped_strategies_pass_on_the_random_market(name):
    found = audit(subject(name=name), everything())
    assert found.failed == ()
    # Its volume is a few thousand shares a day; a mix of funds is as good as the line it is compared with.
    assert {f.check for f in found.findings if f.severity is Severity.WARNING} <= {"D15"}


@cache
def small_synthetic():
    given = SyntheticConfig(symbols=40, start=date(2014, 1, 2), end=date(2018, 12, 31))
    panel = synthetic.to_panel(synthetic.generate(given), DataConfig(synthetic=given))
    return panel.starting(panel.dates[300])


@pytest.mark.parametrize("name", ["quality_momentum", "regime_ensemble"])
def test_shipped_strategies_pass_on_the_synthetic_market(name):
    found = audit(subject(small_synthetic(), name, config()), everything())
    assert found.failed == ()
    told = [f for f in found.findings if f.check == "D11" and f.title == Provenance.title]
    assert told[0].message.startswith("SYNTHETIC")


@pytest.mark.real_data
@pytest.mark.skipif(not DATA, reason="ARES7_DATA names no real data folder")
@pytest.mark.parametrize("name", names())
def test_shipped_strategies_pass_on_real_data(name):
    # The sample's buybacks are made up, and without a source they would rightly fail.
    sample = replace(real_sample(), fields={k: v for k, v in real_sample().fields.items() if k != "buyback"})
    found = audit(subject(sample, name, config()), everything())
    assert found.failed == ()
    (survivors,) = [f for f in found.findings if f.check == "D10"]
    held = name not in ("defensive", "fixed_mix")
    assert survivors.severity is (Severity.WARNING if held else Severity.SKIPPED)
    assert ("members of the period have no prices" in survivors.message) == held


# D10


def test_the_random_market_has_a_history_and_leavers():
    found = only(UniverseAudit(), subject(), Severity.PASS)
    assert found.evidence["left"] >= 4
    assert found.evidence["without_price_at_start"] >= 4


def test_a_universe_without_membership_history_warns():
    panel = replace(stamped(), member=np.ones(stamped().shape, dtype=bool))
    found = only(UniverseAudit(), subject(panel), Severity.WARNING)
    assert "no membership history" in found.message


def survivors_over(rows: int):
    panel = replace(market(1, rows), provenance=SOURCE)
    kept = np.flatnonzero((panel.bar[-5:].any(axis=0) & panel.member[-1]) | ~panel.is_stock)
    return panel.columns(kept)


def test_a_universe_of_survivors_warns():
    found = [f.message for f in UniverseAudit().run(subject(survivors_over(1800)))]
    assert any("survivorship: no stock leaves in 6.1 years" in message for message in found)


def test_a_few_years_without_a_leaver_are_no_sign():
    assert not any("no stock leaves" in f.message for f in UniverseAudit().run(subject(survivors_over(900))))


def test_counts_are_those_of_the_period():
    panel = stamped()
    numbers = universe_numbers(panel)
    last = panel.bar[-5:, panel.is_stock].any(axis=0)
    assert numbers["alive_at_end"] == int(last.sum())
    assert numbers["names"] == 40


def test_weight_in_names_without_a_price_warns():
    given = subject(name="equal_weight")
    targets = given.targets
    column = given.panel.symbols.index("S08")
    weights = targets.weights.copy()
    weights[:, column] = 0.2
    given.__dict__["targets"] = replace(targets, weights=weights)
    found = only(UniverseAudit(), given, Severity.WARNING)
    assert found.evidence["symbol"] == "S08"
    assert "without a price" in found.message


def test_a_fund_among_the_stocks_fails_where_the_configuration_names_it():
    panel = stamped()
    mixed = replace(panel, is_stock=panel.is_stock | (np.array(panel.symbols) == "SPY"))
    found = only(UniverseAudit(), subject(mixed, "equal_weight", config(etfs=FUNDS)), Severity.FAILURE)
    assert found.evidence["symbols"] == ["SPY"]
    likely = only(UniverseAudit(), subject(mixed, "equal_weight"), Severity.WARNING)
    assert "by the ticker a fund" in likely.message


# D11


def test_a_panel_without_provenance_fails():
    found = only(Provenance(), subject(market()), Severity.FAILURE)
    assert "where it came from" in found.message


def test_mock_fundamentals_without_a_source_fail():
    prices_only = {**LOADED, "fundamentals": {}}
    found = only(Provenance(), subject(replace(market(), provenance=prices_only)), Severity.FAILURE)
    assert set(found.evidence["fields"]) == set(QUALITY)
    only(Provenance(), subject(replace(market(), provenance=LOADED)), Severity.PASS)


def test_a_field_of_unknown_origin_fails_until_it_is_named():
    panel = replace(with_fields(market(), tilt=np.zeros(market().shape)), provenance=LOADED)
    found = only(Provenance(), subject(panel), Severity.FAILURE)
    assert found.evidence["fields"] == ["tilt"]
    named = replace(panel, provenance={**LOADED, "inputs": {"tilt": {"source": "desk", "sha256": "01"}}})
    only(Provenance(), subject(named), Severity.PASS)


@pytest.mark.parametrize(
    "told",
    [
        {"source": {"maker": "generate_sample_overlays, random normal"}},
        {"source": {"mock": True}},
        {"files": {"mock_fundamentals.csv": "00", **FILES["files"]}},
    ],
)
def test_made_up_data_under_a_real_name_fails(told):
    found = only(Provenance(), subject(replace(market(), provenance={**LOADED, **told})), Severity.FAILURE)
    assert "made-up data" in found.message


def test_a_vix_that_stands_still_warns():
    vix = market().series["vix"].copy()
    vix[800:830] = vix[800]
    panel = replace(stamped(), series={**market().series, "vix": vix})
    found = only(Provenance(), subject(panel), Severity.WARNING)
    assert found.evidence["input"] == "vix"
    assert found.evidence["sessions"] == 30
    assert found.evidence["first_date"] == str(panel.dates[800])


def test_fundamentals_that_end_early_warn():
    roe = market().fields["roe"].copy()
    roe[-300:] = roe[-300]
    found = only(Provenance(), subject(with_fields(stamped(), roe=roe)), Severity.WARNING)
    assert found.evidence["input"] == "profitability"
    assert found.evidence["age"] >= 299


def test_dates_of_a_loaded_panel_are_sessions():
    panel = small_synthetic()
    found = only(Timestamps(), subject(panel), Severity.PASS)
    assert found.evidence["calendar"] == "XNYS"


def shifted(panel, days):
    return replace(panel, dates=panel.dates + np.timedelta64(days, "D"))


def repeated(panel):
    dates = panel.dates.copy()
    dates[500] = dates[499]
    return replace(panel, dates=dates)


def marked(panel, row):
    month_end = panel.month_end.copy()
    month_end[row] = ~month_end[row]
    return replace(panel, month_end=month_end)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: shifted(stamped(), 1), "weekend"),
        (lambda: repeated(stamped()), "not in order"),
        (lambda: marked(stamped(), 501), "last session of a month"),
        (lambda: shifted(small_synthetic(), 1), "no session of XNYS"),
        (lambda: marked(small_synthetic(), 700), "last session of a month"),
        (lambda: replace(stamped(), provenance={**SOURCE, "calendar": "XNYS"}), "no session of XNYS"),
    ],
)
def test_wrong_dates_and_marks_fail(make, words):
    found = [f for f in Timestamps().run(subject(make())) if f.severity is Severity.FAILURE]
    assert any(words in f.message for f in found)
    assert all(f.evidence["first_date"] for f in found)


def test_a_missing_session_fails():
    panel = small_synthetic()
    rest = np.delete(np.arange(len(panel.dates)), 600)
    holed = replace(
        panel,
        dates=panel.dates[rest],
        fields={k: v[rest] for k, v in panel.fields.items()},
        series={k: v[rest] for k, v in panel.series.items()},
        member=panel.member[rest],
        month_end=panel.month_end[rest],
        week_end=panel.week_end[rest],
    )
    (found,) = Timestamps().run(subject(holed))
    assert str(panel.dates[600]) in found.message


# D18


def figures(panel, lag_days):
    """New figures of every stock, ``lag_days`` (a number, or one a stock) after each quarter's end."""
    rng = np.random.default_rng(3)
    out = np.full(panel.shape, np.nan)
    ends = np.unique(panel.dates.astype("datetime64[M]"))
    ends = ends[ends.astype(int) % 3 == 0].astype("datetime64[D]") - np.timedelta64(1, "D")
    for column in np.flatnonzero(panel.is_stock):
        for end in ends:
            lag = lag_days if isinstance(lag_days, int) else int(rng.integers(*lag_days))
            row = np.searchsorted(panel.dates, end + np.timedelta64(lag, "D"), side="right")
            out[row:, column] = rng.normal()
    same = {name: np.full(panel.shape, np.nan) for name in QUALITY}
    return with_fields(panel, **same | {"roe": out})


def test_restated_rows_that_were_accepted_fail():
    restated = {**LOADED, "fundamentals": {**LOADED["fundamentals"], "restated": True}}
    found = only(RestatedFundamentals(), subject(replace(market(), provenance=restated)), Severity.FAILURE)
    assert "MR*" in found.message


@pytest.mark.parametrize("delay", [0, 45, 90])
def test_figures_dated_by_period_end_fail_whatever_the_delay(delay):
    given = subject(figures(stamped(), delay), settings=config(pit_delay_days=delay))
    found = only(RestatedFundamentals(), given, Severity.FAILURE)
    assert found.evidence["filed_at_once"] > 0.9
    assert "dated by period end" in found.message


def test_figures_dated_by_period_end_warn_where_the_delay_is_not_known():
    found = only(RestatedFundamentals(), subject(figures(stamped(), 90)), Severity.WARNING)
    assert "one week of the quarter" in found.message


def test_figures_that_come_too_early_warn():
    given = subject(figures(stamped(), (8, 19)), settings=config(pit_delay_days=0))
    only(RestatedFundamentals(), given, Severity.WARNING)


@pytest.mark.parametrize("delay", [0, 45, 90])
def test_filings_in_their_season_pass(delay):
    given = subject(figures(stamped(), (25 + delay, 45 + delay)), settings=config(pit_delay_days=delay))
    only(RestatedFundamentals(), given, Severity.PASS)


def test_without_figures_the_check_is_skipped():
    bare = replace(stamped(), fields={k: v for k, v in market().fields.items() if k not in QUALITY})
    only(RestatedFundamentals(), subject(bare, "equal_weight"), Severity.SKIPPED)
