"""The synthetic market: what it contains, that it is what it says, and that its files are sound."""

import datetime as dt
import json
from functools import cache

import numpy as np
import pandas as pd
import pytest

from ares7.config import DataConfig, SyntheticConfig
from ares7.errors import ConfigError
from ares7.signals.cross_section import leg, merge, standard_score
from feeds import synthetic, synthetic_prices
from feeds.earnings import effective_sessions
from feeds.load import load_with_findings

DAY = np.timedelta64(1, "D")


@cache
def market(preset="planted", seed=7, symbols=60, years=8):
    return synthetic.generate(
        SyntheticConfig(preset=preset, seed=seed, symbols=symbols, end=dt.date(2010 + years - 1, 12, 30))
    )


def stocks(m, name):
    return getattr(m, name)[:, m.is_stock]


def ratio(x):
    return x[1:] / x[:-1] - 1.0


def drift_of(m):
    """Planted drift after surprises, recomputed from the written events: (T, stocks)."""
    events = m.tables["earnings"]
    rows = effective_sessions(
        events["announce_date"].to_numpy().astype("datetime64[D]"), events["session"], m.dates
    )
    names = [s for s, is_stock in zip(m.symbols, m.is_stock, strict=True) if is_stock]
    column = {s: i for i, s in enumerate(names)}
    out = np.zeros((len(m.dates), len(names)))
    surprise = np.sign((events["eps_actual"] - events["eps_estimate"]).to_numpy())
    for symbol, row, sign in zip(events["symbol"], rows, surprise, strict=True):
        if row >= 0:
            out[row + 1 : row + 61, column[symbol]] += sign * 0.01 / 60
    return out


# --- determinism ---------------------------------------------------------------------------------------------


def test_same_settings_give_the_same_bits():
    again = synthetic.generate(market().config)
    for name in ("open", "high", "low", "close", "adj_close", "volume", "index", "vix", "expected"):
        assert getattr(again, name).tobytes() == getattr(market(), name).tobytes(), name
    for name, table in market().tables.items():
        pd.testing.assert_frame_equal(table, again.tables[name], check_exact=True)


def test_another_seed_gives_another_market():
    a, b = market(), market(seed=8)
    assert not np.allclose(a.vix, b.vix)
    assert not np.array_equal(stocks(a, "close"), stocks(b, "close"), equal_nan=True)


def test_the_global_random_state_is_neither_read_nor_changed():
    np.random.seed(1)  # noqa: NPY002 - the global state is the subject
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    again = synthetic.generate(market().config)
    assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    assert np.array_equal(again.vix, market().vix)


def test_content_changes_only_with_the_generator_version():
    # When this fails on purpose: raise synthetic.GENERATOR, so that stored markets are made again, and pin anew.
    m = market(symbols=20, years=2)
    found = [float(np.nansum(m.adj_close[-1])), float(m.index[-1]), float(m.vix.sum())]
    assert synthetic.GENERATOR == 1
    assert found == pytest.approx([2386.278333, 1134.48, 11176.03], rel=1e-9)


def test_presets_share_their_noise():
    null, planted = market("null"), market("planted")
    surprise = [
        np.nan_to_num(ratio(stocks(m, "adj_close")) - stocks(m, "expected")[1:]) for m in (null, planted)
    ]
    assert np.corrcoef(surprise[0].ravel(), surprise[1].ravel())[0, 1] > 0.9999
    assert np.array_equal(null.vix, planted.vix)


# --- contents ------------------------------------------------------------------------------------------------


def test_symbols_are_sorted_and_funds_are_no_stocks():
    m = market()
    assert list(m.symbols) == sorted(m.symbols)
    assert {s for s, x in zip(m.symbols, m.is_stock, strict=True) if not x} == set(DataConfig().etfs)
    assert m.is_stock.sum() == 60


def test_rows_are_exchange_sessions():
    m = market()
    assert m.dates[0] == np.datetime64("2010-01-04")
    assert np.datetime64("2012-10-29") not in m.dates  # closed for a hurricane
    assert len(m.dates) == 2013


