"""The trial ledger: what counts as one trial, what belongs to one family, what comes back."""

from __future__ import annotations

import datetime as dt
import json
import math
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ares7.errors import ConfigError, DataError
from ares7.trials import ReturnMoments, TrialLedger, canonical, data_set_of, params_hash, universe_key, weekly
from ares7.trials_schema import MIGRATIONS
from tests.contracts.panels import market
from tests.faults.trial_examples import CODE, DATA, NOW, SETTINGS, data, day, known, names, trial, write


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    path = tmp_path_factory.mktemp("empty") / "trials.db"
    TrialLedger(path).close()
    return path


@pytest.fixture
def ledger(empty, tmp_path):
    # A copy, because making the tables waits for the disk several times.
    with TrialLedger(Path(shutil.copy(empty, tmp_path))) as opened:
        yield opened


def sql(ledger, query):
    """Rows as any other SQLite client sees them."""
    with closing(sqlite3.connect(ledger.path)) as connection:
        return connection.execute(query).fetchall()


# One trial


def test_a_trial_comes_back_as_it_was_recorded(ledger):
    given = trial(
        {"deep": [0.1, True, None, "text"]},
        nav_ratio=2.5,
        max_drawdown=0.125,
        turnover=3.0,
        first_week="2010-01-04",
        weekly=np.array([0.1, -0.2], np.float32),
    )
    assert write(ledger, DATA, given) == 1
    back = ledger.stored(DATA, SETTINGS, DATA.first, DATA.last, code_version=CODE)
    assert back == {params_hash(given.strategy, given.params): given}
    assert next(iter(back.values())).weekly.tolist() == given.weekly.tolist()


def test_a_figure_that_is_not_defined_is_null_and_comes_back_as_nan(ledger):
    write(ledger, DATA, trial(active=ReturnMoments()))
    assert sql(ledger, "SELECT active_sharpe, active_kurtosis, nav_ratio FROM every_trial") == [(None,) * 3]
    (back,) = ledger.stored(DATA, SETTINGS, DATA.first, DATA.last, code_version=CODE).values()
    assert math.isnan(back.active.sharpe)
    assert back.first_week is None
    assert len(back.weekly) == 0
    assert np.isnan(ledger.family(DATA).active_sharpes).all()


def test_numpy_scalars_are_recorded_as_numbers(ledger):
    write(ledger, DATA, trial(np.float64(0.5), sharpe=np.float32(0.25), sessions=np.int64(7)))
    assert sql(ledger, "SELECT params, sharpe, sessions FROM every_trial") == [('{"x":0.5}', 0.25, 7)]


def test_the_same_point_is_counted_once_and_the_first_stays(ledger):
    assert write(ledger, DATA, trial(1, sharpe=0.1), trial(2), trial(1, sharpe=0.9)) == 2
    assert write(ledger, DATA, trial(1, sharpe=0.5), trial(3), run="run-2") == 1
    assert sql(ledger, "SELECT sharpe, run FROM every_trial WHERE params = '{\"x\":1}'") == [(0.1, "run-1")]


@pytest.mark.parametrize(
    "other",
    [
        trial(1, settings_hash="other"),
        trial(1, code_version="other"),
        trial(1, last="2019-12-30"),
        trial(1, first="2010-01-05"),
        trial(1, strategy="equal_weight"),
        trial(2),
    ],
    ids=["costs", "code", "last", "first", "strategy", "params"],
)
def test_another_condition_or_point_is_another_trial(ledger, other):
    assert write(ledger, DATA, trial(1), other) == 2
    assert ledger.family(DATA).count == 2


