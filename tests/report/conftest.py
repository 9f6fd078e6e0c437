"""Searches on a small synthetic market, run once by run.main: what the reports of searches are tested on."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import run
from tests.report.devtools import Chromium
from tests.report.in_browser import CHROMIUM

MARKET = (
    "data.synthetic.symbols=30",
    "data.synthetic.start=2013-01-02",
    "data.synthetic.end=2019-12-31",
    "oos=[{name: A, start: 2018-01-01, end: 2018-12-31}, {name: B, start: 2019-01-01, end: 2020-06-30}]",
    "search.bootstrap.draws=100",
    "search.pbo_blocks=6",
    "search.walkforward.train_years=2",
)
STUDY = (
    "search.overlay_study={train: {start: 2015-01-01, end: 2016-12-31}, "
    "validation: {start: 2017-01-01, end: 2017-12-31}, test: {start: 2018-01-01, end: 2020-06-30}}"
)
AXES = (
    "search.mixes.BULL.quality_momentum=0.4,0.6,0.8",
    "search.mixes.BULL.low_volatility=0.2,0.3,0.4",
    "search.low_volatility.top_quantile=0.3,0.5",
    "search.normalised=[mixes.BULL]",
)


@dataclass(frozen=True)
class Searches:
    """Run folders of searches, and a caller that makes another one on the same market."""

    grid: Path
    walkforward: Path
    optimize: Path
    search: Callable[..., Path]


def run_verb(folder: Path, verb: str, *settings: str) -> Path:
    """Run a verb on the small market; returns its run folder."""
    given = (*MARKET, *settings, f"runs.folder={folder / 'runs'}", f"data.cache={folder / 'cache'}")
    arguments = [word for setting in given for word in ("--set", setting)]
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        assert run.main([*verb.split(), "--json", *arguments]) == 0
    return Path(json.loads(out.getvalue())["run"])


@pytest.fixture(scope="session")
def searches(tmp_path_factory) -> Searches:
    folder = tmp_path_factory.mktemp("searches")

    def search(verb: str, *settings: str) -> Path:
        return run_verb(folder, verb, *settings)

    return Searches(search("grid", *AXES), search("walkforward", *AXES), search("optimize"), search)


@pytest.fixture(scope="session")
def ladder(tmp_path_factory) -> Path:
    """Run folder of a bias ladder."""
    return run_verb(tmp_path_factory.mktemp("ladder"), "ladder")


@dataclass(frozen=True)
class Overlays:
    """Run folders of the studies of overlays, and a caller that makes another one on the same market."""

    ablation: Path
    optimize: Path
    study: Callable[..., Path]


@pytest.fixture(scope="session")
def overlays(tmp_path_factory) -> Overlays:
    """Run folders of the studies of overlays; the data end inside their test window."""
    folder = tmp_path_factory.mktemp("overlays")

    def study(verb: str, *settings: str) -> Path:
        return run_verb(folder, verb, STUDY, *settings)

    return Overlays(study("overlay ablation"), study("overlay optimize"), study)


@pytest.fixture
def changed(tmp_path) -> Callable[..., Path]:
    """Copy a run folder with other figures: a value replaces a section of metrics.json, None removes it."""

    def change(folder: Path, **sections: object) -> Path:
        copy = tmp_path / folder.name
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("report.html"), dirs_exist_ok=True)
        found = json.loads((copy / "metrics.json").read_text())
        for name, value in sections.items():
            found.pop(name, None) if value is None else found.__setitem__(name, value)
        (copy / "metrics.json").write_text(json.dumps(found))
        return copy

    return change


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    browser = Chromium(CHROMIUM, tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()