@pytest.mark.parametrize("preset", ["null", "planted"])
def test_bars_are_consistent(preset):
    m = market(preset)
    bar = np.isfinite(m.close)
    for name in ("open", "high", "low", "adj_close", "volume"):
        assert np.array_equal(np.isfinite(getattr(m, name)), bar)
    assert (m.low[bar] > 0).all()
    assert (m.high[bar] >= np.maximum(m.open, m.close)[bar]).all()
    assert (m.low[bar] <= np.minimum(m.open, m.close)[bar]).all()
    assert (m.volume[bar] >= 1).all()


def test_late_listings_delistings_and_short_gaps():
    m = market()
    bar = np.isfinite(stocks(m, "close"))
    first, last = bar.argmax(axis=0), len(bar) - 1 - bar[::-1].argmax(axis=0)
    assert (first > 0).sum() == 9
    assert (last < len(bar) - 1).sum() == 7
    lengths = []
    for i in range(bar.shape[1]):
        inside = bar[first[i] : last[i] + 1, i]
        edges = np.flatnonzero(np.diff(np.concatenate([[True], inside, [True]]).astype(int)))
        lengths += (edges[1::2] - edges[::2]).tolist()
    assert len(lengths) >= 3
    assert max(lengths) <= 6
    assert min(lengths) >= 1
    assert {1, 2, 3} & set(lengths)
    table = m.tables["symbols"].set_index("symbol")
    assert (table["status"] == "delisted").sum() == 7
    assert np.array_equal(table["first_date"].to_numpy().astype("datetime64[D]"), m.dates[first])
    assert np.array_equal(table["last_date"].to_numpy().astype("datetime64[D]"), m.dates[last])
    assert np.array_equal(table["n_days"], bar.sum(axis=0))
    assert table["gics_sector"].nunique() >= 8


def test_bil_is_listed_later_and_the_other_funds_from_the_start():
    m = market()
    first = np.isfinite(m.close).argmax(axis=0)
    assert first[m.symbols.index("BIL")] > 200
    assert all(first[m.symbols.index(s)] == 0 for s in ("SPY", "TLT", "IEF", "SHY", "GLD"))


def test_membership_has_entries_exits_and_returns():
    m = market(symbols=200, years=3)
    table = m.tables["membership"]
    start, end = (table[c].to_numpy().astype("datetime64[D]") for c in ("start_date", "end_date"))
    assert (start > m.dates[0]).any()
    assert (end < m.dates[-1]).any()
    assert table["symbol"].duplicated().any()
    assert set(table["symbol"]) < {s for s, x in zip(m.symbols, m.is_stock, strict=True) if x}
    assert (np.isnat(end) | (end >= start)).all()


def test_dividends_separate_adjusted_from_traded_prices():
    m = market()
    gap = m.close / m.adj_close - 1.0
    last = len(gap) - 1 - np.isfinite(gap)[::-1].argmax(axis=0)
    assert np.abs(gap[last, np.arange(gap.shape[1])]).max() < 1e-4
    first = np.isfinite(gap).argmax(axis=0)
    paid = gap[first, np.arange(gap.shape[1])]
    assert (paid[m.is_stock] > 0.01).sum() > 30
    assert paid[m.symbols.index("SPY")] == pytest.approx(0.018 * len(gap) / 252, abs=0.03)


def test_spy_tracks_the_index_with_dividends():
    m = market()
    spy = m.symbols.index("SPY")
    difference = ratio(m.adj_close[:, spy]) - ratio(m.index)
    assert difference.std() < 2e-5
    assert difference.mean() * 252 == pytest.approx(0.018, abs=0.001)


