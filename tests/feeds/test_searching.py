"""Running a grid: the curves of each point, every one counted, whatever ends it; the next call goes on."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from ares7.batch import run_plans
from ares7.errors import Ares7Error, ConfigError, DataError
from ares7.grid import settings_at
from ares7.search import FEW
from ares7.simulate import simulate
from ares7.trials import TrialLedger
from feeds import evaluating, searching
from feeds.backtest import computed_targets
from feeds.executors import Threads
from feeds.trial_record import ledger_path
from tests.feeds.small_search import (
    AXES,
    Breaking,
    chosen,
    config,
    go,
    recorded,
    search_of,
    trials,
)

POINTS = 40


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def settings(tmp_path, cache):
    """Configuration; panels are shared between tests, curves are not."""
    (tmp_path / "cache").mkdir()
    for shared in ("panels", "targets"):
        (cache / shared).mkdir(exist_ok=True)
        (tmp_path / "cache" / shared).symlink_to(cache / shared)
    return config(tmp_path, tmp_path / "cache")


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of eight points: five of them."""
    monkeypatch.setattr(evaluating, "block_points", lambda *given: 8)


def same(one, other):
    """Two evaluations gave the same, to the last bit."""
    for name in ("nav", "turnover", "fees", "fills", "exact"):
        assert np.array_equal(getattr(one.curves, name), getattr(other.curves, name)), name
    for name in type(one.figures.equity).__slots__:
        a, b = getattr(one.figures.equity, name), getattr(other.figures.equity, name)
        assert np.array_equal(a, b, equal_nan=True), name


def test_every_point_is_the_run_of_its_own_parameters(settings):
    search = search_of(settings)
    done = go(search, Threads(2))
    assert done.curves.nav.shape == (POINTS, len(search.dates))
    market = search.bench.market
    for row in range(0, POINTS, 7):
        params = search.points.settings(row)
        strategy = search.points.chosen.strategy
        targets = computed_targets(market.panel, strategy, params, "r")
        alone = simulate(market.bars, targets, account=settings.account, costs=settings.costs)
        np.testing.assert_allclose(done.curves.nav[row], alone.nav, rtol=1e-10)


def test_every_point_is_counted_once_in_the_order_of_the_grid(settings, small_blocks):
    search = search_of(settings)
    go(search, Threads(2))
    assert [row[0] for row in recorded(search)] == list(search.points.hashes)


def test_the_same_search_again_counts_nothing_and_runs_nothing(settings):
    search = search_of(settings)
    first = go(search, Threads(2))
    before = recorded(search)
    place = Breaking(0, AssertionError("no point needs to be run"))
    again = go(search_of(settings), place)
    assert again.resumed == POINTS
    assert recorded(search) == before
    same(first, again)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_number_of_threads_changes_nothing(settings, small_blocks, threads):
    search = search_of(settings)
    done = go(search, Threads(threads))
    rows = recorded(search)
    shutil.rmtree(search.folder)
    ledger_path(settings).unlink()
    same(done, go(search_of(settings), Breaking(99, ValueError())))
    assert recorded(search) == rows


def test_few_points_run_on_one_thread_in_one_block(settings):
    search = search_of(settings, {"gross": tuple(0.5 + 0.01 * i for i in range(FEW - 1))})
    place = Breaking(99, ValueError(), workers=8)
    go(search, place)
    assert place.started == [0]


ENDINGS = {
    "ctrl-c": KeyboardInterrupt(),
    "a lost service": Ares7Error("the scheduler is gone"),
    "a bug": ZeroDivisionError(),
}


@pytest.mark.parametrize("after", [1, 3])
@pytest.mark.parametrize("ending", ENDINGS)
def test_whatever_ends_it_the_same_call_goes_on_and_gives_the_same(settings, small_blocks, ending, after):
    search = search_of(settings)
    place = Breaking(after, ENDINGS[ending], workers=1)
    with pytest.raises(type(ENDINGS[ending])):
        go(search, place)
    # One block more may have been handed out than was kept.
    kept = len(recorded(search))
    assert (after - 1) * 8 <= kept <= after * 8
    resumed = go(search_of(settings), Threads(2))
    assert resumed.resumed == kept
    rows = recorded(search)
    shutil.rmtree(search.folder)
    ledger_path(settings).unlink()
    same(resumed, go(search_of(settings), Threads(2)))
    assert recorded(search) == rows


