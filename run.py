#!/usr/bin/env python3
"""The command line: parse, load the configuration, dispatch. Heavy imports happen inside the verbs."""

from __future__ import annotations

import argparse
import gc
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ares7.errors import Ares7Error
from feeds.commands import INTERRUPTED, VERBS, Command
from feeds.database.commands import add_database_verbs
from live.account_commands import add_account_verbs
from live.commands import Call, add_verbs
from live.dashboard.command import add_dashboard_verb
from live.fetch_command import add_fetch
from live.halt_commands import add_halt_verbs
from live.monitor.commands import add_monitor_verbs
from live.trading_commands import add_trading_verbs

if TYPE_CHECKING:
    from ares7.config import Config
    from feeds.engines import Chosen

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
    for option, key in (
        ("strategy", "strategy.name"),
        ("start", "period.start"),
        ("end", "period.end"),
        ("engine", "engine"),
        ("preset", "search.preset"),
        ("objective", "search.selection.objective"),
        ("method", "search.optimize.method"),
    ):
        value = getattr(args, option, None)
        if value is not None:
            overrides.append(f"{key}={value}")
    if getattr(args, "data", None) is not None:
        is_url = "://" in args.data
        overrides.append(f"data.path={args.data if is_url else Path(args.data).expanduser().resolve()}")
    return load_config(Path(args.config), (*overrides, *args.set))


def research(args: argparse.Namespace) -> int:
    """Run a verb of `feeds.commands`, write its run folder, show it."""
    import datetime as dt

    config = read_config(args)
    if config.runs.report:
        from ares7.tearsheet import require_plotly

        require_plotly()
    from analyzers import add_default_analyzers
    from analyzers.document import figures
    from ares7.runs import write_run
    from feeds.engines import Tools
    from strategies.registry import resolve

    now, tools = dt.datetime.now(dt.UTC), Tools(add_default_analyzers, figures)
    command = Command(args, config, partial(choose, args, config), resolve, on_device, tools, ROOT, now)
    name = f"{args.verb} {args.action}" if hasattr(args, "action") else args.verb
    result, code = VERBS[name](command)
    path = write_run(config.runs.folder, result, stamp=now, report=config.runs.report)
    report = path / "report.html" if config.runs.report else None
    content = {"run": str(path), "report": str(report) if report else None, "metrics": result.metrics}
    if not answer(args, content):
        from ares7.screen import show

        show(args.verb, result.metrics)
        print(f"report: {report}" if report else f"run: {path}")
    if code == INTERRUPTED:
        say(
            "interrupted; the run folder holds the points that were finished; run the same command again for the others"
        )
    return code


def check(args: argparse.Namespace) -> int:
    """Audit a strategy, or a series of returns; exit 1 if anything fails."""
    if args.returns is None:
        return research(args)
    from ares7.audit.finding import Severity
    from ares7.audit.returns_only import audit_returns
    from feeds.returns_file import read_returns

    series = read_returns(Path(args.returns), args.column)
    found = audit_returns(series.dates, series.returns, trials=args.trials, name=args.returns)
    if not answer(args, found.to_dict()):
        from ares7.screen_audit import show_audit

        show_audit(found.to_dict())
    return int(found.worst is Severity.FAILURE)


def on_device(panel: Any) -> Any:
    """Stages that a CUDA device computes in place of the processor."""
    from ares7.cuda.memo import device_stages
    from strategies.quality_momentum import MIN_SLOTS, SLOTS, labels, scores

    return device_stages(panel, scores=scores, labels=labels, slots=SLOTS, min_slots=MIN_SLOTS)


def choose(args: argparse.Namespace, config: Config, name: str, params: dict[str, Any]) -> Chosen:
    """Strategy class and validated parameters by name."""
    from feeds.engines import Chosen
    from strategies import registry

    strategy = registry.resolve(name, Path(args.config).resolve().parent)
    return Chosen(name, strategy, registry.settings(strategy, params, config.costs))


def list_strategies(args: argparse.Namespace) -> int:
    """Strategies that a name finds."""
    from strategies import registry

    found = {name: registry.describe(registry.resolve(name)) for name in registry.names()}
    if not answer(args, {"strategies": found}):
        from ares7.screen import table

        table("Strategies", ("name", "what it does"), found.items(), text_columns=2)
    return 0


def show_config(args: argparse.Namespace) -> int:
    """The resolved configuration, parameters of the strategy included."""
    config = read_config(args)
    chosen = choose(args, config, config.strategy.name, config.strategy_params)
    params = chosen.settings.model_dump(mode="json")
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
            text_columns=3,
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
    """Everything that is wrong with a data folder or database; exit 1 if anything is an error."""
    from feeds.check import check_folder

    args.data = args.folder
    found = check_folder(read_config(args).data)
    errors = sum(f.severity == "error" for f in found)
    content = [f.plain() for f in found]
    if not answer(args, {"errors": errors, "warnings": len(found) - errors, "findings": content}):
        from ares7.screen import table

        rows = [(f.severity, f.code, str(f.count), f.message) for f in found]
        title = f"{args.folder}: {errors} errors, {len(found) - errors} warnings"
        table(title, ("", "code", "count", "what"), rows, text_columns=4)
    return 1 if errors else 0


def data_synth(args: argparse.Namespace) -> int:
    """Write a synthetic market in the canonical layout."""
    from feeds.synthetic import generate, write

    chosen = {k: v for k in ("preset", "seed", "symbols") if (v := getattr(args, k)) is not None}
    args.set = [*(f"data.synthetic.{k}={v}" for k, v in chosen.items()), *args.set]
    market = generate(read_config(args).data.synthetic)
    write(market, Path(args.folder), args.format)
    if not answer(args, {"folder": args.folder, **chosen}):
        print(f"wrote {args.folder}; try it: python run.py backtest --data {args.folder}")
    return 0


