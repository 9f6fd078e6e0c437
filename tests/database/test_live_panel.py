"""What the live strategy reads of the data: from the database, and again when it holds something else."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from ares7.config import DataConfig
from feeds.database.loading import load_folder
from live.double.history import from_config, from_folder
from live.live_panel import LivePanel, roster_of
from tests.database.frames import bend

NEEDS = frozenset({"fundamentals"})
SESSION = dt.date(2017, 12, 29)


@pytest.fixture
def config(made, server, url, tmp_path):
    load_folder(made, server)
    return DataConfig(path=url, cache=tmp_path / "cache")


def laid_out(config):
    panel = LivePanel(roster_of(config, NEEDS, 50), config, NEEDS, 50)
    panel.lay_out(SESSION)
    return panel


def test_it_is_that_of_the_folder(made, config):
    ours, theirs = laid_out(config), laid_out(DataConfig(path=made, cache=None))
    assert ours.roster.symbols == theirs.roster.symbols
    for name, values in theirs._frame.fields.items():
        np.testing.assert_array_equal(ours._frame.fields[name], values)
    np.testing.assert_array_equal(ours._frame.member, theirs._frame.member)


def test_newer_filings_are_read_at_the_next_close_and_a_server_that_is_away_changes_nothing(
    cluster, made, market, server, config
):
    panel = laid_out(config)
    before = panel._frame.fields["operating_margin"].copy()
    panel.close_session(SESSION)

    def newer(frame):
        row = frame[frame["symbol"] == "S003"].iloc[[-1]].assign(operating_margin=0.77)
        row["report_period"] += pd.Timedelta(days=91)
        row["filing_date"] += pd.Timedelta(days=91)
        row[[c for c in ("late_filing", "filing_date_estimated") if c in row]] = False
        return pd.concat([frame, row], ignore_index=True)

    bend(market, "fundamentals", newer)
    load_folder(market, server)
    panel.close_session(SESSION)
    after = panel._frame.fields["operating_margin"]
    assert (after == 0.77).any()
    assert not (before == 0.77).any()
    cluster.stop()
    panel.close_session(SESSION)
    np.testing.assert_array_equal(panel._frame.fields["operating_margin"], after)


def test_the_gateway_double_replays_the_database(made, config):
    ours = from_config(config)
    theirs = from_folder(made, (config.index, config.vix))
    assert ours.symbols == theirs.symbols
    np.testing.assert_array_equal(ours.close, theirs.close)
    assert ours.synthetic
