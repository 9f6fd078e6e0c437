"""What the verbs of research do between the command line and the run folder.

Strategies and analyzers are handed in by ``run.py``; this package imports none of them.
"""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ares7.errors import ConfigError
from feeds.overlay_commands import ablation, optimize_overlays

if TYPE_CHECKING:
    from ares7.config import Config
    from ares7.run_files import RunResult
    from ares7.search_files import SearchResult
    from feeds.engines import Chosen, Tools

INTERRUPTED = 130
"""Exit code after Ctrl-C, with a partial result or without."""


@dataclass(frozen=True, slots=True)
class Command:
    """One call of a verb.

    Attributes
    ----------
    args : Namespace
    config : Config
    choose : callable
        Strategy by name and parameters.
    resolve : callable
        ``strategies.registry.resolve``, for workers in other processes.
    on_device : callable
        ``on_device(panel)``: stages that a CUDA device computes instead.
    tools : Tools
        Analyzers.
    root : Path
        Folder of the project.
    now : datetime
        When it was given, UTC.
    """

    args: argparse.Namespace
    config: Config
    choose: Callable[[str, dict[str, Any]], Chosen]
    resolve: Callable[..., type[Any]]
    on_device: Callable[[Any], Any]
    tools: Tools
    root: Path
    now: dt.datetime

    @property
    def chosen(self) -> Chosen:
        """The configured strategy."""
        return self.choose(self.config.strategy.name, self.config.strategy_params)

    @property
    def baseline(self) -> Chosen:
        """The configured baseline."""
        return self.choose(self.config.baseline, {})

    @property
    def place(self) -> Any:
        """Where the points of a search run."""
        from feeds.executors import Device, place

        args, where = self.args, Path(self.args.config).resolve().parent
        if args.device == "cuda":
            from ares7.cuda.device import require_device

            if args.workers is not None or args.scheduler is not None:
                raise ConfigError("--device cuda uses one device here; leave out --workers and --scheduler")
            require_device()
            return Device(self.on_device)
        return place(self.config.search.workers, args.workers, args.scheduler, self.resolve, where)


Made = tuple["RunResult | SearchResult", int]
"""What a verb made, and its exit code."""


def backtest(command: Command) -> Made:
    """Run the configured strategy and its baseline; write a run folder; print a table."""
    from feeds.study import study

    c = command
    return study(c.config, c.chosen, c.baseline, c.tools, c.root, c.now), 0


def grid(command: Command) -> Made:
    """Run every point of a grid, choose one, and say how much of it is luck."""
    from feeds.grid_study import grid_study

    c = command
    result = grid_study(c.config, c.chosen, c.baseline, c.place, created=c.now, allowed=c.args.yes)
    return result, INTERRUPTED if "PARTIAL" in result.metrics["stamps"] else 0


def walkforward(command: Command) -> Made:
    """Choose parameters anew every 1 January from the years before, and trade the choices as one book."""
    from feeds.walkforward_study import walkforward_study

    c = command
    return (
        walkforward_study(
            c.config, c.chosen, c.baseline, c.tools, c.place, created=c.now, allowed=c.args.yes
        ),
        0,
    )


def optimize(command: Command) -> Made:
    """Optimise the weights of the sleeves in each regime on the train rows."""
    from feeds.optimize_study import optimize_study

    c = command
    return optimize_study(c.config, c.chosen, c.baseline, created=c.now), 0


def check(command: Command) -> Made:
    """Audit a strategy, or a series of returns; exit 1 if anything fails."""
    from ares7.audit.checks import all_checks
    from ares7.audit.finding import Severity
    from feeds.audit_study import audit_study

    c = command
    result, found = audit_study(c.config, c.chosen, c.baseline, c.tools, c.root, c.now, all_checks())
    return result, int(found.worst is Severity.FAILURE)


def ladder(command: Command) -> Made:
    """An honest result, then each published mistake on its own, then one on top of the other."""
    from feeds.ladder_study import ladder_study

    return ladder_study(command.config, command.root), 0


VERBS = {
    "backtest": backtest,
    "grid": grid,
    "walkforward": walkforward,
    "optimize": optimize,
    "check": check,
    "ladder": ladder,
    "overlay ablation": ablation,
    "overlay optimize": optimize_overlays,
}
"""By name; two words are an action of a verb."""
