"""From a prepared search to the curves of every point: executor, ledger, store, what an interruption leaves."""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ares7.arrays import Float2D, Int1D
from ares7.batch import Curves
from ares7.batch_figures import EquityFigures, equity_figures, joined
from ares7.errors import ConfigError
from ares7.overfit import Moments
from ares7.params import BookParams
from ares7.point_figures import PointFigures
from ares7.progress import Step, progress, stage
from ares7.search import FEW, Block, block_points, run_search
from ares7.search_store import CurveStore, prune
from ares7.trials import Purpose, Trial, TrialLedger
from feeds.executors import Crew, Place
from feeds.trial_record import ledger_path, trials_of

if TYPE_CHECKING:
    from feeds.searching import Search

UNFINISHED = 4
"""Searches whose curves are kept, so that one that was interrupted, or is judged anew, goes on from them."""
REREAD = 1000
"""Points whose kept curves are read back at a time."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """Curves and figures of the distinct points.

    Attributes
    ----------
    search : Search
        Its ``points`` are those that were evaluated.
    curves : Curves
        ``nav`` may be mapped from a file.
    figures : PointFigures
    resumed : int
        Points whose curves an interrupted search had left.
    seconds : float
        Of the evaluation.
    missing : int
        Distinct points that were not reached: the search was interrupted.
    """

    search: Search
    curves: Curves
    figures: PointFigures
    resumed: int
    seconds: float
    missing: int = 0


def run(
    search: Search,
    place: Place,
    *,
    run: str,
    purpose: Purpose,
    created: dt.datetime,
    partial: bool = False,
) -> Evaluated:
    """Evaluate every distinct point; each block is in the ledger before the search goes on.

    Parameters
    ----------
    place : Place
        Where points are run (`feeds.executors`).
    run : str
        Name under which they are recorded.
    partial : bool
        Ctrl-C ends the evaluation and returns the points that are finished, if there are any.

    Raises
    ------
    KeyboardInterrupt
        The finished points are kept: the same call goes on from there.
    """
    count = len(search.points.hashes)
    _require_room(search, count)
    prune(search.folder, UNFINISHED, search.digest)
    store = CurveStore(search.folder / search.digest, search.digest, count, len(search.dates))
    began = time.perf_counter()
    done = store.done
    harvest = _Harvest(search, store, run, purpose, created)
    try:
        with (
            place.crew(search) as crew,
            harvest.open(),
            progress("points", count, done=int(done.sum())) as step,
        ):
            harvest.take_up(np.flatnonzero(done))
            harvest.work(crew, np.flatnonzero(~done), step)
    except KeyboardInterrupt:
        if not harvest.figures:
            raise
        if not partial:
            raise KeyboardInterrupt(harvest.kept()) from None
        stage(f"interrupted: {harvest.kept()}; writing what there is")
    finally:
        # What is there serves the next call; where no point was ever finished, nothing is left.
        store.close() if harvest.figures or done.any() else store.remove()
    return harvest.result(int(done.sum()), time.perf_counter() - began)


@contextmanager
def keeping(done: Evaluated) -> Iterator[None]:
    """Say, where Ctrl-C ends what comes after the evaluation, that the evaluation is not lost."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"no run folder was written; {len(done.curves.nav):,} points are recorded and kept, and the same command "
            "goes on from them"
        ) from None


def _require_room(search: Search, count: int) -> None:
    """Refuse a runs folder that the result could not be written to; after an hour's work it would be lost.

    Raises
    ------
    ConfigError
    """
    folder, needed = search.config.runs.folder, 8 * count * len(search.dates)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            free = shutil.disk_usage(folder).free
    except OSError as error:
        raise ConfigError(
            f"runs.folder {folder} cannot be written: {error.strerror or error}; allow writing there, or name "
            "another folder with --set runs.folder=DIR"
        ) from None
    if free < needed:
        raise ConfigError(
            f"runs.folder {folder} has {free / 2**30:.1f} GiB free, and the curves of {count:,} points take "
            f"{needed / 2**30:.1f} GiB; free space, or name another folder with --set runs.folder=DIR"
        )


