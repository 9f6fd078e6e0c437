"""docs/gateway.md says what is so."""

from __future__ import annotations

import re
from pathlib import Path

from live.double import scenario
from live.double.actions import Actions
from live.double.knobs import Knobs

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "gateway.md").read_text(encoding="utf-8")


def section(title):
    """Text under a heading, up to the next heading."""
    return re.split(r"^#+ ", TEXT.split(f"{title}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]


def test_the_scenarios_and_settings_are_those_there_are():
    assert re.findall(r"^\| `(\w+)`", section("## Scenarios"), re.MULTILINE) == [
        "calm",
        "partial",
        "nightly_reset",
        "flaky",
        "readonly",
        "storm",
    ]
    assert set(re.findall(r"^\| `(\w+)`", section("### Settings (`knobs`)"), re.MULTILINE)) == set(
        Knobs.model_fields
    )


def test_the_defaults_of_the_settings_are_right():
    rows = re.findall(r"^\| `(\w+)` \| (\S+)", section("### Settings (`knobs`)"), re.MULTILINE)
    shown = {name: str(getattr(Knobs(), name)).lower().replace("()", "[]") for name, _ in rows}
    assert dict(rows) == {n: v.removesuffix(".0") for n, v in shown.items()}


def test_the_deeds_are_the_methods():
    methods = {name for name in vars(Actions) if not name.startswith("_")} - {"plan", "order", "what_if"}
    assert (
        set(re.findall(r"`(\w+)`", section("### Deeds at a time").split("one of")[1].split("with")[0]))
        == methods
    )


def test_the_scenario_of_the_document_can_be_loaded(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(re.search(r"```yaml\n(.*?)```", TEXT, re.DOTALL)[1])
    assert scenario.load(str(path)).knobs.commission == "never"


def test_the_example_runs():
    code = re.search(r"```python\n(.*?)```", TEXT, re.DOTALL)[1]
    names = {}
    exec(compile(code, "gateway.md", "exec"), names)  # noqa: S102
    assert names["book"].positions == {"DU1234567": {}}
