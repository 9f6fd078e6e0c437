"""A small synthetic market that reaches back far enough for every overlay, and desks on it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ares7.config import SyntheticConfig
from feeds.synthetic import generate, write
from tests.daily.desk import Desk

DATES = {"start": "2014-01-02", "end": "2017-12-29"}


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """80 names over four years; read only."""
    folder = tmp_path_factory.mktemp("desk-market") / "data"
    write(generate(SyntheticConfig(symbols=80, seed=3, **DATES)), folder, "parquet")
    return folder


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Panels that the tests share."""
    return tmp_path_factory.mktemp("desk-cache")


@pytest.fixture
def make_desk(tmp_path: Path, market: Path, shared_cache: Path) -> Any:
    """Makes a desk; sections of the configuration by keyword."""
    made = 0

    def make(**sections: Any) -> Desk:
        nonlocal made
        made += 1
        data = {"path": str(market), "cache": str(shared_cache)} | sections.pop("data", {})
        strategy = {"name": "low_volatility"}
        return Desk(tmp_path / f"desk{made}", {"data": data, "strategy": strategy, **sections})

    return make


@pytest.fixture
def desk(make_desk: Any) -> Desk:
    """A desk whose base is low volatility."""
    found: Desk = make_desk()
    return found


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The real data folder."""
    folder = os.environ.get("ARES7_DATA")
    if not folder:
        pytest.skip("ARES7_DATA names no real data folder")
    return Path(folder)
