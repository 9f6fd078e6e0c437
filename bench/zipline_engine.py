"""zipline-reloaded: a bundle made from the DataFrames, then its daily loop; orders fill at the next close."""

from __future__ import annotations

import tempfile
import warnings
from typing import Any

import numpy as np

from bench.job import CASH, COST, Job, frames


def prepare(job: Job) -> Any:
    """Return the run: making the bundle (its feed) is part of it."""
    import pandas as pd
    from zipline import api, run_algorithm
    from zipline.data.bundles import ingest, register
    from zipline.finance import commission, slippage

    data = frames(job)
    start, end = (pd.Timestamp(job.dates[i]) for i in (0, -1))
    root = tempfile.TemporaryDirectory(prefix="ares7-bench-")
    environ = {"ZIPLINE_ROOT": root.name}

    def write(
        _: Any,
        assets: Any,
        minutes: Any,
        daily: Any,
        adjustments: Any,
        calendar: Any,
        first: Any,
        last: Any,
        *rest: Any,
    ) -> None:
        about = pd.DataFrame({"symbol": list(data), "start_date": start, "end_date": end, "exchange": "NYSE"})
        about["auto_close_date"] = end + pd.Timedelta(days=1)
        assets.write(equities=about, exchanges=pd.DataFrame({"exchange": ["NYSE"], "country_code": ["US"]}))
        daily.write(enumerate(data.values()), show_progress=False)
        adjustments.write()

    def initialize(context: Any) -> None:
        context.assets = [api.symbol(symbol) for symbol in job.symbols]
        context.decisions = dict(zip(job.rows.tolist(), job.targets, strict=True))
        context.session = 0
        api.set_commission(us_equities=commission.PerDollar(cost=COST))
        api.set_slippage(us_equities=slippage.NoSlippage())

    def handle_data(context: Any, bars: Any) -> None:
        target = context.decisions.get(context.session)
        context.session += 1
        if target is None:
            return
        close = bars.current(context.assets, "close").to_numpy()
        positions = context.portfolio.positions
        held = np.array([positions[a].amount if a in positions else 0 for a in context.assets])
        change = np.floor(target * context.portfolio.portfolio_value / close) - held
        for k in np.argsort(change, kind="stable"):
            if change[k] != 0:
                api.order(context.assets[k], int(change[k]))

    def run() -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            register("job", write, calendar_name="XNYS", start_session=start, end_session=end)
            ingest("job", environ=environ)
            done = run_algorithm(
                start=start,
                end=end,
                initialize=initialize,
                handle_data=handle_data,
                capital_base=CASH,
                bundle="job",
                benchmark_returns=pd.Series(
                    0.0, index=pd.DatetimeIndex(job.dates.astype("datetime64[ns]"), tz="UTC")
                ),
                default_extension=False,
                environ=environ,
            )
        return done["portfolio_value"].to_numpy()

    return run