def test_ctrl_c_says_how_many_points_are_kept(settings, small_blocks):
    with pytest.raises(KeyboardInterrupt, match=r"\d+ of 40 points are recorded and kept; the same command"):
        go(search_of(settings), Breaking(3, KeyboardInterrupt(), workers=1))


def test_ctrl_c_before_the_first_point_leaves_nothing(settings):
    search = search_of(settings)
    with pytest.raises(KeyboardInterrupt) as caught:
        go(search, Breaking(0, KeyboardInterrupt()), partial=True)
    assert str(caught.value) == ""
    assert not ledger_path(settings).exists()
    assert not (search.folder / search.digest).exists()


def test_a_partial_result_holds_the_points_that_were_finished(settings, small_blocks):
    search = search_of(settings)
    part = go(search, Breaking(3, KeyboardInterrupt(), workers=1), partial=True)
    rows = len(part.curves.nav)
    assert 16 <= rows < POINTS
    assert part.missing == POINTS - rows
    assert part.search.points.hashes == search.points.hashes[:rows]
    assert part.search.points.place.tolist() == [*range(rows), *[-1] * (POINTS - rows)]
    whole = go(search_of(settings), Threads(2))
    assert whole.resumed == rows
    assert np.array_equal(whole.curves.nav[:rows], part.curves.nav)
    assert [part.search.points.settings(i) for i in (0, rows - 1)] == [
        whole.search.points.settings(i) for i in (0, rows - 1)
    ]


def test_a_curve_is_never_there_uncounted(settings, small_blocks, monkeypatch):
    """The ledger comes first: what fails in between is counted and run again, not the other way round."""
    search = search_of(settings)

    def full(self, points, curves):
        raise DataError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(evaluating.CurveStore, "keep", full)
        with pytest.raises(DataError, match="disk full"):
            go(search, Threads(1))
    assert len(recorded(search)) == 8
    done = go(search_of(settings), Threads(1))
    assert done.resumed == 0
    assert len(recorded(search)) == POINTS


def test_curves_that_are_kept_are_counted_in_another_ledger_too(settings, tmp_path):
    go(search_of(settings), Threads(2))
    search = settings.search.model_copy(update={"ledger": tmp_path / "other.sqlite"})
    other = settings.model_copy(update={"search": search})
    done = go(search_of(other), Threads(2))
    assert done.resumed == POINTS
    assert len(trials(tmp_path / "other.sqlite")) == POINTS


def test_an_appended_day_does_not_start_a_new_count(tmp_path, settings):
    first = config(tmp_path, tmp_path / "cache", "period.end=2018-12-27")
    search = search_of(first)
    go(search, Threads(2))
    longer = search_of(config(tmp_path, tmp_path / "cache", "period.end=2018-12-28"))
    assert longer.dates[-1] > search.dates[-1]
    assert longer.digest != search.digest
    go(longer, Threads(2))
    with TrialLedger(ledger_path(settings)) as ledger:
        family = ledger.family(longer.data_set)
    assert (family.count, family.distinct) == (2 * POINTS, POINTS)


def test_without_a_cache_an_interrupted_search_goes_on_too(tmp_path, cache, small_blocks):
    own = config(tmp_path, cache, "data.cache=null", "data.synthetic.end=2016-12-30", "oos=[]", LOOSE)
    with pytest.raises(KeyboardInterrupt):
        go(search_of(own), Breaking(3, KeyboardInterrupt(), workers=1))
    assert go(search_of(own), Threads(2)).resumed >= 16


LOOSE = "search.selection.constraints={max_degradation: null, oos_above_baseline: false}"


def test_normalised_points_that_are_the_same_are_run_and_counted_once(settings):
    own = chosen(settings)
    points, _ = searching.numbered(settings, own.strategy.grids["weights729"], own, allowed=False)
    assert (len(points.grid), len(points.hashes), len(points.place)) == (729, 504, 729)
    for point in range(0, 729, 29):
        row = points.place[point]
        assert points.unique[row] <= point
        twin = settings_at(points.grid, point, type(own.settings), dict(own.settings), own.name)
        assert points.settings(row) == twin


