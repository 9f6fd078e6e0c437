"""What the documents say is so: commands run, links lead somewhere, lists agree with the code."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ares7.config import Config
from ares7.limitations import NOT_MODELLED
from strategies import registry

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    "README.md",
    "LIMITATIONS.md",
    "CHANGELOG.md",
    *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md")),
]
SMALL = {
    "symbols: 200": "symbols: 30",
    "start: 2010-01-04": "start: 2014-01-02",
    "end: 2025-12-31": "end: 2018-12-31",
    "train: {start: 2016-01-01, end: 2019-12-31}": "train: {start: 2016-01-01, end: 2016-12-31}",
    "validation: {start: 2020-01-01, end: 2021-12-31}": "validation: {start: 2017-01-01, end: 2017-06-30}",
    "test: {start: 2022-01-01, end: 2024-12-31}": "test: {start: 2017-07-01, end: 2017-12-31}",
    "start: 2020-01-01, end: 2021-12-31": "start: 2017-01-01, end: 2017-06-30",
    "start: 2022-01-01, end: 2024-12-31": "start: 2017-07-01, end: 2017-12-31",
    "start: 2025-01-01, end: 2025-12-31": "start: 2018-01-01, end: 2018-12-31",
    "train_years: 5": "train_years: 2",
}
"""What makes the default configuration quick."""
DRIVER = """
import importlib, json, sys
import run
codes = {}
for command in json.load(sys.stdin):
    importlib.invalidate_caches()
    try:
        codes[" ".join(command)] = run.main(command)
    except SystemExit as stop:
        codes[" ".join(command)] = int(stop.code or 0)
    if codes[" ".join(command)]:
        break
json.dump(codes, open("codes.json", "w"))
"""


def commands(document):
    """Arguments of every ``python run.py`` line of the bash blocks, in order."""
    blocks = re.findall(r"^```bash\n(.*?)^```", (ROOT / document).read_text(), re.DOTALL | re.MULTILINE)
    lines = [line for block in blocks for line in block.splitlines()]
    return [shlex.split(line, comments=True)[2:] for line in lines if line.startswith("python run.py ")]


@pytest.fixture
def project(tmp_path):
    """A copy of the project with a smaller synthetic market, and two finished runs RUN1 and RUN2."""
    for name in ("ares7", "strategies", "feeds", "analyzers", "live"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "run.py", tmp_path)
    text = (ROOT / "config.yaml").read_text()
    for old, new in SMALL.items():
        assert old in text
        text = text.replace(old, new, 1)
    (tmp_path / "config.yaml").write_text(text)
    return tmp_path


def run_all(project, todo):
    """Exit codes by command, up to the first that is not 0, and what was printed."""
    done = subprocess.run(
        [sys.executable, "-c", DRIVER],
        cwd=project,
        input=json.dumps(todo),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return json.loads((project / "codes.json").read_text()), done.stdout + done.stderr


@pytest.mark.parametrize("document", [name for name in DOCUMENTS if commands(name)])
def test_every_command_of_a_document_runs(project, document):
    first = [["data", "synth", "mydata"]]
    if any("RUN1" in command for command in commands(document)):
        quick = ["backtest", "--strategy", "equal_weight", "--set", "runs.report=false", "--set"]
        first += [[*quick, "costs.bps=1"], [*quick, "costs.bps=2"]]
    codes, said = run_all(project, first)
    assert set(codes.values()) == {0}, said
    runs = sorted((project / "runs").iterdir()) if (project / "runs").exists() else []
    names = {f"RUN{i}": path.name for i, path in enumerate(runs, 1)}
    todo = [[names.get(word, word) for word in command] for command in commands(document)]
    codes, said = run_all(project, todo)
    assert set(codes.values()) == {0}, said
    assert len(codes) == len({" ".join(command) for command in todo})


def anchors(text):
    """Anchors that GitHub gives to the headings of a document."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_inside_the_project_lead_somewhere(document):
    path = ROOT / document
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if "://" in target or target.endswith(".png"):
            continue
        place, _, anchor = target.partition("#")
        found = path.parent / place if place else path
        assert found.is_file(), target
        assert not anchor or anchor in anchors(found.read_text()), target


@pytest.mark.parametrize("document", DOCUMENTS)
def test_test_files_that_a_document_names_exist(document):
    for name in re.findall(r"`(tests/[\w/]+(?:\.py)?)`?", (ROOT / document).read_text()):
        assert (ROOT / name).exists(), name


@pytest.mark.parametrize("document", DOCUMENTS)
@pytest.mark.parametrize(
    "word", [r"\.\./shared", r"\bguaranteed\b", r"\bproduction-ready\b", r"/work\b", r"TODO"]
)
def test_a_document_says_nothing_that_it_must_not(document, word):
    text = (ROOT / document).read_text()
    assert not re.search(word, text.replace('never say "guaranteed" or "production-ready"', ""))


def test_what_the_report_says_is_not_modelled_stands_in_limitations():
    text = " ".join((ROOT / "LIMITATIONS.md").read_text().split())
    for sentence in NOT_MODELLED:
        assert f"* {sentence}" in text


def test_the_strategies_document_describes_every_strategy_and_no_other():
    headings = set(re.findall(r"^## ([a-z_0-9]+)$", (ROOT / "docs/strategies.md").read_text(), re.MULTILINE))
    assert headings == set(registry.names())


def test_the_guide_names_every_setting():
    text = (ROOT / "docs/guide.md").read_text()
    table = text[text.index("| section | fields |") : text.index("## Your own data")]
    for section, field in Config.model_fields.items():
        assert f"| `{section}` |" in table
        if section in ("oos", "costs", "strategy"):
            continue
        for name in getattr(field.annotation, "model_fields", {}):
            assert f"`{name}`" in table, f"{section}.{name}"


def test_the_guide_names_every_finding():
    text = (ROOT / "docs/guide.md").read_text()
    sources = "\n".join(p.read_text() for p in (ROOT / "feeds").glob("*.py"))
    listed = re.findall(r"`([a-z]+(?:-[a-z]+)*)`", text[text.index("### What `data check` reports") :])
    assert len(listed) > 40
    dynamic = {"vix-filled", "index-filled", "stale-vix", "stale-index", "missing-vix", "missing-index"}
    flags = {"late-filing", "filing-date-estimated"}
    for code in {*listed} - dynamic - flags:
        assert f'"{code}"' in sources or code in ("data-check",), code


def test_no_finding_is_missing_from_the_guide():
    text = (ROOT / "docs/guide.md").read_text()
    table = text[text.index("### What `data check` reports") :]
    found = set()
    for path in (ROOT / "feeds").glob("*.py"):
        found |= set(re.findall(r'"([a-z]+(?:-[a-z]+)+)"', path.read_text()))
    for code in found - {"utf-8", "utf-8-sig"}:
        assert f"`{code}`" in table, code
