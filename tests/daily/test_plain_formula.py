"""``--plain`` gives the original's formula to the byte: an independent pandas version of it is the oracle."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from live.daily.overlay_apply import apply_step, base_of
from live.daily.overlay_steps import combine_step
from tests.daily.desk import Desk

DAY, STAMP = "2017-12-20", "20171220"


def reading(path):
    """As the original read its files, every digit kept."""
    return pd.read_csv(path, converters=dict.fromkeys(("weight", "tilt_wavelet", "tilt_pead", "tilt"), float))


def original_combine(folder, weights=(0.54, 0.46)) -> bytes:
    """The guide's combiner, the date apart: the session's, not the server's."""
    wavelet = reading(folder / "wavelet_overlay_latest.csv").rename(columns={"tilt": "tilt_wavelet"})
    pead = reading(folder / "pead_overlay_latest.csv").rename(columns={"tilt": "tilt_pead"})
    both = pd.merge(wavelet, pead, on="symbol", how="outer").fillna({"tilt_wavelet": 0.0, "tilt_pead": 0.0})
    both["tilt_final"] = weights[0] * both["tilt_wavelet"] + weights[1] * both["tilt_pead"]
    both.insert(0, "date", DAY)
    return both[["date", "symbol", "tilt_final"]].to_csv(index=False).encode()


def original_apply(base_path, blend: bytes, folder, lam) -> bytes:
    """The guide's integration: left merge, lambda, divided by the sum; nothing clipped."""
    (folder / "blend.csv").write_bytes(blend)
    base = reading(base_path)[["symbol", "weight"]]
    tilt = pd.read_csv(folder / "blend.csv", converters={"tilt_final": float})[["symbol", "tilt_final"]]
    out = base.merge(tilt, on="symbol", how="left")
    out["tilt_final"] = out["tilt_final"].fillna(0.0)
    out["weight_final"] = out["weight"] + lam * out["tilt_final"]
    total = out["weight_final"].sum()
    if total != 0:
        out["weight_final"] = out["weight_final"] / total
    out = out.rename(columns={"weight": "weight_base"})
    out.insert(0, "date", DAY)
    return out[["date", "symbol", "weight_base", "tilt_final", "weight_final"]].to_csv(index=False).encode()


def old_files(desk: Desk, seed: int, names: int) -> None:
    """Files of the original formats: no date, other symbols in each, unsorted, every digit used."""
    draw = np.random.default_rng(seed)
    symbols = [f"N{k:03d}" for k in draw.permutation(names * 2)]
    for name, column in (("wavelet", "tilt_wavelet"), ("pead", "tilt" if seed % 2 else "tilt_pead")):
        chosen = draw.permutation(symbols)[:names]
        rows = [
            f"{s},{x!r}" for s, x in zip(chosen, (draw.standard_normal(names) / 37).tolist(), strict=True)
        ]
        desk.write(f"{name}_overlay_latest.csv", "\n".join([f"symbol,{column}", *rows]) + "\n")
    weights = draw.random(names) / names
    held = draw.permutation(symbols)[:names]
    rows = [f"{s},{w!r}" for s, w in zip(held, weights.tolist(), strict=True)]
    (desk.folder / "base.csv").write_text("\n".join(["symbol,weight", *rows]) + "\n")


@pytest.mark.parametrize("names", [1, 7, 300])
@pytest.mark.parametrize("seed", range(4))
def test_plain_files_equal_the_formula_to_the_byte(make_desk, seed, names):
    lam = (1.0, 0.5, 0.0, 2.0)[seed]
    desk = make_desk(daily={"base": "base.csv"}, strategy={"name": "low_volatility", "overlay_lambda": lam})
    old_files(desk, seed, names)
    blend = original_combine(desk.outputs)
    desk.publish(desk.job(DAY, plain=True), combine_step)
    assert (desk.outputs / f"wavelet_pead_overlay_prod_{STAMP}.csv").read_bytes() == blend
    expected = original_apply(desk.folder / "base.csv", blend, desk.folder, lam)
    desk.publish(desk.job(DAY, plain=True), lambda job: apply_step(job, base_of(job)))
    assert (desk.outputs / f"ares7_final_weights_{STAMP}.csv").read_bytes() == expected


def test_the_weights_of_the_configuration_are_those_of_the_formula(make_desk):
    desk = make_desk(overlay={"weights": {"wavelet": 0.3, "pead": 0.7}})
    old_files(desk, 5, 40)
    desk.publish(desk.job(DAY, plain=True), combine_step)
    found = (desk.outputs / f"wavelet_pead_overlay_prod_{STAMP}.csv").read_bytes()
    assert found == original_combine(desk.outputs, (0.3, 0.7))
    assert found != original_combine(desk.outputs)


def test_plain_keeps_negative_weights_and_a_sum_above_one_and_warns(make_desk):
    desk = make_desk(daily={"base": "base.csv"})
    desk.write("wavelet_overlay_latest.csv", "symbol,tilt_wavelet\nA,-3\nB,1\n")
    desk.write("pead_overlay_latest.csv", "symbol,tilt_pead\nC,1\n")
    (desk.folder / "base.csv").write_text("symbol,weight\nA,0.9\nB,0.9\nC,-0.1\n")
    desk.publish(desk.job(DAY, plain=True), combine_step)
    made = desk.publish(desk.job(DAY, plain=True), lambda job: apply_step(job, base_of(job)))
    found = desk.weights(DAY)
    assert found["A"] < 0
    assert abs(sum(found.values()) - 1) < 1e-15
    assert any("lower strategy.overlay_lambda" in text for text in made.sidecar["warnings"])


def test_plain_does_not_divide_by_a_sum_of_zero(make_desk):
    desk = make_desk(daily={"base": "base.csv"})
    desk.write("wavelet_overlay_latest.csv", "symbol,tilt_wavelet\nA,-1\nB,1\n")
    desk.write("pead_overlay_latest.csv", "symbol,tilt_pead\nA,0\n")
    (desk.folder / "base.csv").write_text("symbol,weight\nA,0\nB,0\n")
    desk.publish(desk.job(DAY, plain=True), combine_step)
    desk.publish(desk.job(DAY, plain=True), lambda job: apply_step(job, base_of(job)))
    assert desk.weights(DAY) == {"A": -0.54, "B": 0.54}