def test_a_strategy_without_stages_can_be_searched(settings):
    search = search_of(settings, {"gross": (0.5, 0.9)}, "equal_weight")
    done = go(search, Threads(2))
    market = search.bench.market
    for row in range(2):
        params = search.points.settings(row)
        targets = computed_targets(market.panel, search.points.chosen.strategy, params, "e")
        alone = simulate(market.bars, targets, account=settings.account, costs=settings.costs)
        np.testing.assert_allclose(done.curves.nav[row], alone.nav, rtol=1e-10)


IDEA = """
from dataclasses import replace
from pydantic import Field
from ares7.params import BookParams
from strategies import equal_weight
from strategies.base import PortfolioStrategy

class Params(BookParams):
    tilt: float = Field(default=0.0)

def weights(panel, params):
    targets = equal_weight.weights(panel, equal_weight.Params())
    %s

class Idea(PortfolioStrategy):
    Params = Params
    weights = staticmethod(weights)
"""
BROKEN = {
    "raises": ("raise RuntimeError('my idea')", ["idea.py:13", "RuntimeError", "my idea"]),
    "negative": ("return replace(targets, weights=-targets.weights)", ["at least 0"]),
    "not a number": (
        "return replace(targets, weights=targets.weights / params.tilt)",
        ["must be numbers", "nan"],
    ),
    "nothing": ("return replace(targets, weights=targets.weights * 0)", ["wants nothing"]),
    "no targets": ("return 5", ["must return Targets"]),
}


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning", "ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("case", BROKEN)
def test_a_strategy_that_fails_is_refused_before_anything_is_recorded(settings, tmp_path, case):
    body, words = BROKEN[case]
    (tmp_path / "idea.py").write_text(IDEA % body)
    with pytest.raises(ConfigError) as caught:
        search_of(settings, {"tilt": (0.0, 1.0)}, f"{tmp_path / 'idea.py'}:Idea")
    for word in words:
        assert word in str(caught.value)
    assert not ledger_path(settings).exists()


def test_a_point_that_fails_later_ends_the_search_with_its_error(settings, tmp_path):
    body = "if params.tilt > 0: raise RuntimeError('too steep')\n    return targets"
    (tmp_path / "idea.py").write_text(IDEA % body)
    search = search_of(settings, {"tilt": (0.0, 1.0)}, f"{tmp_path / 'idea.py'}:Idea")
    with pytest.raises(ConfigError, match=r"idea\.py:13: RuntimeError: too steep"):
        go(search, Threads(2))
    assert recorded(search) == []


def test_a_point_with_leverage_that_the_account_has_not_is_refused(settings):
    with pytest.raises(ConfigError, match=r"gross is 1\.2.*account\.margin"):
        search_of(settings, {"gross": (0.9, 1.2)})


def damaged_ledger(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"this is no database, and long enough not to be taken for an empty one" * 20)


def test_a_damaged_ledger_stops_the_search_before_a_point_is_run(settings):
    path = ledger_path(settings)
    damaged_ledger(path)
    before = path.read_bytes()
    place = Breaking(99, ValueError())
    search = search_of(settings)
    with pytest.raises(DataError, match=r"trial ledger .* cannot be used"):
        go(search, place)
    assert place.started == []
    assert path.read_bytes() == before
    assert not (search.folder / search.digest).exists()


def test_a_damaged_ledger_costs_no_curve_that_is_kept(settings, small_blocks):
    with pytest.raises(KeyboardInterrupt):
        go(search_of(settings), Breaking(3, KeyboardInterrupt(), workers=1))
    path = ledger_path(settings)
    whole = path.read_bytes()
    damaged_ledger(path)
    with pytest.raises(DataError):
        go(search_of(settings), Threads(2))
    path.write_bytes(whole)
    assert go(search_of(settings), Threads(2)).resumed >= 16


def test_a_runs_folder_that_cannot_be_written_stops_it_too(settings, tmp_path):
    (tmp_path / "runs").write_text("mine\n")
    place = Breaking(99, ValueError())
    with pytest.raises(ConfigError, match=r"runs\.folder .* cannot be written"):
        go(search_of(settings), place)
    assert place.started == []


