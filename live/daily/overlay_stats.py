"""Weekly and monthly checks of the production files: what each session's hold, and which sessions lack them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ares7 import sessions
from ares7.config import Config
from ares7.errors import ConfigError, DataError, MissingData
from live.daily.log import ALERTS
from live.daily.outputs import Outputs, read_sidecar
from live.daily.overlay_files import blend_name, weights_name


def overlay_stats(
    config: Config, last: int, now: dt.datetime, until: np.datetime64 | None = None
) -> dict[str, Any]:
    """Look at the files of the sessions of the last days.

    Parameters
    ----------
    config : Config
    last : int
        Calendar days, the last one included.
    now : datetime
        With its time zone.
    until : datetime64[D], optional
        The last day; None means the latest session that has closed.

    Returns
    -------
    dict
        ``sessions``: one mapping a session, with ``mode`` (``missing`` and ``damaged`` too), the statistics of its
        sidecar and ``turnover``, half the sum of the changes of weights since the session before; ``alerts`` by code;
        ``good``, whether every session since the first file has whole files of mode normal.

    Raises
    ------
    ConfigError
        ``last`` is below 1.
    MissingData
        There are no files.
    """
    if last < 1:
        raise ConfigError(f"--last {last} is no number of days; use 7 or 30")
    outputs, calendar = Outputs(config.daily.outputs), config.data.calendar
    known = _stamps(outputs.folder)
    end = sessions.latest_closed(now, calendar) if until is None else until
    days = sessions.sessions(max(end - np.timedelta64(last - 1, "D"), known[0]), end, calendar)
    rows, before = [], None
    for day in days:
        row, weights = _session(outputs, day)
        if weights is not None and before is not None:
            names = {*weights, *before}
            row["turnover"] = sum(abs(weights.get(n, 0.0) - before.get(n, 0.0)) for n in sorted(names)) / 2
        rows.append(row)
        before = weights
    return {
        "folder": str(outputs.folder),
        "days": last,
        "sessions": rows,
        "alerts": _alerts(config.daily.logs, days),
        "good": bool(rows) and all(row["mode"] == "normal" for row in rows),
    }


def _stamps(folder: Path) -> list[np.datetime64]:
    """Sessions that have a file of final weights, oldest first."""
    prefix, suffix = weights_name("*").split("*")
    found = []
    for path in folder.glob(weights_name("*")) if folder.is_dir() else ():
        stamp = path.name.removeprefix(prefix).removesuffix(suffix)
        if stamp.isdigit() and len(stamp) == 8:
            found.append(np.datetime64(f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:]}", "D"))
    if not found:
        raise MissingData(f"{folder} holds no {weights_name('YYYYMMDD')}; run 'python run.py daily' first")
    return sorted(found)


def _session(outputs: Outputs, day: np.datetime64) -> tuple[dict[str, Any], dict[str, float] | None]:
    """Row of one session, and its final weights by symbol."""
    stamp = str(day).replace("-", "")
    row: dict[str, Any] = {"session": str(day), "mode": "missing", "turnover": None}
    found = {}
    for kind, name in (("blend", blend_name(stamp)), ("weights", weights_name(stamp))):
        path = outputs.find(name)
        if not path.is_file():
            return row, None
        try:
            found[kind] = read_sidecar(path)
        except DataError as error:
            return row | {"mode": "damaged", "problem": str(error)}, None
        if found[kind] is None:
            return row | {"mode": "damaged", "problem": f"{path} has no sidecar"}, None
    blend, final = found["blend"] or {}, found["weights"] or {}
    row |= {
        "mode": final["mode"],
        "overlay_session": final["overlay_session"],
        "synthetic": final["synthetic"],
        "tilt": blend["statistics"],
        "applied": final["statistics"],
        "warnings": [*blend["warnings"], *final["warnings"]],
    }
    return row, _weights(outputs.find(weights_name(stamp)))


def _weights(path: Path) -> dict[str, float]:
    lines = path.read_text(encoding="utf-8").splitlines()[1:]
    return {symbol: float(weight) for _, symbol, _, _, weight in (line.rsplit(",", 4) for line in lines)}


def _alerts(folder: Path, days: Any) -> dict[str, int]:
    """Number of alerts about these sessions, by code."""
    try:
        lines = (folder / ALERTS).read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    asked = {str(day) for day in days}
    count: dict[str, int] = {}
    for line in lines:
        try:
            event = json.loads(line)
            if event["session"] in asked:
                count[event["code"]] = count.get(event["code"], 0) + 1
        except (ValueError, KeyError, TypeError):
            count["unreadable-line"] = count.get("unreadable-line", 0) + 1
    return dict(sorted(count.items()))


def lines_of(found: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the answer as lines for a person."""
    heads = f"{'tilt min':>10}{'max':>9}{'mean':>11}{'sum':>8}{'gross':>8}{'turnover':>10}"
    lines = [f"{'session':12}{'mode':12}{'symbols':>8}{heads}"]
    for row in found["sessions"]:
        lines.append(f"{row['session']:12}{row['mode']:12}{_figures(row)}")
        lines += [f"  {text}" for text in row.get("warnings", [])]
        lines += [f"  {row['problem']}"] if "problem" in row else []
    lines += [f"alerts: {count} {code}" for code, count in found["alerts"].items()]
    wrong = sum(row["mode"] != "normal" for row in found["sessions"])
    lines.append(f"{len(found['sessions'])} sessions in {found['days']} days, {wrong} not as they should be")
    return tuple(lines)


def _figures(row: Mapping[str, Any]) -> str:
    if "tilt" not in row:
        return ""
    tilt, final = row["tilt"], row["applied"]
    turnover = "" if row["turnover"] is None else f"{row['turnover']:.4f}"
    numbers = (tilt["min"] or 0.0, tilt["max"] or 0.0, tilt["mean"] or 0.0)
    return (
        f"{tilt['symbols']:>8}{numbers[0]:>10.5f}{numbers[1]:>9.5f}{numbers[2]:>11.2e}{tilt['sum_abs']:>8.4f}"
        f"{final['gross']:>8.4f}{turnover:>10}"
    )
