"""The published ensemble series, rebuilt from its five parts by our volatility target."""

from __future__ import annotations

import numpy as np
import pytest

from ares7.risk import vol_target_scale
from tests.contracts.panels import DATA

PARTS = {
    "engine_ls_enhanced_results": 0.10,
    "C1_final_v5": 0.109438853210782,
    "engine_c_lowvol_v2_final_results": 0.143113502072920,
    "engine_factor_final_results": 0.10,
    "engine_factor_v2_best": 0.547447644716298,
}


@pytest.mark.real_data
@pytest.mark.skipif(DATA is None, reason="ARES7_DATA names no real data folder")
def test_the_published_ensemble_is_reproduced_from_its_five_series():
    import pandas as pd

    rows = pd.read_parquet(f"{DATA}/legacy/daily_returns.parquet")
    wide = rows.pivot(index="date", columns="series", values="ret")
    published = wide["ares7_best_ensemble_results"].dropna()
    parts = wide.loc[published.index, list(PARTS)].to_numpy()
    assert np.isfinite(parts).all()
    unlevered = parts @ np.array(list(PARTS.values()))
    leverage = np.ones(len(unlevered))
    leverage[1:] = vol_target_scale(unlevered, target=0.10, window=60, cap=1.5)[:-1]
    assert (leverage[:60] == 1.0).all()
    assert leverage.max() == 1.5
    assert len(published) == 2510
    np.testing.assert_allclose(leverage * unlevered, published.to_numpy(), rtol=0, atol=1e-12)
    sharpe = published.mean() / published.std(ddof=0) * np.sqrt(252)
    assert sharpe == pytest.approx(1.854, abs=5e-4)