def test_a_result_that_would_not_fit_is_refused_before_it_is_computed(settings, monkeypatch):
    search = search_of(settings)
    free = shutil.disk_usage(settings.runs.folder.parent)
    monkeypatch.setattr(evaluating.shutil, "disk_usage", lambda path: free._replace(free=1000))
    with pytest.raises(ConfigError, match=r"GiB free, and the curves of 40 points take"):
        go(search, Breaking(99, ValueError()))


WINDOWED = {
    "train shorter than the warm-up": (
        ["oos=[{name: A, start: 2015-06-01, end: 2018-12-31}]"],
        ["warm-up", "276"],
    ),
    "nothing before the windows": (
        ["oos=[{name: A, start: 2001-01-01, end: 2018-12-31}]"],
        ["before the earliest out-of-sample window"],
    ),
    "no window in the data": (
        ["oos=[{name: A, start: 2030-01-01, end: 2031-12-31}]"],
        ["out-of-sample window"],
    ),
    "overlapping folds": (
        ["search.selection.objective=purged_cv", "search.folds.purge=0"],
        ["purge is 0 rows", "at least 1"],
    ),
    "folds longer than the data": (
        ["search.selection.objective=purged_cv", "search.folds.purge=260", "search.folds.folds=3"],
        ["train"],
    ),
    "years longer than the data": (
        ["search.selection.objective=walk_forward", "search.walkforward.train_years=30"],
        ["walk-forward"],
    ),
}


@pytest.mark.parametrize("case", WINDOWED)
def test_windows_that_the_data_cannot_serve_are_refused(tmp_path, settings, case):
    overrides, words = WINDOWED[case]
    with pytest.raises(ConfigError) as caught:
        search_of(config(tmp_path, tmp_path / "cache", *overrides))
    for word in words:
        assert word in str(caught.value)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("objective", ["purged_cv", "walk_forward", "oos_min_sharpe"])
def test_every_objective_finds_its_windows(tmp_path, settings, objective):
    own = config(
        tmp_path,
        tmp_path / "cache",
        f"search.selection.objective={objective}",
        "search.walkforward.train_years=1",
        "oos=[{name: A, start: 2018-01-01, end: 2018-12-31}]",
    )
    search = search_of(own, {"gross": (0.5, 0.9)})
    done = go(search, Threads(1))
    assert done.figures.equity.window_sharpe.shape == (2, len(search.windows.slices))
    assert len(search.windows.slices) > (1 if objective == "oos_min_sharpe" else 2)


def test_the_digest_tells_searches_apart(tmp_path, settings):
    plain = search_of(settings)
    others = [
        search_of(settings, AXES | {"gross": (0.9,)}),
        search_of(config(tmp_path, tmp_path / "cache", "costs.bps=5")),
        search_of(config(tmp_path, tmp_path / "cache", "account.cash=500000")),
        search_of(config(tmp_path, tmp_path / "cache", "period.end=2018-06-29")),
        search_of(config(tmp_path, tmp_path / "cache", "data.synthetic.seed=8")),
    ]
    digests = {plain.digest, *(other.digest for other in others)}
    assert len(digests) == 6
    assert search_of(settings).digest == plain.digest


def test_the_first_search_of_an_installation_says_that_it_compiles(settings, monkeypatch, capsys, tmp_path):
    from ares7 import batch_kernel

    if not hasattr(batch_kernel.run_block, "_cache"):
        pytest.skip("kernels run as plain Python")
    capsys.readouterr()
    searching._say_what_is_compiled()
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(type(batch_kernel.run_block._cache), "cache_path", str(tmp_path))
    searching._say_what_is_compiled()
    assert "compiling for the first time, about 10 s" in capsys.readouterr().err


def test_the_curves_of_a_block_are_what_run_plans_gives(settings):
    search = search_of(settings, {"gross": (0.5, 0.9)})
    done = go(search, Threads(1))
    bench = search.bench
    plans = [bench.plan(bench.market.panel, search.points.settings(row), bench.memo) for row in range(2)]
    assert np.array_equal(run_plans(bench.market, plans).nav, done.curves.nav)
