"""A small synthetic market, and finished backtests on it."""

from __future__ import annotations

import contextlib
import io

import pytest

import run
from ares7.runs import load_run


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """Make a run: ``made(strategy, *settings)`` gives its folder's `Run`."""
    home = tmp_path_factory.mktemp("explained")

    def call(*arguments):
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(shown):
            code = run.main([*map(str, arguments), "--set", f"runs.folder={home / 'runs'}"])
        assert code == 0, shown.getvalue()

    dates = ["--set", "data.synthetic.start=2014-01-02", "--set", "data.synthetic.end=2017-12-29"]
    call("data", "synth", home / "data", "--symbols", "30", *dates)
    found = {}

    def make(strategy, *settings):
        key = (strategy, *settings)
        if key not in found:
            before = set((home / "runs").glob("*-*")) if (home / "runs").exists() else set()
            given = [part for setting in settings for part in ("--set", setting)]
            places = ["--set", f"data.cache={home / 'cache'}", "--set", "runs.report=false"]
            call("backtest", "--data", home / "data", "--strategy", strategy, *given, *places)
            (folder,) = set((home / "runs").glob("*-*")) - before
            found[key] = load_run(folder, home / "runs")
        return found[key]

    return make
