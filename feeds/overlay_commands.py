"""What ``overlay ablation`` and ``overlay optimize`` do between the command line and the run folder."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ares7.search_files import SearchResult
    from feeds.commands import Command


def ablation(command: Command) -> tuple[SearchResult, int]:
    """What each overlay adds to the strategy, net of costs, with intervals."""
    from feeds.overlay_study import ablation_study, with_overlays

    c = replace(command, config=with_overlays(command.config))
    return ablation_study(c.config, c.chosen, c.baseline, created=c.now), 0


def optimize_overlays(command: Command) -> tuple[SearchResult, int]:
    """Weights of the overlays chosen on train and validation, and what they are worth on test."""
    from feeds.overlay_optimize_study import overlay_optimize_study
    from feeds.overlay_study import with_overlays

    c = replace(command, config=with_overlays(command.config))
    return overlay_optimize_study(c.config, c.chosen, c.baseline, created=c.now), 0
