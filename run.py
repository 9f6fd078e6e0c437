#!/usr/bin/env python3
"""The command line: parse, load the configuration, dispatch. Heavy imports happen inside the verbs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ares7.errors import Ares7Error, ConfigError, DataError

if TYPE_CHECKING:
    from ares7.config import Config
    from ares7.panel import Panel
    from ares7.params import BookParams
    from feeds.backtest import Backtest

ROOT = Path(__file__).resolve().parent
DEFAULT_CONFIG = ROOT / "config.yaml"


def say(text: str) -> None:
    """Print for a person, on stderr."""
    sys.stderr.write(text + "\n")


def answer(args: argparse.Namespace, content: dict[str, Any]) -> bool:
    """Print the JSON answer if it was asked for."""
    if args.json:
        from ares7.run_files import to_json

        sys.stdout.write(to_json(content))
    return bool(args.json)


def read_config(args: argparse.Namespace) -> Config:
    """Configuration of this call: file, then shorthand options, then ``--set``."""
    from ares7.config import load_config

    overrides = []
    for option, key in (("strategy", "strategy.name"), ("start", "period.start"), ("end", "period.end")):
        value = getattr(args, option, None)
        if value is not None:
            overrides.append(f"{key}={value}")
    if getattr(args, "data", None) is not None:
        overrides.append(f"data.path={Path(args.data).expanduser().resolve()}")
    return load_config(Path(args.config), (*overrides, *args.set))


def backtest(args: argparse.Namespace) -> int:
    """Run the configured strategy and its baseline; write a run folder; print a table."""
    import datetime as dt
    import time

    began = time.perf_counter()
    config = read_config(args)
    from ares7.runs import write_run

    if config.runs.report:
        from ares7.tearsheet import require_plotly

        require_plotly()
    result = _backtest(config, Path(args.config).resolve().parent, began)
    path = write_run(config.runs.folder, result, stamp=dt.datetime.now(dt.UTC), report=config.runs.report)
    report = path / "report.html" if config.runs.report else None
    if not answer(
        args, {"run": str(path), "report": str(report) if report else None, "metrics": result.metrics}
    ):
        from ares7.screen import show_backtest

        show_backtest(result.metrics)
        print(f"report: {report}" if report else f"run: {path}")
    return 0


def _backtest(config: Config, folder: Path, began: float) -> Any:
    from ares7.costs import BpsCosts
    from ares7.period import choose_period
    from ares7.progress import progress, stage
    from feeds.load import load_panel
    from strategies import registry

    chosen = {"strategy": registry.resolve(config.strategy.name, folder)}
    chosen["baseline"] = registry.resolve(config.baseline, folder)
    own = registry.settings(chosen["strategy"], config.strategy.params, config.costs)
    base = registry.settings(chosen["baseline"], {}, config.costs)
    if own.gross > 1 and not (config.account.margin and config.account.financing_bps is not None):
        raise ConfigError(
            f"strategy.params.gross is {own.gross}, above 1: leverage needs account.margin: true "
            "and account.financing_bps"
        )
    if isinstance(config.costs, BpsCosts) and config.costs.is_zero:
        say("costs are zero: the report says so")
    stage("loading data")
    panel = _load(config, own, base, load_panel)
    panel = choose_period(panel, config.period, own.warmup, config.strategy.name)
    require_universe(panel)
    runs: dict[str, Backtest] = {}
    for role, settings in (("baseline", base), ("strategy", own)):
        name = config.baseline if role == "baseline" else config.strategy.name
        with progress(name, len(panel.dates) - panel.start_row) as step:
            runs[role] = _run_one(config, panel, chosen[role], settings, name, step, runs.get("baseline"))
    return _result(config, panel, own, runs, began)


def _load(config: Config, own: BookParams, base: BookParams, load_panel: Any) -> Panel:
    import datetime as dt

    import numpy as np

    needs = own.requires | base.requires
    period = config.period
    # Calendar days that hold the warm-up for sure: problems before them do not touch the run.
    margin = dt.timedelta(days=own.warmup * 3 // 2 + 30)
    first = None if period.start is None else np.datetime64(period.start - margin, "D")
    last = None if period.end is None else np.datetime64(period.end, "D")
    panel: Panel = load_panel(config.data, needs, first, last, allow_restated=config.allow_lookahead)
    return panel


def require_universe(panel: Panel) -> None:
    """Refuse a universe that has no stock with a bar on the start session or on a month end after it."""
    import numpy as np

    row = panel.start_row
    rows = np.append(row, row + np.flatnonzero(panel.month_end[row:]))
    names = (panel.member & panel.bar & panel.is_stock)[rows].any(axis=1)
    if not names.all():
        raise DataError(
            f"universe is empty on {panel.dates[rows[~names][0]]} ({int((~names).sum())} of {len(rows)} month ends): "
            f"none of {int(panel.is_stock.sum())} stocks is a member with a price; check data.universe, "
            "the membership file and the period"
        )


def _run_one(
    config: Config, panel: Panel, strategy: Any, settings: BookParams, name: str, step: Any, baseline: Any
) -> Backtest:
    from analyzers import add_default_analyzers
    from feeds.backtest import run_backtest

    first = panel.start_row
    dates = panel.dates[first:]
    base = None if baseline is None else baseline.cerebro.broker.history
    done = 0

    def on_step(sessions: int) -> None:
        nonlocal done
        step(sessions - done)
        done = sessions

    def analyzers(cerebro: Any, targets: Any) -> None:
        labels = _labels(panel, settings, targets)
        add_default_analyzers(
            cerebro,
            windows=config.oos,
            baseline=None if base is None else (base.dates, base.nav),
            costs=config.costs,
            labels=None if labels is None else (dates, labels.held[first:]),
            risk_free=config.metrics.risk_free,
            rolling_sessions=config.metrics.rolling_sessions,
            calendar=config.data.calendar,
        )

    return run_backtest(
        panel,
        strategy,
        settings,
        account=config.account,
        costs=config.costs,
        analyzers=analyzers,
        on_step=on_step,
        name=name,
    )


def _labels(panel: Panel, settings: BookParams, targets: Any) -> Any:
    """Regime of every session: the strategy's own, else the default one where index and VIX are there."""
    import numpy as np

    from ares7.book import regime_labels
    from ares7.params import RegimeParams

    if targets.regime is not None:
        return targets.regime
    first = panel.start_row
    known = all(r in panel.series and np.isfinite(panel.series[r][first:]).all() for r in ("index", "vix"))
    return regime_labels(panel, **RegimeParams().model_dump()) if known else None


