"""A small market, written once by ``data synth``, and a caller of ``run.main``."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import run

SYMBOLS, FIRST, LAST = 30, "2015-01-02", "2017-12-29"


@dataclass(frozen=True)
class Answer:
    """What one command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on stdout."""
        content = json.loads(self.out)
        assert isinstance(content, dict)
        return content


@dataclass(frozen=True)
class Commands:
    """Calls run.py in this process, with runs and cache in a folder of the test."""

    folder: Path
    cache: Path

    def __call__(self, *arguments: str | Path) -> Answer:
        out, err = io.StringIO(), io.StringIO()
        places = ["--set", f"runs.folder={self.folder / 'runs'}", "--set", f"data.cache={self.cache}"]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = run.main([*map(str, arguments), *places])
            except SystemExit as stop:
                code = int(stop.code or 0)
        return Answer(code, out.getvalue(), err.getvalue())

    def runs(self) -> list[str]:
        """Every run folder, unfinished ones too; the trial ledger lies beside them."""
        folder = self.folder / "runs"
        return sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder.exists() else []


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic market of 30 names over three years."""
    home = tmp_path_factory.mktemp("market")
    synth = Commands(home, home / "cache")
    dates = ["--set", f"data.synthetic.start={FIRST}", "--set", f"data.synthetic.end={LAST}"]
    answer = synth("data", "synth", home / "data", "--symbols", str(SYMBOLS), *dates)
    assert answer.code == 0, answer.err
    return home / "data"


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A panel cache that the tests share."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def cli(tmp_path: Path, cache: Path) -> Commands:
    """Calls run.py; its runs go to a folder of this test."""
    return Commands(tmp_path, cache)


@pytest.fixture
def market_copy(market: Path, tmp_path: Path) -> Path:
    """A copy of the market that a test may damage."""
    return Path(shutil.copytree(market, tmp_path / "market"))


@pytest.fixture(scope="session")
def finished(market: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Commands:
    """Two finished runs; read only."""
    made = Commands(tmp_path_factory.mktemp("finished"), cache)
    for strategy in ("equal_weight", "low_volatility"):
        answer = made("backtest", "--data", market, "--strategy", strategy)
        assert answer.code == 0, answer.err
    return made
