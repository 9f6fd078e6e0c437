"""docs/limits.md and config.yaml name the defaults that the code has."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from ares7.halt_config import HaltConfig
from ares7.limits import LimitParams
from live.halt.level import HaltLevel
from live.halt.signal_source import LEVELS

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
WORDS = {"off": None, "false": False, "true": True}


def test_the_table_of_limits_has_every_limit_with_its_default():
    rows = dict(re.findall(r"^\| `([a-z_]+)` \| ([^|]+) \|", GUIDE, re.MULTILINE))
    told = {name: WORDS[v] if v in WORDS else float(v.replace(",", "")) for name, v in rows.items()}
    settings = LimitParams().model_dump()
    assert told == {k: v for k, v in settings.items() if k not in ("volume_sessions", "report_in_backtests")}
    assert f"`volume_sessions` ({settings['volume_sessions']})" in GUIDE


def test_the_example_configuration_states_defaults():
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    assert LimitParams(**config["limits"]) == LimitParams()
    assert HaltConfig(**config["halt"]) == HaltConfig()


def test_the_guide_names_every_level_and_signal():
    assert re.findall(r"^\| `([A-Z_]+)` \|", GUIDE, re.MULTILINE) == [level.name for level in HaltLevel]
    for number in LEVELS:
        assert number.name in GUIDE


def test_every_code_of_the_watchdog_is_in_the_guide():
    text = (ROOT / "live" / "watchdog.py").read_text(encoding="utf-8")
    codes = set(re.findall(r'"(runner-[a-z]+)"', text))
    assert codes == set(re.findall(r"^\| `(runner-[a-z]+)` \|", GUIDE, re.MULTILINE))