def test_another_data_hash_is_another_trial_of_the_same_point(ledger):
    write(ledger, DATA, trial(1))
    assert write(ledger, data(data_hash="hash-2"), trial(1)) == 1
    family = ledger.family(DATA)
    assert (family.count, family.distinct) == (2, 1)


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ({"a": 1, "b": 2.0}, {"b": 2, "a": 1.0}, True),
        ({"a": 0.0}, {"a": -0.0}, True),
        ({"a": (1, 2)}, {"a": [1, 2]}, True),
        ({"a": 0.1}, {"a": np.float64(0.1)}, True),
        ({"a": True}, {"a": 1}, False),
        ({"a": "1"}, {"a": 1}, False),
        ({"a": 0.1}, {"a": 0.1 + 1e-16 + 1e-17}, False),
        ({"a": None}, {}, False),
    ],
)
def test_what_is_written_alike_is_one_point(one, two, same):
    assert (params_hash("s", one) == params_hash("s", two)) is same
    assert json.loads(canonical(one)) == json.loads(json.dumps(one, default=float))


def test_a_point_is_of_one_strategy():
    assert params_hash("one", {"x": 1}) != params_hash("two", {"x": 1})


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (trial(math.nan), "not JSON compliant"),
        (trial(math.inf), "not JSON compliant"),
        (trial({1, 2}), "not JSON serializable"),
        (trial(first="2020-01-02"), "earlier date first"),
        (trial(sessions=0), "at least one"),
        (trial(first_week="2010-01-05", weekly=np.ones(1, np.float32)), "give a Monday"),
        (trial(weekly=np.ones(1, np.float32)), "give a Monday"),
    ],
)
def test_a_trial_that_cannot_be_leaves_the_ledger_untouched(ledger, wrong, says):
    with pytest.raises(ConfigError, match=says):
        write(ledger, DATA, trial(1), trial(2), wrong)
    assert ledger.counts() == []
    assert sql(ledger, "SELECT (SELECT count(*) FROM points) + (SELECT count(*) FROM batches)") == [(0,)]
    assert write(ledger, DATA, trial(1)) == 1


def test_purpose_and_time_are_checked(ledger):
    with pytest.raises(ConfigError, match="purpose 'play'"):
        ledger.record(DATA, [trial()], run="r", purpose="play", created=NOW)
    with pytest.raises(ConfigError, match="no time zone"):
        ledger.record(DATA, [trial()], run="r", purpose="grid", created=NOW.replace(tzinfo=None))
    assert ledger.counts() == []


def test_time_is_stored_in_utc(ledger):
    seoul = dt.datetime(2026, 1, 2, 12, 4, 5, tzinfo=dt.timezone(dt.timedelta(hours=9)))
    ledger.record(DATA, [trial()], run="r", purpose="cpcv", created=seoul)
    assert sql(ledger, "SELECT created, purpose FROM every_trial") == [("2026-01-02T03:04:05Z", "cpcv")]


def test_the_sharpe_ratio_is_of_a_session_and_undefined_without_dispersion():
    assert ReturnMoments(mean=0.001, sd=0.01).sharpe == pytest.approx(0.1)
    assert math.isnan(ReturnMoments(mean=0.001, sd=1e-15).sharpe)


def test_an_interrupted_grid_finds_what_it_has(ledger):
    write(ledger, DATA, *(trial(x) for x in range(5)))
    done = {params_hash("regime_ensemble", {"x": x}) for x in range(5)}
    assert known(ledger) == done
    assert known(ledger, data(data_hash="new")) == set()
    assert known(ledger, data(symbols=names(11))) == set()
    for name, other in (
        ("settings_hash", "other"),
        ("code_version", "other"),
        ("first", day("2010-01-05")),
        ("last", day("2019-12-30")),
    ):
        assert known(ledger, **{name: other}) == set()


# One family


def family_size(ledger, **asked):
    return ledger.family(data(**asked)).count


def test_an_appended_day_does_not_reset_the_count(ledger):
    write(ledger, DATA, *(trial(x) for x in range(3)))
    tomorrow = data(last="2020-01-02", data_hash="hash-2")
    assert ledger.family(tomorrow).count == 3
    write(ledger, tomorrow, *(trial(x, last="2020-01-02") for x in range(3)))
    family = ledger.family(tomorrow)
    assert (family.count, family.distinct) == (6, 3)


def test_dates_must_share_a_session(ledger):
    write(ledger, DATA, trial())
    assert family_size(ledger, first="2019-12-31", last="2020-12-31") == 1
    assert family_size(ledger, first="2020-01-01", last="2020-12-31") == 0
    assert family_size(ledger, first="2009-01-02", last="2010-01-03") == 0