def _data_warnings(panel: Panel) -> list[str]:
    """What the loader counted, one line each, and how the universe was chosen."""
    found = panel.provenance.get("findings", [])
    lines = [f"{f['input']}/{f['code']} ({f['count']}): {f['message']}" for f in found]
    if panel.provenance.get("universe") != "members" and not panel.provenance.get("synthetic"):
        lines.append(
            "survivorship: the universe has no membership history; names chosen because they exist today "
            "overstate every return"
        )
    return lines


def _result(config: Config, panel: Panel, own: BookParams, runs: dict[str, Backtest], began: float) -> Any:
    import time

    import numpy as np

    from analyzers.document import figures, rounding_loss
    from ares7.provenance import code_version, versions
    from ares7.run_files import RunResult

    first = panel.start_row
    run, targets = runs["strategy"], runs["strategy"].targets
    history, base = run.cerebro.broker.history, runs["baseline"].cerebro.broker.history
    document = figures(run.strategy, risk_free=config.metrics.risk_free)
    baseline = figures(runs["baseline"].strategy, risk_free=config.metrics.risk_free)
    extra = type(run.strategy).diagnostics(panel, own)
    synthetic = bool(panel.provenance.get("synthetic"))
    stamps = ["SYNTHETIC"] * synthetic + ["ZERO COSTS"] * config.costs.is_zero
    stamps += ["LOOKAHEAD ALLOWED"] * config.allow_lookahead
    weights = targets.weights[first:]
    metrics = document | {
        "strategy": config.strategy.name,
        "baseline": config.baseline,
        "baseline_performance": baseline["performance"],
        "synthetic": synthetic,
        "stamps": stamps,
        "start": str(history.dates[0]),
        "end": str(history.dates[-1]),
        "sessions": len(history.dates),
        "rounding": rounding_loss(weights.sum(axis=1), history.gross),
        "coverage": extra.get("coverage", {}),
        "warnings": [*_data_warnings(panel), *extra.get("warnings", [])],
        "notes": extra.get("notes", []),
    }
    labels = _labels(panel, own, targets)
    neutral = np.zeros(len(history.dates), dtype=np.int8)
    sleeves = {name: values[first:] for name, values in targets.sleeves.items()}
    sleeves["cash"] = 1.0 - np.sum(list(sleeves.values()), axis=0)
    return RunResult(
        config_yaml=config.to_yaml(),
        digest=config.digest(),
        strategy=config.strategy.name,
        baseline=config.baseline,
        provenance={
            "code": code_version(ROOT),
            "versions": versions(),
            "data": dict(panel.provenance),
            "parameters": own.model_dump(mode="json"),
            "warmup_sessions": own.warmup,
            "trials": 1,
            "duration_s": round(time.perf_counter() - began, 3),
        },
        metrics=metrics,
        dates=history.dates,
        nav=history.nav,
        cash=history.cash,
        gross=history.gross,
        baseline_nav=base.nav,
        symbols=panel.symbols,
        target_weights=weights,
        fills=run.cerebro.broker.ledger.fills,
        orders=run.cerebro.broker.ledger.orders,
        order_reference=run.cerebro.broker.ledger.reference,
        regime_raw=neutral if labels is None else labels.raw[first:],
        regime_held=neutral if labels is None else labels.held[first:],
        sleeves=sleeves,
    )


