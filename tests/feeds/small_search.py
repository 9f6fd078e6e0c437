"""A search on a small synthetic market, and places to run it that break in some way."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Iterator
from concurrent.futures import Executor, Future
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ares7.config import Config, load_config
from ares7.grid import Grid
from ares7.search import evaluate
from feeds.engines import Chosen
from feeds.executors import Crew
from feeds.searching import Evaluated, Search, prepare, run
from feeds.trial_record import ledger_path
from strategies import registry

ROOT = Path(__file__).resolve().parents[2]
WINDOWS = "oos=[{name: A, start: 2017-01-01, end: 2017-12-31}, {name: B, start: 2018-01-01, end: 2018-12-31}]"
MARKET = (
    "data.synthetic.symbols=25",
    "data.synthetic.start=2014-01-02",
    "data.synthetic.end=2018-12-31",
    WINDOWS,
    "runs.report=false",
    "search.bootstrap.draws=100",
)
NOW = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
TILTS = tuple(round(0.005 * i, 3) for i in range(1, 9))
FRACTIONS = (0.1, 0.15, 0.2, 0.25, 0.3)
AXES = {"quality_momentum.tilt_per_name": TILTS, "quality_momentum.top_frac": FRACTIONS}
"""Forty points."""


def config(home: Path, cache: Path, *overrides: str) -> Config:
    places = (f"runs.folder={home / 'runs'}", f"data.cache={cache}")
    return load_config(ROOT / "config.yaml", (*MARKET, *places, *overrides))


def chosen(settings: Config, name: str | None = None, params: dict[str, Any] | None = None) -> Chosen:
    name = name or settings.strategy.name
    strategy = registry.resolve(name, settings.runs.folder.parent)
    given = settings.strategy.params if params is None else params
    return Chosen(name, strategy, registry.settings(strategy, given, settings.costs))


def search_of(
    settings: Config, axes: dict[str, Any] | None = None, name: str | None = None, **options: Any
) -> Search:
    params = {} if name else None
    grid = Grid("own", AXES if axes is None else axes)
    own, base = chosen(settings, name, params), chosen(settings, settings.baseline, {})
    return prepare(settings, own, base, grid, settings.search.selection, **options)


def go(search: Search, place: Any, **options: Any) -> Evaluated:
    return run(search, place, run="test", purpose="grid", created=NOW, **options)


class AtOnce(Executor):
    """Runs what is submitted before it returns."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


@dataclass
class Breaking:
    """A place that raises after some blocks; ``started`` says which began."""

    after: int
    error: BaseException
    workers: int = 2
    started: list[int] = field(default_factory=list)

    @contextmanager
    def crew(self, search: Search) -> Iterator[Crew]:
        own = partial(evaluate, search.bench)

        def task(first: int, points: Any) -> Any:
            if len(self.started) == self.after:
                raise self.error
            self.started.append(first)
            return own(first, points)

        yield Crew(AtOnce(), task, self.workers)


def trials(path: Path) -> list[tuple[Any, ...]]:
    """Every row of the ledger that does not say when or by whom, in its order; [] where there is no file."""
    if not path.exists():
        return []
    with closing(sqlite3.connect(path)) as ledger:
        if not ledger.execute("SELECT count(*) FROM sqlite_master WHERE name = 'every_trial'").fetchone()[0]:
            return []  # another process is just making it
        return ledger.execute(
            "SELECT params_hash, first_session, last_session, sharpe, active_sharpe, turnover, active "
            "FROM every_trial LEFT JOIN weekly_returns ON trial = every_trial.id ORDER BY every_trial.id"
        ).fetchall()


def recorded(search: Search) -> list[tuple[Any, ...]]:
    return trials(ledger_path(search.config))
