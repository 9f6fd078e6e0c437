"""What the chart keeps of many points, and what the tables show."""

from __future__ import annotations

import datetime as dt

import numpy as np
from plotly.utils import PlotlyJSONEncoder

from live.dashboard.figures import BUCKETS, thinned
from live.dashboard.layout import blocks
from live.dashboard.view import View
from live.monitor.snapshot import Snapshot
from live.monitor.values import Book, Holding

NOW = dt.datetime(2024, 1, 5, 22, tzinfo=dt.UTC)


def test_thinning_keeps_both_ends_and_every_extreme():
    values = np.random.default_rng(7).normal(size=5000)
    rows = thinned(values)
    assert len(rows) <= 2 * BUCKETS + 2
    assert {0, 4999, int(values.argmin()), int(values.argmax())} <= set(rows.tolist())
    assert thinned(values[:100]).tolist() == list(range(100))


def test_positions_show_what_is_missing_and_an_old_look_is_called_stale():
    snapshot = Snapshot(
        source="x", at=NOW, mode="paper", book=Book(holdings=(Holding("AAA", 10.0, 14.0, 5.0, 0.1, 0.14),))
    )
    view = View(snapshot, fills=(("2024-01-05", "AAA", "BUY", "10", "5", "1"),))
    late = PlotlyJSONEncoder().encode(blocks(view, NOW + dt.timedelta(seconds=120)))
    for shown in ('"AAA"', '"14"', '"4"', "14.00 %", "Stale: this is the state of 2024-01-05 22:00:00 UTC."):
        assert shown in late
    assert "Stale" not in PlotlyJSONEncoder().encode(blocks(view, NOW))