def test_a_split_shows_in_shares_and_not_in_prices():
    m = market(seed=11, symbols=200)
    splits = m.tables["splits"]
    assert {2.0, 0.1} <= set(splits["ratio"])
    filed = m.tables["fundamentals"]
    returns = ratio(m.close)
    seen = 0
    for symbol, date, factor in splits.drop_duplicates("symbol", keep=False).itertuples(index=False):
        row = int(np.searchsorted(m.dates, np.datetime64(date, "D")))
        assert abs(returns[row - 1, m.symbols.index(symbol)]) < 0.4
        own = filed[filed["symbol"] == symbol].sort_values("filing_date")
        shares = own["shares_outstanding"].to_numpy()
        after = (own["filing_date"] >= date).to_numpy()
        if after.any() and not after.all():
            seen += 1
            assert shares[after][0] / shares[~after][-1] == pytest.approx(factor, rel=1e-6)
    assert seen >= 5


def test_vix_falls_when_the_market_rises_the_same_day():
    seeds = [market("null", seed, symbols=20) for seed in range(4)]
    same = [np.corrcoef(np.diff(m.vix), ratio(m.index))[0, 1] for m in seeds]
    assert np.mean(same) == pytest.approx(-0.75, abs=0.03)
    after = [np.corrcoef(np.diff(m.vix)[:-1], ratio(m.index)[1:])[0, 1] for m in seeds]
    assert abs(np.mean(after)) < 4 / np.sqrt(4 * 2000)


def test_the_default_market_looks_like_a_market():
    calm, middling, volatility, sharpe, above = [], [], [], [], []
    for seed in range(5):
        m = market("null", seed, symbols=40, years=16)
        calm.append((m.vix >= 30).mean())
        middling.append(((m.vix >= 25) & (m.vix < 30)).mean())
        spy = ratio(m.adj_close[:, m.symbols.index("SPY")])
        volatility.append(spy.std() * 252**0.5)
        equal = np.nanmean(ratio(stocks(m, "adj_close")), axis=1)
        sharpe.append(equal.mean() / equal.std() * 252**0.5)
        average = np.convolve(m.index, np.full(200, 1 / 200), "valid")
        above.append((m.index[199:] > average).mean())
        own = np.nanmedian(np.nanstd(ratio(stocks(m, "adj_close")), axis=0)) * 252**0.5
        assert 0.22 < own < 0.40
    assert 0.02 < np.mean(calm) < 0.12
    assert 0.03 < np.mean(middling) < 0.12
    assert 0.12 < np.mean(volatility) < 0.20
    assert 0.1 < np.mean(sharpe) < 1.0
    assert 0.5 < np.mean(above) < 0.85


def test_states_change_volatility_and_correlation():
    m = market("null", symbols=60, years=16)
    spy = ratio(m.adj_close[:, m.symbols.index("SPY")])
    returns = ratio(stocks(m, "adj_close"))
    whole = np.isfinite(returns).all(axis=0)
    risk, together = [], []
    for k in range(len(synthetic_prices.STATES)):
        days = m.state[:-1] == k
        assert days.mean() > 0.02
        risk.append(spy[days].std())
        together.append(np.corrcoef(returns[days][:, whole].T).mean())
    assert risk[0] < risk[1] < risk[2]
    assert together[0] < together[2]


# --- accounts ------------------------------------------------------------------------------------------------


def test_filings_lag_realistically_and_some_are_late():
    table = market(symbols=200).tables["fundamentals"]
    first = table.sort_values("filing_date").drop_duplicates(["symbol", "report_period"])
    lag = (first["filing_date"] - first["report_period"]).dt.days
    usual = lag[~first["late_filing"]]
    assert usual.min() >= 25
    assert usual.max() <= 75
    assert 0 < first["late_filing"].mean() < 0.02
    assert (first.loc[first["late_filing"], "lag_days"] > 150).all()
    assert np.array_equal(lag, first["lag_days"])


