"""Each switch of the published engine does what its name says, on markets small enough to reckon by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ares7.errors import LookaheadError, MissingData
from ares7.legacy import Biases, LegacyParams, PublishedEngine
from ares7.legacy_books import (
    PEAD_SESSIONS,
    REPORT_SESSIONS,
    Announcements,
    dated_by,
    earned,
    quality_leg,
    ranks_trailing,
    ranks_within_day,
    restarted,
    tape_of,
    tilted,
)
from ares7.panel import Panel
from feeds.ladder_study import EXPLAINED, ORDER
from tests.contracts.panels import ends, weekdays

ROWS, START = 420, 280
FREE = {"cost_bps": 0.0}
JUMP = 350
"""Row of the one event of a market that is flat otherwise."""


def panel_of(moves: np.ndarray, index: float = 0.001, vix: np.ndarray | None = None, **fields) -> Panel:
    """Closes from (T, N) moves, an index that grows by ``index`` a session, and VIX 15."""
    days = weekdays(len(moves))
    close = 50.0 * np.cumprod(1.0 + moves, axis=0)
    return Panel(
        dates=days[:-1],
        symbols=tuple(f"S{i}" for i in range(moves.shape[1])),
        fields={"close": close, **fields},
        series={
            "index": 1000.0 * np.cumprod(np.full(len(moves), 1.0 + index)),
            "vix": np.full(len(moves), 15.0) if vix is None else vix,
        },
        is_stock=np.ones(moves.shape[1], dtype=bool),
        member=np.ones(moves.shape, dtype=bool),
        month_end=ends(days, "M"),
        week_end=ends(days, "W"),
        start=days[START],
    )


def flat(names: int = 4, jump: float = 0.0) -> np.ndarray:
    """No move but one, of the first name."""
    moves = np.zeros((ROWS, names))
    moves[JUMP, 0] = jump
    return moves


def noise(seed: int = 3, names: int = 10) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.0004, 0.01, (ROWS, names))


def returns(panel, *on, windows=(), announcements=None, **params):
    """Returns by row of the panel, 0 up to the start."""
    engine = PublishedEngine(panel, LegacyParams(**params), windows=windows, announcements=announcements)
    series = engine.returns(Biases(**dict.fromkeys(on, True)), allow_lookahead=bool(on))
    assert series.shape == (len(panel.dates) - START - 1,)
    return np.concatenate([np.zeros(START + 1), series])


@pytest.mark.parametrize("name", Biases.model_fields)
def test_each_switch_needs_allow_lookahead(name):
    engine = PublishedEngine(panel_of(flat()))
    with pytest.raises(LookaheadError, match=f"{name} .*allow_lookahead"):
        engine.returns(Biases(**{name: True}))


def test_the_ladder_climbs_and_explains_every_switch():
    assert sorted(ORDER) == sorted(Biases.model_fields) == sorted(EXPLAINED)


def test_without_an_index_the_regime_cannot_be_read():
    panel = panel_of(flat())
    del panel.series["vix"]
    with pytest.raises(MissingData, match="vix"):
        returns(panel)
    assert not returns(panel, regime=False).any()


def test_a_row_earns_its_own_day_or_the_next():
    book = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    moves = np.array([[0.1, 0.0], [0.1, 0.2], [0.3, -0.1]])
    np.testing.assert_allclose(earned(book, moves, True, 0.001), [0.1, 0.2 - 0.002, -0.1])
    np.testing.assert_allclose(earned(book, moves, False, 0.001), [0.0, 0.1, -0.1 - 0.002])


def test_the_best_fifth_is_tilted_up_and_the_worst_down():
    tape = tape_of(panel_of(flat(5)))
    score = np.tile([3.0, 0.0, 1.0, 2.0, -1.0], (ROWS, 1))
    np.testing.assert_allclose(tilted(score, tape, 0.04, 0.2, 0.2)[-1], [0.24, 0.2, 0.2, 0.2, 0.16])


def test_weights_of_the_same_day_earn_the_jump_that_chose_them():
    panel = panel_of(flat(jump=0.10))
    assert returns(panel, regime=False, **FREE)[JUMP] == pytest.approx(0.25 * 0.10)
    # Best of four up by .04; the other three tie for the worst and go down by .04 each.
    tilted_up = 0.29 / (0.29 + 3 * 0.21)
    assert returns(panel, "same_day_weights", regime=False, **FREE)[JUMP] == pytest.approx(tilted_up * 0.10)


def test_unread_quality_is_the_same_whatever_the_fundamentals_say():
    roe = np.random.default_rng(1).normal(size=(ROWS, 10))
    with_roe, other, without = (panel_of(noise(), **f) for f in ({"roe": roe}, {"roe": -roe}, {}))
    np.testing.assert_array_equal(returns(with_roe, "quality_unread"), returns(other, "quality_unread"))
    np.testing.assert_array_equal(returns(with_roe, "quality_unread"), returns(without))
    assert np.abs(returns(with_roe) - returns(other)).max() > 1e-5


def test_quality_is_half_return_three_tenths_margin_and_debt_against_it():
    two = np.tile([1.0, 3.0], (ROWS, 1))
    panel = panel_of(flat(2), roe=two, ebitda_margin=two, operating_margin=-two, debt_to_equity=-two)
    np.testing.assert_allclose(quality_leg(panel, tape_of(panel), "filed"), np.tile([-1.0, 1.0], (ROWS, 1)))
    panel = panel_of(flat(2), roe=two, operating_margin=-two)
    np.testing.assert_allclose(quality_leg(panel, tape_of(panel), "filed"), np.tile([-0.2, 0.2], (ROWS, 1)))


def test_latest_fundamentals_serve_for_all_years():
    field = np.array([[np.nan, 1.0, np.nan], [2.0, 5.0, np.nan], [np.nan, 7.0, np.nan]])
    np.testing.assert_array_equal(dated_by(field, "latest_fundamentals"), np.tile([2.0, 7.0, np.nan], (3, 1)))
    np.testing.assert_array_equal(dated_by(field, "filed"), field)


def test_restated_fundamentals_come_a_reporting_delay_too_early():
    field = np.arange(200.0)[:, None]
    shifted = dated_by(field, "restated_fundamentals")
    np.testing.assert_array_equal(shifted[:-REPORT_SESSIONS], field[REPORT_SESSIONS:])
    assert (shifted[-REPORT_SESSIONS:] == 199.0).all()


@pytest.mark.parametrize("switch", ["latest_fundamentals", "restated_fundamentals"])
def test_figures_of_the_future_choose_the_book(switch):
    """ROE turns over near the end; only an engine that knows it early holds another book before."""
    roe = np.tile(np.arange(10.0), (ROWS, 1))
    roe[ROWS - 30 :] *= -1.0
    panel, steady = panel_of(noise(), roe=roe), panel_of(noise(), roe=np.abs(roe))
    until = ROWS - 30
    np.testing.assert_array_equal(returns(panel)[:until], returns(steady)[:until])
    assert np.abs(returns(panel, switch) - returns(steady, switch))[:until].max() > 1e-5


def vix_falling_at(row: int) -> np.ndarray:
    return np.where(np.arange(ROWS) < row, 28.0, 15.0)


def test_the_regime_of_a_close_decides_that_day_or_the_next():
    panel = panel_of(np.full((ROWS, 3), 0.001), vix=vix_falling_at(JUMP))
    lagged, same = returns(panel, **FREE), returns(panel, "same_day_vix", **FREE)
    np.testing.assert_allclose(lagged[START + 1 : JUMP + 1], 0.0005)
    np.testing.assert_allclose(lagged[JUMP + 1 :], 0.001)
    np.testing.assert_allclose(same[START + 1 : JUMP], 0.0005)
    np.testing.assert_allclose(same[JUMP:], 0.001)


def test_a_switch_costs_what_is_exchanged_unless_it_is_free():
    vix = np.where((np.arange(ROWS) >= JUMP) & (np.arange(ROWS) < JUMP + 5), 28.0, 15.0)
    panel = panel_of(flat(), vix=vix)
    paid = returns(panel, cost_bps=10.0)
    # All of the book against half of it: .5 of NAV is exchanged, on the day after each change of label.
    expected = np.zeros(ROWS)
    expected[[JUMP + 1, JUMP + 6]] = -0.5 * 0.001
    np.testing.assert_allclose(paid, expected, atol=1e-15)
    assert not returns(panel, "free_switches", cost_bps=10.0).any()


def test_free_switches_remove_the_cost_of_switches_alone():
    vix = np.where(np.arange(ROWS) // 7 % 2 == 0, 15.0, 28.0)
    panel = panel_of(noise(), vix=vix)
    gap = returns(panel, "free_switches") - returns(panel)
    label = vix < 25
    switched = np.flatnonzero(label[1:-1] != label[:-2]) + 2
    switched = switched[switched > START]
    assert (gap[switched] > 0).all()
    np.testing.assert_array_equal(np.flatnonzero(np.abs(gap) > 1e-15), switched)


def test_a_switch_exchanges_the_book_that_was_held():
    """Of the nine names that are left at a month end, the switch that fills that day knows nothing."""
    whole = panel_of(noise())
    row = int(np.flatnonzero(whole.month_end & (np.arange(ROWS) > JUMP))[0])
    whole = panel_of(noise(), vix=vix_falling_at(row - 1))
    close = whole.fields["close"].copy()
    close[row:, 0] = np.nan
    fewer = replace(whole, fields={"close": close})
    costs = [
        (returns(panel, "free_switches", tilt=0.08) - returns(panel, tilt=0.08))[row]
        for panel in (whole, fewer)
    ]
    assert costs[0] == pytest.approx(costs[1], rel=1e-9)
    # Ten names at .1, two of them .08 up and two .08 down, against ten at .05.
    assert costs[0] == pytest.approx((2 * 0.13 + 6 * 0.05 + 2 * 0.03) * 0.001)


def test_assumed_costs_are_a_rate_instead_of_the_trades():
    panel = panel_of(noise())
    assumed = returns(panel, "assumed_costs", cost_bps=10.0)[START + 1 :]
    np.testing.assert_allclose(assumed, returns(panel, **FREE)[START + 1 :] - 0.003 / 252, atol=1e-15)


def test_the_regime_can_look_at_its_own_portfolio():
    panel = panel_of(np.full((ROWS, 3), 0.001), index=-0.001)
    np.testing.assert_allclose(returns(panel, **FREE)[START + 1 :], 0.0005)
    own = returns(panel, "own_equity_regime", **FREE)
    # The index falls throughout; the portfolio has grown for a year, cash before its first month end included.
    np.testing.assert_allclose(own[START + 1 :], 0.001)


def test_volatility_is_hit_exactly_when_it_is_known_afterwards():
    scaled = returns(panel_of(noise()), "ex_post_volatility")[START + 1 :]
    assert scaled.std(ddof=1) * np.sqrt(252) == pytest.approx(0.12, rel=1e-12)
    honest = returns(panel_of(noise()))[START + 1 :]
    np.testing.assert_allclose(scaled / honest, scaled[0] / honest[0])


def test_a_window_that_starts_anew_is_equal_weight_for_a_year():
    moves = np.random.default_rng(3).normal(0.0004, 0.01, (700, 10))
    panel = panel_of(moves)
    window = (panel.dates[300], panel.dates[650])
    again = returns(panel, "windows_rerun", windows=(window,), regime=False, **FREE)
    honest, plain = returns(panel, regime=False, **FREE), returns(panel, regime=False, tilt=0.0, **FREE)
    np.testing.assert_array_equal(again[:301], honest[:301])
    np.testing.assert_array_equal(again[301:553], plain[301:553])
    np.testing.assert_array_equal(again[553:], honest[553:])
    assert np.abs(honest - plain)[553:].max() > 1e-6


def test_only_the_first_252_rows_of_each_window_are_exchanged():
    panel = panel_of(noise())
    book, equal = np.ones((ROWS, 10)), np.zeros((ROWS, 10))
    windows = ((panel.dates[10], panel.dates[20]), (panel.dates[100], panel.dates[-1]))
    exchanged = np.flatnonzero(restarted(panel, book, equal, windows)[:, 0] == 0)
    np.testing.assert_array_equal(exchanged, [*range(10, 21), *range(100, 352)])


def events(row: list[int], surprise: list[float], column: list[int] | None = None) -> Announcements:
    columns = np.zeros(len(row), dtype=np.int64) if column is None else np.array(column)
    return Announcements(np.array(row), columns, np.array(surprise))


def test_within_a_day_a_lone_event_ranks_first():
    ranks = ranks_within_day(events([5, 9, 9, 9], [-3.0, 1.0, 3.0, 2.0]))
    np.testing.assert_allclose(ranks, [1.0, 1 / 3, 1.0, 2 / 3])


def test_trailing_ranks_look_at_earlier_days_only():
    row = [*range(1, 21), 30, 30, 200]
    surprise = [*np.linspace(-1.0, 1.0, 20), 0.9, 5.0, 5.0]
    ranks = ranks_trailing(events(row, surprise))
    np.testing.assert_array_equal(ranks[:20], 0.5)
    np.testing.assert_allclose(ranks[20:], [19 / 20, 1.0, 0.5])


def test_a_tilt_within_the_day_earns_the_announcement():
    panel, lone = panel_of(flat(jump=0.10)), events([JUMP], [-1.0])
    plain = returns(panel, announcements=lone, regime=False, **FREE)
    early = returns(panel, "within_day_pead", announcements=lone, regime=False, **FREE)
    assert plain[JUMP] == pytest.approx(0.25 * 0.10)
    assert early[JUMP] == pytest.approx(0.265 / 1.015 * 0.10)


def test_an_honest_tilt_begins_when_the_announcement_is_known_and_ends_after_its_sessions():
    moves = flat()
    moves[:, 0] += 0.001
    row = [*range(JUMP - 40, JUMP - 20), JUMP]
    # Twenty events of the other names, and then the best one, of the first name.
    told = events(row, [*np.linspace(-0.1, 0.1, 20), 1.0], [*np.tile([1, 2, 3], 7)[:20], 0])
    quiet = events(row[:-1], told.surprise[:-1].tolist(), told.column[:-1].tolist())
    panel = panel_of(moves)
    gap = returns(panel, announcements=told, regime=False, **FREE) - returns(
        panel, announcements=quiet, regime=False, **FREE
    )
    changed = np.flatnonzero(np.abs(gap) > 1e-9)
    np.testing.assert_array_equal(changed, np.arange(JUMP + 2, JUMP + 2 + PEAD_SESSIONS))


def test_runs_of_one_engine_do_not_touch_each_other():
    """What is shared is kept; the order of the questions must not matter."""
    roe = np.random.default_rng(1).normal(size=(ROWS, 10))
    panel, told = panel_of(noise(), roe=roe), events([JUMP, JUMP + 3], [1.0, -1.0])
    windows = ((panel.dates[300], panel.dates[-1]),)
    engine = PublishedEngine(panel, windows=windows, announcements=told)
    for on in [(), *((name,) for name in ORDER), ORDER[:3], ORDER, ORDER[:1], ()]:
        biases = Biases(**dict.fromkeys(on, True))
        fresh = PublishedEngine(panel, windows=windows, announcements=told)
        np.testing.assert_array_equal(
            engine.returns(biases, allow_lookahead=True), fresh.returns(biases, allow_lookahead=True)
        )
