"""vectorbt and bt, in an environment of their own. vectorbt's licence adds the Commons Clause: only measured here."""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.job import CASH, COST, Job


def _wide(job: Job, name: str) -> Any:
    import pandas as pd

    index = pd.DatetimeIndex(job.dates.astype("datetime64[ns]"))
    return pd.DataFrame(job.bars[name], index=index, columns=list(job.symbols))


def vectorbt(job: Job) -> Any:
    """`Portfolio.from_orders`: one group with shared cash, whole shares, sized at the close, filled at the open."""
    import vectorbt as vbt

    opening, close = _wide(job, "open"), _wide(job, "close")
    size = np.full(close.shape, np.nan)
    size[job.rows + 1] = job.targets

    def run() -> Any:
        portfolio = vbt.Portfolio.from_orders(
            close,
            size=size,
            size_type="targetpercent",
            price=opening,
            val_price=close.shift(1),
            size_granularity=1,
            fees=COST,
            init_cash=CASH,
            cash_sharing=True,
            group_by=True,
            call_seq="auto",
            freq="1D",
        )
        return portfolio.value().to_numpy()

    return run


def bt(job: Job) -> Any:
    """Run bt's algo stack: whole shares, filled at the close that decides (its only rule)."""
    import bt as library
    import pandas as pd

    close = _wide(job, "close")
    targets = pd.DataFrame(job.targets, index=close.index[job.rows], columns=close.columns)

    def run() -> Any:
        algos = [library.algos.WeighTarget(targets), library.algos.Rebalance()]
        test = library.Backtest(
            library.Strategy("job", algos),
            close,
            initial_capital=CASH,
            commissions=lambda quantity, price: abs(quantity) * price * COST,
            integer_positions=True,
            progress_bar=False,
        )
        test.run()
        return test.strategy.values.reindex(close.index).to_numpy()

    return run