def test_restatements_are_filed_later_with_other_numbers():
    table = market().tables["fundamentals"].sort_values("filing_date", kind="stable")
    twice = table[table.duplicated(["symbol", "report_period"], keep=False)]
    pairs = list(twice.groupby(["symbol", "report_period"]))
    assert 0.01 < len(pairs) / len(table) < 0.08
    for _, pair in pairs:
        assert len(pair) == 2
        assert pair["filing_date"].iloc[1] > pair["filing_date"].iloc[0]
        assert pair["net_income"].iloc[1] != pair["net_income"].iloc[0]
        assert not pair["late_filing"].iloc[1]


def test_nothing_is_filed_or_announced_after_the_end_or_after_a_delisting():
    m = market()
    last = m.tables["symbols"].set_index("symbol")["last_date"]
    for name in ("fundamentals", "fundamentals_annual"):
        table = m.tables[name]
        assert (table["filing_date"].to_numpy() <= last[table["symbol"]].to_numpy()).all()
    assert (m.tables["earnings"]["announce_date"].to_numpy().astype("datetime64[D]") <= m.dates[-1]).all()


def test_fundamentals_are_public_from_the_first_session_on():
    m = market()
    fields = synthetic.to_panel(m, DataConfig()).fields
    assert np.isfinite(fields["roe"][0]).sum() > 40


def test_some_values_are_missing_and_some_equity_is_negative():
    table = market(symbols=200).tables["fundamentals"]
    for name in ("roe", "operating_margin", "debt_to_equity", "equity", "long_term_debt"):
        assert 0.005 < table[name].isna().mean() < 0.25, name
    under = table[table["equity"] <= 0]
    assert len(under) > 0
    assert under[["roe", "debt_to_equity", "liabilities_to_equity"]].isna().all(axis=None)


def test_ratios_follow_from_the_amounts():
    m = market()
    table = m.tables["fundamentals"]
    good = table["equity"] > 0
    roe = (table["net_income_ttm"] / table["equity"])[good & table["net_income_ttm"].notna()]
    assert np.allclose(roe, table["roe"][roe.index], rtol=1e-6)
    annual = m.tables["fundamentals_annual"]
    known = annual["ebitda"].notna()
    assert np.allclose(
        (annual["ebitda"] / annual["revenue"])[known], annual["ebitda_margin"][known], rtol=1e-6
    )


def test_earnings_are_seasonal_with_surprises_that_seasonal_differences_measure():
    table = market(symbols=100).tables["earnings"]
    surprise = table["eps_actual"] - table["eps_estimate"]
    assert abs((surprise > 0).mean() - 0.5) < 4 * 0.5 / np.sqrt(len(table))
    own = table.groupby("symbol")
    seasonal = table["eps_actual"] - own["eps_actual"].shift(4)
    # In units of each name's usual change, as SUE is.
    scaled = seasonal / seasonal.groupby(table["symbol"]).transform("std")
    news = surprise / surprise.groupby(table["symbol"]).transform("std")
    assert scaled.corr(news) > 0.85
    assert set(table["session"]) == {"pre", "post", "intraday", "unknown"}
    assert (table["announce_time_et"][table["session"] == "unknown"] == "").all()


def test_announcements_move_the_price_on_the_effective_session_before_its_open():
    m = market("null", symbols=200)
    events = m.tables["earnings"]
    rows = effective_sessions(
        events["announce_date"].to_numpy().astype("datetime64[D]"), events["session"], m.dates
    )
    column = np.array([m.symbols.index(s) for s in events["symbol"]])
    sign = np.sign(events["eps_actual"] - events["eps_estimate"]).to_numpy()
    known = (rows > 0) & (events["session"] != "intraday").to_numpy()
    rows, column, sign = rows[known], column[known], sign[known]
    before, opening = m.close[rows - 1, column], m.open[rows, column]
    assert np.nanmean(sign * (opening / before - 1.0)) == pytest.approx(0.016, abs=0.003)
    closing = m.close[rows, column]
    assert np.nanmean(sign * (closing / opening - 1.0)) == pytest.approx(0.0, abs=0.002)


# --- truth ---------------------------------------------------------------------------------------------------