def test_dates_chain(ledger):
    for first, last in (
        ("2000-01-03", "2004-12-31"),
        ("2004-12-31", "2009-12-31"),
        ("2011-01-03", "2012-12-31"),
    ):
        write(ledger, DATA, trial(first=first, last=last))
    assert family_size(ledger, first="2000-01-03", last="2000-01-04") == 2
    assert family_size(ledger, first="2009-06-01", last="2011-06-01") == 3


def test_an_added_and_a_removed_symbol_do_not_reset_the_count(ledger):
    write(ledger, DATA, trial())
    assert family_size(ledger, symbols=names(11)) == 1
    assert family_size(ledger, symbols=names(9)) == 1


def test_a_narrowed_universe_does_not_reset_the_count_either(ledger):
    write(ledger, data(symbols=names(500)), trial())
    assert family_size(ledger, symbols=names(5)) == 1
    assert family_size(ledger, symbols=names(1)) == 1


@pytest.mark.parametrize(("shared", "same"), [(4, 0), (5, 0), (6, 1)])
def test_symbols_must_overlap_by_more_than_half(ledger, shared, same):
    write(ledger, DATA, trial())
    assert family_size(ledger, symbols=names(10, first=10 - shared)) == same


def test_symbols_chain(ledger):
    write(ledger, data(symbols=names(10)), trial(1))
    write(ledger, data(symbols=names(10, first=4)), trial(2))
    write(ledger, data(symbols=names(10, first=40)), trial(3))
    assert family_size(ledger, symbols=names(10, first=8)) == 2


def test_a_chain_runs_through_names_and_dates_together(ledger):
    # The second shares names with the first, but only the third shares dates with both.
    write(ledger, data(symbols=names(10)), trial(1, first="2010-01-04", last="2010-12-31"))
    write(ledger, data(symbols=names(10, first=4)), trial(2, first="2012-01-03", last="2012-12-31"))
    asked = {"symbols": names(10), "first": "2010-01-04", "last": "2010-12-31"}
    assert family_size(ledger, **asked) == 1
    write(ledger, data(symbols=names(10, first=2)), trial(3, first="2010-06-01", last="2012-06-01"))
    assert family_size(ledger, **asked) == 3


@pytest.mark.parametrize(
    "asked",
    [{"fields": ("close", "roe")}, {"universe": "all"}, {"data_hash": "x"}],
    ids=["fields", "kind", "hash"],
)
def test_fields_kind_of_universe_and_download_tell_no_families_apart(ledger, asked):
    write(ledger, DATA, trial())
    assert family_size(ledger, **asked) == 1


def test_a_synthetic_market_has_its_own_families(ledger):
    write(ledger, DATA, trial())
    write(ledger, data(market="synthetic 1a"), trial(1), trial(2))
    assert family_size(ledger) == 1
    assert family_size(ledger, market="synthetic 1a") == 2
    assert family_size(ledger, market="synthetic 2b") == 0


def test_every_purpose_and_strategy_counts(ledger):
    write(ledger, DATA, trial(1), trial(1, strategy="equal_weight"))
    ledger.record(DATA, [trial(2)], run="r", purpose="backtest", created=NOW)
    assert ledger.family(DATA).distinct == 3


def test_an_empty_ledger_has_an_empty_family(ledger):
    family = ledger.family(DATA)
    assert (family.count, family.distinct, len(family.sharpes), len(family.weekly)) == (0, 0, 0, 0)
    assert ledger.counts() == []
    assert ledger.touched(DATA) == []


def test_sharpes_are_newest_first_one_a_point(ledger):
    write(ledger, DATA, trial(1, sharpe=0.1), trial(2, sharpe=0.2))
    write(ledger, DATA, trial(3, sharpe=0.3))
    family = ledger.family(DATA)
    assert family.sharpes.tolist() == [0.3, 0.2, 0.1]
    assert family.active_sharpes.tolist() == [0.15, 0.1, 0.05]