def list_strategies(args: argparse.Namespace) -> int:
    """Strategies that a name finds."""
    from strategies import registry

    found = {name: registry.describe(registry.resolve(name)) for name in registry.names()}
    if not answer(args, {"strategies": found}):
        from ares7.screen import table

        table("Strategies", ("name", "what it does"), found.items())
    return 0


def show_config(args: argparse.Namespace) -> int:
    """The resolved configuration, parameters of the strategy included."""
    from strategies import registry

    config = read_config(args)
    strategy = registry.resolve(config.strategy.name, Path(args.config).resolve().parent)
    params = registry.settings(strategy, config.strategy.params, config.costs).model_dump(mode="json")
    config = config.model_copy(update={"strategy": config.strategy.model_copy(update={"params": params})})
    if not answer(args, config.model_dump(mode="json")):
        print(config.to_yaml(), end="")
    return 0


def runs(args: argparse.Namespace) -> int:
    """Finished runs, oldest first."""
    from dataclasses import asdict

    from ares7.runs import list_runs

    found = list_runs(read_config(args).runs.folder)
    if not answer(args, {"runs": [asdict(run) for run in found]}):
        from ares7.screen import number, percent, table

        table(
            "Runs",
            ("run", "strategy", "period", "Sharpe", "CAGR", "drawdown"),
            [
                (
                    r.name,
                    r.damage or r.strategy + " [SYNTHETIC]" * bool(r.synthetic),
                    r.period,
                    number(r.sharpe),
                    percent(r.cagr),
                    percent(r.mdd),
                )
                for r in found
            ],
        )
    return 0


def compare(args: argparse.Namespace) -> int:
    """Two runs side by side: figures, and the settings that differ."""
    from ares7 import runs as stored

    folder = read_config(args).runs.folder
    both = stored.compare(stored.load_run(args.run1, folder), stored.load_run(args.run2, folder))
    if not answer(args, both):
        from ares7.screen import number, table

        for part in ("figures", "config"):
            rows = [
                (name, *(number(v, 4) if isinstance(v, float) else str(v) for v in pair))
                for name, pair in both[part].items()
            ]
            table(part, ("", *both["runs"]), rows)
    return 0


def report(args: argparse.Namespace) -> int:
    """Rebuild the report of a run from its files."""
    from ares7.runs import load_run
    from ares7.tearsheet import write_report

    path = write_report(load_run(args.run, read_config(args).runs.folder).folder)
    if not answer(args, {"report": str(path)}):
        print(f"report: {path}")
    return 0


