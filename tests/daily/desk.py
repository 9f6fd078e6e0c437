"""A desk for tests: a configuration in a folder of its own, a fixed clock, calls of the daily job and of its steps."""

from __future__ import annotations

import argparse
import csv
import datetime as dt
import hashlib
import json
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import yaml

import run
from ares7.config import Config, load_config
from live.daily import job
from live.daily.acting_session import acting_step
from live.daily.job import Finished, overlaid_choice
from live.daily.outputs import Outputs, csv_bytes, sidecar_path
from live.daily.overlay_job import Job, Made

ROOT = Path(run.__file__).resolve().parent


def moment(text: str) -> dt.datetime:
    """UTC."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@dataclass
class Desk:
    """A folder with config.yaml, ensemble_outputs and logs."""

    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)
    now: str = "2030-01-02 12:00:00"

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        content = {"costs": {"model": "bps", "bps": 10}, **self.settings}
        (self.folder / "config.yaml").write_text(yaml.safe_dump(content))

    @property
    def outputs(self) -> Path:
        return self.folder / "ensemble_outputs"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    def config(self, *overrides: str) -> Config:
        return load_config(self.folder / "config.yaml", overrides)

    def choose(self, config: Config) -> Any:
        return partial(run.choose, argparse.Namespace(config=str(self.folder / "config.yaml")), config)

    def daily(self, day: str | None = None, *overrides: str, now: str = "", demo: bool = False) -> Finished:
        config = self.config(*overrides)
        at = None if day is None else np.datetime64(day, "D")
        # Another root than the project's: the hash of code that is being written would change between two calls.
        return job.daily(
            config, self.choose(config), self.folder, lambda: moment(now or self.now), at, demo=demo
        )

    def job(self, day: str, *overrides: str, plain: bool = False) -> Job:
        config = self.config(*overrides)
        acting = acting_step(np.datetime64(day, "D"), moment(self.now), config.data.calendar)
        chosen, overlay = overlaid_choice(config, self.choose(config))
        return Job(config, chosen, overlay, acting, Outputs(config.daily.outputs), self.folder, plain=plain)

    def publish(self, job: Job, step: Any) -> Made:
        job.outputs.recover()
        made = step(job)
        job.outputs.publish()
        return made

    def write(self, name: str, text: str) -> Path:
        path = self.outputs / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text)
        return path

    def rows(self, name: str) -> list[dict[str, str]]:
        with (self.outputs / name).open(newline="") as file:
            return list(csv.DictReader(file))

    def sidecar(self, name: str) -> dict[str, Any]:
        found = json.loads(sidecar_path(self.outputs / name).read_text())
        assert isinstance(found, dict)
        return found

    def weights(self, day: str, column: str = "weight_final") -> dict[str, float]:
        name = f"ares7_final_weights_{day.replace('-', '')}.csv"
        return {row["symbol"]: float(row[column]) for row in self.rows(name)}

    def bytes(self) -> dict[str, str]:
        """Hash of every production file."""
        files = sorted(self.outputs.glob("*.*")) if self.outputs.is_dir() else []
        return {
            p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in files if not p.name.startswith(".")
        }

    def log(self, stem: str = "daily_wavelet_pead") -> list[str]:
        """Lines of the newest log, without their times."""
        newest = max(self.logs.glob(f"{stem}_*.log"), key=lambda p: (p.stat().st_mtime_ns, p.name))
        return [line.split("] ", 1)[1] for line in newest.read_text().splitlines()]

    def alerts(self) -> list[dict[str, Any]]:
        path = self.logs / "alerts.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def pair(folder: Path, name: str, columns: dict[str, list[Any]], sidecar: dict[str, Any]) -> Path:
    """Publish one pair by hand."""
    outputs = Outputs(folder)
    outputs.recover()
    path = outputs.stage(name, csv_bytes(columns), sidecar)
    outputs.publish()
    return path
