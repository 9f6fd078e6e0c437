"""``run.py overlay ablation`` and ``overlay optimize``: books that are backtests, choices, files, what is refused."""

from __future__ import annotations

import csv
import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.cli.conftest import Commands
from tests.cli.test_errors import refused

DATA = os.environ.get("ARES7_DATA")
TRAIN, VALIDATION, TEST = "2016-04-01", "2017-01-01", "2017-07-01"
WINDOWS = [
    "--set",
    f"search.overlay_study={{train: {{start: {TRAIN}, end: 2016-12-31}}, "
    f"validation: {{start: {VALIDATION}, end: 2017-06-30}}, test: {{start: {TEST}, end: 2018-06-30}}}}",
]
QUICK = ["--set", "runs.report=false", "--set", "search.bootstrap.draws=100", *WINDOWS]
BOOKS = ["base", "dates", "wavelet", "pead", "momentum", "macd", "blend_0", "blend_0.5", "blend_1"]
SPANS = ("sharpe_added", "return_added")


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def column(rows, name):
    return np.array([float(row[name]) for row in rows])


def trials(folder):
    with closing(sqlite3.connect(folder / "runs" / "trials.sqlite")) as ledger:
        return ledger.execute("SELECT count(*) FROM trials").fetchone()[0]


@pytest.fixture(scope="module")
def made(market, cache, tmp_path_factory):
    """An ablation and an optimisation, and a caller for more of the same."""
    cli = Commands(tmp_path_factory.mktemp("studied"), cache)
    found = {}
    for verb in ("ablation", "optimize"):
        answer = cli("overlay", verb, "--data", market, "--json", *QUICK)
        assert answer.code == 0, answer.err
        found[verb] = answer.json
        found[f"{verb}_trials"] = trials(cli.folder)
    return found | {"cli": cli, "market": market}


@pytest.fixture(scope="module")
def ablation(made):
    return Path(made["ablation"]["run"])


@pytest.fixture(scope="module")
def optimised(made):
    return Path(made["optimize"]["run"])


def backtest(made, *settings):
    """Run folder and metrics of a backtest on the same market."""
    answer = made["cli"](
        "backtest", "--data", made["market"], "--json", "--set", "runs.report=false", *settings
    )
    assert answer.code == 0, answer.err
    return Path(answer.json["run"]), answer.json["metrics"]


def test_an_ablation_leaves_its_tables_and_answers_with_its_figures(made, ablation):
    assert {p.name for p in ablation.iterdir()} == {
        "config.yaml",
        "provenance.json",
        "metrics.json",
        "ablation.csv",
        "active.csv",
        "equity.csv",
    }
    assert made["ablation"]["metrics"] == json.loads((ablation / "metrics.json").read_text())
    assert list(table(ablation / "equity.csv")[0]) == ["date", *BOOKS]
    rows = table(ablation / "ablation.csv")
    assert [(r["book"], r["window"]) for r in rows] == [
        (book, window) for book in BOOKS for window in ("train", "validation", "test", "whole")
    ]
    for row in rows:
        for span in SPANS:
            assert float(row[f"{span}_low"]) <= float(row[f"{span}_high"])


@pytest.mark.parametrize(
    ("book", "settings"),
    [
        ("base", []),
        ("blend_1", ["--set", "strategy.overlays=[wavelet,pead]"]),
        ("blend_0.5", ["--set", "strategy.overlays=[wavelet,pead]", "--set", "strategy.overlay_lambda=0.5"]),
        ("pead", ["--set", "strategy.overlays=[pead]", "--set", "overlay.weights.pead=1"]),
        ("macd", ["--set", "strategy.overlays=[macd]", "--set", "overlay.weights.macd=1"]),
    ],
)
def test_a_book_is_the_backtest_of_the_same_settings(made, ablation, book, settings):
    folder, metrics = backtest(made, *settings)
    nav = column(table(folder / "equity.csv"), "nav")
    assert column(table(ablation / "equity.csv"), book) == pytest.approx(nav, rel=1e-10)
    (whole,) = [r for r in table(ablation / "ablation.csv") if (r["book"], r["window"]) == (book, "whole")]
    assert float(whole["sharpe"]) == pytest.approx(metrics["performance"]["sharpe"], rel=1e-9)
    assert float(whole["max_drawdown"]) == pytest.approx(metrics["performance"]["max_drawdown"], rel=1e-9)
    assert float(whole["turnover"]) == pytest.approx(metrics["costs"]["turnover_one_way"], rel=1e-9)


