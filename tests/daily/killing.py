"""Kill the daily job at every point at which it touches the disk; run as a program, prints JSON.

Arguments: config.yaml of a desk that has published SESSION0, then SESSION1. For every point the folder is copied, a
child runs SESSION1 and is killed there, the folder is looked at, and SESSION1 is run again.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

from live.daily.outputs import Outputs, read_sidecar
from tests.daily.desk import Desk

TOUCHES = ("fsync", "rename", "replace", "rmdir")


def killed_at(point: int, desk: Desk, session: str) -> int:
    """Exit status of a child that is killed before its ``point``-th touch; 0 if it has fewer."""
    child = os.fork()
    if child == 0:
        count = 0

        def deadly(touch: Any) -> Any:
            def call(*arguments: Any, **options: Any) -> Any:
                nonlocal count
                count += 1
                if count == point:
                    os.kill(os.getpid(), signal.SIGKILL)
                return touch(*arguments, **options)

            return call

        for name in TOUCHES:
            setattr(os, name, deadly(getattr(os, name)))
        desk.daily(session)
        os._exit(0)
    return os.waitpid(child, 0)[1]


def state(desk: Desk, earlier: dict[str, str]) -> dict[str, Any]:
    """Of which sessions the pairs are that readers find whole, and whether the dated old ones are untouched."""
    outputs, found = Outputs(desk.outputs), {}
    for name in ("wavelet_overlay_latest.csv", "pead_overlay_latest.csv"):
        sidecar = read_sidecar(outputs.find(name))
        assert sidecar is not None
        found[name] = sidecar["as_of"]
    now = desk.bytes()
    dated = {name: h for name, h in earlier.items() if "latest" not in name}
    return {"latest": sorted(set(found.values())), "untouched": dated.items() <= now.items()}


def main(home: str, session0: str, session1: str) -> None:
    """Print one JSON object a point."""
    first = Desk.__new__(Desk)
    first.folder, first.settings, first.now = Path(home), {}, "2030-01-02 12:00:00"
    answers = []
    with contextlib.redirect_stderr(io.StringIO()):
        first.daily(session0)
        earlier = first.bytes()
        for point in range(1, 200):
            desk = Desk.__new__(Desk)
            desk.folder, desk.settings, desk.now = first.folder / f"at{point}", {}, first.now
            desk.folder.mkdir()
            shutil.copy(first.folder / "config.yaml", desk.folder)
            shutil.copytree(first.outputs, desk.outputs)
            status = killed_at(point, desk, session1)
            if status == 0:
                break
            answer = {"point": point, "signal": os.WTERMSIG(status), **state(desk, earlier)}
            desk.daily(session1)
            answers.append(
                answer | {"after": desk.bytes(), "left": sorted(p.name for p in desk.outputs.iterdir())}
            )
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
