"""A fresh process from nothing to the figures of 729 points: ``python -m bench.fresh``, timed from outside."""

from __future__ import annotations

from bench import search_jobs as jobs

SYMBOLS = 100


def main() -> None:
    """Import, cached panel, parameters, plans, curves on two threads, figures of the whole and of 14 windows."""
    panel, points = jobs.synthetic_panel(SYMBOLS), jobs.settings("weights729")
    jobs.search_afresh(panel, points, 2, jobs.walk_forward_slices())


if __name__ == "__main__":
    main()
