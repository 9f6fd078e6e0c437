"""Each step alone: what it reads, what it marks, what it refuses."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest

from ares7.errors import ConfigError, DataError, MissingData, StaleData
from live.daily.overlay_apply import apply_step, base_of
from live.daily.overlay_steps import combine_step, engine_step
from tests.daily.desk import pair

DAY, STAMP = "2017-12-20", "20171220"
BLEND, WEIGHTS = f"wavelet_pead_overlay_prod_{STAMP}.csv", f"ares7_final_weights_{STAMP}.csv"
OLD_WAVELET = "symbol,tilt_wavelet\nBBB,0.01\nAAA,-0.02\n"
OLD_PEAD = "symbol,tilt_pead\nCCC,0.03\nAAA,0.01\n"


def old_files(desk):
    desk.write("wavelet_overlay_latest.csv", OLD_WAVELET)
    desk.write("pead_overlay_latest.csv", OLD_PEAD)


def combined(desk, **options):
    return desk.publish(desk.job(DAY, **options), combine_step)


def applied(desk, *overrides, **options):
    return desk.publish(desk.job(DAY, *overrides, **options), lambda job: apply_step(job, base_of(job)))


def based(make_desk, text, **sections):
    desk = make_desk(daily={"base": "base.csv"}, **sections)
    (desk.folder / "base.csv").write_text(text)
    return desk


def blend(desk, tilts, **sidecar):
    content = {"as_of": DAY, "mode": "normal", "overlay_session": "2017-12-15", "synthetic": True, **sidecar}
    columns = {"date": [DAY] * len(tilts), "symbol": list(tilts), "tilt_final": list(tilts.values())}
    pair(desk.outputs, BLEND, columns, content)


def test_the_blend_is_the_weighted_outer_merge(desk):
    old_files(desk)
    combined(desk)
    found = {row["symbol"]: float(row["tilt_final"]) for row in desk.rows(BLEND)}
    assert list(found) == ["AAA", "BBB", "CCC"]
    assert found == {"AAA": 0.54 * -0.02 + 0.46 * 0.01, "BBB": 0.54 * 0.01, "CCC": 0.46 * 0.03}


def test_undated_files_are_accepted_by_a_step_and_marked(desk):
    old_files(desk)
    combined(desk)
    found = desk.sidecar(BLEND)
    assert found["mode"] == "undated"
    assert [text.split()[0] for text in found["warnings"]] == ["Wavelet", "PEAD"]
    applied(desk)
    assert desk.sidecar(WEIGHTS)["mode"] == "undated"


def test_an_undated_base_is_accepted_by_a_step_and_marked(make_desk):
    desk = based(make_desk, "symbol,weight\nS001,0.5\nS002,0.4\n")
    blend(desk, {"S001": 0.01, "S002": -0.01})
    applied(desk)
    found = desk.sidecar(WEIGHTS)
    assert found["mode"] == "undated"
    assert any("does not say its date" in text for text in found["warnings"])
    assert found["inputs"]["base"]["file"] == "base.csv"


def test_a_step_refuses_files_of_another_session(desk):
    desk.daily("2017-12-19")
    with pytest.raises(StaleData, match=f"overlay wavelet --date {DAY}"):
        combined(desk)


def test_a_step_without_the_one_before_it_says_which_to_run(desk):
    with pytest.raises(MissingData, match=f"run 'python run.py overlay wavelet --date {DAY}'"):
        combined(desk)
    desk.publish(desk.job(DAY), lambda job: engine_step(job, "wavelet"))
    with pytest.raises(MissingData, match=r"pead_overlay_latest\.csv does not exist; run .*overlay pead"):
        combined(desk)
    with pytest.raises(MissingData, match=f"{BLEND} does not exist; run .*overlay combine"):
        applied(desk)


def test_demo_files_do_not_serve_as_production_files(desk):
    desk.daily(DAY, demo=True)
    with pytest.raises(MissingData, match=r"wavelet_overlay_latest\.csv does not exist"):
        combined(desk)


def test_overlay_symbols_without_a_base_are_ignored_and_told(make_desk):
    desk = based(make_desk, f"date,symbol,weight\n{DAY},S001,0.5\n{DAY},S002,0.4\n")
    blend(desk, {"S001": 0.01, "S002": -0.01, "XYZ": 0.5})
    job, told = desk.job(DAY), []
    job.listeners.append(told.append)
    desk.publish(job, lambda job: apply_step(job, base_of(job)))
    assert "Ignored: 1 overlay symbols without a base weight (XYZ)" in told
    assert desk.weights(DAY) == {"S001": 0.5 + 0.9 * 0.01, "S002": 0.4 - 0.9 * 0.01}


def test_final_weights_of_a_file_with_funds_are_as_worked_out_by_hand(make_desk):
    # The stock block is .4 + .2 = .6; lambda .5 makes the tilts .01 and -.01; TLT takes no part, whatever its tilt.
    desk = based(make_desk, f"date,symbol,weight\n{DAY},TLT,0.3\n{DAY},S002,0.2\n{DAY},S001,0.4\n")
    blend(desk, {"S001": 0.02, "S002": -0.02, "TLT": 0.9})
    applied(desk, "strategy.overlay_lambda=0.5")
    rows = [tuple(row.values()) for row in desk.rows(WEIGHTS)]
    assert [row[:2] for row in rows] == [(DAY, "S001"), (DAY, "S002"), (DAY, "TLT")]
    expected = [(0.4, 0.01, 0.406), (0.2, -0.01, 0.194), (0.3, 0.0, 0.3)]
    assert np.abs(np.array([row[2:] for row in rows], dtype=float) - expected).max() <= 1e-15
    found = desk.sidecar(WEIGHTS)["statistics"]
    assert abs(found["gross"] - 0.9) < 1e-15
    assert abs(found["turnover"] - 0.006) < 1e-15


def test_tilts_on_another_scale_are_warned_of(make_desk):
    desk = based(make_desk, f"date,symbol,weight\n{DAY},S001,0.5\n{DAY},S002,0.4\n{DAY},S004,0.1\n")
    blend(desk, {"S001": 3.0, "S002": -1.0, "S004": -2.0})
    made = applied(desk)
    assert any("lower strategy.overlay_lambda" in text for text in made.sidecar["warnings"])
    assert all(abs(float(row["tilt_final"])) <= 0.02 + 1e-12 for row in desk.rows(WEIGHTS))
    blend(desk, {"S001": 0.001, "S002": -0.001})
    assert applied(desk).sidecar["warnings"] == []


def test_stocks_rescaled_to_one_beside_funds_are_refused(make_desk):
    text = f"date,symbol,weight\n{DAY},S001,0.5\n{DAY},TLT,0.4\n"
    desk = based(make_desk, text, overlay={"normalize": "one"})
    blend(desk, {"S001": 0.01})
    with pytest.raises(ConfigError, match=r"sum to 1\.4.*base_gross"):
        applied(desk)
    assert not (desk.outputs / WEIGHTS).exists()


def test_files_may_be_rescaled_to_one(make_desk):
    desk = make_desk(overlay={"normalize": "one"})
    desk.daily(DAY)
    assert abs(sum(desk.weights(DAY).values()) - 1) < 1e-12
    assert abs(sum(desk.weights(DAY, "weight_base").values()) - 0.98) < 1e-12


def without(market, tmp_path, *names):
    folder = shutil.copytree(market, tmp_path / "bent")
    for name in names:
        (folder / f"{name}.parquet").unlink()
    return {"path": str(folder)}


def test_the_wavelet_needs_no_earnings_and_pead_does(make_desk, market, tmp_path):
    desk = make_desk(data=without(market, tmp_path, "earnings"))
    desk.publish(desk.job(DAY), lambda job: engine_step(job, "wavelet"))
    with pytest.raises(MissingData, match="earnings"):
        desk.publish(desk.job(DAY), lambda job: engine_step(job, "pead"))


def test_an_engine_of_weight_zero_is_left_out(make_desk):
    two, three = make_desk(), make_desk(daily={"engines": ["wavelet", "pead", "buyback"]})
    two.daily(DAY)
    three.daily(DAY)
    assert three.weights(DAY) == two.weights(DAY)
    assert not (three.outputs / "buyback_overlay_latest.csv").exists()
    with pytest.raises(MissingData, match="buyback"):
        three.daily(DAY, "overlay.weights.buyback=0.1")


def test_an_early_session_has_too_few_rows(desk):
    with pytest.raises(MissingData, match="add older data"):
        desk.publish(desk.job("2014-02-03"), lambda job: engine_step(job, "wavelet"))
    with pytest.raises(ConfigError, match=r"needs 2.. rows"):
        base_of(desk.job("2014-02-03"))


def test_a_session_of_which_most_prices_are_missing_is_refused(make_desk, market, tmp_path):
    data = without(market, tmp_path)
    path = f"{data['path']}/prices.parquet"
    prices = pd.read_parquet(path)
    names = sorted(prices["symbol"].unique())[::5]
    broken = (prices["date"] >= pd.Timestamp(DAY)) & ~prices["symbol"].isin(names)
    prices[~broken].to_parquet(path)
    with pytest.raises(StaleData, match=r"not complete.*load the whole session"):
        make_desk(data=data).daily(DAY)


def test_sidecars_name_the_files_that_they_were_made_of(desk):
    desk.daily(DAY)
    of_blend, of_weights = desk.sidecar(BLEND)["inputs"], desk.sidecar(WEIGHTS)["inputs"]
    for name in ("wavelet_overlay_latest.csv", "pead_overlay_latest.csv"):
        assert of_blend[name] == desk.sidecar(name)["sha256"] == desk.bytes()[name]
    assert of_weights[BLEND] == desk.bytes()[BLEND]
    assert of_weights["base"]["strategy"] == "low_volatility"


def test_base_weights_need_no_earnings(make_desk, market, tmp_path):
    desk, whole = make_desk(data=without(market, tmp_path, "earnings")), make_desk()
    whole.daily(DAY)
    blend(desk, {row["symbol"]: float(row["tilt_final"]) for row in whole.rows(BLEND)})
    applied(desk)
    assert desk.weights(DAY) == whole.weights(DAY)


def test_overlays_without_any_weight_are_refused(desk):
    with pytest.raises(ConfigError, match=r"overlay\.weights"):
        desk.daily(DAY, "overlay.weights={wavelet: 0, pead: 0}")


def test_a_universe_without_names_is_refused(make_desk, market, tmp_path):
    data = without(market, tmp_path, "membership")
    pd.DataFrame({"symbol": ["S001"], "start_date": ["2014-01-02"], "end_date": ["2016-12-30"]}).to_csv(
        f"{data['path']}/membership.csv", index=False
    )
    with pytest.raises(DataError, match="universe"):
        make_desk(data=data).daily(DAY)