def test_null_expected_returns_are_beta_times_a_constant_premium():
    m = market("null")
    shown = stocks(m, "expected")
    beta = m.beta[m.is_stock]
    assert np.allclose(np.nanmax(shown, axis=0), beta * synthetic_prices.PREMIUM / 252, rtol=1e-12)
    assert np.allclose(np.nanmin(shown, axis=0), beta * synthetic_prices.PREMIUM / 252, rtol=1e-12)


@pytest.mark.parametrize("preset", ["null", "planted"])
def test_expected_returns_of_funds_are_constant(preset):
    m = market(preset)
    funds = m.expected[:, ~m.is_stock]
    assert np.nanmax(np.nanstd(funds, axis=0)) < 1e-15
    names = [s for s, x in zip(m.symbols, m.is_stock, strict=True) if not x]
    assert 0 < funds[-1][names.index("TLT")] * 252 < 0.05


def test_planted_expectation_is_exactly_what_was_known_the_close_before():
    m = market()
    known = {name: values[:-1, m.is_stock] for name, values in m.scores.items()}
    rebuilt = (
        m.beta[m.is_stock] * synthetic_prices.PREMIUM
        + synthetic_prices.QUALITY_ALPHA * known["quality"]
        + synthetic_prices.MOMENTUM_ALPHA * known["momentum"]
        + synthetic_prices.LOW_VOL_ALPHA * known["low_vol"]
    ) / 252 + drift_of(m)[1:]
    shown = stocks(m, "expected")[1:]
    assert np.allclose(shown, np.where(np.isfinite(shown), rebuilt, np.nan), atol=1e-15, equal_nan=True)


def test_planted_quality_is_what_the_visible_fundamentals_show():
    m = market()
    panel = synthetic.to_panel(m, DataConfig())
    bar = np.isfinite(stocks(m, "close"))
    listed = np.maximum.accumulate(bar) & np.maximum.accumulate(bar[::-1])[::-1]
    for row in np.flatnonzero(panel.month_end)[5::12]:
        among = listed[row]
        z = {}
        for name in ("roe", "ebitda_margin", "operating_margin", "debt_to_equity", "liabilities_to_equity"):
            z[name] = standard_score(panel.fields[name][row, panel.is_stock], among, min_names=10)
        slots = (
            z["roe"],
            merge(z["ebitda_margin"], z["operating_margin"]),
            -merge(z["debt_to_equity"], z["liabilities_to_equity"]),
        )
        score = np.clip(leg(slots, among), -3, 3)
        assert np.allclose(score, m.scores["quality"][row, m.is_stock], atol=1e-12)
        assert score.std() > 0.8


def test_planted_momentum_is_the_past_years_return():
    m = market()
    wealth = stocks(m, "adj_close")
    for row in (252, 700, 1500, 2000):
        past = wealth[row] / wealth[row - 252] - 1.0
        score = m.scores["momentum"][row, m.is_stock]
        there = np.isfinite(past)
        z = np.clip((past[there] - past[there].mean()) / past[there].std(), -3, 3)
        assert np.corrcoef(z, score[there])[0, 1] > 0.999
    assert not m.scores["momentum"][:252].any()


def predictors(m):
    """Known at each close: (T,) series for the market, (T, N) cross-sections for the names."""
    wealth = stocks(m, "adj_close")
    index = np.concatenate([[0.0], ratio(m.index)])
    year = np.full(len(m.index), np.nan)
    year[252:] = m.index[252:] / m.index[:-252] - 1.0
    last = np.full(wealth.shape, np.nan)
    last[1:] = ratio(wealth)
    night = stocks(m, "open") / stocks(m, "close") - 1.0
    names = {name: values[:, m.is_stock] for name, values in m.scores.items()}
    names |= {"last return": last, "session": night, "drift": drift_of(m)}
    market_wide = {
        "vix": m.vix,
        "vix change": np.concatenate([[0.0], np.diff(m.vix)]),
        "high vol": (m.state == 2).astype(float),
        "bear": (m.state == 1).astype(float),
        "index": index,
        "index year": year,
    }
    return market_wide, names