def test_lambda_0_is_the_book_without_overlays(made, ablation):
    equity = table(ablation / "equity.csv")
    assert [row["blend_0"] for row in equity] == [row["base"] for row in equity]
    for row in table(ablation / "ablation.csv"):
        if row["book"] in ("base", "blend_0"):
            added = [row[f"{span}{edge}"] for span in SPANS for edge in ("", "_low", "_high")]
            assert [float(value) for value in added] == [0.0] * 6
    assert all(float(row["blend_0"]) == 0.0 for row in table(ablation / "active.csv"))


def test_gross_is_the_same_trades_without_their_fees(made, ablation):
    active = table(ablation / "active.csv")
    sessions = len(active)
    for row in table(ablation / "ablation.csv"):
        if row["window"] == "whole" and row["book"] != "base":
            net, gross = column(active, row["book"]), column(active, f"{row['book']}_gross")
            assert float(row["costs_added"]) == pytest.approx((gross - net).sum() / sessions * 252, abs=1e-12)
            # 10 bps of both sides of the turnover, over the NAV before it.
            assert float(row["costs_added"]) == pytest.approx(
                2 * 1e-3 * float(row["turnover_added"]), rel=0.02
            )
            assert float(row["return_added"]) == pytest.approx(net.mean() * 252)


def test_decision_days_without_tilts_differ_from_both(ablation):
    rows = {r["book"]: r for r in table(ablation / "ablation.csv") if r["window"] == "whole"}
    turnover = [float(rows[book]["turnover"]) for book in ("base", "dates", "blend_1")]
    assert turnover == sorted(turnover)
    assert len(set(turnover)) == 3


def test_the_wavelet_is_a_trend_engine(made):
    alike = made["ablation"]["metrics"]["likeness"]
    assert set(alike) == {"momentum", "macd"}
    assert alike["macd"]["whole"] > alike["momentum"]["whole"] > 0.2


def test_every_book_that_overlays_make_is_a_counted_trial(made):
    assert made["ablation_trials"] == len(BOOKS) - 1
    assert made["ablation"]["metrics"]["trials"]["distinct"] == len(BOOKS) - 1
    before = trials(made["cli"].folder)
    answer = made["cli"]("overlay", "ablation", "--data", made["market"], "--json", *QUICK)
    assert answer.json["metrics"]["books"] == made["ablation"]["metrics"]["books"]
    assert trials(made["cli"].folder) == before


def test_it_is_said_where_the_data_end_before_a_window_and_that_they_are_synthetic(made):
    metrics = made["ablation"]["metrics"]
    cut = {w["name"]: w["cut_short"] for w in metrics["windows"]}
    assert cut == {"train": False, "validation": False, "test": True, "whole": False}
    assert any(
        note.startswith("test is cut by the data to 2017-07-03 to 2017-12-29") for note in metrics["notes"]
    )
    assert metrics["stamps"] == ["SYNTHETIC"]


def test_a_window_outside_the_data_is_left_out_and_said(cli, market):
    late = ["--set", "search.overlay_study.test={start: 2019-01-01, end: 2019-12-31}"]
    answer = cli("overlay", "ablation", "--data", market, *QUICK, *late)
    assert answer.code == 0, answer.err
    assert "note: test (2019-01-01 to 2019-12-31) has 0 returns in the run and is left out" in answer.out
    assert "on the whole run" in answer.out
    assert "[SYNTHETIC]" in answer.out


def test_the_terminal_shows_what_each_overlay_adds(made):
    answer = made["cli"]("overlay", "ablation", "--data", made["market"], *QUICK)
    metrics = made["ablation"]["metrics"]
    for verdict in metrics["verdicts"]:
        assert verdict in answer.out
    span = next(b for b in metrics["books"] if b["name"] == "pead")["windows"]["test"]["sharpe_added"]
    assert f"{span['estimate']:+.2f} [{span['low']:+.2f}, {span['high']:+.2f}]" in answer.out


