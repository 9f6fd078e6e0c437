"""Live and backtest write the same record: from the rows that live trading holds, through the journal and back."""

from __future__ import annotations

import datetime as dt

import pytest

from ares7.explain import Explainer
from ares7.explain_sizing import sizing
from live.explain import decision_rows, lines_of
from live.explain_journal import explain_session
from live.explain_run import RunExplainer
from live.journal.rows import Intent, Rebalance
from live.journal.writer import Journal
from tests.explain.test_explain_run import OVERLAYS, choose, decisions_of

NUMBER = "0a1b2c3d"


@pytest.fixture(scope="module")
def backtest(made):
    return RunExplainer(made("regime_ensemble", *OVERLAYS), choose)


@pytest.fixture(scope="module")
def day(backtest):
    """A decision in the middle of the run, with orders."""
    days = decisions_of(backtest.run)
    return dt.date.fromisoformat(days[len(days) // 2])


def live_rows(backtest, day, names):
    """Explanation and sizing of a session as a runner makes them: on its few rows, one name after the other."""
    config, row = backtest.config, backtest.explainer.row_of(day)
    chosen = choose(config.strategy.name, config.strategy_params)
    settings = chosen.settings.model_copy(
        update={"risk": chosen.settings.risk.model_copy(update={"cost_bps": config.costs.bps})}
    )
    panel = backtest.panel.upto(row).last(settings.warmup)
    taken = Explainer(panel, chosen.strategy, settings).at(-1)
    sized = {
        n["symbol"]: sizing(
            float(taken.target[panel.symbols.index(n["symbol"])]),
            n["sizing"]["nav"],
            n["sizing"]["close"],
            n["sizing"]["held_shares"],
            bar=n["sizing"]["outcome"] != "no_bar",
            min_trade_nav=config.account.min_trade_nav,
        )
        for n in names
    }
    return taken, sized


def test_a_session_of_live_trading_is_explained_as_the_backtest_explains_it(backtest, day, tmp_path):
    shown = backtest.explain(day)
    # Every name in full: a session alone shows the ten that matter most.
    names = [
        backtest.explain(day, symbol)["names"][0]
        for symbol in backtest.panel.symbols
        if backtest.explain(day, symbol)["names"][0].get("sizing")
    ]
    taken, sized = live_rows(backtest, day, names)
    contracts = {symbol: i + 1 for i, symbol in enumerate(backtest.panel.symbols)}
    with Journal.open(f"sqlite:///{tmp_path / 'journal-paper.sqlite'}", "paper", "DU1") as journal:
        detail = taken.summary()
        journal.begin_rebalance(
            Rebalance(NUMBER, day, "regime_ensemble", "feedbeef", "month_end", detail=detail)
        )
        rows = decision_rows(taken, NUMBER, sized, contracts, refused={"LIMITED": ("limited", "too large")})
        journal.decision(rows)
        ordered = next(row for row in rows if row.outcome == "order")
        side, shares = ("BUY" if ordered.delta_shares > 0 else "SELL"), abs(int(ordered.delta_shares))
        ref = f"A7-{day:%Y%m%d}-{NUMBER}-{ordered.con_id}-{side[0]}-1"
        journal.intent(
            Intent(
                ref,
                ordered.con_id,
                ordered.symbol,
                side,
                shares,
                "MKT",
                "OPG",
                day,
                1,
                rebalance_id=NUMBER,
                decision_price=ordered.price,
            )
        )
        record = explain_session(journal, day)
        full = {row.symbol: explain_session(journal, day, row.symbol)["names"][0] for row in rows}
    for key in ("decided", "reasons", "regime", "sleeves", "overlay", "scalers", "scale", "parts", "cash"):
        assert record[key] == shown[key]
    checked = 0
    for name in names:
        if name["symbol"] in full:
            mine = full[name["symbol"]]
            assert mine["parts"] == name["parts"]
            assert mine["tilts"] == name["tilts"]
            assert mine["sizing"] == name["sizing"]
            checked += 1
    assert checked == len(rows) >= 10
    assert [order["ref"] for order in full[ordered.symbol]["orders"]] == [ref]
    assert record["names"][0]["symbol"] == ordered.symbol, "names with orders come first"
    assert any("intent, not filled" in line for line in lines_of(record))


def test_what_was_not_let_through_says_so_and_by_which_rule(backtest, day):
    names = backtest.explain(day)["names"]
    taken, sized = live_rows(backtest, day, names)
    symbol = next(name for name, found in sized.items() if found.outcome == "order")
    contracts = dict.fromkeys(sized, 1)
    rows = decision_rows(
        taken, NUMBER, sized, contracts, refused={symbol: ("limited", "order notional 2 above 1")}
    )
    (found,) = [row for row in rows if row.symbol == symbol]
    assert (found.outcome, found.reason) == ("limited", "order notional 2 above 1")
    assert found.detail["sizing"]["outcome"] == "order"