def test_a_point_is_shown_by_the_trial_that_fits_the_asked_dates_best(ledger):
    write(
        ledger,
        DATA,
        trial(sharpe=0.1, first="2012-01-03", last="2013-12-31", sessions=500),
        trial(sharpe=0.2, first="2010-01-04", last="2019-12-31", sessions=2515),
        trial(sharpe=0.3, first="2010-01-04", last="2019-12-31", sessions=2515, code_version="later"),
        trial(sharpe=0.4, first="2013-12-31", last="2014-12-31", sessions=250),
    )
    for first, last, sharpe, sessions in (
        ("2012-01-03", "2013-12-31", 0.1, 500),
        ("2010-01-04", "2019-12-31", 0.3, 2515),
        ("2014-01-02", "2014-06-30", 0.4, 250),
    ):
        family = ledger.family(data(first=first, last=last))
        assert (family.count, family.distinct) == (4, 1)
        assert (family.sharpes[0], family.sessions[0]) == (sharpe, sessions)


# Weekly returns


def weeks(count, value=0.0, first="2010-01-04"):
    return {"first_week": first, "weekly": np.arange(count, dtype=np.float32) + np.float32(value)}


def test_the_weekly_matrix_stands_on_the_weeks_that_all_rows_have(ledger):
    asked = data(last="2010-03-14")  # ten weeks
    write(
        ledger,
        asked,
        trial(1, **weeks(10)),
        trial(2, **weeks(9, 100, "2010-01-11")),
        trial(3, **weeks(12, 200)),
    )
    family = ledger.family(asked)
    assert family.weeks[[0, -1]].tolist() == [dt.date(2010, 1, 11), dt.date(2010, 3, 8)]
    assert family.weekly.dtype == np.float32
    assert family.weekly[:, 0].tolist() == [201, 100, 1]
    assert family.weekly.shape == (3, 9)
    assert family.entries.tolist() == [0, 1, 2]


def test_a_row_may_begin_before_the_asked_weeks(ledger):
    asked = data(first="2010-02-01", last="2010-02-28")
    write(ledger, asked, trial(1, **weeks(52)))
    assert ledger.family(asked).weekly.tolist() == [[4, 5, 6, 7]]


def test_a_trial_that_covers_too_little_is_counted_but_has_no_row(ledger):
    asked = data(last="2010-03-14")
    write(ledger, asked, trial(1, **weeks(8)), trial(2, **weeks(7)), trial(3), trial(4, **weeks(10)))
    family = ledger.family(asked)
    assert (family.distinct, family.entries.tolist()) == (4, [0, 3])
    assert family.weekly.shape == (2, 8)


def test_weeks_outside_the_asked_dates_give_no_row(ledger):
    asked = data(last="2010-03-14")
    write(ledger, asked, trial(1, **weeks(10, first="2010-06-07")), trial(2, **weeks(10, first="2009-01-05")))
    assert ledger.family(asked).weekly.shape[0] == 0


def test_a_week_without_a_session_is_in_no_row(ledger):
    hole = np.arange(10, dtype=np.float32)
    hole[4] = np.nan
    asked = data(last="2010-03-14")
    write(ledger, asked, trial(1, **weeks(10)), trial(2, first_week="2010-01-04", weekly=hole))
    assert dt.date(2010, 2, 1) not in ledger.family(asked).weeks.tolist()
    assert ledger.family(asked).weekly.shape == (2, 9)


def test_the_limit_bounds_the_rows_and_never_the_counts(ledger):
    asked = data(last="2010-03-14")
    write(ledger, asked, *(trial(x, **weeks(10, x)) for x in range(5)))
    family = ledger.family(asked, limit=2)
    assert (family.count, family.distinct, len(family.sharpes)) == (5, 5, 5)
    assert family.weekly[:, 0].tolist() == [4, 3]
    assert ledger.family(asked, limit=0).weekly.shape[0] == 0


def test_the_weekly_blob_is_plain_little_endian_float32(ledger):
    write(ledger, DATA, trial(1, first_week="2010-01-04", weekly=np.array([1.5, -2.0])))
    ((first, blob),) = sql(ledger, "SELECT first_week, active FROM weekly_returns")
    assert (first, blob.hex()) == ("2010-01-04", "0000c03f000000c0")