def test_an_optimisation_leaves_its_tables(made, optimised):
    files = {"config.yaml", "provenance.json", "metrics.json", "optimize.csv", "candidates.csv", "active.csv"}
    proposed = {"chosen.yaml"} if made["optimize"]["metrics"]["grid"]["confirmed"] else set()
    assert {p.name for p in optimised.iterdir()} == files | proposed
    assert made["optimize"]["metrics"] == json.loads((optimised / "metrics.json").read_text())
    points = table(optimised / "optimize.csv")
    assert [float(p["wavelet"]) for p in points] == [(50 - k) / 50 for k in range(51)]
    assert column(points, "wavelet") + column(points, "pead") == pytest.approx(1.0)


def test_the_ends_of_the_grid_are_the_overlays_alone_and_the_configured_blend_is_the_ablation_s(
    ablation, optimised
):
    points = table(optimised / "optimize.csv")
    alone = {(r["book"], r["window"]): r for r in table(ablation / "ablation.csv")}
    for window in ("train", "validation", "test", "whole"):
        for point, book in ((points[0], "wavelet"), (points[-1], "pead")):
            assert float(point[f"{window}_sharpe"]) == pytest.approx(
                float(alone[book, window]["sharpe"]), rel=1e-9
            )
        (own,) = [
            r
            for r in table(optimised / "candidates.csv")
            if (r["candidate"], r["window"]) == ("configured", window)
        ]
        for name in ("sharpe", *(f"{span}{edge}" for span in SPANS for edge in ("", "_low", "_high"))):
            other = float(alone["blend_1", window][name])
            assert float(own[name]) == pytest.approx(other, rel=1e-6, abs=1e-9), (window, name)


def test_the_best_of_the_grid_is_the_best_on_train_and_proposed_only_above_no_overlay_twice(made, optimised):
    found, points = made["optimize"]["metrics"], table(optimised / "optimize.csv")
    grid = found["grid"]
    assert grid["best"] == int(np.argmax(column(points, "train_sharpe")))
    sharpe = {(r["candidate"], r["window"]): float(r["sharpe"]) for r in table(optimised / "candidates.csv")}
    for window in ("train", "validation", "test"):
        assert sharpe["grid", window] == pytest.approx(
            float(points[grid["best"]][f"{window}_sharpe"]), rel=1e-12
        )
    above = all(sharpe["grid", w] > sharpe["base", w] for w in ("train", "validation"))
    assert grid["confirmed"] is above
    assert ("it is proposed" in grid["told"]) is above


def test_tangency_weights_are_those_of_the_streams_that_were_run(made, ablation):
    active = table(ablation / "active.csv")
    chose = [r for r in active if TRAIN <= r["date"] < TEST]
    streams = np.array([column(chose, "wavelet"), column(chose, "pead")])
    raw = np.linalg.solve(np.cov(streams), streams.mean(axis=1))
    found = made["optimize"]["metrics"]
    names = [line["name"] for line in found["candidates"]]
    if raw.sum() > 0:
        weights = [found["tangency"]["raw"][name] for name in ("wavelet", "pead")]
        assert weights == pytest.approx((raw / raw.sum()).tolist(), rel=1e-6)
        held = np.maximum(raw / raw.sum(), 0.0)
        own = found["candidates"][names.index("tangency")]["weights"]
        assert [own["wavelet"], own["pead"]] == pytest.approx((held / held.sum()).tolist(), abs=1e-6)
    else:
        assert "tangency" not in names
        assert "less than nothing" in found["tangency"]["note"]


def test_every_point_is_a_counted_trial_and_the_windows_of_the_choice_are_contaminated(made):
    found = made["optimize"]["metrics"]
    held = [line["name"] for line in found["candidates"]]
    # 54/46 and equal weights are points of the grid; base and alone were trials of the ablation, at weight 1 too.
    new = 51 + ("tangency" in held) - 1
    assert made["optimize_trials"] - made["ablation_trials"] <= new
    assert made["optimize_trials"] - made["ablation_trials"] >= 48
    assert found["statistics"]["trials"]["distinct"] == made["optimize_trials"]
    assert found["contaminated"] == ["train", "validation", "whole"]
    assert 0.0 <= found["statistics"]["increment"]["dsr"] <= 1.0
    _, metrics = backtest(made, "--strategy", "equal_weight")
    assert {"train", "validation"} <= {touch["name"] for touch in metrics["touched"]}
    assert "test" not in {touch["name"] for touch in metrics["touched"]}


