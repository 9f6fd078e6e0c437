"""Options of ``run.py gateway``. Imports nothing of the gateway: the command line reads this on every call."""

from __future__ import annotations

import argparse
from pathlib import Path

PORT = 4002
"""Where IB Gateway listens for paper accounts."""
PAPER_ACCOUNT = "DU1234567"
SCENARIOS = Path(__file__).parent / "scenarios"


def scenario_names() -> list[str]:
    """Scenarios that are shipped."""
    return sorted(path.stem for path in SCENARIOS.glob("*.yaml"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``run.py gateway``."""
    parser.add_argument(
        "--scenario",
        default="calm",
        metavar="NAME",
        help=f"what goes wrong: {', '.join(scenario_names())}, or a .yaml file (default calm)",
    )
    parser.add_argument(
        "--data", metavar="DIR", help="a canonical data folder (default: the configured data)"
    )
    parser.add_argument("--port", type=int, default=PORT, help=f"0 lets the system choose (default {PORT})")
    parser.add_argument(
        "--speed", type=float, default=1.0, metavar="N", help="virtual seconds in a real one (default 1)"
    )
    parser.add_argument(
        "--start", metavar="TIME", help="virtual start, 2024-01-03 or '2024-01-03 09:25' in New York"
    )
    parser.add_argument("--cash", type=float, default=1_000_000.0, metavar="USD", help="default 1000000")
    parser.add_argument(
        "--account",
        default=PAPER_ACCOUNT,
        metavar="ID",
        help=f"paper ids begin with D (default {PAPER_ACCOUNT})",
    )
    parser.add_argument(
        "--prices",
        choices=("traded", "total_return"),
        default="traded",
        help="what trades are made at; total_return compares with a backtest (default traded)",
    )
    parser.add_argument("--record", metavar="FILE", help="write every message there, one JSON object a line")