def test_weekly_compounds_within_iso_weeks():
    dates = np.array(["2009-12-31", "2010-01-01", "2010-01-04", "2010-01-19"], "datetime64[D]")
    mondays, values = weekly(dates, np.array([0.1, 0.1, 0.5, -0.5]))
    assert mondays.tolist() == [dt.date(2009, 12, 28), *(dt.date(2010, 1, d) for d in (4, 11, 18))]
    np.testing.assert_allclose(values, [0.21, 0.5, np.nan, -0.5], rtol=1e-14)


def test_weekly_of_nothing_is_nothing():
    mondays, values = weekly(np.zeros(0, "datetime64[D]"), np.zeros((3, 0)))
    assert (len(mondays), values.shape) == (0, (3, 0))


def test_weekly_refuses_what_does_not_fit():
    dates = np.array(["2010-01-05", "2010-01-05"], "datetime64[D]")
    with pytest.raises(DataError, match="2010-01-05"):
        weekly(dates, np.zeros(2))
    with pytest.raises(DataError, match="3 columns for 2 dates"):
        weekly(dates, np.zeros(3))


# Touched windows


def touch(ledger, name="2015", start="2015-01-02", end="2015-12-31", data_set=DATA, run="run-1"):
    ledger.touch(name, day(start), day(end), data_set, run, "grid, objective oos_min_sharpe", created=NOW)


def test_a_touched_window_marks_every_overlapping_report(ledger):
    touch(ledger)
    (mark,) = ledger.touched(DATA)
    assert (mark.name, mark.run, mark.start, mark.end) == (
        "2015",
        "run-1",
        day("2015-01-02"),
        day("2015-12-31"),
    )
    assert mark.reason == "grid, objective oos_min_sharpe"
    assert mark.created == "2026-01-02T03:04:05Z"
    assert len(ledger.touched(data(first="2015-12-31", last="2020-12-31", data_hash="later"))) == 1
    assert ledger.touched(data(first="2016-01-04", last="2020-12-31")) == []
    assert len(ledger.touched(data(symbols=names(11), fields=("roe",)))) == 1
    assert ledger.touched(data(symbols=names(10, first=50))) == []
    assert ledger.touched(data(market="synthetic 1a")) == []


def test_touching_again_adds_nothing_and_another_run_does(ledger):
    touch(ledger)
    touch(ledger)
    touch(ledger, run="run-2")
    assert [mark.run for mark in ledger.touched(DATA)] == ["run-1", "run-2"]


def test_a_touched_window_is_no_trial(ledger):
    touch(ledger)
    assert ledger.family(DATA).count == 0


def test_a_window_has_its_dates_in_order(ledger):
    with pytest.raises(ConfigError, match="earlier date first"):
        touch(ledger, start="2016-01-04")


# Keys, listing, schema


def test_the_universe_key_is_of_the_set_of_symbols():
    assert universe_key(["B", "A", "A"], "members") == universe_key(("A", "B"), "members")
    assert universe_key(["A"], "members") != universe_key(["A"], "all")
    assert universe_key(["A"], "all") != universe_key(["B"], "all")


def test_a_data_set_is_checked():
    with pytest.raises(ConfigError, match="no symbols"):
        data(symbols=())
    with pytest.raises(ConfigError, match="earlier date first"):
        data(first="2020-01-02")


def loaded(**provenance):
    stamp = {"panel_sha256": "ab", "universe": "all", "synthetic": False, "source": {}}
    return replace(market(1), provenance=stamp | provenance)


def test_a_loaded_panel_is_described_by_its_stocks():
    panel = loaded()
    described = data_set_of(panel, panel.dates[5], panel.dates[-1])
    stocks = tuple(np.array(panel.symbols)[panel.is_stock])
    assert (described.symbols, described.market, described.data_hash) == (stocks, "real", "ab")
    assert {"close", "vix"} <= set(described.fields)
    assert "close" in described.fields_key.split(",")
    funds = panel.columns(np.flatnonzero(~panel.is_stock))
    assert data_set_of(funds, panel.dates[0], panel.dates[0]).symbols == funds.symbols


