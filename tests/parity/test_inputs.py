"""What ``simulate`` may be handed: read-only, mapped, strided and single-precision arrays; never another panel's."""

from dataclasses import replace

import numpy as np
import pytest

from ares7 import kernels
from ares7.bars import engine_bars
from ares7.config import AccountConfig
from ares7.costs import BpsCosts
from ares7.errors import ConfigError
from ares7.kernels import run_sessions
from ares7.simulate import simulate
from strategies import equal_weight
from tests.engine.panels import market
from tests.parity.comparing import PYTHON, assert_same_records


@pytest.fixture(scope="module")
def bars():
    return engine_bars(market(sessions=330, stocks=10))


@pytest.fixture(scope="module")
def targets(bars):
    return equal_weight.weights(bars.panel, equal_weight.Params(gross=1.0))


def run(bars, targets, **options):
    return simulate(bars, targets, account=AccountConfig(cash=1e5), costs=BpsCosts(bps=10), **options)


def altered(bars, targets, change):
    """Every array that ``simulate`` reads, put through ``change``."""
    prices = {name: change(values) for name, values in bars.prices.items()}
    return (
        replace(bars, prices=prices, bar=change(bars.bar), gap=change(bars.gap)),
        replace(targets, weights=change(targets.weights), decide=change(targets.decide)),
    )


def read_only(values):
    out = values.copy()
    out.flags.writeable = False
    return out


def strided(values):
    return np.repeat(values, 2, axis=-1)[..., ::2]


def backwards(values):
    return values[::-1].copy()[::-1]


def all_arrays(bars, targets):
    return {
        **bars.prices,
        **{f"panel {name}": values for name, values in bars.panel.fields.items()},
        "bar": bars.bar,
        "gap": bars.gap,
        "weights": targets.weights,
        "decide": targets.decide,
        "on_switch": targets.on_switch,
    }


@pytest.mark.parametrize("change", [read_only, np.asfortranarray, strided, backwards])
def test_the_layout_of_the_arrays_does_not_matter(bars, targets, change):
    expected, got = run(bars, targets), run(*altered(bars, targets, change))
    assert np.array_equal(got.nav, expected.nav)
    assert_same_records(got.ledger, expected.ledger)


def test_memory_mapped_arrays_work(bars, targets, tmp_path):
    def mapped(values):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.npy"
        np.save(path, values)
        return np.load(path, mmap_mode="r")

    expected, got = run(bars, targets), run(*altered(bars, targets, mapped))
    assert np.array_equal(got.nav, expected.nav)
    assert_same_records(got.ledger, expected.ledger)


def test_no_layout_makes_numba_compile_again(bars, targets):
    """One signature: a grid that reads mapped arrays never waits for the compiler."""
    for change in (read_only, np.asfortranarray, strided):
        run(*altered(bars, targets, change))
    assert len(getattr(run_sessions, "signatures", ["plain Python"])) == 1


def test_inputs_are_never_changed(bars, targets):
    before = {name: values.copy() for name, values in all_arrays(bars, targets).items()}
    run(bars, targets)
    for name, values in all_arrays(bars, targets).items():
        assert np.array_equal(values, before[name], equal_nan=values.dtype.kind == "f"), name


def test_runs_do_not_share_anything(bars, targets):
    first = run(bars, targets)
    kept = first.nav.copy()
    second = run(bars, replace(targets, weights=0.5 * targets.weights))
    assert not np.array_equal(second.nav, kept)
    assert np.array_equal(first.nav, kept)
    assert np.array_equal(run(bars, targets).nav, kept)


def test_single_precision_weights_count_as_the_numbers_they_are(bars, targets):
    single = replace(targets, weights=targets.weights.astype(np.float32))
    double = replace(targets, weights=single.weights.astype(np.float64))
    assert np.array_equal(run(bars, single).nav, run(bars, double).nav)


def test_without_a_record_the_curves_are_the_same(bars, targets):
    full, bare = run(bars, targets), run(bars, targets, record=False)
    assert bare.ledger is None
    for name in ("dates", "nav", "cash", "gross", "names"):
        assert np.array_equal(getattr(bare, name), getattr(full, name)), name


@pytest.mark.parametrize(
    "broken",
    [
        lambda t: replace(t, weights=t.weights[:-1]),
        lambda t: replace(t, weights=t.weights[:, :-1]),
        lambda t: replace(t, decide=t.decide[:-1]),
        lambda t: replace(t, on_switch=t.on_switch[:-1]),
        lambda t: replace(t, weights=t.weights[0]),
    ],
    ids=["a session short", "a symbol short", "a short mask", "short switches", "one row"],
)
def test_targets_of_another_panel_are_refused(bars, targets, broken):
    with pytest.raises(ConfigError, match="do not fit the panel"):
        run(bars, broken(targets))


def test_a_part_of_the_panel_can_be_run(bars, targets):
    """The rows before ``first`` and from ``stop`` on do not count."""
    first, stop = bars.panel.start_row, bars.panel.start_row + 30
    part = run(engine_bars(bars.panel, stop=stop), targets)
    assert np.array_equal(part.dates, bars.panel.dates[first:stop])
    assert np.array_equal(part.nav, run(bars, targets).nav[:30])


def test_one_session_and_one_name(bars, targets):
    panel = bars.panel.columns([bars.panel.symbols.index("SPY")])
    alone = replace(targets, weights=np.full((len(panel.dates), 1), 0.9))
    assert len(run(engine_bars(panel, stop=panel.start_row + 1), alone).nav) == 1


def test_the_kernels_are_the_same_code_in_both_modes():
    for name, plain in vars(PYTHON).items():
        compiled = getattr(kernels, name)
        if hasattr(compiled, "py_func"):
            assert compiled.py_func.__code__.co_code == plain.__code__.co_code, name