def produce(args: argparse.Namespace) -> int:
    """Run a verb of `live.commands` and show what it did."""
    config = read_config(args)
    done = args.act(Call(args, config, partial(choose, args, config), ROOT))
    if not answer(args, done.content) and done.lines:
        print("\n".join(done.lines))
    return int(done.code)


def _add_research(verb: Any, chosen: argparse.ArgumentParser) -> None:
    search = argparse.ArgumentParser(add_help=False)
    search.add_argument("--workers", type=int, metavar="N", help="N processes instead of threads")
    search.add_argument(
        "--scheduler", metavar="ADDRESS", help="a Dask scheduler, for example tcp://HOST:8786"
    )
    search.add_argument(
        "--device", choices=("cpu", "cuda"), default="cpu", help="cuda: an NVIDIA device, in double precision"
    )
    search.add_argument("--yes", action="store_true", help="more than 10,000,000 points are meant")
    search.add_argument("--preset", metavar="NAME", help="a grid that the strategy names, for example qm45")
    parents = {"grid": (chosen, search), "walkforward": (chosen, search)}
    made = {
        name: verb(
            name, check if name == "check" else research, *parents.get(name, (chosen,)), text=run.__doc__
        )
        for name, run in VERBS.items()
        if " " not in name
    }
    made["backtest"].add_argument(
        "--engine", choices=("event", "compiled"), help="Backtrader, or its compiled twin: the same numbers"
    )
    made["grid"].add_argument(
        "--objective", metavar="NAME", help="what is maximised: search.selection.objective"
    )
    made["optimize"].add_argument("--method", choices=("cvar", "max_sharpe", "min_variance", "risk_parity"))
    made["check"].add_argument(
        "--returns", metavar="FILE", help="only a series: columns date and ret, or nav"
    )
    made["check"].add_argument("--column", metavar="NAME", help="column of that file to read")
    made["check"].add_argument(
        "--trials", type=int, default=1, help="variants tried before this series was kept"
    )


def _add_data(verb: Any, verbs: Any) -> None:
    data = verbs.add_parser("data", help="check, make or fetch data").add_subparsers(
        dest="action", required=True
    )
    verb("check", data_check, within=data).add_argument("folder", metavar="DIR")
    synth = verb("synth", data_synth, within=data)
    synth.add_argument("folder", metavar="DIR")
    synth.add_argument("--preset", choices=("null", "planted"))
    synth.add_argument("--seed", type=int)
    synth.add_argument("--symbols", type=int)
    synth.add_argument("--format", choices=("parquet", "csv"), default="parquet")
    add_fetch(verb, data, produce)
    add_database_verbs(verb, data, produce)


def parser() -> argparse.ArgumentParser:
    """Verbs and options."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--config", default=str(DEFAULT_CONFIG), metavar="FILE", help="default: config.yaml")
    common.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="any dotted config field"
    )
    common.add_argument("--json", action="store_true", help="one JSON object on stdout, the rest on stderr")
    source = argparse.ArgumentParser(add_help=False)
    source.add_argument(
        "--data", metavar="DIR", help="data folder in the canonical layout, or URL of a database"
    )
    source.add_argument(
        "--strategy", metavar="NAME", help="registry name, package.module:Class or file.py:Class"
    )
    chosen = argparse.ArgumentParser(add_help=False, parents=[source])
    chosen.add_argument("--start", metavar="DATE", help="first session, YYYY-MM-DD")
    chosen.add_argument("--end", metavar="DATE", help="last session, YYYY-MM-DD")

    top = argparse.ArgumentParser(prog="run.py", description="ARES7 on Backtrader.")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")

    def verb(
        name: str, run: Any, *parents: argparse.ArgumentParser, within: Any = verbs, text: str | None = None
    ) -> argparse.ArgumentParser:
        about = text or run.__doc__
        made = within.add_parser(
            name, parents=[common, *parents], help=about.split("\n")[0], description=about
        )
        made.set_defaults(call=run)
        return made  # type: ignore[no-any-return]

    _add_research(verb, chosen)
    overlay = add_verbs(verb, verbs, source, produce)
    add_trading_verbs(verb, source, produce, lambda args: int(args.act(args)))
    add_halt_verbs(verb, produce)
    add_account_verbs(verb, source, produce)
    add_monitor_verbs(verb, produce)
    add_dashboard_verb(verb, produce)
    for name, study in VERBS.items():
        if name.startswith("overlay "):
            verb(name.split()[1], research, chosen, within=overlay, text=study.__doc__)
    verb("list", list_strategies)
    verb("show-config", show_config, chosen)
    verb("runs", runs)
    pair = verb("compare", compare)
    pair.add_argument("run1", metavar="RUN1")
    pair.add_argument("run2", metavar="RUN2")
    verb("report", report).add_argument("run", metavar="RUN")
    verb("new", new).add_argument("name", metavar="NAME", help="for example my_idea")
    _add_data(verb, verbs)
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; returns the exit code."""
    args = parser().parse_args(arguments)
    # A command makes many objects that live to its end; the default collector would walk them dozens of times.
    gc.set_threshold(100_000, 50, 1000)
    try:
        return int(args.call(args))
    except Ares7Error as error:
        say(f"error: {error}")
        answer(args, {"error": str(error), "kind": type(error).__name__})
        return error.exit_code
    except KeyboardInterrupt as stop:
        say(f"interrupted; {str(stop) or 'nothing was written'}")
        return INTERRUPTED
    except BrokenPipeError:
        sys.stderr.close()
        return 0


if __name__ == "__main__":
    sys.exit(main())