def test_a_synthetic_panel_is_a_market_of_its_own():
    def name(**source):
        panel = loaded(synthetic=True, source=source)
        return data_set_of(panel, panel.dates[0], panel.dates[1]).market

    assert name(digest="1a") == "synthetic 1a"
    assert len({name(digest="1a"), name(seed=1), name(seed=2), "real"}) == 4


def test_a_listed_universe_is_a_kind_of_its_own():
    panel = loaded(universe=["S1", "S2"])
    assert data_set_of(panel, panel.dates[0], panel.dates[1]).universe_key.startswith("list-")


def test_a_panel_of_unknown_origin_is_refused():
    panel = market(1)
    with pytest.raises(ConfigError, match="load_panel"):
        data_set_of(panel, panel.dates[0], panel.dates[1])


def test_counts_list_what_is_there(ledger):
    write(ledger, DATA, trial(1), trial(2), trial(1, first="2012-01-03"))
    ledger.record(DATA, [trial(1, strategy="equal_weight")], run="r", purpose="backtest", created=NOW)
    one, two = ledger.counts()
    assert (one.strategy, one.purpose, one.count, one.distinct) == ("equal_weight", "backtest", 1, 1)
    assert (two.strategy, two.purpose, two.count, two.distinct) == ("regime_ensemble", "grid", 3, 2)
    assert (two.first, two.last, two.created) == ("2010-01-04", "2019-12-31", "2026-01-02T03:04:05Z")
    assert two.universe_key == DATA.universe_key


TABLES = ("data_sets", "conditions", "points", "batches", "trials", "weekly_returns", "touched_windows")
ROWS = "SELECT rowid, * FROM {0}"


@pytest.fixture
def full(ledger):
    write(ledger, DATA, trial(1, **weeks(3)))
    touch(ledger)
    assert all(len(sql(ledger, ROWS.format(table))) == 1 for table in TABLES)
    return ledger


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM {0}", "UPDATE {0} SET {1} = {1}", "REPLACE INTO {0} SELECT * FROM {0}"],
    ids=["delete", "update", "replace"],
)
def test_no_program_changes_or_deletes_a_row(full, table, statement):
    with closing(sqlite3.connect(full.path)) as other:
        column = other.execute(ROWS.format(table)).description[-1][0]
        before = other.execute(ROWS.format(table)).fetchall()
        if statement.startswith("REPLACE"):
            assert other.execute(statement.format(table)).rowcount == 0
        else:
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                other.execute(statement.format(table, column))
        assert other.execute(ROWS.format(table)).fetchall() == before


def test_replacing_by_the_other_key_is_refused_too(full):
    with closing(sqlite3.connect(full.path)) as other:
        other.execute("REPLACE INTO points SELECT id + 1, params_hash, 'x', '{}' FROM points")
        assert other.execute("SELECT strategy FROM points").fetchall() == [("regime_ensemble",)]


def test_the_schema_documents_itself(ledger):
    texts = dict(sql(ledger, "SELECT name, sql FROM sqlite_master WHERE type = 'table'"))
    assert set(texts) == set(TABLES)
    assert all("-- " in text for text in texts.values())


def test_every_trial_can_be_read_with_plain_sql(ledger):
    write(ledger, DATA, trial(1, sharpe=0.25))
    query = (
        "SELECT strategy, json_extract(params, '$.x'), sharpe, first_session, last_session, run, universe_key "
        "FROM every_trial"
    )
    key = DATA.universe_key
    assert sql(ledger, query) == [("regime_ensemble", 1, 0.25, "2010-01-04", "2019-12-31", "run-1", key)]


def test_the_file_says_what_it_is(ledger):
    assert sql(ledger, "PRAGMA journal_mode") == [("wal",)]
    assert sql(ledger, "PRAGMA user_version") == [(len(MIGRATIONS),)]
    ledger.close()
    assert ledger.path.read_bytes()[68:72] == b"A7TR"
