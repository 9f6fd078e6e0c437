"""The fast path overrides methods that Backtrader does not document: its version is pinned, and they are there."""

import tomllib
from importlib.metadata import version
from pathlib import Path

import backtrader as bt
import pytest

VERSION = "1.9.78.123"


def test_backtrader_is_the_version_that_was_read():
    assert version("backtrader") == VERSION
    assert bt.__version__ == VERSION


def test_the_project_asks_for_exactly_that_version():
    root = Path(__file__).resolve().parents[2]
    wanted = tomllib.loads((root / "pyproject.toml").read_text())["project"]["dependencies"]
    assert f"backtrader=={VERSION}" in wanted


@pytest.mark.parametrize(
    ("owner", "names"),
    [
        (bt.brokers.BackBroker, "_execute _try_exec _get_value _ococheck _ocoize _bracketize submit_accept"),
        (bt.brokers.BackBroker, "check_submitted notify submit get_value get_leverage"),
        (bt.brokers.BackBroker, "get_notification get_fundvalue"),
        (bt.Cerebro, "_runonce _check_timers _brokernotify _next_writers stop_writers"),
        (bt.feed.DataBase, "_tick_nullify reset home extend preload"),
        (bt.feed.DataBase.lines, "_getlines _getlinealias"),
        (bt.LineBuffer, "forward buflen set_idx"),
        (bt.Strategy, "_oncepost _getminperstatus _periodset _addnotification _notify clear"),
        (bt.Analyzer, "_notify_order _notify_trade"),
    ],
)
def test_the_methods_that_are_overridden_or_looked_at_exist(owner, names):
    assert [name for name in names.split() if not callable(getattr(owner, name, None))] == []
