"""Measure everything and print the table: ``python -m bench [--quick]``; results in .cache/bench/results.json."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import sys
from typing import Any

from bench.runs import OUT, ROOT, RUNS, job_file, machine, measured, whole_processes
from bench.search_runs import GROUPS, measured_group
from bench.search_targets import SEARCH_TARGETS
from bench.targets import TARGETS, Results, add_differences, judged

ROWS = (*TARGETS, *SEARCH_TARGETS)
MARKS = ("<!-- results -->", "<!-- end of results -->")


def table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Lines of a Markdown table, padded so that it reads well in a terminal too."""
    widths = [max(len(line[i]) for line in [heads, *rows]) for i in range(len(heads))]
    lines = [heads, tuple("-" * width for width in widths), *rows]
    return "\n".join(
        "| " + " | ".join(c.ljust(w) for c, w in zip(x, widths, strict=True)) + " |" for x in lines
    )


def seconds(value: float) -> str:
    """Three digits in s, ms or us."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value / 1e-6:.3g} us"


def verdict_row(row: dict[str, Any]) -> tuple[str, ...]:
    """One line of the table of targets."""
    limit = f"{'>=' if row['at_least'] else '<='} {row['limit']:g} {row['unit']}"
    if "value" not in row:
        return row["row"], row["what"], "-", "-", limit, f"{row['verdict']}: {row['reason']}"
    reason = f": {row['reason']}" if row["reason"] else ""
    return (
        row["row"],
        row["what"],
        f"{row['value']:.3g}",
        f"{row['value_cpu']:.3g}",
        limit,
        row["verdict"] + reason,
    )


def engine_row(name: str, found: dict[str, Any]) -> tuple[str, ...]:
    """One line of the table of engines."""
    if "missing" in found:
        return name, "-", "-", "-", "-", "-", found["missing"]
    difference = f"{found['difference']:.0e}" if "difference" in found else "-"
    idle = "-" if found["idle_before"] is None else f"{found['idle_before']:.0%}"
    time = f"{seconds(found['wall_median'])} ({len(found['wall'])})"
    rule = found["rule"] + ("" if found.get("must_agree", True) else " (not comparable)")
    return name, time, seconds(found["cpu_median"]), f"{found['peak_mib']:.0f}", difference, idle, rule


def report(content: dict[str, Any]) -> str:
    """Everything that was measured, as Markdown."""
    results: Results = content["results"]
    engines = {name: found for name, found in results.items() if name != "processes"}
    about = content["machine"]
    versions: dict[str, set[str]] = {}
    for found in engines.values():
        for library, version in found.get("versions", {}).items():
            versions.setdefault(library, set()).add(version)
    parts = [
        f"{content['measured_at']}; {about['processor']}, {about['memory_gib']} GiB, {about['system']}, Python "
        f"{about['python']}; load average {about['load_average'][0]:.2f} before, {content['load_after'][0]:.2f} after",
        ", ".join(f"{library} {' and '.join(sorted(found))}" for library, found in sorted(versions.items())),
        unmet(content["targets"]),
        table(
            ("", "what", "wall", "CPU", "target", "verdict"), [verdict_row(row) for row in content["targets"]]
        ),
        table(
            ("engine and symbols", "median (N)", "CPU", "peak MiB", "difference", "idle", "rule"),
            [engine_row(name, found) for name, found in engines.items()],
        ),
    ]
    return "\n\n".join(parts)


def unmet(rows: list[dict[str, Any]]) -> str:
    """One sentence on the rows that do not pass."""
    found = [f"{row['row']} ({row['what']}: {row['verdict']})" for row in rows if row["verdict"] != "pass"]
    return f"Not met: {', '.join(found)}." if found else "Every row is met."


def document(text: str) -> None:
    """Replace the results in docs/performance.md, which lie between two markers."""
    path = ROOT / "docs" / "performance.md"
    before, _, rest = path.read_text(encoding="utf-8").partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    path.write_text(f"{before}{MARKS[0]}\n\n{text}\n\n{MARKS[1]}{after}", encoding="utf-8")


def conclude(content: dict[str, Any], results: Results) -> None:
    """Compare curves, judge every row, write results.json."""
    add_differences(results)
    content |= {"results": results, "load_after": os.getloadavg()}
    content["targets"] = [judged(results, target) for target in ROWS]
    partial = OUT / f"results.json.{os.getpid()}"
    partial.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    partial.replace(OUT / "results.json")


def main() -> int:
    """Measure, judge, print, write; exit 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="leave out slow engines and vanilla at 500 symbols"
    )
    parser.add_argument(
        "--only",
        metavar="TEXT",
        default="",
        help="only engines and groups of search rows (G1-one, D1-large, ...) whose name contains this",
    )
    parser.add_argument(
        "--patience", type=float, default=30.0, metavar="S", help="wait so long for an idle machine"
    )
    parser.add_argument("--show", action="store_true", help="print the last results again; measure nothing")
    parser.add_argument("--document", action="store_true", help="write the tables into docs/performance.md")
    args = parser.parse_args()
    if args.show:
        content = json.loads((OUT / "results.json").read_text(encoding="utf-8"))
        content["targets"] = [judged(content["results"], target) for target in ROWS]
    else:
        content = measure_all(args)
    sys.stdout.write(report(content) + "\n")
    if args.document:
        document(report(content))
    return verdict(content)


def measure_all(args: argparse.Namespace) -> dict[str, Any]:
    """Run every engine that the arguments ask for; results.json is written after each."""
    content: dict[str, Any] = {
        "measured_at": dt.datetime.now(dt.UTC).isoformat(timespec="minutes"),
        "machine": machine(),
    }
    for symbols in sorted({run.symbols for run in RUNS}):
        job_file(symbols)
    results: Results = {}
    groups = [group for group in GROUPS if args.only in group.name]
    needed = {name for group in groups for name in group.needs}
    for run in RUNS:
        if (args.only in run.name or run.name in needed) and not (args.quick and run.slow):
            sys.stderr.write(f"{run.name}\n")
            results[run.name] = measured(run, args.patience)
        else:
            results[run.name] = {"missing": "left out"}
        conclude(content, results)
    for group in GROUPS:
        if group in groups:
            sys.stderr.write(f"{group.name}\n")
            results |= measured_group(group, args.patience)
        else:
            results |= {name: {"missing": "left out"} for name in group.gives}
        conclude(content, results)
    if not args.only:
        results["processes"] = whole_processes(args.patience)
    conclude(content, results)
    return content


def verdict(content: dict[str, Any]) -> int:
    """1 when a row was measured and does not pass."""
    return int(any(row["verdict"] in ("FAIL", "unclear") for row in content["targets"]))


if __name__ == "__main__":
    sys.exit(main())
