"""Announcements become fields of the panel on the session that may use them, and a bad table is named."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ares7.audit.inputs import ANNOUNCED
from ares7.config import DataConfig, SyntheticConfig
from ares7.errors import DataError, MissingData, StaleData
from ares7.panel import Panel
from feeds import cache, synthetic
from feeds.assemble import content_hash
from feeds.check import check_folder
from feeds.earnings import read_earnings
from feeds.load import load_panel, load_with_findings
from feeds.surprises import placed_surprises, surprise_fields
from feeds.synthetic_accounts import draw_accounts
from feeds.synthetic_universe import draw_universe
from tests.feeds.small_folder import DAYS, TODAY, at, config, tables, write

D = np.datetime64
DATA = os.environ.get("ARES7_DATA")
needs_data = pytest.mark.skipif(DATA is None, reason="ARES7_DATA names no real data folder")
FIELDS = ANNOUNCED["surprises"][1]
NEEDS = frozenset({"earnings"})


def announcements(symbols=("AAA", "BBB"), last="2020-02-03", count=12) -> pd.DataFrame:
    """Quarterly announcements that end on ``last``, as text; EPS rise unevenly."""
    rows = []
    for k, symbol in enumerate(symbols):
        for quarter in range(count):
            day = D(last) + k - 91 * (count - 1 - quarter)
            eps = 1.0 + 0.1 * quarter + 0.03 * ((quarter * (k + 2)) % 5)
            rows.append(
                {
                    "symbol": symbol,
                    "announce_date": str(day),
                    "session": "pre",
                    "eps_actual": f"{eps:.2f}",
                    "eps_estimate": f"{eps - 0.05:.2f}",
                }
            )
    return pd.DataFrame(rows)


def folder(tmp_path: Path, earnings: pd.DataFrame | None = None) -> Path:
    events = announcements() if earnings is None else earnings
    return write(tmp_path / "data", {**tables(), "earnings": events})


def loaded(where: Path, needs=NEEDS, first=None, last=None, **settings: object) -> Panel:
    return load_panel(config(where, **settings), needs, first, last, today=TODAY)


def codes(where: Path, **settings: object) -> dict[str, str]:
    found = load_with_findings(config(where, **settings), today=TODAY)[1]
    return {f.code: f.severity for f in found if f.input == "earnings"}


def events_of(panel: Panel, field: str, symbol: str) -> dict[str, float]:
    values = at(panel, field, symbol)
    return {str(panel.dates[t]): float(values[t]) for t in np.flatnonzero(np.isfinite(values))}


# Wiring


def test_every_variant_lies_on_the_effective_session_and_nowhere_else(tmp_path):
    panel = loaded(folder(tmp_path))
    for name in FIELDS:
        assert list(events_of(panel, name, "AAA")) == ["2020-02-03"]
        assert list(events_of(panel, name, "BBB")) == ["2020-02-04"]
        assert np.isnan(at(panel, name, "NA")).all()
        assert np.isnan(panel.field(name)[:, ~panel.is_stock]).all()


def test_the_values_are_those_of_the_files(tmp_path):
    panel = loaded(folder(tmp_path))
    eps = announcements().query("symbol == 'AAA'")["eps_actual"].astype(float).to_numpy()
    price = at(panel, "price", "AAA")[np.searchsorted(DAYS, D("2020-02-03")) - 1]
    yearly = eps[4:] - eps[:-4]
    history = yearly[-8:-1]  # the eighth place back has no quarter of the year before
    sue = (yearly[-1] - history.mean()) / history.std(ddof=1)
    assert events_of(panel, "surprise_sue", "AAA") == {"2020-02-03": pytest.approx(sue)}
    assert events_of(panel, "surprise_price_scaled", "AAA") == {
        "2020-02-03": pytest.approx(yearly[-1] / price)
    }
    assert events_of(panel, "surprise_consensus", "AAA") == {"2020-02-03": pytest.approx(0.05 / price)}
    assert events_of(panel, "surprise_legacy_seq", "AAA") == {"2020-02-03": pytest.approx(eps[-1] - eps[-2])}


def test_without_a_table_there_are_no_fields_and_whoever_needs_them_stops(tmp_path):
    where = write(tmp_path / "data", tables())
    panel = loaded(where, frozenset())
    assert not set(FIELDS) & set(panel.fields)
    assert "earnings" not in panel.provenance
    with pytest.raises(MissingData, match=r"no earnings.parquet or earnings.csv"):
        loaded(where)


def test_without_estimates_there_is_no_consensus_field(tmp_path):
    bare = folder(tmp_path / "a", announcements().drop(columns="eps_estimate"))
    assert set(FIELDS) - set(loaded(bare).fields) == {"surprise_consensus"}
    empty = folder(tmp_path / "b", announcements().assign(eps_estimate=""))
    assert set(FIELDS) - set(loaded(empty).fields) == {"surprise_consensus"}


def test_announcements_of_others_and_of_funds_are_counted_and_left_out(tmp_path):
    panel = loaded(folder(tmp_path, announcements(("AAA", "SPY", "ZZZ"))))
    assert np.isnan(panel.field("surprise_sue")[:, ~panel.is_stock]).all()
    said = panel.provenance["earnings"]
    assert (said["announcements"], said["announcements_of_other_symbols"]) == (12, 24)
    assert said["defined"] == dict.fromkeys(FIELDS, 1)
    assert said["newest"] == "2020-02-05"


def test_the_order_of_the_rows_changes_nothing(tmp_path):
    a = loaded(folder(tmp_path / "a"))
    b = loaded(folder(tmp_path / "b", announcements().sample(frac=1.0, random_state=3)))
    assert content_hash(a) == content_hash(b)


def test_a_power_of_two_on_the_prices_scales_what_is_divided_by_them_and_nothing_else(tmp_path):
    doubled = {**tables(), "earnings": announcements()}
    for name in ("open", "high", "low", "close", "adj_close"):
        doubled["prices"][name] = doubled["prices"][name].map(lambda text: repr(2.0 * float(text)))
    a, b = loaded(folder(tmp_path / "a")), loaded(write(tmp_path / "b", doubled))
    for name in FIELDS:
        factor = 0.5 if name in ("surprise_price_scaled", "surprise_consensus") else 1.0
        np.testing.assert_array_equal(b.field(name), factor * a.field(name))


@pytest.mark.parametrize("cut", ["2020-01-31", "2020-02-03", "2020-02-04"])
def test_a_table_cut_at_a_date_gives_the_same_fields_up_to_it(tmp_path, cut):
    events = announcements()
    whole = loaded(folder(tmp_path / "a", events))
    known = events[events["announce_date"] <= cut]
    part = loaded(folder(tmp_path / "b", known), max_earnings_age_sessions=100)
    stop = int(np.searchsorted(whole.dates, D(cut), side="right"))
    for name in FIELDS:
        np.testing.assert_array_equal(part.field(name)[:stop], whole.field(name)[:stop])


# The cache


def test_a_stored_panel_holds_the_same_surprises_and_a_changed_table_gives_others(tmp_path):
    where, store = folder(tmp_path), tmp_path / "cache"
    fresh, first = loaded(where), loaded(where, cache=store)
    stored = loaded(where, cache=store)
    assert content_hash(fresh) == content_hash(first) == content_hash(stored)
    assert fresh.provenance == stored.provenance
    changed = announcements()
    changed.loc[11, "eps_actual"] = "9.99"
    write(where, {"earnings": changed})
    assert content_hash(loaded(where, cache=store)) == content_hash(loaded(where)) != content_hash(fresh)


def test_the_code_of_the_surprises_is_part_of_the_key():
    assert {"surprise.py", "surprises.py", "earnings.py", "buybacks.py"} <= {
        name for name, *_ in cache._code()
    }


# Bad input


@pytest.mark.parametrize("text", ["", "symbol,announce_date\nAAA,2020-01-02\n", "a\0b\n1\n"])
def test_a_table_that_cannot_be_read_gives_a_finding_and_no_fields(tmp_path, text):
    where = folder(tmp_path)
    (where / "earnings.csv").write_text(text)
    assert codes(where) == {"unreadable": "error"}
    assert not set(FIELDS) & set(loaded(where, frozenset()).fields)
    with pytest.raises(DataError, match=r"earnings.csv"):
        loaded(where)


def test_a_bad_row_is_left_out_and_stops_whoever_reads_its_dates(tmp_path):
    events = announcements()
    events.loc[11, "session"] = "bmo"  # AAA on 2020-02-03
    where = folder(tmp_path, events)
    assert codes(where) == {"unknown-session": "error", "symbols-without-earnings": "warning"}
    panel = loaded(where, frozenset())
    assert not events_of(panel, "surprise_sue", "AAA")
    assert events_of(panel, "surprise_sue", "BBB")
    loaded(where, last=D("2020-01-31"))
    with pytest.raises(DataError, match=r"session is none of.*AAA, 2020-02-03"):
        loaded(where)


def test_only_bad_rows_give_no_fields(tmp_path):
    where = folder(tmp_path, announcements().assign(session="bmo"))
    assert codes(where) == {"unknown-session": "error", "stale-earnings": "error"}
    assert not set(FIELDS) & set(loaded(where, frozenset()).fields)


def test_an_infinite_estimate_is_an_error(tmp_path):
    events = announcements()
    events.loc[3, "eps_estimate"] = "inf"
    where = folder(tmp_path, events)
    assert codes(where)["infinite-eps"] == "error"
    assert [f.message for f in check_folder(config(where), TODAY) if "eps_estimate is infinite" in f.message]


def test_results_of_the_future_are_errors_by_the_date_that_the_loader_is_given(tmp_path):
    where = folder(tmp_path)
    found = load_with_findings(config(where), today=D("2020-02-03"))[1]
    assert [f.code for f in found if f.input == "earnings" and f.severity == "error"] == ["future-date"]


def test_symbols_written_otherwise_are_one_error(tmp_path):
    where = folder(tmp_path, announcements(("AAA US", "BBB US")))
    assert codes(where) == {"no-known-symbol": "error"}
    with pytest.raises(
        MissingData, match=r"no announcement of any stock.*write the symbols as in the prices"
    ):
        loaded(where)


# Staleness


def test_earnings_are_stale_the_session_after_the_limit(tmp_path):
    where = folder(tmp_path, announcements(("AAA",), last="2020-01-13"))
    age = int((D("2020-01-13") < DAYS).sum())
    assert "stale-earnings" not in codes(where, max_earnings_age_sessions=age)
    settings = config(where, max_earnings_age_sessions=age - 1)
    (stale,) = [f for f in load_with_findings(settings, today=TODAY)[1] if f.code == "stale-earnings"]
    assert (stale.kind, stale.first, stale.last, stale.count) == (StaleData, DAYS[-1], DAYS[-1], 1)
    loaded(where, last=DAYS[-2], max_earnings_age_sessions=age - 1)
    with pytest.raises(StaleData, match=rf"newest announcement.*2020-01-13, which is {age} sessions before"):
        loaded(where, max_earnings_age_sessions=age - 1)


def test_staleness_counts_results_and_not_announcements_to_come(tmp_path):
    to_come = announcements(("AAA",), last="2020-01-13")
    to_come = pd.concat([to_come, to_come.tail(1).assign(announce_date="2020-02-27", eps_actual="")])
    assert codes(folder(tmp_path, to_come), max_earnings_age_sessions=10)["stale-earnings"] == "error"


def test_sessions_before_the_first_row_count(tmp_path):
    where = folder(tmp_path, announcements(("AAA",), last="2019-12-27"))
    settings = config(where, max_earnings_age_sessions=10)
    (stale,) = [f for f in load_with_findings(settings, today=TODAY)[1] if f.code == "stale-earnings"]
    # 30 and 31 December, then 2, 3, 6, 7, 8, 9, 10 and 13 January are ten sessions.
    assert (stale.first, stale.last) == (D("2020-01-14"), DAYS[-1])


# The synthetic market


@pytest.mark.parametrize("seed", [7, 3])
def test_surprises_of_the_synthetic_market_are_what_was_planted(seed):
    given = SyntheticConfig(seed=seed, symbols=60, end=dt.date(2017, 12, 29))
    market = synthetic.generate(given)
    panel = synthetic.to_panel(market, DataConfig(synthetic=given))
    dates, known = synthetic._sessions(given, "XNYS")
    universe = draw_universe(given.seed, given.symbols, len(dates))
    events = draw_accounts(given.seed, universe, dates, known).events
    events = events[(events["effective"] >= 0) & (events["effective"] < len(dates))]
    column = [panel.symbols.index(universe.names[name]) for name in events["name"]]
    shares, correlations = {}, {}
    for field in FIELDS:
        got = panel.field(field)[events["effective"].to_numpy(), column]
        defined = np.isfinite(got)
        shares[field] = defined.mean()
        ranks = pd.DataFrame({"a": got[defined], "b": events["surprise"].to_numpy()[defined]}).rank()
        correlations[field] = ranks["a"].corr(ranks["b"])
    # A name needs two years of announcements before it has a standardised surprise.
    assert shares["surprise_sue"] > 0.93
    assert min(shares.values()) == shares["surprise_sue"]
    assert correlations["surprise_sue"] > 0.85
    assert correlations["surprise_price_scaled"] > 0.85
    assert correlations["surprise_consensus"] > 0.9
    # What the published engine used is mostly the season of the business.
    assert correlations["surprise_legacy_seq"] < 0.5


# Real data


@pytest.fixture(scope="module")
def real() -> Panel:
    return load_panel(DataConfig(path=Path(str(DATA)), cache=None), NEEDS)


@needs_data
@pytest.mark.real_data
def test_the_real_events_are_all_placed_and_most_are_defined(real):
    defined = real.provenance["earnings"]["defined"]
    assert real.provenance["earnings"]["announcements"] == 6943
    assert defined == {
        "surprise_sue": 5644,
        "surprise_price_scaled": 6284,
        "surprise_legacy_seq": 6783,
        "surprise_consensus": 6928,
    }
    sue = real.field("surprise_sue")
    later = real.dates >= D("2015-01-01")
    announced = np.isfinite(real.field("surprise_legacy_seq")[later])
    assert np.isfinite(sue[later][announced]).mean() > 0.95
    assert np.nanmax(np.abs(np.nanmedian(sue))) < 0.2
    assert not np.isfinite(sue[:, ~real.is_stock]).any()


@needs_data
@pytest.mark.real_data
def test_the_real_default_limit_is_twice_the_longest_pause(real):
    events = read_earnings(Path(str(DATA)) / "earnings.parquet")
    days = np.unique(events["announce_date"].to_numpy().astype("datetime64[D]"))
    days = days[(days >= D("2013-01-01")) & (days < D("2025-01-01"))]
    pauses = np.diff(np.searchsorted(real.dates, days, side="right"))
    assert pauses.max() == 18
    assert DataConfig().max_earnings_age_sessions >= 2 * pauses.max()


@needs_data
@pytest.mark.real_data
@pytest.mark.parametrize("cut", ["2016-04-27", "2020-03-16", "2023-10-26"])
def test_real_announcements_cut_at_a_date_give_the_same_fields_up_to_it(real, cut):
    events = read_earnings(Path(str(DATA)) / "earnings.parquet")
    stop = int(np.searchsorted(real.dates, D(cut), side="right"))
    part = placed_surprises(events[events["announce_date"] <= pd.Timestamp(cut)], real.rows(0, stop))
    for name in FIELDS:
        np.testing.assert_array_equal(part[name], real.field(name)[:stop])


@needs_data
@pytest.mark.real_data
def test_a_real_table_that_ends_early_is_stale(real, tmp_path):
    events = read_earnings(Path(str(DATA)) / "earnings.parquet")
    old = events[events["announce_date"] < pd.Timestamp("2023-12-01")]
    old.to_csv(tmp_path / "earnings.csv", index=False)
    _, findings, _ = surprise_fields(tmp_path / "earnings.csv", DataConfig(), real, TODAY + 3000)
    (stale,) = [f for f in findings if f.severity == "error"]
    assert stale.code == "stale-earnings"
    assert stale.last == real.dates[-1]