def test_the_verdict_on_test_is_that_of_its_interval(made):
    found = made["optimize"]["metrics"]
    lines = [line for line in found["candidates"] if line["name"] != "base"]
    assert len(found["verdicts"]) == len(lines)
    for line, told in zip(lines, found["verdicts"], strict=True):
        span = line["windows"]["test"]["sharpe_added"]
        assert f"adds {span['estimate']:+.2f} [{span['low']:+.2f}, {span['high']:+.2f}]" in told
        assert ("not distinguishable from 0" in told) is (span["low"] <= 0 <= span["high"])


def test_a_proposed_blend_runs_as_a_backtest(cli, market):
    """A train window whose luck confirms a blend is looked for; its configuration is chosen.yaml."""
    for first in ("2016-04-01", "2016-06-01", "2016-08-01", "2016-10-01"):
        study = ["--set", f"search.overlay_study.train={{start: {first}, end: 2016-12-31}}"]
        answer = cli(
            "overlay", "optimize", "--data", market, "--strategy", "equal_weight", "--json", *QUICK, *study
        )
        assert answer.code == 0, answer.err
        if answer.json["metrics"]["grid"]["confirmed"]:
            break
    else:
        pytest.fail("no train window of this market confirms a blend; choose others")
    folder = Path(answer.json["run"])
    chosen = yaml.safe_load((folder / "chosen.yaml").read_text())
    best = next(line for line in answer.json["metrics"]["candidates"] if line["name"] == "grid")
    assert chosen["strategy"]["params"]["overlay"]["weights"]["wavelet"] == best["weights"]["wavelet"]
    again = cli("backtest", "--config", folder / "chosen.yaml", "--json")
    assert again.code == 0, again.err
    assert again.json["metrics"]["performance"]["sharpe"] == pytest.approx(
        answer.json["metrics"]["performance"]["sharpe"], rel=1e-9
    )


def test_three_overlays_are_blended_on_a_simplex(cli, market):
    answer = cli(
        "overlay",
        "optimize",
        "--data",
        market,
        "--strategy",
        "equal_weight",
        "--json",
        *QUICK,
        "--set",
        "strategy.overlays=[wavelet,pead,momentum]",
    )
    assert answer.code == 0, answer.err
    points = table(Path(answer.json["run"]) / "optimize.csv")
    assert len(points) == 66
    total = sum(column(points, name) for name in ("wavelet", "pead", "momentum"))
    assert total == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["strategy.overlays=[wavelet]"], ["two acting overlays", "only wavelet acts"]),
        (["overlay.weights.pead=0"], ["two acting overlays", "only wavelet acts"]),
        (["strategy.overlay_lambda=0"], ["two acting overlays", "lambda is 0"]),
        (
            ["search.overlay_study.test={start: 2019-01-01, end: 2019-12-31}"],
            ["search.overlay_study.test", "0 returns", "move them"],
        ),
        (
            ["search.overlay_study.train={start: 2009-01-01, end: 2010-12-31}"],
            ["search.overlay_study.train", "0 returns"],
        ),
    ],
)
def test_what_cannot_be_optimised_is_refused_and_nothing_is_counted(cli, market, settings, words):
    given = [word for setting in settings for word in ("--set", setting)]
    refused(cli("overlay", "optimize", "--data", market, *QUICK, *given), *words)
    assert cli.runs() == []
    assert not (cli.folder / "runs" / "trials.sqlite").exists()


@pytest.mark.parametrize("verb", ["ablation", "optimize"])
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["strategy.name=defensive"], ["takes no overlays"]),
        (["overlay.normalize=none"], ["overlay.normalize none is for files"]),
        (["search.overlay_study.train={start: 2016-01-01, end: 2017-03-31}"], ["follow each other"]),
        (["search.overlay_study.engines=[fourier]"], ["engines", "fourier"]),
        (["strategy.overlays=[wavelet,buyback]", "overlay.weights.buyback=1"], ["buyback", "buybacks.csv"]),
        (["strategy.overlays=[wavelet,wavelet]"], ["named twice"]),
    ],
)
def test_wrong_settings_are_refused(cli, market, verb, settings, words):
    given = [word for setting in settings for word in ("--set", setting)]
    refused(cli("overlay", verb, "--data", market, *QUICK, *given), *words)
    assert cli.runs() == []


