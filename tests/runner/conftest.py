"""A runner on the gateway double: the clock is stepped once the strategy has acted on a session."""

from __future__ import annotations

import faulthandler

import pytest

from ares7.config import build_config
from ares7.costs import BpsCosts
from feeds.engines import Chosen
from feeds.synthetic import generate, write
from live.client.options import HistoryPacing, Options, Reconnect
from live.double.control import running
from live.double.history import from_folder
from live.double.settings import Settings
from live.interlock import Wish
from live.run_settings import Place
from live.runner import Runner
from live.store_options import StoreOptions
from strategies import registry
from tests.bridge.stepping import Stepper

FIRST = "2024-06-24"
"""A Monday; the month ends on that Friday."""


@pytest.fixture(autouse=True)
def nothing_hangs():
    faulthandler.dump_traceback_later(100, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture(scope="session")
def market(tmp_path_factory):
    """Enough stocks that the default limits pass an equal-weight book."""
    folder = tmp_path_factory.mktemp("market")
    config = build_config(
        {
            "costs": {"model": "bps", "bps": 10},
            "data": {"synthetic": {"symbols": 24, "start": "2023-01-03", "end": "2024-12-31"}},
        },
        folder,
        "test",
    )
    write(generate(config.data.synthetic), folder, "parquet")
    return folder


@pytest.fixture
def gateway(market):
    history = from_folder(market, basis="total_return")
    with running(history, Settings(start=f"{FIRST} 15:00", costs=BpsCosts(model="bps", bps=10))) as control:
        control.end_session(25)
        yield control


class SteppedRunner(Runner):
    """Ends the gateway's next session whenever the strategy has acted on one."""

    control = None

    def _portfolio(self):
        portfolio = super()._portfolio()
        portfolio.cerebro.addanalyzer(Stepper, store=self.store, control=self.control)
        return portfolio


@pytest.fixture
def run(market, gateway, tmp_path):
    """``run(sessions=3)``: one start of the process."""

    def make(control=gateway, kind=SteppedRunner, wish=None, strategy="equal_weight", client_id=7, **options):
        config = build_config(
            {
                "costs": {"model": "bps", "bps": 10},
                "data": {"path": str(market), "cache": str(tmp_path / "cache")},
                **options.pop("config", {}),
            },
            tmp_path,
            "test",
        )
        found = registry.resolve(strategy)
        chosen = options.pop("chosen", None) or Chosen(
            strategy, found, registry.settings(found, config.strategy_params, config.costs)
        )
        place = Place(
            control.host,
            control.port,
            client_id,
            "",
            StoreOptions(clock="gateway", poll_s=0.002, bar_patience_s=1400),
            Options(
                messages_per_s=0,
                max_skew_s=None,
                quiet=None,
                history=HistoryPacing(identical_s=0),
                reconnect=Reconnect(first_s=0.02, cap_s=0.2),
            ),
            tmp_path / "journal",
        )
        told = []
        runner = kind(
            config,
            chosen,
            place,
            wish or Wish("paper", True, "shadow", ""),
            told.append,
            **{"sessions": 3, "start_now": True, **options},
        )
        runner.control, runner.lines = control, told
        return runner

    return make


def positions(control):
    """Shares by symbol, by the gateway's books."""
    return control.book().positions[control.account]