def slope_t(x, y):
    """t of the slope of y on x, with White's standard error."""
    good = np.isfinite(x) & np.isfinite(y)
    x, y = x[good] - x[good].mean(), y[good]
    slope = (x * y).sum() / (x * x).sum()
    rest = y - y.mean() - slope * x
    return slope * (x * x).sum() / np.sqrt((x * x * rest * rest).sum())


def name_slopes(x, y):
    """Daily cross-sectional slopes of y on standardised x, whose mean is tested (Fama and MacBeth 1973)."""
    good = np.isfinite(x) & np.isfinite(y)
    count = good.sum(axis=1)
    x = np.where(good, x, 0.0)
    x = np.where(good, x - (x.sum(axis=1) / np.maximum(count, 1))[:, None], 0.0)
    spread = (x * x).sum(axis=1)
    used = (count > 10) & (spread > 1e-12)
    return (x * np.where(good, y, 0.0)).sum(axis=1)[used] / np.sqrt(spread[used])


@pytest.mark.parametrize("preset", ["null", "planted"])
def test_nothing_known_at_the_close_predicts_what_was_not_expected(preset):
    series, slopes = {}, {}
    for seed in range(20, 25):
        m = market(preset, seed, symbols=80)
        market_wide, names = predictors(m)
        rest = ratio(stocks(m, "adj_close")) - stocks(m, "expected")[1:]
        opening = stocks(m, "open") * stocks(m, "adj_close") / stocks(m, "close")
        overnight = opening[1:] / stocks(m, "adj_close")[:-1] - 1.0
        overnight = overnight - synthetic_prices.OVERNIGHT_SHARE * stocks(m, "expected")[1:]
        funds = ratio(m.adj_close) - m.expected[1:]
        for key, x in market_wide.items():
            for target, y in (
                ("names", np.nanmean(rest, axis=1)),
                ("overnight", np.nanmean(overnight, axis=1)),
                ("SPY", funds[:, m.symbols.index("SPY")]),
                ("TLT", funds[:, m.symbols.index("TLT")]),
            ):
                series.setdefault((key, target), []).append((x[:-1], y))
        for key, x in names.items():
            slopes.setdefault((key, "next day"), []).append(name_slopes(x[:-1], rest))
            slopes.setdefault((key, "overnight"), []).append(name_slopes(x[:-1], overnight))
    t = {
        key: slope_t(*(np.concatenate(part) for part in zip(*pairs, strict=True)))
        for key, pairs in series.items()
    }
    for key, parts in slopes.items():
        together = np.concatenate(parts)
        t[key] = together.mean() / together.std() * np.sqrt(len(together))
    assert {key: round(value, 1) for key, value in t.items() if abs(value) > 4} == {}


def test_the_test_of_predictability_would_see_what_is_planted():
    found = {}
    for seed in range(20, 25):
        m = market("planted", seed, symbols=80)
        spy = ratio(m.adj_close[:, m.symbols.index("SPY")])
        rest = ratio(stocks(m, "adj_close")) - m.beta[m.is_stock] * spy[:, None]
        for key, x in predictors(m)[1].items():
            found.setdefault(key, []).append(name_slopes(x[:-1], rest))
    t = {
        key: np.concatenate(x).mean() / np.concatenate(x).std() * np.sqrt(len(np.concatenate(x)))
        for key, x in found.items()
    }
    assert t["quality"] > 3
    assert t["momentum"] > 3
    assert t["low_vol"] > 3
    assert t["drift"] > 3
    assert abs(t["session"]) < 4


def rank_correlation(score, after):
    good = np.isfinite(after) & (score != 0)
    ranks = [pd.Series(x[good]).rank().to_numpy() for x in (score, after)]
    return np.corrcoef(*ranks)[0, 1]


