"""Who is in the universe, and when (rulings 16, 25)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ares7.errors import MissingData
from feeds.load import load_with_findings
from tests.feeds.small_folder import (
    DAYS,
    FUNDS,
    TODAY,
    config,
    load,
    tables,
    write,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "data", tables())


def test_membership_ends_are_inclusive(folder: Path) -> None:
    # rulings 16.
    panel = load(folder)
    member = panel.member[:, panel.symbols.index("BBB")]
    np.testing.assert_array_equal(
        member, (np.datetime64("2020-01-10") <= DAYS) & (np.datetime64("2020-02-14") >= DAYS)
    )
    assert panel.member[:, panel.symbols.index("AAA")].all()  # an open end
    assert panel.member[:, ~panel.is_stock].all()
    assert panel.provenance["warnings"]["membership/member-without-prices"] == 1  # GONE


def test_two_intervals_of_one_symbol_are_joined(tmp_path: Path) -> None:
    content = tables()
    again = pd.DataFrame([{"symbol": "BBB", "start_date": "2020-02-20", "end_date": "2020-02-21"}])
    content["membership_x"] = pd.concat([content["membership_x"], again])
    panel = load(write(tmp_path, content))
    member = panel.member[:, panel.symbols.index("BBB")]
    back = (np.datetime64("2020-02-20") <= DAYS) & (np.datetime64("2020-02-21") >= DAYS)
    assert member[back].all()
    assert member.sum() == back.sum() + 25


def test_universe_auto_without_membership_is_all(tmp_path: Path) -> None:
    content = tables()
    del content["membership_x"]
    assert load(write(tmp_path, content)).member.all()


def test_universe_all_ignores_membership(folder: Path) -> None:
    panel = load(folder, universe="all")
    assert panel.member.all()
    assert panel.provenance["universe"] == "all"


def test_universe_list_restricts_columns(folder: Path) -> None:
    panel = load(folder, universe=("BBB",))
    assert panel.symbols == ("BBB", *FUNDS)
    assert panel.member.all()


def test_errors_of_names_outside_the_universe_do_not_stop(tmp_path: Path) -> None:
    content = tables()
    content["prices"].loc[content["prices"]["symbol"] == "AAA", "close"] = "0"
    assert load(write(tmp_path, content), universe=("BBB",)).symbols == ("BBB", *FUNDS)


def test_universe_that_begins_late_is_a_warning(tmp_path: Path) -> None:
    content = tables()
    content["membership_x"]["start_date"] = "2020-01-15"
    panel = load(write(tmp_path, content))
    assert panel.provenance["warnings"]["membership/universe-begins-late"] == 9


@pytest.mark.parametrize(("hole", "empty"), [(4, 0), (5, 1), (7, 3)])
def test_lone_name_may_pause_for_less_than_five_sessions(tmp_path: Path, hole: int, empty: int) -> None:
    # rulings 5: in the fifth session without a bar the position is closed, and nothing is left to hold.
    content = tables()
    gone = DAYS[10 : 10 + hole].astype(str)
    content["prices"] = content["prices"][~content["prices"]["date"].isin(gone)]
    _, findings = load_with_findings(config(write(tmp_path, content), universe=("AAA",)), today=TODAY)
    found = [f for f in findings if f.code == "empty-universe"]
    assert [f.count for f in found] == [empty] * bool(empty)
    assert all(f.first == DAYS[14] and f.kind is MissingData for f in found)