@pytest.mark.parametrize("verb", ["ablation", "optimize"])
def test_without_announcements_both_say_what_is_missing(cli, market_copy, verb):
    (market_copy / "earnings.parquet").unlink()
    refused(cli("overlay", verb, "--data", market_copy, *QUICK), "earnings")
    assert cli.runs() == []


def test_without_announcements_the_other_overlays_can_be_compared(cli, market_copy):
    (market_copy / "earnings.parquet").unlink()
    others = [
        "--set",
        "search.overlay_study.engines=[wavelet,macd]",
        "--set",
        "strategy.overlays=[wavelet,macd]",
    ]
    answer = cli("overlay", "ablation", "--data", market_copy, "--json", *QUICK, *others)
    assert answer.code == 0, answer.err
    names = [book["name"] for book in answer.json["metrics"]["books"]]
    assert names == ["base", "dates", "wavelet", "macd", "blend_0", "blend_0.5", "blend_1"]


def test_buybacks_join_where_the_data_have_them(cli, market_copy):
    days = [
        f"{year}-{month:02d}-{day:02d}"
        for year in (2015, 2016, 2017)
        for month in range(1, 13)
        for day in (5, 6, 7)
    ]
    names = pd.read_parquet(market_copy / "prices.parquet", columns=["symbol"])["symbol"].unique()[:25]
    rows = [
        f"{s},{day},unknown,{1e6 * (1 + i)}"
        for k, day in enumerate(days)
        for i, s in enumerate(names[k % 3 :: 3])
    ]
    (market_copy / "buybacks.csv").write_text(
        "symbol,announce_date,session,amount_usd\n" + "\n".join(rows) + "\n"
    )
    answer = cli("overlay", "ablation", "--data", market_copy, "--strategy", "equal_weight", "--json", *QUICK)
    assert answer.code == 0, answer.err
    books = {book["name"]: book["windows"]["whole"] for book in answer.json["metrics"]["books"]}
    assert list(books)[2:7] == ["wavelet", "pead", "momentum", "macd", "buyback"]
    assert books["buyback"]["tracking_error"] > 0


def test_a_delayed_fractional_account_with_a_risk_scaler_is_compared_as_it_trades(made):
    account = [
        *("--set", "account.exec_lag=2", "--set", "account.shares=fractional"),
        *("--set", "strategy.params.risk={vol_target: 0.05}"),
    ]
    answer = made["cli"]("overlay", "ablation", "--data", made["market"], "--json", *QUICK, *account)
    assert answer.code == 0, answer.err
    folder, _ = backtest(made, *account, "--set", "strategy.overlays=[wavelet,pead]")
    nav = column(table(folder / "equity.csv"), "nav")
    assert column(table(Path(answer.json["run"]) / "equity.csv"), "blend_1") == pytest.approx(nav, rel=1e-10)


def test_a_run_too_short_for_any_interval_says_so(cli, market):
    answer = cli("overlay", "ablation", "--data", market, *QUICK[2:], "--start", "2017-12-11")
    assert answer.code == 0, answer.err
    assert "the run is too short to judge anything" in answer.out
    assert "whole (2017-12-11 to 2017-12-29) has 13 returns in the run and is left out" in answer.out


@pytest.mark.real_data
@pytest.mark.skipif(DATA is None, reason="ARES7_DATA names no real data folder")
def test_on_real_data_the_blend_is_the_backtest_of_the_same_settings(cli):
    overlays = ["--set", "strategy.overlays=[wavelet,pead]"]
    quick = ["--set", "runs.report=false", "--set", "search.bootstrap.draws=100"]
    study = cli("overlay", "ablation", "--data", str(DATA), "--json", *quick)
    assert study.code == 0, study.err
    one = cli("backtest", "--data", str(DATA), "--json", "--engine", "compiled", *quick, *overlays)
    assert one.code == 0, one.err
    nav = column(table(Path(one.json["run"]) / "equity.csv"), "nav")
    assert column(table(Path(study.json["run"]) / "equity.csv"), "blend_1") == pytest.approx(nav, rel=1e-10)
    assert study.json["metrics"]["stamps"] == []