@pytest.mark.parametrize(("name", "size"), [("quality", 0.03), ("momentum", 0.04)])
def test_planted_rank_correlations_have_their_sizes(name, size):
    found = []
    for seed in range(40, 48):
        m = market("planted", seed, symbols=150)
        wealth = stocks(m, "adj_close")
        score = m.scores[name][:, m.is_stock]
        rows = range(252, len(wealth) - 21, 21)
        found.append(np.mean([rank_correlation(score[t], wealth[t + 21] / wealth[t] - 1.0) for t in rows]))
    error = np.std(found, ddof=1) / np.sqrt(len(found))
    assert error < 0.006
    assert abs(np.mean(found) - size) < 3 * error + 0.002


def test_planted_drift_after_surprises_is_one_percent_over_sixty_sessions():
    moves, surprises = [], []
    for seed in range(40, 44):
        m = market("planted", seed, symbols=150)
        events = m.tables["earnings"]
        rows = effective_sessions(
            events["announce_date"].to_numpy().astype("datetime64[D]"), events["session"], m.dates
        )
        keep = (rows >= 0) & (rows + 60 < len(m.dates))
        column = np.array([m.symbols.index(s) for s in events["symbol"]])[keep]
        rest = np.full(m.close.shape, np.nan)
        rest[1:] = ratio(m.adj_close) - np.nanmean(ratio(stocks(m, "adj_close")), axis=1)[:, None]
        total = np.nancumsum(rest, axis=0)
        moves.append(total[rows[keep] + 60, column] - total[rows[keep], column])
        surprises.append(np.sign(events["eps_actual"] - events["eps_estimate"]).to_numpy()[keep])
    signed = np.concatenate(moves) * np.concatenate(surprises)
    assert signed.mean() == pytest.approx(0.01, abs=3 * signed.std() / np.sqrt(len(signed)))
    assert signed.mean() > 3 * signed.std() / np.sqrt(len(signed))


# --- files ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fmt", ["parquet", "csv"])
@pytest.mark.parametrize("preset", ["null", "planted"])
def test_written_files_load_without_an_error_and_as_the_panel_in_memory(tmp_path, fmt, preset):
    m = market(preset, symbols=30, years=3)
    synthetic.write(m, tmp_path / "data", fmt)
    config = DataConfig(path=tmp_path / "data", cache=None)
    panel, findings = load_with_findings(config)
    assert [f.message for f in findings if f.severity == "error"] == []
    memory = synthetic.to_panel(m, config)
    assert panel.symbols == memory.symbols
    assert panel.fields.keys() == memory.fields.keys()
    for name, values in panel.fields.items():
        assert np.array_equal(values, memory.fields[name], equal_nan=True), name
    for name, values in panel.series.items():
        assert np.array_equal(values, memory.series[name]), name
    for name in ("dates", "is_stock", "member", "month_end", "week_end"):
        assert np.array_equal(getattr(panel, name), getattr(memory, name)), name
    assert panel.provenance["synthetic"] is True
    assert memory.provenance["synthetic"] is True


@pytest.mark.parametrize("universe", ["all", ("S003", "S011", "S020")])
def test_panel_in_memory_obeys_the_universe(tmp_path, universe):
    m = market(symbols=30, years=3)
    synthetic.write(m, tmp_path / "data")
    config = DataConfig(
        path=tmp_path / "data", cache=None, universe=universe, etfs=("SPY", "TLT"), pit_delay_days=45
    )
    panel, _ = load_with_findings(config)
    memory = synthetic.to_panel(m, config)
    assert panel.symbols == memory.symbols
    assert np.array_equal(panel.member, memory.member)
    for name, values in panel.fields.items():
        assert np.array_equal(values, memory.fields[name], equal_nan=True), name


def test_provenance_says_synthetic_and_how_to_make_it_again(tmp_path):
    m = market(symbols=20, years=2)
    synthetic.write(m, tmp_path / "data")
    said = json.loads((tmp_path / "data" / "provenance.json").read_text())
    assert said["synthetic"] is True
    assert said["preset"] == "planted"
    assert said["seed"] == 7
    again = SyntheticConfig(**{k: said[k] for k in SyntheticConfig.model_fields})
    assert again == m.config