def new(args: argparse.Namespace) -> int:
    """A new strategy file from the template."""
    from strategies.scaffold import create

    path = create(args.name, ROOT / "strategies")
    if not answer(args, {"file": str(path)}):
        print(f"wrote {path.relative_to(ROOT)}; run it: python run.py backtest --strategy {args.name}")
    return 0


def data_check(args: argparse.Namespace) -> int:
    """Everything that is wrong with a data folder; exit 1 if anything is an error."""
    from feeds.check import check_folder

    args.data = args.folder
    found = check_folder(read_config(args).data)
    errors = sum(f.severity == "error" for f in found)
    content = [
        {"severity": f.severity, "input": f.input, "code": f.code, "count": f.count, "message": f.message}
        for f in found
    ]
    if not answer(args, {"errors": errors, "warnings": len(found) - errors, "findings": content}):
        from ares7.screen import table

        rows = [(f.severity, f.code, str(f.count), f.message) for f in found]
        table(
            f"{args.folder}: {errors} errors, {len(found) - errors} warnings",
            ("", "code", "count", "what"),
            rows,
        )
    return 1 if errors else 0


def data_synth(args: argparse.Namespace) -> int:
    """Write a synthetic market in the canonical layout."""
    from feeds.synthetic import generate, write

    settings = read_config(args).data.synthetic
    chosen = {k: v for k in ("preset", "seed", "symbols") if (v := getattr(args, k)) is not None}
    market = generate(settings.model_validate(settings.model_dump() | chosen))
    write(market, Path(args.folder), args.format)
    if not answer(args, {"folder": args.folder, **chosen}):
        print(f"wrote {args.folder}; try it: python run.py backtest --data {args.folder}")
    return 0


def parser() -> argparse.ArgumentParser:
    """Verbs and options."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--config", default=str(DEFAULT_CONFIG), metavar="FILE", help="default: config.yaml")
    common.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="any dotted config field"
    )
    common.add_argument("--json", action="store_true", help="one JSON object on stdout, the rest on stderr")
    chosen = argparse.ArgumentParser(add_help=False)
    chosen.add_argument("--data", metavar="DIR", help="data folder in the canonical layout")
    chosen.add_argument(
        "--strategy", metavar="NAME", help="registry name, package.module:Class or file.py:Class"
    )
    chosen.add_argument("--start", metavar="DATE", help="first session, YYYY-MM-DD")
    chosen.add_argument("--end", metavar="DATE", help="last session, YYYY-MM-DD")

    top = argparse.ArgumentParser(prog="run.py", description="ARES7 on Backtrader.")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(
        name: str, run: Any, *parents: argparse.ArgumentParser, within: Any = verbs
    ) -> argparse.ArgumentParser:
        made = within.add_parser(
            name, parents=[common, *parents], help=run.__doc__.split("\n")[0], description=run.__doc__
        )
        made.set_defaults(run=run)
        return made  # type: ignore[no-any-return]

    verb("backtest", backtest, chosen)
    verb("list", list_strategies)
    verb("show-config", show_config, chosen)
    verb("runs", runs)
    pair = verb("compare", compare)
    pair.add_argument("run1", metavar="RUN1")
    pair.add_argument("run2", metavar="RUN2")
    verb("report", report).add_argument("run", metavar="RUN")
    verb("new", new).add_argument("name", metavar="NAME", help="for example my_idea")
    data = verbs.add_parser("data", help="check or make data").add_subparsers(dest="action", required=True)
    verb("check", data_check, within=data).add_argument("folder", metavar="DIR")
    synth = verb("synth", data_synth, within=data)
    synth.add_argument("folder", metavar="DIR")
    synth.add_argument("--preset", choices=("null", "planted"))
    synth.add_argument("--seed", type=int)
    synth.add_argument("--symbols", type=int)
    synth.add_argument("--format", choices=("parquet", "csv"), default="parquet")
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    args = parser().parse_args(arguments)
    try:
        return int(args.run(args))
    except Ares7Error as error:
        say(f"error: {error}")
        answer(args, {"error": str(error), "kind": type(error).__name__})
        return error.exit_code
    except KeyboardInterrupt:
        say("interrupted; nothing was written")
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0


if __name__ == "__main__":
    sys.exit(main())