@dataclass(slots=True)
class _Harvest:
    """Takes in what blocks give: first the ledger, then the curves, so that no curve is there uncounted."""

    search: Search
    store: CurveStore
    run: str
    purpose: Purpose
    created: dt.datetime
    figures: list[tuple[Int1D, EquityFigures]] = field(default_factory=list)
    _ledger: TrialLedger | None = None

    @contextmanager
    def open(self) -> Iterator[None]:
        """Have the ledger open; a file that is there is tried before any point is run."""
        path = ledger_path(self.search.config)
        self._ledger = TrialLedger(path) if path.exists() else None
        try:
            yield
        finally:
            if self._ledger is not None:
                self._ledger.close()

    def record(self, rows: Int1D, curves: Curves, figures: EquityFigures) -> None:
        """Count points."""
        search = self.search
        if self._ledger is None:
            self._ledger = TrialLedger(ledger_path(search.config))
        texts = search.points.texts.several(search.points.several(rows))
        trials = _trials(search, texts, curves, figures)
        self._ledger.record(search.data_set, trials, run=self.run, purpose=self.purpose, created=self.created)

    def take_up(self, rows: Int1D) -> None:
        """Go on from what an interrupted search left; it is counted again, which changes nothing if it was."""
        for first in range(0, len(rows), REREAD):
            part = rows[first : first + REREAD]
            curves = self.store.curves(part)
            figures = _figures_of(self.search, curves.nav)
            self.record(part, curves, figures)
            self.figures.append((part, figures))

    def work(self, crew: Crew, left: Int1D, step: Step) -> None:
        """Run the other points."""
        points, close = self.search.points, self.search.bench.market.tape.close
        workers = crew.workers if len(left) >= FEW else 1
        sessions, names = close.shape
        size = block_points(sessions, names, len(left), workers)
        blocks = ((i, crew.pack(points.several(left[i : i + size]))) for i in range(0, len(left), size))

        def keep(block: Block) -> None:
            rows = left[block.first : block.first + len(block.curves.nav)]
            self.record(rows, block.curves, block.figures)
            self.store.keep(rows, block.curves)
            # Last: Ctrl-C may come between any two of them, and a partial result reads these rows back.
            self.figures.append((rows, block.figures))
            step(len(rows))

        run_search(crew.task, blocks, crew.executor, in_flight=2 * workers, keep=keep, alive=crew.alive)

    def kept(self) -> str:
        """Say what an interruption leaves."""
        rows = sum(len(rows) for rows, _ in self.figures)
        return (
            f"{rows:,} of {len(self.search.points.hashes):,} points are recorded and kept; the same command goes on "
            "from them"
        )

    def result(self, resumed: int, seconds: float) -> Evaluated:
        """Put the blocks in order; without the points that were not reached."""
        rows = np.concatenate([rows for rows, _ in self.figures])
        order = np.argsort(rows)
        together = joined([part for _, part in self.figures])
        equity = EquityFigures(**{name: getattr(together, name)[order] for name in EquityFigures.__slots__})
        count = len(self.search.points.hashes)
        if len(rows) == count:
            search, curves = self.search, self.store.all_curves()
            if search.config.data.cache is None:
                self.store.remove()
        else:
            search = replace(self.search, points=self.search.points.only(rows[order]))
            curves = self.store.curves(rows[order])
        figures = PointFigures(search.windows, equity, search.baseline, curves.turnover, curves.fees)
        return Evaluated(search, curves, figures, resumed, seconds, count - len(rows))


def _figures_of(search: Search, nav: Float2D) -> EquityFigures:
    bench = search.bench
    return equity_figures(nav, bench.windows, bench.baseline_nav, bench.risk_free)


def record_points(
    search: Search,
    points: Sequence[BookParams],
    curves: Curves,
    *,
    run: str,
    purpose: Purpose,
    created: dt.datetime,
) -> None:
    """Record points that are not of the grid."""
    figures = _figures_of(search, curves.nav)
    with TrialLedger(ledger_path(search.config)) as ledger:
        trials = _trials(search, points, curves, figures)
        ledger.record(search.data_set, trials, run=run, purpose=purpose, created=created)


def _trials(
    search: Search, points: Sequence[BookParams | str], curves: Curves, figures: EquityFigures
) -> list[Trial]:
    """What the ledger keeps of a block."""
    f, count = figures, len(search.dates) - 1
    return trials_of(
        search.points.chosen.name,
        points,
        dates=search.dates,
        nav=curves.nav,
        baseline_nav=search.bench.baseline_nav,
        total=Moments(count, f.mean, f.sd, f.skew, f.kurtosis),
        active=Moments(count, f.active_mean, f.active_sd, f.active_skew, f.active_kurtosis),
        drawdown=f.max_drawdown,
        turnover=curves.turnover,
        settings=search.settings_hash,
        code=search.code,
    )