def test_two_writes_give_the_same_bytes(tmp_path):
    m = market(symbols=20, years=2)
    for name in ("a", "b"):
        synthetic.write(m, tmp_path / name)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_a_synthetic_folder_is_replaced_whole(tmp_path):
    m = market(symbols=20, years=2)
    synthetic.write(m, tmp_path / "data", "csv")
    synthetic.write(m, tmp_path / "data", "parquet")
    assert {p.suffix for p in (tmp_path / "data").iterdir()} == {".parquet", ".json"}
    assert [p.name for p in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize(
    ("name", "content"),
    [("prices.csv", "date,symbol"), ("provenance.json", '{"synthetic": false}'), ("provenance.json", "[")],
)
def test_other_peoples_data_is_never_overwritten(tmp_path, name, content):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / name).write_text(content)
    with pytest.raises(ConfigError, match="holds no synthetic market"):
        synthetic.write(market(symbols=20, years=2), folder)
    assert [p.name for p in folder.iterdir()] == [name]
    assert (folder / name).read_text() == content


def test_an_empty_folder_is_used_and_a_file_is_refused(tmp_path):
    (tmp_path / "data").mkdir()
    synthetic.write(market(symbols=20, years=2), tmp_path / "data")
    assert (tmp_path / "data" / "prices.parquet").is_file()
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match="is a file"):
        synthetic.write(market(symbols=20, years=2), tmp_path / "file")
    with pytest.raises(ConfigError, match="cannot be written"):
        synthetic.write(market(symbols=20, years=2), tmp_path / "file" / "below")


def test_ensure_generates_once_and_keeps_settings_apart(tmp_path):
    config = SyntheticConfig(symbols=20, end=dt.date(2011, 12, 30))
    folder = synthetic.ensure(config, tmp_path)
    assert folder.parent == tmp_path
    assert folder.name.startswith("synthetic-")
    stamp = (folder / "prices.parquet").stat().st_mtime_ns
    assert synthetic.ensure(config, tmp_path) == folder
    assert (folder / "prices.parquet").stat().st_mtime_ns == stamp
    other = synthetic.ensure(config.model_copy(update={"seed": 8}), tmp_path)
    assert other != folder
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([folder.name, other.name])


def test_ensure_that_loses_a_race_takes_the_winners_files(tmp_path, monkeypatch):
    config = SyntheticConfig(symbols=20, end=dt.date(2011, 12, 30))
    generate = synthetic.generate

    def overtaken(settings, calendar):
        monkeypatch.setattr(synthetic, "generate", generate)
        synthetic.ensure(settings, tmp_path, calendar)
        return generate(settings, calendar)

    monkeypatch.setattr(synthetic, "generate", overtaken)
    folder = synthetic.ensure(config, tmp_path)
    assert (folder / "provenance.json").is_file()
    assert [p.name for p in tmp_path.iterdir()] == [folder.name]


@pytest.mark.parametrize("end", [dt.date(2010, 12, 31), dt.date(2009, 12, 31)])
def test_too_short_a_period_is_refused(end):
    with pytest.raises(ConfigError, match=r"at least 300 are needed"):
        synthetic.generate(SyntheticConfig(end=end))


@pytest.mark.parametrize("seed", range(12))
def test_the_smallest_market_always_has_a_universe(seed):
    m = synthetic.generate(SyntheticConfig(seed=seed, symbols=5, end=dt.date(2011, 3, 31)))
    panel = synthetic.to_panel(m, DataConfig())
    assert (panel.member & panel.bar)[:, panel.is_stock].any(axis=1).all()


@pytest.mark.parametrize("symbols", [5, 12])
def test_a_handful_of_names_is_enough(symbols):
    m = market(symbols=symbols, years=2)
    assert m.is_stock.sum() == symbols
    assert np.isfinite(m.close).any(axis=0).all()
